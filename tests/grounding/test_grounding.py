"""From a caption to an object of a session, with the weights that ship and with none that do."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from evavos_widget import cli
from evavos_widget.checkpoints import WeightsError, find
from evavos_widget.datasets.narrated import embedded_cast, render_narrated
from evavos_widget.datasets.narrated_set import write_narrated
from evavos_widget.evaluation.vng import evaluate_vng
from evavos_widget.evaluation.vng_methods import _swaps, evaluate_grounding, interval
from evavos_widget.formats.vng import Expression, VngVideo
from evavos_widget.grounding.nouns import as_span
from evavos_widget.grounding.rfvng import Grounding, RfVngGrounder
from evavos_widget.grounding.session import ground
from evavos_widget.masks import to_coco
from evavos_widget.networks.rfvng import COMPACT, RfVng
from evavos_widget.networks.rfvng_weights import save_rfvng
from evavos_widget.session import Session
from evavos_widget.video import Video
from evavos_widget.widgets.caption import CaptionBox

SAID = "The red dog is near the blue dog."


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_rfvng(RfVng(replace(COMPACT, width=32, text_channels=16, mask_channels=4)), file)
    return file


@pytest.fixture(scope="module")
def video() -> Video:
    frames = np.random.default_rng(0).integers(0, 256, (5, 70, 110, 3), np.uint8)
    return Video.open(frames, name="noise")


def test_a_noun_is_found_by_its_words_their_number_or_its_characters():
    assert as_span(SAID, "dog#2") == (29, 32)
    assert as_span(SAID, "red dog") == (4, 11)
    assert as_span(SAID, "8-11") == (8, 11)
    for wrong in ("dog", "cat", "dog#3", "3-99"):
        with pytest.raises(ValueError, match=r"times; mark one|no part"):
            as_span(SAID, wrong)


def test_several_nouns_are_found_as_each_alone_and_baselines_do_not_read(
    untrained: Path, video: Video
):
    nouns = [(SAID, (8, 11)), (SAID, (29, 32))]
    grounder = RfVngGrounder(untrained)
    together = grounder.ground_all(video, nouns)
    alone = [RfVngGrounder(untrained).ground(video, *noun) for noun in nouns]
    for a, b in zip(together, alone, strict=True):
        assert a.probabilities.shape[0] == video.n_frames
        assert np.allclose(a.probabilities, b.probabilities, atol=1e-5)
        assert a.mask(0).shape == (70, 110)
    assert not np.allclose(together[0].probabilities, together[1].probabilities)
    name = grounder.ground_all(video, nouns, reads="name-only")
    assert np.allclose(name[0].probabilities, name[1].probabilities)
    other = grounder.ground_all(video, [*nouns, ("A cat", (2, 5))], reads="salient")
    assert np.allclose(other[0].probabilities, other[2].probabilities)
    assert not np.allclose(name[0].probabilities, other[0].probabilities)


def test_the_certainty_of_a_mask_is_its_expected_iou():
    soft = np.zeros((3, 2, 4), np.float32)
    soft[1, 0] = [0.9, 0.7, 0.2, 0.0]
    soft[2, 0] = [0.9, 0.9, 0.9, 0.9]
    found = Grounding(soft, np.array([0.9, 0.8, 0.3], np.float32), (8, 16))
    assert found.certainty() == pytest.approx([0, 0.8 * 1.6 / 2.2, 0])
    assert found.best == 1
    assert found.mask(2).sum() == 0  # probable, and yet not shown
    assert replace(found, shown=np.zeros(3, np.float32)).best is None


def test_the_best_frame_has_a_mask_at_the_size_of_the_video():
    soft = np.zeros((2, 4, 4), np.float32)
    soft[0, 1, 1] = 0.55  # gone between pixels, once it is enlarged
    assert Grounding(soft, np.ones(2, np.float32), (16, 16)).best is None
    soft[1, 1:3, 1:3] = 0.52
    found = Grounding(soft, np.array([1, 0.6], np.float32), (16, 16))
    assert found.certainty().argmax() == 0
    assert found.best == 1


def test_pairs_that_are_never_seen_together_do_not_tell_of_swaps():
    left, right = np.zeros((2, 6, 8), bool)
    left[:, :4] = right[:, 4:] = True
    nouns = (Expression("0", 0, (4, 7), "1"), Expression("1", 0, (12, 15), "2"))
    found = [Grounding(m[None].repeat(2, 0).astype(np.float32), np.ones(2), (6, 8))
             for m in (left, right)]  # fmt: skip

    def swaps(first: int, second: int) -> list[bool]:
        masks = {"1": {first: to_coco(left)}, "2": {second: to_coco(right)}}
        of = VngVideo("a", ("0", "1"), (("x", "the dog and cat"),), nouns, masks)
        return _swaps(of, found)

    assert swaps(0, 1) == []
    assert swaps(1, 1) == [True]


def test_intervals_are_over_videos():
    alike = [np.full(3, 0.5), np.full(1, 0.5)]
    assert interval(alike) == (0.5, 0.5)
    low, high = interval([np.full(2, x) for x in np.linspace(0, 1, 40)])
    assert 0.3 < low < 0.5 < high < 0.7
    assert interval([np.ones(3)]) == (None, None)


class _Known:
    """Finds what it was told, on frame 2."""

    def __init__(self, mask: np.ndarray | None) -> None:
        self.mask = mask

    def ground(self, video: Video, caption: str, span: tuple[int, int]) -> Grounding:
        soft = np.zeros((video.n_frames, video.height, video.width), np.float32)
        if self.mask is not None:
            soft[1], soft[2] = 0.6 * self.mask, 0.9 * self.mask
        shown = np.ones(video.n_frames, np.float32)
        return Grounding(soft, shown, (video.height, video.width))


@pytest.fixture
def mask(video: Video) -> np.ndarray:
    mask = np.zeros((video.height, video.width), bool)
    mask[10:30, 20:50] = True
    return mask


def _session(video: Video, path: Path) -> Session:
    return Session(video, path=path, propagator="flow", predictor="classical")


def test_a_noun_becomes_an_object_on_its_best_frame(video: Video, mask: np.ndarray, tmp_path: Path):
    session = _session(video, tmp_path / "s.evavos")
    first = session.add_object("drawn")
    session.annotate(2, np.pad(np.ones((9, 9), bool), ((0, 61), (0, 101))), objects=[first])
    added = ground(session, SAID, (29, 32), grounder=_Known(mask))  # type: ignore[arg-type]
    assert (added.object, added.frame) == (2, 2)
    assert [o.name for o in session.objects] == ["drawn", "dog"]
    assert np.array_equal(session.masks[2] == 2, mask)
    assert (session.masks[2] == 1).sum() == 81  # the other object keeps what it had
    assert added.trust == pytest.approx(0.9, abs=1e-3)
    with pytest.raises(LookupError, match="no frame shows the 'dog'"):
        ground(session, SAID, (29, 32), grounder=_Known(None))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no part"):
        ground(session, SAID, (29, 99), grounder=_Known(mask))  # type: ignore[arg-type]
    assert len(session.objects) == 2
    session.undo()
    session.undo()
    assert [o.name for o in session.objects] == ["drawn"]


def test_a_noun_takes_nothing_from_what_is_annotated(
    video: Video, mask: np.ndarray, tmp_path: Path
):
    session = _session(video, tmp_path / "s.evavos")
    drawn = session.add_object("drawn")
    session.annotate(2, mask, objects=[drawn])
    known: Any = _Known(mask)
    assert ground(session, SAID, (29, 32), grounder=known).frame == 1  # on 2 it is the drawn one
    assert np.array_equal(session.masks[2] == drawn, mask)
    assert not session.annotations[2].present - {drawn}
    before = session.masks[1].copy()
    with pytest.raises(LookupError, match="where 'dog' is found, other objects are annotated"):
        ground(session, SAID, (29, 32), grounder=known)
    assert len(session.objects) == 2
    assert np.array_equal(session.masks[1], before)


def test_a_noun_keeps_what_is_free_beside_locked_objects(
    video: Video, mask: np.ndarray, tmp_path: Path
):
    session = _session(video, tmp_path / "s.evavos")
    safe = session.add_object("safe")
    corner = np.zeros_like(mask)
    corner[:15, :30] = True
    session.annotate(2, corner, objects=[safe])
    session.update_object(safe, locked=True)
    known: Any = _Known(mask)
    added = ground(session, SAID, (29, 32), grounder=known)
    assert added.frame == 2
    assert np.array_equal(session.masks[2] == added.object, mask & ~corner)
    assert np.array_equal(session.masks[2] == safe, corner)


def test_a_click_on_a_word_adds_what_it_means(video: Video, mask: np.ndarray, tmp_path: Path):
    session = _session(video, tmp_path / "s.evavos")
    box = CaptionBox(session, SAID, grounder=_Known(mask))  # type: ignore[arg-type]
    assert [b.description for b in box.words] == SAID.rstrip(".").split()
    box.words[-1].click()
    assert box.found[0].frame == 2
    assert [o.name for o in session.objects] == ["dog"]
    box.caption = "A cat"
    assert [b.description for b in box.words] == ["A", "cat"]
    session.close()
    assert box.mark((2, 5)) is None
    assert "closed" in box._told.value
    empty = CaptionBox(session, "A cat", grounder=_Known(None))  # type: ignore[arg-type]
    assert empty.mark((2, 5)) is None
    assert len(session.objects) == 1


def test_the_command_writes_masks_and_scores_are_those_of_the_benchmark(
    untrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    write_narrated(
        tmp_path / "set", embedded_cast(), [0, 1], n_frames=2, height=80, width=144,
        report=lambda _: None,
    )  # fmt: skip
    result = evaluate_grounding(
        tmp_path / "set", untrained, predictions=tmp_path / "found", report=lambda _: None
    )
    for method in ("rf-vng", "name-only", "salient"):
        again = evaluate_vng(tmp_path / "set", tmp_path / "found" / method, lambda _: None)
        assert result[method]["jf"] == pytest.approx(again["jf"])
    write_narrated(
        tmp_path / "one", embedded_cast(), [0], n_frames=2, height=80, width=144,
        report=lambda _: None,
    )  # fmt: skip
    scores = tmp_path / "scores.json"
    command = ["vng", "evaluate", "--data", str(tmp_path / "one"), "--weights", str(untrained)]
    capsys.readouterr()
    assert cli.main([*command, "--methods", "salient", "--json", str(scores)]) == 0
    assert "nan" not in capsys.readouterr().out
    assert json.loads(scores.read_text(), parse_constant=pytest.fail)["salient"]["interval"] == [
        None, None
    ]  # fmt: skip
    frames = tmp_path / "set" / "JPEGImages" / "narrated-00000"
    given = ["vng", "ground", "--video", str(frames), "--weights", str(untrained)]
    out = tmp_path / "out"
    assert cli.main([*given, "--caption", SAID, "--noun", "dog#1", "--out", str(out)]) == 0
    assert len(list(out.glob("000/*.png"))) == 2
    said = [*given, "--caption", SAID, "--noun", "dog", "--out"]
    assert cli.main([*said, str(out)]) == 1
    assert "not empty" in capsys.readouterr().err
    assert cli.main([*said, str(tmp_path / "other")]) == 1
    assert "mark one" in capsys.readouterr().err


def test_weights_that_are_none_are_refused(untrained: Path, video: Video, tmp_path: Path):
    with pytest.raises(WeightsError, match="no weights at"):
        RfVngGrounder(tmp_path / "none.safetensors")
    with pytest.raises(ValueError, match="nothing reads 'all'"):
        RfVngGrounder(untrained).ground_all(video, [(SAID, (8, 11))], reads="all")


def test_what_ships_is_small_and_swapping_the_noun_swaps_the_object():
    """On things, backgrounds and photographs that training had none of."""
    assert find("rf-vng").stat().st_size < 6e6
    grounder, kept = RfVngGrounder(), []
    for seed in range(4):
        clip = render_narrated(embedded_cast(), seed, n_frames=6, by="place")
        clip_video = Video.open(clip.frames, name=f"clip {seed}")
        said = clip.narratives[0]
        found = grounder.ground_all(clip_video, [(said.text, span) for span in said.spans])
        for i, grounding in enumerate(found, 1):
            overlaps = [
                sum((grounding.mask(f) & (clip.labels[f] == j)).sum() for f in range(6))
                for j in range(1, len(found) + 1)
            ]
            kept.append(int(np.argmax(overlaps)) + 1 == i)
    assert np.mean(kept) > 0.7

"""Sets for Video Narrative Grounding: round trip, and scores against brute force."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from evavos_widget import cli
from evavos_widget.evaluation.vng import evaluate_vng
from evavos_widget.formats.vidln import Localisation, Narrative, Narratives
from evavos_widget.formats.vng import EXPRESSIONS, MASKS, VngVideo, of_narratives, read, write
from evavos_widget.masks import read_label_png, write_label_png
from evavos_widget.metrics import boundary_f

SAID = "Two dogs: a Hündin and a dog \U0001f415."


def narratives(name: str) -> Narratives:
    actors = tuple(
        Narrative(actor, said, (), (), 0, ())
        for actor, said in (("dog", SAID), ("background", "A"))
    )
    return Narratives(1, "Oops", name, ("00000",), actors)


def noun(start: int, stop: int) -> Localisation:
    return Localisation(SAID[start:stop], (start, stop), 0, 0, "00000", (), 0.0)


def make(name: str, seed: int) -> tuple[VngVideo, list[dict[int, np.ndarray]]]:
    """Four frames of which some have masks; the nouns overlap, one is absent, one is tiny."""
    random = np.random.default_rng(seed)
    large = {f: random.random((30, 40)) < 0.6 for f in (0, 1, 3)}
    tiny = {f: np.zeros((30, 40), bool) for f in (0, 2)}
    tiny[2][5:7, 5:8] = True
    frames = [f"{i:05d}" for i in range(4)]
    found = [(noun(12, 18), large), (noun(25, 28), tiny)]
    return of_narratives(narratives(name), frames, found), [large, tiny]


def test_a_set_comes_back_as_it_was_written(tmp_path: Path) -> None:
    made = [make("one", 0), make("two", 1)]
    write([video for video, _ in made], tmp_path)
    for (video, masks), again in zip(made, read(tmp_path), strict=True):
        assert (again.name, again.frames) == (video.name, video.frames)
        assert again.narratives == video.narratives
        assert again.expressions == video.expressions
        assert [again.noun(e) for e in again.expressions] == ["Hündin", "dog"]
        for expression, drawn in zip(again.expressions, masks, strict=True):
            assert again.annotated(expression) == sorted(drawn)
            for frame in range(4):
                found = again.mask(expression, frame)
                if frame in drawn:
                    assert found is not None
                    assert np.array_equal(found, drawn[frame])
                else:
                    assert found is None
    told = json.loads((tmp_path / EXPRESSIONS).read_text())["videos"]["one"]["expressions"]["0"]
    assert told == {
        "narrative_actor_idx": 0,
        "noun_phrase_start_idx": 12,
        "noun_phrase_end_idx": 18,
        "obj_id": "1",
    }


@pytest.fixture
def predicted(tmp_path: Path) -> Path:
    random = np.random.default_rng(9)
    for name, seed in (("one", 0), ("two", 1)):
        video, masks = make(name, seed)
        for expression, drawn in zip(video.expressions, masks, strict=True):
            folder = tmp_path / "predictions" / name / expression.id
            folder.mkdir(parents=True)
            for frame, mask in drawn.items():
                flipped = mask ^ (random.random(mask.shape) < 0.1)
                guess = mask if frame == 0 else flipped
                write_label_png(folder / f"{frame:05d}.png", guess.astype(np.uint8))
    write([make("one", 0)[0], make("two", 1)[0]], tmp_path / "set")
    return tmp_path


def test_scores_are_those_of_brute_force_and_no_frame_is_dropped(predicted: Path) -> None:
    result = evaluate_vng(predicted / "set", predicted / "predictions", lambda line: None)
    every = []
    for name, seed in (("one", 0), ("two", 1)):
        video, masks = make(name, seed)
        for expression, drawn in zip(video.expressions, masks, strict=True):
            js, fs = [], []
            for frame, mask in drawn.items():
                file = predicted / "predictions" / name / expression.id / f"{frame:05d}.png"
                guess = read_label_png(file) != 0
                either = (guess | mask).sum()
                js.append((guess & mask).sum() / either if either else 1.0)
                fs.append(boundary_f(guess, mask))
            each = result["expressions"][f"{name}/{expression.id}"]
            assert each["j"] == pytest.approx(np.mean(js))
            assert each["f"] == pytest.approx(np.mean(fs))
            every.append((np.mean(js), np.mean(fs)))
    assert result["frames"] == 10
    j, f = np.mean(every, axis=0)
    assert (result["j"], result["f"]) == (pytest.approx(j), pytest.approx(f))
    assert result["jf"] == pytest.approx((j + f) / 2)


def test_what_is_missing_or_of_another_size_is_named(predicted: Path) -> None:
    file = predicted / "predictions" / "one" / "1" / "00002.png"
    write_label_png(file, np.zeros((10, 40), np.uint8))
    with pytest.raises(ValueError, match="40 x 10 and the mask 40 x 30"):
        evaluate_vng(predicted / "set", predicted / "predictions")
    file.unlink()
    with pytest.raises(FileNotFoundError, match=r"00002\.png is missing"):
        evaluate_vng(predicted / "set", predicted / "predictions")


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        (EXPRESSIONS, '"narrative_actor_idx": 0', '"narrative_actor_idx": 7', "narrative 7"),
        (EXPRESSIONS, '"noun_phrase_end_idx": 18', '"noun_phrase_end_idx": 99', "no part"),
        (EXPRESSIONS, '"obj_id": "1"', '"obj_id": "5"', "has no masks"),
        (EXPRESSIONS, '"frames"', '"pictures"', "KeyError"),
        (MASKS, '"annotations"', '"other"', "KeyError"),
        (EXPRESSIONS, '"one"', '"../one"', "cannot be the name"),
        (EXPRESSIONS, '"00001"', '"/tmp/00001"', "cannot be the name"),
        (EXPRESSIONS, '"1": {', '"../1": {', "cannot be the name"),
    ],
)
def test_damaged_sets_are_named(tmp_path: Path, file: str, old: str, new: str, told: str) -> None:
    write([make("one", 0)[0]], tmp_path)
    text = (tmp_path / file).read_text()
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=f"holds no set.*{told}"):
        read(tmp_path)


def test_names_that_lead_elsewhere_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        write([make("../one", 0)[0]], tmp_path)
    with pytest.raises(ValueError, match="twice"):
        write([make("one", 0)[0], make("one", 1)[0]], tmp_path)


def test_the_command_line(predicted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = predicted / "scores.json"
    given = ["--data", str(predicted / "set"), "--predictions", str(predicted / "predictions")]
    assert cli.main(["evaluate", "vng", *given, "--json", str(out)]) == 0
    assert "4 nouns" in capsys.readouterr().out
    assert json.loads(out.read_text())["frames"] == 10


def test_a_byte_order_mark_is_read_over_and_an_object_that_is_there_twice_is_named(
    tmp_path: Path,
) -> None:
    write([make("one", 0)[0]], tmp_path)
    for name in (EXPRESSIONS, MASKS):
        (tmp_path / name).write_text("\ufeff" + (tmp_path / name).read_text(), encoding="utf-8")
    assert len(read(tmp_path)[0].expressions) == 2
    coded = json.loads((tmp_path / MASKS).read_text(encoding="utf-8-sig"))
    coded["annotations"].append({**coded["annotations"][0], "id": 1})
    (tmp_path / MASKS).write_text(json.dumps(coded))
    with pytest.raises(ValueError, match="object 1 of 'one' is there twice"):
        read(tmp_path)

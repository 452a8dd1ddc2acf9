"""Training RF-VNG: samples are what the set says, and a run that was killed goes on as it would."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from evavos_widget import cli
from evavos_widget.datasets.narrated import embedded_cast
from evavos_widget.datasets.narrated_set import write_narrated
from evavos_widget.networks.words import caption_pieces, word_pieces
from evavos_widget.training import vng, vng_samples
from evavos_widget.training.vng_samples import SIZE, NounSamples


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two short videos whose objects are told apart by their place."""
    root = tmp_path_factory.mktemp("vng")
    write_narrated(
        root / "set",
        embedded_cast(),
        [0, 1],
        n_frames=3,
        height=80,
        width=144,
        by=("place",),
        report=lambda _: None,
    )
    return root


@pytest.fixture
def always_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vng_samples, "NAME_ONLY", 0.0)
    monkeypatch.setattr(vng_samples, "NOTHING", 0.0)


def _row(word: str) -> np.ndarray:
    return caption_pieces(word, (0, len(word)))[0][0]


@pytest.mark.usefixtures("always_told")
def test_what_is_said_to_be_left_is_left_in_the_mirror_too(made: Path):
    samples = NounSamples(made / "set", made / "features", 2)
    told = {"left": 0, "right": 0}
    for number in range(40):
        sample = samples[number, 0.0]
        assert sample["cells"].shape == (2, 128, SIZE[0] // 8, SIZE[1] // 8)
        assert sample["masks"].shape == (3, 2, SIZE[0] // 4, SIZE[1] // 4)
        for pieces, marked, boxes in zip(
            sample["pieces"], sample["marked"], sample["boxes"], strict=True
        ):
            at = int(np.flatnonzero(marked)[0])
            beside = pieces[max(0, at - 1) : at]
            for word, sign in (("left", -1), ("right", 1)):
                if len(beside) and (beside[0] == _row(word)).all():  # "the left dog"
                    told[word] += 1
                    assert (sign * (boxes[:, 0] - 0.5) > 0).all()
    assert min(told.values()) > 3


def test_boxes_are_around_masks():
    masks = np.zeros((1, 2, 10, 20), np.float32)
    masks[0, 0, 2:6, 5:15] = 1
    boxes = vng_samples._boxes(masks)
    assert boxes[0, 0] == pytest.approx([0.5, 0.4, 0.5, 0.4])
    assert boxes[0, 1].tolist() == [0, 0, 0, 0]


def test_nothing_told_means_the_largest_object(made: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(vng_samples, "NOTHING", 1.0)
    sample = NounSamples(made / "set", made / "features", 3)[0, 0.0]
    assert not sample["marked"].any()
    assert not sample["pieces"].any()
    assert (sample["masks"] == sample["masks"][:1]).all()
    monkeypatch.setattr(vng_samples, "NOTHING", 0.0)
    monkeypatch.setattr(vng_samples, "NAME_ONLY", 1.0)
    sample = NounSamples(made / "set", made / "features", 3)[0, 0.0]
    assert (sample["marked"].sum(-1) == 1).all()
    assert word_pieces("cat")[0] > 0


def _options(made: Path, out: Path) -> list[str]:
    return [
        "--data", str(made / "set"), "--features", str(made / "features"), "--out", str(out),
        "--steps", "4", "--batch", "2", "--frames", "2", "--nouns", "2",
        "--checkpoint-minutes", "0",
    ]  # fmt: skip


def _weights(out: Path) -> dict[str, torch.Tensor]:
    state = torch.load(out / "state.pt", weights_only=True)
    assert state["step"] == 4
    return state["average"]


def test_a_run_that_was_stopped_ends_with_the_same_weights(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert cli.main(["vng", "train", *_options(made, tmp_path / "whole")]) == 0

    forward, calls = vng.NounObjective.forward, []

    def interrupted(self, *given):
        calls.append(None)
        if len(calls) == 3:
            raise OSError("the disk is full.")
        return forward(self, *given)

    monkeypatch.setattr(vng.NounObjective, "forward", interrupted)
    parts = _options(made, tmp_path / "parts")
    assert cli.main(["vng", "train", *parts]) == 1
    assert cli.main(["vng", "train", *parts]) == 1  # there is a state, and no --resume
    assert cli.main(["vng", "train", *parts, "--resume"]) == 0
    whole, again = _weights(tmp_path / "whole"), _weights(tmp_path / "parts")
    assert all(torch.equal(value, again[name]) for name, value in whole.items())
    file = next((tmp_path / "whole").glob("rf-vng-*.safetensors"))
    assert set(load_file(file)) == set(whole)


def test_a_set_without_masks_teaches_nothing(tmp_path: Path):
    (tmp_path / "meta_expressions.json").write_text('{"videos": {}}')
    (tmp_path / "extra_masks.json").write_text('{"annotations": []}')
    with pytest.raises(ValueError, match="nothing to learn from"):
        NounSamples(tmp_path, tmp_path / "features", 2)


def test_a_package_that_is_missing_is_named_with_what_brings_it(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    options = ["--data", str(made / "set"), "--out", str(tmp_path / "run"), "--minutes", "1"]
    assert cli.main(["vng", "train", *options, "--frames", "1"]) == 1
    told = capsys.readouterr().err
    assert "training: lightning_fabric is needed; run: pip install 'evavos-widget[train]'" in told


@pytest.mark.parametrize("option", ["--frames", "--nouns", "--batch"])
def test_numbers_out_of_range_are_refused_before_anything_is_written(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    command = ["vng", "train", "--data", str(tmp_path), "--out", str(out)]
    assert cli.main([*command, option, "0"]) == 1
    assert f"{option} is 0; give a whole number, 1 or more" in capsys.readouterr().err
    assert not out.exists()
    assert cli.main([*command, option, "1"]) == 1  # a single picture is good, but there is no set
    assert option not in capsys.readouterr().err

from __future__ import annotations

import numpy as np
import pytest

from evavos_widget.cli import main
from evavos_widget.masks import read_label_png
from evavos_widget.session import Session
from evavos_widget.video import Video


@pytest.fixture
def session_folder(tmp_path):
    """A closed session of a video on disk, annotated on one frame and not yet propagated."""
    import cv2

    frames = np.random.default_rng(0).integers(0, 255, (4, 32, 40, 3), dtype=np.uint8)
    (tmp_path / "clip").mkdir()
    for i, frame in enumerate(frames):
        cv2.imwrite(str(tmp_path / f"clip/{i:05d}.png"), frame)
    mask = np.zeros((32, 40), bool)
    mask[8:20, 10:30] = True
    with Session(Video.open(tmp_path / "clip"), path=tmp_path / "clip.evavos") as session:
        session.annotate(0, mask, objects=[session.add_object()])
    return tmp_path / "clip.evavos"


def test_export_propagates_what_waits_and_writes_the_masks(session_folder, tmp_path, capsys):
    assert main(["export", str(session_folder), "--output", str(tmp_path / "masks")]) == 0
    assert "3 frames wait" in capsys.readouterr().out
    pictures = sorted((tmp_path / "masks").rglob("*.png"))
    assert len(pictures) == 4
    assert (read_label_png(pictures[0]) > 0).sum() == 240


def test_export_does_not_overwrite_unasked(session_folder, tmp_path, capsys):
    arguments = ["export", str(session_folder), "--output", str(tmp_path / "masks")]
    assert main(arguments) == 0
    assert main(arguments) == 1
    assert "overwrite" in capsys.readouterr().err
    assert main([*arguments, "--overwrite"]) == 0


def test_export_of_nothing_says_what_to_give(tmp_path, capsys):
    assert main(["export", str(tmp_path / "none")]) == 1
    assert "journal.jsonl" in capsys.readouterr().err


def test_lab_without_the_notebook_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["lab"]) == 1
    assert "examples/01_annotate.ipynb" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        "compact",
        "compact --free-data-only",
        "compact --supervision masks --clips stills --init free",
        "dynamite",
    ],
)
def test_training_on_a_folder_without_photographs_says_what_it_has_to_hold(
    command, tmp_path, capsys
):
    (tmp_path / "data").mkdir()
    folders = ["--data", str(tmp_path / "data"), "--out", str(tmp_path / "out")]
    assert main(["train", *command.split(), *folders, "--steps", "1"]) == 1
    said = capsys.readouterr().err
    assert f"there are no photographs in {tmp_path / 'data' / 'stills'}; " in said
    assert "ccp, coco128seg or pets" in said

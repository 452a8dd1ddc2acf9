from __future__ import annotations

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from PIL import Image

from evavos_widget.cli import main
from evavos_widget.datasets.davis import write_sequence
from evavos_widget.datasets.embedded import embedded_clip
from evavos_widget.masks import read_label_png
from evavos_widget.notebook import plain_warnings
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


def test_what_is_worth_knowing_comes_as_a_plain_line(session_folder, tmp_path):
    command = [sys.executable, "-m", "evavos_widget", "export", str(session_folder)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert any(line.startswith("Note: the weights 'davis'") for line in done.stderr.splitlines())
    assert "UserWarning" not in done.stderr


def test_what_other_packages_warn_of_keeps_its_place_in_their_source():
    with plain_warnings():
        shown = warnings.formatwarning("old", FutureWarning, "torch/jit.py", 7, "f()")
    assert shown.startswith("torch/jit.py:7: FutureWarning: old")


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


@pytest.mark.parametrize("command", ["compact", "stcn-points --supervision masks --init scratch"])
@pytest.mark.parametrize(
    ("there", "said"),
    [
        ((), "there is no DAVIS-2016 in DATA/davis16, which would have DATA/davis16/ImageSets/"),
        (("davis16/ImageSets/train.txt",), "there is no folder DATA/davis16/JPEGImages; give"),
        (
            (
                "davis16/ImageSets/train.txt",
                "davis16/JPEGImages/480p/bear/00000.jpg",
                "davis16/Annotations/480p/bear/00001.png",
            ),
            "there is no mask of DATA/davis16/JPEGImages/480p/bear/00000.jpg in DATA/davis16/Ann",
        ),
    ],
    ids=["nothing", "a list", "a frame without mask"],
)
def test_training_on_videos_that_are_not_there_says_what_is_missing(
    command, there, said, tmp_path, capsys
):
    photograph = ["stills/pets/images/.DS_Store", "stills/pets/images/cat.jpg"]
    for name in (*photograph, "stills/pets/masks/cat.png", *there):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("txt"):
            (tmp_path / name).write_text("bear\n")
        else:
            Image.fromarray(np.ones((8, 8), np.uint8)).save(tmp_path / name, "PNG")
    folders = ["--data", str(tmp_path), "--out", str(tmp_path / "out"), "--steps", "1"]
    assert main(["train", *command.split(), *folders]) == 1
    assert said.replace("DATA", str(tmp_path)) in capsys.readouterr().err


def test_training_on_points_that_are_not_there_names_their_file(tmp_path, capsys):
    folders = ["--data", str(tmp_path), "--out", str(tmp_path / "out"), "--steps", "1"]
    points = ["--supervision", "points", "--points", str(tmp_path / "none.jsonl")]
    assert main(["train", "compact", "--init", "free", *points, *folders]) == 1
    assert f"there are no points at {tmp_path / 'none.jsonl'}; " in capsys.readouterr().err


def test_agents_collect_from_a_folder_without_masks_says_what_it_has_to_hold(tmp_path, capsys):
    where = ["--data", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main(["train", "collect", *where]) == 1
    said = capsys.readouterr().err
    assert f"there is no folder {tmp_path / 'Annotations'}; give the folder that holds JPEG" in said


@pytest.mark.parametrize(
    ("command", "module"),
    [
        ("train compact", "compact"),
        ("train collect", "agents.command"),
        ("vng train", "vng"),
    ],
)
def test_a_training_that_is_stopped_by_ctrl_c_says_so_and_no_more(
    command, module, monkeypatch, capsys
):
    def stopped(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"evavos_widget.training.{module}.main", stopped)
    assert main(command.split()) == 130
    assert capsys.readouterr().err == "evavos: stopped\n"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("experiment --config DATA/none.toml", "there is no file DATA/none.toml; give a TOML file"),
        ("experiment --costs DATA/none.toml", "there is no 'DATA/none.toml'; check the path"),
        ("experiment --out DATA/file", "'DATA/file' is there already and is no folder; give"),
        ("experiment --out DATA/file/x", "'DATA/file/x' lies in a file, where a folder is needed"),
        ("train compact --data DATA --out DATA/file", "'DATA/file' is there already and is no"),
        ("train qnet --length 0 --data DATA --out DATA/x", "length is 0; give a whole number, 1"),
        ("train qnet --data DATA --out DATA/file/x", "there is no record of a loop in DATA"),
    ],
)
def test_a_path_that_is_none_is_told_in_a_sentence(command, said, tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    clip = embedded_clip()
    write_sequence(tmp_path, clip, range(0, 60, 30))
    given = command.replace("DATA", str(tmp_path)).split()
    if given[0] == "experiment":
        given += ["--data", str(tmp_path), "--sequences", clip.name, "--rounds", "1"]
        given += [] if "--config" in given else ["--preset", "fig3b"]
        given += [] if "--out" in given else ["--out", str(tmp_path / "out")]
    assert main(given) == 1
    assert said.replace("DATA", str(tmp_path)) in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("command", ["models list", "lab --help"])
def test_whoever_reads_may_have_enough(command):
    """As `head` does; what is written fits in a buffer, and is lost at the end only."""
    given = [sys.executable, "-m", "evavos_widget", *command.split()]
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}
    with subprocess.Popen(
        given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=buffered
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, said = process.communicate()
    assert said.decode() == ""
    assert process.returncode == 141

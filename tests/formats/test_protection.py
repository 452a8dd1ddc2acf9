"""What an export replaces, and what a killed one leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evavos_widget.files import tidy
from evavos_widget.formats import FORMATS, export, import_masks
from evavos_widget.masks import LabelMaps, write_label_png
from evavos_widget.video import Video

OBJECTS = [{"id": 1, "name": "cat", "color": "#ff0000"}]
MASKS = LabelMaps.from_array(np.ones((3, 8, 10), np.uint8))


def frame_folder(folder: Path, suffix: str = ".png") -> Path:
    folder.mkdir(parents=True)
    for i in range(3):
        Image.new("RGB", (10, 8), (40 * i, 9, 0)).save(folder / f"{i:05d}{suffix}")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refused(video: Video, path: Path, match: str, format: str = "davis") -> None:
    before = contents(path if path.is_dir() else path.parent)
    with pytest.raises(FileExistsError, match=match):
        export(video, MASKS, OBJECTS, [], format, path, overwrite=True)
    assert contents(path if path.is_dir() else path.parent) == before


def test_the_videos_own_frames_are_never_replaced(tmp_path):
    folder = frame_folder(tmp_path / "root/clip")
    (tmp_path / "link").symlink_to(folder)
    for source in (folder, f"{folder}/*.png", list(folder.iterdir())[:1] * 3):
        video = Video.open(source)
        for path in (folder, tmp_path / "root", tmp_path / "link"):
            refused(video, path, "the video itself is read from")
            refused(video, path, "the video itself is read from", "youtube-vos")


def test_the_video_file_itself_is_never_replaced(tmp_path):
    import av

    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 10, 8, "yuv420p"
        for i in range(3):
            picture = np.full((8, 10, 3), 50 * i, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    refused(Video.open(path), path, "the video itself is read from", "overlay")


def test_other_peoples_pictures_and_masks_are_never_replaced(tmp_path):
    video = Video.open(frame_folder(tmp_path / "clip", ".jpg"))
    refused(video, frame_folder(tmp_path / "other"), "was not written by an export")
    masks = tmp_path / "masks"
    masks.mkdir()
    write_label_png(masks / "00000.png", MASKS[0])
    refused(video, masks, "was not written by an export")


@pytest.mark.parametrize("format", ["davis", "youtube-vos", "numpy", "coco", "youtube-vis"])
def test_masks_that_were_imported_are_never_replaced(tmp_path, format):
    video = Video.open(frame_folder(tmp_path / "clip", ".jpg"))
    path = export(video, MASKS, OBJECTS, [], format, tmp_path / "out")
    import_masks(path, video)
    refused(video, path, "masks were imported from", format)
    # Who opens the video anew replaces an export like any other.
    again = Video.open(tmp_path / "clip")
    assert export(again, MASKS, OBJECTS, [], format, path, overwrite=True) == path


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize(
    ("format", "name"),
    [
        ("numpy", "masks"),
        ("numpy", "Masks.npz"),
        ("coco", "verification.json"),
        ("youtube-vis", "verification"),
        ("davis", "masks.npz"),
        ("youtube-vos", "verification.json"),
        ("davis", ".lock"),
        ("davis", "journal.jsonl"),
    ],
)
def test_what_a_session_keeps_is_never_replaced_and_its_place_not_taken(
    tmp_path, format, name, overwrite
):
    video = Video.open(np.zeros((3, 8, 10, 3), np.uint8))
    (tmp_path / "s").mkdir()
    (tmp_path / "s/journal.jsonl").touch()
    (tmp_path / "link").symlink_to(tmp_path / "s")
    for folder in (tmp_path / "s", tmp_path / "link", tmp_path / "s/new/.."):
        with pytest.raises(FileExistsError, match=r"the session in .* choose another path"):
            export(video, MASKS, OBJECTS, [], format, folder / name, overwrite=overwrite)
    assert contents(tmp_path / "s") == {"journal.jsonl": b""}
    # Elsewhere a name is a name, and a session takes others beside its own.
    assert export(video, MASKS, OBJECTS, [], format, tmp_path / name).exists()
    assert export(video, MASKS, OBJECTS, [], format, tmp_path / "s" / f"my-{name}").exists()


def test_a_folder_does_not_take_the_place_of_a_link(tmp_path):
    video = Video.open(np.zeros((3, 8, 10, 3), np.uint8))
    real = export(video, MASKS, OBJECTS, [], "davis", tmp_path / "real")
    for name, target in (("link", real), ("nowhere", tmp_path / "gone")):
        (tmp_path / name).symlink_to(target)
        match = "is a link, and no folder" if target.exists() else "choose another path"
        with pytest.raises(FileExistsError, match=match):
            export(video, MASKS, OBJECTS, [], "davis", tmp_path / name, overwrite=True)
        assert (tmp_path / name).is_symlink()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "nowhere", "real"]
    assert len(contents(real)) == 3


@pytest.mark.parametrize("name", [".DS_Store", "Thumbs.db", "desktop.ini", "._00000.png"])
@pytest.mark.parametrize("format", ["davis", "youtube-vos"])
def test_what_file_managers_leave_is_not_in_the_way(tmp_path, format, name):
    video = Video.open(frame_folder(tmp_path / "clip", ".jpg"))
    path = export(video, MASKS, OBJECTS, [], format, tmp_path / "out")
    for folder in {p.parent for p in path.rglob("*.png")} | {path}:
        (folder / name).write_bytes(b"\0Bud1")
    (path / ".ipynb_checkpoints").mkdir()
    (path / ".ipynb_checkpoints" / "meta-checkpoint.json").write_text("{}")
    assert export(video, MASKS, OBJECTS, [], format, path, overwrite=True) == path
    assert not list(path.rglob(name))
    (path / "notes.txt").write_text("mine")
    refused(video, path, r"more than masks \(notes\.txt\)", format)


def test_a_name_that_leads_elsewhere_stays_in_the_export(tmp_path):
    for name in ("..", "../../up", "/etc/clip", "a/b", "..\\c", "", "C:\\x", "x\0y", "…" * 300):
        video = Video.open(np.zeros((3, 8, 10, 3), np.uint8), name=name)
        path = export(video, MASKS, OBJECTS, [], "youtube-vos", tmp_path / "t/out", overwrite=True)
        assert len(list((path / "Annotations").iterdir())) == 1
        assert len(import_masks(path, video)) == 3
    assert os.listdir(tmp_path) == ["t"]
    assert os.listdir(tmp_path / "t") == ["out"]


@pytest.mark.parametrize("format", ["davis", "numpy"])
def test_what_a_killed_export_leaves_goes_with_the_next(tmp_path, format):
    script = f"""
import time, numpy as np
from evavos_widget.formats import export
from evavos_widget.masks import LabelMaps
from evavos_widget.video import Video
video = Video.open(np.zeros((3, 8, 10, 3), np.uint8))
def step(done, total):
    print(done, flush=True)
    time.sleep(60)
masks = LabelMaps.empty(3, 8, 10)
export(video, masks, [], [], {format!r}, {str(tmp_path / "v.1")!r}, progress=step)
"""
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    child.wait()
    left = os.listdir(tmp_path)
    assert len(left) == 1
    assert ".new" in left[0]
    video = Video.open(np.zeros((3, 8, 10, 3), np.uint8))
    (tmp_path / ".v.2.0123456789ab.new").mkdir()  # of another export, which may be running
    path = export(video, MASKS, OBJECTS, [], format, tmp_path / "v.1")
    assert sorted(os.listdir(tmp_path)) == [".v.2.0123456789ab.new", path.name]
    tidy(tmp_path)
    assert os.listdir(tmp_path) == [path.name]


def test_a_folder_that_was_half_replaced_comes_back(tmp_path):
    video = Video.open(np.zeros((3, 8, 10, 3), np.uint8))
    path = export(video, MASKS, OBJECTS, [], "davis", tmp_path / "out")
    before = contents(path)
    path.rename(tmp_path / ".out.0123456789ab.old")  # killed between the two steps
    (tmp_path / ".out.0123456789ab.new").mkdir()
    tidy(tmp_path)
    assert os.listdir(tmp_path) == ["out"]
    assert contents(path) == before
    (tmp_path / ".out.0123456789ab.old").mkdir()  # killed after them
    tidy(tmp_path)
    assert contents(path) == before
    assert os.listdir(tmp_path) == ["out"]


def test_two_exports_to_one_place_wait_for_each_other(tmp_path):
    from threading import Thread

    video = Video.open(np.zeros((3, 8, 10, 3), np.uint8))

    def write() -> None:
        export(
            video,
            MASKS,
            OBJECTS,
            [],
            "davis",
            tmp_path / "out",
            overwrite=True,
            progress=lambda *_: time.sleep(0.01),
        )

    threads = [Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert os.listdir(tmp_path) == ["out"]
    assert len(os.listdir(tmp_path / "out")) == 3


def test_an_export_needs_no_cache_folder(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("EVAVOS_CACHE", str(tmp_path / "file" / "cache"))
    video = Video.open(np.zeros((3, 8, 10, 3), np.uint8))
    assert len(os.listdir(export(video, MASKS, OBJECTS, [], "davis", tmp_path / "out"))) == 3


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_says_what_it_makes(format):
    assert FORMATS[format].description

"""Which frame a mask belongs to."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evavos_widget.formats import export, import_masks
from evavos_widget.masks import LabelMaps
from evavos_widget.video import Video

N, HEIGHT, WIDTH = 12, 8, 10


def frame_folder(folder: Path, name: str = "{:05d}.jpg", start: int = 0) -> Path:
    folder.mkdir(parents=True)
    for i in range(N):
        frame = np.random.default_rng(i).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        Image.fromarray(frame).save(folder / name.format(i + start))
    return folder


def mask(value: int) -> Image.Image:
    return Image.fromarray(np.full((HEIGHT, WIDTH), value, np.uint8))


@pytest.mark.parametrize(
    ("frame", "name"),
    [
        ("{:05d}.jpg", "{:05d}_mask.png"),
        ("{:05d}.jpg", "{:05d}.jpg.png"),
        ("{:05d}.jpg", "mask_{:d}.png"),
        ("frame_{:04d}.png", "mask_{:04d}.png"),
        ("clip2_{:03d}.png", "clip2_{:03d}_mask1.png"),
        ("clip2_{:03d}.png", "seg7-{:d}.png"),
    ],
)
def test_masks_are_matched_by_the_one_number_that_varies(tmp_path, frame, name):
    video = Video.open(frame_folder(tmp_path / "clip", frame, start=1))
    masks = tmp_path / "masks"
    masks.mkdir()
    for number in (2, 9, 11):
        mask(number).save(masks / name.format(number))
    with pytest.warns(UserWarning, match="matched to the frames by their numbers"):
        found = import_masks(masks, video)
    assert {i: int(m[0, 0]) for i, m in found.items()} == {1: 2, 8: 9, 10: 11}
    # Counting from 0 beside frames that count from 1 fits nowhere.
    mask(3).save(masks / name.format(0))
    with pytest.raises(ValueError, match="belongs to no frame"):
        import_masks(masks, video)


def test_masks_beside_the_frames_are_found_there(tmp_path):
    folder = frame_folder(tmp_path / "clip", "{:05d}.png")
    for i in range(0, N, 2):
        mask(i + 1).save(folder / f"{i:05d}_mask.png")
    with pytest.warns(UserWarning, match="others look like masks"):
        video = Video.open(folder)
    assert len(video) == N
    with pytest.warns(UserWarning, match="by their numbers"):
        found = import_masks(folder, video)
    assert {i: int(m[0, 0]) for i, m in found.items()} == {i: i + 1 for i in range(0, N, 2)}


def test_two_masks_for_one_frame_are_refused(tmp_path):
    video = Video.open(frame_folder(tmp_path / "clip"))
    masks = tmp_path / "masks"
    masks.mkdir()
    mask(1).save(masks / "1.png")
    mask(1).save(masks / "00001.png")
    with pytest.raises(ValueError, match=r"several masks for one frame, 00001\.png and 1\.png"):
        import_masks(masks, video)


def test_names_that_differ_in_more_than_a_number_are_refused(tmp_path):
    video = Video.open(frame_folder(tmp_path / "clip", "f{:03d}.jpg"))
    masks = tmp_path / "masks"
    masks.mkdir()
    mask(1).save(masks / "a001.png")
    mask(1).save(masks / "b002.png")
    with pytest.raises(ValueError, match=r"a001\.png belongs to no frame.*f000 \.\.\. f011"):
        import_masks(masks, video)


def test_what_goes_out_comes_in_to_the_same_frames_however_they_were_given(tmp_path):
    import zipfile

    clip = frame_folder(tmp_path / "clip", start=1)
    with zipfile.ZipFile(tmp_path / "clip.zip", "w") as archive:
        for path in clip.iterdir():
            archive.write(path, f"in/{path.name}")
    labels = np.zeros((N, HEIGHT, WIDTH), np.uint8)
    for i in range(N):
        labels[i] = i + 1
    masks = LabelMaps.from_array(labels)
    sources = [
        clip,
        f"{clip}/*.jpg",
        f"{clip}/*",
        sorted(clip.iterdir()),
        f"file://{clip}",
        f"zip://in::{tmp_path}/clip.zip",
        f"zip://in/*.jpg::{tmp_path}/clip.zip",
    ]
    for k, source in enumerate(sources):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            video = Video.open(source)
        assert video.frame_names == tuple(f"{i:05d}" for i in range(1, N + 1)), source
        path = export(video, masks, [], [], "davis", tmp_path / f"out{k}")
        assert sorted(p.stem for p in path.iterdir()) == list(video.frame_names)
        assert LabelMaps.from_array(list(import_masks(path, video).values())) == masks

"""Which files are frames, what they are called, and that it stays so."""

from __future__ import annotations

import pickle
import shutil
import struct
import warnings
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from PIL import Image

from evavos_widget.files import is_plain_name, plain_name
from evavos_widget.video import Video

HEIGHT, WIDTH = 48, 64


@pytest.fixture(autouse=True)
def cache_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def picture(i: int) -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.dstack([3 * x + 9 * i, 4 * y, 0 * x + 31 * i]).astype(np.uint8)


def frame_folder(folder: Path, name: str = "{:05d}.jpg", n: int = 5, start: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        Image.fromarray(picture(i)).save(folder / name.format(i + start))
    return folder


def mask() -> Image.Image:
    return Image.fromarray((picture(0)[..., 0] > 99).astype(np.uint8))


# Names


def test_a_frame_that_arrives_later_changes_nothing(tmp_path: Path) -> None:
    clip = frame_folder(tmp_path / "clip", start=1)
    video = Video.open(clip)
    shutil.copy(clip / "00005.jpg", clip / "00000.jpg")
    shutil.copy(clip / "00005.jpg", clip / "00006.jpg")
    names = tuple(f"{i:05d}" for i in range(1, 6))
    assert video.frame_names == names
    assert video.frame_files == tuple(f"clip/{n}.jpg" for n in names)
    for source in (clip, f"{clip}/*.jpg", f"file://{clip}"):
        assert len(Video.open(source)) == 7
        again = Video.open(source, frame_names=names)
        assert again.frame_names == names
        assert again.fingerprint() == video.fingerprint()
    copy = pickle.loads(pickle.dumps(video))
    assert (copy.frame_names, copy.frame_files) == (names, video.frame_files)
    with pytest.raises(FileNotFoundError, match=r"1 of 2 frames .* 'clip', the first being '9'"):
        Video.open(clip, frame_names=["00001", "9"])


def test_masks_that_arrive_later_change_nothing(tmp_path: Path) -> None:
    clip = frame_folder(tmp_path / "clip", "f{}.png")
    video = Video.open(clip)
    mask().save(clip / "f2_mask.png")
    with pytest.warns(UserWarning, match="look like masks"):
        again = Video.open(clip, frame_names=video.frame_names)
    assert again.fingerprint() == video.fingerprint()


def test_frames_of_urls_have_the_names_of_their_files(tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    for path in frame_folder(tmp_path / "clip", "a{}.jpg", start=8).iterdir():
        memory.pipe(f"/named/clip/{path.name}", path.read_bytes())
    for url in ("memory://named/clip", "memory://named/clip/*.jpg"):
        video = Video.open(url)
        assert video.frame_names == ("a8", "a9", "a10", "a11", "a12")
        assert video.frame_files[2] == "clip/a10.jpg"
    video = Video.open(["memory://named/clip/a9.jpg", tmp_path / "clip/a12.jpg"])
    assert video.frame_names == ("a9", "a12")


def test_names_for_frames_that_have_none(tmp_path: Path) -> None:
    frames = np.stack([picture(i) for i in range(3)])
    assert Video.open(frames).frame_names == ("00000", "00001", "00002")
    assert Video.open(frames, frame_names=["a", "b", "c"]).frame_names == ("a", "b", "c")
    with pytest.raises(ValueError, match="2 names for 3 frames"):
        Video.open(frames, frame_names=["a", "b"])
    with pytest.raises(ValueError, match="a name twice"):
        Video.open(frames, frame_names=["a", "b", "a"])
    for name in ("..", "../x", "a/b", "a\\b", "", ".hidden", "a\0b", 3):
        with pytest.raises(ValueError, match="cannot be the name of a frame"):
            Video.open(frames, frame_names=["a", "b", name])


def test_files_of_one_name_are_numbered(tmp_path: Path) -> None:
    one, two = frame_folder(tmp_path / "one", n=1), frame_folder(tmp_path / "two", n=1)
    video = Video.open([one / "00000.jpg", two / "00000.jpg", one / "00000.jpg"])
    assert video.frame_names == ("00000", "00001", "00002")
    assert video.frame_files[1] == f"{tmp_path.name}/two/00000.jpg"


def test_a_pattern_below_a_folder_that_looks_like_one(tmp_path: Path) -> None:
    clip = frame_folder(tmp_path / "clip [1]*")
    assert len(Video.open(f"{clip}/*.jpg")) == 5
    (clip / "Thumbs.db").write_bytes(b"\0")
    assert len(Video.open(f"{clip}/*")) == 5


def test_names_that_stay_in_their_folder() -> None:
    for name in ("../up", "/etc/up", "a/up", "a\\up", "up/", " up"):
        assert plain_name(name) == "up"
    for name in ("..", "/", "", ".", "\\", "  "):
        assert plain_name(name) == "video"
    assert plain_name("<b>&\0:*") == "_b_&___"
    assert plain_name("ü.mp4") == "ü.mp4"
    assert is_plain_name("12:30 ü")
    assert len(plain_name("…" * 300).encode()) <= 120


# Frames and masks in one folder


@pytest.mark.parametrize(
    ("frames", "masks", "n_masks"),
    [
        ("{:05d}.jpg", "{:05d}.png", 5),
        ("{:05d}.jpg", "{:05d}.png", 1),
        ("{:05d}.png", "{:05d}_mask.png", 5),
        ("frame_{}.png", "mask_{}.png", 2),
        ("IMG_{}.JPG", "IMG_{}-gt.png", 5),
    ],
)
def test_masks_among_frames_are_left_out(
    tmp_path: Path, frames: str, masks: str, n_masks: int
) -> None:
    clip = frame_folder(tmp_path / "clip", frames)
    alone = Video.open(clip)
    for i in range(n_masks):
        mask().save(clip / masks.format(i))
    for source in (clip, f"{clip}/*"):
        with pytest.warns(UserWarning, match="several series of pictures"):
            video = Video.open(source)
        assert video.frame_files == alone.frame_files
        assert video.fingerprint() == alone.fingerprint()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pattern = frames.replace("{:05d}", "?????").replace("{}", "?")
        assert Video.open(f"{clip}/{pattern}").frame_files == alone.frame_files


def test_masks_called_by_names_without_numbers(tmp_path: Path) -> None:
    for name in ("cat", "dog", "cow"):
        Image.fromarray(picture(len(name))).save(tmp_path / f"{name}.jpg")
        mask().save(tmp_path / f"{name}.png")
    with pytest.warns(UserWarning, match="look like masks"):
        assert Video.open(tmp_path).frame_names == ("cat", "cow", "dog")


@pytest.mark.parametrize("other", ["{:05d}.png", "right_{}.jpg"])
def test_two_series_of_photographs_are_refused(tmp_path: Path, other: str) -> None:
    clip = frame_folder(tmp_path / "clip", "{:05d}.jpg" if "05d" in other else "left_{}.jpg")
    frame_folder(clip, other)
    with pytest.raises(ValueError, match=r"several series of pictures .* pattern such as"):
        Video.open(clip)


def test_frames_of_changing_names_are_one_video(tmp_path: Path) -> None:
    frame_folder(tmp_path, "a{}.png", 3)
    frame_folder(tmp_path, "b{}.png", 3, start=10)
    frame_folder(tmp_path, "take 2 - {}.JPG", 3, start=50)
    frame_folder(tmp_path, "a{}.jpg", 1, start=12)
    (tmp_path / "title.png").write_bytes((tmp_path / "a0.png").read_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(Video.open(tmp_path)) == 11


# What is inside of the files


def orientation(kind: int, count: int, value: bytes) -> bytes:
    entry = struct.pack("<HHI", 0x112, kind, count) + value.ljust(4, b"\0")
    return b"Exif\0\0II*\0\x08\0\0\0\x01\0" + entry + b"\0\0\0\0"


ODD = {
    "byte 1": orientation(1, 1, b"\1"),
    "byte 6": orientation(1, 1, b"\6"),
    "ascii 6": orientation(2, 2, b"6\0"),
    "short 0": orientation(3, 1, b"\0\0"),
    "short 9": orientation(3, 1, b"\x09\0"),
    "short 65535": orientation(3, 1, b"\xff\xff"),
    "elsewhere": orientation(5, 1, b"\xff\xff\xff\x7f"),
}


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_an_odd_orientation_is_ignored_with_a_notice(
    tmp_path: Path, what: str, suffix: str
) -> None:
    clip = tmp_path / "clip"
    clip.mkdir()
    for i in range(3):
        Image.fromarray(picture(i)).save(clip / f"{i}.{suffix}", exif=ODD[what], quality=95)
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        video = Video.open(clip)
    assert (video.height, video.width) == (HEIGHT, WIDTH)
    assert np.abs(video.frame(1).astype(int) - picture(1)).mean() < 6
    if what != "elsewhere":  # Pillow passes over what points out of the file
        assert len(video.warnings) == 1
        assert "and 2 more frames: its EXIF" in video.warnings[0]
        assert video.jpeg(0) != (clip / f"0.{suffix}").read_bytes()  # a browser may read it


@pytest.mark.parametrize("name", ["a.png", "a.gif", "a.webp", "a.tif", "a.tiff", "a.TIF"])
def test_every_picture_of_a_file_is_a_frame(tmp_path: Path, name: str) -> None:
    images = [Image.fromarray(picture(i)) for i in range(6)]
    options = {"lossless": True} if name == "a.webp" else {}
    images[0].save(tmp_path / name, save_all=True, append_images=images[1:], **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        video = Video.open(tmp_path / name)
    assert len(video) == 6
    for i in (5, 0, 3, 2, 5):
        difference = np.abs(video.frame(i).astype(int) - picture(i)).mean()
        assert difference < (9 if name == "a.gif" else 0.1), i
    assert video.frame_names[5] == "00005"


def test_pages_of_16_bits_and_of_other_sizes(tmp_path: Path) -> None:
    deep = [Image.fromarray(picture(i)[..., 0].astype(np.uint16) * 256) for i in range(3)]
    deep[0].save(tmp_path / "a.tif", save_all=True, append_images=deep[1:])
    assert np.array_equal(Video.open(tmp_path / "a.tif").frame(2)[..., 1], picture(2)[..., 0])
    pages = [Image.fromarray(picture(0)), Image.new("RGB", (9, 7))]
    pages[0].save(tmp_path / "b.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(ValueError, match=r"page 2 of .*b\.tif is 9 x 7, page 1 of .*b\.tif is 64"):
        Video.open(tmp_path / "b.tif")


@pytest.mark.parametrize("suffix", ["tif", "TIFF"])
def test_a_folder_of_tiff_is_a_video(tmp_path: Path, suffix: str) -> None:
    """What microscopes and ImageJ write, by whatever it is opened."""
    clip = frame_folder(tmp_path / "clip", "t{}." + suffix, 11)
    (clip / "._t3.tif").write_bytes(b"left by a file manager")
    for source in (clip, f"{clip}/*.{suffix}", f"file://{clip}", f"simplecache::file://{clip}"):
        video = Video.open(source)
        assert video.frame_names == tuple(f"t{i}" for i in range(11))
        assert np.array_equal(video.frame(10), picture(10))


def test_tiff_beside_frames_is_none(tmp_path: Path) -> None:
    """Masks, or the same frames as the camera gave them."""
    clip = frame_folder(tmp_path / "clip", "{:05d}.png")
    for i in range(5):
        Image.fromarray(255 - picture(i)).save(clip / f"{i:05d}.tif")
    video = Video.open(clip)
    assert len(video) == 5
    assert np.array_equal(video.frame(2), picture(2))


def test_stacks_in_a_folder_are_said(tmp_path: Path) -> None:
    clip = frame_folder(tmp_path / "clip", "{}.tif", 3)
    images = [Image.fromarray(picture(i)) for i in range(2)]
    images[0].save(clip / "1.tif", save_all=True, append_images=images[1:])
    with pytest.warns(
        UserWarning, match=r"1\.tif: the file holds several pages, of which the first"
    ):
        assert len(Video.open(clip)) == 3


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("kind", ["tif", "png", "pages", "array"])
def test_16_bits_that_are_hardly_used_are_said(tmp_path: Path, bits: int, kind: str) -> None:
    """A camera of 12 bits leaves the upper 4 empty, and its frames look black."""
    top = 2**bits - 1
    frames = [np.linspace(0, top, 24 * 32).reshape(24, 32).astype(np.uint16) for _ in range(3)]
    source: Any = tmp_path / "clip"
    if kind == "array":
        source = np.stack(frames)
    elif kind == "pages":
        source = tmp_path / "clip.tif"
        images = [Image.fromarray(frame) for frame in frames]
        images[0].save(source, save_all=True, append_images=images[1:])
    else:
        source.mkdir()
        for i, frame in enumerate(frames):
            Image.fromarray(frame).save(source / f"{i}.{kind}")
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        told = Video.open(source).warnings
    assert len(told) == (bits < 16)
    assert all(f"its brightest value is {top:,} of the 65,535" in sentence for sentence in told)


def test_an_animation_among_frames_is_said(tmp_path: Path) -> None:
    clip = frame_folder(tmp_path / "clip", "{}.png", 3)
    images = [Image.fromarray(picture(i)) for i in range(2)]
    images[0].save(clip / "1.png", save_all=True, append_images=images[1:])
    with pytest.warns(UserWarning, match=r"1\.png: the file holds an animation"):
        assert len(Video.open(clip)) == 3

from __future__ import annotations

import io
import os
import pickle
import threading
import warnings
from pathlib import Path

import cv2
import fsspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from evavos_widget.video import Video, list_pictures

HEIGHT, WIDTH = 12, 20
FRAME_BYTES = HEIGHT * WIDTH * 3


def clip(n: int = 5, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, height, width, 3), dtype=np.uint8)


def write_frames(folder: Path, frames: np.ndarray, suffix: str = ".png") -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"frame_{i}{suffix}" for i in range(len(frames))]
    for path, frame in zip(paths, frames, strict=True):
        Image.fromarray(frame).save(path)
    return paths


@pytest.fixture(autouse=True)
def cache_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


# Sources


def test_a_folder_opens_in_natural_order_without_hidden_files(tmp_path: Path) -> None:
    frames = clip(12)
    write_frames(tmp_path / "bear", frames)
    Image.fromarray(frames[0]).save(tmp_path / "bear" / ".hidden.png")
    (tmp_path / "bear" / "notes.txt").write_text("no frame")
    video = Video.open(str(tmp_path / "bear"))
    assert (video.n_frames, video.height, video.width) == frames.shape[:3]
    assert (video.name, video.fps, video.warnings) == ("bear", 24.0, ())
    assert all(np.array_equal(a, b) for a, b in zip(video, frames, strict=True))


def test_natural_order_where_names_mix_numbers_and_words(tmp_path: Path) -> None:
    for name in ("b.png", "10.png", "2.png", "a2b10.png", "a2b9.png", "02.png", "a.PNG"):
        (tmp_path / name).touch()
    assert [path.name for path in list_pictures(tmp_path)] == [
        "02.png",
        "2.png",
        "10.png",
        "a2b9.png",
        "a2b10.png",
        "a.PNG",
        "b.png",
    ]


def test_a_pattern_a_list_and_one_picture_open(tmp_path: Path) -> None:
    frames = clip(11)
    paths = write_frames(tmp_path / "bear", frames)
    pattern = Video.open(f"{tmp_path}/bear/frame_1*.png")
    assert np.array_equal(pattern.frame(1), frames[10])
    assert pattern.name == "bear"
    listed = Video.open([paths[3], str(paths[1])])
    assert np.array_equal(listed.frame(0), frames[3])
    assert listed.source == [str(paths[3]), str(paths[1])]
    assert len(Video.open(paths[2])) == 1


def test_a_video_opens_as_itself() -> None:
    video = Video.open(clip())
    assert Video.open(video) is video


@pytest.mark.parametrize(
    "make",
    [
        lambda frames: frames,
        lambda frames: frames / 255,
        lambda frames: (frames / 255).astype(np.float32),
        lambda frames: frames.astype(np.uint16) * 257,
    ],
    ids=["uint8", "float64", "float32", "uint16"],
)
def test_arrays_of_any_depth_give_the_same_frames(make) -> None:
    frames = clip()
    video = Video.open(make(frames), name="array")
    assert (video.name, video.source) == ("array", None)
    assert all(np.array_equal(a, b) for a, b in zip(video, frames, strict=True))
    grey = Video.open(make(frames[..., 0]))
    assert np.array_equal(grey.frame(2), np.stack([frames[2, ..., 0]] * 3, axis=-1))


def test_the_array_itself_stays_writeable() -> None:
    frames = clip()
    Video.open(frames).frame(0)
    frames[0] = 0


def test_urls_of_folders_patterns_and_lists(tmp_path: Path) -> None:
    frames = clip(11)
    memory = fsspec.filesystem("memory")
    for i, path in enumerate(write_frames(tmp_path / "bear", frames)):
        memory.pipe(f"/data/bear/frame_{i}.png", path.read_bytes())
    for url in ("memory://data/bear", "memory://data/bear/", "memory://data/bear/*.png"):
        video = Video.open(url)
        assert (len(video), video.name, video.source) == (11, "bear", url)
        assert np.array_equal(video.frame(10), frames[10])
    video = Video.open(["memory://data/bear/frame_4.png", tmp_path / "bear" / "frame_2.png"])
    assert np.array_equal(video.frame(0), frames[4])
    assert np.array_equal(video.frame(1), frames[2])
    assert np.array_equal(Video.open(f"file://{tmp_path}/bear").frame(3), frames[3])


def test_a_remote_file_is_copied_once_and_again_when_it_changed(tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    first, second = clip(1), clip(2)[1:]
    url = "memory://one/frame.png"
    for frames in (first, second):
        (path,) = write_frames(tmp_path / "bear", frames)
        memory.pipe("/one/frame.png", path.read_bytes())
        for _ in range(2):
            assert np.array_equal(Video.open(url).frame(0), frames[0])
    copies = {path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file()}
    assert path.read_bytes() in copies


def test_frames_inside_a_zip_file(tmp_path: Path) -> None:
    import zipfile

    frames = clip(3)
    with zipfile.ZipFile(tmp_path / "clip.zip", "w") as archive:
        for path in write_frames(tmp_path / "bear", frames):
            archive.write(path, f"bear/{path.name}")
    video = Video.open(f"zip://bear::{tmp_path}/clip.zip")
    assert np.array_equal(video.frame(2), frames[2])


# Pictures of every kind


def save_and_read(tmp_path: Path, image: Image.Image, name: str = "a.png", **options) -> np.ndarray:
    image.save(tmp_path / name, **options)
    frame = Video.open(tmp_path / name).frame(0)
    assert (frame.dtype, frame.ndim, frame.shape[2]) == (np.uint8, 3, 3)
    return frame


def test_grey_alpha_palette_and_deep_pictures_become_rgb(tmp_path: Path) -> None:
    rgb = clip(1)[0]
    grey = rgb[..., 0]
    as_rgb = np.stack([grey] * 3, axis=-1)
    alpha = np.full((HEIGHT, WIDTH), 9, np.uint8)
    assert np.array_equal(save_and_read(tmp_path, Image.fromarray(grey)), as_rgb)
    assert np.array_equal(save_and_read(tmp_path, Image.fromarray(np.dstack([rgb, alpha]))), rgb)
    assert np.array_equal(
        save_and_read(tmp_path, Image.fromarray(np.dstack([grey, alpha]))), as_rgb
    )
    deep = grey.astype(np.uint16) * 256 + 77
    assert np.array_equal(save_and_read(tmp_path, Image.fromarray(deep)), as_rgb)
    bits = Image.fromarray(grey > 99)
    assert np.array_equal(save_and_read(tmp_path, bits), (as_rgb > 99) * np.uint8(255))
    palette = Image.fromarray(rgb).quantize(16)
    expected = np.asarray(palette.convert("RGB"))
    assert np.array_equal(save_and_read(tmp_path, palette), expected)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = save_and_read(tmp_path, palette, transparency=bytes(range(16)))
    assert np.array_equal(frame, expected)
    cv2.imwrite(str(tmp_path / "rgb16.png"), rgb[..., ::-1].astype(np.uint16) * 257)
    assert np.array_equal(Video.open(tmp_path / "rgb16.png").frame(0), rgb)


def test_cmyk_jpeg_becomes_rgb(tmp_path: Path) -> None:
    cyan = Image.new("CMYK", (WIDTH, HEIGHT), (255, 0, 0, 0))
    frame = save_and_read(tmp_path, cyan, "a.jpg")
    assert np.abs(frame.astype(int) - [0, 255, 255]).max() < 8
    assert b"Adobe" not in Video.open(tmp_path / "a.jpg").jpeg(0)[:64]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int, name: str) -> None:
    shown = np.zeros((32, 48, 3), np.uint8)
    shown[:16, :16] = 250  # what the viewer must see: bright in the upper left, grey below
    shown[16:, :16] = 120
    store = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }
    stored = np.ascontiguousarray(store[orientation](shown))
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / name, exif=exif, subsampling=0)
    video = Video.open(tmp_path / name)
    assert (video.height, video.width) == shown.shape[:2]
    assert np.abs(video.frame(0).astype(int) - shown).max() < 8
    decoded = np.asarray(Image.open(io.BytesIO(video.jpeg(0))))
    assert np.abs(decoded.astype(int) - shown).max() < 8


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_the_bytes_of_a_jpeg_are_passed_through(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(clip(1)[0]).convert(mode).save(path, quality=40)
    video = Video.open(path)
    assert video.jpeg(0) == path.read_bytes()
    assert np.array_equal(video.frame(0), np.asarray(Image.open(path).convert("RGB")))


def test_other_frames_are_encoded_at_the_quality_asked_for() -> None:
    smooth = cv2.GaussianBlur(clip(1, 64, 64)[0], (0, 0), 3)
    video = Video.open(smooth[None])
    decoded = np.asarray(Image.open(io.BytesIO(video.jpeg(0, quality=95))))
    assert np.abs(decoded.astype(int) - smooth).mean() < 3
    assert len(video.jpeg(0, quality=20)) < len(video.jpeg(0)) < len(video.jpeg(0, quality=99))


# What is wrong with a source is said


def test_missing_sources_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file or folder .*nowhere; check"):
        Video.open(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"no picture .*nowhere\.png; check"):
        Video.open([tmp_path / "nowhere.png"])
    with pytest.raises(FileNotFoundError, match=r"nothing at memory://nowhere\.mp4; check"):
        Video.open("memory://nowhere.mp4")
    with pytest.raises(ValueError, match="no frames at memory://nowhere/bear; give"):
        Video.open("memory://nowhere/bear")


def test_sources_without_frames_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"folder {tmp_path} holds no frames; give"):
        Video.open(tmp_path)
    with pytest.raises(ValueError, match="list of frames is empty; give"):
        Video.open([])
    with pytest.raises(ValueError, match=r"\(0, 4, 5, 3\), which is 0 frames"):
        Video.open(np.zeros((0, 4, 5, 3), np.uint8))


def test_a_folder_of_mixed_sizes_names_the_first_that_differs(tmp_path: Path) -> None:
    paths = write_frames(tmp_path, clip(4))
    Image.new("RGB", (9, 7)).save(paths[2])
    with pytest.raises(ValueError, match=r"frame_2\.png is 9 x 7, .*frame_0\.png is 20 x 12; give"):
        Video.open(tmp_path)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("keep", [0, 30, 0.6])
def test_an_unreadable_frame_is_named_and_the_others_stay_usable(
    tmp_path: Path, suffix: str, keep: float
) -> None:
    paths = write_frames(tmp_path, clip(4), suffix)
    data = paths[2].read_bytes()
    paths[2].write_bytes(data[: int(keep * len(data)) if keep < 1 else int(keep)])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        video = Video.open(tmp_path)
    # What Python says of what another test left open, whenever it is found, is not of these.
    told = [str(w.message) for w in caught if w.category is not ResourceWarning]
    assert told == list(video.warnings)
    if keep != 0.6:  # a broken header is noticed at once
        assert "frame 2 cannot be read" in video.warnings[0]
    assert len(video) == 4
    for read in (video.frame, video.jpeg):
        with pytest.raises(OSError, match=rf"frame 2 cannot be read: {paths[2]}.*; replace"):
            read(2)
        for i in (0, 1, 3):
            read(i)
    video.fingerprint()


def test_a_folder_of_unreadable_frames_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("no picture")
    with pytest.raises(ValueError, match=r"none of the 1 frames can be read.*a\.jpg"):
        Video.open(tmp_path)


def test_a_frame_that_changed_size_after_opening_is_named(tmp_path: Path) -> None:
    paths = write_frames(tmp_path, clip(2))
    video = Video.open(tmp_path)
    Image.new("RGB", (9, 7)).save(paths[1])
    with pytest.raises(OSError, match=r"frame 1 is 9 x 7 in .*frame_1\.png"):
        video.frame(1)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 5), np.uint8), r"shape \(4, 5\); give"),
        (np.zeros((2, 3, 4, 5), np.uint8), r"shape \(2, 3, 4, 5\); give"),
        (np.zeros((24, 32, 3), np.uint8), r"which is one picture; .* give array\[None\]"),
        (np.zeros((2, 4, 5, 3), np.int64), "dtype int64; give"),
        (np.zeros((2, 4, 5), bool), "dtype bool; give"),
        (np.array([[[0.0]], [[np.nan]]]), "frame 1 of the video array is not finite"),
        (np.array([[[0.0]], [[np.inf]]]), "frame 1 of the video array is not finite"),
        (np.array([[[0.0]], [[200.0]]]), "frame 1 of the video array spans 200 to 200"),
    ],
)
def test_arrays_that_are_no_video_are_refused(array: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Video.open(array)


def test_other_sources_are_refused() -> None:
    with pytest.raises(TypeError, match="cannot be opened from int; give"):
        Video.open(3)
    with pytest.raises(TypeError, match=r"holds ndarray; .*numpy\.stack"):
        Video.open([clip(1)[0]])


@pytest.mark.parametrize("index", [-1, 5, 10**9])
def test_frames_out_of_range_are_refused(index: int) -> None:
    video = Video.open(clip(5))
    for read in (video.frame, video.jpeg):
        with pytest.raises(IndexError, match=rf"frame {index} .*0 to 4"):
            read(index)
    with pytest.raises(TypeError):
        video.frame(1.0)


def test_indexing_counts_from_the_end() -> None:
    frames = clip(5)
    video = Video.open(frames)
    assert np.array_equal(video[-1], frames[4])
    assert np.array_equal(video[np.int64(1)], frames[1])
    for index in (5, -6):
        with pytest.raises(IndexError, match=f"frame {index} "):
            video[index]


# Identity, life, memory


def test_the_fingerprint_tells_videos_apart_and_survives_reopening(tmp_path: Path) -> None:
    frames = clip()
    write_frames(tmp_path, frames)
    fingerprint = Video.open(tmp_path).fingerprint()
    assert fingerprint == Video.open(tmp_path).fingerprint()
    assert fingerprint == Video.open(frames).fingerprint()
    assert fingerprint != Video.open(frames[:-1]).fingerprint()
    assert fingerprint != Video.open(frames[::-1]).fingerprint()
    assert fingerprint != Video.open(frames.transpose(0, 2, 1, 3)).fingerprint()


def test_a_video_can_be_pickled_and_opened_from_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_frames(tmp_path / "bear", clip())
    monkeypatch.chdir(tmp_path)
    video = Video.open("bear", name="ours", cache_bytes=7)
    monkeypatch.chdir("/")
    assert os.path.isabs(video.source)
    copy = pickle.loads(pickle.dumps(video))
    assert (copy.name, copy.cache_bytes) == ("ours", 7)
    assert copy.fingerprint() == Video.open(video.source).fingerprint() == video.fingerprint()
    array = pickle.loads(pickle.dumps(Video.open(clip())))
    assert np.array_equal(array.frame(3), clip()[3])


def test_a_closed_video_says_so() -> None:
    with Video.open(clip(), name="bear") as video:
        video.frame(0)
    with pytest.raises(ValueError, match="'bear' is closed; open it again"):
        video.frame(0)
    video.close()


def test_frames_are_read_only(tmp_path: Path) -> None:
    write_frames(tmp_path / "png", clip(1))
    write_frames(tmp_path / "jpg", clip(1), ".jpg")
    for source in (tmp_path / "png", tmp_path / "jpg", clip(1), clip(1) / 255):
        with pytest.raises(ValueError, match="read-only"):
            Video.open(source).frame(0)[0, 0, 0] = 1


@given(
    n_cached=st.integers(0, 6),
    reads=st.lists(st.integers(0, 9), max_size=40),
)
def test_frames_in_memory_stay_within_the_bound(n_cached: int, reads: list[int]) -> None:
    frames = clip(10) / 255
    bound = n_cached * FRAME_BYTES + FRAME_BYTES // 2
    video = Video.open(frames, cache_bytes=bound)
    recent: list[int] = []
    for i in reads:
        before = video._cache.get(i)
        frame = video.frame(i)
        assert np.array_equal(frame, np.rint(frames[i] * 255))
        assert sum(f.nbytes for f in video._cache.values()) <= bound
        # The frames used last are the ones still there, as the same objects.
        assert (before is frame) == (i in recent)
        recent = ([*(r for r in recent if r != i), i])[-n_cached:] if n_cached else []
        assert list(video._cache) == recent


def test_many_threads_read_what_one_reads(tmp_path: Path) -> None:
    import av

    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24, options={"bf": "3", "g": "12"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in range(40):
            picture = np.full((48, 64, 3), 6 * i, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    expected = list(Video.open(path))
    video = Video.open(path, cache_bytes=5 * 48 * 64 * 3)
    wrong: list[object] = []

    def read(seed: int) -> None:
        try:
            for i in np.random.default_rng(seed).integers(len(video), size=60):
                if not np.array_equal(video.frame(i), expected[i]):
                    wrong.append(i)
                video.jpeg(i)
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_davis_frames_pass_through_and_match_pillow(davis_root: Path) -> None:
    folder = davis_root / "JPEGImages" / "480p" / "blackswan"
    video = Video.open(folder)
    assert repr(video) == "<Video 'blackswan': 50 frames of 854 x 480>"
    path = list_pictures(folder)[7]
    assert video.jpeg(7) == path.read_bytes()
    assert np.array_equal(video.frame(7), np.asarray(Image.open(path)))

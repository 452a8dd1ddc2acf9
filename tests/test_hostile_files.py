"""Files that are damaged or made to harm: one sentence each, and bounded memory."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_video_file import write_video

from evavos_widget.datasets.davis import open_sequence
from evavos_widget.formats import export, import_masks
from evavos_widget.masks import LabelMaps, read_label_png
from evavos_widget.video import Video

N, HEIGHT, WIDTH = 3, 48, 62
DAMAGES = int(os.environ.get("EVAVOS_DAMAGES", "40"))
"""Damaged copies of each file that are tried, three times as many of small ones; 400 were."""


def resident_kb(field: str) -> int:
    """A line of the process's status: resident memory now (VmRSS) or at its highest (VmHWM)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    raise LookupError(field)


@pytest.fixture(scope="module", autouse=True)
def memory_before() -> int:
    """Resident memory before these tests, in KB, where the highest begins to be counted anew.

    The same process has run whatever came before, and that may have taken more.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return resident_kb("VmRSS")
    except OSError:
        return 0


@pytest.fixture
def video() -> Video:
    return Video.open(np.zeros((N, HEIGHT, WIDTH, 3), np.uint8))


def one_sentence(error: BaseException, *names: str) -> None:
    text = str(error)
    assert any(name in text for name in names), text
    assert "\n" not in text
    assert len(text) < 700


def refused(action: Callable[[], object], *names: str) -> None:
    with pytest.raises((ValueError, OSError)) as caught:
        action()
    one_sentence(caught.value, *names)


def png_claiming(width: int, height: int, data: bytes = b"") -> bytes:
    """A grey PNG whose header says what it likes."""
    import struct

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", data or zlib.compress(bytes(100))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in parts
    )


# Bombs


@pytest.mark.parametrize("side", [20_000, 60_000, 2**31 - 1])
def test_a_mask_that_claims_to_be_huge_is_not_decoded(tmp_path: Path, video: Video, side: int):
    path = tmp_path / "00000.png"
    path.write_bytes(png_claiming(side, side))
    refused(lambda: import_masks(tmp_path, video)[0], "00000.png")
    refused(lambda: read_label_png(path), "00000.png")
    frames = tmp_path / "JPEGImages/a"
    frames.mkdir(parents=True)
    Image.new("RGB", (WIDTH, HEIGHT)).save(frames / "00000.jpg")
    labels = tmp_path / "Annotations/a"
    labels.mkdir(parents=True)
    path.rename(labels / "00000.png")
    refused(lambda: open_sequence(tmp_path, "a").ground_truth[0], "00000.png")


def npy_header(shape: tuple[int, ...], dtype: str = "|u1") -> bytes:
    header = io.BytesIO()
    fields = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, fields)
    return header.getvalue()


@pytest.mark.parametrize("suffix", ["npz", "npy"])
@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((2**60,), "|u1"),
        ((2**20, 2**20, 2**20), "|u1"),
        ((N, HEIGHT, 2**50), "|u1"),
        ((N, HEIGHT, WIDTH), "|O"),
        ((N, HEIGHT, WIDTH), "<U99999999"),
        ((N, HEIGHT, WIDTH), "<c16"),
        ((N, HEIGHT, WIDTH), "|u1"),  # and no data
        ((-1, HEIGHT, WIDTH), "|u1"),
    ],
)
def test_an_array_that_claims_to_be_huge_is_not_read(
    tmp_path: Path, video: Video, suffix: str, shape: tuple[int, ...], dtype: str
):
    path = tmp_path / f"m.{suffix}"
    content = npy_header(shape, dtype)
    if suffix == "npz":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("masks.npy", content)
    else:
        path.write_bytes(content)
    refused(lambda: dict(import_masks(path, video)), f"m.{suffix}")


def test_an_archive_that_expands_to_gigabytes_takes_no_memory(tmp_path: Path):
    """Of the right shape or of another: what is not needed is not expanded."""
    path = tmp_path / "bomb.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("masks.npy", "w", force_zip64=True) as entry,
    ):
        entry.write(npy_header((40, 5000, 5000)))
        for _ in range(40):
            entry.write(bytes(5000 * 5000))
    assert path.stat().st_size < 2**21
    script = f"""
import resource, numpy as np
from evavos_widget.formats import import_masks
from evavos_widget.video import Video
limit = 3 * 2**30  # of address space, of which the libraries take most
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    import_masks({str(path)!r}, Video.open(np.zeros((3, 48, 62, 3), np.uint8)))
except ValueError as error:
    assert "bomb.npz: the masks have shape (40, 5000, 5000)" in str(error), error
picture = np.broadcast_to(np.uint8(0), (40, 5000, 5000, 3))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = import_masks({str(path)!r}, Video.open(picture))
assert len(found) == 40
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
assert grown < 300_000, grown  # KB; the array itself would be 1,000,000
"""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_frames_that_claim_to_be_huge(tmp_path: Path, suffix: str):
    frames = tmp_path / "clip"
    frames.mkdir()
    (frames / f"0.{suffix}").write_bytes(png_claiming(2**31 - 1, 2**31 - 1))
    refused(lambda: Video.open(frames), f"0.{suffix}")
    # One that turns into a bomb after opening is not decoded either.
    Image.new("RGB", (WIDTH, HEIGHT)).save(frames / f"0.{suffix}")
    video = Video.open(frames)
    (frames / f"0.{suffix}").write_bytes(png_claiming(12_000, 12_000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        refused(lambda: video.frame(0), f"0.{suffix}")
        refused(lambda: video.jpeg(0), f"0.{suffix}")


# What is no file


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.mp4", "a.tif", "a.gif", "a.webp"])
@pytest.mark.parametrize("linked", [False, True])
def test_a_pipe_does_not_hang(tmp_path: Path, name: str, linked: bool):
    folder = tmp_path / "clip"
    folder.mkdir()
    place = tmp_path / "pipe" if linked else folder / name
    os.mkfifo(place)
    if linked:
        (folder / name).symlink_to(place)
    refused(lambda: Video.open(folder / name), name)
    refused(lambda: Video.open([folder / name]), name)
    refused(lambda: Video.open(folder), name, "clip")
    refused(lambda: Video.open(f"{folder}/*"), name, "clip")


@pytest.mark.parametrize("name", ["00000.png", "00000.jpg", "m.npz", "m.npy", "m.json"])
def test_masks_in_a_pipe_do_not_hang(tmp_path: Path, video: Video, name: str):
    folder = tmp_path / "masks"
    folder.mkdir()
    os.mkfifo(folder / name)
    refused(lambda: import_masks(folder / name, video), name)
    refused(lambda: import_masks(folder, video)[0], name, "masks")


def test_links_that_lead_nowhere_or_in_circles(tmp_path: Path, video: Video):
    folder = tmp_path / "clip"
    folder.mkdir()
    (folder / "0.jpg").symlink_to(tmp_path / "nowhere")
    (folder / "1.jpg").symlink_to(folder / "1.jpg")
    refused(lambda: Video.open(folder), "0.jpg")
    refused(lambda: Video.open(folder / "1.jpg"), "1.jpg")
    for name in ("0.png", "1.png"):
        (folder / name.replace("png", "jpg")).rename(folder / name)
    refused(lambda: import_masks(folder, video)[0], "0.png", "clip")
    (folder / "2.png").symlink_to("/dev/zero")
    refused(lambda: Video.open(folder / "2.png"), "2.png")


# Damage: the error is a sentence, or there is none


def damaged(whole: bytes, rng: np.random.Generator) -> bytes:
    """A byte or a bit wrong, often in the first or last kilobyte, or the end missing."""
    data = bytearray(whole)
    where = rng.integers(4)
    if where == 0:
        return bytes(data[: rng.integers(len(data))])
    low, high = ((0, min(1000, len(data))), (max(0, len(data) - 1000), len(data)), (0, len(data)))[
        where - 1
    ]
    data[rng.integers(low, high)] ^= 0xFF if rng.random() < 0.5 else 1 << rng.integers(8)
    return bytes(data)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("a.mp4", "libx264", "yuv420p"),
        ("a.mkv", "libx264", "yuv420p"),
        ("a.webm", "libvpx", "yuv420p"),
        ("a.avi", "mjpeg", "yuvj420p"),
        ("a.ts", "mpeg2video", "yuv420p"),
        ("a.gif", "gif", "rgb8"),
    ],
)
def test_damaged_videos(tmp_path: Path, name: str, codec: str, pix_fmt: str):
    whole = write_video(tmp_path / name, codec=codec, pix_fmt=pix_fmt, n=12).read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / f"x{name[1:]}"
    for _ in range(DAMAGES):
        path.write_bytes(damaged(whole, rng))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                with Video.open(path) as video:
                    for i in (0, len(video) // 2, len(video) - 1):
                        try:
                            video.frame(i)
                        except OSError as error:
                            one_sentence(error, path.name)
                        video.quick_frame(0)
            except (OSError, ValueError) as error:
                one_sentence(error, path.name)


@pytest.mark.parametrize("suffix", ["ts", "mpg"])
def test_a_file_that_opens_has_a_frame(tmp_path: Path, suffix: str):
    whole = write_video(tmp_path / f"a.{suffix}", codec="mpeg2video", n=12).read_bytes()
    path = tmp_path / f"x.{suffix}"
    for length in range(500, 2000, 61):
        path.write_bytes(whole[:length])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                video = Video.open(path)
            except (OSError, ValueError) as error:
                one_sentence(error, path.name)
            else:
                assert len(video) >= 1


def pictures() -> dict[str, bytes]:
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[5:20, 5:20], labels[30:40, 30:60] = 1, 2
    photo = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    found = {}
    for name, image, options in (
        ("a.png", Image.fromarray(labels), {}),
        ("p.png", Image.fromarray(photo).quantize(16), {"transparency": bytes(range(16))}),
        ("e.png", Image.fromarray(photo), {"exif": exif}),
        ("e.jpg", Image.fromarray(photo), {"exif": exif}),
        (
            "a.tif",
            Image.fromarray(photo),
            {"save_all": True, "append_images": [Image.fromarray(photo)]},
        ),
        (
            "a.webp",
            Image.fromarray(photo),
            {"save_all": True, "append_images": [Image.fromarray(255 - photo)]},
        ),
    ):
        data = io.BytesIO()
        image.save(data, {"jpg": "JPEG", "tif": "TIFF"}.get(name[2:], name[2:].upper()), **options)
        found[name] = data.getvalue()
    return found


@pytest.mark.parametrize("name", list(pictures()))
def test_damaged_pictures_and_masks(tmp_path: Path, video: Video, name: str):
    whole = pictures()[name]
    rng = np.random.default_rng(0)
    path = tmp_path / f"00000{name[1:]}"
    for _ in range(3 * DAMAGES):
        path.write_bytes(damaged(whole, rng))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for source in (path, tmp_path):
                try:
                    with Video.open(source) as opened:
                        opened.frame(0)
                        opened.jpeg(0)
                except (OSError, ValueError) as error:
                    one_sentence(error, path.name, tmp_path.name)
            try:
                import_masks(tmp_path, video, ids="values")[0]
            except ValueError as error:
                one_sentence(error, path.name, tmp_path.name)


@pytest.mark.parametrize("format", ["numpy", "coco", "youtube-vis"])
def test_damaged_exports(tmp_path: Path, video: Video, format: str):
    labels = np.zeros((N, HEIGHT, WIDTH), np.uint8)
    labels[:, 5:20, 5:20] = 3
    objects = [{"id": 3, "name": "cat", "color": "#ff0000"}]
    path = export(video, LabelMaps.from_array(labels), objects, [0], format, tmp_path / "out")
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(3 * DAMAGES):
        path.write_bytes(damaged(whole, rng))
        try:
            dict(import_masks(path, video))
        except ValueError as error:
            one_sentence(error, path.name, "COCO", "mask")


def test_memory_stays_bounded_over_all_of_it(memory_before: int):
    """What the tests above read is small; nothing of it may have taken gigabytes."""
    if not memory_before:
        pytest.skip("the highest resident memory cannot be counted anew here")
    taken = resident_kb("VmHWM") - memory_before
    assert taken < 2_000_000, f"{taken} KB"

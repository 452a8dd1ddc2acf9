from __future__ import annotations

import warnings
from pathlib import Path

import av
import numpy as np
import pytest

from evavos_widget.video import Video

N, HEIGHT, WIDTH = 70, 48, 64


def picture(i: int) -> np.ndarray:
    """A frame that differs from all others in much of its area."""
    rng = np.random.default_rng(7)
    image = np.roll(rng.integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8), i, axis=1)
    image = image.repeat(8, axis=0).repeat(8, axis=1)
    image[: HEIGHT // 2, : WIDTH // 2] = (3 * i) % 256
    return image


def write_video(
    path: Path,
    *,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    times: list[int] | None = None,
    rotation: int | None = None,
    pix_fmt: str = "yuv420p",
    n: int = N,
) -> Path:
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=24, options=options or {})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pix_fmt
        if rotation is not None:
            stream.set_display_rotation(rotation)
        for i in range(n):
            frame = av.VideoFrame.from_ndarray(picture(i), format="rgb24")
            frame.pts = i if times is None else times[i]
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def decode_all(path: Path) -> list[np.ndarray]:
    """What FFmpeg gives from start to end, with nothing of ours in between."""
    frames: list[np.ndarray] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        for packet in container.demux(stream):
            try:
                decoded = packet.decode()
            except av.FFmpegError:
                continue
            frames += [f.to_ndarray(format="rgb24") for f in decoded]
    return frames


KINDS = {
    "b-frames": ("a.mp4", "libx264", {"bf": "3", "g": "12"}),
    "b-pyramid": ("a.mkv", "libx264", {"bf": "5", "b-pyramid": "normal", "g": "25"}),
    "one-gop": ("a.mp4", "libx264", {"bf": "2", "g": "1000"}),
    "intra-only": ("a.mp4", "libx264", {"g": "1"}),
    "open-gop-mp4": ("a.mp4", "libx264", {"bf": "3", "g": "12", "x264-params": "open-gop=1"}),
    "open-gop-mkv": ("a.mkv", "libx264", {"bf": "3", "g": "12", "x264-params": "open-gop=1"}),
    "open-gop-ts": ("a.ts", "libx264", {"bf": "3", "g": "12", "x264-params": "open-gop=1"}),
    "intra-refresh-ts": (
        "a.ts",
        "libx264",
        {"bf": "0", "x264-params": "intra-refresh=1:keyint=10"},
    ),
    "intra-refresh-mkv": (
        "a.mkv",
        "libx264",
        {"bf": "0", "x264-params": "intra-refresh=1:keyint=10"},
    ),
    "raw-h264": ("a.h264", "libx264", {"bf": "3", "g": "12"}),
    "flv": ("a.flv", "libx264", {"bf": "3", "g": "12"}),
    "avi-b-frames": ("a.avi", "libx264", {"bf": "3", "g": "12"}),
    "mpeg4-avi": ("a.avi", "mpeg4", {"bf": "2", "g": "12"}),
    "mpeg2-ts": ("a.ts", "mpeg2video", {"bf": "2", "g": "12"}),
    "mpeg2-ps": ("a.mpg", "mpeg2video", {"bf": "2", "g": "12"}),
    "hevc": ("a.mp4", "libx265", {"x265-params": "keyint=12:log-level=none"}),
    "vp8-hidden-frames": (
        "a.webm",
        "libvpx",
        {"auto-alt-ref": "1", "lag-in-frames": "16", "g": "24", "deadline": "good"},
    ),
    "vp9": ("a.webm", "libvpx-vp9", {"g": "20", "deadline": "realtime", "cpu-used": "8"}),
    "mjpeg": ("a.avi", "mjpeg", {}),
    "ffv1": ("a.mkv", "ffv1", {"g": "10"}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_random_access_equals_decoding_from_start_to_end(kind: str, tmp_path: Path) -> None:
    name, codec, options = KINDS[kind]
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = write_video(tmp_path / name, codec=codec, options=options, pix_fmt=pix_fmt)
    expected = decode_all(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        video = Video.open(path, cache_bytes=0)
    assert (len(video), video.height, video.width) == (len(expected), HEIGHT, WIDTH)
    order = [
        *range(len(video)),
        *range(len(video) - 1, -1, -1),
        *np.random.default_rng(0).integers(len(video), size=150),
    ]
    for i in order:
        assert np.array_equal(video.frame(i), expected[i]), f"frame {i}"

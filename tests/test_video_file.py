from __future__ import annotations

import gc
import io
import os
import threading
import warnings
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import psutil
import pytest
from PIL import Image

from evavos_widget.interruption import NotWantedError, while_wanted
from evavos_widget.video import Video

N, HEIGHT, WIDTH = 70, 48, 62


def picture(i: int) -> np.ndarray:
    """A frame that differs from all others in much of its area."""
    rng = np.random.default_rng(7)
    image = np.roll(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8), i, axis=1)
    image = image.repeat(8, axis=0).repeat(8, axis=1)[:HEIGHT, :WIDTH]
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
    "interlaced": ("a.mp4", "libx264", {"bf": "3", "g": "60", "x264-params": "tff=1"}),
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
    "vp8": ("a.webm", "libvpx", {"g": "24", "deadline": "good"}),
    "vp9": ("a.webm", "libvpx-vp9", {"g": "20", "deadline": "realtime", "cpu-used": "8"}),
    "mjpeg": ("a.avi", "mjpeg", {}),
    "gif": ("a.gif", "gif", {}),
    "ffv1": ("a.mkv", "ffv1", {"g": "10"}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_random_access_equals_decoding_from_start_to_end(kind: str, tmp_path: Path) -> None:
    name, codec, options = KINDS[kind]
    pix_fmt = {"mjpeg": "yuvj420p", "gif": "rgb8"}.get(codec, "yuv420p")
    path = write_video(tmp_path / name, codec=codec, options=options, pix_fmt=pix_fmt)
    assert len(decode_all(path)) == N
    assert_exact(path)


def assert_exact(path: Path) -> None:
    """Every frame, in any order, is what FFmpeg decodes from start to end."""
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
        frame = video.frame(i)
        assert np.array_equal(frame, expected[i]), f"frame {i}"
        assert frame.flags.c_contiguous


def test_a_frame_that_nobody_waits_for_is_given_up_and_costs_no_other_one(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", options={"bf": "3", "g": "1000"})
    expected = decode_all(path)
    video = Video.open(path, cache_bytes=0)
    rng = np.random.default_rng(2)
    for given_up, read in rng.integers(40, N, size=(30, 2)):
        asked = iter([True] * int(rng.integers(12)))
        video.frame(0)
        with while_wanted(lambda asked=asked: next(asked, False)), pytest.raises(NotWantedError):
            video.frame(given_up)
        assert np.array_equal(video.frame(read), expected[read]), f"frame {read}"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="files are counted there")
def test_a_video_that_nobody_has_lets_go_of_its_file_at_once(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4")
    before = len(os.listdir("/proc/self/fd"))
    gc.disable()
    try:
        for frame in range(3):
            Video.open(tmp_path / "a.mp4").frame(frame)
        assert len(os.listdir("/proc/self/fd")) == before
    finally:
        gc.enable()


def test_memory_does_not_grow_with_the_frames_that_were_read(tmp_path: Path) -> None:
    path, n = tmp_path / "a.mp4", 100
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for i in range(n):
            frame = av.VideoFrame.from_ndarray(np.full((720, 1280, 3), i, np.uint8))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    video = Video.open(path, cache_bytes=0)
    resident = psutil.Process().memory_info
    for i in range(20):
        video.frame(i)
    before = resident().rss
    for i in range(n):
        video.frame(i)
    assert resident().rss - before < n * 1280 * 720 / 2  # a third of what the frames take


def test_frames_at_uneven_times_count_one_by_one(tmp_path: Path) -> None:
    times = np.cumsum(np.random.default_rng(1).integers(1, 9, size=N)).tolist()
    path = write_video(tmp_path / "a.mkv", options={"bf": "3", "g": "12"}, times=times)
    assert len(Video.open(path)) == N
    assert_exact(path)


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_a_stream_that_starts_between_keyframes(codec: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.ts", codec=codec, options={"bf": "3", "g": "12"})
    data = path.read_bytes()
    path.write_bytes(data[len(data) // 188 // 10 * 188 :])
    assert 0 < len(Video.open(path)) < N
    assert_exact(path)


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_time_stamps_that_start_again(codec: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.ts", codec=codec, options={"bf": "3", "g": "12"})
    path.write_bytes(2 * path.read_bytes())
    assert len(Video.open(path)) == 2 * N
    assert_exact(path)


def test_frames_that_an_edit_list_hides_do_not_count(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", options={"bf": "3", "g": "12"})
    trimmed = tmp_path / "trimmed.mp4"
    with av.open(str(path)) as source, av.open(str(trimmed), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                five_frames = 5 * packet.duration
                packet.pts, packet.dts = packet.pts - five_frames, packet.dts - five_frames
                packet.stream = stream
                target.mux(packet)
    assert len(Video.open(trimmed)) == N - 5
    assert_exact(trimmed)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_rotation_is_applied(rotation: int, tmp_path: Path) -> None:
    # The display matrix turns counter-clockwise, as numpy.rot90 does.
    path = write_video(tmp_path / "a.mp4", rotation=rotation)
    expected = [np.rot90(frame, rotation // 90) for frame in decode_all(path)]
    video = Video.open(path)
    assert (video.height, video.width) == expected[0].shape[:2]
    assert video.frame(50).flags.c_contiguous
    assert np.array_equal(video.frame(50), expected[50])


def test_frame_rate_comes_from_the_file(tmp_path: Path) -> None:
    assert Video.open(write_video(tmp_path / "a.mp4")).fps == 24.0
    times = list(range(0, 2 * N, 2))
    assert Video.open(write_video(tmp_path / "b.mp4", times=times)).fps == pytest.approx(12, 0.02)


@pytest.mark.parametrize("off", [-1, 0, 1])
def test_a_fragmented_file_cut_between_two_pictures_is_cut_short(off: int, tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "a.mp4",
        options={"bf": "2", "g": "12", "crf": "5"},
        container_options={"movflags": "frag_keyframe+empty_moov"},
    )
    with av.open(str(path)) as container:
        ends = [p.pos + p.size for p in container.demux(video=0) if p.pos is not None and p.size]
    assert not Video.open(path).warnings
    path.write_bytes(path.read_bytes()[: ends[N // 2 + 3] + off])
    with pytest.warns(UserWarning, match="is cut short"):
        video = Video.open(path)
    assert N // 4 < len(video) < N


@pytest.mark.parametrize(
    ("name", "container_options"),
    [
        ("a.mp4", {"movflags": "faststart"}),
        ("fragmented.mp4", {"movflags": "frag_keyframe+empty_moov"}),
        ("a.mkv", {}),
        ("a.ts", {}),
        ("a.avi", {}),
        ("a.flv", {}),
    ],
)
@pytest.mark.parametrize("part", [0.9, 0.5])
def test_a_file_cut_short_opens_up_to_its_last_good_frame(
    name: str, container_options: dict[str, str], part: float, tmp_path: Path
) -> None:
    path = write_video(
        tmp_path / name,
        options={"bf": "2", "g": "12", "crf": "5"},
        container_options=container_options,
    )
    whole = decode_all(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    # A transport stream does not say where it ends; a cut between packets goes unnoticed.
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        video = Video.open(path, cache_bytes=0)
    if name != "a.ts":
        assert len(video.warnings) == 1
        assert f"is cut short: {len(video)} frames" in video.warnings[0]
    # What Python says of what another test left open, whenever it is found, is not of this file.
    told = [str(w.message) for w in caught if w.category is not ResourceWarning]
    assert told == list(video.warnings)
    assert part * N * 0.5 < len(video) < N
    frames = list(video)
    # All are frames of the whole file, in order, and all but the last few without a gap.
    assert all(np.array_equal(frames[i], whole[i]) for i in range(len(frames) - 4))
    assert all(any(np.array_equal(f, w) for w in whole) for f in frames)
    for i in np.random.default_rng(3).permutation(len(video)):
        assert np.array_equal(video.frame(i), frames[i])


def test_a_damaged_file_has_the_same_frames_in_any_order(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", options={"bf": "2", "g": "12", "crf": "5"})
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(5)
    for at in rng.integers(len(data) // 4, len(data) // 2, size=12):
        data[at] ^= 0xFF
    path.write_bytes(data)

    def read(video: Video, i: int) -> np.ndarray | None:
        try:
            return video.frame(i)
        except OSError as error:
            assert f"frame {i} of {path} cannot be decoded" in str(error)  # noqa: PT017
            return None

    video = Video.open(path, cache_bytes=0)
    forwards = [read(video, i) for i in range(len(video))]
    assert sum(frame is not None for frame in forwards) > len(video) // 2
    video = Video.open(path, cache_bytes=0)
    for i in rng.permutation(len(video)):
        frame = read(video, i)
        assert (frame is None) == (forwards[i] is None), f"frame {i}"
        # What FFmpeg paints over damage depends on what it decoded before.
        if i < 10:
            assert np.array_equal(frame, forwards[i]), f"frame {i}"


def count_decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows by one for every frame decoded."""
    from evavos_widget.video_file import VideoFileReader

    decode, decoded = VideoFileReader._decode, []

    def counting(self, packets):
        for frame in decode(self, packets):
            decoded.append(frame.pts)
            yield frame

    monkeypatch.setattr(VideoFileReader, "_decode", counting)
    return decoded


def test_reading_forwards_decodes_every_frame_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = Video.open(write_video(tmp_path / "a.mp4", options={"bf": "3", "g": "12"}))
    decoded = count_decoded(monkeypatch)
    video.frame(0)
    decoded.clear()
    for i in range(1, N):
        video.frame(i)
    assert len(decoded) <= N


def test_reading_backwards_keeps_what_it_decodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_video(tmp_path / "a.mp4", options={"bf": "3", "g": "1000"})
    video = Video.open(path, cache_bytes=40 * HEIGHT * WIDTH * 3)
    decoded = count_decoded(monkeypatch)
    for i in range(N - 1, -1, -1):
        video.frame(i)
    assert len(decoded) < 6 * N


def test_opening_does_not_decode_the_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_video(tmp_path / "a.mp4", n=200, options={"g": "12"})
    decoded = count_decoded(monkeypatch)
    assert len(Video.open(path)) == 200
    assert len(decoded) <= 40


@pytest.mark.parametrize("pix_fmt", ["yuv420p10le", "yuv444p", "gray"])
def test_other_pixel_formats_become_8_bit_rgb(pix_fmt: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", codec="ffv1", pix_fmt=pix_fmt)
    frame = Video.open(path).frame(3)
    assert (frame.shape, frame.dtype) == ((HEIGHT, WIDTH, 3), np.uint8)
    expected = picture(3).mean(axis=2) if pix_fmt == "gray" else picture(3)
    # Within what chroma sampling and luma weights change.
    assert np.abs(frame[: HEIGHT // 4, : WIDTH // 4] - expected[0, 0].astype(float)).max() < 6


def test_files_that_are_no_video_are_named(tmp_path: Path) -> None:
    junk = tmp_path / "junk.mp4"
    junk.write_bytes(b"not a video" * 100)
    with pytest.raises(OSError, match=r"junk\.mp4 cannot be read as a video"):
        Video.open(junk)
    empty = tmp_path / "empty.mp4"
    empty.write_bytes(b"")
    with pytest.raises(OSError, match=r"empty\.mp4 cannot be read as a video"):
        Video.open(empty)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        silence.sample_rate = 8000
        container.mux(stream.encode(silence))
        container.mux(stream.encode(None))
    with pytest.raises(ValueError, match=r"a\.wav has no video stream"):
        Video.open(path)


def test_a_file_without_a_frame_is_named(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", n=1)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.6)])
    with pytest.raises((ValueError, OSError), match=r"a\.mkv"):
        Video.open(path)


# Several streams, and what PyAV does not know


@pytest.mark.parametrize("suffix", ["avi", "mov", "mkv"])
@pytest.mark.parametrize("orientation", [None, 1, 2, 3, 4, 5, 6, 7, 8])
def test_motion_jpeg_with_exif(suffix: str, orientation: int | None, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    if orientation is not None:
        exif[0x0112] = orientation
    path = tmp_path / f"a.{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
        for i in range(4):
            data = io.BytesIO()
            Image.fromarray(picture(i)).save(data, "JPEG", exif=exif, quality=95)
            packet = av.Packet(data.getvalue())
            packet.stream, packet.pts, packet.dts = stream, i, i
            packet.time_base, packet.is_keyframe = Fraction(1, 10), True
            container.mux(packet)
    from PIL import ImageOps

    shown = np.asarray(ImageOps.exif_transpose(Image.open(data)).convert("RGB")).astype(int)
    video = Video.open(path)
    assert len(video) == 4
    assert video.frame(3).shape == shown.shape
    assert np.abs(video.frame(3) - shown).mean() < 12
    assert np.array_equal(video.quick_frame(3)[1], video.frame(3))


def write_streams(path: Path, *streams: tuple[int, int, int, str]) -> Path:
    """Frames, width, height and disposition of each."""
    with av.open(str(path), "w") as container:
        made = []
        for n, width, height, disposition in streams:
            codec = "mjpeg" if disposition == "attached_pic" else "mpeg4"
            stream = container.add_stream(codec, rate=10)
            stream.width, stream.height = width, height
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            stream.disposition = av.stream.Disposition[disposition] if disposition else 0
            made.append((stream, n, height, width))
        for stream, n, height, width in made:
            for i in range(n):
                image = np.full((height, width, 3), 20 * i, np.uint8)
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                container.mux(stream.encode(frame))
        for stream, *_ in made:
            container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("suffix", "streams"),
    [
        ("mkv", [(5, 32, 24, ""), (10, 64, 48, "default")]),
        ("mkv", [(10, 64, 48, "default"), (5, 32, 24, "")]),
        ("mkv", [(5, 128, 96, ""), (10, 64, 48, "default")]),
        ("mp4", [(1, 320, 240, "attached_pic"), (10, 64, 48, "default")]),
        ("mp4", [(10, 64, 48, "default"), (1, 320, 240, "attached_pic")]),
    ],
)
def test_of_several_streams_it_is_the_film(suffix: str, streams, tmp_path: Path) -> None:
    video = Video.open(write_streams(tmp_path / f"a.{suffix}", *streams))
    assert (len(video), video.width, video.height) == (10, 64, 48)
    for i in (9, 0, 5):
        assert abs(int(video.frame(i).mean()) - 20 * i) < 8
    assert video.warnings == ()


def test_a_cover_picture_alone_is_no_video(tmp_path: Path) -> None:
    path = write_streams(tmp_path / "a.mp4", (1, 64, 48, "attached_pic"))
    with pytest.raises(ValueError, match=r"a\.mp4 has no video stream"):
        Video.open(path)


def test_an_image_sequence_behind_its_still_picture(tmp_path: Path) -> None:
    images = [Image.fromarray(np.full((48, 64, 3), 40 * i, np.uint8)) for i in range(5)]
    images[0].save(tmp_path / "a.avif", save_all=True, append_images=images[1:], duration=100)
    video = Video.open(tmp_path / "a.avif")
    assert len(video) == 5
    assert abs(int(video.frame(4).mean()) - 160) < 8


# Looking around


@pytest.mark.parametrize("kind", ["b-frames", "b-pyramid", "open-gop-mkv", "mpeg2-ts", "vp9"])
def test_a_quick_frame_is_a_frame_nearby(kind: str, tmp_path: Path) -> None:
    name, codec, options = KINDS[kind]
    path = write_video(tmp_path / name, codec=codec, options=options)
    expected = decode_all(path)
    video = Video.open(path, cache_bytes=0)
    for i in np.random.default_rng(0).permutation(N):
        near, frame = video.quick_frame(i)
        assert abs(near - i) <= 25, (i, near)
        assert np.array_equal(frame, expected[near]), f"frame {near} for {i}"
    with pytest.raises(IndexError):
        video.quick_frame(N)


def test_a_quick_frame_is_the_one_asked_for_where_it_is_at_hand(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", options={"g": "1000"})
    video = Video.open(path)
    assert video.quick_frame(50)[0] == 0
    frame = video.frame(50)
    near, quick = video.quick_frame(50)
    assert (near, quick is frame) == (50, True)
    array = Video.open(np.stack([picture(i) for i in range(3)]))
    assert array.quick_frame(2)[0] == 2


def test_a_quick_frame_decodes_one_frame_and_waits_for_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_video(tmp_path / "a.mp4", options={"g": "30", "bf": "3"})
    video = Video.open(path)
    decoded = count_decoded(monkeypatch)
    with video._lock:  # as while another thread reads a frame
        near: list[int] = []
        thread = threading.Thread(target=lambda: near.append(video.quick_frame(44)[0]))
        thread.start()
        thread.join(timeout=60)
    assert near == [30]
    assert not decoded
    # Nor does it move where reading stands.
    video.frame(40)
    decoded.clear()
    assert abs(video.quick_frame(65)[0] - 65) < 15
    video.frame(41)
    assert len(decoded) == 1


def test_the_fingerprint_of_a_long_file_costs_three_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_video(tmp_path / "a.mp4", options={"g": "30", "bf": "0"}, n=119)
    video = Video.open(path)
    decoded = count_decoded(monkeypatch)
    video.frame(75)
    decoded.clear()
    fingerprint = video.fingerprint()
    assert len(decoded) <= 3
    assert Video.open(path).fingerprint() == fingerprint
    other = write_video(tmp_path / "b.mp4", options={"g": "30", "bf": "0"}, n=118)
    assert Video.open(other).fingerprint() != fingerprint

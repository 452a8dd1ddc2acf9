"""Exact random access to the frames of a video file, through FFmpeg (PyAV)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import chain, islice, pairwise
from math import inf
from pathlib import Path
from typing import NamedTuple

import av
import av.filter
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.sidedata.sidedata import Type as SideDataType
from av.stream import Disposition
from av.video.reformatter import VideoReformatter

from evavos_widget.cores import usable_cores
from evavos_widget.interruption import NotWantedError, stop_unless_wanted

__all__ = ["VideoFileReader"]

_COMPARED = 32
"""Frames that are decoded and compared with the packets before all packets are believed."""

_BACKWARDS = 8
"""A request this many frames or less before the last ones counts as reading backwards."""

_DURATION_IN_HEADER = ("matroska,webm", "flv")
"""Containers whose header says how long they are meant to be."""

_DURATION_SLACK = 0.25
"""Seconds by which a whole one of these may end before that."""

_WHOLE_BEFORE = 16
"""Packets before a wanted one from which on all are decoded, so that FFmpeg's guess how far the
pictures are out of order is the one that it makes when it decodes everything."""

_SKIPS = ("h264",)
"""Codecs of which what FFmpeg calls a non-reference picture is needed for no other one; in HEVC a
picture of a higher temporal layer may need it."""

_THREADS = 4
"""At most so many decode, as each holds pictures of its own."""

_KEY_PACKETS = 64
"""Packets after a seek among which the key frame must be, or it is not a quick one."""

_SIDE_DATA_KINDS = 48
"""More than FFmpeg 8 has types of side data (AVFrameSideDataType)."""


class _Packet(NamedTuple):
    """What is kept of a packet."""

    pts: int | None
    dts: int | None
    size: int
    key: bool
    discard: bool


class _Keyframe(NamedTuple):
    """A packet where decoding can start, and the first frame that is right from there on."""

    pts: int
    dts: int | None
    first_frame: int


class VideoFileReader:
    """Frames of a video file; frame i is the i-th one that FFmpeg decodes.

    Opening reads through the packets once, without decoding them, which gives the time
    stamp of every frame and the keyframes. A frame is then found by its time stamp,
    decoding from the keyframe before it what other frames need; reading forwards goes on
    where it stopped.

    Two things are not taken on trust. That every packet gives one frame: the first frames
    are decoded and compared, and where they differ the whole file is decoded once to list
    its frames; where these have no rising time stamps, they are counted from the start.
    And that the file is whole: unless its header counts the packets and all are there,
    what follows the last keyframe is decoded.

    Parameters
    ----------
    path : Path
    default_fps : float
        Frames per second to report when the file does not say.

    Raises
    ------
    OSError
        FFmpeg cannot read the file.
    ValueError
        It holds no frame.
    """

    def __init__(self, path: Path, default_fps: float) -> None:
        self._path = path
        self.paths = (path,)
        self._broken_off: int | None = None  # where the packet starts that the file ends within
        self._reformatter = VideoReformatter()
        self._keys: tuple[InputContainer, av.VideoStream, VideoReformatter] | None = None
        self._order: dict[int | None, int] = {}
        self._whole = False
        self._skipped_to = 0  # up to this packet, pictures that no other one needs are left out
        self._open()
        rate = self._stream.average_rate or self._stream.guessed_rate
        self.fps = float(rate) if rate else default_fps
        self._lowest_read = 0
        problem = self._make_index()
        self.warnings = () if problem is None else (problem,)

    def read(self, index: int, room: int, keep: Callable[[int, np.ndarray], None]) -> np.ndarray:
        """Frame `index`; when reading backwards, `keep` gets up to `room` frames before it.

        It stops between two frames where nobody waits for the result any more.
        """
        backwards = 0 < self._lowest_read - index <= _BACKWARDS
        first = max(0, index - room) if backwards else index
        nearest = bisect_right(self._keyframes, index, key=lambda k: k.first_frame) - 1
        skipped_to = self._packet_of(first) - _WHOLE_BEFORE
        starts: list[tuple[int | None, int]] = [(nearest, skipped_to), (nearest, 0)]
        if self._keyframes[nearest].first_frame <= self._next <= index:
            starts.insert(0, (None, skipped_to))  # going on from here is the shortest way
        # A keyframe may promise more than it holds; earlier ones are tried then.
        starts += [(max(nearest - 1, 0), 0), (0, 0)]
        for start, self._skipped_to in dict.fromkeys(starts):
            if start is not None:
                self._seek(start)
            for i, frame in self._advance(first, index):
                self._lowest_read = min(i, self._lowest_read) if backwards else i
                if i == index:
                    return frame
                keep(i, frame)
        if self._whole:
            self._whole = False
            self._rewind()
            return self.read(index, room, keep)
        raise OSError(
            f"frame {index} of {self._path} cannot be decoded; "
            "replace the file to get it, the other frames stay usable."
        )

    def quick(self, index: int) -> tuple[int, np.ndarray] | None:
        """The key frame nearest to frame `index`, with its number.

        It is read from a handle of its own, so that it may be called while another thread
        is in `read`; None where the file has no key frame that decodes by itself.
        """
        nearest = min(self._keyframes, key=lambda k: abs(k.first_frame - index))
        if nearest.first_frame == 0:
            return 0, self._first_picture
        if self._keys is None:
            self._keys = (*_open_stream(self._path), VideoReformatter())
        container, stream, reformatter = self._keys
        for time in (nearest.pts, nearest.dts):
            if time is None:
                continue
            try:
                container.seek(time, stream=stream)
                for packet in islice(container.demux(stream), _KEY_PACKETS):
                    if packet.size and packet.pts == nearest.pts:
                        # None: hand the frame out now, and not when the next ones are there.
                        for frame in chain(stream.decode(packet), stream.decode(None)):
                            return nearest.first_frame, self._rgb(frame, reformatter)
            except FFmpegError:
                continue
        return None

    def anchor(self, index: int) -> int:
        """The last frame up to `index` at which decoding can start."""
        if self._index is None:
            return index
        nearest = bisect_right(self._keyframes, index, key=lambda k: k.first_frame) - 1
        return self._keyframes[nearest].first_frame

    def _packet_of(self, index: int) -> int:
        """Which packet holds frame `index`, where others may be left out; else 0."""
        if self._index is None or self._stream.codec_context.name not in _SKIPS:
            return 0
        return self._order[self._times[index]]

    def original_jpeg(self, index: int) -> None:
        """Return None: no frame of a video file is a JPEG file of its own."""
        return None

    def close(self) -> None:
        """Close the file; nobody may be in `read` or `quick`."""
        self._stand(iter(()), first_right=0)  # what decodes knows the reader: both are let go now
        self._container.close()
        if self._keys is not None:
            self._keys[0].close()
            self._keys = None

    def _open(self) -> None:
        """Stand at the start of the file."""
        self._container, self._stream = _open_stream(self._path)
        if self._whole:  # of damaged pictures, several threads make other ones than one
            self._stream.thread_type = "AUTO"
            self._stream.codec_context.thread_count = min(_THREADS, usable_cores())
        self._stand(self._packets(), first_right=0)

    def _stand(self, packets: Iterator[av.Packet], first_right: int) -> None:
        """Go on with `packets`, of which frames before `first_right` are not to be used."""
        self._decoding = self._decode(packets)
        self._first_right = self._next = first_right

    def _packets(self) -> Iterator[av.Packet]:
        """Packets of the pictures, up to the end or where they cannot be read."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except (StopIteration, FFmpegError):
                return
            if packet.is_corrupt and packet.pos == self._broken_off:
                return
            if packet.size:
                yield packet

    def _decode(self, packets: Iterator[av.Packet]) -> Iterator[av.VideoFrame]:
        """Frames from `packets`; those that do not decode are left out."""
        decoder = self._stream.codec_context
        for packet in chain(packets, [None]):  # None: hand out the frames still held back
            skip = packet is not None and self._order.get(packet.pts, inf) < self._skipped_to
            decoder.skip_frame = "NONREF" if skip else "DEFAULT"
            try:
                frames = decoder.decode(packet)
            except FFmpegError:
                continue
            yield from frames

    def _seek(self, k: int) -> None:
        """Stand at keyframe `k`, or earlier; keyframe 0 is the start of the file."""
        keyframe = self._keyframes[k]
        # Some containers are searched by presentation time, others by decoding time.
        for time in (keyframe.pts, keyframe.dts) if k > 0 else ():
            if time is None:
                continue
            try:
                self._container.seek(time, stream=self._stream)
            except FFmpegError:
                continue
            packets = self._packets()
            packet = next(packets, None)
            at = None if packet is None else self._order.get(packet.pts)
            if packet and at is not None and at <= self._order[keyframe.pts]:
                packets = self._as_scanned(chain([packet], packets), at)
                self._stand(packets, keyframe.first_frame)
                return
        self._rewind()

    def _as_scanned(self, packets: Iterator[av.Packet], at: int) -> Iterator[av.Packet]:
        """`packets` as long as they are those of the scan from its packet `at` on.

        After a seek, MPEG program streams guess time stamps, and guess them wrong.
        """
        for packet, scanned in zip(packets, islice(self._scanned, at, None), strict=False):
            if (packet.pts, packet.size) != (scanned.pts, scanned.size):
                return
            yield packet

    def _rewind(self) -> None:
        self._container.close()
        self._open()

    def _advance(self, first: int, last: int) -> Iterator[tuple[int, np.ndarray]]:
        """Decode up to frame `last`; give the frames from `first` on that come up."""
        for frame in self._decoding:
            try:
                stop_unless_wanted()
            except NotWantedError:
                self._next = self.n_frames  # what was left out on the way may be wanted next
                raise
            i = self._next if self._index is None else self._index.get(frame.pts, -1)
            if i < self._first_right:
                continue
            self._next = i + 1
            # From the start a damaged frame is the best there is; from a keyframe it may be
            # damaged only because decoding started there.
            if first <= i <= last and not (frame.is_corrupt and self._first_right > 0):
                yield i, self._rgb(frame)
            if i >= last:
                return

    def _rgb(self, frame: av.VideoFrame, reformatter: VideoReformatter | None = None) -> np.ndarray:
        """(H, W, 3) uint8, upright, in the size of the first frame."""
        reformatter = reformatter or self._reformatter
        rgb = reformatter.reformat(frame, *self._coded_size, "rgb24", threads=1).to_ndarray()
        matrix = self._matrix if frame.rotation == self._rotation else _display_matrix(frame)
        if matrix is not None:
            rgb = _upright(rgb, matrix)
        return np.array(rgb, order="C")  # FFmpeg's own memory has padded rows

    def _make_index(self) -> str | None:
        """List frames and keyframes; return a sentence if the file is cut short."""
        packets, counted, cut_short = self._scan()
        self._scanned = packets
        self._order = {packet.pts: i for i, packet in enumerate(packets)}
        first = next(self._decoding, None)
        if first is None:
            raise ValueError(
                f"no frame of {self._path} can be decoded; repair the file or give another."
            )
        self._coded_size = first.width, first.height
        # PyAV never frees a frame that was asked for its side data, so this is done once.
        self._matrix, self._rotation = _display_matrix(first), first.rotation
        self._first_picture = self._rgb(first)
        self._first_picture.flags.writeable = False
        self.height, self.width = self._first_picture.shape[:2]

        head = [first.pts, *(frame.pts for frame in islice(self._decoding, _COMPARED - 1))]
        times = _times_in_order(packets)
        left: list[int] = []
        if times is not None and head == times[:_COMPARED]:
            self._list(times, packets)
            lost = set() if counted else self._lost_at_the_end(times)
            left = [time for time in times if time not in lost]
            self._list(left, packets)
            cut_short |= bool(lost)
        if not left:
            self._rewind()
            decoded = [(frame.pts, frame.is_corrupt) for frame in self._decoding]
            while decoded[-1][1] and len(decoded) > 1:
                decoded.pop()
                cut_short = True
            self._list([time for time, _ in decoded], packets)
        self._whole = not cut_short
        self._rewind()
        if not cut_short:
            return None
        return (
            f"{self._path} is cut short: {self.n_frames} frames up to its last good one were "
            "opened; copy or download the file again to get the rest."
        )

    def _lost_at_the_end(self, times: list[int]) -> set[int]:
        """Time stamps after the last keyframe whose frames do not decode."""
        lost: set[int] = set()
        # What seems lost from the last keyframe gets a second chance from the start.
        for k in dict.fromkeys((len(self._keyframes) - 1, 0)):
            self._seek(k)
            good = {frame.pts for frame in self._decoding if not frame.is_corrupt}
            lost = set(times[self._keyframes[-1].first_frame :]) - good
            if not lost:
                break
        return lost

    def _scan(self) -> tuple[list[_Packet], bool, bool]:
        """Read through the file.

        Returns
        -------
        packets : list of _Packet
            Those of the pictures, in decoding order.
        counted : bool
            The file says how many there are, and they are all there.
        cut_short : bool
            The file ends before it says it would.
        """
        packets: list[_Packet] = []
        end = 0.0
        broken_off = None
        cut_short = False
        container, stream = _open_stream(self._path)
        with container:
            try:
                for packet in container.demux():
                    if not packet.size:
                        continue
                    if packet.pts is not None:
                        end = max(
                            end, float((packet.pts + (packet.duration or 0)) * packet.time_base)
                        )
                    if packet.stream_index == stream.index:
                        p = packet
                        packets.append(_Packet(p.pts, p.dts, p.size, p.is_keyframe, p.is_discard))
                        broken_off = packet.pos if packet.is_corrupt else None
            except FFmpegError:
                cut_short = True
            if broken_off is not None:
                self._broken_off = broken_off
                packets.pop()
                cut_short = True
            if 0 < len(packets) < stream.frames:
                cut_short = True
            if len(packets) != stream.frames and "mp4" in container.format.name.split(","):
                cut_short |= _ends_within_a_box(self._path)
            if container.format.name in _DURATION_IN_HEADER and container.duration is not None:
                cut_short |= end < container.duration / av.time_base - _DURATION_SLACK
            return packets, len(packets) == stream.frames and not cut_short, cut_short

    def _list(self, times: Sequence[int | None], packets: list[_Packet]) -> None:
        """Set the frames, by their time stamps, and the keyframes among `packets`."""
        self.n_frames = len(times)
        self._times = times
        self._keyframes = [_Keyframe(0, None, 0)]
        self._index: dict[int | None, int] | None = None
        known = [time for time in times if time is not None]
        if len(known) < len(times) or any(a >= b for a, b in pairwise(known)):
            return
        self._index = {time: i for i, time in enumerate(known)}
        for packet in packets:
            if packet.key and packet.pts is not None:
                first = bisect_left(known, packet.pts)
                if self._keyframes[-1].first_frame < first < len(known):
                    self._keyframes.append(_Keyframe(packet.pts, packet.dts, first))


def _ends_within_a_box(path: Path) -> bool:
    """Whether an MP4 file ends before its last box (ISO/IEC 14496-12, 4.2) does.

    In a fragmented one FFmpeg takes an end between two pictures for that of the file.
    """
    size, at = path.stat().st_size, 0
    with path.open("rb") as file:
        while at < size:
            file.seek(at)
            head = file.read(16)
            if len(head) < 8:
                return True
            length = int.from_bytes(head[:4], "big")
            if length == 1:  # The size stands in 64 bits after the name.
                length = int.from_bytes(head[8:16], "big")
            if length < 8:  # As far as the file goes, or no box.
                return False
            at += length
    return at > size


def _open_stream(path: Path) -> tuple[InputContainer, av.VideoStream]:
    """Open a file, and of its streams of pictures the one to look at."""
    try:
        # What the file says about itself may be damaged without harm to its pictures.
        container = av.open(str(path), metadata_errors="ignore")
    except (FFmpegError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OSError(
            f"{path} cannot be read as a video ({reason}); "
            "give a file that FFmpeg reads, or convert this one to MP4."
        ) from error
    pictures = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not pictures:
        container.close()
        raise ValueError(f"{path} has no video stream; give a file with pictures in it.")
    stream = max(pictures, key=_prominence)
    if stream.codec_context is None:
        container.close()
        raise OSError(
            f"{path} cannot be read as a video (its codec is not known); "
            "give a file that FFmpeg reads, or convert this one to MP4."
        )
    return container, stream


def _prominence(stream: av.VideoStream) -> tuple[bool, bool, bool, int]:
    """Players take the stream that is marked default, and of several the largest.

    A still picture, as in front of an image sequence (AVIF), comes last.
    """
    known = stream.codec_context is not None
    pixels = stream.width * stream.height if known else 0
    return known, stream.frames != 1, bool(stream.disposition & Disposition.default), pixels


def _display_matrix(frame: av.VideoFrame) -> np.ndarray | None:
    """(9,) int32, or None where the frame is shown as it is coded."""
    try:
        matrix = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV does not know all types of side data, such as EXIF
        graph = av.filter.Graph()
        unit = Fraction(1, 1000)  # no matter, but there must be one
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=unit
        )
        steps = [source]
        steps += [graph.add("sidedata", f"mode=delete:type={kind}") for kind in _unknown_kinds()]
        steps.append(graph.add("buffersink"))
        graph.link_nodes(*steps).configure()
        graph.push(frame)
        matrix = graph.pull().side_data.get("DISPLAYMATRIX")
    return None if matrix is None else np.frombuffer(matrix, dtype=np.int32)


def _unknown_kinds() -> list[int]:
    """Types of side data that PyAV has no name for."""
    return sorted(set(range(_SIDE_DATA_KINDS)) - {kind.value for kind in SideDataType})


def _times_in_order(packets: list[_Packet]) -> list[int] | None:
    """Time stamps of the frames shown, ascending; None where they cannot be relied on.

    That is where one is missing or comes twice, or where the clock is set back on the way.
    """
    times = [packet.pts for packet in packets if not packet.discard]
    clock = [packet.dts for packet in packets if packet.dts is not None]
    ascending = sorted(time for time in times if time is not None)
    reliable = len(set(ascending)) == len(times) and all(a <= b for a, b in pairwise(clock))
    return ascending if reliable else None


def _upright(rgb: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """`rgb` turned and mirrored as a display matrix says, without copying.

    Parameters
    ----------
    rgb : (H, W, 3) array
    matrix : (9,) int32 array
        FFmpeg's display matrix: a pixel at ``(x, y)`` is shown at
        ``(m[0] x + m[3] y, m[1] x + m[4] y)``, up to scale and shift. Angles between
        quarter turns count as the nearest one.
    """
    xx, xy, _, yx, yy = (int(m) for m in matrix[:5])
    if abs(xy) > abs(xx):
        rgb, xx, yy = rgb.transpose(1, 0, 2), yx, xy
    return rgb[:: -1 if yy < 0 else 1, :: -1 if xx < 0 else 1]

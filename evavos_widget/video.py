"""Frames of a video as RGB arrays, from a folder, a file, an array or a URL; lazy and cached."""

from __future__ import annotations

import hashlib
import operator
import os
import threading
import uuid
import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evavos_widget.files import plain_name
from evavos_widget.video_pictures import PICTURE_SUFFIXES, list_pictures
from evavos_widget.video_sources import ArrayReader, Reader, Source, open_source

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["PICTURE_SUFFIXES", "Video", "check_frame", "list_pictures"]


class Video:
    """N frames of one size, read when they are asked for; open one with `Video.open`.

    Frames that were read stay in memory, least recently used first out, within a bound of
    bytes. All methods may be called from any thread. A video can be pickled: it is opened
    again where it is unpickled.

    Attributes
    ----------
    n_frames, height, width : int
        Frames, and pixels of each.
    fps : float
        Frames per second: the file's average rate, or 24 where the source has none.
    name : str
    source : str, list of str or None
        What `Video.open` takes to open the same video again; None for arrays.
    frame_names : tuple of str
        What each frame is called, for files that belong to it: the name of its picture file
        without suffix, or its number as in ``00042``. It is what it was at opening, whatever
        comes into a folder later; to open the same frames again, give it to `open`.
    frame_files : tuple of str
        The picture file of each frame, from the folder on that holds all of them, as in
        ``clip/00042.png``; for a video without, the name that FFmpeg would be asked to write.
    paths : tuple of Path
        The files on this machine that the video is read from; none for arrays.
    token : UUID
        Names this object to engines that several videos share; never used again.
    warnings : tuple of str
        A sentence for everything found wrong with the source that did not prevent opening.
    """

    def __init__(self, opened: Source, name: str, cache_bytes: int) -> None:
        reader = opened.reader
        self.n_frames = reader.n_frames
        self.height = reader.height
        self.width = reader.width
        self.fps = reader.fps
        self.warnings: tuple[str, ...] = (*opened.notices, *reader.warnings)
        self.name = name
        self.source = opened.origin
        self.frame_names: tuple[str, ...] = opened.frame_names
        self.frame_files: tuple[str, ...] = opened.frame_files or tuple(
            f"{plain_name(name)}/{n}.jpg" for n in opened.frame_names
        )
        self.paths: tuple[Path, ...] = reader.paths
        self.token = uuid.uuid4()
        self.cache_bytes = cache_bytes
        self._frame_bytes = self.height * self.width * 3
        self._reader: Reader | None = reader
        # What decodes refers to itself: files of videos that nobody has would stay open until the
        # next collection.
        self._let_go = weakref.finalize(self, reader.close)
        self._let_go.atexit = False
        self._cache: OrderedDict[int, np.ndarray] = OrderedDict()
        self._fingerprint: str | None = None
        self._lock = threading.RLock()
        self._quick_lock = threading.Lock()

    @classmethod
    def open(
        cls,
        source: Video | str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | ArrayLike,
        *,
        name: str | None = None,
        frame_names: Sequence[str] | None = None,
        cache_bytes: int = 128 * 2**20,
    ) -> Video:
        """Open a video.

        Grey, palette, CMYK and 16-bit sources become 8-bit RGB; transparency is dropped.
        EXIF orientation and a video file's rotation are applied.

        Parameters
        ----------
        source : str, path, list of paths, array or Video
            - a folder of JPEG or PNG files, or of TIFF files where there are none of these, in
              natural order (``f2`` before ``f10``), hidden
              files left out; or a pattern such as ``clip/*.jpg``. Masks that lie among the
              frames are left out, or it is refused where they cannot be told apart.
            - any file FFmpeg reads; frame i is the i-th one it decodes. Of several streams of
              pictures it is the one that players take. A TIFF or WebP file of several pages.
            - a list of picture files
            - a URL that fsspec knows, of a file, a folder or a pattern; what is remote is
              copied once to the user's cache folder. A URL whose last part has no suffix
              is a folder.
            - (N, H, W, 3) RGB or (N, H, W) grey array: uint8, uint16 or float in [0, 1];
              it is not copied, so it must not change afterwards
            - a `Video`, returned as it is
        name : str, optional
            By default the name of the folder or file.
        frame_names : sequence of str, optional
            `Video.frame_names` of an earlier opening: only these frames are opened, in this
            order, whatever else is in the folder by now. Where there are as many frames
            under other names, or the frames have no names of their own, they get these.
        cache_bytes : int
            Bound on the frames held in memory, in bytes. Default 128 MiB.

        Raises
        ------
        FileNotFoundError
            Nothing is at `source`, or a frame of `frame_names` is gone.
        ValueError
            There are no frames, they differ in size, frames cannot be told from masks, the
            array does not fit the above, or `frame_names` cannot be names of files.
        TypeError
            `source` is of another kind.
        OSError
            The file is no video that FFmpeg can read.

        Examples
        --------
        >>> import numpy as np
        >>> video = Video.open(np.zeros((5, 120, 160, 3), np.uint8), name="dark")
        >>> video
        <Video 'dark': 5 frames of 160 x 120>
        >>> video[4].shape
        (120, 160, 3)
        """
        if isinstance(source, Video):
            return source
        opened = open_source(source, None if frame_names is None else list(frame_names))
        video = cls(opened, name or opened.name, cache_bytes)
        for sentence in video.warnings:
            warnings.warn(sentence, stacklevel=2)
        return video

    def frame(self, index: int) -> np.ndarray:
        """Frame `index`, 0 <= index < n_frames.

        Returns
        -------
        (H, W, 3) uint8 array, RGB, read-only

        Raises
        ------
        IndexError
            There is no such frame.
        OSError
            The frame cannot be read; the others stay usable.
        """
        index = check_frame(index, self.n_frames)
        with self._lock:
            if index in self._cache:
                self._cache.move_to_end(index)
                return self._cache[index]
            # Half the cache for frames before the one asked for leaves the other half alone.
            room = self.cache_bytes // self._frame_bytes // 2
            frame = self._open_reader().read(index, room, self._keep)
            self._keep(index, frame)
            return frame

    def quick_frame(self, index: int) -> tuple[int, np.ndarray]:
        """Something of the moment of frame `index`, at once; for looking around in a video.

        A frame of a video file may need hundreds of others before it to be decoded. This
        does not wait for them, nor for another thread that does.

        Parameters
        ----------
        index : int

        Returns
        -------
        index : int
            Of the frame that is given: the one asked for where it is at hand, or the nearest
            one that can be decoded by itself.
        frame : (H, W, 3) uint8 array, RGB, read-only
        """
        index = check_frame(index, self.n_frames)
        frame = self._cache.get(index)  # one step, which needs no lock
        if frame is not None:
            return index, frame
        with self._quick_lock:
            found = self._open_reader().quick(index)
        if found is None:
            return index, self.frame(index)
        found[1].flags.writeable = False
        return found

    def _keep(self, index: int, frame: np.ndarray) -> None:
        if frame.flags.writeable:
            frame.flags.writeable = False
        self._cache[index] = frame
        self._cache.move_to_end(index)
        while len(self._cache) * self._frame_bytes > self.cache_bytes:
            self._cache.popitem(last=False)

    def jpeg(self, index: int, quality: int = 90) -> bytes:
        """Frame `index` as a JPEG file.

        The bytes of the file on disk where that is an upright grey or RGB JPEG;
        otherwise encoded at `quality` (1 to 100).
        """
        index = check_frame(index, self.n_frames)
        with self._lock:
            original = self._open_reader().original_jpeg(index)
        if original is not None:
            return original
        import cv2

        bgr = np.ascontiguousarray(self.frame(index)[..., ::-1])
        return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()

    def fingerprint(self) -> str:
        """32 hexadecimal digits that stay the same whenever the same video is opened.

        Made from the sizes and a 16 x 16 grid of pixels of the first, the middle and the
        last frame, or in a video file of the key frames before these, which are read at
        once; a frame that cannot be read counts as such.
        """
        with self._lock:
            if self._fingerprint is None:
                self._fingerprint = self._digest(self._open_reader().anchor)
            return self._fingerprint

    def first_fingerprint(self) -> str:
        """The fingerprint of version 0.1, which took the middle and last frame themselves."""
        return self._digest(lambda frame: frame)

    def _digest(self, taken: Callable[[int], int]) -> str:
        digest = hashlib.blake2b(digest_size=16)
        digest.update(f"{self.n_frames} {self.height} {self.width}".encode())
        rows = np.linspace(0, self.height - 1, 16).astype(int)
        columns = np.linspace(0, self.width - 1, 16).astype(int)
        for frame in (0, self.n_frames // 2, self.n_frames - 1):
            try:
                digest.update(self.frame(taken(frame))[np.ix_(rows, columns)].tobytes())
            except OSError:
                digest.update(b"unreadable")
        return digest.hexdigest()

    def close(self) -> None:
        """Let go of the file and the cached frames; the video cannot be read afterwards."""
        with self._lock, self._quick_lock:
            self._let_go()
            self._reader = None
            self._cache.clear()

    def _open_reader(self) -> Reader:
        if self._reader is None:
            raise ValueError(f"the video {self.name!r} is closed; open it again to read frames.")
        return self._reader

    def __len__(self) -> int:
        return self.n_frames

    def __getitem__(self, index: int) -> np.ndarray:
        """Like `frame`; negative indices count from the end."""
        index = _whole(index, self.n_frames)
        return self.frame(index + self.n_frames if -self.n_frames <= index < 0 else index)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self.frame(i) for i in range(self.n_frames))

    def __enter__(self) -> Video:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        reader = self._open_reader()
        source = reader.array if isinstance(reader, ArrayReader) else self.source
        return _reopen, (source, self.name, self.frame_names, self.cache_bytes)

    def __repr__(self) -> str:
        return f"<Video {self.name!r}: {self.n_frames} frames of {self.width} x {self.height}>"


def check_frame(frame: int, n_frames: int) -> int:
    """Index of a frame in a video of `n_frames`, if it is one.

    Raises
    ------
    IndexError
        There is no such frame.
    TypeError
        It is no whole number.
    """
    index = _whole(frame, n_frames)
    if not 0 <= index < n_frames:
        raise IndexError(f"there is no frame {index} in the video; give 0 to {n_frames - 1}.")
    return index


def _whole(frame: Any, n_frames: int) -> int:
    try:
        return operator.index(frame)
    except TypeError:
        raise TypeError(
            f"{frame!r} is no frame; give a whole number, 0 to {n_frames - 1}."
        ) from None


def _reopen(source: Any, name: str, frame_names: Sequence[str], cache_bytes: int) -> Video:
    # What is wrong with the video was said when it was opened first.
    return Video(open_source(source, list(frame_names)), name, cache_bytes)

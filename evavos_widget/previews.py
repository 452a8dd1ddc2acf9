"""View-sized pictures of a video's frames on disk, for looking around in long videos.

Decoding one frame of a video file may take a second. Small JPEG files are made while nobody
waits, and kept for the next time; they are a cache that may be deleted at any time.
"""

from __future__ import annotations

import copy
import hashlib
import os
import shutil
import threading
from bisect import bisect_left, insort
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from evavos_widget.files import cache_folder
from evavos_widget.interruption import NotWantedError, while_wanted
from evavos_widget.video import Video

__all__ = ["Previews"]

VIEW_WIDTH = 960
"""Pixels across, about what a notebook's cell shows."""

MAX_BYTES = 2**30
"""Of all videos together, 1 GiB: 15,000 to 25,000 pictures of 40 to 70 KB."""

_QUALITY = 75
"""JPEG quality."""

_END = b"\xff\xd9"
"""What a whole JPEG file ends with."""


class Previews:
    """Pictures of a video for looking around; all methods may be called from any thread.

    Parameters
    ----------
    video : Video
    width : int
        Of the pictures, in pixels, at most; a smaller video keeps its size.
    folder : path-like, optional
        Default: ``previews`` in the cache folder.
    max_bytes : int
        Bound on the folder. The videos that were not looked at for longest go first.
    """

    def __init__(
        self,
        video: Video,
        *,
        width: int = VIEW_WIDTH,
        folder: str | os.PathLike[str] | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.video = video
        self.width = min(max(1, width), video.width)
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._sizes: dict[int, int] = {}
        self._kept = bool(video.paths)
        if self._kept:
            try:
                self._all = Path(folder) if folder is not None else cache_folder() / "previews"
                self._folder = self._all / self._key()
                self._folder.mkdir(parents=True, exist_ok=True)
                os.utime(self._folder)
                self._sizes = _pictures(self._folder)
            except OSError:  # a place that cannot be written to
                self._kept = False
        self._order = sorted(self._sizes)
        self._bytes = sum(self._sizes.values())

    def _key(self) -> str:
        """Another one for every video, and after its files change."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(f"{self.video.n_frames} {self.width}".encode())
        for path in self.video.paths:
            known = path.stat() if path.exists() else None
            digest.update(f"{path} {known and (known.st_size, known.st_mtime_ns)}".encode())
        return digest.hexdigest()

    @property
    def frames(self) -> list[int]:
        """Frames whose pictures are there, ascending."""
        with self._lock:
            return list(self._order)

    def get(self, frame: int) -> bytes | None:
        """The picture of a frame as a JPEG file, if it was made."""
        with self._lock:
            if frame not in self._sizes:
                return None
        try:
            data = self._path(frame).read_bytes()
        except OSError:
            data = b""
        if data.endswith(_END):
            return data
        self._forget(frame)  # deleted by somebody, or cut short when the machine went off
        return None

    def quick(self, frame: int) -> tuple[int, bytes]:
        """Something of the moment of a frame, at once.

        Returns
        -------
        frame : int
            Whose picture it is: the one asked for if it was made, or else the nearest one
            that was made or that can be decoded by itself.
        picture : bytes
            A JPEG file.
        """
        if (data := self.get(frame)) is not None:
            return frame, data
        found, image = self.video.quick_frame(frame)
        near = self._nearest(frame)
        if near is not None and abs(near - frame) < abs(found - frame):
            data = self.get(near)
            if data is not None:
                return near, data
        return found, self._made(found, image)

    def fill(self, go_on: Callable[[], bool], *, around: int = 0) -> bool:
        """Make pictures that are missing, as long as nobody waits.

        The video is opened once more for it, so that it does not get into the way of who
        reads the frames.

        Parameters
        ----------
        go_on : callable
            Asked before each picture, and while one is decoded; False stops.
        around : int
            Where to begin: from this frame to the end, then from the start.

        Returns
        -------
        bool
            Whether all are there, or as many as there is room for.
        """
        if not self._kept:
            return True
        n = self.video.n_frames
        missing = [i for i in (*range(around, n), *range(around)) if i not in self._sizes]
        if not missing:
            return True
        with copy.copy(self.video) as video:
            video.cache_bytes = 0  # each frame is looked at once
            for i in missing:
                if not go_on():
                    return False
                try:
                    with while_wanted(go_on):
                        image = video.frame(i)
                except NotWantedError:
                    return False
                except OSError:
                    continue
                if not self._room():
                    break
                self._made(i, image)
        return True

    def _made(self, frame: int, image: np.ndarray) -> bytes:
        """The picture of a frame, which is kept where there is room."""
        data = _jpeg(image, self.width)
        if self._kept and self._room():
            path = self._path(frame)
            temporary = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.tmp")
            try:
                temporary.write_bytes(data)
                os.replace(temporary, path)
            except OSError:  # a full disk, or the folder was deleted: it is only a cache
                temporary.unlink(missing_ok=True)
                return data
            with self._lock:
                if frame not in self._sizes:
                    insort(self._order, frame)
                self._bytes += len(data) - self._sizes.get(frame, 0)
                self._sizes[frame] = len(data)
        return data

    def _room(self) -> bool:
        """Whether there is room for one more picture, if need be in place of other videos'."""
        with self._lock:
            if self._bytes >= self.max_bytes:
                return False
            if len(self._sizes) % 64 == 0:  # others' folders are looked at now and then
                with suppress(OSError):  # the folder may be deleted at any time
                    _make_room(self._all, self._folder, self.max_bytes - self._bytes)
            return True

    def _nearest(self, frame: int) -> int | None:
        with self._lock:
            at = bisect_left(self._order, frame)
            near = self._order[max(0, at - 1) : at + 1]
            return min(near, key=lambda i: abs(i - frame), default=None)

    def _forget(self, frame: int) -> None:
        with self._lock:
            if (size := self._sizes.pop(frame, None)) is not None:
                self._bytes -= size
                self._order.remove(frame)

    def _path(self, frame: int) -> Path:
        return self._folder / f"{frame}.jpg"


def _pictures(folder: Path) -> dict[int, int]:
    """Bytes by frame; what a killed process left is removed."""
    sizes: dict[int, int] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            stem, _, suffix = entry.name.partition(".")
            if suffix == "jpg" and stem.isdecimal():
                sizes[int(stem)] = entry.stat().st_size
            elif suffix.endswith("tmp"):
                Path(entry.path).unlink(missing_ok=True)
    return sizes


def _make_room(folder: Path, own: Path, room: int) -> None:
    """Remove other videos' pictures until they take no more than `room` bytes."""
    others = []
    for other in folder.iterdir():
        if other == own or not other.is_dir():
            continue
        with suppress(FileNotFoundError):  # another process makes room too
            size = sum(entry.stat().st_size for entry in os.scandir(other) if entry.is_file())
            others.append((other.stat().st_mtime, size, other))
    total = sum(size for _, size, _ in others)
    for _, size, other in sorted(others):
        if total <= room:
            return
        shutil.rmtree(other, ignore_errors=True)
        total -= size


def _jpeg(image: np.ndarray, width: int) -> bytes:
    import cv2

    size = width, max(1, round(image.shape[0] * width / image.shape[1]))
    if size[0] != image.shape[1]:
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()

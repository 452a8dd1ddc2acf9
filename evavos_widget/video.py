"""Frames of a video as RGB arrays, from a folder, a file, an array or a URL; lazy and cached."""

from __future__ import annotations

import glob
import hashlib
import operator
import os
import re
import threading
import uuid
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from PIL import Image, ImageOps

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["PICTURE_SUFFIXES", "Video", "check_frame", "list_pictures"]

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png")
"""File names that count as frames when a folder is opened."""

DEFAULT_FPS = 24.0
"""Frames per second where the source does not say; the rate of DAVIS."""

_EXIF_ORIENTATION = 0x0112


class _Reader(Protocol):
    """Where the frames of a `Video` come from; called by one thread at a time."""

    n_frames: int
    height: int
    width: int
    fps: float
    warnings: tuple[str, ...]

    def read(self, index: int, room: int, keep: Callable[[int, np.ndarray], None]) -> np.ndarray:
        """Frame `index`; `keep` gets at most `room` others that came up on the way."""
        ...

    def original_jpeg(self, index: int) -> bytes | None:
        """Return the bytes of the frame's own JPEG file, if it can be shown as it is."""
        ...

    def close(self) -> None: ...


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
    token : UUID
        Names this object to engines that several videos share; never used again.
    warnings : tuple of str
        A sentence for everything found wrong with the source that did not prevent opening.
    """

    def __init__(
        self, reader: _Reader, source: str | list[str] | None, name: str, cache_bytes: int
    ) -> None:
        self.n_frames = reader.n_frames
        self.height = reader.height
        self.width = reader.width
        self.fps = reader.fps
        self.warnings = reader.warnings
        self.name = name
        self.source = source
        self.token = uuid.uuid4()
        self.cache_bytes = cache_bytes
        self._frame_bytes = self.height * self.width * 3
        self._reader: _Reader | None = reader
        self._cache: OrderedDict[int, np.ndarray] = OrderedDict()
        self._fingerprint: str | None = None
        self._lock = threading.RLock()

    @classmethod
    def open(
        cls,
        source: Video | str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | ArrayLike,
        *,
        name: str | None = None,
        cache_bytes: int = 256 * 2**20,
    ) -> Video:
        """Open a video.

        Grey, palette, CMYK and 16-bit sources become 8-bit RGB; transparency is dropped.
        EXIF orientation and a video file's rotation are applied.

        Parameters
        ----------
        source : str, path, list of paths, array or Video
            - a folder of JPEG or PNG files, in natural order (``f2`` before ``f10``), hidden
              files left out; or a pattern such as ``clip/*.jpg``
            - any file FFmpeg reads; frame i is the i-th one it decodes
            - a list of picture files
            - a URL that fsspec knows, of a file, a folder or a pattern; what is remote is
              copied once to the user's cache folder. A URL whose last part has no suffix
              is a folder.
            - (N, H, W, 3) RGB or (N, H, W) grey array: uint8, uint16 or float in [0, 1];
              it is not copied, so it must not change afterwards
            - a `Video`, returned as it is
        name : str, optional
            By default the name of the folder or file.
        cache_bytes : int
            Bound on the frames held in memory, in bytes. Default 256 MiB.

        Raises
        ------
        FileNotFoundError
            Nothing is at `source`.
        ValueError
            There are no frames, they differ in size, or the array does not fit the above.
        TypeError
            `source` is of another kind.
        OSError
            The file is no video that FFmpeg can read.
        """
        if isinstance(source, Video):
            return source
        reader, origin, default_name = _open_reader(source)
        video = cls(reader, origin, name or default_name, cache_bytes)
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
        last frame; a frame that cannot be read counts as such.
        """
        with self._lock:
            if self._fingerprint is None:
                digest = hashlib.blake2b(digest_size=16)
                digest.update(f"{self.n_frames} {self.height} {self.width}".encode())
                rows = np.linspace(0, self.height - 1, 16).astype(int)
                columns = np.linspace(0, self.width - 1, 16).astype(int)
                for i in (0, self.n_frames // 2, self.n_frames - 1):
                    try:
                        digest.update(self.frame(i)[np.ix_(rows, columns)].tobytes())
                    except OSError:
                        digest.update(b"unreadable")
                self._fingerprint = digest.hexdigest()
            return self._fingerprint

    def close(self) -> None:
        """Let go of the file and the cached frames; the video cannot be read afterwards."""
        with self._lock:
            if self._reader is not None:
                self._reader.close()
            self._reader = None
            self._cache.clear()

    def _open_reader(self) -> _Reader:
        if self._reader is None:
            raise ValueError(f"the video {self.name!r} is closed; open it again to read frames.")
        return self._reader

    def __len__(self) -> int:
        return self.n_frames

    def __getitem__(self, index: int) -> np.ndarray:
        """Like `frame`; negative indices count from the end."""
        index = operator.index(index)
        return self.frame(index + self.n_frames if -self.n_frames <= index < 0 else index)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self.frame(i) for i in range(self.n_frames))

    def __enter__(self) -> Video:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        reader = self._open_reader()
        source = reader.array if isinstance(reader, _ArrayReader) else self.source
        return _reopen, (source, self.name, self.cache_bytes)

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
    index = operator.index(frame)
    if not 0 <= index < n_frames:
        raise IndexError(f"there is no frame {index} in the video; give 0 to {n_frames - 1}.")
    return index


def list_pictures(folder: str | os.PathLike[str]) -> list[Path]:
    """List the JPEG and PNG files in `folder`, in natural order, hidden files left out."""
    return sorted(
        (path for path in Path(folder).iterdir() if _is_picture(path.name)),
        key=lambda path: _natural(path.name),
    )


def _is_picture(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(PICTURE_SUFFIXES)


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a sort key under which numbers within names count as numbers."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts] + [(-2, name)]


def _reopen(source: Any, name: str, cache_bytes: int) -> Video:
    return Video.open(source, name=name, cache_bytes=cache_bytes)


def _open_reader(source: Any) -> tuple[_Reader, str | list[str] | None, str]:
    """Return the reader of `source`, what opens it again, and a name for it."""
    if isinstance(source, (str, os.PathLike)):
        location = os.fspath(source)
        if "://" in location or "::" in location:
            return _open_url(location)
        return _open_path(Path(location).expanduser().absolute())
    if isinstance(source, (list, tuple)):
        return _open_list(source)
    if hasattr(source, "__array__"):
        return _ArrayReader(np.asarray(source)), None, "video"
    raise TypeError(
        f"a video cannot be opened from {type(source).__name__}; "
        "give a folder, a file, a URL, a list of picture files or an (N, H, W, 3) array."
    )


def _open_path(path: Path) -> tuple[_Reader, str, str]:
    if path.is_dir():
        pictures = list_pictures(path)
        if not pictures:
            raise ValueError(
                f"the folder {path} holds no frames; give one with JPEG or PNG files in it."
            )
        return _PictureReader(pictures), str(path), path.name
    if path.is_file():
        return _open_file(path), str(path), path.stem
    pictures = [p for p in map(Path, glob.glob(str(path))) if not p.name.startswith(".")]
    if pictures:
        pictures.sort(key=lambda p: _natural(str(p)))
        return _PictureReader(pictures), str(path), path.parent.name
    raise FileNotFoundError(f"there is no file or folder {path}; check the path of the video.")


def _open_file(path: Path) -> _Reader:
    if path.suffix.lower() in PICTURE_SUFFIXES:
        return _PictureReader([path])
    from evavos_widget.video_file import VideoFileReader

    return VideoFileReader(path, DEFAULT_FPS)


def _open_list(source: Sequence[Any]) -> tuple[_Reader, list[str], str]:
    if not source:
        raise ValueError("the list of frames is empty; give at least one picture file.")
    for item in source:
        if not isinstance(item, (str, os.PathLike)):
            raise TypeError(
                f"the list of frames holds {type(item).__name__}; "
                "give paths, or stack arrays with numpy.stack."
            )
    places = [os.fspath(item) for item in source]
    places = [p if "://" in p else str(Path(p).expanduser().absolute()) for p in places]
    paths = _local_copies(places)
    for place, path in zip(places, paths, strict=True):
        if not path.is_file():
            raise FileNotFoundError(f"there is no picture {place}; check the list of frames.")
    return _PictureReader(paths, places), places, Path(places[0]).parent.name


def _open_url(url: str) -> tuple[_Reader, str, str]:
    import fsspec
    from fsspec.implementations.local import LocalFileSystem

    fs, path = fsspec.url_to_fs(url)
    if isinstance(fs, LocalFileSystem):
        return _open_path(Path(path))
    last = path.rstrip("/").rsplit("/", 1)[-1]
    if glob.has_magic(path):
        found = fs.glob(path)
    elif "." not in last or path.endswith("/"):
        found = fs.ls(path, detail=False) if fs.exists(path) else []
    elif fs.exists(path):
        return _open_file(_local_copies([url])[0]), url, Path(last).stem
    else:
        raise FileNotFoundError(f"there is nothing at {url}; check the address of the video.")
    found = sorted((f for f in found if _is_picture(f.rsplit("/", 1)[-1])), key=_natural)
    if not found:
        raise ValueError(f"there are no frames at {url}; give a folder of JPEG or PNG files.")
    # In a chain such as zip://frames::s3://bucket/clip.zip only the first link is listed.
    rest = url.partition("::")[2]
    places = [fs.unstrip_protocol(f) + (f"::{rest}" if rest else "") for f in found]
    name = Path(path.rstrip("/")).parent.name if glob.has_magic(path) else last
    return _PictureReader(_local_copies(places), places), url, name or "video"


def _local_copies(places: list[str]) -> list[Path]:
    """Where `places` can be read as files; URLs are copied to the cache folder at first use."""
    urls = [place for place in places if "://" in place]
    if not urls:
        return [Path(place) for place in places]
    import fsspec
    from platformdirs import user_cache_path

    # check_files: a copy is used only while the original has not changed.
    options = {"cache_storage": str(user_cache_path("evavos-widget") / "videos")}
    copies = fsspec.open_local(
        [f"filecache::{url}" for url in urls], filecache={**options, "check_files": True}
    )
    local = dict(zip(urls, copies, strict=True))
    return [Path(local.get(place, place)) for place in places]


class _PictureReader:
    """Frames that are picture files, one each.

    Parameters
    ----------
    paths : list of Path
    names : list of str, optional
        What to call them in messages; by default their paths.
    """

    fps = DEFAULT_FPS

    def __init__(self, paths: list[Path], names: list[str] | None = None) -> None:
        self.n_frames = len(paths)
        self._paths = paths
        self._names = names or [str(path) for path in paths]
        self._shown_as_is = [False] * len(paths)
        self._problems: dict[int, str] = {}
        first: int | None = None
        for i, path in enumerate(paths):
            try:
                with Image.open(path) as image:
                    width, height = image.size
                    turned = _orientation(image)
                    self._shown_as_is[i] = (
                        image.format in ("JPEG", "MPO") and image.mode in ("L", "RGB")
                    ) and turned == 1
            except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
                self._problems[i] = _one_line(error)
                continue
            if turned >= 5:  # EXIF: rows and columns change places
                width, height = height, width
            if first is None:
                first, self.height, self.width = i, height, width
            elif (height, width) != (self.height, self.width):
                raise ValueError(
                    f"the frames differ in size: {self._names[i]} is {width} x {height}, "
                    f"{self._names[first]} is {self.width} x {self.height}; "
                    "give pictures of one size."
                )
        if first is None:
            raise ValueError(
                f"none of the {len(paths)} frames can be read, the first being "
                f"{self._names[0]} ({self._problems[0]}); give JPEG or PNG files."
            )
        self.warnings = tuple(
            f"frame {i} cannot be read: {self._names[i]} ({problem}); replace that file."
            for i, problem in self._problems.items()
        )

    def read(self, index: int, room: int, keep: Callable[[int, np.ndarray], None]) -> np.ndarray:
        name = self._names[index]
        try:
            frame = self._fast(index)
            if frame is None:
                with Image.open(self._paths[index]) as image:
                    frame = _rgb(image)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise OSError(
                f"frame {index} cannot be read: {name} ({_one_line(error)}); replace that file."
            ) from error
        if frame.shape[:2] != (self.height, self.width):
            raise OSError(
                f"frame {index} is {frame.shape[1]} x {frame.shape[0]} in {name}, but the video "
                f"is {self.width} x {self.height}; the file changed, open the video again."
            )
        return frame

    def original_jpeg(self, index: int) -> bytes | None:
        if not self._shown_as_is[index]:
            return None
        data = self._paths[index].read_bytes()
        # Without its end marker the file is cut short; decoding it will say so.
        return data if b"\xff\xd9" in data[-1024:] else None

    def _fast(self, index: int) -> np.ndarray | None:
        """Decode with OpenCV, in half of Pillow's time; None where Pillow has to look."""
        data = self.original_jpeg(index)
        if data is None:
            return None
        import cv2

        bgr = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
        return None if bgr is None else cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)

    def close(self) -> None:
        pass


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1 to 8, from the header alone (a PNG may be decoded to look further)."""
    if image.format in ("JPEG", "MPO") or "exif" in image.info:
        return image.getexif().get(_EXIF_ORIENTATION, 1)
    return 1


def _rgb(image: Image.Image) -> np.ndarray:
    """(H, W, 3) uint8 from a picture of any mode, upright."""
    if _orientation(image) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        return np.repeat(_to_uint8(np.asarray(image))[..., None], 3, axis=2)
    if image.mode in ("I", "F"):
        raise OSError(f"its pixels are 32-bit, mode {image.mode}")
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return np.asarray(image.convert("RGB"))


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


class _ArrayReader:
    """Frames of an array in memory."""

    fps = DEFAULT_FPS
    warnings = ()

    def __init__(self, array: np.ndarray) -> None:
        if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[3] != 3):
            raise ValueError(
                f"the video array has shape {array.shape}; give (N, H, W, 3) RGB or (N, H, W) grey."
            )
        if 0 in array.shape:
            raise ValueError(
                f"the video array has shape {array.shape}, which is 0 frames or pixels; "
                "give at least one of each."
            )
        if array.dtype not in (np.uint8, np.uint16) and array.dtype.kind != "f":
            raise ValueError(
                f"the video array has dtype {array.dtype}; "
                "give uint8, uint16, or float between 0 and 1."
            )
        if array.dtype.kind == "f":
            for i, frame in enumerate(array):
                low, high = frame.min(), frame.max()
                if not (np.isfinite(low) and np.isfinite(high)):
                    raise ValueError(
                        f"frame {i} of the video array is not finite; replace NaN and infinity."
                    )
                if low < 0 or high > 1:
                    raise ValueError(
                        f"frame {i} of the video array spans {low:g} to {high:g}; "
                        "scale floats to between 0 and 1, or convert to uint8."
                    )
        self.array = array
        self.n_frames, self.height, self.width = array.shape[:3]

    def read(self, index: int, room: int, keep: Callable[[int, np.ndarray], None]) -> np.ndarray:
        frame = _to_uint8(self.array[index])
        if frame.ndim == 2:
            frame = np.repeat(frame[..., None], 3, axis=2)
        return frame.view()

    def original_jpeg(self, index: int) -> None:
        return None

    def close(self) -> None:
        pass


def _to_uint8(pixels: np.ndarray) -> np.ndarray:
    """8 bits from uint8, uint16 (the high byte) or float in [0, 1] (rounded)."""
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype.kind == "f":
        return np.rint(pixels * 255).astype(np.uint8)
    return (pixels >> 8).astype(np.uint8)

"""What `Video.open` takes, and the reader and the names that come of it."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from evavos_widget.files import is_plain_name, is_regular
from evavos_widget.video_pictures import (
    DEFAULT_FPS,
    PICTURE_SUFFIXES,
    PictureReader,
    count_pages,
    is_picture,
    list_pictures,
    natural,
    nearly_black,
    one_series,
    pictures_among,
    to_uint8,
)

__all__ = ["ArrayReader", "Reader", "Source", "is_video", "open_source"]

_VIDEO_SUFFIXES = (
    *(".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts"),
    *(".ogv", ".webm", ".wmv"),
)

_PAGED_SUFFIXES = (".tif", ".tiff", ".webp")
"""Files whose pages FFmpeg does not read."""


class Reader(Protocol):
    """Where the frames of a `Video` come from; called by one thread at a time."""

    n_frames: int
    height: int
    width: int
    fps: float
    warnings: tuple[str, ...]
    paths: tuple[Path, ...]

    def read(self, index: int, room: int, keep: Callable[[int, np.ndarray], None]) -> np.ndarray:
        """Frame `index`; `keep` gets at most `room` others that came up on the way."""
        ...

    def quick(self, index: int) -> tuple[int, np.ndarray] | None:
        """A frame near `index` that is there sooner, if so; safe beside a `read`."""
        ...

    def anchor(self, index: int) -> int:
        """The last frame up to `index` that is read without others before it."""
        ...

    def original_jpeg(self, index: int) -> bytes | None:
        """Return the bytes of the frame's own JPEG file, if it can be shown as it is."""
        ...

    def close(self) -> None:
        """Let go of files."""
        ...


class Source(NamedTuple):
    """A video that was found.

    Parameters
    ----------
    reader : Reader
    origin : str, list of str or None
        What opens it again.
    name : str
    frame_names, frame_files : tuple of str
        See `evavos_widget.video.Video`; no files where frames have none of their own.
    notices : tuple of str
        Sentences on what was left out.
    """

    reader: Reader
    origin: str | list[str] | None
    name: str
    frame_names: tuple[str, ...]
    frame_files: tuple[str, ...]
    notices: tuple[str, ...] = ()


def open_source(source: Any, frame_names: list[str] | None) -> Source:
    """Open what `Video.open` takes; see there."""
    if frame_names is not None:
        _check_names(frame_names)
    if isinstance(source, (str, os.PathLike)):
        location = os.fspath(source)
        if "\0" in location:
            raise ValueError(f"{location!r} is no path; a path holds no null character.")
        if "://" in location or "::" in location:
            return _open_url(location, frame_names)
        return _open_path(Path(location).expanduser().absolute(), frame_names)
    if isinstance(source, (list, tuple)):
        return _open_list(source, frame_names)
    if hasattr(source, "__array__"):
        return _numbered(ArrayReader(np.asarray(source)), None, "video", frame_names)
    raise TypeError(
        f"a video cannot be opened from {type(source).__name__}; "
        "give a folder, a file, a URL, a list of picture files or an (N, H, W, 3) array."
    )


def is_video(path: Path) -> bool:
    """Whether a file of a folder is a video: by its name, or a picture file of several pages."""
    suffix = path.suffix.lower()
    may_be = (*_PAGED_SUFFIXES, ".gif", ".png", ".apng")
    return suffix in _VIDEO_SUFFIXES or (suffix in may_be and count_pages(path) > 1)


def _check_names(names: list[str]) -> None:
    for name in names:
        if not is_plain_name(name):
            raise ValueError(
                f"{str(name)[:80]!r} cannot be the name of a frame; give names of files without "
                "folder and suffix."
            )
    if len(set(names)) < len(names):
        raise ValueError("frame_names holds a name twice; give each frame a name of its own.")


def _open_path(path: Path, names: list[str] | None) -> Source:
    if path.is_dir():
        pictures = list_pictures(path)
        if not pictures:
            raise ValueError(
                f"the folder {path} holds no frames; give one with JPEG, PNG or TIFF files in it."
            )
        return _pictures(pictures, None, str(path), path.name, names)
    if is_regular(path):
        return _open_file(path, str(path), path.stem, names)
    # The folder may have characters of a pattern in its name, as "clip [1]".
    inside = path.parent.is_dir()
    found = glob.glob(path.name, root_dir=path.parent) if inside else glob.glob(str(path))
    pictures = [path.parent / name for name in found if not Path(name).name.startswith(".")]
    # What is no picture was hardly meant, unless there is nothing else.
    pictures = [p for p in pictures if is_picture(p.name)] or pictures
    pictures = [p for p in pictures if is_regular(p) or not p.exists()]
    if pictures:
        pictures.sort(key=lambda p: natural(str(p)))
        return _pictures(pictures, None, str(path), path.parent.name, names)
    if path.exists():
        raise ValueError(
            f"{path} is neither a file nor a folder, but a pipe or a device; give a video file."
        )
    raise FileNotFoundError(f"there is no file or folder {path}; check the path of the video.")


def _open_file(path: Path, origin: str, name: str, names: list[str] | None) -> Source:
    suffix = path.suffix.lower()
    if suffix in _PAGED_SUFFIXES:
        return _numbered(_pages(path, count_pages(path)), origin, name, names)
    # An animation may be called like a picture, as APNG is.
    if suffix in PICTURE_SUFFIXES and count_pages(path) == 1:
        return _pictures([path], None, origin, name, names)
    from evavos_widget.video_file import VideoFileReader

    reader: Reader = VideoFileReader(path, DEFAULT_FPS)
    # Of a GIF whose pictures have no times FFmpeg sees the first only.
    if suffix == ".gif" and (pages := count_pages(path)) > reader.n_frames:
        reader = _pages(path, pages)
    return _numbered(reader, origin, name, names)


def _pages(path: Path, n: int) -> PictureReader:
    return PictureReader([path] * n, pages=list(range(n)))


def _open_list(source: Sequence[Any], names: list[str] | None) -> Source:
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
        if not path.is_file() and not path.exists():
            raise FileNotFoundError(f"there is no picture {place}; check the list of frames.")
    return _pictures(paths, places, places, Path(places[0]).parent.name, names)


def _open_url(url: str, names: list[str] | None) -> Source:
    import fsspec
    from fsspec.implementations.local import LocalFileSystem

    fs, path = fsspec.url_to_fs(url)
    if isinstance(fs, LocalFileSystem):
        return _open_path(Path(path), names)
    last = path.rstrip("/").rsplit("/", 1)[-1]
    if glob.has_magic(path):
        found = fs.glob(path)
    elif "." not in last or path.endswith("/"):
        found = fs.ls(path, detail=False) if fs.exists(path) else []
    elif fs.exists(path):
        return _open_file(_local_copies([url])[0], url, Path(last).stem, names)
    else:
        raise FileNotFoundError(f"there is nothing at {url}; check the address of the video.")
    found = pictures_among(found)
    if not found:
        raise ValueError(f"there are no frames at {url}; give a folder of JPEG, PNG or TIFF files.")
    # In a chain such as zip://frames::s3://bucket/clip.zip only the first link is listed.
    rest = url.partition("::")[2]
    places = [fs.unstrip_protocol(f) + (f"::{rest}" if rest else "") for f in found]
    name = Path(path.rstrip("/")).parent.name if glob.has_magic(path) else last
    return _pictures(_local_copies(places), places, url, name or "video", names)


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


# Names ----------------------------------------------------------------------------------


def _pictures(
    paths: list[Path],
    places: list[str] | None,
    origin: str | list[str],
    name: str,
    names: list[str] | None,
) -> Source:
    """Frames that are picture files; `places` are what they are called, by default `paths`.

    Of a list every file is a frame; of a folder or a pattern, the frames are looked for.
    """
    notices: tuple[str, ...] = ()
    called = {_called(place): i for i, place in enumerate(places or map(str, paths))}
    if not isinstance(origin, list):
        kept, notice = one_series(list(called))
        notices = () if notice is None else (notice,)
        called = {place: called[place] for place in kept}
    order, files = list(called.values()), list(called)
    if isinstance(origin, list):  # in which a file may come several times
        order, files = list(range(len(paths))), [_called(p) for p in places or map(str, paths)]
    own = [file.stem for file in files]
    if names is not None and len(set(own)) == len(own):
        at = {stem: k for k, stem in enumerate(own)}
        if missing := [n for n in names if n not in at]:
            if len(names) != len(own):
                raise FileNotFoundError(
                    f"{len(missing)} of {len(names)} frames are no longer in {name!r}, the first "
                    f"being {missing[0]!r}; put them back, or give the video's new place."
                )
        else:
            order, files = [order[at[n]] for n in names], [files[at[n]] for n in names]
            own = names
    reader = PictureReader(
        [paths[i] for i in order], None if places is None else [places[i] for i in order]
    )
    if names is None:
        plain = len(set(own)) == len(own) and all(map(is_plain_name, own))
        names = own if plain else _numbers(len(own))
    _check_count(names, len(files))
    above = Path(os.path.commonpath([file.parent for file in files])).parent
    listed = tuple(file.relative_to(above).as_posix() for file in files)
    return Source(reader, origin, name, tuple(names), listed, notices)


def _called(place: str) -> Path:
    """The path of a file or of a URL, whose chain and query do not count."""
    if "://" not in place:
        return Path(place)
    first = place.partition("::")[0].partition("://")[2]
    return Path("/", re.split(r"[?#]", first)[0])


def _numbered(reader: Reader, origin: str | None, name: str, names: list[str] | None) -> Source:
    """Frames that have no files of their own."""
    names = _numbers(reader.n_frames) if names is None else names
    _check_count(names, reader.n_frames)
    return Source(reader, origin, name, tuple(names), ())


def _numbers(n: int) -> list[str]:
    return [f"{i:05d}" for i in range(n)]


def _check_count(names: list[str], n: int) -> None:
    if len(names) != n:
        raise ValueError(
            f"there are {len(names)} names for {n} frames; give one for every frame, or none."
        )


# Arrays ---------------------------------------------------------------------------------


class ArrayReader:
    """Frames of an array in memory."""

    fps = DEFAULT_FPS
    paths = ()

    def __init__(self, array: np.ndarray) -> None:
        if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[3] != 3):
            raise ValueError(
                f"the video array has shape {array.shape}; give (N, H, W, 3) RGB or (N, H, W) grey."
            )
        if array.ndim == 3 and array.shape[2] in (3, 4):
            raise ValueError(
                f"the video array has shape {array.shape}, which is one picture; for a video of "
                "one frame give array[None]."
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
        self.warnings = tuple(nearly_black(array, "the video array"))
        self.n_frames, self.height, self.width = array.shape[:3]

    def read(self, index: int, room: int, keep: Callable[[int, np.ndarray], None]) -> np.ndarray:
        """Frame `index`; nothing else comes up on the way."""
        frame = to_uint8(self.array[index])
        if frame.ndim == 2:
            frame = np.repeat(frame[..., None], 3, axis=2)
        return frame.view()

    def quick(self, index: int) -> None:
        """Return None: no other frame is there sooner."""
        return None

    def anchor(self, index: int) -> int:
        """`index` itself: every frame stands alone."""
        return index

    def original_jpeg(self, index: int) -> None:
        """Return None: no frame of an array is a JPEG file."""
        return None

    def close(self) -> None:
        """Nothing stays open."""

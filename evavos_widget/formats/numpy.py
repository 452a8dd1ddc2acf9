"""Masks as arrays: one ``.npz`` out; ``.npz``, ``.npy``, arrays and mappings in."""

from __future__ import annotations

import operator
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from evavos_widget.files import one_line
from evavos_widget.formats.base import Format, Job, MaskSource
from evavos_widget.label_ids import Convention, RawMask, decide, raw_mask
from evavos_widget.masks import LabelMaps, as_label_map
from evavos_widget.video import Video

__all__ = ["FORMAT", "read", "read_file", "write"]


def write(job: Job, file: Path) -> None:
    """Make the file."""
    arrays = {
        "object_ids": np.array([o["id"] for o in job.objects], dtype=np.int64),
        "object_names": np.array([o["name"] for o in job.objects], dtype=str),
        "object_colors": np.array([o["color"] for o in job.objects], dtype=str),
        "annotated_frames": np.array(job.annotated, dtype=np.int64),
        "frame_names": np.array(job.video.frame_names, dtype=str),
    }
    header = {"descr": "|u1", "fortran_order": False, "shape": job.masks.shape}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        # Frame by frame, because a long video does not fit into memory as one array.
        with archive.open("masks.npy", "w", force_zip64=True) as entry:
            np.lib.format.write_array_header_1_0(entry, header)
            for i, labels in enumerate(job.masks):
                entry.write(labels.tobytes())
                job.step(i + 1)
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)


def read(source: Any, wanted: MaskSource) -> Mapping[int, np.ndarray]:
    """Label maps by frame, from an array, `LabelMaps`, a sequence or a mapping."""
    video = wanted.video
    if not isinstance(source, Mapping):
        if not hasattr(source, "__len__"):
            raise TypeError(
                f"masks cannot be read from {type(source).__name__}; give a folder, a file, an "
                "(N, H, W) array, or a mapping of frame to mask."
            )
        if len(source) != video.n_frames:
            raise ValueError(
                f"there are masks for {len(source)} frames and the video has {video.n_frames}; "
                "give a mapping of frame to mask to leave some out."
            )
        if isinstance(source, LabelMaps):  # these are ids already
            return _Maps(range(len(source)), source, wanted.video, Convention())
        return _decided(range(len(source)), source, wanted)
    frames = {}
    for frame in source:
        try:
            index = operator.index(frame)
        except TypeError:
            raise TypeError(
                f"there is a mask for frame {frame!r}; give whole numbers, as in {{0: mask}}."
            ) from None
        if not 0 <= index < video.n_frames:
            raise ValueError(
                f"there is a mask for frame {frame}, outside the video; frames go from 0 to "
                f"{video.n_frames - 1}."
            )
        frames[index] = source[frame]
    return _decided(sorted(frames), frames, wanted)


def read_file(path: Path, wanted: MaskSource) -> Mapping[int, np.ndarray]:
    """Masks from an ``.npz`` or ``.npy`` file.

    Raises
    ------
    ValueError
        There is no array of masks in it, or one of another size than the video; that is
        known from its header, and nothing else is read then.
    """
    video = wanted.video
    size = video.height, video.width
    try:
        if not zipfile.is_zipfile(path):
            with path.open("rb") as entry:
                _check_header(entry, video)
            return read(np.load(path, mmap_mode="r", allow_pickle=False), wanted)
        with zipfile.ZipFile(path) as archive:
            with archive.open("masks.npy") as entry:
                dtype = _check_header(entry, video)
                frames = _frames(entry, video, dtype)
                small = dtype.itemsize == 1 and dtype.kind in "bu"  # then they fit into runs
                masks = LabelMaps.from_maps(frames, *size) if small else list(frames)
            # What this package wrote holds ids, whatever they look like.
            ours = "object_ids.npy" in archive.namelist()
    except _OtherArrayError as error:
        raise ValueError(f"{path}: {error}") from None
    except _UNREADABLE as error:
        raise ValueError(
            f"{path} holds no masks ({one_line(error)}); give an .npz file with an array named "
            "masks, an .npy file, a TIFF with a page for each frame, or a folder of PNG files."
        ) from error
    return read(masks, wanted) if ours else _decided(range(len(masks)), masks, wanted)


_UNREADABLE = (
    ArithmeticError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What NumPy and `zipfile` raise for files that are damaged or something else."""


class _OtherArrayError(Exception):
    """The array is sound, and not one of masks of this video."""


def _check_header(entry: IO[bytes], video: Video) -> np.dtype:
    """Read the header of an array, and refuse what cannot be masks of the video."""
    if entry.read(len(np.lib.format.MAGIC_PREFIX)) != np.lib.format.MAGIC_PREFIX:
        raise ValueError("it is no array that NumPy saved")
    entry.seek(0)
    version = np.lib.format.read_magic(entry)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(entry)
    elif version == (2, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(entry)
    else:
        raise ValueError(f"its format version {version} is not one of arrays of numbers")
    size = video.n_frames, video.height, video.width
    if shape != size:
        raise _OtherArrayError(
            f"the masks have shape {shape} and the video is {size} (frames, height, width); "
            "give masks of its own size."
        )
    if dtype.kind not in "buif" or fortran:
        raise _OtherArrayError(
            f"the masks are {dtype}{', column by column' if fortran else ''}; "
            "save booleans or integer ids, row by row."
        )
    return dtype


def _frames(entry: IO[bytes], video: Video, dtype: np.dtype) -> Iterator[np.ndarray]:
    """The masks of an array in an archive, of which one is in memory at a time."""
    for _ in range(video.n_frames):
        data = entry.read(video.height * video.width * dtype.itemsize)
        yield np.frombuffer(data, dtype).reshape(video.height, video.width)


def _decided(frames: Sequence[int], masks: Any, wanted: MaskSource) -> Mapping[int, np.ndarray]:
    """`masks` by the one convention of all of them."""
    maps = _Maps(frames, masks, wanted.video, Convention())
    convention = decide(((maps.name(frame), maps.raw(frame)) for frame in frames), wanted.ids)
    if convention.notice is not None:
        wanted.notices.append(convention.notice)
    return _Maps(frames, masks, wanted.video, convention)


class _Maps(Mapping[int, np.ndarray]):
    """Label maps of arrays, made when they are asked for."""

    def __init__(
        self, frames: Sequence[int], masks: Any, video: Video, convention: Convention
    ) -> None:
        self._frames, self._masks, self._convention = frames, masks, convention
        self._size = video.height, video.width

    def name(self, frame: int) -> str:
        return f"the mask for frame {frame}"

    def raw(self, frame: int) -> RawMask:
        raw = raw_mask(self._masks[frame], self.name(frame))
        if raw.values.shape != self._size:
            as_label_map(raw.values, *self._size, self.name(frame), copy=False)  # says so
        return raw

    def __getitem__(self, frame: int) -> np.ndarray:
        if frame not in self._frames:
            raise KeyError(frame)
        labels = self._convention.apply(self.raw(frame), self.name(frame))
        labels.flags.writeable = False
        return labels

    def __iter__(self) -> Iterator[int]:
        return iter(self._frames)

    def __len__(self) -> int:
        return len(self._frames)


FORMAT = Format(
    ".npz",
    "masks (N, H, W) uint8, object_ids, object_names, object_colors, annotated_frames, frame_names",
    write,
)
"""Arrays, in one file."""

"""Frames that are picture files: which of a folder's files they are, and how they are read."""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from evavos_widget.files import is_regular, one_line

__all__ = [
    "DEFAULT_FPS",
    "PICTURE_SUFFIXES",
    "UNREADABLE",
    "PictureReader",
    "count_pages",
    "is_picture",
    "list_pictures",
    "natural",
    "nearly_black",
    "one_series",
    "pictures_among",
    "to_uint8",
    "upright_size",
]

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png")
"""File names that count as frames when a folder is opened."""

_TIFF_SUFFIXES = (".tif", ".tiff")
"""File names that count as frames where no others do; beside frames they may be anything."""

_DARK = 2**12
"""Pixels of 16 bits that stay below this, as a camera of 12 bits leaves them, are shown in less
than a sixteenth of the range."""

DEFAULT_FPS = 24.0
"""Frames per second where the source does not say; the rate of DAVIS."""

_EXIF_ORIENTATION = 0x0112

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by its EXIF orientation (EXIF 2.3, tag 0x0112)."""

_MASK_COLOURS = 64
"""A picture with no more colours than these is taken for a mask beside frames."""

_MOST_SERIES = 20
"""Where the files of a folder have more patterns of names than these, nobody numbered them."""

_PROBED = 3
"""Pictures of a series that are looked at to tell masks from frames."""

UNREADABLE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    Image.DecompressionBombError,
    LookupError,
    MemoryError,
    OSError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What Pillow raises for files that are damaged, no picture, or a bomb; its readers of some
formats let through whatever their parsing came upon."""


# Which files ----------------------------------------------------------------------------


def list_pictures(folder: str | os.PathLike[str]) -> list[Path]:
    """List the frames in `folder`, in natural order; see `pictures_among`."""
    return [Path(folder, name) for name in pictures_among(os.listdir(folder))]


def pictures_among(paths: Iterable[str]) -> list[str]:
    """Those of some files that count as frames, in natural order.

    JPEG and PNG files, or TIFF files where there are none of these; hidden files never.
    """
    shown = [path for path in paths if not _name(path).startswith(".")]
    found = [path for path in shown if is_picture(_name(path))]
    tiffs = [path for path in shown if path.lower().endswith(_TIFF_SUFFIXES)]
    return sorted(found or tiffs, key=natural)


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def is_picture(name: str) -> bool:
    """Whether a file of this name counts as a frame."""
    return not name.startswith(".") and name.lower().endswith(PICTURE_SUFFIXES)


def natural(name: str) -> list[tuple[int, str]]:
    """Return a sort key under which numbers within names count as numbers."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts] + [(-2, name)]


def one_series(paths: Sequence[Path]) -> tuple[list[Path], str | None]:
    """Leave masks out that lie in one folder with their frames.

    Files named alike but for a number are a series. Two series that share numbers, or two
    types of file that share names, show the same frames twice.

    Parameters
    ----------
    paths : sequence of Path
        In the order of the video.

    Returns
    -------
    paths : list of Path
        Those of the frames.
    notice : str or None
        What was left out.

    Raises
    ------
    ValueError
        It cannot be told which of two series are the frames.
    """
    series: dict[str, list[Path]] = defaultdict(list)
    types: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        series[_pattern(path)].append(path)
        types[path.stem].add(_suffix(path))
    numbered = [s for name, s in series.items() if "#" in name]
    if len(numbered) > _MOST_SERIES:  # the numbers are part of names, and do not count
        numbered = []
    doubled = [
        s
        for name, s in series.items()
        if any(len(types[path.stem]) > 1 for path in s)
        or ("#" in name and any(_overlap(s, t) for t in numbered))
    ]
    if not doubled:
        return list(paths), None
    doubled = _joined(doubled)
    frames = [s for s in doubled if not _look_like_masks(s)]
    named = " and ".join(f"{s[0].name} ({len(s)} files)" for s in doubled)
    if len(frames) != 1:
        folder = paths[0].parent
        raise ValueError(
            f"{folder} holds several series of pictures for the same frames, {named}; give one of "
            f"them as a pattern such as {folder / _glob(doubled[0][0])!s}, or move the other away."
        )
    masks = {path for s in doubled if s is not frames[0] for path in s}
    return [path for path in paths if path not in masks], (
        f"{paths[0].parent} holds several series of pictures, {named}; {frames[0][0].name} and its "
        "like were opened, as the others look like masks."
    )


def _pattern(path: Path) -> str:
    """The name with its numbers left out, and one spelling of the suffix."""
    return re.sub(r"\d+", "#", path.stem) + _suffix(path)


def _suffix(path: Path) -> str:
    return path.suffix.lower().replace(".jpeg", ".jpg").replace(".tiff", ".tif")


def _glob(path: Path) -> str:
    return re.sub(r"\d+", "*", path.stem) + path.suffix


def _overlap(one: list[Path], other: list[Path]) -> bool:
    """Whether two series show the same frames: half of the shorter one's numbers are shared."""
    if one is other:
        return False
    if len(one) == 1 or len(other) == 1:
        single, rest = (one, other) if len(one) == 1 else (other, one)
        stem = single[0].stem
        return any(re.search(rf"(?<!\d){re.escape(p.stem)}(?!\d)", stem) for p in rest)
    shown = [_varying_numbers(s) for s in (one, other)]
    return 2 * len(shown[0] & shown[1]) >= min(map(len, shown))


def _varying_numbers(series: list[Path]) -> set[tuple[int, ...]]:
    """The numbers in each name, without those that all names have in common."""
    rows = [tuple(map(int, re.findall(r"\d+", path.stem))) for path in series]
    varying = [k for k, column in enumerate(zip(*rows, strict=True)) if len(set(column)) > 1]
    return {tuple(row[k] for k in varying) for row in rows}


def _joined(series: list[list[Path]]) -> list[list[Path]]:
    """Series of one file each, whose names have no numbers, together by their suffix."""
    joined: dict[str, list[Path]] = defaultdict(list)
    for files in series:
        pattern = _pattern(files[0])
        joined[pattern if "#" in pattern else _suffix(files[0])] += files
    return list(joined.values())


def _look_like_masks(paths: list[Path]) -> bool:
    """Whether the pictures are drawn in few colours and without loss."""
    for path in paths[:: max(1, len(paths) // _PROBED)][:_PROBED]:
        try:
            with Image.open(path) as image:
                colours = image.convert("RGB").getcolors(_MASK_COLOURS)
                if colours is None or image.format in ("JPEG", "MPO"):
                    return False
        except UNREADABLE:
            continue
    return True


# Reading --------------------------------------------------------------------------------


class _Picture(NamedTuple):
    """What the header of a picture says."""

    height: int
    width: int
    orientation: int
    shown_as_is: bool
    notice: str | None


def count_pages(path: Path) -> int:
    """How many pictures a file holds; 1 where that cannot be told.

    A JPEG that carries a second view or a preview counts as one.
    """
    if not is_regular(path):
        return 1
    try:
        with Image.open(path) as image:
            return 1 if image.format in ("JPEG", "MPO") else getattr(image, "n_frames", 1)
    except UNREADABLE:
        return 1


class PictureReader:
    """Frames that are picture files, one each, or the pages of one file.

    Parameters
    ----------
    paths : list of Path
    names : list of str, optional
        What to call them in messages; by default their paths.
    pages : list of int, optional
        Which picture of each file; by default the first.
    """

    fps = DEFAULT_FPS

    def __init__(
        self, paths: list[Path], names: list[str] | None = None, pages: list[int] | None = None
    ) -> None:
        self.n_frames = len(paths)
        self.paths = tuple(paths)
        self._pages = pages
        self._names = names or [
            str(path) if pages is None else f"page {page + 1} of {path}"
            for path, page in zip(paths, pages or range(len(paths)), strict=True)
        ]
        self._pictures: list[_Picture | None] = []
        problems: dict[int, str] = {}
        notices: dict[str, list[int]] = defaultdict(list)
        first: int | None = None
        for i in range(self.n_frames):
            try:
                picture = self._look(i)
            except UNREADABLE as error:
                problems[i] = one_line(error)
                self._pictures.append(None)
                continue
            self._pictures.append(picture)
            if picture.notice:
                notices[picture.notice].append(i)
            if first is None:
                first, self.height, self.width = i, picture.height, picture.width
            elif (picture.height, picture.width) != (self.height, self.width):
                raise ValueError(
                    f"the frames differ in size: {self._names[i]} is {picture.width} x "
                    f"{picture.height}, {self._names[first]} is {self.width} x {self.height}; "
                    "give pictures of one size."
                )
        if first is None:
            raise ValueError(
                f"none of the {len(paths)} frames can be read, the first being "
                f"{self._names[0]} ({problems[0]}); give JPEG or PNG files."
            )
        unreadable = (
            f"frame {i} cannot be read: {self._names[i]} ({problem}); replace that file."
            for i, problem in problems.items()
        )
        told = (
            f"{self._names[frames[0]]}"
            + (f" and {len(frames) - 1} more frames" if len(frames) > 1 else "")
            + f": {notice}."
            for notice, frames in notices.items()
        )
        self.warnings = (*unreadable, *told, *self._dark(first))

    def read(self, index: int, room: int, keep: Callable[[int, np.ndarray], None]) -> np.ndarray:
        """Frame `index`; nothing else comes up on the way."""
        name = self._names[index]
        try:
            frame = self._fast(index)
            if frame is not None:
                height, width = frame.shape[:2]
            else:
                with self._open(index) as image:
                    width, height = image.size
                    if {width, height} == {self.width, self.height}:  # or it is not decoded
                        frame = _rgb(image)
                        height, width = frame.shape[:2]
        except UNREADABLE as error:
            raise OSError(
                f"frame {index} cannot be read: {name} ({one_line(error)}); replace that file."
            ) from error
        if frame is None or (height, width) != (self.height, self.width):
            raise OSError(
                f"frame {index} is {width} x {height} in {name}, but the video "
                f"is {self.width} x {self.height}; the file changed, open the video again."
            )
        return frame

    def quick(self, index: int) -> None:
        """Return None: no other frame is there sooner."""
        return None

    def anchor(self, index: int) -> int:
        """`index` itself: every frame stands alone."""
        return index

    def original_jpeg(self, index: int) -> bytes | None:
        """Return the bytes of the frame's own JPEG file, if it can be shown as it is."""
        picture = self._pictures[index]
        if picture is None or not picture.shown_as_is:
            return None
        path = self.paths[index]
        # A file that is larger than its pixels is no ordinary JPEG, and not read at once.
        if not is_regular(path) or path.stat().st_size > 2**20 + 6 * self.height * self.width:
            return None
        data = path.read_bytes()
        # Without its end marker the file is cut short; decoding it will say so.
        return data if b"\xff\xd9" in data[-1024:] else None

    def close(self) -> None:
        """Nothing stays open."""

    def _open(self, index: int) -> Image.Image:
        path = self.paths[index]
        if not is_regular(path) and path.exists():
            raise OSError("it is no file")
        image = Image.open(path)
        if self._pages is not None:
            image.seek(self._pages[index])
        return image

    def _dark(self, index: int) -> list[str]:
        """What is to be said of grey of 16 bits; the whole series is like one of its frames."""
        try:
            with self._open(index) as image:
                if not image.mode.startswith("I;16"):
                    return []
                return nearly_black(np.asarray(image), self._names[index])
        except UNREADABLE:  # said when it is looked at
            return []

    def _look(self, index: int) -> _Picture:
        with self._open(index) as image:
            orientation, notice = _orientation(image)
            height, width = _size(image, orientation)
            several = self._pages is None and getattr(image, "n_frames", 1) > 1
            if several and image.format == "PNG":
                notice = "the file holds an animation, of which the first picture is the frame"
            elif several and image.format == "TIFF":
                notice = (
                    "the file holds several pages, of which the first is the frame; opened by "
                    "itself, it is a video of all of them"
                )
            as_is = (
                image.format in ("JPEG", "MPO")
                and image.mode in ("L", "RGB")
                and orientation == 1
                and notice is None
            )
            return _Picture(height, width, orientation, as_is, notice)

    def _fast(self, index: int) -> np.ndarray | None:
        """Decode with OpenCV, in half of Pillow's time; None where Pillow has to look."""
        data = self.original_jpeg(index)
        if data is None:
            return None
        import cv2

        flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        try:
            bgr = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
        except cv2.error:  # more pixels than it takes, say
            return None
        return None if bgr is None else cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def upright_size(path: Path) -> tuple[int, int]:
    """(H, W) of a picture as a video shows it, from its header."""
    with Image.open(path) as image:
        return _size(image, _orientation(image)[0])


def _size(image: Image.Image, orientation: int) -> tuple[int, int]:
    width, height = image.size
    turned = orientation >= 5  # rows and columns change places
    return (width, height) if turned else (height, width)


def _orientation(image: Image.Image) -> tuple[int, str | None]:
    """EXIF orientation, 1 to 8, from the header alone, and what was wrong with it.

    A PNG may be decoded to look further, and Pillow turns TIFF by itself.
    """
    if image.format not in ("JPEG", "MPO") and "exif" not in image.info:
        return 1, None
    try:
        found: Any = image.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # whatever is wrong with what is said about the picture, it is there
        return 1, "its EXIF cannot be read and was ignored"
    if isinstance(found, int) and found in (1, *_UPRIGHT):
        return found, None
    shown = repr(found)[:20]
    return 1, f"its EXIF orientation {shown} is none of 1 to 8 and was ignored"


def _rgb(image: Image.Image) -> np.ndarray:
    """(H, W, 3) uint8 from a picture of any mode, upright."""
    orientation, _ = _orientation(image)
    if orientation != 1:
        image = image.transpose(_UPRIGHT[orientation])
    if image.mode.startswith("I;16"):
        return np.repeat(to_uint8(np.asarray(image))[..., None], 3, axis=2)
    if image.mode in ("I", "F"):
        raise OSError(f"its pixels are 32-bit, mode {image.mode}")
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return np.asarray(image.convert("RGB"))


def to_uint8(pixels: np.ndarray) -> np.ndarray:
    """8 bits from uint8, uint16 (the high byte) or float in [0, 1] (rounded)."""
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype.kind == "f":
        return np.rint(pixels * 255).astype(np.uint8)
    return (pixels >> 8).astype(np.uint8)


def nearly_black(pixels: np.ndarray, name: str) -> list[str]:
    """A sentence where `to_uint8` leaves little of uint16 pixels, or nothing."""
    brightest = int(pixels.max()) if pixels.dtype == np.uint16 else 0
    if not 0 < brightest < _DARK:
        return []
    return [
        f"{name} is nearly black: its brightest value is {brightest:,} of the 65,535 that 16 bits "
        "hold; scale frames to the whole range, or to 8 bits."
    ]

"""What the values in a set of masks mean: one convention for all of them, decided once.

Tools write masks as palette indices, as grey levels, as black and white, in the alpha
channel, or in colours, and programs that make files small change that from one file to the
next. A single file often cannot say which it is: 255 alone may be *the* object or the 255th.
So a set of masks is looked at as a whole before the first one is read, and what cannot be
told is asked about.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from evavos_widget.files import one_line

__all__ = [
    "IDS",
    "Convention",
    "RawMask",
    "check_ids",
    "check_no_path",
    "davis_palette",
    "decide",
    "open_mask",
    "raw_mask",
]

IDS: dict[str, str] = {
    "auto": "as the set of masks suggests; refused where that is not plausible",
    "values": "palette indices, grey levels and numbers are ids as they are",
    "binary": "one object: what is brighter than half of the brightest value in the set",
}
"""How values become ids, by the name that `import_masks` takes."""


MOST_OBJECTS = 64
"""More objects than these in one set are asked about; a label map could hold 255."""

_FEW = 8
"""Pixels on edges, or ids without any area, below which nothing is suspected."""

_ON_EDGES = 0.8
"""A value of which this part of the pixels lies between a lower and a higher neighbour is
what smoothing makes, and no object."""


def _packed(rgb: np.ndarray) -> np.ndarray:
    """``(..., 3)`` uint8 as ``(...)`` int64: ``red << 16 | green << 8 | blue``."""
    return rgb.astype(np.int64) @ [1 << 16, 1 << 8, 1]


def davis_palette() -> np.ndarray:
    """Palette of DAVIS and PASCAL VOC annotations.

    Returns
    -------
    (256, 3) uint8 array, RGB
        The bits of an id, lowest first, go in turn to red, green and blue, from the
        highest bit of the colour down (PASCAL VOC development kit).
    """
    ids = np.arange(256)[:, None]
    channel = np.arange(3)
    palette = np.zeros((256, 3), dtype=np.uint8)
    for bit in range(3):
        palette |= ((ids >> (3 * bit + channel) & 1) << (7 - bit)).astype(np.uint8)
    return palette


_DAVIS = _packed(davis_palette())
"""The colours of `davis_palette`, by id."""


def _of_davis_2017() -> np.ndarray:
    """(256,) int64: the palette in files of DAVIS-2017, which is another from id 9 on.

    191 stands for 192, and from 22 on there are greys. Some sequences of the data set have files of
    both palettes.
    """
    early = davis_palette()[:22]
    return np.append(_packed(np.where(early == 192, 191, early)), np.arange(22, 256) * 0x010101)


_DAVIS_2017 = _of_davis_2017()


class RawMask(NamedTuple):
    """What one mask holds, before it is known what that means.

    Parameters
    ----------
    kind : {'palette', 'grey', 'colour'}
    values : (H, W) integer array
        Palette indices, grey levels, or colours as ``red << 16 | green << 8 | blue``.
    full : int
        The grey level that means white: 1, 3, 15, 255 or 65535.
    palette : (M,) int64 array, optional
        The colours of indices 0 to M - 1.
    alpha : (H, W) integer array, optional
        Where the mask has an alpha channel.
    lossy : bool
        The file's format changes values, as JPEG does.
    """

    kind: str
    values: np.ndarray
    full: int = 255
    palette: np.ndarray | None = None
    alpha: np.ndarray | None = None
    lossy: bool = False

    def colours(self) -> np.ndarray:
        """(H, W) int64: what is seen, as ``red << 16 | green << 8 | blue``."""
        if self.kind == "colour":
            return self.values
        if self.palette is not None:
            return self.palette[np.minimum(self.values, len(self.palette) - 1)]
        return (self.values.astype(np.int64) * 255 // self.full) * 0x010101


@dataclass(frozen=True)
class Convention:
    """How the masks of one set become label maps.

    Parameters
    ----------
    channel : {'values', 'shown', 'colours', 'brightness', 'alpha'}
        What of a mask says which object a pixel belongs to. 'shown' are grey levels as
        they are seen, white being 255, whatever the file's bits.
    ids : mapping of int -> int, optional
        Ids by value; what is not in it is background. None: values are ids.
    above : float, optional
        One object, where the value is higher.
    notice : str, optional
        A sentence on what was decided, where that does not go without saying.
    """

    channel: str = "values"
    ids: Mapping[int, int] | None = None
    above: float | None = None
    notice: str | None = None

    def apply(self, raw: RawMask, what: str) -> np.ndarray:
        """The label map of one mask of the set: ``(H, W)`` uint8.

        Raises
        ------
        ValueError
            `what`, the mask's name, holds a value that is no id.
        """
        if self.channel == "alpha" and raw.alpha is None:
            raise ValueError(
                f"{what} has no alpha channel and others hold their masks there; "
                "save all of them in one way."
            )
        values = _channel(raw, self.channel)
        if self.above is not None:
            return (values > self.above).astype(np.uint8)
        if self.ids is not None:
            found, where = np.unique(values, return_inverse=True)
            table = np.array([self.ids.get(v, 0) for v in found.tolist()], dtype=np.uint8)
            return table[where.reshape(values.shape)]
        check_ids(values, what)
        return values.astype(np.uint8)


def check_ids(values: np.ndarray, what: str) -> None:
    """`ValueError` where one of the values of `what` is no id."""
    if not values.size:
        return
    if (lowest := int(values.min())) < 0:
        raise ValueError(
            f"{what} holds the negative label {lowest}; use 0 for background and 1 to 255 for "
            "objects."
        )
    if (highest := int(values.max())) > 255:
        raise ValueError(
            f"{what} holds label {highest}, and a label map has room for 255 objects; renumber "
            "them from 1 to 255 or split them over several sessions."
        )


def _channel(raw: RawMask, channel: str) -> np.ndarray:
    """(H, W) integers, see `Convention`."""
    if channel == "alpha":
        assert raw.alpha is not None
        return raw.alpha
    if channel == "values" or (channel == "shown" and raw.full >= 255):
        return raw.values
    if channel == "shown":
        return raw.values.astype(np.int64) * 255 // raw.full
    colours = raw.colours() if raw.alpha is None else np.where(raw.alpha > 0, raw.colours(), 0)
    if channel == "colours":
        return colours
    return np.maximum(np.maximum(colours >> 16, colours >> 8 & 255), colours & 255)


# One mask -------------------------------------------------------------------------------


def raw_mask(labels: Any, what: str) -> RawMask:
    """A mask that is given as an array.

    Parameters
    ----------
    labels : (H, W) array-like of bool, integers, or floats that are whole numbers
    what : str
        How error messages call it.
    """
    check_no_path(labels, what)
    array = np.asarray(labels)
    if array.dtype.kind == "f" and array.size and np.isfinite(array).all():
        whole = array.astype(np.int64)
        if (whole == array).all():
            array = whole
    if array.dtype.kind not in "bui":
        finite = array.dtype.kind != "f" or np.isfinite(array).all()
        problem = str(array.dtype) if finite else "NaN or infinite values"
        raise (TypeError if finite else ValueError)(
            f"{what} holds {problem}; give booleans or integer ids, "
            "for example `probabilities > 0.5`."
        )
    if array.dtype == bool:
        return RawMask("grey", array.view(np.uint8), full=1)
    return RawMask("grey", array)


def check_no_path(labels: Any, what: str) -> None:
    """Refuse a path where a mask is needed; NumPy would make an array of its letters."""
    if isinstance(labels, str | os.PathLike):
        raise TypeError(
            f"{what} is a path, {os.fspath(labels)!r}; give what is in the file: "
            "evavos_widget.masks.read_label_png(path)."
        )


def open_mask(
    path: str | os.PathLike[str], size: tuple[int, int] | None = None, page: int | None = None
) -> RawMask:
    """Read a mask file.

    Parameters
    ----------
    path : path-like
        A picture of any mode that Pillow reads.
    size : (height, width), optional
        What it must have; a file that claims another size is not decoded.
    page : int, optional
        Which of its pictures, from 0; by default it has to be the only one.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is no picture, or one of another size.
    """
    from PIL import Image

    from evavos_widget.video_pictures import UNREADABLE

    path = Path(path)
    name = path if page is None else f"page {page + 1} of {path}"
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError(f"{path} is no file; give a picture with the mask.")
    try:
        with Image.open(path) as image:
            if page is not None:
                image.seek(page)
            width, height = image.size
            if size is not None and (height, width) != size:
                raise _NoMaskError(
                    f"the mask {name} is {width} x {height}, its frame is {size[1]} x {size[0]}; "
                    "resize it without interpolation."
                )
            if page is None and image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
                raise _NoMaskError(
                    f"{path} holds several pictures; give one mask per file, or, where each is "
                    "that of a frame, the file by itself."
                )
            return _raw(image, path)
    except _NoMaskError as error:
        raise ValueError(str(error)) from None
    except UNREADABLE as error:
        raise ValueError(
            f"{name} cannot be read as a mask ({one_line(error)}); save it as PNG."
        ) from error


class _NoMaskError(Exception):
    """The picture is sound, and no mask of this frame."""


def _raw(image: Any, path: Path) -> RawMask:
    lossy = image.format in ("JPEG", "MPO")
    bits, with_colours = _png_header(path) if image.format == "PNG" else (8, False)
    if bits == 16 and with_colours:
        return _deep_colours(path)
    mode = image.mode
    if mode in ("P", "PA"):
        return _from_palette(image)
    pixels = np.asarray(image)
    if mode == "1":
        return RawMask("grey", pixels.astype(np.uint8), full=1)
    if mode == "L":
        # Pillow spreads 2 and 4 bits over the range of 8.
        full = 2**bits - 1 if bits in (1, 2, 4) else 255
        return RawMask("grey", pixels // (255 // full), full, lossy=lossy)
    if mode.startswith("I") or mode == "F":
        full = 65535 if mode.startswith("I;16") or bits == 16 else 255
        return raw_mask(pixels, str(path))._replace(full=full)
    if mode == "LA":
        return RawMask("grey", pixels[..., 0], alpha=pixels[..., 1])
    alpha = pixels[..., 3] if mode == "RGBA" else None
    if mode not in ("RGB", "RGBA"):
        pixels = np.asarray(image.convert("RGB"))
    return _from_colours(pixels[..., :3], alpha, lossy)


def _png_header(path: Path) -> tuple[int, bool]:
    """Bits of a sample, and whether there is more than one sample (PNG specification, 11.2.2)."""
    with path.open("rb") as file:
        header = file.read(26)
    return header[24], header[25] in (2, 4, 6)


def _from_palette(image: Any) -> RawMask:
    palette = np.frombuffer(bytes(image.getpalette("RGB") or b""), np.uint8).reshape(-1, 3)
    colours = _packed(palette)
    clear = _clear_entries(image.info.get("transparency"))
    if clear - {0}:  # what is background is in the alpha of the entries, not in their order
        pixels = np.asarray(image.convert("RGBA"))
        return _from_colours(pixels[..., :3], pixels[..., 3])
    values, alpha = np.asarray(image), None
    if values.ndim == 3:  # mode PA
        values, alpha = values[..., 0], values[..., 1]
    if clear and len(colours):
        colours[0] = 0
    if (colours == np.arange(len(colours)) * 0x010101).all():
        return RawMask("grey", values, alpha=alpha)
    if np.array_equal(colours, _DAVIS_2017[: len(colours)]):
        colours = _DAVIS[: len(colours)]
    return RawMask("palette", values, palette=colours, alpha=alpha)


def _clear_entries(transparency: Any) -> set[int]:
    """Entries of a palette that cannot be seen, from Pillow's account of the PNG's tRNS."""
    if isinstance(transparency, int):
        return {transparency}
    return {i for i, alpha in enumerate(transparency or b"") if alpha == 0}


def _from_colours(rgb: np.ndarray, alpha: np.ndarray | None, lossy: bool = False) -> RawMask:
    if (rgb == rgb[..., :1]).all():
        return RawMask("grey", rgb[..., 0], alpha=alpha, lossy=lossy)
    return RawMask("colour", _packed(rgb), alpha=alpha, lossy=lossy)


def _deep_colours(path: Path) -> RawMask:
    """PNG of 16 bits with several samples, of which Pillow keeps the upper 8 bits only."""
    import cv2

    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError("it is damaged")
    pixels = pixels.astype(np.uint16, copy=False)
    alpha = pixels[..., 3] >> 8 if pixels.shape[2] == 4 else None
    bgr = pixels[..., :3]
    if (bgr == bgr[..., :1]).all():
        return RawMask("grey", bgr[..., 0], full=65535, alpha=alpha)
    return _from_colours((bgr[..., ::-1] >> 8).astype(np.uint8), alpha)


# The set --------------------------------------------------------------------------------


@dataclass
class _Survey:
    """What values there are in one channel of the set, and where they lie."""

    pixels: dict[int, int] = field(default_factory=dict)
    between: dict[int, int] = field(default_factory=dict)
    broad: set[int] = field(default_factory=set)

    def add(self, values: np.ndarray) -> None:
        import cv2

        found, counts = _unique(values)
        _count(self.pixels, found, counts)
        if len(found) < 3 or found[0] < 0 or found[-1] > 65535:
            self.broad.update(found.tolist())
            return
        levels = values.astype(np.uint16)
        window = np.ones((3, 3), np.uint8)
        lowest, highest = cv2.erode(levels, window), cv2.dilate(levels, window)
        _count(self.between, *_unique(levels[(lowest < levels) & (levels < highest)]))
        self.broad.update(np.unique(levels[lowest == highest]).tolist())

    @property
    def values(self) -> list[int]:
        """Ascending, without 0."""
        return sorted(set(self.pixels) - {0})

    def doubt(self) -> str | None:
        """Why the values can hardly be ids, if so."""
        n = len(self.values)
        on_edges = [
            v
            for v in self.values
            if self.between.get(v, 0) >= _ON_EDGES * self.pixels[v] and v < max(self.values)
        ]
        edge_pixels = sum(self.pixels[v] for v in on_edges)
        if n >= 2 and 2 * len(on_edges) >= n and edge_pixels >= _FEW:
            return (
                f"{n} values, of which {len(on_edges)} lie on edges only, as smoothing makes them"
            )
        thin = len(set(self.values) - self.broad)
        if n > _FEW and 2 * thin >= n:
            return f"{n} values, of which {thin} are nowhere 3 pixels wide, as in a photograph"
        return f"{n} values" if n > MOST_OBJECTS else None


def _unique(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As `numpy.unique` with counts; much faster for what most masks are."""
    if values.dtype != np.uint8:
        return np.unique(values, return_counts=True)
    counts = np.bincount(values.ravel(), minlength=256)
    found = np.flatnonzero(counts)
    return found, counts[found]


def _count(totals: dict[int, int], values: np.ndarray, counts: np.ndarray) -> None:
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        totals[value] = totals.get(value, 0) + count


def decide(masks: Iterable[tuple[str, RawMask]], ids: str = "auto") -> Convention:
    """Find the convention of a set of masks.

    Parameters
    ----------
    masks : iterable of (name, mask)
        Gone through once; one mask is held at a time.
    ids : {'auto', 'values', 'binary'}
        See `IDS`.

    Raises
    ------
    ValueError
        The convention cannot be told, or what it makes of the masks is not plausible.
    """
    if ids not in IDS:
        raise ValueError(f"unknown ids={ids!r}; choose from {list(IDS)}.")
    kinds: dict[str, str] = {}  # kind -> the first mask of it that is not empty
    lossy = name = ""
    fulls: dict[int, set[int]] = {}
    entries: dict[int, set[int]] = {}  # palette index -> its colours
    longest, odd = _DAVIS[:0], ""  # the longest palette, and the first mask with another one
    black_first = True
    colours: set[int] = set()
    values, shown, alphas = _Survey(), _Survey(), _Survey()
    alpha_agrees = True
    for name, raw in masks:
        if raw.alpha is not None:
            alphas.add(raw.alpha)
            alpha_agrees &= bool(((raw.alpha > 0) == (raw.colours() > 0)).all())
        palette = raw.palette
        if not raw.values.any() and (palette is None or palette[0] == 0):
            continue
        kinds.setdefault(raw.kind, name)
        lossy = lossy or (name if raw.lossy else "")
        found = _unique(raw.values)[0].tolist()
        if palette is None or not np.array_equal(palette, _DAVIS):  # whose indices nobody doubts
            values.add(raw.values)
        if palette is not None and raw.alpha is None:
            colours.update(palette[np.minimum(found, len(palette) - 1)].tolist())
        else:
            colours.update(np.unique(_channel(raw, "colours")).tolist())
        if raw.kind == "grey":
            fulls.setdefault(raw.full, set()).update(found)
            shown.add(_channel(raw, "shown"))
        if palette is not None:
            black_first &= palette[0] == 0
            n = min(len(palette), len(longest))
            if not np.array_equal(palette[:n], longest[:n]):
                odd = odd or name
            longest = max(longest, palette, key=len)
            for index in found:
                entries.setdefault(index, set()).add(int(palette[min(index, len(palette) - 1)]))

    # Programs that make files small leave out what a file does not use, from the end on or with new
    # indices for the rest, so that a palette may be a part of that of the set.
    if set(kinds) == {"palette"} and not odd and np.array_equal(longest, _DAVIS[: len(longest)]):
        return _by_davis(ids, entries)
    if len(alphas.pixels) > 1 and not (alpha_agrees and len(alphas.pixels) == 2):
        return _by_alpha(alphas, colours, ids, name)
    if ids == "binary":
        if set(kinds) <= {"grey"}:
            return Convention("shown", above=max(shown.values, default=0) / 2)
        if set(kinds) == {"palette"} and black_first:
            return Convention(above=0)
        return Convention("brightness", above=127)
    if lossy:
        raise ValueError(
            f"{lossy} is a JPEG, which does not keep ids; save masks as PNG, or take what is "
            "brighter than half as one object: ids='binary'."
        )
    if ids == "values" and "colour" not in kinds:
        return Convention()
    if len(kinds) > 1 or "colour" in kinds:
        return _by_colour(colours, kinds)
    if "palette" in kinds:
        return _by_palette(entries, black_first, odd, colours, values, kinds)
    return _by_grey(fulls, values, shown, kinds.get("grey", name))


def _by_davis(ids: str, found: Collection[int]) -> Convention:
    """Indices are ids, whatever they look like."""
    if ids == "binary":
        return Convention(above=0)
    return Convention(notice=_VOID if ids == "auto" and 255 in found else None)


def _by_alpha(alphas: _Survey, colours: set[int], ids: str, name: str) -> Convention:
    """The mask is in the alpha channel: the colours say nothing, or are those of a picture."""
    told = "the masks were read from the alpha channel."
    if ids == "binary":
        return Convention("alpha", above=max(alphas.values) / 2, notice=told)
    if 1 < len(colours - {0}) <= MOST_OBJECTS:
        raise ValueError(
            f"{name} has a mask in its alpha channel and several colours beside it, so its ids "
            "are not known; save it as palette or grey PNG."
        )
    if doubt := alphas.doubt():
        raise ValueError(_doubtful(name, doubt))
    if len(alphas.values) == 1:
        return Convention("alpha", ids={alphas.values[0]: 1}, notice=told)
    return Convention("alpha", notice=told)


def _by_colour(colours: set[int], kinds: Mapping[str, str]) -> Convention:
    """Objects by their colour, on black: those of DAVIS, or in palettes a single one."""
    davis = {colour: i for i, colour in enumerate(_DAVIS.tolist()) if i}
    objects = colours - {0}
    if objects <= davis.keys():
        told = "the masks were read by the colours of DAVIS's palette."
        return Convention("colours", ids=davis, notice=told)
    if set(kinds) == {"palette"} and len(objects) == 1 and 0 in colours:
        return Convention("colours", ids=dict.fromkeys(objects, 1))
    if len(kinds) > 1:
        (one, first), (other, second) = list(kinds.items())[:2]
        or_else = "" if "colour" in kinds else ", or take the values as they are: ids='values'"
        raise ValueError(
            f"the masks are of several kinds, {first} of {one} and {second} of {other}, so their "
            f"ids are not known; save all of them as palette PNG{or_else}."
        )
    raise ValueError(
        f"{next(iter(kinds.values()))} is a colour picture, so its ids are not known; save it as "
        "palette or grey PNG."
    )


def _by_palette(
    entries: Mapping[int, set[int]],
    black_first: bool,
    odd: str,
    colours: set[int],
    values: _Survey,
    kinds: Mapping[str, str],
) -> Convention:
    (name,) = kinds.values()
    same = all(len(found) == 1 for found in entries.values())
    if odd:  # then a colour with two indices is one object, and one of DAVIS says which
        same &= colours.isdisjoint(_DAVIS[1:].tolist())
        same &= len(entries) == len(set().union(*entries.values()))
    if same and black_first and not _is_davis_reindexed(entries):
        if values.values == [255]:
            return Convention(ids={255: 1}, notice=_WHITE)
        if doubt := values.doubt():
            raise ValueError(_doubtful(name, doubt))
        return Convention()
    try:  # indices change from file to file, or from DAVIS's, or background is black but not first
        return _by_colour(colours, kinds)
    except ValueError:
        problem = "do not begin with black" if same else "differ from file to file"
        raise ValueError(
            f"the palettes of masks such as {odd or name} {problem}, so it is not known which "
            "index is which object; save them with one palette, black first, or take the indices "
            "as they are: ids='values'."
        ) from None


def _is_davis_reindexed(entries: Mapping[int, set[int]]) -> bool:
    """Whether the colours are DAVIS's at other indices, as where unused ones were left out."""
    davis = _DAVIS.tolist()
    shown = [(index, colour) for index, found in entries.items() if index for colour in found]
    return all(colour in davis[1:] for _, colour in shown) and any(
        davis.index(colour) != index for index, colour in shown
    )


_VOID = "255 was read as object 255; where it means void, set it to 0."
_WHITE = "the masks hold 0 and 255 only, which was read as one object, 1."


def _by_grey(
    fulls: Mapping[int, set[int]], values: _Survey, shown: _Survey, name: str
) -> Convention:
    # Of 8 bits and of 16, in whatever numbers they are given.
    white = {255, 65535}
    if all(any(found <= {0, w} for w in {full, *white}) for full, found in fulls.items()):
        obvious = all(255 in found or full <= 1 for full, found in fulls.items())
        return Convention(
            ids=dict.fromkeys({*fulls, *white}, 1),
            notice=None if obvious else _WHITE.replace("255", "white"),
        )
    notice = None
    if len(fulls) > 1 and _is_shrunk(fulls):
        values, notice = shown, "grey levels count as they are shown, as the files' bits differ."
    if doubt := values.doubt():
        raise ValueError(_doubtful(name, doubt))
    if (
        values.values[-1] > 255
        and values.values[0] > 0
        and all(v % 257 == 0 for v in values.values)
    ):
        # 8 bits become 16 by repeating the byte, that is, times 257.
        return Convention(
            ids={v: v // 257 for v in values.values},
            notice="the masks' 16 bits hold 8-bit ids twice, which were read.",
        )
    check_ids(np.array(values.values), name)
    if values.values[-1] == 255 and notice is None:
        notice = _VOID
    return Convention("shown" if values is shown else "values", notice=notice)


def _is_shrunk(fulls: Mapping[int, set[int]]) -> bool:
    """Whether files of fewer bits were made from ones of 8 without changing how they look."""
    deepest = max(fulls)
    return deepest == 255 and all(
        {v * 255 // full for v in found} <= fulls[deepest] | {0}
        for full, found in fulls.items()
        if full < deepest
    )


def _doubtful(name: str, doubt: str) -> str:
    return (
        f"masks such as {name} hold {doubt}; pass ids='binary' for one object where they are "
        "brighter than half, or ids='values' to take each value for an object."
    )

"""Label maps, and the forms they travel in: runs, palette PNG, COCO RLE, polygons.

A label map is an ``(H, W)`` uint8 array: 0 is background, 1 to 255 are object ids.
"""

from __future__ import annotations

import colorsys
import operator
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from evavos_widget.files import replacing
from evavos_widget.label_ids import check_ids, check_no_path, davis_palette, decide, open_mask
from evavos_widget.video import check_frame

__all__ = [
    "OKABE_ITO",
    "SOFTWARE",
    "LabelMaps",
    "as_label_map",
    "davis_palette",
    "decode_runs",
    "default_color",
    "encode_runs",
    "from_coco",
    "from_polygons",
    "ids_of_runs",
    "read_label_png",
    "to_coco",
    "to_polygons",
    "write_label_png",
]

SOFTWARE = "evavos-widget"
"""The PNG field *Software* of masks that an export wrote and a later one may replace."""

MAX_RUN = 2**24 - 1
"""Longest run that fits beside its label in 32 bits."""

OKABE_ITO = np.array(
    [
        (230, 159, 0),  # orange
        (86, 180, 233),  # sky blue
        (0, 158, 115),  # bluish green
        (240, 228, 66),  # yellow
        (0, 114, 178),  # blue
        (213, 94, 0),  # vermillion
        (204, 121, 167),  # reddish purple
        (0, 0, 0),  # black
    ],
    dtype=np.uint8,
)
"""(8, 3) uint8 RGB: the palette of Okabe and Ito (2008), told apart by colour-blind eyes.

Black comes last, because it is the hardest to see over a picture.
"""
OKABE_ITO.flags.writeable = False


def as_label_map(
    labels: Any, height: int, width: int, what: str = "mask", *, copy: bool = True
) -> np.ndarray:
    """Check `labels` and return them as a label map of their own.

    Parameters
    ----------
    labels : (height, width) array-like of bool or integers in [0, 255]
    height, width : int
        The size that is expected, in pixels.
    what : str
        How error messages call `labels`.
    copy : bool
        False: what is a label map already is returned as it is, to be looked at only.

    Returns
    -------
    (height, width) uint8 array
        A read-only copy, unless `copy` is False.

    Raises
    ------
    TypeError
        If `labels` does not hold booleans or integers.
    ValueError
        If the size differs, or a value is negative or above 255.
    """
    check_no_path(labels, what)
    array = np.asarray(labels)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(
            f"{what} holds NaN or infinite values; give booleans or object ids from 0 to 255."
        )
    if array.dtype.kind not in "bui":
        raise TypeError(
            f"{what} holds {array.dtype}; give booleans or integer ids, "
            "for example `probabilities > 0.5`."
        )
    if array.ndim != 2:
        raise ValueError(
            f"{what} has shape {array.shape}; give one 2-D map of height x width "
            f"{height} x {width}."
        )
    if array.shape != (height, width):
        raise ValueError(
            f"{what} is {array.shape[0]} x {array.shape[1]} (height x width) and the video is "
            f"{height} x {width}; resize it with nearest-neighbour sampling."
        )
    if array.dtype not in (np.bool_, np.uint8):
        check_ids(array, what)
    if not copy:
        return array.astype(np.uint8, copy=False)
    label_map = array.astype(np.uint8, order="C")
    label_map.flags.writeable = False
    return label_map


# Runs -----------------------------------------------------------------------------------


def encode_runs(labels: np.ndarray) -> np.ndarray:
    """Run-length code of a label map, row by row from the top left.

    Parameters
    ----------
    labels : (H, W) uint8 or bool array

    Returns
    -------
    (R,) uint32 array
        One ``label << 24 | length`` per run. A run goes on from one row to the next;
        one longer than 2**24 - 1 pixels is split.
    """
    flat = np.ascontiguousarray(labels).ravel().view(np.uint8)
    if flat.size != labels.size:
        raise TypeError(f"labels hold {labels.dtype}; use as_label_map first.")
    if not flat.size:
        return np.zeros(0, dtype=np.uint32)
    # Most pixels are like the next one: eight at a time are compared first.
    n = 8 * ((flat.size - 1) // 8)
    here, after = flat[:n].view(np.uint64), flat[1 : n + 1].view(np.uint64)
    eights = np.flatnonzero(here != after)
    apart = np.flatnonzero((here[eights] ^ after[eights]).view(np.uint8))
    rest = n + np.flatnonzero(flat[n + 1 :] != flat[n:-1])
    starts = np.concatenate(([0], 8 * eights[apart >> 3] + (apart & 7) + 1, rest + 1))
    lengths = np.diff(starts, append=flat.size)
    values = flat[starts].astype(np.uint32)
    if lengths.max() > MAX_RUN:
        pieces = -(-lengths // MAX_RUN)
        last = np.cumsum(pieces) - 1
        remainders = lengths - (pieces - 1) * MAX_RUN
        values = np.repeat(values, pieces)
        lengths = np.full(values.size, MAX_RUN)
        lengths[last] = remainders
    return values << np.uint32(24) | lengths.astype(np.uint32)


def decode_runs(runs: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Label map of `runs`, as `encode_runs` made them.

    Parameters
    ----------
    runs : (R,) uint32 array
    shape : (height, width)

    Returns
    -------
    (height, width) uint8 array

    Raises
    ------
    ValueError
        If the runs do not cover the picture exactly.
    """
    runs = np.asarray(runs)
    if runs.dtype != np.uint32 or runs.ndim != 1:
        raise ValueError(
            f"runs are {runs.dtype} of shape {runs.shape}; give a flat array of uint32."
        )
    lengths = (runs & np.uint32(MAX_RUN)).astype(np.int64)
    height, width = shape
    if lengths.sum() != height * width:
        raise ValueError(
            f"runs cover {lengths.sum()} pixels and the picture has {height} x {width} = "
            f"{height * width}; encode a mask of the picture's own size."
        )
    return np.repeat((runs >> np.uint32(24)).astype(np.uint8), lengths).reshape(height, width)


def ids_of_runs(runs: np.ndarray) -> set[int]:
    """Ids of the objects in runs of `encode_runs`."""
    return set(np.unique(runs >> np.uint32(24)).tolist()) - {0}


def ids_of_maps(maps: Mapping[int, Any]) -> set[int]:
    """Ids of the objects on any of some label maps, by frame."""
    return {int(i) for labels in maps.values() for i in np.unique(labels)} - {0}


class LabelMaps:
    """N immutable label maps of one size, kept as runs.

    Maps that did not change are shared between the versions that `replace` makes, so
    that a history of thousands of versions stays small, and ``a.runs(i) is b.runs(i)``
    tells an unchanged frame at no cost.

    Parameters
    ----------
    runs : iterable of (R,) uint32 arrays
        One per frame, as `encode_runs` makes them.
    height, width : int
        Size of every map, in pixels.
    """

    def __init__(self, runs: Iterable[np.ndarray], height: int, width: int) -> None:
        # Coded anew, so that equal maps always have equal runs.
        self._set((_frozen_runs(decode_runs(r, (height, width))) for r in runs), height, width)

    def _set(self, runs: Iterable[np.ndarray], height: int, width: int) -> None:
        self._runs = tuple(runs)
        self._size = (height, width)

    @classmethod
    def _of(cls, runs: Iterable[np.ndarray], height: int, width: int) -> LabelMaps:
        maps = cls.__new__(cls)
        maps._set(runs, height, width)
        return maps

    @classmethod
    def empty(cls, n: int, height: int, width: int) -> LabelMaps:
        """`n` maps of background only."""
        return cls._of([_frozen_runs(np.zeros((height, width), np.uint8))] * n, height, width)

    @classmethod
    def from_array(cls, labels: Any) -> LabelMaps:
        """Label maps of an ``(N, H, W)`` array, or of a sequence of N maps of one size."""
        if not len(labels) or np.ndim(labels[0]) != 2:
            raise ValueError(f"labels have shape {np.shape(labels)}; give (N, H, W) with N >= 1.")
        return cls.from_maps(labels, *np.shape(labels[0]))

    @classmethod
    def from_maps(cls, maps: Iterable[Any], height: int, width: int) -> LabelMaps:
        """Label maps that come one after the other, each of ``(height, width)``."""
        checked = (
            as_label_map(m, height, width, f"mask {i}", copy=False) for i, m in enumerate(maps)
        )
        return cls._of((_frozen_runs(m) for m in checked), height, width)

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(N, H, W)``."""
        return (len(self._runs), *self._size)

    def __len__(self) -> int:
        return len(self._runs)

    def __getitem__(self, index: int) -> np.ndarray:
        """Decode the label map of one frame: a fresh, read-only ``(H, W)`` uint8 array."""
        labels = decode_runs(self.runs(index), self._size)
        labels.flags.writeable = False
        return labels

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[i] for i in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LabelMaps):
            return NotImplemented
        return self.shape == other.shape and all(
            a is b or np.array_equal(a, b) for a, b in zip(self._runs, other._runs, strict=True)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        n, height, width = self.shape
        return f"<LabelMaps: {n} frames of {height} x {width}, objects {sorted(self.ids())}>"

    def runs(self, index: int) -> np.ndarray:
        """Give the runs of one frame: a read-only ``(R,)`` uint32 array, always the same object."""
        try:
            return self._runs[operator.index(index)]
        except TypeError:
            raise TypeError(
                f"{index!r} is no frame of these masks; give one frame, 0 to {len(self) - 1}."
            ) from None
        except IndexError:
            raise IndexError(
                f"there is no frame {index} in these masks; give 0 to {len(self) - 1}."
            ) from None

    def ids(self, index: int | None = None) -> set[int]:
        """Ids of the objects that have a pixel on one frame, or on any frame."""
        runs = self._runs if index is None else (self.runs(index),)
        found: set[int] = set()
        for distinct in {id(r): r for r in runs}.values():
            found |= ids_of_runs(distinct)
        return found

    def pixels(self, obj: int) -> np.ndarray:
        """How many pixels an object has on each frame, (N,) int64 array."""
        own = [runs[runs >> np.uint32(24) == obj] for runs in self._runs]
        return np.array([int((runs & np.uint32(MAX_RUN)).sum()) for runs in own], np.int64)

    def replace(self, changes: Mapping[int, Any]) -> LabelMaps:
        """Make maps like these with some frames replaced.

        Parameters
        ----------
        changes : mapping of frame index -> (H, W) label map

        Returns
        -------
        LabelMaps
            Shares everything else with this one, and also a replaced frame that is
            the same as before.

        Raises
        ------
        IndexError
            If a frame index is outside 0 to N - 1.
        """
        runs = list(self._runs)
        for index, labels in changes.items():
            check_frame(index, len(runs))
            what = f"mask of frame {index}"
            new = _frozen_runs(as_label_map(labels, *self._size, what, copy=False))
            if not np.array_equal(new, runs[index]):
                runs[index] = new
        return self._of(runs, *self._size)

    def replace_runs(self, changes: Mapping[int, np.ndarray]) -> LabelMaps:
        """As `replace`, of maps that are coded already, which are kept as they are.

        Parameters
        ----------
        changes : mapping of frame index -> (R,) uint32 array
            As `encode_runs` makes them for maps of this size; they may lie in a file.
        """
        runs = list(self._runs)
        for index, new in changes.items():
            runs[index] = new
        return self._of(runs, *self._size)

    def array(self) -> np.ndarray:
        """All maps as one ``(N, H, W)`` uint8 array."""
        labels = np.empty(self.shape, dtype=np.uint8)
        for i, runs in enumerate(self._runs):
            labels[i] = decode_runs(runs, self._size)
        return labels


def _frozen_runs(labels: np.ndarray) -> np.ndarray:
    """Read-only runs of a label map."""
    runs = encode_runs(labels)
    runs.flags.writeable = False
    return runs


# COCO and polygons ----------------------------------------------------------------------


def to_coco(mask: Any) -> dict[str, Any]:
    """COCO's compressed RLE of a binary mask.

    Parameters
    ----------
    mask : (H, W) array
        Non-zero where the object is.

    Returns
    -------
    dict
        ``{"size": [H, W], "counts": str}``, ready for JSON and for pycocotools.
    """
    from pycocotools import mask as coco

    rle: Any = coco.encode(np.asfortranarray(np.asarray(mask) != 0, dtype=np.uint8))
    return {"size": [int(n) for n in rle["size"]], "counts": rle["counts"].decode("ascii")}


def from_coco(rle: Mapping[str, Any]) -> np.ndarray:
    """Binary mask of a COCO RLE.

    Parameters
    ----------
    rle : mapping with 'size' and 'counts'
        Counts compressed (str or bytes) or not (list of int).

    Returns
    -------
    (H, W) bool array
    """
    try:
        (height, width), counts = rle["size"], rle["counts"]
        if isinstance(counts, str):
            counts = counts.encode("ascii")
        if isinstance(counts, bytes):
            counts = _coco_counts(counts)
        counts = np.asarray(counts, dtype=np.int64)
        # pycocotools leaves uncovered pixels as they lie in memory, so this is checked here.
        if (counts < 0).any() or counts.sum() != height * width:
            raise ValueError(f"counts add up to {counts.sum()}, not {height} x {width}")
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"not a COCO RLE ({error!r}); give {{'size': [H, W], 'counts': str or list}} "
            "whose counts add up to H x W."
        ) from error
    mask = np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(width, height).T
    return np.ascontiguousarray(mask)


def _coco_counts(coded: bytes) -> list[int]:
    """Read COCO's compressed counts: 5 bits a byte, the differences to the last but one."""
    counts: list[int] = []
    value = shift = 0
    for byte in coded:
        value |= (byte - 48 & 0x1F) << shift
        shift += 5
        if not byte - 48 & 0x20:  # the last byte of this count
            if byte - 48 & 0x10:
                value -= 1 << shift
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = shift = 0
    return counts


def to_polygons(mask: Any) -> list[np.ndarray]:
    """Outlines of a binary mask along the edges of its pixels.

    Coordinates are COCO's: pixel ``(x, y)`` covers ``[x, x + 1) x [y, y + 1)``, so all
    vertices are integers (subtract 0.5 to compare them with clicks, whose pixel centres
    are at integers). Holes and parts are further polygons; a point is inside the mask
    where an odd number of polygons surround it. `from_polygons` gives the mask back
    exactly.

    Parameters
    ----------
    mask : (H, W) array
        Non-zero where the object is.

    Returns
    -------
    list of (M, 2) float64 arrays
        Columns and rows of the corners, alternately joined by horizontal and vertical
        edges and closed from the last to the first.
    """
    padded = np.pad(np.asarray(mask) != 0, 1)
    above_left, above_right = padded[:-1, :-1], padded[:-1, 1:]
    below_left, below_right = padded[1:, :-1], padded[1:, 1:]
    corner = above_left ^ above_right ^ below_left ^ below_right
    crossing = (
        (above_left == below_right) & (above_right == below_left) & (above_left != above_right)
    )  # two outlines touch here, so the point is a corner of both
    y, x = np.nonzero(corner | crossing)
    y, x = (np.repeat(c, 1 + crossing[y, x]) for c in (y, x))
    # In a row the corners are ends of horizontal edges, two by two; in a column, of
    # vertical ones. The stable sorts keep the twins of a crossing in the same order.
    beside, below = (np.empty(len(x), dtype=np.int64) for _ in range(2))
    for partner, order in ((beside, np.lexsort((x, y))), (below, np.lexsort((y, x)))):
        partner[order[0::2]], partner[order[1::2]] = order[1::2], order[0::2]
    corners = np.stack([x, y], axis=1).astype(np.float64)
    polygons, seen = [], [False] * len(x)
    beside, below = beside.tolist(), below.tolist()
    for start in range(len(x)):
        if seen[start]:
            continue
        path, at = [], start
        while not seen[at]:
            path += [at, beside[at]]
            seen[at] = seen[beside[at]] = True
            at = below[beside[at]]
        polygons.append(corners[path])
    return polygons


def from_polygons(polygons: Iterable[Any], height: int, width: int) -> np.ndarray:
    """Binary mask of polygons, filled by the even-odd rule.

    A pixel belongs to the mask when its centre is inside, with the coordinates of
    `to_polygons`: the centre of pixel ``(x, y)`` is at ``(x + 0.5, y + 0.5)``.

    Parameters
    ----------
    polygons : iterable of (M, 2) array-likes
        Columns and rows of the vertices, M >= 3; COCO's flat ``[x0, y0, x1, ...]`` too.
        They may leave the picture.
    height, width : int

    Returns
    -------
    (height, width) bool array
    """
    # Every edge toggles what lies to its right, in the rows whose centre it crosses.
    toggles = np.zeros((height, width + 1), dtype=bool)
    for number, polygon in enumerate(polygons):
        vertices = np.asarray(polygon, dtype=np.float64)
        if vertices.ndim == 1 and vertices.size % 2 == 0:
            vertices = vertices.reshape(-1, 2)
        if vertices.ndim != 2 or vertices.shape[1] != 2 or len(vertices) < 3:
            raise ValueError(
                f"polygon {number} has shape {vertices.shape}; give (M, 2) columns and rows, "
                "M >= 3."
            )
        if not np.isfinite(vertices).all():
            raise ValueError(
                f"polygon {number} has NaN or infinite coordinates; give finite image pixels."
            )
        x0, y0 = vertices.T
        x1, y1 = np.roll(vertices, -1, axis=0).T
        first = np.clip(np.ceil(np.minimum(y0, y1) - 0.5), 0, height).astype(np.int64)
        end = np.clip(np.ceil(np.maximum(y0, y1) - 0.5), 0, height).astype(np.int64)
        count = end - first
        edge = np.repeat(np.arange(len(count)), count)
        row = first[edge] + np.arange(len(edge)) - (np.cumsum(count) - count)[edge]
        along = (row + 0.5 - y0[edge]) / (y1 - y0)[edge]
        x = x0[edge] + along * (x1 - x0)[edge]
        column = np.clip(np.ceil(x - 0.5), 0, width).astype(np.int64)
        np.logical_xor.at(toggles, (row, column), True)
    return np.logical_xor.accumulate(toggles, axis=1)[:, :width]


# Colours and PNG ------------------------------------------------------------------------


def default_color(object_id: int) -> str:
    """Colour of an object that was given none.

    Parameters
    ----------
    object_id : int
        1 to 255.

    Returns
    -------
    str
        ``"#rrggbb"``. Ids 1 to 8 take `OKABE_ITO` in order. From 9 on the hue turns by
        the golden angle, so that neighbouring ids are far apart, and the lightness goes
        through 0.35, 0.55 and 0.75, so that they differ without colour vision as well.
    """
    if not 1 <= object_id <= 255:
        raise ValueError(f"object id {object_id} has no colour; ids go from 1 to 255.")
    if object_id <= len(OKABE_ITO):
        red, green, blue = OKABE_ITO[object_id - 1].tolist()
    else:
        golden_angle = (3 - 5**0.5) / 2  # as a fraction of a full turn
        lightness = (0.35, 0.55, 0.75)[object_id % 3]
        color = colorsys.hls_to_rgb(object_id * golden_angle % 1, lightness, 0.8)
        red, green, blue = (round(255 * c) for c in color)
    return f"#{red:02x}{green:02x}{blue:02x}"


def write_label_png(
    path: str | os.PathLike[str], labels: np.ndarray, *, exported: bool = False
) -> None:
    """Write a label map as a palette PNG in the colours of DAVIS.

    The file appears complete or not at all, even if the process is killed.

    Parameters
    ----------
    path : path-like
    labels : (H, W) array of bool or integers in [0, 255]
    exported : bool
        Mark the file as this package's own, which a later export may replace.
    """
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    height, width = (*np.shape(labels), 1, 1)[:2]
    image = Image.fromarray(as_label_map(labels, height, width, what="labels"))
    image.putpalette(davis_palette().tobytes())
    mark = PngInfo()
    if exported:
        mark.add_text("Software", SOFTWARE)
    with replacing(path) as temporary:
        image.save(temporary, format="PNG", pnginfo=mark)


def read_label_png(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a label map from a PNG, or another picture file without loss.

    What its values mean is decided from this one file; for the masks of a whole video use
    `evavos_widget.label_folder.LabelFolder`, which looks at all of them.

    Parameters
    ----------
    path : path-like
        A palette PNG (indices are ids), a 1-bit one (1 is object 1), a grey one (ids, except
        that black and white only mean background and object 1), one with the mask in its
        alpha channel, or one in the colours of DAVIS's palette.

    Returns
    -------
    (H, W) uint8 array

    Raises
    ------
    ValueError
        It is no picture, its ids are not known, or they are not plausible.
    """
    raw = open_mask(path)
    return decide([(str(path), raw)]).apply(raw, str(path))

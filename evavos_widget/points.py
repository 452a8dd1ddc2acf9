"""Point labels: what a person says of single pixels, never turned into masks by themselves.

Point-VOS (Sec. 3) replaces mask drawing by such answers: a proposed point is accepted,
rejected, or ambiguous.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "LABELS",
    "REGIONS",
    "VERIFICATIONS",
    "Candidate",
    "Point",
    "as_points",
    "of_both",
    "with_points",
    "without_points",
]

LABELS = ("positive", "negative", "unknown")
"""What a pixel can be said to be: of the object, not of it, or one cannot tell."""

REGIONS = ("foreground", "background", "uncertain")
"""Where a proposed point was taken from (Point-VOS Sec. 3.2), in the order of verification."""

VERIFICATIONS = 10
"""Proposed points that are verified in one annotation of type ``'points'``; our choice."""


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """One pixel and what was said of it.

    Parameters
    ----------
    x, y : int
        Column and row, from 0 at the top left.
    label : {'positive', 'negative', 'unknown'}
    region : str
        One of `REGIONS`, what it was proposed as; empty where nobody proposed it.
    """

    x: int
    y: int
    label: str = "positive"
    region: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pixel that somebody is to be asked about.

    Parameters
    ----------
    frame : int
    x, y : int
        Column and row.
    region : str
        One of `REGIONS`, what it is proposed as.
    effect : float
        Pixels that the answer is expected to decide; 0 where the selector does not say.
    """

    frame: int
    x: int
    y: int
    region: str
    effect: float = 0.0


def as_points(points: Iterable[Any], height: int, width: int) -> tuple[Point, ...]:
    """Check points, given as `Point` or as (x, y, label) with or without a region.

    Parameters
    ----------
    points : iterable of Point or (x, y, label) or (x, y, label, region)
    height, width : int
        Of the picture, in pixels.

    Returns
    -------
    tuple of Point
        Each pixel once; where it is given twice, the later label.

    Raises
    ------
    ValueError
        A point is outside the picture, not a whole pixel, or has another label.
    """
    checked = (_as_point(i, p, height, width) for i, p in enumerate(points))
    return tuple({(p.x, p.y): p for p in checked}.values())


def _as_point(number: int, given: Any, height: int, width: int) -> Point:
    try:
        if not isinstance(given, Point):
            x, y, label, *rest = given  # what is said of it has no default here
            given = Point(x, y, label, *rest)
        x, y, label = operator.index(given.x), operator.index(given.y), given.label
    except (TypeError, ValueError):
        raise ValueError(
            f"point {number} is {given!r}; give (x, y, label) with whole columns and rows."
        ) from None
    if given.region not in ("", *REGIONS):
        raise ValueError(f"point {number} is of region {given.region!r}; choose from {REGIONS}.")
    if label not in LABELS:
        raise ValueError(f"point {number} is labelled {label!r}; choose from {list(LABELS)}.")
    if not (0 <= x < width and 0 <= y < height):
        raise ValueError(
            f"point {number} at ({x}, {y}) is outside the {width} x {height} picture; "
            f"give 0 <= x <= {width - 1} and 0 <= y <= {height - 1}."
        )
    return Point(x, y, label, given.region)


def with_points(old: Sequence[Point], new: Sequence[Point]) -> tuple[Point, ...]:
    """`old` and `new` together; of a pixel that is in both, what `new` says."""
    return tuple({(p.x, p.y): p for p in (*old, *new)}.values())


def without_points(old: Sequence[Point], pixels: Iterable[tuple[int, int]]) -> tuple[Point, ...]:
    """`old` without what it says of some pixels, each (x, y)."""
    gone = set(pixels)
    return tuple(p for p in old if (p.x, p.y) not in gone)


def of_both(a: Sequence[Point], b: Sequence[Point]) -> tuple[Point, ...]:
    """What the points of two objects say of the two as one.

    A pixel of either is a pixel of both together, one that is of neither is not; that it is
    not of one of them says nothing. A point stays what it was proposed as, first of all in `a`.
    """
    first, second = ({(p.x, p.y): p for p in points} for points in (a, b))
    together: list[Point] = []
    for pixel in {**first, **second}:
        said = {p.label: p for p in (second.get(pixel), first.get(pixel)) if p is not None}
        if "positive" in said:
            together.append(said["positive"])
        elif "unknown" in said:
            together.append(said["unknown"])
        elif pixel in first and pixel in second:
            together.append(said["negative"])
    return tuple(together)

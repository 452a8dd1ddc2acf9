"""What an annotator can give for an object on a frame, and what each costs in seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any

import numpy as np

from evavos_widget.quantities import as_quantity

__all__ = [
    "ANNOTATION_TYPES",
    "STATEMENTS",
    "AnnotationType",
    "Box",
    "Click",
    "Costs",
    "Prompts",
    "Scribble",
    "as_box",
    "as_clicks",
    "as_costs",
    "as_scribbles",
]


@dataclass(frozen=True, slots=True)
class Click:
    """One corrective click.

    Parameters
    ----------
    x, y : float
        Column and row in image pixels; pixel centres are at integers, so the
        picture spans ``[-0.5, W - 0.5) x [-0.5, H - 0.5)``.
    positive : bool
        True: this pixel belongs to the object. False: it does not.
    """

    x: float
    y: float
    positive: bool = True


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned box around the object, in image pixels, corners included."""

    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, eq=False)
class Scribble:
    """A stroke over the object or over what is not the object.

    Parameters
    ----------
    points : array-like of shape (M, 2)
        ``(x, y)`` of the stroke's vertices in image pixels, M >= 1.
    positive : bool
        Whether the stroke marks the object.
    radius : float
        Half the width of the stroke in pixels.
    """

    points: np.ndarray
    positive: bool = True
    radius: float = 2.0

    def __post_init__(self) -> None:
        points = np.asarray(self.points, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 2 or len(points) == 0:
            raise ValueError(
                f"Scribble.points has shape {points.shape}; give (M, 2) columns and rows, M >= 1."
            )
        object.__setattr__(self, "points", points)


@dataclass(frozen=True, eq=False)
class Prompts:
    """Everything given so far for one object on one frame.

    Parameters
    ----------
    clicks : tuple of Click
        In the order they were made.
    box : Box, optional
    scribbles : tuple of Scribble
    previous_mask : (H, W) bool array, optional
        The mask the annotator started to correct (for example the propagated one),
        *before* the first of `clicks`. Absent when starting from nothing.
    previous_probabilities : (H, W) float32 array in [0, 1], optional
        Foreground probabilities that belong to `previous_mask`.
    held : (H, W) bool array, optional
        Pixels that other objects hold by hand on this frame.
    """

    clicks: tuple[Click, ...] = ()
    box: Box | None = None
    scribbles: tuple[Scribble, ...] = ()
    previous_mask: np.ndarray | None = None
    previous_probabilities: np.ndarray | None = None
    held: np.ndarray | None = None

    @property
    def kinds(self) -> frozenset[str]:
        """Which of ``'clicks'``, ``'box'`` and ``'scribble'`` there are."""
        given = {"clicks": self.clicks, "box": self.box, "scribble": self.scribbles}
        return frozenset(kind for kind, prompts in given.items() if prompts)

    def validate(self, height: int, width: int) -> None:
        """Raise `ValueError` naming the first prompt that does not fit an H x W picture."""
        for i, click in enumerate(self.clicks):
            _check_point(f"click {i}", click.x, click.y, height, width)
        if self.box is not None:
            box = self.box
            corners = (box.x0, box.y0, box.x1, box.y1)
            if not _are_numbers(*corners):
                raise ValueError(f"the box is {corners}; give x0, y0, x1, y1 in pixels.")
            if not np.isfinite(corners).all():
                raise ValueError(f"the box {corners} is not finite; give x0, y0, x1, y1 in pixels.")
            if box.x1 <= box.x0 or box.y1 <= box.y0:
                raise ValueError(f"the box {corners} is empty; give x0 < x1 and y0 < y1 in pixels.")
            if box.x1 < 0 or box.y1 < 0 or box.x0 > width - 1 or box.y0 > height - 1:
                raise ValueError(
                    f"the box {corners} lies outside the {width} x {height} picture; "
                    "give one that overlaps it."
                )
        for i, scribble in enumerate(self.scribbles):
            if not np.isfinite(scribble.points).all():
                raise ValueError(f"scribble {i} has a non-finite point; give pixel coordinates.")
        for what in ("previous_mask", "previous_probabilities", "held"):
            array = getattr(self, what)
            if array is not None and np.shape(array) != (height, width):
                raise ValueError(
                    f"{what} has shape {np.shape(array)}; the picture is {(height, width)}. "
                    "Resize it to the video's size first."
                )


def as_clicks(clicks: Iterable[Any]) -> tuple[Click, ...]:
    """Clicks, each of which may be given as ``(x, y, positive)``; a ValueError names what is none.

    Their places are looked at with the picture's size, see `Prompts.validate`.
    """
    if not isinstance(clicks, Iterable):
        raise ValueError(f"clicks is {clicks!r}; give a list of (x, y, positive).")
    made = []
    for i, click in enumerate(clicks):
        if not isinstance(click, Click):
            try:
                x, y, positive = click
            except (TypeError, ValueError):
                raise ValueError(
                    f"click {i} is {click!r}; give (x, y, positive), with column and row in pixels."
                ) from None
            click = Click(x, y, bool(positive))
        made.append(click)
    return tuple(made)


def as_box(box: Any) -> Box | None:
    """A box, which may be given as ``(x0, y0, x1, y1)``, or none."""
    if box is None or isinstance(box, Box):
        return box
    try:
        x0, y0, x1, y1 = box
    except (TypeError, ValueError):
        raise ValueError(f"the box is {box!r}; give (x0, y0, x1, y1) in pixels.") from None
    return Box(x0, y0, x1, y1)


def as_scribbles(scribbles: Iterable[Any]) -> tuple[Scribble, ...]:
    """Scribbles; a ValueError names what is none."""
    if isinstance(scribbles, Scribble) or not isinstance(scribbles, Iterable):
        raise ValueError(f"scribbles is {scribbles!r}; give a list of them.")
    made = tuple(scribbles)
    for i, scribble in enumerate(made):
        if not isinstance(scribble, Scribble):
            raise ValueError(f"scribble {i} is {scribble!r}; give Scribble([(x, y), ...]).")
    return made


def _check_point(what: str, x: float, y: float, height: int, width: int) -> None:
    if not _are_numbers(x, y):
        raise ValueError(f"{what} is at ({x!r}, {y!r}); give column and row in pixels.")
    if not (np.isfinite(x) and np.isfinite(y)):
        raise ValueError(f"{what} at ({x}, {y}) is not finite; give column and row in pixels.")
    if not (-0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5):
        raise ValueError(
            f"{what} at ({x:g}, {y:g}) is outside the {width} x {height} picture; "
            f"give 0 <= x <= {width - 1} and 0 <= y <= {height - 1}."
        )


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(value, Real) and not isinstance(value, bool) for value in values)


@dataclass(frozen=True, slots=True)
class AnnotationType:
    """One way to annotate a frame, and where the figure for its cost comes from."""

    name: str
    seconds: float
    description: str
    source: str


#: The pool A of annotation types (EVA-VOS, Sec. 2), with the cost of one use of each.
ANNOTATION_TYPES: Mapping[str, AnnotationType] = {
    t.name: t
    for t in (
        AnnotationType(
            "mask", 80.0, "draw the mask", "80 s per object and frame: EVA-VOS Sec. 3, from COCO"
        ),
        AnnotationType(
            "clicks",
            5.5,
            "three corrective clicks",
            "1.5 s per click plus 1 s once to locate the object: EVA-VOS Sec. 3",
        ),
        AnnotationType("box", 7.0, "a box", "7 s: extreme clicking, as charged by EVA-VOS's code"),
        AnnotationType(
            "scribble", 30.0, "a scribble", "30 s per object and round: DAVIS 2018 interactive"
        ),
        AnnotationType(
            "points", 0.95, "verify a proposed point", "0.95 s per point: Point-VOS Sec. 3.2"
        ),
    )
}

#: What can be said of an object on a frame without drawing: it is not there, or its mask
#: is right as it is. Nobody asks for these, so they are not in the pool A.
STATEMENTS = ("absent", "verified")


@dataclass(frozen=True)
class Costs:
    """Seconds charged to an annotator; replace any field to use measured ones.

    Parameters
    ----------
    mask : float
        Drawing a full mask; 80 s (EVA-VOS Sec. 3, from COCO).
    click : float
        One click; 1.5 s (EVA-VOS Sec. 3).
    locate : float
        Finding the object, once per interaction of clicks; 1 s (EVA-VOS Sec. 3).
    box : float
        One box; 7 s (extreme clicking, as charged by EVA-VOS's released code).
    scribble : float
        One interaction with scribbles; 30 s (DAVIS 2018 interactive challenge).
    point : float
        Verifying one proposed point; 0.95 s (Point-VOS Sec. 3.2).
    absent : float
        Saying that the object is not in the frame; 3 s (EVA-VOS's released code).
    verified : float
        Accepting the mask as it is; charged like `absent`, as it is the same act: one
        look at the frame and one key. We know of no measured figure for masks.

    Examples
    --------
    >>> Costs().mask, Costs(mask=25.0).mask
    (80.0, 25.0)
    """

    mask: float = 80.0
    click: float = 1.5
    locate: float = 1.0
    box: float = 7.0
    scribble: float = 30.0
    point: float = 0.95
    absent: float = 3.0
    verified: float = 3.0

    def __post_init__(self) -> None:
        for kind in fields(self):
            name, given = f"the cost of {kind.name}", getattr(self, kind.name)
            object.__setattr__(self, kind.name, as_quantity(name, given, "seconds, 0 or more"))

    def seconds(self, kind: str, n: int | None = None) -> float:
        """Seconds for one annotation of type `kind`.

        Parameters
        ----------
        kind : {'mask', 'clicks', 'box', 'scribble', 'points', 'absent', 'verified'}
        n : int, optional
            How many clicks (default 3, the paper's block) or points (default 1).
        """
        if kind == "clicks":
            return self.locate + self.click * (3 if n is None else n)
        if kind == "points":
            return self.point * (1 if n is None else n)
        if kind in ("mask", "box", "scribble", *STATEMENTS):
            return float(getattr(self, kind))
        raise ValueError(
            f"unknown annotation type {kind!r}; choose from {[*ANNOTATION_TYPES, *STATEMENTS]}."
        )


def as_costs(costs: Costs | None) -> Costs:
    """The costs that were given, or those of the paper; refuses with a ValueError what is none."""
    if not isinstance(costs, Costs | None):
        raise ValueError(f"costs is {costs!r}; give Costs(mask=80, click=1.5), say, or none.")
    return costs or Costs()


@dataclass(frozen=True, eq=False)
class Prediction:
    """A mask predicted from prompts.

    Parameters
    ----------
    mask : (H, W) bool array
    probabilities : (H, W) float32 array in [0, 1]
        Foreground probability; `mask` is where it exceeds 0.5.
    score : float in [0, 1]
        The predictor's own estimate of the mask's quality.
    """

    mask: np.ndarray
    probabilities: np.ndarray
    score: float

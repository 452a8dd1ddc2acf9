"""What is asked of a session must fit what is there; one sentence where it does not."""

from __future__ import annotations

import operator
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import ImageColor

from evavos_widget.masks import as_label_map
from evavos_widget.prompts import ANNOTATION_TYPES, STATEMENTS
from evavos_widget.quantities import as_quantity
from evavos_widget.session.state import State

if TYPE_CHECKING:
    from evavos_widget.loop import MaskPredictor, Propagator

__all__ = [
    "as_changes",
    "as_ids",
    "as_labels",
    "as_name",
    "as_seconds",
    "beside_locked",
    "check_object",
    "check_statement",
    "check_type",
    "check_unlocked",
    "free_of_locked",
    "locked",
]

LONGEST_NAME = 200
"""Characters of an object's name; what is longer is no name but a mistake."""


def as_id(obj: Any) -> int:
    """An object's id as Python's own number; NumPy's are as good."""
    try:
        return operator.index(obj)
    except TypeError:
        raise ValueError(f"{obj!r} is no object; give its id, a whole number.") from None


def as_ids(objects: Iterable[Any]) -> set[int]:
    """Ids of objects, given in any collection or array."""
    if isinstance(objects, str) or not isinstance(objects, Iterable):
        raise ValueError(f"objects is {objects!r}; give a list of ids, as in objects=[1].")
    return {as_id(o) for o in objects}


def check_object(state: State, obj: int) -> None:
    """`ValueError` where there is no such object."""
    if obj not in state.ids:
        known = [f"{o.id} ({o.name})" for o in state.objects]
        raise ValueError(
            f"there is no object {obj}; objects: {known or 'none yet, add one first'}."
        )


def locked(state: State) -> set[int]:
    """Ids of the objects that are safe from the hand."""
    return {o.id for o in state.objects if o.locked}


def check_unlocked(state: State, objects: Collection[int]) -> None:
    """`ValueError` where one of the objects is locked."""
    for o in state.objects:
        if o.id in objects and o.locked:
            raise ValueError(f"object {o.id} ({o.name}) is locked; unlock it first.")


def free_of_locked(state: State, frame: int, labels: np.ndarray) -> np.ndarray:
    """`labels` without the pixels that locked objects hold on a frame."""
    if not (safe := locked(state)):
        return labels
    held = np.isin(state.masks[frame], list(safe))
    return np.where(held, 0, labels).astype(np.uint8)


def beside_locked(state: State, frame: int, labels: np.ndarray) -> np.ndarray:
    """As `free_of_locked`; refuses where nothing is left of an object that was drawn."""
    kept = free_of_locked(state, frame, labels)
    if gone := set(np.unique(labels).tolist()) - set(np.unique(kept).tolist()) - {0}:
        raise ValueError(
            f"the mask of object {min(gone)} on frame {frame} lies wholly on locked objects; "
            "unlock them first."
        )
    return kept


def check_type(kind: str) -> None:
    """`ValueError` where masks cannot come of an annotation type."""
    if kind == "points":
        raise ValueError(
            "points are no mask: say what each is with session.label_points(frame, object, "
            "points), and let a predictor make a mask of them with session.predict(frame, object, "
            "clicks=...), which you then annotate as 'clicks', or let the propagator begin from "
            "them with session.begin_from_points(frame, object)."
        )
    if kind not in ANNOTATION_TYPES and kind not in STATEMENTS:
        known = [*(t for t in ANNOTATION_TYPES if t != "points"), *STATEMENTS]
        raise ValueError(f"unknown annotation type {kind!r}; choose from {known}.")


def check_prompted(predictor: MaskPredictor, kinds: frozenset[str]) -> None:
    """`ValueError` where a predictor does not take prompts of one of the kinds."""
    if refused := kinds - predictor.accepts:
        raise ValueError(
            f"the predictor {predictor.name!r} takes no {min(refused)}, only "
            f"{sorted(predictor.accepts)}; draw the mask, or open the session with one that does, "
            "such as predictor='compact'."
        )


def check_takes_points(propagator: Propagator) -> None:
    """`ValueError` where a propagator can begin from masks only."""
    if "points" not in propagator.accepts:
        raise ValueError(
            f"the propagator {propagator.name!r} does not take points; let a predictor make a "
            "mask of them with session.predict(frame, object, clicks=...), or open the session "
            "with one that does, such as propagator='compact'."
        )


def check_can_begin(state: State, frame: int, obj: int) -> None:
    """`ValueError` where masks cannot begin from the points of an object on a frame."""
    if not any(p.label == "positive" for p in state.points.get((frame, obj), ())):
        raise ValueError(
            f"no point on frame {frame} is on object {obj}; say so of one or more with "
            "session.label_points(frame, object, points)."
        )
    annotation = state.annotations.get(frame)
    if annotation and obj in annotation.objects - annotation.points.keys():
        raise ValueError(
            f"object {obj} is annotated on frame {frame} without points; take that back with "
            "session.remove_annotation(frame, object), or keep it."
        )


def check_accepted(state: State, propagator: Propagator) -> None:
    """As `check_takes_points`, where K holds points; they may be of another propagator's time."""
    if any(annotation.points for annotation in state.annotations.values()):
        check_takes_points(propagator)


def check_statement(kind: str, labels: np.ndarray, objects: Collection[int], frame: int) -> None:
    """What is said in words must fit the mask that comes with it."""
    if kind not in STATEMENTS:
        return
    present = set(np.unique(labels).tolist()) - {0}
    if kind == "absent" and present:
        raise ValueError(
            f"object {min(present)} is said to be absent from frame {frame} "
            "but its mask has pixels; give an empty mask."
        )
    if kind == "verified" and (missing := set(objects) - present):
        raise ValueError(
            f"object {min(missing)} has no mask on frame {frame} to accept; "
            "mark it absent, or draw it."
        )


def as_labels(
    state: State, mask: Any, objects: Collection[int] | None, what: str
) -> tuple[np.ndarray, set[int]]:
    """A mask as label map, and whom it speaks for; `what` is how sentences call it."""
    for obj in sorted(objects or ()):
        check_object(state, obj)
    labels = as_label_map(mask, *state.masks.shape[1:], what)
    if np.asarray(mask).dtype == bool and objects is not None and len(objects) == 1:
        labels = labels * np.uint8(next(iter(objects)))
    present = set(np.unique(labels).tolist()) - {0}
    spoken = present if objects is None else set(objects)
    for obj in sorted(present):
        check_object(state, obj)
    if stray := present - spoken:
        raise ValueError(
            f"{what} holds object {min(stray)}, which is not among objects={sorted(spoken)}; "
            "list it there or leave it out of the mask."
        )
    if not spoken:
        raise ValueError(f"{what} is empty; say whom it speaks for: objects=[...].")
    return labels, spoken


def as_seconds(seconds: Any) -> float:
    """Seconds that something took."""
    return as_quantity("seconds", seconds, "what it took, 0 or more")


def as_name(name: Any) -> str:
    """An object's name."""
    if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_NAME:
        shown = f"{len(name)} characters" if isinstance(name, str) and name.strip() else repr(name)
        raise ValueError(
            f"an object cannot be called {shown[:60]}; give 1 to {LONGEST_NAME} characters."
        )
    return name


def as_changes(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Changes of an object, as an event holds them."""
    unknown = set(changes) - set(_CHANGES)
    if unknown:
        raise ValueError(
            f"an object has no {sorted(unknown)[0]!r}; change its name, color, visible or locked."
        )
    return {what: _CHANGES[what](value) for what, value in changes.items()}


def _as_color(color: Any) -> str:
    try:
        channels = ImageColor.getrgb(color)
    except (AttributeError, TypeError, ValueError):
        channels = ()
    if len(channels) != 3:  # a fourth would be transparency
        raise ValueError(
            f"{str(color)[:60]!r} is no colour that can be painted; give one as '#rrggbb'."
        )
    return "#{:02x}{:02x}{:02x}".format(*channels)


def _as_switch(value: Any) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{str(value)[:60]!r} is neither True nor False; give one of the two.")
    return bool(value)


_CHANGES = {"name": as_name, "color": _as_color, "visible": _as_switch, "locked": _as_switch}

"""What can happen in a session: every event of the journal, typed, and what it is called.

An event holds JSON values only. Label maps are packed as text, clicks are ``[x, y, 0 or 1]``,
and the keys of its mappings are numbers written out.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict, cast

import numpy as np

from evavos_widget.masks import decode_runs, encode_runs
from evavos_widget.quantities import counted

__all__ = [
    "VERSION",
    "AddObject",
    "Annotate",
    "BeginFromPoints",
    "EndSnooze",
    "Event",
    "Group",
    "LabelPoints",
    "LaterVersionError",
    "MergeObjects",
    "RemoveAnnotation",
    "RemoveObject",
    "RemovePoints",
    "Snooze",
    "Step",
    "UpdateObject",
    "as_change",
    "check_version",
    "describe",
    "objects_of",
    "pack_label_map",
    "pack_runs",
    "unpack_runs",
]

VERSION = 2
"""Of the journal. 1 had no points, no trust, and merges that depended on propagated masks."""


class LaterVersionError(ValueError):
    """A journal has something in it that this version of the package does not know."""


class AddObject(TypedDict):
    """A new object, nowhere yet."""

    kind: Literal["object.add"]
    object: int
    name: str


class UpdateObject(TypedDict):
    """``changes``: any of name, color, visible, locked."""

    kind: Literal["object.update"]
    object: int
    changes: dict[str, Any]


class RemoveObject(TypedDict):
    """An object goes, with everything that was said of it."""

    kind: Literal["object.remove"]
    object: int


class MergeObjects(TypedDict):
    """``frames``: the mask of the two together on the annotated frames (absent in version 1)."""

    kind: Literal["object.merge"]
    object: int
    into: int
    frames: NotRequired[dict[str, str]]


class Annotate(TypedDict):
    """An annotation of one or more frames.

    ``corrects`` lists the objects that had a mask there, ``trust`` has an object's where it is
    not 1 (both absent where they say nothing).
    """

    kind: Literal["annotate"]
    frames: dict[str, str]
    objects: list[int]
    type: str
    seconds: float
    clicks: list[list[float]]
    corrects: NotRequired[list[int]]
    trust: NotRequired[dict[str, float]]


class RemoveAnnotation(TypedDict):
    """An object's annotation on a frame is taken back."""

    kind: Literal["annotation.remove"]
    frame: int
    object: int


class LabelPoints(TypedDict):
    """``points``: ``[x, y, label]`` each, and what it was proposed as, where it was."""

    kind: Literal["points.label"]
    frame: int
    object: int
    points: list[list[Any]]
    seconds: float


class RemovePoints(TypedDict):
    """``pixels``: ``[x, y]`` each."""

    kind: Literal["points.remove"]
    frame: int
    object: int
    pixels: list[list[int]]


class BeginFromPoints(TypedDict):
    """Masks are to be carried on from the points of an object on a frame, as they are and become.

    ``trust``: expected IoU with the truth of what the propagator makes of them.
    """

    kind: Literal["points.begin"]
    frame: int
    object: int
    trust: float
    corrects: NotRequired[bool]


class Snooze(TypedDict):
    """An object is not to be asked for on a frame before the next finished pass."""

    kind: Literal["snooze"]
    frame: int
    object: int


class EndSnooze(TypedDict):
    """A pass was finished: what was put off may be asked for again."""

    kind: Literal["snooze.end"]


Event = (
    AddObject
    | UpdateObject
    | RemoveObject
    | MergeObjects
    | Annotate
    | RemoveAnnotation
    | LabelPoints
    | RemovePoints
    | BeginFromPoints
    | Snooze
    | EndSnooze
)

KINDS = (
    "object.add",
    "object.update",
    "object.remove",
    "object.merge",
    "annotate",
    "annotation.remove",
    "points.label",
    "points.remove",
    "points.begin",
    "snooze",
    "snooze.end",
)
"""The kinds of `Event`."""


class Group(TypedDict):
    """Events that are one change: together on disk, together undone."""

    kind: Literal["group"]
    events: list[Event]
    undoable: bool


class Step(TypedDict):
    """Undo or redo; ``of`` is the line of the journal that is taken back or brought back."""

    kind: Literal["undo", "redo"]
    of: NotRequired[int]


def check_version(line: Mapping[str, Any], where: str) -> None:
    """Refuse the journal of a later version; `line` is its header or tells of an upgrade."""
    version = line.get("version", 1)
    if not isinstance(version, int) or version > VERSION:
        raise LaterVersionError(
            f"{where} was written by a later version of evavos-widget (journal version "
            f"{version}, and this one reads up to {VERSION}); update the package to open it."
        )


def as_change(line: Mapping[str, Any], where: str) -> Group | Step | None:
    """A line of a journal after its first one as a change; None where it changes nothing.

    Raises
    ------
    LaterVersionError
        It is of a kind that is unknown here; it must not be taken for something else.
    """
    kind = line.get("kind")
    if kind == "version":
        check_version(line, where)
        return None
    if kind in ("undo", "redo"):
        return cast("Step", line)
    events: Sequence[Mapping[str, Any]] = line.get("events", ()) if kind == "group" else (line,)
    for event in events:
        if kind != "group" or event.get("kind") not in KINDS:
            raise LaterVersionError(
                f"{where} is the event {event.get('kind')!r}, which this version of evavos-widget "
                "does not know; update the package to open the session."
            )
    return cast("Group", line)


def objects_of(event: Event) -> set[int]:
    """The objects that must be there before an event can happen."""
    if event["kind"] == "object.add" or event["kind"] == "snooze.end":
        return set()
    if event["kind"] == "annotate":
        return set(event["objects"])
    if event["kind"] == "object.merge":
        return {event["object"], event["into"]}
    return {event["object"]}


def describe(event: Event) -> str:
    """What undoing this event would take back, in a few words."""
    if event["kind"] == "annotate":
        frames = sorted(int(f) for f in event["frames"])
        where = f"frame {frames[0]}" if len(frames) == 1 else f"{len(frames)} frames"
        what = {"absent": "absence", "verified": "acceptance"}.get(event["type"], event["type"])
        return f"{what} on {where}"
    if event["kind"] == "annotation.remove":
        return f"removal of the annotation on frame {event['frame']}"
    if event["kind"] == "points.label":
        return f"{counted(len(event['points']), 'point')} on frame {event['frame']}"
    if event["kind"] == "points.remove":
        return f"removal of {counted(len(event['pixels']), 'point')} on frame {event['frame']}"
    if event["kind"] == "points.begin":
        return f"beginning from points on frame {event['frame']}"
    if event["kind"] == "snooze":
        return f"putting frame {event['frame']} off"
    return {
        "object.add": "new object",
        "object.update": "change of an object",
        "object.remove": "removal of an object",
        "object.merge": "merge of two objects",
        "snooze.end": "end of what was put off",
    }[event["kind"]]


def pack_label_map(labels: np.ndarray) -> str:
    """A label map as a short string that JSON can hold."""
    return pack_runs(encode_runs(labels))


def pack_runs(runs: np.ndarray) -> str:
    """The runs of a label map as a short string that JSON can hold."""
    return base64.b64encode(zlib.compress(runs.tobytes(), 6)).decode()


def unpack_runs(text: str, shape: tuple[int, int]) -> np.ndarray:
    """The inverse of `pack_runs`.

    Returns
    -------
    (R,) uint32 array, read-only

    Raises
    ------
    ValueError
        The runs are not those of a picture of this shape.
    """
    runs = np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=np.uint32)
    if int((runs & np.uint32(0xFFFFFF)).sum(dtype=np.int64)) != shape[0] * shape[1]:
        decode_runs(runs, shape)  # says what is wrong
    return runs

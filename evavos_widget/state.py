"""The state (V, K, M^t) of one video being annotated, and how an event changes it.

`State` is immutable: every event makes a new one that shares what did not change, so
that undo is keeping the old one. `apply` is a pure function of a state and an event;
a session uses it to make a change and, with the same events from disk, to replay it.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from evavos_widget.loop import Annotation, Round
from evavos_widget.masks import LabelMaps, decode_runs, default_color, encode_runs

__all__ = [
    "CurvePoint",
    "ObjectInfo",
    "Round",
    "State",
    "apply",
    "describe",
    "pack_label_map",
    "unpack_label_map",
]

Event = Mapping[str, Any]
#: (K before, K after, N) -> frames whose masks change; `Propagator.affected`.
Affected = Callable[[Mapping[int, Annotation], Mapping[int, Annotation], int], set[int]]


@dataclass(frozen=True)
class ObjectInfo:
    """One object: its id in the label maps (1 to 255) and how it is shown."""

    id: int
    name: str
    color: str
    visible: bool = True
    locked: bool = False


@dataclass(frozen=True)
class CurvePoint:
    """Quality after the annotator spent so many seconds; J&F as fractions of 1."""

    seconds: float
    predicted: float | None
    true: float | None


@dataclass(frozen=True, eq=False)
class State:
    """Everything that undo takes back.

    Parameters
    ----------
    objects : tuple of ObjectInfo, ascending ids
    annotations : mapping of frame -> Annotation
        K.
    masks : LabelMaps
        M^t.
    revisions : tuple of int
        Per frame, the revision at which its mask last changed.
    quality : mapping of object id -> (N,) float32 array
        Predicted J&F; NaN where nothing was propagated.
    stale : frozenset of int
        Frames whose masks wait for a propagation pass.
    rounds : tuple of Round
    snoozed : frozenset of (frame, object)
        Not to be suggested before the next finished pass.
    curve : tuple of CurvePoint
    marks : mapping of (frame, object) -> str
        How each annotation in K came about: ``'drawn'`` from nothing, ``'corrected'``
        from a mask that was there, ``'verified'`` as it was, or ``'absent'``.
    """

    objects: tuple[ObjectInfo, ...]
    annotations: Mapping[int, Annotation]
    masks: LabelMaps
    revisions: tuple[int, ...]
    quality: Mapping[int, np.ndarray] = field(default_factory=dict)
    stale: frozenset[int] = frozenset()
    rounds: tuple[Round, ...] = ()
    snoozed: frozenset[tuple[int, int]] = frozenset()
    curve: tuple[CurvePoint, ...] = ()
    marks: Mapping[tuple[int, int], str] = field(default_factory=dict)

    @classmethod
    def empty(cls, n_frames: int, height: int, width: int) -> State:
        """No object, no annotation, background everywhere."""
        masks = LabelMaps.empty(n_frames, height, width)
        return cls(objects=(), annotations={}, masks=masks, revisions=(0,) * n_frames)

    @property
    def ids(self) -> tuple[int, ...]:
        """Ids of the objects, ascending."""
        return tuple(o.id for o in self.objects)

    @property
    def seconds(self) -> float:
        """What the annotator has spent so far."""
        return float(sum(r.seconds for r in self.rounds))

    def with_masks(self, changed: Mapping[int, np.ndarray], revision: int) -> State:
        """Replace the label maps of some frames."""
        revisions = list(self.revisions)
        for frame in changed:
            revisions[frame] = revision
        return replace(self, masks=self.masks.replace(changed), revisions=tuple(revisions))


def pack_label_map(labels: np.ndarray) -> str:
    """A label map as a short string that JSON can hold."""
    return base64.b64encode(zlib.compress(encode_runs(labels).tobytes(), 6)).decode()


def unpack_label_map(text: str, shape: tuple[int, int]) -> np.ndarray:
    """The inverse of `pack_label_map`; ``(H, W)`` uint8."""
    runs = np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=np.uint32)
    return decode_runs(runs, shape)


def apply(state: State, event: Event, affected: Affected, revision: int) -> State:
    """The state after an event.

    Parameters
    ----------
    state : State
    event : dict
        ``kind`` and the fields written by `Session`; JSON values only.
    affected : callable
        Which frames a change of K makes stale.
    revision : int
        Stamped on the frames whose masks change.
    """
    return _HANDLERS[event["kind"]](state, event, affected, revision)


def describe(event: Event) -> str:
    """What undoing this event would take back, in a few words."""
    kind = event["kind"]
    if kind == "annotate":
        frames = sorted(int(f) for f in event["frames"])
        where = f"frame {frames[0]}" if len(frames) == 1 else f"{len(frames)} frames"
        what = {"absent": "absence", "verified": "acceptance"}.get(event["type"], event["type"])
        return f"{what} on {where}"
    if kind == "annotation.remove":
        return f"removal of the annotation on frame {event['frame']}"
    if kind == "snooze":
        return f"putting frame {event['frame']} off"
    return {
        "object.add": "new object",
        "object.update": "change of an object",
        "object.remove": "removal of an object",
        "object.merge": "merge of two objects",
    }[kind]


def _add_object(state: State, event: Event, affected: Affected, revision: int) -> State:
    new = ObjectInfo(event["object"], event["name"], default_color(event["object"]))
    objects = tuple(sorted((*state.objects, new), key=lambda o: o.id))
    unknown = np.full(len(state.revisions), np.nan, dtype=np.float32)
    return replace(state, objects=objects, quality={**state.quality, new.id: unknown})


def _update_object(state: State, event: Event, affected: Affected, revision: int) -> State:
    objects = tuple(
        replace(o, **event["changes"]) if o.id == event["object"] else o for o in state.objects
    )
    return replace(state, objects=objects)


def _remove_object(state: State, event: Event, affected: Affected, revision: int) -> State:
    gone = event["object"]
    annotations: dict[int, Annotation] = {}
    for frame, old in state.annotations.items():
        if left := old.objects - {gone}:
            annotations[frame] = _annotation(old.labels, left)
    cleared = {
        i: _without(state.masks[i], {gone})
        for i in range(len(state.masks))
        if gone in state.masks.ids(i)
    }
    changed = replace(
        state,
        objects=tuple(o for o in state.objects if o.id != gone),
        annotations=annotations,
        quality={o: q for o, q in state.quality.items() if o != gone},
        # What the object hid may belong to another one.
        stale=state.stale | cleared.keys() if annotations else frozenset(),
        snoozed=frozenset(s for s in state.snoozed if s[1] != gone),
        marks={where: mark for where, mark in state.marks.items() if where[1] != gone},
    )
    return changed.with_masks(cleared, revision)


def _merge_objects(state: State, event: Event, affected: Affected, revision: int) -> State:
    """Give everything of one object to another, which then is what both were.

    A frame stays annotated where one of the two was annotated with pixels, or both were;
    there the annotation takes the other's current mask in. That only one of them is absent
    says nothing about the two together.
    """
    gone, kept = event["object"], event["into"]
    both = frozenset((gone, kept))
    union = {
        i: np.where(state.masks[i] == gone, np.uint8(kept), state.masks[i])
        for i in range(len(state.masks))
        if gone in state.masks.ids(i)
    }
    annotations: dict[int, Annotation] = {}
    marks = {where: mark for where, mark in state.marks.items() if where[1] not in both}
    for frame, old in state.annotations.items():
        spoken = old.objects & both
        if not spoken:
            annotations[frame] = old
            continue
        stays = spoken == both or any(state.marks.get((frame, o)) != "absent" for o in spoken)
        left = (old.objects - both) | ({kept} if stays else frozenset())
        if not left:
            continue
        shown = union.get(frame, state.masks[frame])
        labels = np.where((shown == kept) & (_without(old.labels, both) == 0), kept, old.labels)
        annotations[frame] = _annotation(labels, left)
        if stays:
            marks[frame, kept] = _stronger(*(state.marks.get((frame, o)) for o in spoken))
    qualities = np.stack([state.quality[gone], state.quality[kept]])
    changed = replace(
        state,
        objects=tuple(o for o in state.objects if o.id != gone),
        annotations=annotations,
        quality={
            **{o: q for o, q in state.quality.items() if o != gone},
            kept: np.fmin.reduce(qualities, axis=0),
        },
        stale=state.stale | affected(state.annotations, annotations, len(state.revisions)),
        snoozed=frozenset((f, kept if o == gone else o) for f, o in state.snoozed),
        marks=marks,
    )
    return changed.with_masks(union, revision)


def _stronger(*marks: str | None) -> str:
    """The mark of two annotations together: the one that took more of a person's hand."""
    order = ("corrected", "drawn", "verified", "absent")
    return min((m for m in marks if m is not None), key=order.index, default="drawn")


def _annotate(state: State, event: Event, affected: Affected, revision: int) -> State:
    shape = state.masks.shape[1:]
    objects = frozenset(event["objects"])
    annotations = dict(state.annotations)
    shown = {}
    for key, packed in event["frames"].items():
        frame = int(key)
        labels = unpack_label_map(packed, shape)
        old = annotations.get(frame)
        spoken = objects | (old.objects if old else frozenset())
        together = _paint(old.labels if old else np.zeros(shape, np.uint8), labels, objects)
        annotations[frame] = _annotation(together, spoken)
        shown[frame] = _paint(state.masks[frame], labels, objects)
    marks = dict(state.marks)
    for frame in shown:
        for obj in objects:
            empty = not (annotations[frame].labels == obj).any()
            marks[frame, obj] = "absent" if empty else _mark(event, marks.get((frame, obj)), obj)
    complete = {f for f in shown if annotations[f].objects >= set(state.ids)}
    stale = state.stale | affected(state.annotations, annotations, len(state.revisions))
    quality = {o: q.copy() if o in objects else q for o, q in state.quality.items()}
    for obj in objects:
        quality[obj][list(shown)] = 1.0
    new_round = Round(
        tuple(sorted(shown)),
        tuple(sorted(objects)),
        event["type"],
        event["seconds"],
        tuple(tuple(c) for c in event.get("clicks", ())),
    )
    changed = replace(
        state,
        annotations=annotations,
        stale=stale - complete,
        quality=quality,
        rounds=(*state.rounds, new_round),
        marks=marks,
    )
    return changed.with_masks(shown, revision)


def _mark(event: Event, before: str | None, obj: int) -> str:
    if event["type"] == "verified":
        return "verified"
    corrects = obj in event.get("corrects", ()) and before in (None, "corrected", "verified")
    return "corrected" if corrects else "drawn"


def _remove_annotation(state: State, event: Event, affected: Affected, revision: int) -> State:
    frame, obj = event["frame"], event["object"]
    annotations = dict(state.annotations)
    old = annotations.pop(frame)
    if left := old.objects - {obj}:
        annotations[frame] = _annotation(old.labels, left)
    stale = state.stale | affected(state.annotations, annotations, len(state.revisions))
    quality = dict(state.quality)
    quality[obj] = quality[obj].copy()
    quality[obj][frame] = np.nan
    marks = {where: mark for where, mark in state.marks.items() if where != (frame, obj)}
    return replace(state, annotations=annotations, stale=stale, quality=quality, marks=marks)


def _snooze(state: State, event: Event, affected: Affected, revision: int) -> State:
    return replace(state, snoozed=state.snoozed | {(event["frame"], event["object"])})


def _end_snooze(state: State, event: Event, affected: Affected, revision: int) -> State:
    return replace(state, snoozed=frozenset())


_HANDLERS: dict[str, Callable[[State, Event, Affected, int], State]] = {
    "object.add": _add_object,
    "object.update": _update_object,
    "object.remove": _remove_object,
    "object.merge": _merge_objects,
    "annotate": _annotate,
    "annotation.remove": _remove_annotation,
    "snooze": _snooze,
    "snooze.end": _end_snooze,
}


def _annotation(labels: np.ndarray, objects: Iterable[int]) -> Annotation:
    """An annotation that speaks for `objects` only; its label map is read-only."""
    objects = frozenset(objects)
    kept = np.where(np.isin(labels, list(objects)), labels, 0).astype(np.uint8)
    kept.setflags(write=False)
    return Annotation(kept, objects)


def _paint(under: np.ndarray, labels: np.ndarray, objects: Iterable[int]) -> np.ndarray:
    """`labels` over `under`, replacing what `under` held of `objects`."""
    painted = _without(under, objects)
    return np.where(labels > 0, labels, painted)


def _without(labels: np.ndarray, objects: Iterable[int]) -> np.ndarray:
    return np.where(np.isin(labels, list(objects)), 0, labels).astype(np.uint8)

"""The state (V, K, M^t) of one video being annotated, and how an event changes it.

`State` is immutable: every event makes a new one that shares what did not change, so
that undo is keeping the old one. `apply` is a pure function of a state and an event;
a session uses it to make a change and, with the same events from disk, to replay it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from evavos_widget.loop import Annotation, Round, Source
from evavos_widget.masks import LabelMaps, decode_runs, default_color, ids_of_runs
from evavos_widget.points import Point, of_both, with_points, without_points
from evavos_widget.prompts import Click
from evavos_widget.session.events import (
    AddObject,
    Annotate,
    BeginFromPoints,
    EndSnooze,
    Event,
    LabelPoints,
    MergeObjects,
    RemoveAnnotation,
    RemoveObject,
    RemovePoints,
    Snooze,
    UpdateObject,
    pack_label_map,
    unpack_runs,
)
from evavos_widget.sources import QUALITY_OF_NOTHING

__all__ = ["CurvePoint", "ObjectInfo", "State", "apply", "merged_frames"]

Affected = Callable[[Mapping[int, Annotation], Mapping[int, Annotation], int], set[int]]
"""(K before, K after, N) -> frames whose masks change; `Propagator.affected`."""

SOURCE_OF = {
    "mask": "drawn",
    "clicks": "clicked",
    "box": "boxed",
    "scribble": "scribbled",
    "verified": "accepted",
    "absent": "absent",
    "import": "imported",
}
"""Annotation type -> where its masks come from, see `loop.SOURCES`."""


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
    points : mapping of (frame, object) -> tuple of Point
        What was said of single pixels; no mask follows from it by itself. K holds those from
        which masks are carried on.
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
    points: Mapping[tuple[int, int], tuple[Point, ...]] = field(default_factory=dict)

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

    @property
    def marks(self) -> dict[tuple[int, int], str]:
        """How each annotation in K came about, by frame and object.

        ``'drawn'`` from nothing, ``'corrected'`` from a mask that was there, ``'verified'``
        as it was, or ``'absent'``.
        """
        return {
            (frame, obj): _mark(annotation.sources[obj])
            for frame, annotation in self.annotations.items()
            for obj in annotation.objects
        }

    def with_masks(self, changed: Mapping[int, np.ndarray], revision: int) -> State:
        """Replace the label maps of some frames."""
        return self._with(self.masks.replace(changed), changed, revision) if changed else self

    def with_runs(self, changed: Mapping[int, np.ndarray], revision: int) -> State:
        """As `with_masks`, of label maps that are coded already."""
        return self._with(self.masks.replace_runs(changed), changed, revision) if changed else self

    def _with(self, masks: LabelMaps, changed: Iterable[int], revision: int) -> State:
        revisions = list(self.revisions)
        for frame in changed:
            revisions[frame] = revision
        return replace(self, masks=masks, revisions=tuple(revisions))


def _mark(source: Source) -> str:
    named = {"absent": "absent", "accepted": "verified"}
    return named.get(source.kind, "corrected" if source.corrects else "drawn")


def apply(state: State, event: Event, affected: Affected, revision: int) -> State:
    """The state after an event.

    Parameters
    ----------
    state : State
    event : Event
    affected : callable
        Which frames a change of K makes stale.
    revision : int
        Stamped on the frames whose masks change.
    """
    return _HANDLERS[event["kind"]](state, event, affected, revision)


def _add_object(state: State, event: AddObject, affected: Affected, revision: int) -> State:
    new = ObjectInfo(event["object"], event["name"], default_color(event["object"]))
    objects = tuple(sorted((*state.objects, new), key=lambda o: o.id))
    unknown = np.full(len(state.revisions), np.nan, dtype=np.float32)
    return replace(state, objects=objects, quality={**state.quality, new.id: unknown})


def _update_object(state: State, event: UpdateObject, affected: Affected, revision: int) -> State:
    objects = tuple(
        replace(o, **event["changes"]) if o.id == event["object"] else o for o in state.objects
    )
    return replace(state, objects=objects)


def _remove_object(state: State, event: RemoveObject, affected: Affected, revision: int) -> State:
    gone = event["object"]
    annotations = {
        frame: _speaking_for(old, left)
        for frame, old in state.annotations.items()
        if (left := old.objects - {gone})
    }
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
        # What the object hid may belong to another one; without an annotation and a mask, nothing
        # is left to compute.
        stale=state.stale | cleared.keys()
        if annotations or state.masks.ids() - {gone}
        else frozenset(),
        snoozed=frozenset(s for s in state.snoozed if s[1] != gone),
        points={where: points for where, points in state.points.items() if where[1] != gone},
    )
    return changed.with_masks(cleared, revision)


def _merge_objects(state: State, event: MergeObjects, affected: Affected, revision: int) -> State:
    """Give everything of one object to another, which then is what both were.

    A frame stays annotated where one of the two was annotated with pixels, or both were. That
    only one of them is absent says nothing about the two together.
    """
    gone, kept = event["object"], event["into"]
    both = frozenset((gone, kept))
    shown = {
        i: np.where(state.masks[i] == gone, np.uint8(kept), state.masks[i])
        for i in range(len(state.masks))
        if gone in state.masks.ids(i)
    }
    frames = event.get("frames") or merged_frames(state, gone, kept)
    points = _merged_points(state, gone, kept)
    annotations: dict[int, Annotation] = {}
    for frame, old in state.annotations.items():
        spoken = old.objects & both
        if not spoken:
            annotations[frame] = old
            continue
        stays, others = str(frame) in frames, old.objects - both
        if not stays and not others:
            continue
        labels = _without(old.labels, both)
        sources = {o: old.sources[o] for o in others}
        told = {o: p for o, p in old.points.items() if o in others}
        if stays:
            union = decode_runs(unpack_runs(frames[str(frame)], old.shape), old.shape) > 0
            labels = np.where(union, kept, labels)
            sources[kept] = _of_two([old.sources[o] for o in spoken])
            if not union.any() and old.points.keys() & both:  # of which no pass made a mask yet
                told[kept] = _telling(points[frame, kept])
        annotations[frame] = Annotation(labels.astype(np.uint8), sources, sources, told)
    changed = replace(
        state,
        objects=tuple(o for o in state.objects if o.id != gone),
        annotations=annotations,
        quality={
            **{o: q for o, q in state.quality.items() if o != gone},
            kept: _quality_of_both(state, gone, kept, annotations),
        },
        stale=state.stale | affected(state.annotations, annotations, len(state.revisions)),
        snoozed=frozenset((f, kept if o == gone else o) for f, o in state.snoozed),
        points=points,
    )
    return changed.with_masks(shown, revision)


def _quality_of_both(
    state: State, gone: int, kept: int, annotations: Mapping[int, Annotation]
) -> np.ndarray:
    """The lower of the two; what was only said to be absent has no masks that could be bad."""
    shown = {o for annotation in state.annotations.values() for o in annotation.present}
    counted = [state.quality[o] for o in (gone, kept) if o in shown]
    quality = np.fmin.reduce(counted or [state.quality[kept]], axis=0)
    for frame, annotation in annotations.items():
        if kept in annotation.objects:
            quality[frame] = annotation.trust(kept)
    return quality


def merged_frames(state: State, gone: int, kept: int) -> dict[str, str]:
    """The masks of two objects as one on the annotated frames that stay annotated, packed.

    Where only one of the two was annotated, the other's current mask is taken in; so it is
    part of the event, which must mean the same when nothing was propagated.
    """
    both = frozenset((gone, kept))
    frames: dict[str, str] = {}
    for frame, old in sorted(state.annotations.items()):
        spoken = old.objects & both
        if not (spoken == both or any(old.sources[o].kind != "absent" for o in spoken)):
            continue
        labels = old.labels
        union = np.isin(state.masks[frame], list(both)) & ~np.isin(labels, list(old.objects - both))
        frames[str(frame)] = pack_label_map(union | np.isin(labels, list(both)))
    return frames


def _of_two(sources: list[Source]) -> Source:
    """The source of two annotations together: the one that took more of a person's hand."""
    order = ("corrected", "drawn", "verified", "absent")
    first = min(sources, key=lambda source: order.index(_mark(source)))
    return replace(first, trust=min(source.trust for source in sources))


def _merged_points(state: State, gone: int, kept: int) -> dict[tuple[int, int], tuple[Point, ...]]:
    merged = {where: p for where, p in state.points.items() if where[1] not in (gone, kept)}
    spoken_of = {o for _, o in state.points}.union(*(a.objects for a in state.annotations.values()))
    for frame in {f for f, o in state.points if o in (gone, kept)}:
        # Where nothing is known of one of the two, the other is what they are together.
        known = [state.points.get((frame, o), ()) for o in (kept, gone) if o in spoken_of]
        if together := known[0] if len(known) == 1 else of_both(*known):
            merged[frame, kept] = together
    return merged


def _annotate(state: State, event: Annotate, affected: Affected, revision: int) -> State:
    shape = state.masks.shape[1:]
    objects = frozenset(event["objects"])
    annotations = dict(state.annotations)
    shown: dict[int, np.ndarray] = {}
    untouched: dict[int, np.ndarray] = {}  # whole frames as runs, where nothing was before
    for key, packed in event["frames"].items():
        frame = int(key)
        runs, old = unpack_runs(packed, shape), annotations.get(frame)
        there = ids_of_runs(runs)
        sources = dict(old.sources) if old else {}
        for obj in objects:
            sources[obj] = _source(event, obj, obj in there, old)
        if old is None and there <= objects and not state.masks.ids(frame):
            annotations[frame] = Annotation.of_runs(runs, shape, sources, sources)
            untouched[frame] = runs
            continue
        labels = _only(decode_runs(runs, shape), objects)
        under = old.labels if old else np.zeros(shape, np.uint8)
        points = {o: p for o, p in old.points.items() if o not in objects} if old else {}
        painted = _paint(under, labels, objects)
        for obj in sources.keys() - objects - set(np.unique(painted).tolist()) - points.keys():
            sources[obj] = Source("absent", sources[obj].trust)  # wholly painted over
        annotations[frame] = _among(painted, sources, points)
        shown[frame] = _paint(state.masks[frame], labels, objects)
    frames = sorted({*shown, *untouched})
    complete = {
        f for f in frames if annotations[f].objects >= set(state.ids) and not annotations[f].points
    }
    stale = state.stale | affected(state.annotations, annotations, len(state.revisions))
    quality = {o: q.copy() if o in objects else q for o, q in state.quality.items()}
    for obj in objects:
        if not any(obj in a.present for a in annotations.values()):
            # As after a pass, which nothing may wait for.
            quality[obj][np.isnan(quality[obj])] = QUALITY_OF_NOTHING
        for frame in frames:
            quality[obj][frame] = annotations[frame].trust(obj)
    new_round = Round(
        tuple(frames),
        tuple(sorted(objects)),
        event["type"],
        event["seconds"],
        tuple(Click(x, y, bool(positive)) for x, y, positive in event.get("clicks", ())),
    )
    changed = replace(
        state,
        annotations=annotations,
        stale=stale - complete,
        quality=quality,
        rounds=(*state.rounds, new_round),
    )
    return changed.with_masks(shown, revision).with_runs(untouched, revision)


def _source(event: Annotate, obj: int, there: bool, old: Annotation | None) -> Source:
    trust = event.get("trust", {}).get(str(obj), 1.0)
    if not there:
        return Source("absent", trust)
    before = _mark(old.sources[obj]) if old and obj in old.objects else None
    corrects = obj in event.get("corrects", ()) and before in (None, "corrected", "verified")
    return Source(SOURCE_OF[event["type"]], trust, corrects)


def _remove_annotation(
    state: State, event: RemoveAnnotation, affected: Affected, revision: int
) -> State:
    frame, obj = event["frame"], event["object"]
    annotations = dict(state.annotations)
    old = annotations.pop(frame)
    if left := old.objects - {obj}:
        annotations[frame] = _speaking_for(old, left)
    stale = state.stale | affected(state.annotations, annotations, len(state.revisions))
    quality = dict(state.quality)
    quality[obj] = quality[obj].copy()
    quality[obj][frame] = np.nan
    return replace(state, annotations=annotations, stale=stale, quality=quality)


def _label_points(state: State, event: LabelPoints, affected: Affected, revision: int) -> State:
    where = (event["frame"], event["object"])
    new = tuple(Point(*given) for given in event["points"])
    paid = Round((where[0],), (where[1],), "points", event["seconds"])
    changed = replace(state, rounds=(*state.rounds, paid))
    return _pointed(changed, where, with_points(state.points.get(where, ()), new), affected)


def _remove_points(state: State, event: RemovePoints, affected: Affected, revision: int) -> State:
    where = (event["frame"], event["object"])
    pixels = ((x, y) for x, y in event["pixels"])
    return _pointed(state, where, without_points(state.points.get(where, ()), pixels), affected)


def _begin_from_points(
    state: State, event: BeginFromPoints, affected: Affected, revision: int
) -> State:
    where = frame, obj = event["frame"], event["object"]
    old = state.annotations.get(frame)
    corrects = event.get("corrects", obj in state.masks.ids(frame))
    known = Source("pointed", event["trust"], corrects)
    quality = {**state.quality, obj: state.quality[obj].copy()}
    quality[obj][frame] = event["trust"]
    begun = _saying_points(old, state.masks.shape[1:], obj, state.points[where], known)
    annotations = {**state.annotations, frame: begun}
    stale = affected(state.annotations, annotations, len(state.revisions))
    return replace(state, annotations=annotations, stale=state.stale | stale, quality=quality)


def _pointed(
    state: State, where: tuple[int, int], points: tuple[Point, ...], affected: Affected
) -> State:
    """The state with other points; K follows where masks are carried on from them.

    Where none is left on the object, there is nothing to begin from any more.
    """
    frame, obj = where
    kept = {place: told for place, told in {**state.points, where: points}.items() if told}
    changed = replace(state, points=kept)
    old = state.annotations.get(frame)
    if old is None or obj not in old.points or old.points[obj] == _telling(points):
        return changed
    if not any(p.label == "positive" for p in points):
        taken: RemoveAnnotation = {"kind": "annotation.remove", "frame": frame, "object": obj}
        return _remove_annotation(changed, taken, affected, 0)
    said = _saying_points(old, old.shape, obj, points, old.sources[obj])
    annotations = {**state.annotations, frame: said}
    stale = affected(state.annotations, annotations, len(state.revisions))
    return replace(changed, annotations=annotations, stale=state.stale | stale)


def _saying_points(
    old: Annotation | None,
    shape: tuple[int, ...],
    obj: int,
    points: Iterable[Point],
    source: Source,
) -> Annotation:
    """An annotation in which points stand for an object."""
    labels = np.zeros(shape, np.uint8) if old is None else _without(old.labels, {obj})
    sources = {**(old.sources if old else {}), obj: source}
    told = {**(old.points if old else {}), obj: _telling(points)}
    return Annotation(labels, sources, sources, told)


def _telling(points: Iterable[Point]) -> tuple[Point, ...]:
    """Those of which one could tell."""
    return tuple(p for p in points if p.label != "unknown")


def _snooze(state: State, event: Snooze, affected: Affected, revision: int) -> State:
    return replace(state, snoozed=state.snoozed | {(event["frame"], event["object"])})


def _end_snooze(state: State, event: EndSnooze, affected: Affected, revision: int) -> State:
    return replace(state, snoozed=frozenset())


_HANDLERS: dict[str, Callable[[State, Any, Affected, int], State]] = {
    "object.add": _add_object,
    "object.update": _update_object,
    "object.remove": _remove_object,
    "object.merge": _merge_objects,
    "annotate": _annotate,
    "annotation.remove": _remove_annotation,
    "points.label": _label_points,
    "points.remove": _remove_points,
    "points.begin": _begin_from_points,
    "snooze": _snooze,
    "snooze.end": _end_snooze,
}


def _speaking_for(annotation: Annotation, objects: Iterable[int]) -> Annotation:
    """What an annotation says of some of its objects."""
    sources = {o: annotation.sources[o] for o in objects}
    return _among(annotation.labels, sources, annotation.points)


def _among(
    labels: np.ndarray, sources: Mapping[int, Source], points: Mapping[int, tuple[Point, ...]]
) -> Annotation:
    """An annotation that holds the ids and points of those it speaks for only."""
    told = {o: p for o, p in points.items() if o in sources}
    return Annotation(_only(labels, sources), sources, sources, told)


def _paint(under: np.ndarray, labels: np.ndarray, objects: Iterable[int]) -> np.ndarray:
    """`labels` over `under`, replacing what `under` held of `objects`."""
    painted = _without(under, objects)
    return np.where(labels > 0, labels, painted)


def _without(labels: np.ndarray, objects: Iterable[int]) -> np.ndarray:
    return np.where(np.isin(labels, list(objects)), 0, labels).astype(np.uint8)


def _only(labels: np.ndarray, objects: Iterable[int]) -> np.ndarray:
    return np.where(np.isin(labels, list(objects)), labels, 0).astype(np.uint8)

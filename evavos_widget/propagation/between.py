"""Between annotated frames: which passes bring a frame's masks, and what an annotation changes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from evavos_widget.loop import Annotation
from evavos_widget.sources import Reached

__all__ = [
    "Need",
    "Seen",
    "Table",
    "changed_frames",
    "distances_of",
    "drawn",
    "needs_of",
    "reach_of",
]

Seen = Mapping[int, Mapping[int, bytes]]
"""Per object, the frames it is seen on by annotation, ascending, and how it is `drawn` there."""

Table = Mapping[int, Mapping[int, tuple[Reached, ...]]]
"""By object and frame, the annotated frames that the mask comes from."""


class Need(NamedTuple):
    """A mask that a pass has to bring."""

    obj: int
    source: int
    direction: int


def drawn(annotation: Annotation, obj: int) -> bytes:
    """What tells the mask or points of an object from others; empty where there is neither."""
    mask, points = annotation.labels == obj, annotation.points.get(obj)
    said = np.packbits(mask).tobytes() + (repr(points).encode() if points else b"")
    return blake2b(said, digest_size=16).digest() if points or mask.any() else b""


def changed_frames(
    before: Mapping[int, Annotation], after: Mapping[int, Annotation], n_frames: int
) -> set[int]:
    """Frames around a changed annotation, up to the next ones that stayed as they were.

    That an object is absent from a frame changes no pass.
    """
    changed: set[int] = set()
    for obj in {o for k in (before, after) for a in k.values() for o in a.objects}:
        seen = [{f for f, a in k.items() if obj in a.present} for k in (before, after)]
        same = sorted(
            f
            for f in set.intersection(*seen)
            if before[f] is after[f] or before[f].says_alike(after[f], obj)
        )
        bounds = [-1, *same, n_frames]
        for frame in set.union(*seen).difference(same):
            i = bisect_left(bounds, frame)
            changed.update(range(bounds[i - 1] + 1, bounds[i]))
    return changed


def needs_of(obj: int, frame: int, reached: Iterable[Reached]) -> list[Need]:
    """The passes that an object's mask on a frame comes from, the earlier source first."""
    return [
        Need(obj, r.source, 1 if frame > r.source else -1)
        for r in reached
        if r.source != frame and not r.absent
    ]


def distances_of(obj: int, frame: int, reached: Iterable[Reached]) -> dict[Need, int]:
    """How far each pass has to have run for a mask on a frame.

    To the frame; and to those near by from which the object is absent, since it matters what the
    pass brought there.
    """
    told = list(reached)
    places = [frame, *(r.source for r in told if r.absent)]
    return {
        need: max((place - need.source) * need.direction for place in places)
        for need in needs_of(obj, frame, told)
    }


def reach_of(table: Table) -> dict[Need, int]:
    """How far each pass has to run."""
    reach: dict[Need, int] = {}
    for obj, by_frame in table.items():
        for frame, reached in by_frame.items():
            for need, distance in distances_of(obj, frame, reached).items():
                reach[need] = max(reach.get(need, 0), distance)
    return reach

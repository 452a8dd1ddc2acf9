"""Between annotated frames: which passes bring a frame's masks, and what an annotation changes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from evavos_widget.loop import Annotation, objects_annotated

__all__ = ["Need", "Seen", "changed_frames", "drawn", "needs_of", "reach_of"]

Seen = Mapping[int, Mapping[int, bytes]]
"""Per object, the frames it is annotated on, ascending, and how it is `drawn` there."""


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
    """Frames around a changed annotation, up to the next ones that stayed as they were."""
    changed: set[int] = set()
    for obj in {o for k in (before, after) for a in k.values() for o in a.objects}:
        annotated = [set(objects_annotated(k, obj)) for k in (before, after)]
        same = sorted(
            f
            for f in set.intersection(*annotated)
            if before[f] is after[f] or before[f].says_alike(after[f], obj)
        )
        bounds = [-1, *same, n_frames]
        for frame in set.union(*annotated).difference(same):
            i = bisect_left(bounds, frame)
            changed.update(range(bounds[i - 1] + 1, bounds[i]))
    return changed


def needs_of(seen: Seen, frame: int) -> list[Need]:
    """The passes that a frame's masks come from, per object forwards, then backwards."""
    needs = []
    for obj, annotated in seen.items():
        if frame not in annotated:
            before = max((f for f in annotated if f < frame), default=None)
            after = min((f for f in annotated if f > frame), default=None)
            needs += [Need(obj, s, d) for s, d in ((before, 1), (after, -1)) if s is not None]
    return needs


def reach_of(seen: Seen, frames: Collection[int]) -> dict[Need, int]:
    """How far each pass has to run."""
    reach: dict[Need, int] = {}
    for frame in frames:
        for need in needs_of(seen, frame):
            reach[need] = max(reach.get(need, 0), abs(frame - need.source))
    return reach

"""What is left to ask of a video, and the frame that scores highest: what selectors share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from evavos_widget.loop import FrameChoice, LoopState, in_doubt, objects_annotated

__all__ = [
    "REVISIT",
    "asked_again",
    "closed",
    "farthest",
    "first",
    "highest",
    "put_off",
    "with_doubts",
]

REVISIT = 0.5
"""An annotated frame that is wholly in doubt counts as this part of the video away from what is
known; our choice."""

DOUBTED = 0.1
"""A frame that is doubted as much as this is as open as one that is not annotated."""

Scores = Callable[[LoopState, int], np.ndarray]
"""Of every frame for an object, (N,) float array; NaN where none is asked."""


def put_off(state: LoopState, obj: int) -> set[int]:
    """Frames on which the annotator does not want to be asked about an object now."""
    return {frame for frame, o in state.snoozed if o == obj}


def asked_again(state: LoopState, obj: int) -> dict[int, float]:
    """The annotated frames that are in doubt enough and were not put off, and their doubt."""
    off = put_off(state, obj)
    return {f: d for f, d in in_doubt(state, obj).items() if d >= DOUBTED and f not in off}


def closed(state: LoopState, obj: int) -> set[int]:
    """Frames not to be asked for: put off, or annotated and not in doubt."""
    annotated = {*objects_annotated(state.annotations, obj)}
    return annotated - asked_again(state, obj).keys() | put_off(state, obj)


def first(state: LoopState) -> FrameChoice | None:
    """The first frame that was not put off, of an object of which nothing is annotated."""
    for obj in state.objects:
        if not objects_annotated(state.annotations, obj):
            for frame in range(state.n_frames):
                if (frame, obj) not in state.snoozed:
                    what = "of it " if state.annotations else ""
                    return FrameChoice(frame, obj, f"nothing {what}is annotated yet")
    return None


def highest(state: LoopState, scores: Scores, reason: str) -> FrameChoice | None:
    """The frame that scores highest of all objects; the earlier of equals; else `first`."""
    best: FrameChoice | None = None
    for obj in state.objects:
        each = scores(state, obj)
        if np.isnan(each).all():
            continue
        frame = int(np.nanargmax(each))
        if best is None or each[frame] > best.score:
            best = FrameChoice(frame, obj, reason, float(each[frame]))
    return best or first(state)


def farthest(state: LoopState, distances: Scores, reason: str) -> FrameChoice | None:
    """As `highest`, of `with_doubts`; an annotated frame has a reason of its own."""
    best = highest(state, distances, reason)
    if best is not None and best.frame in objects_annotated(state.annotations, best.object):
        return replace(best, reason="what is annotated there is in doubt")
    return best


def with_doubts(
    state: LoopState, obj: int, measure: Callable[[list[int]], tuple[np.ndarray, float]]
) -> np.ndarray:
    """How far every frame is from what is known, or is in doubt: (N,); NaN where none is asked.

    Parameters
    ----------
    state : LoopState
    obj : int
    measure : callable
        How far every frame is from the nearest of some, and what counts as far away.
    """
    annotated = objects_annotated(state.annotations, obj)
    if not annotated:
        return np.full(state.n_frames, np.nan)
    # What is like a frame that was put off is put off with it.
    known = sorted({*annotated, *put_off(state, obj)})
    distance, extent = measure(known)
    distance[known] = np.nan
    for frame, doubt in asked_again(state, obj).items():
        distance[frame] = REVISIT * doubt * extent
    return distance

"""Frame selectors that need no model."""

from __future__ import annotations

from zlib import crc32

import numpy as np

from evavos_widget.loop import (
    FrameChoice,
    FrameSelector,
    LoopState,
    in_doubt,
    nearest_annotated,
    objects_annotated,
)

__all__ = ["DOUBTED", "REVISIT", "FarthestInTime", "Random", "Uniform"]

REVISIT = 0.5
"""An annotated frame that is wholly in doubt counts as this part of the video away from what is
known; our choice."""

DOUBTED = 0.1
"""A frame that is doubted as much as this is as open as one that is not annotated."""


class FarthestInTime(FrameSelector):
    """The frame farthest in time from every annotated one.

    Equation 1 with the frame's index as its embedding. A frame that is annotated counts as the
    farther away from what is known the less it is trusted, so that it is asked for again where
    nothing else is as far. Among objects the one with the farthest frame goes first; ties go to
    the lower predicted quality, then to the earlier frame.
    """

    name = "farthest-in-time"

    def select(self, state: LoopState) -> FrameChoice | None:
        """The frame and object to annotate next, or None when every frame is known."""
        best: tuple[int, float, int] | None = None
        choice: FrameChoice | None = None
        snoozed = state.snoozed
        for column, obj in enumerate(state.objects):
            annotated = objects_annotated(state.annotations, obj)
            if not annotated:
                continue
            # Beside a frame that was put off, the next one would show the same.
            put_off = {f for f, o in state.snoozed if o == obj} - set(annotated)
            known = sorted({*annotated, *put_off})
            distance = np.abs(np.arange(state.n_frames) - nearest_annotated(known, state.n_frames))
            doubted = {f: d for f, d in in_doubt(state, obj).items() if (f, obj) not in snoozed}
            for frame, doubt in doubted.items():
                distance[frame] = int(REVISIT * doubt * state.n_frames)
            farthest = int(distance.max())
            if farthest == 0:
                continue
            quality = np.nan_to_num(state.quality[:, column], nan=0.0)
            candidates = np.flatnonzero(distance == farthest)
            frame = int(candidates[quality[candidates].argmin()])
            rank = (-farthest, float(quality[frame]), frame)
            if best is None or rank < best:
                best = rank
                unit = "frame" if farthest == 1 else "frames"
                what = "annotated or put off" if put_off else "annotated"
                reason = f"{farthest} {unit} from anything you {what}"
                if frame in doubted:
                    reason = "what is annotated there is in doubt"
                choice = FrameChoice(frame, obj, reason, float(farthest))
        if best is None and state.objects and not state.annotations:
            return FrameChoice(0, state.objects[0], "nothing is annotated yet", 0.0)
        return choice


class Random(FrameSelector):
    """Any frame that is not annotated yet, or in doubt, all alike.

    Parameters
    ----------
    seed : int or str
        The choice depends on it, the video, the object and how often that was annotated, so that a
        run that was stopped goes on as it would have.
    """

    name = "random"

    def __init__(self, seed: int | str = 0) -> None:
        self.seed = int(seed)

    def select(self, state: LoopState) -> FrameChoice | None:
        """The next frame, of the object with the fewest annotations."""
        found = _least_annotated(state)
        if found is None:
            return None
        obj, annotations, open_frames = found
        rng = np.random.default_rng([self.seed, crc32(state.video.name.encode()), obj, annotations])
        return FrameChoice(int(rng.choice(open_frames)), obj, "drawn at random")


class Uniform(FrameSelector):
    """Evenly spaced frames, ever more densely: the middle, the quarters, the eighths, ...

    The van der Corput sequence, so that any number of frames is about evenly spaced.
    """

    name = "uniform"

    def select(self, state: LoopState) -> FrameChoice | None:
        """The next frame, of the object with the fewest annotations."""
        found = _least_annotated(state)
        if found is None:
            return None
        obj, annotations, open_frames = found
        # The first annotation is where the annotator began, not a part of the sequence.
        place = _van_der_corput(annotations) * (state.n_frames - 1)
        frame = int(open_frames[np.abs(open_frames - place).argmin()])
        return FrameChoice(frame, obj, "evenly spaced")


def _van_der_corput(n: int) -> float:
    """The binary digits of `n` mirrored at the point: 1/2, 1/4, 3/4, 1/8, ..."""
    value, scale = 0.0, 0.5
    while n:
        n, digit = divmod(n, 2)
        value += scale * digit
        scale /= 2
    return value


def _least_annotated(state: LoopState) -> tuple[int, int, np.ndarray] | None:
    """The object annotated least often, how often that is, and the frames left to ask about."""
    every = []
    for obj in state.objects:
        annotated = objects_annotated(state.annotations, obj)
        doubted = {f for f, doubt in in_doubt(state, obj).items() if doubt >= DOUBTED}
        put_off = {frame for frame, o in state.snoozed if o == obj}
        taken = {*annotated} - doubted | put_off
        left = np.array([f for f in range(state.n_frames) if f not in taken])
        if len(left):
            # A frame that was visited again adds to the rounds and not to the frames.
            visits = [f for r in state.rounds if obj in r.objects for f in r.frames]
            every.append((len(annotated) + len(visits) - len(set(visits)), obj, left))
    if not every:
        return None
    often, obj, left = min(every, key=lambda e: e[:2])
    return obj, often, left

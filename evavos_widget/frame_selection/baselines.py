"""Frame selectors that need no model."""

from __future__ import annotations

from zlib import crc32

import numpy as np

from evavos_widget.explanation import FrameExplanation
from evavos_widget.frame_selection.asking import REVISIT, asked_again, closed, first, put_off
from evavos_widget.loop import (
    FrameChoice,
    FrameSelector,
    LoopState,
    nearest_annotated,
    objects_annotated,
    times_annotated,
)

__all__ = ["FarthestInTime", "Random", "Uniform"]


class FarthestInTime(FrameSelector):
    """The frame farthest in time from every annotated one.

    Equation 1 with the frame's index as its embedding. A frame that is annotated counts as the
    farther away from what is known the less it is trusted, so that it is asked for again where
    nothing else is as far. Among objects the one with the farthest frame goes first; ties go to
    the lower predicted quality, then to the earlier frame. One of which nothing is annotated is
    asked for where nothing else is left.
    """

    name = "farthest-in-time"

    def select(self, state: LoopState) -> FrameChoice | None:
        """The frame and object to annotate next, or None when every frame is known."""
        best: tuple[int, float, int] | None = None
        choice: FrameChoice | None = None
        for column, obj in enumerate(state.objects):
            annotated, off = _known(state, obj)
            if not annotated:
                continue
            distance = _frames_away(state, obj)
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
                what = "annotated or put off" if off else "annotated"
                reason = f"{farthest} {unit} from anything you {what}"
                if frame in annotated:
                    reason = "what is annotated there is in doubt"
                choice = FrameChoice(frame, obj, reason, float(farthest))
        return choice or first(state)

    def explain(self, state: LoopState) -> FrameExplanation | None:
        """How far every frame is; None while nothing is annotated."""
        scores = np.full((state.n_frames, len(state.objects)), np.nan)
        for column, obj in enumerate(state.objects):
            if _known(state, obj)[0]:
                away = _frames_away(state, obj)
                scores[:, column] = np.where(away > 0, away, np.nan)
        if np.isnan(scores).all():
            return None
        return FrameExplanation(scores, "frames from anything annotated or put off")


def _known(state: LoopState, obj: int) -> tuple[list[int], set[int]]:
    """Frames on which an object is annotated, and others on which it was put off."""
    annotated = objects_annotated(state.annotations, obj)
    return annotated, put_off(state, obj) - set(annotated)


def _frames_away(state: LoopState, obj: int) -> np.ndarray:
    """How far every frame is from what is known of the object, (N,) int array."""
    # Beside a frame that was put off, the next one would show the same.
    known = {*objects_annotated(state.annotations, obj), *put_off(state, obj)}
    nearest = nearest_annotated(sorted(known), state.n_frames)
    away = np.abs(np.arange(state.n_frames) - nearest)
    for frame, doubt in asked_again(state, obj).items():
        away[frame] = max(int(REVISIT * doubt * state.n_frames), 1)
    return away


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
        rng = np.random.default_rng(
            [self.seed, crc32(state.video.name.encode(errors="replace")), obj, annotations]
        )
        return FrameChoice(int(rng.choice(open_frames)), obj, "drawn at random")

    def explain(self, state: LoopState) -> FrameExplanation | None:
        """The frames that are drawn from, all alike."""
        found = _least_annotated(state)
        if found is None:
            return None
        obj, _, open_frames = found
        scores = np.full((state.n_frames, len(state.objects)), np.nan)
        scores[open_frames, state.objects.index(obj)] = 1 / len(open_frames)
        return FrameExplanation(scores, "chance to be drawn")


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
        frame = int(open_frames[_frames_off(state, annotations, open_frames).argmin()])
        return FrameChoice(frame, obj, "evenly spaced")

    def explain(self, state: LoopState) -> FrameExplanation | None:
        """How near the open frames of the object in turn are to the place in turn."""
        found = _least_annotated(state)
        if found is None:
            return None
        obj, annotations, open_frames = found
        scores = np.full((state.n_frames, len(state.objects)), np.nan)
        off = _frames_off(state, annotations, open_frames)
        scores[open_frames, state.objects.index(obj)] = -off
        return FrameExplanation(scores, "frames from the next evenly spaced place, negative")


def _frames_off(state: LoopState, annotations: int, open_frames: np.ndarray) -> np.ndarray:
    """How far the open frames are from the place in turn, (n,) float array."""
    # The first annotation is where the annotator began, not a part of the sequence.
    return np.abs(open_frames - _van_der_corput(annotations) * (state.n_frames - 1))


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
        taken = closed(state, obj)
        left = np.array([f for f in range(state.n_frames) if f not in taken])
        if len(left):
            every.append((times_annotated(state, obj), obj, left))
    if not every:
        return None
    often, obj, left = min(every, key=lambda e: e[:2])
    return obj, often, left

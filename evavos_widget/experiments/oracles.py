"""Selectors that know the truth: upper bounds for experiments, never for people.

They follow the protocols of the stages and have names as other engines have, but only an
experiment, which has a robot annotator, can make them (`evavos_widget.engines.Oracle`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from evavos_widget.engines import Oracle
from evavos_widget.loop import (
    Annotation,
    AnnotationChoice,
    AnnotationSelector,
    FrameChoice,
    FrameSelector,
    LoopState,
    Source,
    completed,
)
from evavos_widget.metrics import jaccard, score_frame
from evavos_widget.robot.costs import per_second

if TYPE_CHECKING:
    from evavos_widget.robot.annotator import RobotAnnotator

__all__ = ["BestForVideo", "BestTypeForVideo", "GainPerSecond", "LargestImpact", "WorstFrame"]

CANDIDATES = 8
"""Frames that an oracle tries in a round where it tries clicks and masks; our choice."""


VISITS = 3
"""A frame is annotated so often at most: clicks that did not help twice are given up; our choice,
as the paper's oracle may stay at one frame for ever."""


class _Scoring(Oracle):
    """An oracle that knows the J&F of masks of one object, each mask of a frame scored once."""

    def __init__(self, robot: RobotAnnotator) -> None:
        super().__init__(robot)
        self.truth: Mapping[int, np.ndarray] = robot.ground_truth
        self._known: dict[tuple[int, int, bytes], float] = {}

    def jf(self, frame: int, mask: np.ndarray, obj: int) -> float:
        key = frame, obj, np.packbits(mask).tobytes()
        if key not in self._known:
            true = (self.truth[frame] == obj).astype(np.uint8)
            self._known[key] = float(score_frame(mask.astype(np.uint8), true, [1])[0].mean())
        return self._known[key]

    @property
    def counting(self) -> list[int]:
        """The frames that count."""
        return sorted(self.truth if self.scored is None else self.truth.keys() & self.scored)

    def open(self, state: LoopState, obj: int) -> list[int]:
        """Frames that count and show the object, and where it was not drawn yet."""
        visits = Counter(f for done in state.rounds if obj in done.objects for f in done.frames)
        return [
            frame
            for frame in self.counting
            if visits[frame] < VISITS and not self._settled(state, frame, obj)
        ]

    def _settled(self, state: LoopState, frame: int, obj: int) -> bool:
        true, given = self.truth[frame] == obj, state.annotations.get(frame)
        if not true.any():
            return True
        if given is None or obj not in given.objects:
            return False
        drawn = given.sources[obj].kind == "drawn"
        return drawn or np.array_equal(given.labels == obj, true)


class WorstFrame(_Scoring, FrameSelector):
    """The frame with the lowest J&F (EVA-VOS Sec. 4, "Oracle").

    Parameters
    ----------
    robot : RobotAnnotator
        Whose truth it looks at.
    """

    name = "oracle-worst"

    def select(self, state: LoopState) -> FrameChoice | None:
        """The worst frame, annotated or not; the earlier of equals."""
        every = [
            (self.jf(f, state.masks[f] == obj, obj), f, obj)
            for obj in state.objects
            for f in self.open(state, obj)
        ]
        if not every:
            return None
        quality, frame, obj = min(every)
        return FrameChoice(frame, obj, f"the worst frame, J&F {quality:.2f}", 1 - quality)


class LargestImpact(_Scoring, FrameSelector):
    """The frame whose true mask raises the video's mean J&F most, found by trying each.

    The upper bound of EVA-VOS Fig. 3a. The engine keeps what it propagated for each
    candidate, so that later rounds cost less than the first.

    Parameters
    ----------
    robot : RobotAnnotator
        Whose truth is tried.
    """

    name = "oracle-impact"
    tries = True

    def select(self, state: LoopState) -> FrameChoice | None:
        """The frame with the largest gain; the earlier of equals."""
        assert self.session is not None  # bound by the experiment
        best: FrameChoice | None = None
        for obj in state.objects:
            for frame in self.open(state, obj):
                drawn = self.truth[frame] == obj
                gain, _ = _video_gain(self, state, frame, obj, drawn, Source())
                if best is None or gain > best.score:
                    best = FrameChoice(frame, obj, "the largest gain of all frames", gain)
        return best


class GainPerSecond(_Scoring, AnnotationSelector):
    """The type with the largest gain of the frame's J&F per second (EVA-VOS Sec. 4).

    Parameters
    ----------
    robot : RobotAnnotator
        Whose clicks and masks are tried.
    """

    name = "oracle"
    tries = True

    def select(self, state: LoopState, choice: FrameChoice) -> AnnotationChoice:
        """Clicks or mask; clicks if both gain alike."""
        assert self.session is not None  # bound by the experiment
        frame, obj = choice.frame, choice.object
        now = self.jf(frame, state.masks[frame] == obj, obj)
        return max(
            (
                AnnotationChoice(
                    kind, seconds, self.jf(frame, mask, obj) - now, "gains most per second"
                )
                for kind, mask, seconds in _tries(self, state, frame, obj)
            ),
            key=lambda tried: per_second(tried.expected_gain, tried.seconds),
        )


class BestForVideo(_Scoring, FrameSelector):
    """The frame where clicks or a drawn mask raise the video's mean J&F most per second.

    With `BestTypeForVideo` what an agent could reach that looks one annotation ahead; the
    paper's oracle looks at the worst frame and at what becomes of that frame.

    Parameters
    ----------
    robot : RobotAnnotator
        Whose clicks and masks are tried.
    candidates : int or str
        So many frames are tried, evenly spread over those that are open.
    """

    name = "oracle-video"
    tries = True

    def __init__(self, robot: RobotAnnotator, candidates: int | str = CANDIDATES) -> None:
        super().__init__(robot)
        self.candidates = int(candidates)
        if self.candidates < 1:
            raise ValueError(f"candidates is {candidates}; give 1 or more")

    def select(self, state: LoopState) -> FrameChoice | None:
        """The frame with the largest gain per second; the earlier of equals."""
        tried = [
            FrameChoice(frame, obj, "the largest gain of the video per second", gain)
            for obj in state.objects
            for frame in self._some(self.open(state, obj))
            for gain in [max(t.per_second for t in _for_video(self, state, frame, obj))]
        ]
        return max(tried, key=lambda choice: choice.score, default=None)

    def _some(self, frames: list[int]) -> list[int]:
        if len(frames) <= self.candidates:
            return frames
        places = (np.arange(self.candidates) + 0.5) / self.candidates * len(frames)
        return [frames[int(place)] for place in places]


class BestTypeForVideo(_Scoring, AnnotationSelector):
    """The type with the largest gain of the video's mean J&F per second.

    Parameters
    ----------
    robot : RobotAnnotator
        Whose clicks and masks are tried.
    """

    name = "oracle-video"
    tries = True

    def select(self, state: LoopState, choice: FrameChoice) -> AnnotationChoice:
        """Clicks or mask; clicks if both gain alike."""
        tried = _for_video(self, state, choice.frame, choice.object)
        best = max(tried, key=lambda each: each.per_second)
        reason = "gains most per second"
        return AnnotationChoice(best.kind, best.seconds, best.gain, reason, "video")


def _tries(
    oracle: Oracle, state: LoopState, frame: int, obj: int
) -> Iterator[tuple[str, np.ndarray, float]]:
    """Clicks, where they are taken, and a drawn mask: the type, the mask, and its seconds."""
    assert oracle.session is not None  # bound by the experiment
    if "clicks" in state.types:
        clicked, clicks = oracle.robot.click(oracle.session, frame, obj)
        yield "clicks", clicked, state.costs.seconds("clicks", len(clicks) or None)
    yield "mask", oracle.robot.draw(oracle.session, frame, obj), state.costs.seconds("mask")


class _Tried(NamedTuple):
    """A type of annotation, what it costs and gains of the video, and which share it changes."""

    kind: str
    seconds: float
    gain: float
    share: float

    @property
    def per_second(self) -> float:
        return float(per_second(self.gain, self.seconds))


def _for_video(oracle: _Scoring, state: LoopState, frame: int, obj: int) -> Iterator[_Tried]:
    """Clicks and a drawn mask on a frame, and what they do to the video."""
    for kind, mask, seconds in _tries(oracle, state, frame, obj):
        trust = 1.0 if kind == "mask" else jaccard(mask, oracle.robot.ground_truth[frame] == obj)
        source = Source("drawn" if kind == "mask" else "clicked", trust)
        yield _Tried(kind, seconds, *_video_gain(oracle, state, frame, obj, mask, source))


def _video_gain(
    oracle: _Scoring,
    state: LoopState,
    frame: int,
    obj: int,
    mask: np.ndarray,
    source: Source,
) -> tuple[float, float]:
    """What an annotation adds to the mean J&F of the video, and the share of frames it changes."""
    given, engine = state.annotations, oracle.session.propagator
    here = given.get(frame)
    labels = np.where(mask, obj, 0).astype(np.uint8)
    sources = {obj: source}
    if here is not None:
        kept = here.labels
        labels = np.where(labels, labels, np.where(kept == obj, 0, kept))
        sources = {**here.sources, obj: source}
    more = {**given, frame: Annotation(labels, sources.keys(), sources)}
    changed = engine.affected(given, more, state.n_frames)
    gain = 0.0
    steps = engine.propagate(state.video, more, [obj], changed & set(oracle.counting))
    for scored, soft in completed(steps):
        gain += oracle.jf(scored, soft.argmax(axis=0) == 1, obj)
        gain -= oracle.jf(scored, state.masks[scored] == obj, obj)
    return gain / len(oracle.counting), len(changed | {frame}) / state.n_frames

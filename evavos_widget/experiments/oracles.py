"""Selectors that know the truth: upper bounds for experiments, never for people.

They follow the protocols of the stages and have names as other engines have, but only an
experiment, which has a robot annotator, can make them (`evavos_widget.engines.Oracle`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from evavos_widget.engines import Oracle
from evavos_widget.loop import (
    Annotation,
    AnnotationChoice,
    AnnotationSelector,
    FrameChoice,
    FrameSelector,
    LoopState,
)
from evavos_widget.metrics import score_frame
from evavos_widget.robot.costs import per_second

if TYPE_CHECKING:
    from evavos_widget.robot.annotator import RobotAnnotator
    from evavos_widget.session import Session

__all__ = ["GainPerSecond", "LargestImpact", "WorstFrame"]


VISITS = 3
"""A frame is annotated so often at most: clicks that did not help twice are given up; our choice,
as the paper's oracle may stay at one frame for ever."""


class _Scores:
    """J&F of masks of one object, each mask of a frame scored once."""

    def __init__(self, oracle: Oracle) -> None:
        self.truth: Mapping[int, np.ndarray] = oracle.robot.ground_truth
        self._oracle = oracle
        self._known: dict[tuple[int, int, bytes], float] = {}

    def jf(self, frame: int, mask: np.ndarray, obj: int) -> float:
        key = frame, obj, np.packbits(mask).tobytes()
        if key not in self._known:
            true = (self.truth[frame] == obj).astype(np.uint8)
            self._known[key] = float(score_frame(mask.astype(np.uint8), true, [1])[0].mean())
        return self._known[key]

    @property
    def scored(self) -> list[int]:
        """The frames that count."""
        counting = self._oracle.scored
        return sorted(self.truth if counting is None else self.truth.keys() & counting)

    def open(self, state: LoopState, obj: int) -> list[int]:
        """Frames that count and show the object, and where it was not drawn yet."""
        visits = Counter(f for done in state.rounds if obj in done.objects for f in done.frames)
        return [
            frame
            for frame in self.scored
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


class WorstFrame(Oracle, FrameSelector):
    """The frame with the lowest J&F (EVA-VOS Sec. 4, "Oracle").

    Parameters
    ----------
    robot : RobotAnnotator
        Whose truth it looks at.
    """

    name = "oracle-worst"

    def __init__(self, robot: RobotAnnotator) -> None:
        super().__init__(robot)
        self._scores = _Scores(self)

    def select(self, state: LoopState) -> FrameChoice | None:
        """The worst frame, annotated or not; the earlier of equals."""
        every = [
            (self._scores.jf(f, state.masks[f] == obj, obj), f, obj)
            for obj in state.objects
            for f in self._scores.open(state, obj)
        ]
        if not every:
            return None
        quality, frame, obj = min(every)
        return FrameChoice(frame, obj, f"the worst frame, J&F {quality:.2f}", 1 - quality)


class LargestImpact(Oracle, FrameSelector):
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

    def __init__(self, robot: RobotAnnotator) -> None:
        super().__init__(robot)
        self._scores = _Scores(self)

    def select(self, state: LoopState) -> FrameChoice | None:
        """The frame with the largest gain; the earlier of equals."""
        assert self.session is not None  # bound by the experiment
        best: FrameChoice | None = None
        for obj in state.objects:
            for frame in self._scores.open(state, obj):
                gain = self._gain(self.session, state, frame, obj)
                if best is None or gain > best.score:
                    best = FrameChoice(frame, obj, "the largest gain of all frames", gain)
        return best

    def _gain(self, session: Session, state: LoopState, frame: int, obj: int) -> float:
        given, engine = state.annotations, session.propagator
        here = given.get(frame)
        labels = np.where(self._scores.truth[frame] == obj, obj, 0).astype(np.uint8)
        others: frozenset[int] = frozenset()
        if here is not None:
            labels = np.where(labels, labels, here.labels)
            others = here.objects
        more = {**given, frame: Annotation(labels, others | {obj})}
        scored = self._scores.scored
        changed = engine.affected(given, more, state.n_frames) & set(scored)
        gain = 0.0
        for step in engine.propagate(state.video, more, [obj], changed):
            if step.frame is not None and step.probabilities is not None:
                after = step.probabilities.argmax(axis=0) == 1
                before = state.masks[step.frame] == obj
                gain += self._scores.jf(step.frame, after, obj)
                gain -= self._scores.jf(step.frame, before, obj)
        return gain / len(scored)


class GainPerSecond(Oracle, AnnotationSelector):
    """The type with the largest gain of the frame's J&F per second (EVA-VOS Sec. 4).

    Parameters
    ----------
    robot : RobotAnnotator
        Whose clicks and masks are tried.
    """

    name = "oracle"
    tries = True

    def __init__(self, robot: RobotAnnotator) -> None:
        super().__init__(robot)
        self._scores = _Scores(self)

    def select(self, state: LoopState, choice: FrameChoice) -> AnnotationChoice:
        """Clicks or mask; clicks if both gain alike."""
        assert self.session is not None  # bound by the experiment
        frame, obj = choice.frame, choice.object
        now = self._scores.jf(frame, state.masks[frame] == obj, obj)
        truth = self.robot.ground_truth[frame] == obj
        drawn = self.robot.hand.draw(truth, frame, obj)
        clicked, clicks = self.robot.click(self.session, frame, obj)
        options = (
            ("clicks", self._scores.jf(frame, clicked, obj) - now, len(clicks) or None),
            ("mask", self._scores.jf(frame, drawn, obj) - now, None),
        )
        best: AnnotationChoice | None = None
        for kind, gain, n in options:
            seconds = state.costs.seconds(kind, n)
            if best is None or per_second(gain, seconds) > per_second(
                best.expected_gain, best.seconds
            ):
                best = AnnotationChoice(kind, seconds, gain, "gains most per second")
        assert best is not None  # there are options
        return best

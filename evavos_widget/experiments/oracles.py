"""Selectors that know the truth: upper bounds for experiments, never for people.

They follow the protocols of the stages and have names as other engines have, but only an
experiment, which has a robot annotator, can make them (`evavos_widget.engines.Oracle`).
"""

from __future__ import annotations

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
    objects_annotated,
)
from evavos_widget.metrics import score_frame
from evavos_widget.robot.costs import per_second

if TYPE_CHECKING:
    from evavos_widget.robot.annotator import RobotAnnotator
    from evavos_widget.session import Session

__all__ = ["GainPerSecond", "LargestImpact", "WorstFrame"]


class _Scores:
    """J&F of masks of one object, each mask of a frame scored once."""

    def __init__(self, truth: Mapping[int, np.ndarray]) -> None:
        self.truth = truth
        self._known: dict[tuple[int, int, bytes], float] = {}

    def jf(self, frame: int, mask: np.ndarray, obj: int) -> float:
        key = frame, obj, np.packbits(mask).tobytes()
        if key not in self._known:
            true = (self.truth[frame] == obj).astype(np.uint8)
            self._known[key] = float(score_frame(mask.astype(np.uint8), true, [1])[0].mean())
        return self._known[key]

    def open(self, state: LoopState, obj: int) -> list[int]:
        """Frames that show the object and are not annotated for it."""
        taken = set(objects_annotated(state.annotations, obj))
        return [f for f in sorted(self.truth) if f not in taken and (self.truth[f] == obj).any()]


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
        self._scores = _Scores(robot.ground_truth)

    def select(self, state: LoopState) -> FrameChoice | None:
        """The worst frame that is not annotated; the earlier of equals."""
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
        self._scores = _Scores(robot.ground_truth)

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
        changed = engine.affected(given, more, state.n_frames) & self._scores.truth.keys()
        gain = 0.0
        for step in engine.propagate(state.video, more, [obj], changed):
            if step.frame is not None and step.probabilities is not None:
                after = step.probabilities.argmax(axis=0) == 1
                before = state.masks[step.frame] == obj
                gain += self._scores.jf(step.frame, after, obj)
                gain -= self._scores.jf(step.frame, before, obj)
        return gain / len(self._scores.truth)


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
        self._scores = _Scores(robot.ground_truth)

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

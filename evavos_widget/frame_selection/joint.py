"""The frame of the best pair of frame and type: most gain of the video per second."""

from __future__ import annotations

import numpy as np

from evavos_widget.explanation import FrameExplanation
from evavos_widget.frame_selection.baselines import DOUBTED
from evavos_widget.loop import (
    FrameChoice,
    FrameSelector,
    LoopState,
    in_doubt,
    objects_annotated,
)
from evavos_widget.networks.agent_weights import agent_notice
from evavos_widget.networks.joint import JointModel

__all__ = ["JointFrame"]


class JointFrame(FrameSelector):
    """The frame where some type of annotation is predicted to bring the video most per second.

    Parameters
    ----------
    weights : path
        Written by ``evavos train joint``; by default those that come with the package.
    """

    name = "joint"
    learned = True

    def __init__(self, weights: str = "") -> None:
        self._model = JointModel(weights)
        self.notice = agent_notice("joint", weights)

    def select(self, state: LoopState) -> FrameChoice | None:
        """The best frame of all objects; the earlier of equals."""
        if state.objects and not state.annotations:
            return FrameChoice(0, state.objects[0], "nothing is annotated yet")
        best: FrameChoice | None = None
        for obj in state.objects:
            per_second = self._scores(state, obj)
            if np.isnan(per_second).all():
                continue
            frame = int(np.nanargmax(per_second))
            score = float(per_second[frame])
            if best is None or score > best.score:
                reason = f"predicted to bring most, {60 * score:+.3f} J&F a minute"
                best = FrameChoice(frame, obj, reason, score)
        return best

    def explain(self, state: LoopState) -> FrameExplanation | None:
        """What the best type on every frame is predicted to bring."""
        if not state.objects or not state.annotations:
            return None
        scores = [self._scores(state, obj) for obj in state.objects]
        return FrameExplanation(np.stack(scores, axis=1), "gain of the video per second")

    def _scores(self, state: LoopState, obj: int) -> np.ndarray:
        """Gain of the video per second by the best type, (N,); NaN where none is asked."""
        annotated = objects_annotated(state.annotations, obj)
        taken = {*annotated} - {f for f, doubt in in_doubt(state, obj).items() if doubt >= DOUBTED}
        taken |= {frame for frame, o in state.snoozed if o == obj}
        if len(taken) == state.n_frames or not annotated:
            return np.full(state.n_frames, np.nan)
        seconds = np.array([max(state.costs.seconds(k), 1e-3) for k in self._model.types])
        per_second = (self._model.gains(state, obj) / seconds).max(axis=1)
        per_second[sorted(taken)] = np.nan
        return per_second

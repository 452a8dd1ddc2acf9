"""The frame of the best pair of frame and type: most gain of the video per second."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from evavos_widget.explanation import FrameExplanation
from evavos_widget.frame_selection.asking import closed, highest
from evavos_widget.loop import FrameChoice, FrameSelector, LoopState, objects_annotated, possible
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
        best = highest(state, self._scores, "")
        if best is None or best.reason:  # one of which nothing is annotated
            return best
        reason = f"predicted to bring most, {60 * best.score:+.3f} J&F a minute"
        return replace(best, reason=reason)

    def explain(self, state: LoopState) -> FrameExplanation | None:
        """What the best type on every frame is predicted to bring."""
        if not state.objects:
            return None
        scores = np.stack([self._scores(state, obj) for obj in state.objects], axis=1)
        if np.isnan(scores).all():
            return None
        return FrameExplanation(scores, "gain of the video per second")

    def _scores(self, state: LoopState, obj: int) -> np.ndarray:
        """Gain of the video per second by the best type, (N,); NaN where none is asked."""
        taken = closed(state, obj)
        if len(taken) == state.n_frames or not objects_annotated(state.annotations, obj):
            return np.full(state.n_frames, np.nan)
        types = possible(self._model.types, state)
        seconds = np.array([max(state.costs.seconds(k), 1e-3) for k in types])
        gains = self._model.gains(state, obj)[:, [self._model.types.index(k) for k in types]]
        per_second = (gains / seconds).max(axis=1)
        per_second[sorted(taken)] = np.nan
        return per_second

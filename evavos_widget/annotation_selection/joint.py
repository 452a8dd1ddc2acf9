"""The type of the best pair of frame and type: most gain of the video per second."""

from __future__ import annotations

from evavos_widget.explanation import TypeExplanation
from evavos_widget.loop import (
    AnnotationChoice,
    AnnotationSelector,
    FrameChoice,
    LoopState,
    possible,
)
from evavos_widget.networks.agent_weights import agent_notice
from evavos_widget.networks.joint import JointModel
from evavos_widget.suggestion import first_seconds

__all__ = ["JointType"]


class JointType(AnnotationSelector):
    """The type that is predicted to bring the *video* most per second on the chosen frame.

    Its expected gain is that of the video, and not of the frame as of other selectors, so that
    ranking videos by it counts how many frames change.

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

    def select(self, state: LoopState, choice: FrameChoice) -> AnnotationChoice:
        """The best type; the first of equals."""
        gains = self._model.gains(state, choice.object)[choice.frame]
        known = dict(zip(self._model.types, map(float, gains), strict=True))
        pairs = [
            (known[kind], state.costs.seconds(kind), kind)
            for kind in possible(self._model.types, state)
        ]
        gain, seconds, kind = max(pairs, key=lambda pair: pair[0] / max(pair[1], 1e-3))
        reason = f"brings the video about {gain:+.3f} in {seconds:g} s"
        return AnnotationChoice(kind, seconds, gain, reason, "video")

    def first_type(self, state: LoopState) -> str:
        """What brought a video most per second in the loops that it learned from."""
        per_second = {
            kind: self._model.first[kind] / max(first_seconds(state.costs, kind), 1e-3)
            for kind in possible(self._model.first, state)
        }
        return max(per_second, key=lambda kind: per_second[kind])

    def explain(self, state: LoopState, choice: FrameChoice) -> TypeExplanation:
        """What each type is predicted to bring the video, and its cost."""
        gains = self._model.gains(state, choice.object)[choice.frame]
        chosen, kinds = self.select(state, choice).kind, possible(self._model.types, state)
        known = dict(zip(self._model.types, map(float, gains), strict=True))
        return TypeExplanation(
            {kind: float(kind == chosen) for kind in kinds},
            gains={kind: known[kind] for kind in kinds},
            seconds={kind: state.costs.seconds(kind) for kind in kinds},
            gain_of="video",
        )

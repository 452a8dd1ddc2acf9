"""The learned policy chooses the type of annotation (EVA-VOS Sec. 2.3)."""

from __future__ import annotations

import numpy as np
import torch

from evavos_widget.explanation import TypeExplanation
from evavos_widget.loop import (
    AnnotationChoice,
    AnnotationSelector,
    FrameChoice,
    LoopState,
    possible,
)
from evavos_widget.networks.agent_weights import agent_notice
from evavos_widget.networks.observation import observation
from evavos_widget.networks.policy import load_policy

__all__ = ["PolicySelector"]


class PolicySelector(AnnotationSelector):
    """The type that the policy finds most likely; never one drawn by chance.

    Its expected gain is the policy's value, gain of the frame's J&F per second, times what the
    type costs.

    Parameters
    ----------
    weights : path
        Written by ``evavos train policy``; by default those that come with the package.
    types : tuple of str, optional
        Refuse weights for other types than these.
    """

    name = "policy"
    learned = True

    def __init__(self, weights: str = "", types: tuple[str, ...] | None = None) -> None:
        self._policy = load_policy(weights, types)
        self.notice = agent_notice("policy", weights)

    def probabilities(
        self, state: LoopState, choice: FrameChoice
    ) -> tuple[dict[str, float], float]:
        """How likely each type is that can be asked for, and the value in J&F per second."""
        seen = observation(state, choice.frame, choice.object)[None]
        with torch.inference_mode():
            logits, value = self._policy(torch.from_numpy(seen))
        kinds = possible(self._policy.types, state)
        likely = logits[0, [self._policy.types.index(kind) for kind in kinds]].softmax(0).tolist()
        return dict(zip(kinds, likely, strict=True)), float(value[0])

    def select(self, state: LoopState, choice: FrameChoice) -> AnnotationChoice:
        """The most likely type, the first of equals."""
        likely, value = self.probabilities(state, choice)
        kind = max(likely, key=lambda k: likely[k])
        seconds = state.costs.seconds(kind)
        quality = float(state.quality[choice.frame, state.objects.index(choice.object)])
        room = 1.0 if np.isnan(quality) else max(1.0 - quality, 0.0)
        gain = min(max(value * seconds, 0.0), room)  # there is no more to gain than what lacks
        return AnnotationChoice(kind, seconds, gain, f"the policy is {likely[kind]:.0%} sure of it")

    def explain(self, state: LoopState, choice: FrameChoice) -> TypeExplanation:
        """How likely each type is, the value, and the gain that follows for the chosen one."""
        likely, value = self.probabilities(state, choice)
        chosen = self.select(state, choice)
        return TypeExplanation(
            likely,
            gains={chosen.kind: chosen.expected_gain},
            seconds={kind: state.costs.seconds(kind) for kind in likely},
            value=value,
        )

"""IVOS-W chooses the frame: the learned selection that EVA-VOS compares with (Sec. 4.1)."""

from __future__ import annotations

import numpy as np
import torch

from evavos_widget.explanation import FrameExplanation
from evavos_widget.frame_selection.asking import closed, highest
from evavos_widget.loop import FrameChoice, FrameSelector, LoopState, objects_annotated
from evavos_widget.networks.agent_weights import agent_notice
from evavos_widget.networks.ivosw import load_ivosw, seen_by

__all__ = ["IVOSWSelector"]


class IVOSWSelector(FrameSelector):
    """The frame with the largest value of a DQN that sees predicted quality and visits.

    Objects are looked at one by one, where Yin et al. average over them; the largest value of all
    goes first, and ties go to the earlier frame.

    Parameters
    ----------
    weights : path
        Written by ``evavos train ivosw``; by default those that come with the package.
    """

    name = "ivosw"
    learned = True

    def __init__(self, weights: str = "") -> None:
        self._network = load_ivosw(weights)
        self.notice = agent_notice("ivosw", weights)

    def select(self, state: LoopState) -> FrameChoice | None:
        """The frame of the largest value, of those to be asked for and not put off."""
        return highest(state, self._scores, "the largest value of IVOS-W")

    def explain(self, state: LoopState) -> FrameExplanation | None:
        """The values of the DQN."""
        if not state.objects:
            return None
        scores = [self._scores(state, obj) for obj in state.objects]
        return FrameExplanation(np.stack(scores, axis=1), "value of IVOS-W")

    def _scores(self, state: LoopState, obj: int) -> np.ndarray:
        """Value of every frame, (N,) float64; NaN where none is asked."""
        visits = torch.zeros(state.n_frames)
        visits[objects_annotated(state.annotations, obj)] = 1
        quality = torch.from_numpy(state.quality[:, state.objects.index(obj)].copy())
        with torch.no_grad():
            value = self._network(seen_by(quality, visits)[None])[0].double().numpy()
        value[sorted(closed(state, obj))] = np.nan
        return value

"""Equation 1 on image embeddings: the frame least like any annotated one."""

from __future__ import annotations

import numpy as np

from evavos_widget.explanation import FrameExplanation
from evavos_widget.frame_selection.asking import farthest, with_doubts
from evavos_widget.loop import FrameChoice, FrameSelector, LoopState
from evavos_widget.networks.encoders import create_encoder

__all__ = ["L2"]


class L2(FrameSelector):
    """The frame farthest from every annotated one in the space of an image encoder.

    EVA-VOS Eq. 1 without the mask: ``argmax_i min_{j in K} |E_i - E_j|``. A frame that is
    annotated counts as the farther away the less it is trusted. Ties go to the earlier frame.

    Parameters
    ----------
    encoder : str
        See `evavos_widget.networks.encoders.create_encoder`.
    """

    name = "l2"

    def __init__(self, encoder: str = "colour") -> None:
        self._encoder = create_encoder(encoder)

    def select(self, state: LoopState) -> FrameChoice | None:
        """The next frame, of the object for which it is the farthest."""
        return farthest(state, self._scores, "looks least like what you annotated")

    def explain(self, state: LoopState) -> FrameExplanation | None:
        """The embeddings, and how far every frame is from the annotated ones."""
        if not state.objects:
            return None
        scores = np.stack([self._scores(state, obj) for obj in state.objects], axis=1)
        if np.isnan(scores).all():
            return None
        embeddings = state.features.frames(state.video, self._encoder)
        return FrameExplanation(
            scores,
            "distance to the most alike annotated frame",
            embeddings=dict.fromkeys(state.objects, embeddings),
        )

    def _scores(self, state: LoopState, obj: int) -> np.ndarray:
        """To the nearest annotated frame's embedding, (N,); NaN where none is asked."""
        embeddings = state.features.frames(state.video, self._encoder)

        def measure(known: list[int]) -> tuple[np.ndarray, float]:
            apart = np.linalg.norm(embeddings[:, None] - embeddings[known][None], axis=2)
            # How far apart what is annotated lies from the rest of the video, at most.
            return apart.min(axis=1), float(apart.max())

        return with_doubts(state, obj, measure)

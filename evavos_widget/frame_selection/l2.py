"""Equation 1 on image embeddings: the frame least like any annotated one."""

from __future__ import annotations

import numpy as np

from evavos_widget.explanation import FrameExplanation
from evavos_widget.frame_selection.baselines import DOUBTED, REVISIT
from evavos_widget.loop import (
    FrameChoice,
    FrameSelector,
    LoopState,
    in_doubt,
    objects_annotated,
)
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
        embeddings = state.features.frames(state.video, self._encoder)
        best: FrameChoice | None = None
        for obj in state.objects:
            distance = _distance(state, obj, embeddings)
            if np.isnan(distance).all():
                continue
            frame = int(np.nanargmax(distance))
            if best is None or distance[frame] > best.score:
                reason = "looks least like what you annotated"
                if frame in objects_annotated(state.annotations, obj):
                    reason = "what is annotated there is in doubt"
                best = FrameChoice(frame, obj, reason, float(distance[frame]))
        return best

    def explain(self, state: LoopState) -> FrameExplanation | None:
        """The embeddings, and how far every frame is from the annotated ones."""
        if not state.objects:
            return None
        embeddings = state.features.frames(state.video, self._encoder)
        scores = [_distance(state, obj, embeddings) for obj in state.objects]
        return FrameExplanation(
            np.stack(scores, axis=1),
            "distance to the most alike annotated frame",
            embeddings=dict.fromkeys(state.objects, embeddings),
        )


def _distance(state: LoopState, obj: int, embeddings: np.ndarray) -> np.ndarray:
    """To the nearest annotated frame's embedding, (N,) float array; NaN where none is asked."""
    annotated = objects_annotated(state.annotations, obj)
    if not annotated:
        return np.full(state.n_frames, np.nan)
    # What looks like a frame that was put off is put off with it.
    known = sorted({*annotated, *(f for f, o in state.snoozed if o == obj)})
    apart = embeddings[:, None] - embeddings[known][None]
    distance = np.linalg.norm(apart, axis=2).min(axis=1)
    # How far apart what is annotated lies from the rest of the video, at most.
    extent = float(np.linalg.norm(apart, axis=2).max())
    distance[known] = np.nan
    for frame, doubt in in_doubt(state, obj).items():
        if doubt >= DOUBTED and (frame, obj) not in state.snoozed:
            distance[frame] = REVISIT * doubt * extent
    return distance

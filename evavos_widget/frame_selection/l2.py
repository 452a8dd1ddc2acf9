"""Equation 1 on image embeddings: the frame least like any annotated one."""

from __future__ import annotations

import numpy as np

from evavos_widget.loop import FrameChoice, FrameSelector, LoopState, objects_annotated
from evavos_widget.networks.encoders import create_encoder

__all__ = ["L2"]


class L2(FrameSelector):
    """The frame farthest from every annotated one in the space of an image encoder.

    EVA-VOS Eq. 1 without the mask: ``argmax_i min_{j in K} |E_i - E_j|``. Ties go to the
    earlier frame.

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
            annotated = objects_annotated(state.annotations, obj)
            if not annotated:
                continue
            # What looks like a frame that was put off is put off with it.
            known = sorted({*annotated, *(f for f, o in state.snoozed if o == obj)})
            apart = embeddings[:, None] - embeddings[known][None]
            distance = np.linalg.norm(apart, axis=2).min(axis=1)
            distance[known] = -1
            frame = int(distance.argmax())
            if distance[frame] >= 0 and (best is None or distance[frame] > best.score):
                reason = "looks least like what you annotated"
                best = FrameChoice(frame, obj, reason, float(distance[frame]))
        return best

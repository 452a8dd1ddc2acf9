"""Equation 1 on image embeddings: the frame least like any annotated one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evavos_widget.frame_selection.embeddings import create_encoder
from evavos_widget.loop import FrameChoice, LoopState, objects_annotated

if TYPE_CHECKING:
    from evavos_widget.video import Video

__all__ = ["L2"]


class L2:
    """The frame farthest from every annotated one in the space of an image encoder.

    EVA-VOS Eq. 1 without the mask: ``argmax_i min_{j in K} |E_i - E_j|``. Ties go to the
    earlier frame. Embeddings are computed once per video.

    Parameters
    ----------
    encoder : str
        See `evavos_widget.frame_selection.embeddings.create_encoder`.
    """

    name = "l2"

    def __init__(self, encoder: str = "colour") -> None:
        self._encode = create_encoder(encoder)
        self._video: Video | None = None
        self._embeddings = np.empty((0, 0), np.float32)

    def select(self, state: LoopState) -> FrameChoice | None:
        """The next frame, of the object for which it is the farthest."""
        if self._video is not state.video:
            self._embeddings = np.stack([self._encode(frame) for frame in state.video])
            self._video = state.video
        best: FrameChoice | None = None
        for obj in state.objects:
            annotated = objects_annotated(state.annotations, obj)
            if not annotated:
                continue
            # What looks like a frame that was put off is put off with it.
            known = sorted({*annotated, *(f for f, o in state.snoozed if o == obj)})
            apart = self._embeddings[:, None] - self._embeddings[known][None]
            distance = np.linalg.norm(apart, axis=2).min(axis=1)
            distance[known] = -1
            frame = int(distance.argmax())
            if distance[frame] >= 0 and (best is None or distance[frame] > best.score):
                reason = "looks least like what you annotated"
                best = FrameChoice(frame, obj, reason, float(distance[frame]))
        return best

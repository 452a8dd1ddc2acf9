"""Features and flow of a video's frames, computed once and kept within a byte bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evavos_widget.cache import ByteBoundedCache
from evavos_widget.propagation.features import (
    FrameFeatures,
    backward_positions,
    frame_features,
    principal_directions,
    work_size,
)

if TYPE_CHECKING:
    from evavos_widget.video import Video

__all__ = ["Frames"]

FRAME_BYTES = 48 * 2**20
"""Bound on features, flow and descriptors kept: about a dozen frames."""


class Frames:
    """One video's frames at working resolution; objects share them."""

    def __init__(self, video: Video) -> None:
        self.video = video
        self.size = work_size(video.height, video.width)
        self._kept = ByteBoundedCache(FRAME_BYTES)

    def features(self, frame: int) -> FrameFeatures:
        """Features of a frame."""
        return self._kept.get(
            ("features", frame), lambda: frame_features(self.video.frame(frame), self.size)
        )

    def positions(self, source: int, target: int) -> np.ndarray:
        """Where each pixel of `target` was in `source`: (h, w, 2) float32, x and y."""
        return self._kept.get(
            ("positions", source, target),
            lambda: backward_positions(self.features(source), self.features(target)),
        )

    def descriptors(self, frame: int, reference: int) -> np.ndarray:
        """Descriptors of `frame` in the principal directions of frame `reference`.

        Returns
        -------
        (h', w', PRINCIPAL) float32 array
        """
        directions = self._kept.get(
            ("directions", reference),
            lambda: principal_directions(self.features(reference).cells),
        )
        return self._kept.get(
            ("descriptors", frame, reference), lambda: self.features(frame).cells @ directions
        )

"""A video together with its ground truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from evavos_widget.video import Video

__all__ = ["AnnotatedVideo"]


@dataclass(frozen=True, eq=False)
class AnnotatedVideo:
    """One video of a dataset.

    Parameters
    ----------
    name : str
    video : Video
    ground_truth : mapping of int -> (H, W) uint8 array
        Label maps by frame, 0 = background, 1..255 = object id. Not every frame has to
        have one.
    """

    name: str
    video: Video
    ground_truth: Mapping[int, np.ndarray]

    def __repr__(self) -> str:
        video = self.video
        return (
            f"<AnnotatedVideo {self.name!r}: {video.n_frames} frames of {video.width} x "
            f"{video.height}, {len(self.ground_truth)} with ground truth>"
        )

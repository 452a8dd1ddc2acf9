"""Small videos of which everything is known."""

from __future__ import annotations

import numpy as np

from evavos_widget.loop import Annotation
from evavos_widget.video import Video

__all__ = ["Scene"]

SEED = 0
"""Of the noise, so that every check sees the same pictures."""


class Scene:
    """Noise on which a brighter square moves, and a second one that only its mask shows.

    Parameters
    ----------
    n_frames, height, width : int
    ids : (int, int)
        Of the two squares.

    Attributes
    ----------
    video : Video
    labels : (N, H, W) uint8 array
    read : list of int
        The frames that were read, in their order.
    """

    def __init__(
        self,
        n_frames: int = 6,
        height: int = 61,
        width: int = 107,
        ids: tuple[int, int] = (1, 2),
    ) -> None:
        frames = np.random.default_rng(SEED).integers(
            0, 90, (n_frames, height, width, 3), dtype=np.uint8
        )
        self.labels = np.zeros((n_frames, height, width), np.uint8)
        step = max(1, width // 27)
        top, middle, bottom = height // 4, 2 * height // 3, height - max(1, height // 15)
        for i in range(n_frames):
            left, right = width // 10 + step * i, 9 * width // 10 - step * i
            self.labels[i, top:middle, left : left + width // 4 + 1] = ids[0]
            self.labels[i, middle:bottom, max(0, right - width // 4 - 1) : right] = ids[1]
            frames[i][self.labels[i] == ids[0]] += 150
        self.labels.flags.writeable = False
        self.video = Video.open(frames, name="scene")
        self.read: list[int] = []
        read = self.video.frame

        def frame(index: int) -> np.ndarray:
            self.read.append(int(index))
            return read(index)

        self.video.frame = frame

    @property
    def n_frames(self) -> int:
        """Frames of the video."""
        return self.video.n_frames

    def annotation(self, frame: int, *objects: int) -> Annotation:
        """What is true of some objects on a frame."""
        labels = np.where(np.isin(self.labels[frame], objects), self.labels[frame], 0)
        return Annotation(labels.astype(np.uint8), frozenset(objects))

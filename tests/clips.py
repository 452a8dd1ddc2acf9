"""Small clips as engines read them."""

from __future__ import annotations

import numpy as np

from evavos_widget.loop import Annotation


class Clip:
    """Noise on which a brighter square moves, and a second one that only its mask shows."""

    def __init__(self, n_frames: int = 9, height: int = 75, width: int = 101) -> None:
        random = np.random.default_rng(0)
        self.frames = random.integers(0, 90, (n_frames, height, width, 3), dtype=np.uint8)
        self.labels = np.zeros((n_frames, height, width), np.uint8)
        for i in range(n_frames):
            self.labels[i, 20:50, 10 + 4 * i : 40 + 4 * i] = 1
            self.labels[i, 52:70, 60 - 4 * i : 90 - 4 * i] = 2
            self.frames[i][self.labels[i] == 1] += 150
        self.n_frames, self.height, self.width = n_frames, height, width
        self.read: list[int] = []

    def frame(self, index: int) -> np.ndarray:
        self.read.append(index)
        return self.frames[index]

    def annotation(self, frame: int, *objects: int) -> Annotation:
        labels = np.where(np.isin(self.labels[frame], objects), self.labels[frame], 0)
        return Annotation(labels.astype(np.uint8), frozenset(objects))

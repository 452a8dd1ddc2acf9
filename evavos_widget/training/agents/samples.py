"""Frames with their masks and qualities, of many records, as QNet learns from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch

from evavos_widget.networks.encoders_of_pairs import SIDE, pictures
from evavos_widget.training.agents.records import LoopRecord

__all__ = ["FramesAndMasks"]


class FramesAndMasks:
    """n frames, each with a mask as it was in some state.

    Parameters
    ----------
    records : sequence of LoopRecord
    preset : {'compact', 'paper'}
        What is seen of them: vectors, or pictures.

    Attributes
    ----------
    true : (n, 2) float32 array
        J&F and J.
    predicted : (n,) float32 array
        By the propagator.
    annotated : (n,) bool array
    group : (n,) int64 array
        Frames of one number were of one pass.

    Raises
    ------
    ValueError
        The preset sees pictures, and the records have none.
    """

    def __init__(self, records: Sequence[LoopRecord], preset: str = "compact") -> None:
        self.preset = preset
        self._records = list(records)
        if preset == "paper" and any(not len(r.picture_ends) for r in self._records):
            raise ValueError(
                "these records hold no pictures, which the preset 'paper' sees; collect them with "
                "evavos train collect --pictures."
            )
        places = [
            (i, t, f)
            for i, r in enumerate(self._records)
            for t in range(r.predicted.shape[0])
            for f in range(r.predicted.shape[1])
        ]
        self._places = np.array(places, np.int64).reshape(-1, 3)
        self.true = self._flat([r.true.reshape(-1, 2) for r in self._records], (0, 2))
        self.predicted = self._flat([r.predicted.ravel() for r in self._records], (0,))
        self.annotated = self._flat([r.trust.ravel() for r in self._records], (0,)) >= 0
        self.group = np.unique(self._places[:, :2], axis=0, return_inverse=True)[1].ravel()

    def _flat(self, parts: list[np.ndarray], none: tuple[int, ...]) -> np.ndarray:
        return np.concatenate(parts) if parts else np.zeros(none, np.float32)

    def __len__(self) -> int:
        return len(self._places)

    def quality(self, released: bool = False) -> np.ndarray:
        """J&F; J where the authors' code is followed."""
        return self.true[:, int(released)]

    def arrays(self, some: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What is seen of some of them: frames and masks, float32."""
        look = self._pictures if self.preset == "paper" else self._vectors
        pairs = [look(*map(int, self._places[number])) for number in some]
        frames, masks = zip(*pairs, strict=True)
        return np.stack(frames).astype(np.float32), np.stack(masks).astype(np.float32)

    def tensors(self, some: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """As `arrays`."""
        frames, masks = self.arrays(some)
        return torch.from_numpy(frames), torch.from_numpy(masks)

    def _vectors(self, record: int, state: int, frame: int) -> tuple[np.ndarray, np.ndarray]:
        found = self._records[record]
        return found.frames[frame], found.masks[state, frame]

    def _pictures(self, record: int, state: int, frame: int) -> tuple[np.ndarray, np.ndarray]:
        found = self._records[record]
        start = int(found.picture_ends[frame - 1]) if frame else 0
        coded = found.picture_bytes[start : found.picture_ends[frame]]
        image: Any = cv2.imdecode(coded, cv2.IMREAD_COLOR)
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        bits = np.unpackbits(found.mask_bits[state, frame]).reshape(SIDE, SIDE)
        return pictures(image, bits.astype(bool))

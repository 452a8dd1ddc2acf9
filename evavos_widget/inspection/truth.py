"""True quality of every frame, for who was given the truth; each mask is scored once."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from evavos_widget.masks import ids_of_maps
from evavos_widget.metrics import score_frame

if TYPE_CHECKING:
    from evavos_widget.masks import LabelMaps

__all__ = ["TrueFrames"]


class TrueFrames:
    """J&F of objects, by frame.

    Parameters
    ----------
    ground_truth : mapping of frame -> (H, W) uint8 label map
    """

    def __init__(self, ground_truth: Mapping[int, np.ndarray]) -> None:
        self.ground_truth = ground_truth
        self._known: dict[tuple[int, int, bytes], float] = {}
        self._lock = threading.Lock()

    def of(self, masks: LabelMaps, obj: int) -> np.ndarray:
        """``(N,)`` float32, 0 to 1; NaN on frames without truth, and of an object it lacks."""
        values = np.full(len(masks), np.nan, np.float32)
        if obj not in self.objects:  # read when it is first asked for, as the truth may be long
            return values
        for frame in range(len(masks)):
            if frame in self.ground_truth:
                values[frame] = self._one(masks, frame, obj)
        return values

    @cached_property
    def objects(self) -> set[int]:
        """Ids of the objects that it has."""
        return ids_of_maps(self.ground_truth)

    def _one(self, masks: LabelMaps, frame: int, obj: int) -> float:
        key = frame, obj, masks.runs(frame).tobytes()
        with self._lock:
            known = self._known.get(key)
        if known is None:
            known = float(score_frame(masks[frame], self.ground_truth[frame], [obj]).mean())
            with self._lock:
                self._known[key] = known
        return known

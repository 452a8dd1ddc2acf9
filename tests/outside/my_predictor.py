"""A mask predictor: a click takes in what has about the colour of the place it is on."""

from __future__ import annotations

from collections.abc import Hashable

import cv2
import numpy as np

from evavos_widget.loop import MaskPredictor
from evavos_widget.prompts import Click, Prediction, Prompts


class FloodFill(MaskPredictor):
    """Positive clicks add a region to the mask, negative ones take it away.

    Parameters
    ----------
    tolerance : int or str
        By how much a colour may differ from that of the place clicked, 0 to 255.
    """

    name = "flood-fill"
    accepts = frozenset({"clicks", "mask"})  # of boxes and scribbles it makes no use

    def __init__(self, tolerance: int | str = 40) -> None:
        self.tolerance = int(tolerance)

    def predict(
        self, image: np.ndarray, prompts: Prompts, *, key: Hashable | None = None
    ) -> Prediction:
        """The mask of one object from all prompts so far."""
        mask = np.zeros(image.shape[:2], bool)
        if prompts.previous_mask is not None:
            mask |= prompts.previous_mask
        for click in prompts.clicks:
            mask[self._region(image, click)] = click.positive
        return Prediction(mask, mask.astype(np.float32), score=0.5)

    def _region(self, image: np.ndarray, click: Click) -> np.ndarray:
        """(H, W) bool array: what is connected to the place clicked and looks like it."""
        height, width = image.shape[:2]
        found = np.zeros((height + 2, width + 2), np.uint8)  # with a border, as OpenCV wants it
        place = min(max(round(click.x), 0), width - 1), min(max(round(click.y), 0), height - 1)
        flags = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE
        limits = (self.tolerance,) * 3
        cv2.floodFill(image.copy(), found, place, 0, limits, limits, flags)
        return found[1:-1, 1:-1] > 0

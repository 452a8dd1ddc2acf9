"""Where a person would click: on the largest error region, as EVA-VOS simulates it (Sec. 3).

Find the false-negative and false-positive regions, take the largest connected component, click
its centre.
"""

from __future__ import annotations

from typing import Literal, get_args

import cv2
import numpy as np

from evavos_widget.prompts import Click
from evavos_widget.robot.hand import depth

__all__ = ["PLACEMENTS", "Placement", "corrective_click", "largest_component"]

Placement = Literal["distance", "centroid"]

PLACEMENTS: tuple[Placement, ...] = get_args(Placement)
"""A click may land in these places of a region, see `corrective_click`."""


def corrective_click(
    predicted: np.ndarray, truth: np.ndarray, placement: Placement = "distance"
) -> Click | None:
    """The click that corrects the largest error region, or None when there is no error.

    Parameters
    ----------
    predicted, truth : (H, W) bool array
    placement : {'distance', 'centroid'}
        ``'distance'``: the point farthest from the region's border, the picture's edge
        counting as border; always inside the region. ``'centroid'``: the mean row and
        column, moved to the nearest pixel of the region when it lies outside.

    Returns
    -------
    Click or None
        Positive in a missed region, negative in a wrong one. A tie between the two
        goes to the wrong one.
    """
    wrong, missed = predicted & ~truth, truth & ~predicted
    region_wrong, size_wrong = largest_component(wrong)
    region_missed, size_missed = largest_component(missed)
    if size_wrong == size_missed == 0:
        return None
    positive = size_missed > size_wrong
    region = region_missed if positive else region_wrong
    if placement == "distance":
        y, x = np.unravel_index(depth(region).argmax(), region.shape)
    elif placement == "centroid":
        ys, xs = np.nonzero(region)
        nearest = np.hypot(ys - ys.mean(), xs - xs.mean()).argmin()
        y, x = ys[nearest], xs[nearest]
    else:
        raise ValueError(f"unknown placement {placement!r}; choose 'distance' or 'centroid'.")
    return Click(float(x), float(y), bool(positive))


def largest_component(mask: np.ndarray) -> tuple[np.ndarray, int]:
    """The largest 8-connected component and its size in pixels."""
    n, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if n == 1:
        return mask, 0
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    return labels == largest, int(stats[largest, cv2.CC_STAT_AREA])

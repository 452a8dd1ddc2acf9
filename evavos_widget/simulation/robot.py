"""The robot annotator: answers from ground truth through the door a person uses.

EVA-VOS Sec. 3, "Human annotator simulation": find the false-negative and false-positive
regions, take the largest connected component, click its centre; three clicks one by one,
each prediction feeding the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np

from evavos_widget.prompts import Click

if TYPE_CHECKING:
    from evavos_widget.loop import Suggestion
    from evavos_widget.session import Session

__all__ = ["RobotAnnotator", "corrective_click"]

Placement = Literal["distance", "centroid"]


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
    region_wrong, size_wrong = _largest_component(wrong)
    region_missed, size_missed = _largest_component(missed)
    if size_wrong == size_missed == 0:
        return None
    positive = size_missed > size_wrong
    region = region_missed if positive else region_wrong
    if placement == "distance":
        padded = np.pad(region.astype(np.uint8), 1)
        distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        y, x = np.unravel_index(distance[1:-1, 1:-1].argmax(), region.shape)
    elif placement == "centroid":
        ys, xs = np.nonzero(region)
        nearest = np.hypot(ys - ys.mean(), xs - xs.mean()).argmin()
        y, x = ys[nearest], xs[nearest]
    else:
        raise ValueError(f"unknown placement {placement!r}; choose 'distance' or 'centroid'.")
    return Click(float(x), float(y), bool(positive))


def _largest_component(mask: np.ndarray) -> tuple[np.ndarray, int]:
    """The largest 8-connected component and its size in pixels."""
    n, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if n == 1:
        return mask, 0
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    return labels == largest, int(stats[largest, cv2.CC_STAT_AREA])


class RobotAnnotator:
    """Answers a session's suggestions from ground truth.

    Parameters
    ----------
    ground_truth : mapping of frame -> (H, W) uint8 label map
    clicks : int
        Clicks per interaction; 3 (EVA-VOS Sec. 3).
    placement : {'distance', 'centroid'}
        See `corrective_click`.
    """

    def __init__(
        self,
        ground_truth: Mapping[int, np.ndarray],
        *,
        clicks: int = 3,
        placement: Placement = "distance",
    ) -> None:
        self.ground_truth = ground_truth
        self.clicks = clicks
        self.placement: Placement = placement

    def answer(self, session: Session, suggestion: Suggestion) -> None:
        """Annotate what the suggestion asks for and commit it to the session."""
        frame, obj = suggestion.frame, suggestion.object
        truth = self.ground_truth[frame] == obj
        if not truth.any():
            session.annotate(frame, truth, objects=[obj], kind="absent")
        elif suggestion.kind == "mask":
            session.annotate(frame, truth, objects=[obj], kind="mask")
        elif suggestion.kind == "clicks":
            mask, clicks = self.click(session, frame, obj)
            made = [(c.x, c.y, c.positive) for c in clicks]
            session.annotate(frame, mask, objects=[obj], kind="clicks", clicks=made)
        else:
            raise ValueError(
                f"the robot cannot give {suggestion.kind!r}; it draws masks and makes clicks."
            )

    def click(self, session: Session, frame: int, obj: int) -> tuple[np.ndarray, list[Click]]:
        """Corrective clicks, one by one; the mask they lead to and the clicks made."""
        truth = self.ground_truth[frame] == obj
        mask = session.masks[frame] == obj
        clicks: list[Click] = []
        for _ in range(self.clicks):
            click = corrective_click(mask, truth, self.placement)
            if click is None:
                break
            clicks.append(click)
            mask = session.predict(frame, obj, clicks=clicks).mask
        return mask, clicks

"""The robot annotator: answers from ground truth through the door a person uses.

EVA-VOS Sec. 3, "Human annotator simulation": find the false-negative and false-positive
regions, take the largest connected component, click its centre; three clicks one by one,
each prediction feeding the next. Drawn masks, boxes and scribbles come from the truth too; how
exact it all is, is up to the robot's hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, get_args

import cv2
import numpy as np

from evavos_widget.prompts import Click, Scribble
from evavos_widget.simulation.hand import Hand

if TYPE_CHECKING:
    from evavos_widget.loop import Suggestion
    from evavos_widget.session import Session

__all__ = ["PLACEMENTS", "Placement", "RobotAnnotator", "corrective_click"]

Placement = Literal["distance", "centroid"]

PLACEMENTS: tuple[Placement, ...] = get_args(Placement)
"""Where in a region a click may land, see `corrective_click`."""


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
    hand : Hand, optional
        An exact one by default.
    """

    def __init__(
        self,
        ground_truth: Mapping[int, np.ndarray],
        *,
        clicks: int = 3,
        placement: Placement = "distance",
        hand: Hand | None = None,
    ) -> None:
        self.ground_truth = ground_truth
        self.clicks = clicks
        self.placement: Placement = placement
        self.hand = hand or Hand()

    def answer(self, session: Session, suggestion: Suggestion) -> None:
        """Annotate what the suggestion asks for and commit it to the session."""
        frame, obj, kind = suggestion.frame, suggestion.object, suggestion.kind
        truth = self.ground_truth[frame] == obj
        clicks: list[Click] = []
        if not truth.any():
            mask, kind = truth, "absent"
        elif kind == "mask":
            mask = self.hand.draw(truth, frame, obj)
        elif kind == "clicks":
            mask, clicks = self.click(session, frame, obj)
        elif kind == "box":
            mask = session.predict(frame, obj, box=self.hand.box(truth, frame, obj)).mask
        elif kind == "scribble":
            mask = self._scribble(session, frame, obj)
        else:
            raise ValueError(
                f"the robot cannot give {kind!r}; it gives masks, clicks, boxes and scribbles."
            )
        made = [(c.x, c.y, c.positive) for c in clicks]
        session.annotate(frame, mask, objects=[obj], kind=kind, clicks=made)

    def click(self, session: Session, frame: int, obj: int) -> tuple[np.ndarray, list[Click]]:
        """Corrective clicks, one by one; the mask they lead to and the clicks made."""
        truth = self.ground_truth[frame] == obj
        mask = session.masks[frame] == obj
        clicks: list[Click] = []
        for n in range(self.clicks):
            click = corrective_click(mask, truth, self.placement)
            if click is None:
                break
            clicks.append(self.hand.click(click, truth.shape, frame, obj, n))
            mask = session.predict(frame, obj, clicks=clicks).mask
        return mask, clicks

    def _scribble(self, session: Session, frame: int, obj: int) -> np.ndarray:
        """A stroke through what is missed most, and one through what is wrong most."""
        truth, mask = self.ground_truth[frame] == obj, session.masks[frame] == obj
        strokes: list[Scribble] = []
        for error, positive in ((truth & ~mask, True), (mask & ~truth, False)):
            region, size = _largest_component(error)
            if size:
                strokes.append(self.hand.scribble(region, positive))
        return session.predict(frame, obj, scribbles=strokes).mask if strokes else mask

"""A robot that verifies proposed points from ground truth, as exact as it is told to be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from evavos_widget.points import Candidate, Point
from evavos_widget.quantities import as_quantity, as_share

if TYPE_CHECKING:
    from evavos_widget.session import Session

__all__ = ["BORDER", "Verifier"]

BORDER = 1.0
"""Pixels from one that is on the other side of the object's border within which one cannot tell:
pixels at the border itself. Our choice: people called 1.0 % (PV-Oops) and 1.4 % (PV-Kinetics) of
the points ambiguous (Point-VOS, Table 1), and this gives 1.1 to 5.1 % (docs/point_vos.md)."""


class Verifier:
    """Says of proposed points whether they are of the object.

    Parameters
    ----------
    ground_truth : mapping of frame -> (H, W) uint8 label map
    error_rate : float in [0, 1]
        Share of the answers that are wrong, where it does not say that it cannot tell.
    border : float
        Pixels to the nearest one on the other side within which it cannot tell; 0 always tells.
    seed : int
        An answer depends on it, the pixel and the object, not on what was asked before.
    """

    def __init__(
        self,
        ground_truth: Mapping[int, np.ndarray],
        *,
        error_rate: float = 0.0,
        border: float = BORDER,
        seed: int = 0,
    ) -> None:
        self.ground_truth = ground_truth
        self.error_rate = as_share("the error rate", error_rate)
        self.border = as_quantity("the border", border, "pixels, 0 or more")
        self.seed = seed

    def label(self, candidate: Candidate, obj: int) -> str:
        """The answer, one of `points.LABELS`.

        Raises
        ------
        KeyError
            The frame has no ground truth.
        """
        frame, x, y = candidate.frame, candidate.x, candidate.y
        inside = self.ground_truth[frame] == obj
        if self._to_border(inside, x, y) <= self.border:
            return "unknown"
        rng = np.random.default_rng([self.seed, frame, obj, x, y])
        wrong = rng.random() < self.error_rate
        return "positive" if inside[y, x] != wrong else "negative"

    def answer(self, session: Session, obj: int, candidates: Iterable[Candidate]) -> int:
        """Label points of a session in the order given, at what a person would cost.

        Those on frames without ground truth are passed over.

        Returns
        -------
        int
            How many were labelled.
        """
        n = 0
        known = [c for c in candidates if c.frame in self.ground_truth]
        for frame, group in groupby(known, key=lambda c: c.frame):
            points = [Point(c.x, c.y, self.label(c, obj), c.region) for c in group]
            session.label_points(frame, obj, points)
            n += len(points)
        return n

    def _to_border(self, inside: np.ndarray, x: int, y: int) -> float:
        """Pixels to the nearest one that is on the other side, up to just beyond the border."""
        if not self.border:
            return np.inf
        reach = int(np.ceil(self.border)) + 1
        rows, columns = (
            slice(max(0, y - reach), y + reach + 1),
            slice(max(0, x - reach), x + reach + 1),
        )
        around = inside[rows, columns]
        others_y, others_x = np.nonzero(around != inside[y, x])
        if not len(others_y):
            return np.inf
        return float(np.hypot(others_y + rows.start - y, others_x + columns.start - x).min())

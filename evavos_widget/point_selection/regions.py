"""The three regions of a probability map that points are proposed from (Point-VOS Sec. 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evavos_widget.points import REGIONS
from evavos_widget.quantities import as_count, as_share

__all__ = ["Regions"]


@dataclass(frozen=True)
class Regions:
    """Where a probability map is high, low and in between.

    Parameters
    ----------
    low, high : float
        The background is proposed where the probability is at most `low`, the foreground where
        it is at least `high`. The paper gives no thresholds; ours are one in ten to be wrong.
    foreground, background, uncertain : int
        Points per frame from each (Point-VOS Sec. 3.2: 7, 10, 3).
    """

    low: float = 0.1
    high: float = 0.9
    foreground: int = 7
    background: int = 10
    uncertain: int = 3

    def __post_init__(self) -> None:
        if not as_share("low", self.low) < as_share("high", self.high):
            raise ValueError(
                f"the thresholds are {self.low} and {self.high}; give 0 <= low < high <= 1."
            )
        for region, count in self.counts.items():
            as_count(region, count, 0)

    @property
    def counts(self) -> dict[str, int]:
        """Points per frame, by region."""
        return {name: getattr(self, name) for name in REGIONS}

    def masks(self, probability: np.ndarray) -> dict[str, np.ndarray]:
        """By region, where it is, ``(H, W)`` bool; every pixel is in one."""
        foreground, background = probability >= self.high, probability <= self.low
        return {
            "foreground": foreground,
            "background": background,
            "uncertain": ~(foreground | background),
        }

    def of(self, probability: float) -> str:
        """The region of one pixel."""
        if probability >= self.high:
            return "foreground"
        return "background" if probability <= self.low else "uncertain"

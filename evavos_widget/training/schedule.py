"""How long a run lasts, and the learning rate on the way."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

__all__ = ["Budget", "Clock", "rate_at"]

WARM_UP = 0.02
"""Fraction of the training in which the learning rate rises."""

DECAY = 0.35
"""Fraction of the training, the last, in which it falls."""


@dataclass(frozen=True)
class Budget:
    """The length of a run: minutes of training, or steps.

    Parameters
    ----------
    minutes : float, optional
    steps : int, optional
        Exactly one of the two is given. A run counted in steps is the same on every repetition.
    """

    minutes: float | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.steps is None):
            raise ValueError("give the length of the training in minutes or in steps, one of them.")

    def progress(self, minutes: float, steps: int) -> float:
        """Fraction that is over, 0 to 1."""
        if self.steps is not None:
            return min(1.0, steps / self.steps)
        assert self.minutes is not None  # one of the two is given
        return min(1.0, minutes / self.minutes)


class Clock:
    """Minutes of training, counted on from an earlier run."""

    def __init__(self, minutes: float = 0.0) -> None:
        self._before, self._begun = minutes, time.monotonic()

    @property
    def minutes(self) -> float:
        """Minutes until now."""
        return self._before + (time.monotonic() - self._begun) / 60


def rate_at(progress: float) -> float:
    """Learning rate as a fraction of its peak: up, level, and down along a cosine.

    Level for most of the time, so that a run can be made longer after the fact.
    """
    if progress < WARM_UP:
        return 0.05 + 0.95 * progress / WARM_UP
    left = (1 - progress) / DECAY
    return 0.01 + 0.99 * (1 - math.cos(math.pi * min(1.0, left))) / 2

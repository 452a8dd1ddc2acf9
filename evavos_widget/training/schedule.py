"""How long a run lasts, and the learning rate on the way."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from evavos_widget.quantities import as_count, as_quantity

__all__ = ["CONTINUED", "Budget", "Clock", "rate_at"]

WARM_UP = 40
"""Steps in which the learning rate rises, of which the optimiser needs some to know the scale of
the gradients."""

DECAY = 0.35
"""Fraction of the training, the last, in which it falls."""


CONTINUED = 0.6
"""Where a run begins that goes on from trained weights: when the curriculum is at its end."""


@dataclass(frozen=True)
class Budget:
    """The length of a run: minutes of training, or steps.

    Parameters
    ----------
    minutes : float, optional
    steps : int, optional
        Exactly one of the two is given. A run counted in steps is the same on every repetition.
    begin : float
        Where the run begins: 0 from nothing; where weights that were trained before go on, the
        fraction of a training that counts as over.
    """

    minutes: float | None = None
    steps: int | None = None
    begin: float = 0.0

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.steps is None):
            raise ValueError("give the length of the training in minutes or in steps, one of them.")
        if self.steps is not None:
            as_count("steps", self.steps)
        else:
            as_quantity("minutes", self.minutes, "a number above 0", above=True)

    def progress(self, minutes: float, steps: int) -> float:
        """Fraction that is over, `begin` to 1."""
        if self.steps is not None:
            over = steps / self.steps
        else:
            assert self.minutes is not None  # one of the two is given
            over = minutes / self.minutes
        return self.begin + (1 - self.begin) * min(1.0, over)


class Clock:
    """Minutes of training, counted on from an earlier run."""

    def __init__(self, minutes: float = 0.0) -> None:
        self._before, self._begun = minutes, time.monotonic()

    @property
    def minutes(self) -> float:
        """Minutes until now."""
        return self._before + (time.monotonic() - self._begun) / 60


def rate_at(progress: float, step: int) -> float:
    """Learning rate as a fraction of its peak: up, level, and down along a cosine.

    Level for most of the time, so that a run can be made longer after the fact.

    Parameters
    ----------
    progress : float
        Fraction of the training that is over.
    step : int
        Steps that the run has made.
    """
    left = (1 - progress) / DECAY
    falling = 0.01 + 0.99 * (1 - math.cos(math.pi * min(1.0, left))) / 2
    return falling * min(1.0, (step + 1) / WARM_UP)

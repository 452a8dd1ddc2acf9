"""The interval beside a mean."""

from __future__ import annotations

import numpy as np

DRAWS = 10_000


def interval(values: np.ndarray) -> tuple[float, float]:
    """95 % of the mean, by bootstrap."""
    rng = np.random.default_rng(0)
    means = rng.choice(values, (DRAWS, len(values))).mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)

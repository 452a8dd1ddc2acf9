"""Predicted against true quality, in bins."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

__all__ = ["calibration"]


def calibration(
    title: str, what: str, told: np.ndarray, truth: np.ndarray, bins: Sequence[float]
) -> str:
    """Markdown: how far what was told of n masks is from the truth, and the means in each bin.

    Parameters
    ----------
    title, what : str
        Of the whole, and of what was told.
    told, truth : (n,) array in [0, 1]
    bins : sequence of float
        Their borders. Bins with fewer than two masks are left out.
    """
    apart = told - truth
    lines = [
        f"{title}: mean absolute error {np.abs(apart).mean():.3f}, mean error {apart.mean():+.3f}, "
        f"correlation {np.corrcoef(told, truth)[0, 1]:.2f}, n = {len(told)}",
        "",
        f"| {what} | n | mean told | mean true | standard error |",
        "|---|---|---|---|---|",
    ]
    for low, high in pairwise(bins):
        inside = (told >= low) & (told < high)
        n = int(inside.sum())
        if n > 1:
            error = truth[inside].std(ddof=1) / n**0.5
            lines.append(
                f"| {low:g} to {high:g} | {n} | {told[inside].mean():.3f} "
                f"| {truth[inside].mean():.3f} | {error:.3f} |"
            )
    return "\n".join(lines)

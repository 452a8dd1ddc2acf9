"""How far methods are apart: differences at equal hours, and ratios of hours to a quality."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from evavos_widget.experiments.resampling import (
    RESAMPLES,
    Curves,
    Loop,
    mean_until,
    read_loops,
    rising_mean_until,
)
from evavos_widget.experiments.table import Row
from evavos_widget.robot.costs import LEAST_SECONDS

__all__ = ["SIGNIFICANCE", "compare", "finite", "holm", "ratio_of_hours"]

SIGNIFICANCE = 0.05
"""A difference is resolved where its p-value is not above this."""

FLIPS = 9999
"""With so many videos that there are more ways to swap two methods, so many are drawn."""


def compare(rows: Iterable[Row], first: str, second: str, seed: int = 0) -> dict[str, Any]:
    """The difference of two methods after equal hours, paired over videos.

    Parameters
    ----------
    rows : iterable of Row
    first, second : str
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        ``difference`` of the mean J&F over objects, first minus second, over the hours until
        ``until``, with ``low`` and ``high``, its 95 % interval over videos (None where there
        is one); ``p``, how often a difference as large comes about where the two methods are
        swapped at random in each video (a permutation test, two-sided); and ``resolved``,
        whether that is at most `SIGNIFICANCE`. The mean is over the seconds of an object from
        the first annotation of either method on, see `resampling.mean_until`. ``until`` is the
        budget of an object. Where there is none, it is what an object has cost, on average,
        when the cheaper of the two methods has ended, and a loop's J&F rises evenly from round
        to round, see `resampling.rising_mean_until`. A loop that ended before keeps its last
        value. Means over seeds come first.

    Raises
    ------
    ValueError
        The methods have no video in common.
    """
    rows = list(rows)
    videos = [read_loops(row for row in rows if row.method == name) for name in (first, second)]
    common = sorted(videos[0].keys() & videos[1].keys())
    if not common:
        raise ValueError(f"{first!r} and {second!r} have no video in common; check the names.")
    every = [[list(v[key].values()) for key in common] for v in videos]
    budget = min(row.budget for row in rows) / 3600
    ends = [np.mean([np.mean([s[-1, 0] for s in loops]) for loops in v]) for v in every]
    until = budget if np.isfinite(budget) else float(min(ends))
    since = min(float(s[0, 0]) for v in every for loops in v for s in loops)

    def mean(loop: Loop) -> float:
        if np.isfinite(budget):
            return mean_until(loop, since, until)
        return rising_mean_until(loop[:, 0], loop[:, 1], since, until)

    apart_by_video: dict[str, list[float]] = {}
    for (video, _), *pair in zip(common, *every, strict=True):
        means = [np.mean([mean(s) for s in loops]) for loops in pair]
        apart_by_video.setdefault(video, []).append(float(means[0] - means[1]))
    n = np.array([len(objects) for objects in apart_by_video.values()])
    apart = np.array([sum(objects) for objects in apart_by_video.values()])
    drawn = np.random.default_rng(seed).integers(len(n), size=(RESAMPLES, len(n)))
    again = apart[drawn].sum(axis=1) / n[drawn].sum(axis=1)
    low, high = (float(bound) for bound in np.percentile(again, [2.5, 97.5]))
    p = _swapped(apart, seed)
    return {
        "difference": float(apart.sum() / n.sum()),
        "low": low if len(n) > 1 else None,
        "high": high if len(n) > 1 else None,
        "p": p,
        "resolved": p <= SIGNIFICANCE,
        "until": until,
    }


def _swapped(apart: np.ndarray, seed: int) -> float:
    """How often the sum is as far from 0 where the sign of each video's part is drawn."""
    from scipy.stats import permutation_test

    if len(apart) < 2:
        return 1.0
    found: Any = permutation_test(
        # Rounded, since sums of the same parts in another order differ in their last digits.
        (apart,),
        lambda parts, axis: np.round(parts.sum(axis=axis), 9),
        permutation_type="samples",
        vectorized=True,
        n_resamples=FLIPS,
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)


def holm(p: Sequence[float]) -> list[float]:
    """P-values of several comparisons, corrected for their number (Holm, 1979).

    Parameters
    ----------
    p : sequence of M floats in [0, 1]

    Returns
    -------
    list of M floats
        To be held against the significance of one comparison; the chance that any of those
        that stay below it is false, is no larger than that.
    """
    values = np.asarray(p, dtype=float)
    order = values.argsort(kind="stable")
    weighed = values[order] * np.arange(len(values), 0, -1)
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(np.maximum.accumulate(weighed), 1)
    return corrected.tolist()


def ratio_of_hours(method: Curves, baseline: Curves, target: float) -> dict[str, Any]:
    """How many times as long the baseline takes to a quality as a method.

    A curve that ends below the target is censored: all that is known of its hours is that they
    are more than those it has. Then the ratio is known from one side only, and so is each
    resample of it; the interval takes the lower bounds below and the upper ones above.

    Parameters
    ----------
    method, baseline : Curves
        With the same resamples. No hours at all count as `LEAST_SECONDS`.
    target : float

    Returns
    -------
    dict
        ``ratio``, the hours of the baseline divided by those of the method, and ``known``,
        what it is: ``'equal'``, ``'at least'`` where the baseline does not reach the target,
        ``'at most'`` where the method does not, ``'nothing'`` where neither does (then it is
        None); ``low`` and ``high``, the 95 % interval over videos, None where it has no bound.
    """
    hours = [curves.hours_to(target) for curves in (baseline, method)]
    least = [
        np.maximum(np.minimum(h, c.ends), LEAST_SECONDS / 3600)
        for h, c in zip(hours, (baseline, method), strict=True)
    ]
    below = np.where(np.isfinite(hours[1]), least[0] / least[1], 0)
    above = np.where(np.isfinite(hours[0]), least[0] / least[1], np.inf)
    known = {
        (True, True): "equal",
        (False, True): "at least",
        (True, False): "at most",
        (False, False): "nothing",
    }[bool(np.isfinite(hours[0][0])), bool(np.isfinite(hours[1][0]))]
    low, high = _bounds(below[1:])[0], _bounds(above[1:])[1]
    one = method.videos == 1
    return {
        "ratio": None if known == "nothing" else float(least[0][0] / least[1][0]),
        "known": known,
        "low": None if one or low == 0 else low,
        "high": None if one else finite(high),
    }


def _bounds(values: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of values that may be infinite: no value is made up between two."""
    low = np.percentile(values, 2.5, method="lower")
    high = np.percentile(values, 97.5, method="higher")
    return float(low), float(high)


def finite(value: float) -> float | None:
    """What JSON can say of a number: None if it is infinite."""
    return float(value) if np.isfinite(value) else None


def interval_of_hours(curves: Curves, target: float) -> list[float | None]:
    """The 95 % interval of the hours to a quality, [low, high].

    A bound is None where the quality is not reached; both are, where there is one video.
    """
    if curves.videos == 1:
        return [None, None]
    return [finite(bound) for bound in _bounds(curves.hours_to(target)[1:])]

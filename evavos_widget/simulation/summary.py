"""What an experiment says: curves over hours with intervals, and hours to a quality."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from evavos_widget.metrics import area_under_curve, time_to_quality
from evavos_widget.simulation.table import Row

__all__ = ["SCHEDULES", "TARGETS", "compare", "summarise"]

SCHEDULES = {
    "round-robin": "every object gets its next annotation in turn",
    "value": "the object whose next annotation promises most per second goes first",
    "oracle": "the object whose next annotation gains most per second goes first",
}
"""In which order the objects of all videos get their next annotation."""

TARGETS = (0.75, 0.80, 0.85, 0.90)

RESAMPLES = 1000
"""Of the bootstrap over videos."""

POINTS = 200
"""Of a curve."""

Loop = np.ndarray
"""(R, 3): hours on the object, J&F, expected gain per second of the next annotation."""


def summarise(rows: Iterable[Row], schedule: str = "round-robin", seed: int = 0) -> dict[str, Any]:
    """Curves, areas and hours of every method.

    An object whose loop has ended keeps its last value.

    Parameters
    ----------
    rows : iterable of Row
    schedule : str
        A key of `SCHEDULES`, the same for every method.
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        ``methods -> NAME -> {hours_to: {target: hours or None}, auc, curve}``, where
        ``curve`` has rows of hours, mean J&F over videos, and the bounds of its 95 %
        interval (bootstrap over videos), and ``auc`` is the mean J&F until the hour at
        which the shortest curve ends; ``differences``, a list of what `compare` says of each
        two methods, the ``first`` and the ``second``; ``schedule``, ``frames`` and ``until``.

    Raises
    ------
    ValueError
        There are no rows, or no such schedule.
    """
    if schedule not in SCHEDULES:
        raise ValueError(f"there is no schedule {schedule!r}; choose from {sorted(SCHEDULES)}.")
    rows = list(rows)
    if not rows:
        raise ValueError("the experiment has no rows yet; run it first.")
    methods = {
        name: _loops(row for row in rows if row.method == name)
        for name in dict.fromkeys(row.method for row in rows)
    }
    curves = {name: _curve(videos, schedule, seed) for name, videos in methods.items()}
    until = min(curve[-1, 0] for curve in curves.values())
    return {
        "schedule": schedule,
        "frames": rows[0].frames,
        "until": until,
        "methods": {
            name: {
                "hours_to": {
                    f"{t:.2f}": time_to_quality(curve[:, 0], curve[:, 1], t) for t in TARGETS
                },
                "auc": area_under_curve(curve[:, 0], curve[:, 1], until),
                "curve": curve.round(6).tolist(),
            }
            for name, curve in curves.items()
        },
        "differences": [
            {"first": first, "second": second, **compare(rows, first, second, seed)}
            for first, second in combinations(curves, 2)
            if methods[first].keys() & methods[second].keys()
        ],
    }


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
        ``difference`` of the mean J&F, first minus second, over the hours until ``until``,
        with ``low`` and ``high``, its 95 % interval over videos, and ``resolved``, whether
        that leaves 0 out. ``until`` is what an object has cost, on average, when the cheaper
        of the two methods has ended; a loop that ended before keeps its last value. Means
        over seeds come first.

    Raises
    ------
    ValueError
        The methods have no video in common.
    """
    rows = list(rows)
    videos = [_loops(row for row in rows if row.method == name) for name in (first, second)]
    common = sorted(videos[0].keys() & videos[1].keys())
    if not common:
        raise ValueError(f"{first!r} and {second!r} have no video in common; check the names.")
    ends = [np.mean([np.mean([s[-1, 0] for s in v[k].values()]) for k in common]) for v in videos]
    until = float(min(ends))
    means = [
        np.array([np.mean([_mean_until(s, until) for s in v[k].values()]) for k in common])
        for v in videos
    ]
    apart = means[0] - means[1]
    random = np.random.default_rng(seed)
    again = apart[random.integers(len(apart), size=(RESAMPLES, len(apart)))].mean(axis=1)
    low, high = (float(bound) for bound in np.percentile(again, [2.5, 97.5]))
    return {
        "difference": float(apart.mean()),
        "low": low,
        "high": high,
        "resolved": not low <= 0 <= high,
        "until": until,
    }


def _mean_until(loop: Loop, until: float) -> float:
    return area_under_curve(loop[:, 0], loop[:, 1], max(until, loop[0, 0]))


Key = tuple[str, int]


def _loops(rows: Iterable[Row]) -> dict[Key, dict[int, Loop]]:
    """Loops by video and object, then seed."""
    out: dict[Key, dict[int, list[Row]]] = {}
    for row in rows:
        out.setdefault((row.video, row.object), {}).setdefault(row.seed, []).append(row)
    return {
        key: {
            seed: np.array(
                [(r.hours, r.jf, r.expected_gain) for r in sorted(loop, key=lambda r: r.round)]
            )
            for seed, loop in seeds.items()
        }
        for key, seeds in out.items()
    }


def _curve(videos: Mapping[Key, Mapping[int, Loop]], schedule: str, seed: int) -> np.ndarray:
    """(POINTS, 4): hours, mean over seeds and videos, and its interval."""
    keys = sorted(videos)
    seeds = sorted({s for loops in videos.values() for s in loops})
    ordered = [[videos[k][s] for k in keys if s in videos[k]] for s in seeds]
    start = max(sum(loop[0, 0] for loop in loops) for loops in ordered)
    end = min(sum(loop[-1, 0] for loop in loops) for loops in ordered)
    hours = np.linspace(start, max(start, end), POINTS)
    mean = np.mean([_scheduled(loops, schedule, hours) for loops in ordered], axis=0)
    random = np.random.default_rng(seed)
    resampled = np.empty((RESAMPLES, POINTS))
    for i in range(RESAMPLES):
        loops = ordered[i % len(ordered)]
        chosen = random.integers(len(loops), size=len(loops))
        resampled[i] = _scheduled([loops[c] for c in chosen], schedule, hours)
    low, high = np.percentile(resampled, [2.5, 97.5], axis=0)
    return np.column_stack([hours, mean, low, high])


def _scheduled(loops: Sequence[Loop], schedule: str, hours: np.ndarray) -> np.ndarray:
    """Mean J&F of the objects after `hours` in all, annotated one after the other."""
    steps = []  # when each annotation is due, what it costs, what it gains
    for i, loop in enumerate(loops):
        cost, gain = np.diff(loop[:, 0]), np.diff(loop[:, 1])
        if schedule == "round-robin":
            due = np.arange(len(cost), dtype=float)
        else:
            promise = loop[:-1, 2] if schedule == "value" else gain / (3600 * cost)
            # An annotation cannot come before the ones it follows.
            due = -np.minimum.accumulate(promise)
        steps += [(d, i, c, g) for d, c, g in zip(due, cost, gain, strict=True)]
    steps.sort(key=lambda step: step[0])
    if schedule == "round-robin":  # within a round the order says nothing: all go on together
        rounds: dict[float, tuple[float, int, float, float]] = {}
        for due, i, cost, gain in steps:
            _, _, c, g = rounds.get(due, (due, i, 0.0, 0.0))
            rounds[due] = due, i, c + cost, g + gain
        steps = list(rounds.values())
    spent = sum(loop[0, 0] for loop in loops) + np.cumsum([0.0, *(s[2] for s in steps)])
    reached = sum(loop[0, 1] for loop in loops) + np.cumsum([0.0, *(s[3] for s in steps)])
    return np.interp(hours, spent, reached / len(loops))

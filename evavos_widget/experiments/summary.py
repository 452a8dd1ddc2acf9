"""What an experiment says: curves over hours with intervals, and hours to a quality."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from evavos_widget.experiments.table import Row
from evavos_widget.metrics import area_under_curve, time_to_quality
from evavos_widget.robot.costs import per_second

__all__ = ["SCHEDULES", "TARGETS", "comparable", "compare", "summarise"]

SCHEDULES = {
    "round-robin": "every object gets its next annotation in turn",
    "value": "the object whose next annotation promises most per second goes first",
    "oracle": "the object whose next annotation gains most per second goes first",
}
"""The objects of all videos get their next annotation in one of these orders."""

TARGETS = (0.75, 0.80, 0.85, 0.90)
"""The hours to each of these J&F are told; 0.85 is the dotted line of EVA-VOS Fig. 3."""

RESAMPLES = 1000
"""The bootstrap over videos draws so many samples."""

FEWEST_VIDEOS = 6
"""With fewer videos no difference is resolved: of five pairs without any difference, all go the
same way in one of 16 cases, more than 5 %."""

POINTS = 200
"""A curve has so many points."""

Loop = np.ndarray
"""A loop is an (R, 3) array: hours on the object, J&F, expected gain per second of the next
annotation."""


def summarise(rows: Iterable[Row], schedule: str = "round-robin", seed: int = 0) -> dict[str, Any]:
    """Curves, areas and hours of every method, on the objects that all of them have finished.

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
        ``curve`` has rows of hours, mean J&F over objects, and the bounds of its 95 %
        interval (bootstrap over videos; None where there is one video), and ``auc`` is the
        mean J&F until the hour at which the shortest curve ends; ``differences``, a list of
        what `compare` says of each two methods, the ``first`` and the ``second``;
        ``objects``, how many there are; ``schedule``, ``frames`` and ``until``.

    Raises
    ------
    ValueError
        There are no rows, or no such schedule.
    """
    if schedule not in SCHEDULES:
        raise ValueError(f"there is no schedule {schedule!r}; choose from {sorted(SCHEDULES)}.")
    rows = comparable(rows)
    if not rows:
        raise ValueError(
            "there is no object yet that every method has finished; let the experiment run on."
        )
    methods = {
        name: _loops(row for row in rows if row.method == name)
        for name in dict.fromkeys(row.method for row in rows)
    }
    curves = {name: _curve(videos, schedule, seed) for name, videos in methods.items()}
    until = min(curve[-1, 0] for curve in curves.values())
    return {
        "schedule": schedule,
        "frames": rows[0].frames,
        "objects": len({(row.video, row.object) for row in rows}),
        "until": until,
        "methods": {
            name: {
                "hours_to": {
                    f"{t:.2f}": time_to_quality(curve[:, 0], curve[:, 1], t) for t in TARGETS
                },
                "auc": area_under_curve(curve[:, 0], curve[:, 1], until),
                "curve": [
                    [None if np.isnan(v) else v for v in point] for point in curve.round(6).tolist()
                ],
            }
            for name, curve in curves.items()
        },
        "differences": [
            {"first": first, "second": second, **compare(rows, first, second, seed)}
            for first, second in combinations(curves, 2)
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
        ``difference`` of the mean J&F over objects, first minus second, over the hours until
        ``until``, with ``low`` and ``high``, its 95 % interval over videos (None where there
        is one), and ``resolved``, whether that leaves 0 out; never with fewer than
        `FEWEST_VIDEOS`. ``until`` is what an object has cost, on average, when the cheaper
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
    apart_by_video: dict[str, list[float]] = {}
    for key in common:
        means = [np.mean([_mean_until(s, until) for s in v[key].values()]) for v in videos]
        apart_by_video.setdefault(key[0], []).append(float(means[0] - means[1]))
    n = np.array([len(objects) for objects in apart_by_video.values()])
    apart = np.array([sum(objects) for objects in apart_by_video.values()])
    drawn = np.random.default_rng(seed).integers(len(n), size=(RESAMPLES, len(n)))
    again = apart[drawn].sum(axis=1) / n[drawn].sum(axis=1)
    low, high = (float(bound) for bound in np.percentile(again, [2.5, 97.5]))
    return {
        "difference": float(apart.sum() / n.sum()),
        "low": low if len(n) > 1 else None,
        "high": high if len(n) > 1 else None,
        "resolved": len(n) >= FEWEST_VIDEOS and not low <= 0 <= high,
        "until": until,
    }


def _mean_until(loop: Loop, until: float) -> float:
    return area_under_curve(loop[:, 0], loop[:, 1], max(until, loop[0, 0]))


Key = tuple[str, int]
"""An object is known by its video and its id."""


def comparable(rows: Iterable[Row]) -> list[Row]:
    """The rows of the objects on which every method has finished every seed of its own.

    All of them, where the experiment is complete.
    """
    rows = list(rows)
    seeds: dict[str, set[int]] = {}
    done: dict[Key, set[tuple[str, int]]] = {}
    for row in rows:
        seeds.setdefault(row.method, set()).add(row.seed)
        done.setdefault((row.video, row.object), set()).add((row.method, row.seed))
    wanted = {(method, seed) for method, of in seeds.items() for seed in of}
    return [row for row in rows if done[row.video, row.object] == wanted]


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


def _curve(objects: Mapping[Key, Mapping[int, Loop]], schedule: str, seed: int) -> np.ndarray:
    """(POINTS, 4): hours, mean over seeds and objects, and its interval over videos."""
    keys = sorted(objects)
    seeds = sorted(next(iter(objects.values())))
    runs = [_Run([objects[k][s] for k in keys], schedule) for s in seeds]
    start = max(run.spent[0].sum() for run in runs)
    hours = np.linspace(start, max(start, *(run.spent.sum() for run in runs)), POINTS)
    # How often each object counts: once, and in each resample as often as its video was drawn.
    names = sorted({video for video, _ in keys})
    drawn = np.random.default_rng(seed).multinomial(
        len(names), np.full(len(names), 1 / len(names)), size=RESAMPLES
    )
    counts = np.vstack([np.ones(len(keys)), drawn[:, [names.index(video) for video, _ in keys]]])
    mean, *resampled = np.mean([run.curves(counts, hours) for run in runs], axis=0)
    low, high = np.percentile(resampled, [2.5, 97.5], axis=0)
    if len(names) == 1:  # one video says nothing of others
        low = high = np.full(POINTS, np.nan)
    return np.column_stack([hours, mean, low, high])


class _Run:
    """Objects annotated one after the other, with one seed.

    Parameters
    ----------
    loops : sequence of Loop
        One for each object.
    schedule : str
        A key of `SCHEDULES`.
    """

    def __init__(self, loops: Sequence[Loop], schedule: str) -> None:
        due, owner, cost, gain = [], [], [], []
        for i, loop in enumerate(loops):
            costs, gains = np.diff(loop[:, 0]), np.diff(loop[:, 1])
            if schedule == "round-robin":
                turn = np.arange(len(costs), dtype=float)
            else:
                promise = loop[:-1, 2] if schedule == "value" else per_second(gains, 3600 * costs)
                # An annotation cannot come before the ones it follows.
                turn = -np.minimum.accumulate(promise)
            due.append(turn)
            owner.append(np.full(len(costs), i))
            cost.append(costs)
            gain.append(gains)
        order = np.argsort(np.concatenate(due), kind="stable")
        due, owner, cost, gain = (np.concatenate(part)[order] for part in (due, owner, cost, gain))
        # In turn, all objects go on together: the order within a round says nothing.
        together = np.diff(due, append=np.inf) == 0
        self._points = np.flatnonzero(~together) if schedule == "round-robin" else slice(None)
        first = np.array([loop[0, :2] for loop in loops])
        # What each step costs, and what it adds to the sum of J&F, by the object it is for.
        self.spent = np.zeros((1 + len(order), len(loops)))
        self.gained = np.zeros_like(self.spent)
        self.spent[0], self.gained[0] = first.T
        self.spent[1 + np.arange(len(order)), owner] = cost
        self.gained[1 + np.arange(len(order)), owner] = gain

    def curves(self, counts: np.ndarray, hours: np.ndarray) -> np.ndarray:
        """Mean J&F of the objects after `hours` in all.

        Parameters
        ----------
        counts : (B, N) array
            How often each of the N objects counts, in each of B samples.
        hours : (M,) array
            For N objects; a sample with more or fewer of them gets as much for each.

        Returns
        -------
        (B, M) array
        """
        n = counts.sum(1, keepdims=True)
        spent = np.cumsum(counts @ self.spent.T, axis=1) * (counts.shape[1] / n)
        reached = np.cumsum(counts @ self.gained.T, axis=1) / n
        kept = np.r_[0, 1 + np.arange(len(self.spent) - 1)[self._points]]
        return np.array(
            [np.interp(hours, x, y) for x, y in zip(spent[:, kept], reached[:, kept], strict=True)]
        )

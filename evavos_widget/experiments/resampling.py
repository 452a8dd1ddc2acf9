"""Mean curves of many objects over the annotator's hours, once and in resamples of the videos."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evavos_widget.experiments.table import Row
from evavos_widget.metrics import area_under_curve
from evavos_widget.robot.costs import per_second

__all__ = [
    "EQUAL_SECONDS",
    "SCHEDULES",
    "Curves",
    "chosen_schedule",
    "mean_until",
    "read_loops",
    "resampled_curves",
    "rising_mean_until",
]

EQUAL_SECONDS = "equal-seconds"
"""The schedule of an experiment with a budget; it cannot be had without one."""

SCHEDULES = {
    EQUAL_SECONDS: "every object gets the same seconds",
    "round-robin": "every object gets its next annotation in turn",
    "value": "the object whose next annotation promises most per second goes first",
    "oracle": "the object whose next annotation gains most per second goes first",
}
"""The objects of all videos get their next annotation in one of these orders."""

RESAMPLES = 1000
"""The bootstrap over videos draws so many samples."""

POINTS = 200
"""A curve has so many points, unless its schedule counts seconds."""

MOST_SECONDS = 2000
"""A curve over seconds has a point for each second, or so many of them."""

ROUNDING = 1e-6
"""Hours by which a sum of costs may miss a moment that it was meant to be: older tables have nine
digits of it."""

Loop = np.ndarray
"""A loop is an (R, 3) array: hours on the object, J&F, expected gain per second of the next
annotation."""

Key = tuple[str, int]
"""An object is known by its video and its id."""


@dataclass(frozen=True, eq=False)
class Curves:
    """One method's mean J&F over hours, of all videos and of resamples of them.

    Parameters
    ----------
    hours : (T,) float array
        Ascending, of all objects together.
    jf : (1 + B, T) float array
        Of the videos as they are, and of B resamples; the same resamples for every method
        that has the same videos.
    ends : (1 + B,) float array
        The hours after which no loop of each goes on; those of a resample may be more or fewer
        than those of the videos as they are, which come first.
    videos : int
        How many there are.
    """

    hours: np.ndarray
    jf: np.ndarray
    ends: np.ndarray
    videos: int

    def interval(self) -> tuple[np.ndarray, np.ndarray]:
        """Bounds of the 95 % interval, (T,) each; NaN where one video says nothing of others."""
        if self.videos == 1:
            unknown = np.full(len(self.hours), np.nan)
            return unknown, unknown
        low, high = np.percentile(self.jf[1:], [2.5, 97.5], axis=0)
        return low, high

    def hours_to(self, target: float) -> np.ndarray:
        """(1 + B,) hours after which the J&F is `target`; infinite where it is not reached."""
        reached = self.jf >= target
        first = reached.argmax(axis=1)
        before = np.maximum(first - 1, 0)
        every = np.arange(len(self.jf))
        low, high = self.jf[every, before], self.jf[every, first]
        part = (target - low) / np.where(high > low, high - low, 1)
        hours = self.hours[before] + np.clip(part, 0, 1) * (self.hours[first] - self.hours[before])
        hours = np.where(first == 0, self.hours[0], hours)
        return np.where(reached.any(axis=1), hours, np.inf)


def chosen_schedule(schedule: str | None, limited: bool) -> str:
    """A key of `SCHEDULES`; by default equal seconds where there is a budget, else round-robin.

    Parameters
    ----------
    schedule : str, optional
    limited : bool
        Whether the experiment has a budget.

    Raises
    ------
    ValueError
        There is no such schedule, or it needs a budget and there is none.
    """
    schedule = schedule or (EQUAL_SECONDS if limited else "round-robin")
    if schedule not in SCHEDULES:
        raise ValueError(f"there is no schedule {schedule!r}; choose from {sorted(SCHEDULES)}.")
    if schedule == EQUAL_SECONDS and not limited:
        raise ValueError(
            f"the schedule {schedule!r} is for experiments with a budget; run with --budget, or "
            "choose another one."
        )
    return schedule


def read_loops(rows: Iterable[Row]) -> dict[Key, dict[int, Loop]]:
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


def mean_until(loop: Loop, since: float, until: float) -> float:
    """Mean J&F of an object between two hours of its own.

    An annotation counts from the moment at which it is finished; there is no mask, and so no
    J&F, before the first.
    """
    if until <= since:
        return float(loop[max(0, np.searchsorted(loop[:, 0], until, side="right") - 1), 1])
    bounds = np.clip(np.append(loop[:, 0], np.inf), since, until)
    return float(np.diff(bounds) @ loop[:, 1] / (until - since))


def rising_mean_until(hours: np.ndarray, jf: np.ndarray, since: float, until: float) -> float:
    """Mean J&F between two hours, where it rises evenly from round to round.

    Before the first hour of the curve there is no mask, and so no J&F.

    Parameters
    ----------
    hours, jf : (R,) float arrays
    since : float
        Not after ``hours[0]``: the first annotation of any of what is compared.
    until : float
    """
    begins = float(hours[0])
    if until <= begins:
        return float(jf[0]) if begins <= since else 0.0
    return area_under_curve(hours, jf, until) * (until - begins) / (until - since)


def resampled_curves(
    objects: Mapping[Key, Mapping[int, Loop]], schedule: str, budget: float, seed: int
) -> Curves:
    """The mean over seeds and objects, and the same of resamples of the videos.

    Parameters
    ----------
    objects : mapping of (video, object) to mapping of seed to Loop
    schedule : str
        A key of `SCHEDULES`.
    budget : float
        Hours of each object; needed for `EQUAL_SECONDS`.
    seed : int
        Of the bootstrap.
    """
    keys = sorted(objects)
    seeds = sorted(next(iter(objects.values())))
    # How often each object counts: once, and in each resample as often as its video was drawn.
    names = sorted({video for video, _ in keys})
    drawn = np.random.default_rng(seed).multinomial(
        len(names), np.full(len(names), 1 / len(names)), size=RESAMPLES
    )
    counts = np.vstack([np.ones(len(keys)), drawn[:, [names.index(video) for video, _ in keys]]])
    if schedule == EQUAL_SECONDS:
        start = min(loop[0, 0] for loops in objects.values() for loop in loops.values())
        points = 1 + min(MOST_SECONDS, max(1, round(3600 * (budget - start))))
        each = np.linspace(start, max(start, budget), points)
        steps = [
            np.mean([_finished(loop, each) for loop in objects[key].values()], axis=0)
            for key in keys
        ]
        jf = counts @ np.array(steps) / counts.sum(axis=1, keepdims=True)
        hours = len(keys) * each
        return Curves(hours, jf, np.full(len(counts), hours[-1]), len(names))
    runs = [_Run([objects[k][s] for k in keys], schedule) for s in seeds]
    start = max(run.spent[0].sum() for run in runs)
    ends = np.max([run.spent_by(counts)[:, -1] for run in runs], axis=0)
    ends = np.maximum(ends, start)
    # A resample of longer videos goes on where the videos as they are have ended.
    beyond = np.linspace(ends[0], ends.max(), POINTS)
    hours = np.append(np.linspace(start, ends[0], POINTS), beyond[beyond > ends[0]])
    jf = np.mean([run.curves(counts, hours) for run in runs], axis=0)
    return Curves(hours, jf, ends, len(names))


def _finished(loop: Loop, hours: np.ndarray) -> np.ndarray:
    """J&F after `hours` on the object, each annotation counting once it is finished."""
    last = np.searchsorted(loop[:, 0], hours + ROUNDING, side="right") - 1
    return np.where(last < 0, 0.0, loop[np.maximum(last, 0), 1])


class _Run:
    """Objects annotated one after the other, with one seed.

    Parameters
    ----------
    loops : sequence of Loop
        One for each object.
    schedule : str
        A key of `SCHEDULES` but `EQUAL_SECONDS`.
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

    def spent_by(self, counts: np.ndarray) -> np.ndarray:
        """Hours in all after each step, (B, steps) array; `counts` as for `curves`."""
        share = counts.shape[1] / counts.sum(1, keepdims=True)
        return np.cumsum(counts @ self.spent.T, axis=1) * share

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
        spent = self.spent_by(counts)
        reached = np.cumsum(counts @ self.gained.T, axis=1) / counts.sum(1, keepdims=True)
        kept = np.r_[0, 1 + np.arange(len(self.spent) - 1)[self._points]]
        return np.array(
            [np.interp(hours, x, y) for x, y in zip(spent[:, kept], reached[:, kept], strict=True)]
        )

"""What an experiment says: curves over hours with intervals, and hours to a quality."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from evavos_widget.experiments.comparison import (
    SIGNIFICANCE,
    compare,
    finite,
    holm,
    interval_of_hours,
    ratio_of_hours,
)
from evavos_widget.experiments.methods import Method, baseline
from evavos_widget.experiments.resampling import (
    EQUAL_SECONDS,
    POINTS,
    SCHEDULES,
    Curves,
    chosen_schedule,
    mean_until,
    read_loops,
    resampled_curves,
    rising_mean_until,
)
from evavos_widget.experiments.table import Row, read_manifest, read_rows
from evavos_widget.quantities import counted

__all__ = ["SCHEDULES", "TARGETS", "comparable", "compare", "summarise", "summarise_folder"]

TARGETS = (0.75, 0.80, 0.85, 0.90)
"""The hours to each of these J&F are told; 0.85 is the dotted line of EVA-VOS Fig. 3."""


def summarise(
    rows: Iterable[Row],
    schedule: str | None = None,
    seed: int = 0,
    *,
    against: str | None = None,
) -> dict[str, Any]:
    """Curves, areas and hours of every method, on the objects that all of them have finished.

    An object whose loop has ended keeps its last value.

    Parameters
    ----------
    rows : iterable of Row
    schedule : str, optional
        A key of `SCHEDULES`, the same for every method. Default: equal seconds where the
        experiment had a budget, round-robin where it had none.
    seed : int
        Of the bootstrap.
    against : str, optional
        The baseline, masks on random frames, whose hours are divided by those of the others;
        see `evavos_widget.experiments.methods.baseline`.

    Returns
    -------
    dict
        ``methods -> NAME -> {hours_to: {target: hours or None}, auc, curve}``, where ``curve``
        has rows of hours, mean J&F over objects, and the bounds of its 95 % interval (bootstrap
        over videos; None where there is one video), and ``auc`` is the mean J&F from the first
        annotation of any method on, until the budget where the schedule is equal seconds, else
        until the hour at which the shortest curve ends;
        ``hours_intervals -> NAME -> {target: [low, high]}``, None where the target is not
        reached; ``ratios -> NAME -> {target: what ratio_of_hours says}`` against ``baseline``;
        ``differences``, a list of what `compare` says of each two methods, the ``first`` and the
        ``second``, where ``p_holm`` is corrected for their number and decides what is
        ``resolved``;
        ``objects`` and ``videos``, how many there are; ``schedule``, ``frames``, ``budget``
        (seconds or None) and ``until``.

    Raises
    ------
    ValueError
        There are no rows, no such schedule or baseline, or no budget and equal seconds asked
        for.
    """
    rows = comparable(rows)
    if not rows:
        raise ValueError(
            "there is no object yet that every method has finished; let the experiment run on."
        )
    budget = min(row.budget for row in rows)
    schedule = chosen_schedule(schedule, bool(np.isfinite(budget)))
    methods = {
        name: read_loops(row for row in rows if row.method == name)
        for name in sorted({row.method for row in rows})
    }
    if against is not None and against not in methods:
        raise ValueError(f"there is no method {against!r}; choose from {sorted(methods)}.")
    curves = {
        name: resampled_curves(objects, schedule, budget / 3600, seed)
        for name, objects in methods.items()
    }
    until = min(curve.ends[0] for curve in curves.values())
    if schedule == EQUAL_SECONDS:
        loops = {
            name: [list(seeds.values()) for seeds in objects.values()]
            for name, objects in methods.items()
        }
        since = min(s[0, 0] for every in loops.values() for seeds in every for s in seeds)
        areas = {
            name: float(
                np.mean(
                    [np.mean([mean_until(s, since, budget / 3600) for s in each]) for each in every]
                )
            )
            for name, every in loops.items()
        }
    else:
        since = min(curve.hours[0] for curve in curves.values())
        areas = {n: rising_mean_until(c.hours, c.jf[0], since, until) for n, c in curves.items()}
    differences = [
        {"first": first, "second": second, **compare(rows, first, second, seed)}
        for first, second in combinations(curves, 2)
    ]
    for each, p in zip(differences, holm([each["p"] for each in differences]), strict=True):
        each |= {"p_holm": p, "resolved": p <= SIGNIFICANCE}
    return {
        "schedule": schedule,
        "frames": rows[0].frames,
        "objects": len({(row.video, row.object) for row in rows}),
        "videos": len({row.video for row in rows}),
        "budget": finite(budget),
        "until": float(until),
        "baseline": against,
        "methods": {name: _told(curve, areas[name]) for name, curve in curves.items()},
        "hours_intervals": {
            name: {f"{t:.2f}": interval_of_hours(curve, t) for t in TARGETS}
            for name, curve in curves.items()
        },
        "ratios": {
            name: {f"{t:.2f}": ratio_of_hours(curve, curves[against], t) for t in TARGETS}
            for name, curve in curves.items()
            if against not in (None, name)
        },
        "differences": differences,
    }


def summarise_folder(
    folder: Path, schedule: str | None = None, methods: Sequence[str] | None = None
) -> dict[str, Any]:
    """`summarise` what an experiment has left in a folder.

    What its manifest says of the methods and the videos decides the baseline and which loops there
    are to be, and is told in ``synthetic`` where the videos are. Of a run that is not complete,
    ``unfinished`` says so in words.

    Parameters
    ----------
    folder : Path
    schedule : str, optional
        See `SCHEDULES`.
    methods : sequence of str, optional
        Only these, by name.

    Raises
    ------
    ValueError
        There is no such method, none of the objects was finished by every method, or the manifest
        is that of something else.
    """
    manifest = read_manifest(folder)
    try:
        known = [Method(**method) for method in manifest["methods"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{folder / 'manifest.json'} tells of no methods ({type(error).__name__}: {error}); "
            "give the folder of an experiment."
        ) from error
    names = [method.name for method in known]
    wanted = names if methods is None else methods
    if unknown := sorted(set(wanted) - set(names)):
        raise ValueError(f"{folder} has no method {unknown[0]!r}; choose from {names}.")
    rows = [row for row in read_rows(folder) if row.method in wanted]
    names = {row.method for row in rows}
    begun = [method for method in known if method.name in names]
    chosen = baseline(begun)
    loops = {(m.name, seed) for m in begun for seed in range(_runs(m, manifest, rows))}
    done = comparable(rows, loops)
    if rows and not done:
        raise ValueError(
            f"{folder} has no object yet that every method has finished; let the experiment run "
            f"on, or choose from {sorted(names)} with --methods."
        )
    told = summarise(done, schedule, against=chosen)
    return told | {
        "synthetic": manifest.get("synthetic"),
        "unfinished": _unfinished(rows, done, manifest, [n for n in wanted if n not in names]),
    }


def _runs(method: Method, manifest: Mapping[str, Any], rows: Iterable[Row]) -> int:
    """How often a method is run on every object."""
    unsteady = manifest.get("agreement", 1) < 1 or any(
        manifest.get(part, 0) > 0 for part in ("jitter", "error_rate")
    )
    try:
        chance = unsteady or method.has_chance
    except Exception:  # an engine of somebody's own, which is not on this machine
        chance = any(row.seed for row in rows if row.method == method.name)
    return int(manifest.get("seeds", 1)) if chance else 1


def _unfinished(
    rows: Iterable[Row], done: Iterable[Row], manifest: Mapping[str, Any], methods: Sequence[str]
) -> str | None:
    """What of an experiment is not compared yet; None where it is complete."""
    begun, finished = ({(row.video, row.object) for row in some} for some in (rows, done))
    if (objects := manifest.get("objects")) is None:  # of an experiment from before they were kept
        waiting, what = set(manifest.get("sequences", ())) - {video for video, _ in begun}, "video"
    else:
        every = {(video, obj) for video in objects for obj in objects[video]}
        waiting, what = every - begun, "object"
    left = [f"{', '.join(methods)}, of which no loop is finished"] if methods else []
    if begun != finished:
        left.append(
            f"what some method has not finished ({counted(len(begun - finished), 'object')})"
        )
    if waiting:
        left.append(f"what was not begun ({counted(len(waiting), what)})")
    return f"without {' and '.join(left)}" if left else None


def _told(curves: Curves, area: float) -> dict[str, Any]:
    """What is said of one method."""
    points = np.column_stack([curves.hours, curves.jf[0], *curves.interval()])
    points = points[curves.hours <= curves.ends[0]]
    if len(points) > POINTS:
        points = points[np.linspace(0, len(points) - 1, POINTS).round().astype(int)]
    return {
        "hours_to": {f"{t:.2f}": finite(curves.hours_to(t)[0]) for t in TARGETS},
        "auc": area,
        "curve": [
            [None if np.isnan(v) else v for v in point] for point in points.round(6).tolist()
        ],
    }


def comparable(rows: Iterable[Row], loops: Collection[tuple[str, int]] = ()) -> list[Row]:
    """The rows of the objects on which every method has finished every seed of its own.

    All of them, where the experiment is complete.

    Parameters
    ----------
    rows : iterable of Row
    loops : collection of (method, seed), optional
        What there is to be of every object; by default what there is of any.
    """
    rows = list(rows)
    done: dict[tuple[str, int], set[tuple[str, int]]] = {}
    for row in rows:
        done.setdefault((row.video, row.object), set()).add((row.method, row.seed))
    wanted = set(loops) or set().union(*done.values())
    return [row for row in rows if done[row.video, row.object] == wanted]

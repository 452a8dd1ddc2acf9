"""What annotations cost: from a file, or measured in sessions that people worked in."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from evavos_widget.prompts import ANNOTATION_TYPES, STATEMENTS, Costs
from evavos_widget.quantities import as_quantity
from evavos_widget.session.journal import read_events
from evavos_widget.session_files import JOURNAL_FILE

__all__ = ["costs_from", "measured_costs", "per_second", "read_costs", "write_costs"]

LEAST = 5
"""A type keeps its default cost with fewer annotations than this; our choice."""

PAUSE = 10.0
"""Seconds without pointer or key that count as work at most, as the page measures them
(``js/src/ui/activity.ts``): looking before the next click takes seconds, more is a pause."""


LEAST_SECONDS = 1e-3
"""What costs nothing counts as this long where something is divided by it."""


def per_second(gain: Any, seconds: Any) -> Any:
    """Gain per second, numbers or arrays; what costs nothing counts as `LEAST_SECONDS`."""
    return gain / np.maximum(seconds, LEAST_SECONDS)


def costs_from(values: Mapping[str, Any], where: str) -> Costs:
    """Costs with some of them replaced.

    Parameters
    ----------
    values : mapping of str to float
        Fields of `evavos_widget.prompts.Costs` and seconds, 0 or more.
    where : str
        What the values come from, for the error.

    Raises
    ------
    ValueError
        No such cost, or not a number of seconds.
    """
    known = [field.name for field in fields(Costs)]
    for name in values:
        if name not in known:
            raise ValueError(f"{where} has a cost {name!r}; choose from {known}.")
    told = {
        name: as_quantity(f"{name} of {where}", value, "seconds, 0 or more")
        for name, value in values.items()
    }
    return Costs(**told)


def read_costs(path: str | os.PathLike[str]) -> Costs:
    """Costs from a TOML file; what it does not name keeps its default."""
    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a TOML file: {error}.") from error
    return costs_from(values, str(path))


def write_costs(costs: Costs, path: str | os.PathLike[str]) -> None:
    """Write a file that `read_costs` reads."""
    lines = [f"{name} = {value:g}" for name, value in asdict(costs).items()]
    Path(path).write_text("# seconds\n" + "\n".join(lines) + "\n", encoding="utf-8")


def measured_costs(
    sessions: Iterable[str | os.PathLike[str]], least: int = LEAST
) -> tuple[Costs, dict[str, int]]:
    """Costs as the journals of sessions have them.

    Every annotation counts, whether it was undone later or not, since it took its time. A
    cost is the median over annotations of one object, or over verified points; that of clicks
    is a line through the number of clicks (Theil-Sen), so that a break that somebody took does
    not count.
    Older sessions measured pauses as work: what took longer than its clicks can explain
    (`PAUSE` before each, and before the commit) says nothing of its cost and is only counted.

    Parameters
    ----------
    sessions : iterable of paths
        Folders, ``NAME.evavos``; they may be open elsewhere.
    least : int
        Types with fewer annotations than this keep their default.

    Returns
    -------
    costs : Costs
    counts : dict
        Annotations by type.

    Raises
    ------
    FileNotFoundError
        A folder has no journal.
    """
    seconds: dict[str, list[tuple[float, int]]] = {k: [] for k in (*ANNOTATION_TYPES, *STATEMENTS)}
    for folder in sessions:
        path = Path(folder) / JOURNAL_FILE
        if not path.exists():
            raise FileNotFoundError(
                f"{str(folder)!r} is not a session: it has no {path.name}; give NAME.evavos."
            )
        groups = [event for event in read_events(path) if event["kind"] == "group"]
        for event in (event for group in groups for event in group["events"]):
            # Imported masks are annotations too, but nobody made them here.
            if event["kind"] == "annotate" and event["type"] in seconds:
                each = event["seconds"] / len(event["objects"])
                seconds[event["type"]].append((each, len(event["clicks"])))
            elif event["kind"] == "points.label":
                n = len(event["points"])
                seconds["points"] += [(event["seconds"] / n, 0)] * n
    costs = Costs()
    for kind, every in seconds.items():
        made = [(s, n) for s, n in every if s <= _longest(kind, n)]
        if len(made) < least:
            continue
        if kind == "clicks":
            click, locate = _line(*np.array(made).T)
            costs = replace(costs, click=click, locate=locate)
        else:
            name = "point" if kind == "points" else kind
            costs = replace(costs, **{name: float(np.median([s for s, _ in made]))})
    return costs, {kind: len(made) for kind, made in seconds.items()}


def _longest(kind: str, clicks: int) -> float:
    """Seconds that an annotation can take without a pause; any number where strokes are drawn."""
    short = kind in ("clicks", "points", *STATEMENTS)
    return PAUSE * (clicks + 1) if short else float("inf")


def _line(seconds: np.ndarray, clicks: np.ndarray) -> tuple[float, float]:
    """Seconds for a click, and once for an interaction; neither below 0."""
    from scipy.stats import theilslopes

    if len(np.unique(clicks)) < 2:  # only their sum is known, so they keep their proportion
        default = Costs()
        ratio = float(np.median(seconds / (default.locate + default.click * clicks)))
        return default.click * ratio, default.locate * ratio
    fitted: Any = theilslopes(seconds, clicks)
    slope = max(0.0, float(fitted.slope))
    return slope, max(0.0, float(np.median(seconds - slope * clicks)))

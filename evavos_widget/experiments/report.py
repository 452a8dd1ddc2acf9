"""What an experiment says, in words and tables of Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evavos_widget.experiments.resampling import EQUAL_SECONDS, SCHEDULES
from evavos_widget.experiments.summary import TARGETS

__all__ = ["insert", "report"]


ROUNDED = 1e-6
"""Hours in a summary are rounded to so much."""


def report(summary: Mapping[str, Any]) -> str:
    """Methods, the best first, how soon they get to a quality, and how far they are apart.

    Parameters
    ----------
    summary : dict
        What `evavos_widget.experiments.summary.summarise` returned; ``synthetic``, where there
        is one, says what videos are made of.

    Returns
    -------
    str
        Tables, and how to read them.
    """
    methods = sorted(summary["methods"].items(), key=lambda item: -item[1]["auc"])
    targets = [f"{t:.2f}" for t in TARGETS]
    told = [
        _table(
            ("method", "AUC", "at the end", "after hours", *(f"h to {t}" for t in targets)),
            [
                (
                    name,
                    f"{result['auc']:.3f}",
                    _value(*result["curve"][-1][1:]),
                    f"{result['curve'][-1][0]:.2f}",
                    *(_hours_to(summary, name, t) for t in targets),
                )
                for name, result in methods
            ],
        ),
        _how_to_read(summary),
    ]
    if summary.get("synthetic"):
        told.insert(0, f"Synthetic videos: {summary['synthetic']}.")
    if summary.get("unfinished"):
        told.insert(0, f"The experiment is not complete: {summary['unfinished']}.")
    if summary["ratios"]:
        told += [
            _table(
                ("times as fast", *(f"to {t}" for t in targets)),
                [
                    (name, *(_ratio(summary["ratios"][name][t]) for t in targets))
                    for name, _ in methods
                    if name in summary["ratios"]
                ],
            ),
            f"Hours of `{summary['baseline']}`, which draws masks on random frames, divided by "
            "those of the method, with 95 % intervals (bootstrap over videos, the same for both). "
            "What is not reached is censored: its hours are known to be more than were spent, so "
            "that the ratio is known from one side, and the interval may be open.",
        ]
    if summary["differences"]:
        told += [
            _table(
                ("difference after equal hours", "J&F", "95 % interval", "p", "p (Holm)", ""),
                [
                    (
                        f"{d['first']} - {d['second']}",
                        f"{d['difference']:+.4f}",
                        _interval(d["low"], d["high"], "+.4f"),
                        f"{d['p']:.3f}",
                        f"{d['p_holm']:.3f}",
                        "" if d["resolved"] else "not resolved",
                    )
                    for d in summary["differences"]
                ],
            ),
            f"Mean J&F of each object until {_end(summary)}, paired over videos; intervals are "
            "those of single differences. p: how often chance makes a difference as large, by "
            "swapping the two methods in each video; corrected for the number of comparisons "
            "(Holm), it resolves a difference where it is 0.05 or less.",
        ]
    return "\n\n".join(told) + "\n"


def insert(text: str, name: str, told: str) -> str:
    """Put what is told of an experiment into a text, in place of what was told before.

    Parameters
    ----------
    text : str
        Has the lines ``<!-- report NAME -->`` and, below it, ``<!-- end -->``.
    name : str
    told : str

    Raises
    ------
    ValueError
        The text has no place for it.
    """
    begin, end = f"<!-- report {name} -->\n", "<!-- end -->\n"
    before, found, rest = text.partition(begin)
    replaced, closed, after = rest.partition(end)
    if not (found and closed) or "<!-- report " in replaced:  # the end is that of another
        raise ValueError(
            f"the text has no place for the report of {name!r}; add the lines {begin.strip()!r} "
            f"and {end.strip()!r}."
        )
    return f"{before}{begin}\n{told}\n{end}{after}"


def _how_to_read(summary: Mapping[str, Any]) -> str:
    until = f"{summary['until']:.2f} hours, where the cheapest method ends"
    if summary["schedule"] == EQUAL_SECONDS:
        until = f"the budget of {summary['budget']:g} s for each object"
    return (
        f"J&F over `{summary['frames']}` frames, mean over {summary['objects']} objects of "
        f"{summary['videos']} videos, with 95 % intervals (bootstrap over videos). Order: "
        f"{summary['schedule']}, {SCHEDULES[summary['schedule']]}. AUC: mean J&F until {until}, "
        "from the first annotation of any method on (a method without one has 0)."
    )


def _end(summary: Mapping[str, Any]) -> str:
    if summary["budget"] is not None:
        return "the end of its budget"
    return "the cheaper of the two methods has ended"


def _value(value: float, low: float | None, high: float | None) -> str:
    between = _interval(low, high, ".3f")
    return f"{value:.3f}" + (f" ({between})" if between else "")


def _interval(low: float | None, high: float | None, digits: str) -> str:
    return "" if low is None or high is None else f"{low:{digits}} to {high:{digits}}"


def _hours_to(summary: Mapping[str, Any], name: str, target: str) -> str:
    result, interval = summary["methods"][name], summary["hours_intervals"][name][target]
    start = result["curve"][0][0]
    told, low, high = (_hours(h, start) for h in (result["hours_to"][target], *interval))
    return told if low == high else f"{told} ({low} to {high})"


def _hours(hours: float | None, start: float) -> str:
    if hours is None:
        return "not reached"
    return "at once" if hours < start + ROUNDED else f"{hours:.2f}"


def _ratio(told: Mapping[str, Any]) -> str:
    if told["ratio"] is None:
        return "neither reaches it"
    known = "" if told["known"] == "equal" else f"{told['known']} "
    if told["low"] is None and told["high"] is None:
        return f"{known}{told['ratio']:.2f}"
    low = "0" if told["low"] is None else f"{told['low']:.2f}"
    high = "open" if told["high"] is None else f"{told['high']:.2f}"
    return f"{known}{told['ratio']:.2f} ({low} to {high})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    )

"""What an experiment says, in words and tables of Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evavos_widget.experiments.summary import FEWEST_VIDEOS, SCHEDULES, TARGETS

__all__ = ["report"]


ROUNDED = 1e-6
"""Hours in a summary are rounded to so much."""


def report(summary: Mapping[str, Any]) -> str:
    """Methods, the best first, and how far they are apart.

    Parameters
    ----------
    summary : dict
        What `evavos_widget.experiments.summary.summarise` returned.

    Returns
    -------
    str
        Two tables and how to read them.
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
                    *(_hours(result["hours_to"][t], result["curve"][0][0]) for t in targets),
                )
                for name, result in methods
            ],
        ),
        f"J&F over `{summary['frames']}` frames, mean over objects, with 95 % intervals (bootstrap "
        f"over videos). Order: {summary['schedule']}, {SCHEDULES[summary['schedule']]}. AUC: mean "
        f"J&F until {summary['until']:.2f} hours, where the cheapest method ends.",
    ]
    if summary["differences"]:
        told += [
            _table(
                ("difference after equal hours", "J&F", "95 % interval", ""),
                [
                    (
                        f"{d['first']} - {d['second']}",
                        f"{d['difference']:+.4f}",
                        _interval(d["low"], d["high"], "+.4f"),
                        "" if d["resolved"] else "not resolved",
                    )
                    for d in summary["differences"]
                ],
            ),
            "Mean J&F of each object until the cheaper of the two methods has ended, paired over "
            "videos. An interval that holds 0 does not resolve the difference, and fewer than "
            f"{FEWEST_VIDEOS} videos resolve none.",
        ]
    return "\n\n".join(told) + "\n"


def _value(value: float, low: float | None, high: float | None) -> str:
    between = _interval(low, high, ".3f")
    return f"{value:.3f}" + (f" ({between})" if between else "")


def _interval(low: float | None, high: float | None, digits: str) -> str:
    return "" if low is None or high is None else f"{low:{digits}} to {high:{digits}}"


def _hours(hours: float | None, start: float) -> str:
    if hours is None:
        return "not reached"
    return "at once" if hours < start + ROUNDED else f"{hours:.2f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    )

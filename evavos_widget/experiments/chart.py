"""What a picture, a table or a widget shows of experiments and of sessions: lines over time."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evavos_widget.session import CurvePoint

__all__ = ["Chart"]


@dataclass(frozen=True, eq=False)
class Chart:
    """Quality against the annotator's time.

    Parameters
    ----------
    unit : {'hours', 'seconds'}
        Of the time.
    lines : mapping of str to (N, 4) float array
        By name: time, quality (J&F, 0 to 1), and the bounds of its 95 % interval, NaN
        where there is none.
    note : str
        How the numbers came about, for the reader.
    """

    unit: str
    lines: Mapping[str, np.ndarray]
    note: str = ""

    @classmethod
    def of_experiments(cls, summaries: Mapping[str, Mapping[str, Any]]) -> Chart:
        """A line for each method.

        Parameters
        ----------
        summaries : mapping of str to dict
            What `evavos_widget.experiments.summary.summarise` returned, by the name that
            its methods get where there are several.

        Raises
        ------
        ValueError
            There is none, or they were scored or ordered differently, so that their lines cannot
            be compared.
        """
        if not summaries:
            raise ValueError("there is no experiment to show; give at least one.")
        for what in ("frames", "schedule"):
            found = sorted({summary[what] for summary in summaries.values()})
            if len(found) > 1:
                raise ValueError(
                    f"the experiments differ in {what}: {', '.join(found)}; show one at a time."
                )
        first = next(iter(summaries.values()))
        note = (
            f"mean J&F over objects ({first['frames']} frames); bands: 95 % over videos; "
            f"order: {first['schedule']}"
        )
        if any(summary.get("synthetic") for summary in summaries.values()):
            note += "; synthetic videos"
        objects = {name: summary.get("objects") for name, summary in summaries.items()}
        if len(set(objects.values())) > 1:
            of = ", ".join(f"{n} in {name}" for name, n in objects.items())
            note += f"; other objects, so that hours do not compare: {of}"
        return cls(
            "hours",
            {
                method if len(summaries) == 1 else f"{name}: {method}": np.array(
                    result["curve"], float
                )
                for name, summary in summaries.items()
                for method, result in summary["methods"].items()
            },
            note,
        )

    @classmethod
    def of_session(cls, curve: Iterable[CurvePoint]) -> Chart:
        """The predicted and, where ground truth is known, the true quality of a session."""
        curve, lines = tuple(curve), {}
        for which in ("predicted", "true"):
            known = [
                (point.seconds, value, np.nan, np.nan)
                for point in curve
                if (value := getattr(point, which)) is not None
            ]
            if known:
                lines[which] = np.array(known)
        return cls("seconds", lines, "mean J&F over frames and objects")

    def write_csv(self, path: Path) -> None:
        """A row for each point: line, time, J&F, low, high."""
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("line", self.unit, "jf", "low", "high"))
            for name, points in self.lines.items():
                for point in points:
                    numbers = (f"{v:.6g}" if np.isfinite(v) else "" for v in point)
                    writer.writerow((name, *numbers))

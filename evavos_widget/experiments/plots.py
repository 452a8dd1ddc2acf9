"""Charts as pictures."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

import numpy as np

from evavos_widget.experiments.chart import Chart

__all__ = ["plot_chart"]

LOOK = json.loads(Path(__file__).with_name("lines.json").read_text(encoding="utf-8"))
"""Lines are told apart by colours for colour-blind eyes (after Okabe and Ito, 2008, darkened to
3 : 1 on white), dashes and markers. Their numbers have no common divisor, so that no two lines
look alike for long."""

MARKERS = {"circle": "o", "square": "s", "triangle": "^", "diamond": "D", "wedge": "v"}
"""Matplotlib has these letters for the markers of `LOOK`."""


def plot_chart(
    chart: Chart,
    path: Path,
    target: float | None = 0.85,
    *,
    logarithmic: bool = False,
    hidden: Collection[str] = (),
) -> None:
    """Draw mean J&F against the annotator's time, a line and a band for each method.

    Parameters
    ----------
    chart : Chart
    path : Path
        PNG or SVG, by its name.
    target : float, optional
        Quality of the dotted line.
    logarithmic : bool
        Of the time.
    hidden : collection of str
        Lines to leave out; the others keep their look.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, 4.6), layout="constrained")
    axes = figure.subplots()
    for k, (name, points) in enumerate(chart.lines.items()):
        if name in hidden:
            continue
        time, jf, low, high = points.T
        color = LOOK["colors"][k % len(LOOK["colors"])]["light"]
        dashes = LOOK["dashes"][k % len(LOOK["dashes"])]
        axes.plot(
            time,
            jf,
            label=name,
            color=color,
            linestyle=(0, tuple(d / 2 for d in dashes)) if dashes else "-",
            marker=MARKERS[LOOK["markers"][k % len(LOOK["markers"])]],
            markersize=4,
            markevery=max(1, len(points) // 8),
        )
        if np.isfinite(low).any():
            axes.fill_between(time, low, high, color=color, alpha=0.1, linewidth=0)
    if target is not None:
        axes.axhline(target, color="0.5", linestyle=":")
    if logarithmic:
        axes.set_xscale("log")
    owner = ", all objects" if chart.unit == "hours" else ""
    axes.set(xlabel=f"annotator's {chart.unit}{owner}", ylabel="J&F", title=chart.note)
    axes.title.set_fontsize("small")
    axes.grid(alpha=0.3)
    if chart.lines:
        axes.legend(fontsize="small")
    figure.savefig(path, dpi=150)

"""Curves of experiments as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["plot_curves"]


def plot_curves(
    summaries: Mapping[str, Mapping[str, Any]], path: Path, target: float = 0.85
) -> None:
    """Draw mean J&F against the annotator's hours, a line and a band for each method.

    Parameters
    ----------
    summaries : mapping of str to dict
        What `evavos_widget.simulation.summary.summarise` returned, by the name that its
        methods get where there are several.
    path : Path
        PNG or SVG, by its name.
    target : float
        Quality of the dotted line.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, 4.6), layout="constrained")
    axes = figure.subplots()
    dashes = ("-", "--", ":", "-.")
    for i, (name, summary) in enumerate(summaries.items()):
        for k, (method, result) in enumerate(summary["methods"].items()):
            hours, jf, low, high = np.array(result["curve"]).T
            label = method if len(summaries) == 1 else f"{name}: {method}"
            axes.plot(hours, jf, dashes[i % len(dashes)], color=f"C{k}", label=label)
            axes.fill_between(hours, low, high, color=f"C{k}", alpha=0.1, linewidth=0)
    axes.axhline(target, color="0.5", linestyle=":")
    first = next(iter(summaries.values()))
    axes.set(
        xlabel="annotator's hours, all objects",
        ylabel=f"J&F, mean over objects ({first['frames']} frames)",
        title=f"bands: 95 % over videos; order: {first['schedule']}",
    )
    axes.title.set_fontsize("small")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=150)

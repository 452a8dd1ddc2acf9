"""Draw the log of a training: ``python -m evavos_widget.training.curve LOG --out PICTURE``.

A training draws its own at every checkpoint.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

__all__ = ["draw", "main", "read_log", "smoothed"]

PANELS = {
    "Loss": {
        "propagation_loss": "propagation",
        "click_loss": "clicks",
        "first_loss": "first frames, from points",
        "loss": "all",
    },
    "On training clips": {"iou": "last frame of a clip", "click_iou": "last click"},
}
"""What is drawn of the columns that a log has."""


def read_log(path: Path) -> dict[str, np.ndarray]:
    """Columns of a log that `evavos_widget.training.run` wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise ValueError(f"{path} has no rows yet; train for a step first.")
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def smoothed(values: np.ndarray, width: int) -> np.ndarray:
    """Mean of each value and up to `width` - 1 before it."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    stop = np.arange(1, len(values) + 1)
    start = np.maximum(0, stop - width)
    return (total[stop] - total[start]) / (stop - start)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m evavos_widget.training.curve")
    parser.add_argument("log", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="a .png, .svg or .pdf")
    args = parser.parse_args(argv)
    try:
        draw(read_log(args.log), args.out)
    except (ValueError, OSError) as error:
        print(f"curve: {error}", file=sys.stderr)
        return 1
    return 0


def draw(log: dict[str, np.ndarray], out: Path) -> None:
    """Write a picture of the columns of a log; its type is that of the name."""
    from matplotlib.figure import Figure

    width = max(1, len(log["step"]) // 40)
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    for axes, (title, lines) in zip(figure.subplots(1, len(PANELS)), PANELS.items(), strict=True):
        for name in [name for name in lines if name in log]:
            label = lines[name]
            axes.plot(log["minutes"], smoothed(log[name], width), label=label)
        axes.set(title=title, xlabel=f"minutes of training (means over {width} steps)")
        axes.legend(frameon=False)
        axes.grid(alpha=0.3)
    figure.savefig(out, dpi=150)


if __name__ == "__main__":
    sys.exit(main())

"""How much of an object shows where it was annotated: `python -m benchmarks.shown FOLDER DATA`.

For every method of a whole-loop experiment, of the annotations after the first: how many lie on
frames on which the object is gone, mostly hidden, partly hidden or shown, by its pixels there as a
share of the median over the frames that show it, and by how much one of them raises the J&F of the
video, with an interval of 95 % from a bootstrap over videos. It is what a method that looks for bad
frames has to reckon with: where masks are worst there is often little to annotate.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.intervals import interval
from evavos_widget.datasets.davis import open_sequence
from evavos_widget.experiments.table import Row, read_manifest, read_rows

EDGES = (0.02, 0.35, 0.75)
"""Shares of an object's usual pixels between the four classes."""

CLASSES = ("gone", "mostly hidden", "partly hidden", "shown")


Gains = defaultdict[str, defaultdict[int, defaultdict[str, list[float]]]]
"""By method, class and video."""


def shown(video: str, data: Path, every: int) -> dict[int, dict[int, float]]:
    """Each object's pixels on each frame with ground truth, as a share of its usual ones."""
    counts = {
        frame: np.bincount(labels.ravel(), minlength=256)
        for frame, labels in open_sequence(data, video, every).ground_truth.items()
    }
    pixels = np.array(list(counts.values()))
    return {
        int(obj): dict(zip(counts, of / np.median(of[of > 0]), strict=True))
        for obj, of in enumerate(pixels.T)
        if obj and of.any()
    }


def classified(rows: list[Row], data: Path, every: int) -> Gains:
    """Gains of all annotations after the first, by method, class and video."""
    shares = {video: shown(video, data, every) for video in sorted({row.video for row in rows})}
    found: Gains = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    loops: dict[tuple, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.round):
        loops[row.loop].append(row)
    for loop in loops.values():
        for before, row in pairwise(loop):
            share = shares[row.video][row.object][row.frame]
            kind = int(np.searchsorted(EDGES, share, side="right"))
            found[row.method][kind][row.video].append(row.jf - before.jf)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="of an experiment, whole loop")
    parser.add_argument("data", type=Path, help="on which it ran")
    parser.add_argument("--methods", nargs="+", default=[])
    args = parser.parse_args()
    rows = [r for r in read_rows(args.folder) if not args.methods or r.method in args.methods]
    every = read_manifest(args.folder).get("every", 1)
    print("| method | annotations | " + " | ".join(CLASSES) + " |")
    print("|---|---|" + "---|" * len(CLASSES))
    for method, by_class in classified(rows, args.data, every).items():
        total = sum(len(gains) for kind in by_class.values() for gains in kind.values())
        told = []
        for kind in range(len(CLASSES)):
            videos = by_class[kind].values()
            n = sum(map(len, videos))
            if not n:
                told.append("0 %")
                continue
            low, high = interval(np.array([np.mean(gains) for gains in videos]))
            mean = np.mean([np.mean(gains) for gains in videos])
            told.append(f"{100 * n / total:.0f} %: {mean:+.3f} ({low:+.3f} to {high:+.3f})")
        print(f"| {method} | {total} | {' | '.join(told)} |")


if __name__ == "__main__":
    main()

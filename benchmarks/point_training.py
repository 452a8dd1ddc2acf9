"""What points cost against masks: `python -m benchmarks.point_training DATA --out FOLDER`.

Table 9 and Figures 2 and 3 of Point-VOS with the compact network, each training as long as any
other. All begin with the weights `free`, which saw photographs alone, and learn on synthetic clips
that may begin with points; then on DAVIS-2016 train from masks, from points or from pseudo-masks.
What is done is kept in the folder, so that the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from evavos_widget.datasets.davis import open_sequence, read_sequence_names, write_sequence
from evavos_widget.datasets.point_sets import simulated_set, write_pseudo_masks
from evavos_widget.evaluation.pointvos_benchmark import POINTS, evaluate_benchmark
from evavos_widget.formats import pointvos
from evavos_widget.networks.compact import CompactNet
from evavos_widget.networks.weights import save_weights
from evavos_widget.training import compact

PREDICTOR = "compact:free"
"""Makes pseudo-masks of points, in training and at test; it saw no video of DAVIS."""

TABLE_9 = {
    "points / points": ("points", "points", 67.7),
    "masks / masks": ("masks", "mask", 85.3),
    "masks / points": ("masks", "points", 78.3),
    "masks / pseudo": ("masks", "pseudo-mask", 80.4),
    "pseudo / pseudo": ("pseudo", "pseudo-mask", 76.9),
}
"""Trained with and tested with, as method of the benchmark, and the paper's J&F with STCN."""

CONTROLS = {
    "static / points": ("static", "points"),
    "untrained / points": ("untrained", "points"),
    "static / masks": ("static", "mask"),
}
"""Rows to compare with, which the paper's table does not have."""

FIGURE_2 = (1, 2, 5, 10)
"""Points on and beside an object per frame, for training."""

FIGURE_3 = (3, 5, 10, 20)
"""Frames with points, for training."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="has stills/ and davis16/")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--static-steps", type=int, default=150)
    parser.add_argument("--steps", type=int, default=150, help="of every other training")
    parser.add_argument("--side", type=int, default=160)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--stride", type=int, default=4, help="val is thinned by this (4)")
    parser.add_argument("--figures", action="store_true", help="Figures 2 and 3 too")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    work = _Work(args)
    work.row("points / points", "points", "points", (10,))
    for name in ("static / points", "untrained / points"):
        work.row(name, *CONTROLS[name], (10,))
    for name, (trained, method, _) in TABLE_9.items():
        work.row(name, trained, method, (10,))
    work.row("static / masks", *CONTROLS["static / masks"], (10,))
    work.row("figure 2, 10", "points", "points", POINTS)
    if args.figures:
        for n in FIGURE_2:
            work.row(f"figure 2, {n}", f"points-{n}", "points", POINTS)
        for frames in FIGURE_3:
            work.row(f"figure 3, {frames}", f"points-10-{frames}", "points", (10,))
    print(work.table())


class _Work:
    """What there is in the folder, and what has to be made for a row."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.out, self.davis = args, args.out, args.data / "davis16"
        self.val = self.out / "val"
        self.rows: dict[str, dict[str, Any]] = {}

    def row(self, name: str, trained: str, method: str, counts: Sequence[int]) -> None:
        """J&F on val of what was trained so; from the folder if it is there."""
        file = self.out / "rows" / f"{name.replace(' / ', '-').replace(', ', '-')}.json"
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            result = evaluate_benchmark(
                self.val,
                self._sequences(),
                method=method,
                propagator=f"compact:{self._weights(trained)}",
                predictor=PREDICTOR,
                counts=counts,
                points=self.out / f"val-{len(counts)}.jsonl",
                report=lambda line: None,
            )
            file.write_text(json.dumps(result, indent=2) + "\n")
        self.rows[name] = json.loads(file.read_text())
        jf = "  ".join(f"{n}: {100 * v:.1f}" for n, v in self.rows[name]["jf"].items())
        print(f"{name:24s} {jf}", flush=True)

    def table(self) -> str:
        """Markdown of all rows, with what the paper has."""
        lines = ["| trained / tested with | J&F | +- | paper |", "|---|---|---|---|"]
        for name, result in self.rows.items():
            if name.startswith("figure"):
                continue
            n = next(iter(result["jf"]))
            paper = f"*{TABLE_9[name][2]}*" if name in TABLE_9 else ""
            jf, error = (100 * result[k][n] for k in ("jf", "standard_error"))
            lines.append(f"| {name} | {jf:.1f} | {error:.1f} | {paper} |")
        return "\n".join([*lines, *self._against("static / points")])

    def _against(self, name: str) -> list[str]:
        """Differences of points / points from a control, paired over sequences."""
        ours, theirs = (
            np.array([of["mean"] for of in self.rows[n]["sequences"].values()])
            for n in ("points / points", name)
        )
        apart = 100 * (ours - theirs)
        low, high = _interval(apart)
        return [f"\npoints / points - {name}: {apart.mean():+.1f} ({low:+.1f} to {high:+.1f})"]

    def _sequences(self) -> list[str]:
        """Val, thinned: every so manyth frame."""
        names = read_sequence_names("@ImageSets/val.txt", self.davis)
        for name in names:
            if not (self.val / "Annotations" / name).exists():
                sequence = open_sequence(self.davis, name)
                write_sequence(
                    self.val, sequence, range(0, sequence.video.n_frames, self.args.stride)
                )
        return names

    def _weights(self, trained: str) -> str:
        """A file of weights, or the name of some; trained if they are not there."""
        if trained == "free":
            return trained
        file = self.out / f"{trained}.safetensors"
        if file.exists():
            return str(file)
        if trained == "untrained":
            torch.manual_seed(0)
            save_weights(CompactNet(), file)
            return str(file)
        init = "free" if trained == "static" else self._weights("static")
        steps = self.args.static_steps if trained == "static" else self.args.steps
        folder = self.out / trained
        command = [
            *("--data", str(self.args.data), "--out", str(folder), "--init", init, "--resume"),
            *("--steps", str(steps), "--side", str(self.args.side)),
            *("--batch", str(self.args.batch), "--rate", "4e-4", "--backbone-rate", "0"),
            *("--checkpoint-minutes", "4", "--seed", "1" if trained == "static" else "2"),
            *self._supervised(trained),
        ]
        if compact.main(command):
            raise SystemExit(1)
        latest = max(folder.glob("compact-*.safetensors"), key=lambda p: p.stat().st_mtime)
        latest.replace(file)
        return str(file)

    def _supervised(self, trained: str) -> list[str]:
        if trained == "static":
            return ["--supervision", "masks", "--clips", "stills", "--point-starts", "0.7"]
        if trained == "masks":
            return ["--supervision", "masks", "--clips", "video", "--point-starts", "0.5"]
        kind, *sizes = trained.split("-")
        points = self._points(*map(int, sizes))
        if kind == "points":
            return ["--supervision", "points", "--points", str(points)]
        masks = self.out / "pseudo-masks"
        if not (masks / "all").exists():
            found = pointvos.read(points)
            write_pseudo_masks(self.davis, found, PREDICTOR, masks, lambda line: None)
            (masks / "all").touch()
        options = ["--supervision", "pseudo", "--points", str(points)]
        return [*options, "--pseudo-masks", str(masks)]

    def _points(self, n: int = 10, frames: int = 10) -> Path:
        file = self.out / f"points-{n}-{frames}.jsonl"
        if not file.exists():
            names = read_sequence_names("@ImageSets/train.txt", self.davis)
            found = simulated_set(self.davis, names, n=n, background=n, frames=frames)
            pointvos.write(found, file)
        return file


def _interval(values: np.ndarray, draws: int = 10_000) -> tuple[float, float]:
    """95 % of the mean, by bootstrap over sequences."""
    rng = np.random.default_rng(0)
    means = rng.choice(values, (draws, len(values))).mean(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


if __name__ == "__main__":
    main()

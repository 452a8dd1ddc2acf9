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

import numpy as np
import torch

from benchmarks.intervals import interval
from evavos_widget.datasets.davis import open_sequence, read_sequence_names, write_sequence
from evavos_widget.datasets.point_sets import simulated_set, write_pseudo_masks
from evavos_widget.evaluation.pointvos_benchmark import POINTS, evaluate_benchmark
from evavos_widget.files import replacing
from evavos_widget.formats import pointvos
from evavos_widget.masks import OKABE_ITO
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
    "static, as long / points": ("static-longer", "points"),
    "untrained / points": ("untrained", "points"),
    "static / masks": ("static", "mask"),
}
"""Rows to compare with, which the paper's table does not have; one of them goes on with synthetic
clips for as long as the others learn from video."""

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
    work.rows_of(("points / points", "static / points", "untrained / points"), (10,))
    work.rows_of(("static, as long / points",), (10,))
    work.rows_of(("masks / masks", "masks / points", "masks / pseudo", "static / masks"), (10,))
    work.rows_of(("pseudo / pseudo",), (10,))
    if args.figures:
        for n in FIGURE_2:
            work.row(f"figure 2, {n}", f"points-{n}-10", "points", POINTS)
        for frames in FIGURE_3:
            work.row(f"figure 3, {frames}", f"points-10-{frames}", "points", (10,))
        work.draw(args.out / "figures.png")
    print(work.table())


class _Work:
    """What there is in the folder, and what has to be made for a row."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.out, self.davis = args, args.out, args.data / "davis16"
        self.val = self.out / "val"
        self.rows: dict[str, dict[str, dict[str, float]]] = {}

    def rows_of(self, names: Sequence[str], counts: Sequence[int]) -> None:
        """Rows of Table 9 and controls side by side, one sequence after the other."""
        given = {**TABLE_9, **CONTROLS}
        for sequence in self._sequences():
            for name in names:
                trained, method = given[name][:2]
                self._score(name, trained, method, counts, sequence)
        self._tell(names)

    def row(self, name: str, trained: str, method: str, counts: Sequence[int]) -> None:
        """One row alone."""
        for sequence in self._sequences():
            self._score(name, trained, method, counts, sequence)
        self._tell([name])

    def _score(
        self, name: str, trained: str, method: str, counts: Sequence[int], sequence: str
    ) -> None:
        """J&F of a sequence of val by what was trained so; from the folder if it is there."""
        file = self.out / "rows" / f"{name.replace(' / ', '-').replace(', ', '-')}.json"
        file.parent.mkdir(exist_ok=True)
        scores = json.loads(file.read_text()) if file.exists() else {}
        if sequence not in scores:
            result = evaluate_benchmark(
                self.val,
                [sequence],
                method=method,
                propagator=f"compact:{self._weights(trained)}",
                predictor=PREDICTOR,
                counts=counts,
                report=lambda line: None,
            )
            scores[sequence] = result["jf"]
            with replacing(file) as new:
                new.write_text(json.dumps(scores, indent=2) + "\n")
        self.rows[name] = scores

    def _tell(self, names: Sequence[str]) -> None:
        for name in names:
            scores = self.rows[name].values()
            means = {n: 100 * np.mean([s[n] for s in scores]) for n in next(iter(scores))}
            told = "  ".join(f"{n}: {jf:.1f}" for n, jf in means.items())
            print(f"{name:24s} {told}  ({len(scores)} sequences)", flush=True)

    def table(self) -> str:
        """Markdown of the rows of Table 9 and the controls, with what the paper has."""
        lines = ["| trained / tested with | J&F | paper |", "|---|---|---|"]
        for name, scores in self.rows.items():
            if name in TABLE_9 or name in CONTROLS:
                jf = np.array([100 * s["mean"] for s in scores.values()])
                low, high = interval(jf)
                paper = f"*{TABLE_9[name][2]}*" if name in TABLE_9 else ""
                lines.append(f"| {name} | {jf.mean():.1f} ({low:.1f} to {high:.1f}) | {paper} |")
        for name in ("static / points", "static, as long / points", "untrained / points"):
            lines.append(self._against(name))
        return "\n".join(lines)

    def _against(self, name: str) -> str:
        """How far points / points is ahead of a control, paired over sequences."""
        ours, theirs = self.rows["points / points"], self.rows[name]
        apart = np.array([100 * (ours[n]["mean"] - theirs[n]["mean"]) for n in ours])
        low, high = interval(apart)
        return f"\npoints / points - {name}: {apart.mean():+.1f} ({low:+.1f} to {high:+.1f})"

    def draw(self, path: Path) -> None:
        """Figures 2 and 3 side by side, bands and bars being intervals of 95 %."""
        from matplotlib.figure import Figure

        picture = Figure(figsize=(9.5, 3.8), layout="constrained")
        left, right = picture.subplots(1, 2, sharey=True)
        for n, color, mark in zip(FIGURE_2, OKABE_ITO[[0, 1, 2, 4]] / 255, "o^sD", strict=True):
            scores = self.rows[f"figure 2, {n}"].values()
            told = 100 * np.array([[s[str(t)] for t in POINTS] for s in scores])
            low, high = np.transpose([interval(column) for column in told.T])
            points = "point" if n == 1 else "points"
            left.plot(POINTS, told.mean(0), marker=mark, color=color, label=f"{n} {points}")
            left.fill_between(POINTS, low, high, color=color, alpha=0.15, linewidth=0)
        left.set(xlabel="points at test", ylabel="J&F", xscale="log", title="Figure 2")
        left.set_xticks(POINTS, [str(n) for n in POINTS])
        left.minorticks_off()
        left.legend(title="in training, a frame", ncols=2, loc="center", bbox_to_anchor=(0.5, 0.62))
        told = [
            100 * np.array([s["mean"] for s in self.rows[f"figure 3, {n}"].values()])
            for n in FIGURE_3
        ]
        means = np.array([scores.mean() for scores in told])
        bars = np.abs(np.transpose([interval(scores) for scores in told]) - means)
        right.errorbar(FIGURE_3, means, yerr=bars, marker="o", color="#0072b2", capsize=4)
        right.set(xlabel="frames with points in training", title="Figure 3, 10 points a frame")
        right.set_xticks(FIGURE_3, [str(n) for n in FIGURE_3])
        for axes in (left, right):
            axes.grid(alpha=0.3)
        picture.savefig(path, dpi=110)

    def _sequences(self) -> list[str]:
        names = read_sequence_names("@ImageSets/val.txt", self.davis)
        thinned(self.davis, names, self.val, self.args.stride)
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
        if trained in ("static", "static-longer"):
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


def thinned(data: Path, names: Sequence[str], folder: Path, stride: int) -> Path:
    """The folder, in which there is every so manyth frame of the sequences."""
    for name in names:
        if not (folder / "Annotations" / name).exists():
            sequence = open_sequence(data, name)
            write_sequence(folder, sequence, range(0, sequence.video.n_frames, stride))
    return folder


if __name__ == "__main__":
    main()

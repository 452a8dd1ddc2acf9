"""Point-VOS from end to end on validation sequences: `python -m benchmarks.point_chain DATA`.

First what points cost and what their labels are worth, with the robot verifying on all frames; then
J&F from 1, 2, 5 and 10 points on the first frame of thinned sequences, by a mask predictor or
straight into the network. What is done is kept in the folder, a file for each sequence, so that
the same command goes on where it was stopped. Intervals are of 95 %, by bootstrap over sequences.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.intervals import interval
from benchmarks.point_training import thinned
from evavos_widget.datasets.davis import open_sequence, read_sequence_names
from evavos_widget.evaluation.pointvos import evaluate_points
from evavos_widget.evaluation.pointvos_benchmark import POINTS, evaluate_benchmark
from evavos_widget.evaluation.sequences import all_masks
from evavos_widget.files import replacing
from evavos_widget.formats import pointvos
from evavos_widget.points import REGIONS, Candidate
from evavos_widget.robot.verifier import Verifier

ENGINE = "compact:free"
"""Saw photographs alone, no video of DAVIS: the engine by default was trained on DAVIS."""

MASK, FRAMES_OF_PAPER, SECONDS_OF_PAPER = 80, 70, 140
"""Seconds of a drawn mask; frames of a video, and seconds of an object's points (Sec. 3.2)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="has JPEGImages, Annotations and ImageSets")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--stride", type=int, default=4, help="thins val for the benchmark (4)")
    parser.add_argument("--error-rate", type=float, default=0.05)
    parser.add_argument(
        "--weights", nargs="*", default=["free"], help="for points straight into compact"
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    names = read_sequence_names("@ImageSets/val.txt", args.data)
    tell_chain(args.data, names, args.out, args.error_rate)
    val = thinned(args.data, names, args.out / "val", args.stride)
    print("\n| points | " + " | ".join([*map(str, POINTS), "mean"]) + " |\n|" + "---|" * 6)
    tell_scores("pseudo-mask", val, names, "free", args.out)
    for weights in args.weights:
        tell_scores("points", val, names, weights, args.out)


def kept(file: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What is in a file of JSON, made if it is not there."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        made = make()
        with replacing(file) as new:
            new.write_text(json.dumps(made, indent=2) + "\n")
    return json.loads(file.read_text())


def tell_chain(data: Path, names: list[str], out: Path, error_rate: float) -> None:
    """Points and seconds of an object, and the accuracy of labels by region."""
    folder = out / "verify-clicks"
    each = [
        kept(
            folder / f"{name}.json",
            lambda name=name: evaluate_points(
                data,
                [name],
                propagator=ENGINE,
                predictor=ENGINE,
                export=folder / "out",
                report=lambda line: None,
            ),
        )
        for name in names
    ]
    frames = {name: open_sequence(data, name).video.n_frames for name in names}
    points, seconds, times = (
        np.array([of[k] for of in each]) for k in ("points", "seconds", "masks_over_points")
    )
    tell = "{}: {:.1f} ({:.1f} to {:.1f}) on {} sequences".format
    print(tell("points of an object", points.mean(), *interval(points), len(each)))
    print(tell("seconds of an object", seconds.mean(), *interval(seconds), len(each)))
    print(tell("a mask on every frame takes so many times as long", times.mean(),
               *interval(times), len(each)))  # fmt: skip
    as_long = FRAMES_OF_PAPER * MASK / seconds
    print(tell("with the paper's 70 frames", as_long.mean(), *interval(as_long), len(each)))
    print(f"frames: {np.mean(list(frames.values())):.1f}; "
          f"paper: {FRAMES_OF_PAPER * MASK / SECONDS_OF_PAPER:.0f} times")  # fmt: skip
    counts = {name: relabelled(data, name, folder / "out", error_rate) for name in names}
    print(f"\n| region | points | of the object | cannot tell | true | true, {error_rate:.0%} "
          "errors |\n|---|---|---|---|---|---|")  # fmt: skip
    for region in (*REGIONS, "all"):
        c: Counter[str] = Counter()
        for of in counts.values():
            for key in of if region == "all" else (region,):
                c.update(of[key])
        answered = c["points"] - c["ambiguous"]
        shares = [
            "-" if not of else f"{c[what] / of:.1%}"
            for what, of in (
                ("inside", c["points"]),
                ("ambiguous", c["points"]),
                ("true", answered),
                ("true of erring", answered),
            )
        ]
        print(f"| {region} | {c['points']} | " + " | ".join(shares) + " |")


def relabelled(data: Path, name: str, folder: Path, error_rate: float) -> dict[str, Counter[str]]:
    """Of a sequence's points by region: how many there are, and how many labels are true.

    A robot's answer depends on the pixel alone, so that one that errs need not be asked anew.
    """
    sequence = open_sequence(data, name)
    truth = all_masks(sequence.ground_truth, name)
    erring = Verifier(truth, error_rate=error_rate)
    frames = {stem: i for i, stem in enumerate(sequence.video.frame_names)}
    counts = {region: Counter[str]() for region in REGIONS}
    for of in pointvos.read(folder / f"{name}.json"):
        for p in of.points:
            region = p.extra[pointvos.NAMESPACE]["region"]
            frame = frames[str(p.frame_id)]
            inside = bool(truth[frame][p.y, p.x])
            told = erring.label(Candidate(frame, p.x, p.y, region, 0.5), 1)
            true = "positive" if inside else "negative"
            says = {"ACCEPTED": "positive", "REJECTED": "negative"}.get(p.status, "unknown")
            counts[region].update(
                points=1,
                inside=inside,
                ambiguous=says == "unknown",
                true=says == true,
                **{"true of erring": told == true},
            )
    return counts


def tell_scores(method: str, val: Path, names: list[str], weights: str, out: Path) -> None:
    """A row of the benchmark."""
    called = f"{method}-{Path(weights).stem}"
    jf = np.array(
        [[100 * score(method, val, name, weights, n, out / called) for n in POINTS]
         for name in names]
    )  # fmt: skip
    cells = []
    for column in (*jf.T, jf.mean(1)):
        low, high = interval(column)
        cells.append(f"{column.mean():.1f} ({low:.1f} to {high:.1f})")
    print(f"| {called} | " + " | ".join(cells) + " |", flush=True)


def score(method: str, val: Path, name: str, weights: str, n: int, folder: Path) -> float:
    """J&F of a sequence from n points."""
    result = kept(
        folder / f"{name}-{n}.json",
        lambda: evaluate_benchmark(
            val,
            [name],
            method=method,
            propagator=f"compact:{weights}",
            predictor=ENGINE,
            counts=(n,),
            report=lambda line: None,
        ),
    )
    return result["jf"][str(n)]


if __name__ == "__main__":
    main()

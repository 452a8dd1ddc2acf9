"""How much of a frame's error one annotation removes: `python -m benchmarks.error_removed`.

On sequences of DAVIS-2016 train, every second frame of them, with weights that saw no video: the
first mask is drawn and propagated, and evenly spaced frames are then annotated by the robot, each
from the propagated mask, once with three clicks and once with ten verified points, by a robot that
does not err and by one that does. A line of JSON for each sequence goes to a file; what is there is
not done again. At the end: the share of the error (1 - IoU) that each removes, for
`annotation_selection.baselines.ERROR_REMOVED`, with an interval of 95 % (bootstrap over sequences).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.point_training import thinned
from evavos_widget.datasets.davis import open_sequence, read_sequence_names
from evavos_widget.metrics import jaccard
from evavos_widget.point_selection.proposals import contradictions, propose_on_frame
from evavos_widget.point_selection.sampling import spaced_frames
from evavos_widget.points import Point
from evavos_widget.robot.annotator import RobotAnnotator
from evavos_widget.robot.verifier import Verifier
from evavos_widget.session import Session

RESAMPLES = 10_000


def annotated(
    data: Path, name: str, engine: str, frames: int, error_rates: Sequence[float]
) -> list[dict[str, float]]:
    """Of each frame the IoU before, after clicks, and after points by each robot."""
    sequence = open_sequence(data, name)
    truth = {f: (m > 0).astype(np.uint8) for f, m in sequence.ground_truth.items()}
    robot = RobotAnnotator(truth)
    rows = []
    with Session(sequence.video, propagator=engine, predictor=engine, path=None) as session:
        obj = session.add_object()
        robot.begin(session, min(f for f, m in truth.items() if m.any()), obj)
        session.propagate()
        for frame in spaced_frames(sequence.video.n_frames, frames + 1)[1:]:
            true = truth[frame] > 0
            if not true.any():
                continue
            before = session.masks[frame] == obj
            row = {"before": float(jaccard(before, true))}
            row["clicks"] = float(jaccard(robot.click(session, frame, obj)[0], true))
            proposed = propose_on_frame(session, frame, obj, robot.selector)
            for rate in error_rates:
                verifier = Verifier(truth, error_rate=rate)
                told = [Point(c.x, c.y, verifier.label(c, obj), c.region) for c in proposed]
                clicks = contradictions(told, before)
                mask = session.predict(frame, obj, clicks=clicks).mask if clicks else before
                row[f"points {rate:g}"] = float(jaccard(mask, true))
                row[f"contradictions {rate:g}"] = len(clicks)
            rows.append(row)
    return rows


def removed(rows: Mapping[str, Sequence[Mapping[str, float]]], kind: str) -> tuple[float, ...]:
    """The share of the error that is removed, and the bounds of its interval."""
    sums = np.array(
        [[sum(r[kind] - r["before"] for r in of), sum(1 - r["before"] for r in of)]
         for of in rows.values()]
    )  # fmt: skip
    drawn = np.random.default_rng(0).integers(0, len(sums), (RESAMPLES, len(sums)))
    gained, error = sums[drawn].sum(1).T
    low, high = np.percentile(gained / error, [2.5, 97.5])
    return float(sums[:, 0].sum() / sums[:, 1].sum()), float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="has JPEGImages, Annotations and ImageSets")
    parser.add_argument("out", type=Path, help="a file, JSON Lines")
    parser.add_argument("--engine", default="compact:free", help="propagator and predictor")
    parser.add_argument("--sequences", type=int, default=10, help="how many, drawn by lot")
    parser.add_argument("--frames", type=int, default=6, help="of each")
    parser.add_argument("--stride", type=int, default=2, help="sequences are thinned by this (2)")
    parser.add_argument("--error-rates", type=float, nargs="+", default=[0.0, 0.05])
    args = parser.parse_args()
    names = read_sequence_names("@ImageSets/train.txt", args.data)
    names = [names[i] for i in np.random.default_rng(0).permutation(len(names))[: args.sequences]]
    lines = args.out.read_text().splitlines() if args.out.exists() else []
    data = thinned(args.data, names, args.out.parent / f"every-{args.stride}", args.stride)
    done = {line["sequence"]: line["rows"] for line in map(json.loads, lines)}
    for name in names:
        if name not in done:
            done[name] = annotated(data, name, args.engine, args.frames, args.error_rates)
            with args.out.open("a") as file:
                file.write(json.dumps({"sequence": name, "rows": done[name]}) + "\n")
    every = [row for rows in done.values() for row in rows]
    print(f"{len(every)} frames of {len(done)} sequences")
    for kind in ("clicks", *(f"points {rate:g}" for rate in args.error_rates)):
        share, low, high = removed(done, kind)
        before, after = (np.mean([row[k] for row in every]) for k in ("before", kind))
        worse = np.mean([row[kind] < row["before"] - 0.005 for row in every])
        print(f"{kind:12s} removes {share:.2f} ({low:.2f} to {high:.2f}) of the error: mean IoU "
              f"{before:.3f} to {after:.3f}; worse on {worse:.0%} of the frames")  # fmt: skip


if __name__ == "__main__":
    main()

"""What masks are worth that `compact` makes of points: `python -m benchmarks.point_trust`.

On frames of DAVIS-2016 train, some points on the object and as many beside it in the place of a
mask; the IoU with the truth of what the network finds, for `probabilities.TRUST_OF_POINTS`, with an
interval of 95 % (bootstrap over sequences). Weights that learned from points of these videos are
flattered; those of the static pre-training saw photographs alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from benchmarks.intervals import interval
from evavos_widget.datasets.davis import open_sequence, read_sequence_names
from evavos_widget.loop import Annotation, completed
from evavos_widget.metrics import jaccard
from evavos_widget.point_selection.sampling import spaced_frames
from evavos_widget.point_selection.simulated import simulated_points
from evavos_widget.propagation.compact import CompactPropagator


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="has JPEGImages, Annotations and ImageSets")
    parser.add_argument("weights", nargs="+", help="files, or names such as free")
    parser.add_argument("--sequences", type=int, default=10, help="how many, drawn by lot")
    parser.add_argument("--frames", type=int, default=6, help="of each")
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 5, 10])
    args = parser.parse_args()
    torch.set_num_threads(1)
    names = read_sequence_names("@ImageSets/train.txt", args.data)
    names = [names[i] for i in np.random.default_rng(0).permutation(len(names))[: args.sequences]]
    found: dict[tuple[str, int], list[float]] = {}
    for name in names:
        sequence = open_sequence(args.data, name)
        frames = spaced_frames(sequence.video.n_frames, args.frames)
        truth = {f: (sequence.ground_truth[f] > 0).astype(np.uint8) for f in frames}
        for weights in args.weights:
            engine = CompactPropagator(weights, "cpu")
            for n in args.counts:
                told = simulated_points(truth, [1], n=n, background=n, frames=None, video=name)
                nothing = np.zeros_like(truth[frames[0]])
                given = {f: Annotation(nothing, [1], points={1: p}) for (f, _), p in told.items()}
                steps = engine.propagate(sequence.video, given, [1], sorted(given))
                iou = [
                    float(jaccard(soft[1] > 0.5, truth[frame] > 0))
                    for frame, soft in completed(steps)
                ]
                found.setdefault((weights, n), []).append(float(np.mean(iou)))
    for (weights, n), each in found.items():
        low, high = interval(np.array(each))
        print(f"{Path(weights).stem}, {n} on it and {n} beside: IoU {np.mean(each):.2f} "
              f"({low:.2f} to {high:.2f}), {len(each)} sequences")  # fmt: skip


if __name__ == "__main__":
    main()

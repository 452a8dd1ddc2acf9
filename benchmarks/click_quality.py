"""How well the quality of clicked masks is predicted: `python -m benchmarks.click_quality`.

Clicks objects of DAVIS-2016 train with the weights `free`, which have seen no video, from nothing
and from worsened masks; fits `QUALITY_WEIGHTS` on every other sequence, and prints on the others
how the prediction of before the fit and of after it compare with the truth, in bins.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from benchmarks.calibration import calibration
from evavos_widget.datasets.davis import open_sequence
from evavos_widget.mask_prediction import compact
from evavos_widget.metrics import jaccard
from evavos_widget.prompts import Prompts
from evavos_widget.robot.clicks import corrective_click
from evavos_widget.training.samples import worsened

BINS = (0.0, 0.5, 0.7, 0.8, 0.9, 1.0)


def samples(data: Path, names: list[str], weights: str, frames: int) -> list[np.ndarray]:
    """For each sequence (n, 5): what the quality is predicted from, and the true IoU."""
    predictor = compact.CompactPredictor(weights)
    seen: list[np.ndarray] = []
    told = compact.quality_features

    def told_and_kept(expected: float, stands: float, prompts: int) -> np.ndarray:
        seen.append(told(expected, stands, prompts))
        return seen[-1]

    compact.quality_features = told_and_kept
    found = []
    for name in names:
        sequence = open_sequence(data, name)
        truths = sequence.ground_truth
        rows = []
        rng = np.random.default_rng([0, *name.encode()])
        for n, frame in enumerate(rng.permutation(sorted(truths))[:frames]):
            truth = truths[int(frame)] > 0
            if not truth.any():
                continue
            start = worsened(truth.astype(np.float32), rng) > 0.5 if n % 2 else None
            mask, clicks = np.zeros_like(truth) if start is None else start, ()
            for _ in range(10):
                click = corrective_click(mask, truth)
                if click is None:
                    break
                clicks += (click,)
                mask = predictor.predict(
                    sequence.video.frame(int(frame)),
                    Prompts(clicks=clicks, previous_mask=start),
                    key=(name, int(frame), n),
                ).mask
                if mask.any():
                    rows.append([*seen[-1], jaccard(mask, truth)])
        found.append(np.array(rows))
    compact.quality_features = told
    return found


def fitted(rows: np.ndarray) -> np.ndarray:
    features, truth = rows[:, :-1], rows[:, -1]

    def loss(weights: np.ndarray) -> float:
        odds = features @ weights
        return float(np.mean(np.logaddexp(0, odds) - truth * odds) + 1e-4 * (weights**2).sum())

    return minimize(loss, np.array([0.0, 1.0, 0.0, 0.0])).x


def predicted(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-(rows[:, :-1] @ weights)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="has JPEGImages, Annotations and ImageSets")
    parser.add_argument("--weights", default="free")
    parser.add_argument("--frames", type=int, default=4, help="of each sequence")
    parser.add_argument("--sequences", type=int, default=30, help="how many, the first")
    args = parser.parse_args()
    names = (args.data / "ImageSets" / "train.txt").read_text().split()[: args.sequences]
    each = samples(args.data, names, args.weights, args.frames)
    fit, held_out = np.concatenate(each[::2]), np.concatenate(each[1::2])
    for title, weights in (
        ("Expected overlap", np.array([0.0, 1.0, 0.0, 0.0])),
        ("As it is set", np.array(compact.QUALITY_WEIGHTS)),
        ("Fitted on the other sequences", fitted(fit)),
    ):
        told, truth = predicted(held_out, weights), held_out[:, -1]
        print(calibration(title, "predicted IoU", told, truth, BINS), end="\n\n")
    print("QUALITY_WEIGHTS =", tuple(round(float(w), 2) for w in fitted(np.concatenate(each))))


if __name__ == "__main__":
    main()

"""How far clicked masks can be trusted in the loop: `python -m benchmarks.click_trust`.

Plays the loop on DAVIS-2016 train with weights that saw no video: the first mask drawn, then three
clicks on the frame that is farthest in time, from the mask that was propagated there. Keeps of each
mask that a click led to what the predictor said of it, how much of the mask before stands, the
quality that was predicted of the propagated one, and the true IoU, a line of JSON for each
sequence; what is there is not done again. Then fits `probabilities.TRUST_WEIGHTS` on every other
sequence and prints on the others how the trust compares with the truth, in bins: as the predictor
scored it, as it is set, and as fitted.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

from benchmarks.calibration import calibration
from evavos_widget import engines
from evavos_widget.datasets.davis import open_sequence
from evavos_widget.metrics import jaccard
from evavos_widget.probabilities import TRUST_WEIGHTS, predicted_trust
from evavos_widget.robot.clicks import corrective_click
from evavos_widget.session import Session

BINS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
AS_SCORED = (0.0, 1.0, 0.0, 0.0)
PRIOR = np.array([0.0, 0.5, 0.5, 0.5])
PULL = 0.03
CLICKS = 3


def clicked(data: Path, name: str, args: argparse.Namespace) -> list[list[float]]:
    """Of each mask the score, what stands, the quality before, and the IoU with the truth."""
    sequence = open_sequence(data, name)
    truth = {f: m > 0 for f, m in sequence.ground_truth.items()}
    propagator = engines.create("propagator", args.engine, merge=args.merge)
    rows = []
    with Session(
        sequence.video, propagator=propagator, predictor=args.engine, path=None
    ) as session:
        obj = session.add_object()
        session.annotate(0, truth[0], objects=[obj])
        for _ in range(args.rounds):
            session.propagate()
            asked = session.suggest()
            if asked is None:
                break
            frame = asked.frame
            mask, clicks = session.masks[frame] == obj, []
            quality = float(session.quality[frame, 0])
            for _ in range(CLICKS):
                click = corrective_click(mask, truth[frame])
                if click is None:
                    break
                clicks.append(click)
                before, found = mask, session.predict(frame, obj, clicks=clicks)
                mask = found.mask
                iou = jaccard(mask, truth[frame])
                stands = float(jaccard(before, mask))
                rows.append([float(found.score), stands, quality, float(iou)])
            session.annotate(frame, mask, objects=[obj], kind="clicks", clicks=clicks)
    return rows


def told_of(rows: np.ndarray, weights: Any) -> np.ndarray:
    return np.array([predicted_trust(s, c, q, tuple(weights)) for s, c, q, _ in rows])


def fitted(rows: np.ndarray) -> tuple[float, ...]:
    """Weights with the least cross entropy, none below 0, pulled to `PRIOR` as rows are few."""

    def loss(weights: np.ndarray) -> float:
        told, truth = told_of(rows, weights), rows[:, -1]
        entropy = truth * np.log(told) + (1 - truth) * np.log(1 - told)
        return float(-entropy.mean() + PULL * ((weights - PRIOR) ** 2).sum())

    found = minimize(loss, PRIOR, bounds=[(None, None), *[(0, None)] * 3]).x
    return tuple(round(float(w), 2) for w in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="has JPEGImages, Annotations and ImageSets")
    parser.add_argument("out", type=Path, help="a file, JSON Lines")
    parser.add_argument("--engine", default="compact:free", help="propagator and predictor")
    parser.add_argument("--merge", default="nearest")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--sequences", type=int, default=30, help="how many, drawn by lot")
    args = parser.parse_args()
    names = (args.data / "ImageSets" / "train.txt").read_text().split()
    names = [names[i] for i in np.random.default_rng(3).permutation(len(names))]
    told = args.out.read_text().splitlines() if args.out.exists() else []
    each = {x["sequence"]: x["rows"] for x in map(json.loads, told)}
    for name in names[: args.sequences]:
        if name not in each:
            each[name] = clicked(args.data, name, args)
            with args.out.open("a") as file:
                file.write(json.dumps({"sequence": name, "rows": each[name]}) + "\n")
    rows = [np.array(each[name]).reshape(-1, 4) for name in names if name in each]
    fit, held_out = np.concatenate(rows[::2]), np.concatenate(rows[1::2])
    for title, weights in (
        ("As scored", AS_SCORED),
        ("As it is set", TRUST_WEIGHTS),
        ("Fitted on the other sequences", fitted(fit)),
    ):
        told, truth = told_of(held_out, weights), held_out[:, -1]
        print(calibration(f"{title} {weights}", "trust", told, truth, BINS), end="\n\n")
    print("TRUST_WEIGHTS =", fitted(np.concatenate(rows)))


if __name__ == "__main__":
    main()

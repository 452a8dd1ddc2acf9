"""What merging both sides is worth against the nearest annotation: `python -m benchmarks.merging`.

Plays the loop on DAVIS-2016 with the robot annotator: the first mask drawn, then the frame that is
farthest in time, with three clicks or a drawn mask a round. For each sequence and rule a line of
JSON with J&F after every annotation goes to a file; what is there is not done again, so that a run
that was stopped goes on. At the end the file is told as tables: the mean over the seconds that the
annotator spends, which are the same for both, rule against rule, with an interval of 95 % from a
bootstrap over sequences, the largest loss by one annotation, how far the predicted J&F is off, and
in how many rounds it misled (it rose, and the true one fell by more than 0.02).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.intervals import interval
from evavos_widget import engines
from evavos_widget.datasets.annotated_video import AnnotatedVideo
from evavos_widget.datasets.davis import open_sequence, read_sequence_names
from evavos_widget.metrics import SequenceScorer
from evavos_widget.prompts import Costs
from evavos_widget.robot.annotator import RobotAnnotator
from evavos_widget.session import Session
from evavos_widget.sources import MERGES


def played(
    sequence: AnnotatedVideo, merge: str, kind: str, made: dict, args: argparse.Namespace
) -> dict:
    """One loop: seconds spent, true and predicted J&F after each pass, and what passes cost."""
    truth = {f: (m > 0).astype(np.uint8) for f, m in sequence.ground_truth.items()}
    scorer = SequenceScorer(truth, frames="davis", objects=[1])
    robot = RobotAnnotator(truth, manner=args.manner, first=args.first)
    if args.apart or not made:
        made["propagator"] = engines.create("propagator", args.propagator)
        made["predictor"] = engines.create("predictor", args.predictor)
    # Both rules and all kinds may share what an engine that is repeatable computed.
    made["propagator"].merge = merge
    found: dict[str, Any] = {"sequence": sequence.name, "merge": merge, "kind": kind, "rounds": []}
    with Session(
        sequence.video,
        **made,
        annotation_selector=kind,
        path=None,
    ) as session:
        session.add_object()
        robot.begin(session, min(f for f, m in truth.items() if m.any()), 1)
        for n in range(args.rounds + 1):
            if n:
                asked = session.suggest()
                if asked is None:
                    break
                robot.answer(session, asked)
            started = time.process_time()
            passed = session.propagate()
            cost = time.process_time() - started
            predicted = session.curve[-1].predicted
            true = scorer.score(session.masks).jf
            found["rounds"].append([session.seconds, true, predicted, cost, passed])
    return found


def mean_over(rounds: Iterable[list[float]], end: float) -> float:
    """J&F on average over the seconds from the first annotation to `end`, a stair."""
    seconds, quality = np.array([r[:2] for r in rounds]).T
    kept = seconds < end
    edges = np.append(seconds[kept], end)
    return float((quality[kept] * np.diff(edges)).sum() / (end - edges[0]))


def changes(rounds: list[list[float]]) -> list[tuple[float, float]]:
    """By how much each round changed the true and the predicted J&F."""
    return [(after[1] - before[1], after[2] - before[2]) for before, after in pairwise(rounds)]


def report(lines: list[dict], kind: str, rounds: int, *, apart: bool) -> None:
    """Trust against nearest, on the sequences that have both."""
    by_rule = {
        m: {x["sequence"]: x["rounds"] for x in lines if (x["merge"], x["kind"]) == (m, kind)}
        for m in MERGES
    }
    names = sorted(by_rule["trust"].keys() & by_rule["nearest"].keys())
    if not names:
        return
    each = Costs().seconds(kind)
    print(f"\n{kind}, {rounds} rounds, n = {len(names)} sequences\n")
    print("| sequence | nearest | trust | difference |\n|---|---|---|---|")
    gains = []
    for name in names:
        both = [by_rule[m][name] for m in ("nearest", "trust")]
        end = both[0][0][0] + each * rounds
        nearest, trust = (mean_over(r, end) for r in both)
        gains.append(trust - nearest)
        print(f"| {name} | {nearest:.3f} | {trust:.3f} | {trust - nearest:+.3f} |")
    gained = np.array(gains)
    low, high = interval(gained)
    print(f"| mean | | | {gained.mean():+.4f} [{low:+.4f}, {high:+.4f}] |")
    for rule in MERGES:
        every = [r for name in names for r in by_rule[rule][name]]
        later = [r for name in names for r in by_rule[rule][name][1:]]
        off = np.mean([abs(r[2] - r[1]) for r in every])
        steps = [step for name in names for step in changes(by_rule[rule][name])]
        misled = np.mean([true < -0.02 and told > 0 for true, told in steps])
        frames = f"{np.mean([r[4] for r in later]):.1f} frames a round"
        # What is shared between loops is paid for by the first of them.
        cost = f"{np.mean([r[3] for r in later]):.2f} s of the processor and " if apart else ""
        print(
            f"{rule}: {cost}{frames}; predicted off by {off:.3f}; misled in {100 * misled:.1f} % "
            f"of rounds; largest loss by one round {min(true for true, _ in steps):+.3f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="has JPEGImages, Annotations and ImageSets")
    parser.add_argument("out", type=Path, help="a file, JSON Lines")
    parser.add_argument(
        "--sequences", default="@ImageSets/train.txt", help="names with commas, or @FILE"
    )
    parser.add_argument("--kinds", default="clicks,mask")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--propagator", default="compact:free")
    parser.add_argument("--predictor", default="compact:free")
    parser.add_argument("--manner", default="paper")
    parser.add_argument("--first", default="mask")
    parser.add_argument("--apart", action="store_true", help="share nothing: what a round costs")
    args = parser.parse_args()
    told = args.out.read_text().splitlines() if args.out.exists() else []
    lines = [json.loads(line) for line in told]
    there = {(x["sequence"], x["kind"], x["merge"]) for x in lines}
    for name in read_sequence_names(args.sequences, args.data):
        sequence, made = open_sequence(args.data, name), {}
        for kind, merge in product(args.kinds.split(","), MERGES):
            if (name, kind, merge) not in there:
                lines.append(played(sequence, merge, kind, made, args))
                with args.out.open("a") as file:
                    file.write(json.dumps(lines[-1]) + "\n")
    for kind in args.kinds.split(","):
        report(lines, kind, args.rounds, apart=args.apart)


if __name__ == "__main__":
    main()

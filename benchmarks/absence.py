"""What it does that somebody says an object is absent: `python -m benchmarks.absence DATA`.

All objects of each video get a first mask and are carried. An object is then said to be absent on
the one frame that does not show it where most is taken for it, as a person would who looks through
the frames. Pixels that are taken for it, relative to how many it truly has (median over the frames
that show it), and J&F where it is in the picture, before and after, by the distance from that
frame. The videos have to have objects that leave (`docs/crowd.md`).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.intervals import interval
from evavos_widget import engines
from evavos_widget.datasets.davis import open_sequence, read_sequence_names
from evavos_widget.metrics import SequenceScorer
from evavos_widget.session import Session

DISTANCES = {
    "0": (0, 1),
    "1 to 2": (1, 3),
    "3 to 5": (3, 6),
    "6 to 10": (6, 11),
    "11 on": (11, np.inf),
}


def measure(data: Path, name: str, args: argparse.Namespace) -> list[dict[str, Any]]:
    """For each object that leaves: what changed on every frame."""
    sequence = open_sequence(data, name)
    truth = sequence.ground_truth
    objects = sorted({int(i) for i in np.unique(truth[0])} - {0, 255})
    scorer = SequenceScorer(truth, frames="all", objects=objects)
    propagator = engines.create("propagator", args.engine)
    found = []
    with Session(
        sequence.video, propagator=propagator, predictor=args.engine, path=None
    ) as session:
        for obj in objects:
            if session.add_object() != obj:
                raise ValueError(f"the objects of {name} are {objects}; number them from 1 on.")
            session.annotate(0, truth[0] == obj, objects=[obj])
        session.propagate()
        for obj in objects:
            gone = [f for f in sorted(truth) if not (truth[f] == obj).any()]
            taken, quality = told(session, scorer, truth, obj, objects)
            wrong = [f for f in gone if taken[f]]
            if not wrong:
                continue
            frame = max(wrong, key=lambda f: taken[f])
            nothing = np.zeros(truth[0].shape, bool)
            session.annotate(frame, nothing, objects=[obj], kind="absent")
            session.propagate()
            after, better = told(session, scorer, truth, obj, objects)
            session.undo()
            session.propagate()
            sizes = [int((truth[f] == obj).sum()) for f in truth if f not in gone]
            found.append({
                "video": name, "object": obj, "frame": frame, "area": float(np.median(sizes)),
                "gone": gone, "taken": [taken, after], "jf": [quality, better],
            })  # fmt: skip
    return found


def told(
    session: Session,
    scorer: SequenceScorer,
    truth: Mapping[int, np.ndarray],
    obj: int,
    objects: list[int],
) -> tuple[list[int], list[float]]:
    """Pixels that are taken for the object on every frame, and its J&F there."""
    score, column = scorer.score(session.masks), objects.index(obj)
    both = (score.j_per_frame[:, column] + score.f_per_frame[:, column]) / 2
    return [int((session.masks[f] == obj).sum()) for f in sorted(truth)], both.tolist()


def shown(values: list[float]) -> str:
    """Mean, its interval over objects, and how many there are."""
    if not values:
        return "-"
    low, high = interval(np.array(values))
    return f"{np.mean(values):.3f} ({low:.3f} to {high:.3f}; {len(values)})"


def table(cases: list[dict[str, Any]]) -> str:
    """Means over objects, by distance."""
    lines = [
        "| frames away | taken for it, before | after | J&F where it is, before | change |",
        "|---|---|---|---|---|",
    ]
    for where, (first, end) in DISTANCES.items():
        before, after, quality, change = [], [], [], []
        for case in cases:
            gone = set(case["gone"])
            near = [
                f for f in range(len(case["taken"][0])) if first <= abs(f - case["frame"]) < end
            ]
            away, there = [f for f in near if f in gone], [f for f in near if f not in gone]
            if away:
                old, new = (np.mean([t[f] for f in away]) / case["area"] for t in case["taken"])
                before.append(float(old))
                after.append(float(new))
            if there:
                old, new = (float(np.mean([q[f] for f in there])) for q in case["jf"])
                quality.append(old)
                change.append(new - old)
        lines.append(
            f"| {where} | {shown(before)} | {shown(after)} | {shown(quality)} | {shown(change)} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description="What it does that an object is said to be absent."
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--sequences", default="", help="A,B,... or @FILE; all")
    parser.add_argument("--engine", default="compact:free")
    parser.add_argument("--out", type=Path, default=Path("absence.jsonl"))
    args = parser.parse_args()
    names = (
        read_sequence_names(args.sequences, args.data)
        if args.sequences
        else sorted(p.name for p in (args.data / "JPEGImages").iterdir())
    )
    done = (
        [json.loads(line) for line in args.out.read_text().splitlines()]
        if args.out.exists()
        else []
    )
    for name in names:
        if name in {line["video"] for line in done}:
            continue
        done.append({"video": name, "cases": measure(args.data, name, args)})
        with args.out.open("a") as file:
            file.write(json.dumps(done[-1]) + "\n")
        print(name, len(done[-1]["cases"]), flush=True)
    print(table([case for line in done for case in line["cases"]]))


if __name__ == "__main__":
    main()

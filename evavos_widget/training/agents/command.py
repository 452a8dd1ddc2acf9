"""``evavos train collect|qnet|policy|ivosw|joint|evaluate``: the agents, step by step.

Loops are simulated on videos with masks, ``evavos crowd`` or your own, and the agents learn from
those.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from evavos_widget.files import in_words
from evavos_widget.quantities import as_count
from evavos_widget.training.missing import what_is_missing

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    args = _parser().parse_args(argv)
    try:
        if "seed" in args:  # no generator takes one below 0
            as_count("--seed", args.seed, 0)
        args.run(args)
    except ImportError as error:
        print(f"training: {what_is_missing(error)}", file=sys.stderr)
        return 1
    except (ValueError, OSError, RuntimeError) as error:
        print(f"training: {in_words(error)}", file=sys.stderr)
        return 1
    return 0


def _collect(args: argparse.Namespace) -> None:
    from evavos_widget.datasets.davis import read_sequence_names, sequence_names
    from evavos_widget.training.agents.collect import Simulation, collect

    workers = as_count("--workers", args.workers)
    options = (
        "propagator", "predictor", "rounds", "candidates", "height", "longest", "every", "seeds",
        "seed", "pictures",
    )  # fmt: skip
    if args.sequences is None:
        names = sequence_names(args.data)
    else:
        names = read_sequence_names(args.sequences, args.data)
    given = {name: getattr(args, name) for name in options if getattr(args, name) is not None}
    made = collect(Simulation(args.data, tuple(names), **given), args.out, workers)
    print(f"{made} loops were simulated; all that there are lie in {args.out}")


def _train(args: argparse.Namespace) -> None:
    from evavos_widget.training.agents.records import read_records

    if getattr(args, "length", None) is not None:
        as_count("length", args.length)
    records = read_records(*args.data)
    if args.agent == "qnet":
        from evavos_widget.training.agents.qnet import train_qnet

        about = train_qnet(
            records,
            args.out,
            preset="paper" if args.preset == "released" else args.preset,
            bins=args.bins,
            seed=args.seed,
            epochs=args.length,
            released=args.preset == "released",
        )
    elif args.agent == "policy":
        from evavos_widget.training.agents.policy import train_policy

        about = train_policy(
            records,
            args.out,
            preset=args.preset,
            seed=args.seed,
            steps=args.length,
            qnet=args.qnet,
        )
    elif args.agent == "ivosw":
        from evavos_widget.training.agents.ivosw import EPOCHS, train_ivosw

        about = train_ivosw(records, args.out, seed=args.seed, epochs=args.length or EPOCHS)
    else:
        from evavos_widget.training.agents.joint import train_joint

        about = train_joint(records, args.out, seed=args.seed)
    told = json.dumps(about, indent=2, allow_nan=False)
    (args.out / f"{args.agent}.json").write_text(told + "\n", encoding="utf-8")
    print(json.dumps(about["held_out"], indent=2, allow_nan=False))


def _evaluate(args: argparse.Namespace) -> None:
    from evavos_widget.training.agents.evaluate import evaluate_agent
    from evavos_widget.training.agents.records import read_records

    records = read_records(*args.data)
    found = evaluate_agent(args.agent, records, args.weights)
    print(json.dumps(found, indent=2, allow_nan=False))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="evavos train", description="Train the agents.")
    steps = parser.add_subparsers(required=True, metavar="what")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--out", type=Path, required=True, help="folder; taken up if it exists")
    common.add_argument("--seed", type=int, default=0, help="of what chance decides (0)")

    collect = steps.add_parser("collect", parents=[common], help="simulate loops to learn from")
    collect.add_argument("--data", type=Path, required=True, help="has JPEGImages and Annotations")
    collect.add_argument("--sequences", help="A,B,... or @FILE with one name a line; all")
    collect.add_argument("--propagator", help="a name; compact:free")
    collect.add_argument("--predictor", help="a name; compact:free")
    collect.add_argument("--rounds", type=int, help="annotations after the first (5)")
    collect.add_argument("--candidates", type=int, help="frames to try in each state (3)")
    collect.add_argument("--height", type=int, help="of the frames in pixels, at most (240)")
    collect.add_argument("--longest", type=int, help="frames of a video, at most (40)")
    collect.add_argument("--every", type=int, help="only every so many frames (1)")
    collect.add_argument("--seeds", type=int, help="loops of each object, from --seed on (1)")
    collect.add_argument("--pictures", action="store_true", help="keep what preset paper sees")
    collect.add_argument("--workers", type=int, default=1, help="processes (1)")
    collect.set_defaults(run=_collect)

    for agent, told, length in (
        ("qnet", "the quality of masks, to choose frames by", "epochs"),
        ("policy", "the type of annotation, by PPO", "steps of the environment"),
        ("ivosw", "IVOS-W, to compare with", "epochs"),
        ("joint", "frame and type together", ""),
    ):
        one = steps.add_parser(agent, parents=[common], help=told)
        one.add_argument("--data", type=Path, nargs="+", required=True, help="of collect")
        if length:
            one.add_argument("--length", type=int, help=f"{length}; as the preset has them")
        if agent in ("qnet", "policy"):
            one.add_argument(
                "--preset", default="compact", choices=["compact", "paper", "released"]
            )
        if agent == "policy":
            one.add_argument(
                "--qnet", default="", help="whose encoders it has; those that come with the package"
            )
        if agent == "qnet":
            one.add_argument("--bins", type=int, default=20)
        one.set_defaults(run=_train, agent=agent)

    evaluate = steps.add_parser("evaluate", help="an agent on loops of other videos")
    evaluate.add_argument("agent", choices=["qnet", "policy", "ivosw", "joint"])
    evaluate.add_argument("--data", type=Path, nargs="+", required=True, help="of collect")
    evaluate.add_argument("--weights", default="", help="those that come with the package")
    evaluate.set_defaults(run=_evaluate)
    return parser

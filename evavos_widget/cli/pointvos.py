"""`evavos pointvos`: points in place of masks."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from evavos_widget.cli.common import data_options, output_file, write
from evavos_widget.quantities import as_count

__all__ = ["add_parsers"]


def add_parsers(commands: Any) -> None:
    """Add them to the commands of ``evavos``."""
    data = data_options()
    points = commands.add_parser("pointvos", help="points in place of masks, as in Point-VOS")
    doing = points.add_subparsers(required=True, metavar="what")
    scored = doing.add_parser(
        "benchmark", parents=[data], help="masks from 1, 2, 5 and 10 points on one frame"
    )
    scored.add_argument(
        "--method",
        default="pseudo-mask",
        help="pseudo-mask (default), points straight into the propagator, or the true mask",
    )
    scored.add_argument("--propagator", default="compact")
    scored.add_argument("--predictor", default="compact")
    scored.add_argument(
        "--frames", default="davis", help="davis (default), after-first, all, evavos"
    )
    scored.add_argument(
        "--points",
        type=Path,
        help="a .jsonl file of point sets, read or else written; by default written beside --json",
    )
    scored.add_argument("--meta", type=Path, help="meta.json, for the scores of YouTube-VOS")
    scored.add_argument("--seen", type=Path, help="that of the training set")
    verified = doing.add_parser(
        "verify", parents=[data], help="propose points, and let a robot verify them"
    )
    verified.add_argument("--propagator", default="flow")
    verified.add_argument("--predictor", default="classical")
    verified.add_argument(
        "--localisation", default="clicks", help="clicks (default), box, scribble, mask"
    )
    verified.add_argument("--selector", default="random", help="random (default), largest-effect")
    verified.add_argument("--error-rate", type=float, default=0.0, help="of the robot's answers")
    verified.add_argument("--out", type=Path, help="a new folder for the points of each sequence")
    simulated = doing.add_parser("simulate", parents=[data], help="draw points from masks")
    simulated.add_argument("--n", type=int, default=10, help="points on an object per frame (10)")
    simulated.add_argument("--background", type=int, default=10, help="and beside it (10)")
    simulated.add_argument("--label-frames", type=int, default=10, help="0 for all (10)")
    simulated.add_argument("--out", type=Path, required=True, help="a .jsonl file")
    guessed = doing.add_parser("pseudo-masks", help="masks that a predictor makes of points")
    guessed.add_argument("--data", type=Path, required=True, help="has JPEGImages")
    guessed.add_argument("--points", type=Path, required=True, help="a .json or .jsonl file")
    guessed.add_argument("--predictor", default="compact")
    guessed.add_argument("--out", type=Path, required=True, help="folder")
    guessed.set_defaults(run=_pointvos_pseudo_masks)
    for one, run in (
        (scored, _pointvos_benchmark),
        (verified, _pointvos_verify),
        (simulated, _pointvos_simulate),
    ):
        one.add_argument("--seed", type=int, default=0)
        one.set_defaults(run=run)

    compared = doing.add_parser("compare", help="how far two annotators' points agree")
    compared.add_argument("first", type=Path, metavar="A", help="a .json or .jsonl file of points")
    compared.add_argument("second", type=Path, metavar="B")
    compared.add_argument("--json", type=output_file, help="file for the result")
    compared.set_defaults(run=_pointvos_compare)


def _pointvos_benchmark(args: argparse.Namespace) -> None:
    from evavos_widget.datasets.davis import read_sequence_names
    from evavos_widget.evaluation.pointvos_benchmark import evaluate_benchmark
    from evavos_widget.evaluation.rows import kept_beside

    with kept_beside(args.json) as rows:
        result = evaluate_benchmark(
            args.data,
            read_sequence_names(args.sequences, args.data),
            method=args.method,
            propagator=args.propagator,
            predictor=args.predictor,
            frames=args.frames,
            seed=args.seed,
            points=args.points,
            drawn_to=args.json and args.json.with_suffix(".points.jsonl"),
            meta=args.meta,
            seen=args.seen,
            rows=rows,
        )
        write(result, args.json)
    print("  ".join(f"{n}: {jf:.3f}" for n, jf in result["jf"].items()))
    for n, scores in (result["youtube_vos"] or {}).items():
        told = (f"{k} {'-' if v is None else f'{v:.3f}'}" for k, v in scores.items())
        print(f"{n} points: {'  '.join(told)}")


def _pointvos_simulate(args: argparse.Namespace) -> None:
    from evavos_widget.datasets.davis import read_sequence_names
    from evavos_widget.datasets.point_sets import simulated_set
    from evavos_widget.formats.pointvos import write

    label_frames = as_count("--label-frames", args.label_frames, 0)
    names = read_sequence_names(args.sequences, args.data)
    found = list(
        simulated_set(
            args.data,
            names,
            n=args.n,
            background=args.background,
            frames=label_frames or None,
            seed=args.seed,
        )
    )
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write(found, args.out)
    print(f"{sum(len(of.points) for of in found)} points on {len(found)} objects in {args.out}")


def _pointvos_pseudo_masks(args: argparse.Namespace) -> None:
    from evavos_widget.datasets.point_sets import write_pseudo_masks
    from evavos_widget.formats.pointvos import read

    n = write_pseudo_masks(args.data, read(args.points), args.predictor, args.out)
    print(f"{n} masks in {args.out}")


def _pointvos_verify(args: argparse.Namespace) -> None:
    from evavos_widget.datasets.davis import read_sequence_names
    from evavos_widget.evaluation.pointvos import evaluate_points
    from evavos_widget.evaluation.rows import kept_beside

    with kept_beside(args.json or args.out) as rows:
        result = evaluate_points(
            args.data,
            read_sequence_names(args.sequences, args.data),
            propagator=args.propagator,
            predictor=args.predictor,
            localisation=args.localisation,
            selector=args.selector,
            error_rate=args.error_rate,
            seed=args.seed,
            export=args.out,
            rows=rows,
        )
        write(result, args.json)
    times = result["masks_over_points"]
    longer = "" if times is None else f"; a mask on every frame takes {times:.0f} times as long"
    print(f"{result['points']:.0f} points and {result['seconds']:.0f} s per object{longer}")


def _pointvos_compare(args: argparse.Namespace) -> None:
    from evavos_widget.formats.agreement import compare

    result = {}
    for name, found in compare(args.first, args.second).items():
        share, kappa = found.agreement, found.kappa
        said = "nothing in common" if share is None else f"{share:.1%} the same"
        chance = "" if kappa is None else f", kappa {kappa:.2f}"
        print(
            f"{name:12s} {found.both} points of both: {said}{chance}; {found.only_a} only in A, "
            f"{found.only_b} only in B"
        )
        result[name] = {
            "agreement": share,
            "kappa": kappa,
            "only_a": found.only_a,
            "only_b": found.only_b,
            "table": {f"{a} {b}": n for (a, b), n in found.table.items() if n},
        }
    write(result, args.json)

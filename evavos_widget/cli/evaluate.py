"""`evavos evaluate`: the engines against the truth."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evavos_widget.cli.common import data_options, output_file, plus_minus, write
from evavos_widget.quantities import as_count

if TYPE_CHECKING:
    from evavos_widget.evaluation.rows import Rows

__all__ = ["add_parsers"]


def add_parsers(commands: Any) -> None:
    """Add them to the commands of ``evavos``."""
    data = data_options()
    evaluate = commands.add_parser("evaluate", help="measure the engines against ground truth")
    what = evaluate.add_subparsers(required=True, metavar="what")

    propagation = what.add_parser("propagation", parents=[data], help="masks on K frames")
    propagation.add_argument(
        "--propagator",
        nargs="+",
        default=["compact"],
        help="one or several, compared in one run; a name, or package.module:Class",
    )
    propagation.add_argument("--annotated", type=int, default=1, metavar="K")
    propagation.add_argument(
        "--frames", default="davis", help="davis (default), after-first, all, evavos"
    )
    propagation.add_argument(
        "--second-round", action="store_true", help="also time a pass after one more annotation"
    )
    propagation.add_argument(
        "--pictures", type=Path, help="folder for a picture of each sequence, best read by name"
    )
    propagation.set_defaults(run=_evaluate_propagation)

    quality = what.add_parser("quality", parents=[data], help="predicted against true quality")
    quality.add_argument("--propagator", default="compact")
    quality.set_defaults(run=_evaluate_quality)

    clicks = what.add_parser("clicks", parents=[data], help="simulated corrective clicks")
    clicks.add_argument(
        "--predictor",
        nargs="+",
        default=["compact"],
        help="a name, or package.module:Class; with --together several, compared with the first",
    )
    clicks.add_argument(
        "--together",
        action="store_true",
        help="all objects of a frame, from nothing, one by one and together",
    )
    clicks.add_argument("--clicks", type=int, default=10, metavar="N")
    clicks.add_argument(
        "--start", choices=["empty", "propagated", "second-object"], default="empty"
    )
    clicks.add_argument("--propagator", default="compact", help="makes the propagated start")
    clicks.add_argument("--frames-per-sequence", type=int, default=10, metavar="M")
    clicks.add_argument("--seed", type=int, default=0)
    clicks.add_argument(
        "--alone", action="store_true", help="without what a correction does for certain"
    )
    clicks.set_defaults(run=_evaluate_clicks)

    narrated = what.add_parser("vng", help="masks of the nouns of narratives")
    narrated.add_argument("--data", type=Path, required=True, help="has meta_expressions.json")
    narrated.add_argument("--predictions", type=Path, required=True, help="VIDEO/NOUN/FRAME.png")
    narrated.add_argument("--json", type=output_file, help="write the figures there")
    narrated.set_defaults(run=_evaluate_vng)


def _evaluate_propagation(args: argparse.Namespace) -> None:
    from evavos_widget.datasets.davis import read_sequence_names
    from evavos_widget.evaluation.rows import kept_beside

    names = read_sequence_names(args.sequences, args.data)
    with kept_beside(args.json) as rows:
        results = [_of_propagator(args, names, propagator, rows) for propagator in args.propagator]
        write(results[0] if len(results) == 1 else {"runs": results}, args.json)


def _of_propagator(
    args: argparse.Namespace, names: Sequence[str], propagator: str, rows: Rows
) -> dict[str, Any]:
    from evavos_widget.evaluation.propagation import evaluate_propagation

    print(propagator)
    result = evaluate_propagation(
        args.data,
        names,
        propagator,
        annotated=args.annotated,
        frames=args.frames,
        second_round=args.second_round,
        pictures=args.pictures and args.pictures / propagator.replace("/", "_"),
        rows=rows,
    )
    mean, again = result["mean"], result["second_round"]
    print(
        f"{'mean':24s} J {mean['j']:.3f}  F {mean['f']:.3f}  J&F {mean['jf']:.3f}"
        f"{plus_minus(result['standard_error'])}  ({result['frames']} frames, "
        f"{result['ms_per_frame']:.0f} ms per frame, {result['cpu_ms_per_frame']:.0f} of CPU, "
        f"peak memory so far {result['peak_memory_mb']:.0f} MB"
        f"{'' if again is None else f', a second round {again:.2f} of the first'})"
    )
    return result


def _evaluate_clicks(args: argparse.Namespace) -> None:
    from evavos_widget.datasets.davis import read_sequence_names
    from evavos_widget.evaluation.rows import kept_beside

    as_count("--clicks", args.clicks)
    as_count("--frames-per-sequence", args.frames_per_sequence)
    names = read_sequence_names(args.sequences, args.data)
    if args.together and (args.start != "empty" or args.alone):
        raise ValueError("--together starts from nothing and has no --alone; leave them out.")
    if len(args.predictor) > 1 and not args.together:
        raise ValueError("several predictors are compared with --together; give one, or that.")
    if args.together:
        evaluate = _evaluate_together
    else:
        evaluate = _evaluate_pairs if args.start == "second-object" else _evaluate_one_by_one
    with kept_beside(args.json) as rows:
        write(evaluate(args, names, rows), args.json)


def _evaluate_pairs(args: argparse.Namespace, names: Sequence[str], rows: Rows) -> dict[str, Any]:
    from evavos_widget.evaluation.clicks import evaluate_second_object

    (predictor,) = args.predictor
    result = evaluate_second_object(args.data, names, predictor, alone=args.alone, rows=rows)
    print(
        f"one negative click, {result['pairs']} pairs: {result['removed']:.3f} of the second "
        f"object removed and {result['kept']:.3f} of the first kept (medians); as meant in "
        f"{result['right']:.3f} of the pairs"
    )
    return result


def _evaluate_one_by_one(
    args: argparse.Namespace, names: Sequence[str], rows: Rows
) -> dict[str, Any]:
    from evavos_widget.evaluation.clicks import evaluate_clicks

    (predictor,) = args.predictor
    result = evaluate_clicks(
        args.data,
        names,
        predictor,
        clicks=args.clicks,
        start=args.start,
        frames_per_sequence=args.frames_per_sequence,
        seed=args.seed,
        propagator=args.propagator,
        alone=args.alone,
        rows=rows,
    )
    for label, part in (
        ("mean", result),
        ("start below 0.75", result["bad_start"]),
        ("start at 0.75 or above", result["good_start"]),
    ):
        if part["iou_after_clicks"] is not None:
            values = "  ".join(f"{v:.3f}" for v in part["iou_after_clicks"])
            print(f"{label:24s} {values}  (n = {part['n']})")
    noc = "  ".join(f"NoC@{iou} {n:.2f}" for iou, n in result["noc"].items())
    ms = result["ms_per_click"]
    took = "nothing to click" if ms is None else f"{ms:.0f} ms per click"
    print(f"{noc}  (at most 20)  {took}")
    return result


def _evaluate_together(
    args: argparse.Namespace, names: Sequence[str], rows: Rows
) -> dict[str, Any]:
    from evavos_widget.evaluation.together import NOC_IOU, evaluate_together

    result = evaluate_together(
        args.data,
        names,
        args.predictor,
        clicks=args.clicks,
        frames_per_sequence=args.frames_per_sequence,
        seed=args.seed,
        rows=rows,
    )
    n = result["clicks"]
    shown = sorted({1, min(3, n), n})
    print(f"{result['frames']} frames, {result['objects']} objects; means and 95 % intervals")
    for row, found in result["rows"].items():
        ious = "  ".join(
            f"IoU@{k} {found['iou_after_clicks'][k - 1]:.3f}"
            f"{plus_minus(found['iou_interval'][k - 1])}"
            for k in shown
        )
        print(
            f"{row:32s} {ious}  NoC@{100 * NOC_IOU:.0f} {found['noc']:.2f}"
            f"{plus_minus(found['noc_interval'])}  apart {found['apart']:+.3f}"
            f"{plus_minus(found['apart_interval'])}  {found['ms_per_click']:.0f} ms per click"
        )
    return result


def _evaluate_vng(args: argparse.Namespace) -> None:
    from evavos_widget.evaluation.vng import evaluate_vng

    result = evaluate_vng(args.data, args.predictions)
    print(
        f"{len(result['expressions'])} nouns: J {result['j']:.3f}  F {result['f']:.3f}  "
        f"J&F {result['jf']:.3f}{plus_minus(result['standard_error'])} ({result['frames']} frames)"
    )
    write(result, args.json)


def _evaluate_quality(args: argparse.Namespace) -> None:
    from evavos_widget.datasets.davis import read_sequence_names
    from evavos_widget.evaluation.calibration import calibrate_quality
    from evavos_widget.evaluation.rows import kept_beside

    names = read_sequence_names(args.sequences, args.data)
    with kept_beside(args.json) as rows:
        result = calibrate_quality(args.data, names, args.propagator, rows=rows)
        write(result, args.json)
    correlation = {
        what: "-" if rank is None else f"{rank:.2f}"
        for what, rank in result["rank_correlation"].items()
    }
    print(
        f"mean absolute error {result['mean_absolute_error']:.3f}; rank correlation within a pass "
        f"{correlation['predicted']} (expected IoU alone {correlation['expected_iou']}); "
        f"weights fitted here {result['fitted_weights']} (n = {result['n']})"
    )
    mean = result["mean_error"]
    print(
        f"mean over a video, true less predicted: {mean['bias']:+.3f} with a standard deviation of "
        f"{mean['deviation']:.3f} ({mean['n']} sequences)"
    )

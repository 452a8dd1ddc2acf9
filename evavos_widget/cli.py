"""The command line: `evavos` and `python -m evavos_widget`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from evavos_widget import __version__, vng_cli

__all__ = ["main"]

AGENTS = ("collect", "qnet", "policy", "ivosw", "joint", "evaluate")
"""Of ``evavos train``: loops to learn from, and the agents that learn from them."""

TRAININGS = {
    "compact": "evavos_widget.training.compact",
    "dynamite": "evavos_widget.training.dynamite",
    "stcn-points": "evavos_widget.training.stcn",
    **dict.fromkeys(AGENTS, "evavos_widget.training.agents.command"),
}
"""What ``evavos train`` trains, and whose command that is."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status, 1 after an error that was told in a sentence."""
    given = sys.argv[1:] if argv is None else list(argv)
    if given[:1] == ["train"] and given[1:2] and given[1] in TRAININGS:
        # Their options are their own, and need PyTorch.
        own = given[1:] if given[1] in AGENTS else given[2:]
        return import_module(TRAININGS[given[1]]).main(own)
    if given[:2] == ["vng", "train"]:
        return import_module("evavos_widget.training.vng").main(given[2:])
    args = _parser().parse_args(given)
    try:
        args.run(args)
    except (ValueError, OSError, RuntimeError, LookupError, ImportError) as error:
        message = error.args[0] if isinstance(error, LookupError) and error.args else error
        print(f"evavos: {message}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("evavos: stopped", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="evavos", description="Masks on video, with an agent that says what to annotate next."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="command")

    demo = commands.add_parser("demo", help="the loop on the embedded clip, with a robot annotator")
    demo.add_argument("--output", type=Path, default=Path("demo-output"))
    demo.add_argument("--rounds", type=int, default=8)
    demo.set_defaults(run=_demo)

    lab = commands.add_parser("lab", help="open the annotator in JupyterLab")
    lab.add_argument("notebook", nargs="?", default="examples/01_annotate.ipynb")
    lab.add_argument("options", nargs=argparse.REMAINDER, help="passed on to jupyter lab")
    lab.set_defaults(run=_lab)

    export = commands.add_parser("export", help="take the masks of a session away")
    export.add_argument("session", type=Path, help="the session's folder, NAME.evavos")
    export.add_argument(
        "--format",
        default="davis",
        help="davis (default), youtube-vos, coco, youtube-vis, overlay, numpy or pointvos",
    )
    export.add_argument("--video", help="where the video is now, if it moved")
    export.add_argument("--output", type=Path)
    export.add_argument("--overwrite", action="store_true")
    export.set_defaults(run=_export)

    evaluate = commands.add_parser("evaluate", help="measure the engines against ground truth")
    what = evaluate.add_subparsers(required=True, metavar="what")
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument("--data", type=Path, required=True, help="has JPEGImages and Annotations")
    data.add_argument("--sequences", required=True, help="A,B,... or @FILE with one name a line")
    data.add_argument("--json", type=Path, help="write the figures there")

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
    narrated.add_argument("--json", type=Path, help="write the figures there")
    narrated.set_defaults(run=_evaluate_vng)

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
        "--points", type=Path, help="a .jsonl file of point sets, read or else written"
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
    verified.add_argument("--out", type=Path, help="folder for the points of each sequence")
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
    compared.add_argument("--json", type=Path, help="file for the result")
    compared.set_defaults(run=_pointvos_compare)

    vng_cli.add_parser(commands)

    order = argparse.ArgumentParser(add_help=False)
    order.add_argument(
        "--schedule",
        choices=["equal-seconds", "round-robin", "value", "oracle"],
        help="in which order objects get their annotations; by default equal-seconds where there "
        "is a budget, round-robin where there is none",
    )
    experiment = commands.add_parser(
        "experiment",
        parents=[order],
        help="compare methods on many videos, with the robot annotator",
    )
    experiment.add_argument(
        "--preset", help="fig3a, fig3b, fig3c, encoders, first, room, types, points"
    )
    experiment.add_argument("--config", type=Path, help="a TOML file instead of a preset")
    experiment.add_argument("--data", help="has JPEGImages and Annotations")
    experiment.add_argument("--sequences", help="A,B,... or @FILE with one name a line")
    experiment.add_argument("--propagator", help="a name, or package.module:Class")
    experiment.add_argument("--predictor", help="a name, or package.module:Class")
    experiment.add_argument("--rounds", type=int, help="annotations after the first, at most")
    experiment.add_argument(
        "--budget",
        type=float,
        metavar="SECONDS",
        help="of the annotator, for each object, in place of --rounds",
    )
    experiment.add_argument("--first", choices=["mask", "clicks"], help="of all methods")
    experiment.add_argument("--merge", choices=["trust", "nearest"], help="of all methods")
    experiment.add_argument("--manner", help="of the robot's clicks: paper (default), person")
    experiment.add_argument("--seeds", type=int, help="runs of each method with chance in it")
    experiment.add_argument("--clicks", type=int, help="per interaction")
    experiment.add_argument("--frames", help="evavos (default), davis, after-first, all")
    experiment.add_argument("--placement", help="of clicks: distance (default), centroid")
    experiment.add_argument("--agreement", type=float, help="IoU of drawn masks with the truth")
    experiment.add_argument("--jitter", type=float, help="of clicks, in pixels")
    experiment.add_argument("--error-rate", type=float, help="of answers to proposed points")
    experiment.add_argument("--costs", type=Path, help="a TOML file of seconds, see evavos costs")
    experiment.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count() or 1,
        help="processes; one for each core by default",
    )
    experiment.add_argument("--scheduler", metavar="tcp://HOST:PORT", help="a Dask cluster")
    experiment.add_argument("--out", type=Path, required=True, help="folder; taken up if it exists")
    experiment.set_defaults(run=_experiment)

    train = commands.add_parser("train", help="train the networks that come with the package")
    train.add_argument("what", choices=list(TRAININGS), help="see evavos train WHAT --help")

    crowd = commands.add_parser(
        "crowd", help="render synthetic videos that are hard to follow, from your photographs"
    )
    crowd.add_argument(
        "--photographs",
        nargs="+",
        required=True,
        metavar="FOLDER",
        help="each with images and masks; FOLDER:whole where all labels of a mask are one object",
    )
    crowd.add_argument("--level", default="middle", help="easy, middle (default), hard")
    crowd.add_argument("--side", default="test", help="of the photographs: train, test (default)")
    crowd.add_argument("--seeds", default="0-9", help="A-B or A,B,...; a video each")
    crowd.add_argument("--height", type=int, help="of the frames, in pixels")
    crowd.add_argument("--width", type=int)
    crowd.add_argument("--out", type=Path, required=True, help="a dataset, laid out as DAVIS")
    crowd.set_defaults(run=_crowd)

    costs = commands.add_parser("costs", help="what annotations cost in sessions of your own")
    costs.add_argument("sessions", type=Path, nargs="+", help="folders, NAME.evavos")
    costs.add_argument("--out", type=Path, help="a file for evavos experiment --costs")
    costs.set_defaults(run=_costs)

    benchmark = commands.add_parser("benchmark", help="measure against published code")
    against = benchmark.add_subparsers(required=True, metavar="what")
    scorer = against.add_parser("scorer", parents=[data], help="J&F against vos-benchmark")
    scorer.set_defaults(run=_benchmark_scorer)
    stcn = against.add_parser("propagation", parents=[data], help="STCN, with random weights")
    stcn.add_argument("--repeats", type=int, default=5, help="medians are over so many runs")
    stcn.add_argument("--frames", type=int, help="only so many of each sequence")
    stcn.set_defaults(run=_benchmark_propagation)
    everything = against.add_parser(
        "all", help="one table, beside what people would use otherwise (minutes)"
    )
    everything.add_argument("--data", type=Path, required=True, help="laid out as DAVIS")
    everything.add_argument("--only", nargs="+", metavar="PART", help="import picture bundle ...")
    everything.add_argument("--json", type=Path, help="write the figures here")
    everything.set_defaults(run=_benchmark_all)

    models = commands.add_parser("models", help="weights: which there are, and where")
    doing = models.add_subparsers(required=True, metavar="what")
    doing.add_parser("list", help="names, terms, sources").set_defaults(run=_models_list)
    doing.add_parser("verify", help="check the files that are there").set_defaults(
        run=_models_verify
    )
    for what, run, told in (
        ("download", _models_download, "get a file, or the rest of it"),
        ("path", _models_path, "where the file is, or would be"),
    ):
        one = doing.add_parser(what, help=told)
        one.add_argument("name")
        one.set_defaults(run=run)

    again = commands.add_parser(
        "report", parents=[order], help="the tables and the picture of experiments again"
    )
    again.add_argument("folders", type=Path, nargs="+")
    again.add_argument(
        "--into",
        type=Path,
        metavar="FILE",
        help="put each report into a text, between <!-- report FOLDER --> and <!-- end -->",
    )
    again.set_defaults(run=_report)

    plot = commands.add_parser(
        "plot", parents=[order], help="one picture of one or several experiments"
    )
    plot.add_argument("folders", type=Path, nargs="+")
    plot.add_argument("--out", type=Path, required=True, help="a .png or .svg file")
    plot.set_defaults(run=_plot)
    return parser


def _demo(args: argparse.Namespace) -> None:
    from evavos_widget.demo import run_demo

    run_demo(args.output, args.rounds)


def _lab(args: argparse.Namespace) -> None:
    notebook = Path(args.notebook)
    if not notebook.exists():
        raise FileNotFoundError(
            f"there is no notebook {str(notebook)!r}; "
            "run this where the examples are, or give a notebook's path."
        )
    command = [sys.executable, "-m", "jupyterlab", str(notebook), *args.options]
    os.execv(sys.executable, command)


def _export(args: argparse.Namespace) -> None:
    from evavos_widget.session import Session

    with Session.open(args.session, video=args.video) as session:
        if session.stale:
            print(f"{len(session.stale)} frames wait for a pass; propagating first")
            session.propagate(progress=sys.stderr.isatty())
        options = {"overwrite": args.overwrite} if args.output is not None else {}
        print(session.export(args.format, args.output, **options))


def _evaluate_propagation(args: argparse.Namespace) -> None:
    from evavos_widget.datasets.davis import read_sequence_names
    from evavos_widget.evaluation.propagation import evaluate_propagation

    names = read_sequence_names(args.sequences, args.data)
    results = []
    for propagator in args.propagator:
        print(propagator)
        result = evaluate_propagation(
            args.data,
            names,
            propagator,
            annotated=args.annotated,
            frames=args.frames,
            second_round=args.second_round,
            pictures=args.pictures and args.pictures / propagator.replace("/", "_"),
        )
        results.append(result)
        mean, again = result["mean"], result["second_round"]
        print(
            f"{'mean':24s} J {mean['j']:.3f}  F {mean['f']:.3f}  J&F {mean['jf']:.3f}"
            f"{_plus_minus(result['standard_error'])}  ({result['frames']} frames, "
            f"{result['ms_per_frame']:.0f} ms per frame, {result['cpu_ms_per_frame']:.0f} of CPU, "
            f"peak memory so far {result['peak_memory_mb']:.0f} MB"
            f"{'' if again is None else f', a second round {again:.2f} of the first'})"
        )
    _write(results[0] if len(results) == 1 else {"runs": results}, args.json)


def _pointvos_benchmark(args: argparse.Namespace) -> None:
    from evavos_widget.datasets.davis import read_sequence_names
    from evavos_widget.evaluation.pointvos_benchmark import evaluate_benchmark

    points = args.points or (args.json and args.json.with_suffix(".points.jsonl"))
    result = evaluate_benchmark(
        args.data,
        read_sequence_names(args.sequences, args.data),
        method=args.method,
        propagator=args.propagator,
        predictor=args.predictor,
        frames=args.frames,
        seed=args.seed,
        points=points,
        meta=args.meta,
        seen=args.seen,
    )
    print("  ".join(f"{n}: {jf:.3f}" for n, jf in result["jf"].items()))
    for n, scores in (result["youtube_vos"] or {}).items():
        told = (f"{k} {'-' if v is None else f'{v:.3f}'}" for k, v in scores.items())
        print(f"{n} points: {'  '.join(told)}")
    _write(result, args.json)


def _pointvos_simulate(args: argparse.Namespace) -> None:
    from evavos_widget.datasets.davis import read_sequence_names
    from evavos_widget.datasets.point_sets import simulated_set
    from evavos_widget.formats.pointvos import write

    names = read_sequence_names(args.sequences, args.data)
    found = list(
        simulated_set(
            args.data,
            names,
            n=args.n,
            background=args.background,
            frames=args.label_frames or None,
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
    )
    print(
        f"{result['points']:.0f} points and {result['seconds']:.0f} s per object; a mask on every "
        f"frame takes {result['masks_over_points']:.0f} times as long"
    )
    _write(result, args.json)


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
    _write(result, args.json)


def _evaluate_clicks(args: argparse.Namespace) -> None:
    from evavos_widget.datasets.davis import read_sequence_names
    from evavos_widget.evaluation.clicks import evaluate_clicks, evaluate_second_object

    names = read_sequence_names(args.sequences, args.data)
    if args.together:
        if args.start != "empty" or args.alone:
            raise ValueError("--together starts from nothing and has no --alone; leave them out.")
        _evaluate_together(args, names)
        return
    if len(args.predictor) > 1:
        raise ValueError("several predictors are compared with --together; give one, or that.")
    (predictor,) = args.predictor
    if args.start == "second-object":
        result = evaluate_second_object(args.data, names, predictor, alone=args.alone)
        print(
            f"one negative click, {result['pairs']} pairs: {result['removed']:.3f} of the second "
            f"object removed and {result['kept']:.3f} of the first kept (medians); as meant in "
            f"{result['right']:.3f} of the pairs"
        )
        _write(result, args.json)
        return
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
    print(f"{noc}  (at most 20)  {result['ms_per_click']:.0f} ms per click")
    _write(result, args.json)


def _evaluate_together(args: argparse.Namespace, names: Sequence[str]) -> None:
    from evavos_widget.evaluation.together import NOC_IOU, evaluate_together

    result = evaluate_together(
        args.data,
        names,
        args.predictor,
        clicks=args.clicks,
        frames_per_sequence=args.frames_per_sequence,
        seed=args.seed,
    )
    n = result["clicks"]
    shown = sorted({1, min(3, n), n})
    print(f"{result['frames']} frames, {result['objects']} objects; means and 95 % intervals")
    for row, found in result["rows"].items():
        ious = "  ".join(
            f"IoU@{k} {found['iou_after_clicks'][k - 1]:.3f}"
            f"{_plus_minus(found['iou_interval'][k - 1])}"
            for k in shown
        )
        print(
            f"{row:32s} {ious}  NoC@{100 * NOC_IOU:.0f} {found['noc']:.2f}"
            f"{_plus_minus(found['noc_interval'])}  apart {found['apart']:+.3f}"
            f"{_plus_minus(found['apart_interval'])}  {found['ms_per_click']:.0f} ms per click"
        )
    _write(result, args.json)


def _evaluate_vng(args: argparse.Namespace) -> None:
    from evavos_widget.evaluation.vng import evaluate_vng

    result = evaluate_vng(args.data, args.predictions)
    print(
        f"{len(result['expressions'])} nouns: J {result['j']:.3f}  F {result['f']:.3f}  "
        f"J&F {result['jf']:.3f}{_plus_minus(result['standard_error'])} ({result['frames']} frames)"
    )
    _write(result, args.json)


def _evaluate_quality(args: argparse.Namespace) -> None:
    from evavos_widget.datasets.davis import read_sequence_names
    from evavos_widget.evaluation.calibration import calibrate_quality

    names = read_sequence_names(args.sequences, args.data)
    result = calibrate_quality(args.data, names, args.propagator)
    correlation = result["rank_correlation"]
    print(
        f"mean absolute error {result['mean_absolute_error']:.3f}; rank correlation within a pass "
        f"{correlation['predicted']:.2f} (expected IoU alone {correlation['expected_iou']:.2f}); "
        f"weights fitted here {result['fitted_weights']} (n = {result['n']})"
    )
    mean = result["mean_error"]
    print(
        f"mean over a video, true less predicted: {mean['bias']:+.3f} with a standard deviation of "
        f"{mean['deviation']:.3f} ({mean['n']} sequences)"
    )
    _write(result, args.json)


def _benchmark_propagation(args: argparse.Namespace) -> None:
    from evavos_widget.datasets.davis import read_sequence_names

    benchmark_propagation = _from_checkout("propagation").benchmark_propagation
    names = read_sequence_names(args.sequences, args.data)
    _write(
        benchmark_propagation(args.data, names, repeats=args.repeats, frames=args.frames),
        args.json,
    )


def _benchmark_all(args: argparse.Namespace) -> None:
    _write(_from_checkout("everything").benchmark_all(args.data, args.only), args.json)


def _models_list(args: argparse.Namespace) -> None:
    from evavos_widget.checkpoints import DOWNLOADS, HUB, expected_sha256, place, shipped

    for name, entry in shipped().items():
        print(f"{name:15s} comes with the package; {entry.licence}")
    for name, entry in {**DOWNLOADS, **HUB}.items():
        there = "here" if place(name).exists() else "not here"
        size = "of unknown size" if entry.size is None else f"{entry.size / 1e6:.1f} MB"
        print(
            f"{name:15s} {there}, {size}; {entry.licence}; "
            f"trained on {entry.trained}\n{'':15s} {entry.url}\n"
            f"{'':15s} SHA-256 {expected_sha256(name) or 'recorded at the first download'}"
        )


def _models_download(args: argparse.Namespace) -> None:
    from evavos_widget.checkpoints import HUB, download, find, hub_folder, shipped

    get = find if args.name in shipped() else hub_folder if args.name in HUB else download
    print(get(args.name))


def _models_verify(args: argparse.Namespace) -> None:
    from evavos_widget.checkpoints import DOWNLOADS, HUB, place, shipped, verify

    for name in [*shipped(), *DOWNLOADS, *HUB]:
        if place(name).exists():
            print(f"{name:15s} {verify(name)}")


def _models_path(args: argparse.Namespace) -> None:
    from evavos_widget.checkpoints import place

    print(place(args.name))


def _experiment(args: argparse.Namespace) -> None:
    from dataclasses import replace

    from tqdm.auto import tqdm

    from evavos_widget.datasets.davis import read_sequence_names
    from evavos_widget.experiments.experiment import Experiment
    from evavos_widget.experiments.run import run_experiment
    from evavos_widget.experiments.table import Row
    from evavos_widget.robot.costs import read_costs

    names = (
        "data", "propagator", "predictor", "rounds", "budget", "seeds", "clicks", "frames",
        "manner", "placement", "agreement", "jitter", "error_rate",
    )  # fmt: skip
    options = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if args.costs is not None:
        options["costs"] = read_costs(args.costs)
    if args.sequences is not None:
        options["sequences"] = args.sequences
    if (args.preset is None) == (args.config is None):
        raise ValueError("give --preset or --config, one of them.")
    if args.preset is not None:
        for needed in ("data", "sequences"):
            if needed not in options:
                raise ValueError(f"a preset needs --{needed}.")
        options["sequences"] = read_sequence_names(options["sequences"], options["data"])
        experiment = Experiment.preset(args.preset, **options)
    else:
        experiment = Experiment.from_toml(args.config, **options)
    shared = {what: getattr(args, what) for what in ("first", "merge") if getattr(args, what)}
    methods = tuple(replace(method, **shared) for method in experiment.methods)
    experiment = replace(experiment, methods=methods)

    with tqdm(unit="loop") as bar:

        def on_rows(rows: Sequence[Row], done: int, total: int) -> None:
            if bar.total is None:  # what an earlier run has done says nothing of the speed
                bar.total, bar.initial, bar.n, bar.last_print_n = total, done, done, done
                bar.refresh()
            bar.update(done - bar.n)

        try:
            run_experiment(
                experiment,
                args.out,
                workers=args.workers,
                scheduler=args.scheduler,
                on_rows=on_rows,
            )
        except KeyboardInterrupt:
            print("stopped; the same command goes on from here", file=sys.stderr)
            raise
    print(_write_report(args.out, args.schedule) + f"All of it is in {args.out}/")


def _report(args: argparse.Namespace) -> None:
    from evavos_widget.experiments.report import insert

    for folder in args.folders:
        told = _write_report(folder, args.schedule)
        print(told, end="")
        if args.into is not None:
            text = insert(args.into.read_text(), folder.resolve().name, told)
            args.into.write_text(text)


def _write_report(folder: Path, schedule: str | None) -> str:
    """Write what the rows in an experiment's folder say, and return it as text."""
    from evavos_widget.experiments.chart import Chart
    from evavos_widget.experiments.plots import plot_chart
    from evavos_widget.experiments.report import report
    from evavos_widget.experiments.summary import summarise_folder

    summary = summarise_folder(folder, schedule)
    _write(summary, folder / "summary.json")
    plot_chart(Chart.of_experiments({folder.name: summary}), folder / "curves.png")
    told = report(summary)
    (folder / "report.md").write_text(told)
    return told


def _crowd(args: argparse.Namespace) -> None:
    from evavos_widget.datasets.crowd_set import write_crowd
    from evavos_widget.datasets.photographs import read_photographs

    size = {name: getattr(args, name) for name in ("height", "width") if getattr(args, name)}
    names = write_crowd(
        args.out,
        read_photographs(args.photographs),
        _numbers(args.seeds),
        side=args.side,
        level=args.level,
        on_video=print,
        **size,
    )
    listed = f"ImageSets/{args.side}-{args.level}.txt"
    print(f"{len(names)} videos; their names: --data {args.out} --sequences @{listed}")


def _numbers(spec: str) -> list[int]:
    """The whole numbers of ``"A-B"`` or ``"A,B,..."``."""
    try:
        first, _, last = spec.partition("-")
        numbers = range(int(first), int(last) + 1) if last else map(int, spec.split(","))
        return list(dict.fromkeys(numbers))
    except ValueError as error:
        raise ValueError(f"{spec!r} is no list of numbers; give A-B or A,B,...") from error


def _costs(args: argparse.Namespace) -> None:
    from dataclasses import asdict

    from evavos_widget.prompts import Costs
    from evavos_widget.robot.costs import measured_costs, write_costs

    costs, counts = measured_costs(args.sessions)
    print("annotations: " + (", ".join(f"{n} {k}" for k, n in counts.items() if n) or "none"))
    for name, seconds in asdict(costs).items():
        kept = getattr(Costs(), name)
        print(f"{name:10s} {seconds:6.2f} s" + ("" if seconds == kept else f"  (was {kept:g})"))
    if args.out is not None:
        write_costs(costs, args.out)


def _benchmark_scorer(args: argparse.Namespace) -> None:
    from evavos_widget.datasets.davis import read_sequence_names

    benchmark_scorer = _from_checkout("scorer").benchmark_scorer
    result = benchmark_scorer(args.data, read_sequence_names(args.sequences, args.data))
    print(
        f"largest difference {result['max_difference']:.1e}; {result['speedup']:.1f} times as fast "
        f"as vos-benchmark ({result['ms_per_frame']:.2f} against "
        f"{result['vos_benchmark_ms_per_frame']:.2f} ms per frame); a prediction with one frame "
        f"changed {result['rescore_speedup']:.0f} times"
    )
    _write(result, args.json)


def _plot(args: argparse.Namespace) -> None:
    from evavos_widget.experiments.chart import Chart
    from evavos_widget.experiments.plots import plot_chart
    from evavos_widget.experiments.summary import summarise_folder
    from evavos_widget.experiments.table import short_names

    plot_chart(
        Chart.of_experiments(
            {
                name: summarise_folder(folder, args.schedule)
                for name, folder in zip(short_names(args.folders), args.folders, strict=True)
            }
        ),
        args.out,
    )


def _from_checkout(name: str) -> ModuleType:
    """A module of the benchmarks, which are beside the package in a checkout, not in the wheel."""
    checkout = Path(__file__).parents[1]
    if not (checkout / "benchmarks" / f"{name}.py").is_file():
        raise FileNotFoundError(
            f"the benchmark {name!r} does not come with the installed package; run it in a "
            "checkout of the project that is installed with: pip install --editable ."
        )
    if str(checkout) not in sys.path:
        sys.path.insert(0, str(checkout))
    return import_module(f"benchmarks.{name}")


def _plus_minus(error: float | None) -> str:
    return "" if error is None else f" +- {error:.3f}"


def _write(result: dict[str, Any], path: Path | None) -> None:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result, indent=2) + "\n")

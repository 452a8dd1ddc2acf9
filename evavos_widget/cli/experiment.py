"""`evavos experiment`, `report`, `plot` and `crowd`: methods on many videos."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evavos_widget.cli.common import numbers, schedule_options, write
from evavos_widget.cores import usable_cores

__all__ = ["add_parsers"]


def add_parsers(commands: Any) -> None:
    """Add them to the commands of ``evavos``."""
    order = schedule_options()
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
    experiment.add_argument("--first", choices=["mask", "clicks", "agent"], help="of all methods")
    experiment.add_argument("--merge", choices=["trust", "nearest"], help="of all methods")
    experiment.add_argument("--manner", help="of the robot's clicks: paper (default), person")
    experiment.add_argument("--seeds", type=int, help="runs of each method with chance in it")
    experiment.add_argument("--clicks", type=int, help="per interaction")
    experiment.add_argument("--every", type=int, help="only every so many frames (1)")
    experiment.add_argument("--frames", help="evavos (default), davis, after-first, all")
    experiment.add_argument("--placement", help="of clicks: distance (default), centroid")
    experiment.add_argument("--agreement", type=float, help="IoU of drawn masks with the truth")
    experiment.add_argument("--jitter", type=float, help="of clicks, in pixels")
    experiment.add_argument("--error-rate", type=float, help="of answers to proposed points")
    experiment.add_argument("--costs", type=Path, help="a TOML file of seconds, see evavos costs")
    experiment.add_argument(
        "--workers",
        type=int,
        default=usable_cores(),
        help="processes; one for each core by default",
    )
    experiment.add_argument("--scheduler", metavar="tcp://HOST:PORT", help="a Dask cluster")
    experiment.add_argument("--out", type=Path, required=True, help="folder; taken up if it exists")
    experiment.set_defaults(run=_experiment)

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
    again.add_argument(
        "--methods",
        nargs="+",
        metavar="NAME",
        help="only these methods, compared with each other alone; needs --out",
    )
    again.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="for the report of one folder, by whose name --into knows it (the same folder)",
    )
    again.set_defaults(run=_report)

    plot = commands.add_parser(
        "plot", parents=[order], help="one picture of one or several experiments"
    )
    plot.add_argument("folders", type=Path, nargs="+")
    plot.add_argument("--out", type=Path, required=True, help="a .png or .svg file")
    plot.set_defaults(run=_plot)


def _experiment(args: argparse.Namespace) -> None:
    from dataclasses import replace

    from tqdm.auto import tqdm

    from evavos_widget.datasets.davis import read_sequence_names
    from evavos_widget.experiments.experiment import Experiment
    from evavos_widget.experiments.resampling import chosen_schedule
    from evavos_widget.experiments.run import run_experiment
    from evavos_widget.experiments.table import Row
    from evavos_widget.robot.costs import read_costs

    names = (
        "data", "propagator", "predictor", "rounds", "budget", "seeds", "clicks", "every",
        "frames", "manner", "placement", "agreement", "jitter", "error_rate",
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
    chosen_schedule(args.schedule, experiment.budget is not None)  # told before the loops are run

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
    print(_write_report(args.out, args.schedule, args.out) + f"All of it is in {args.out}/")


def _report(args: argparse.Namespace) -> None:
    from evavos_widget.experiments.report import insert
    from evavos_widget.files import replacing

    if args.methods is not None and args.out is None:
        raise ValueError(
            "a report of some methods needs --out, so that it does not take the place "
            "of that of all."
        )
    if args.out is not None and len(args.folders) > 1:
        raise ValueError("--out takes the report of one folder; give one.")
    for folder in args.folders:
        out = folder if args.out is None else args.out
        told = _write_report(folder, args.schedule, out, args.methods)
        print(told, end="")
        if args.into is not None:
            text = insert(args.into.read_text(encoding="utf-8"), out.resolve().name, told)
            with replacing(args.into.resolve()) as new:
                new.write_text(text, encoding="utf-8")


def _write_report(
    folder: Path, schedule: str | None, out: Path, methods: Sequence[str] | None = None
) -> str:
    """Write into `out` what the rows in an experiment's folder say, and return it as text."""
    from evavos_widget.experiments.chart import Chart
    from evavos_widget.experiments.plots import plot_chart
    from evavos_widget.experiments.report import report
    from evavos_widget.experiments.summary import summarise_folder

    summary = summarise_folder(folder, schedule, methods)
    out.mkdir(parents=True, exist_ok=True)
    write(summary, out / "summary.json")
    plot_chart(Chart.of_experiments({out.name: summary}), out / "curves.png")
    told = report(summary)
    (out / "report.md").write_text(told, encoding="utf-8")
    return told


def _crowd(args: argparse.Namespace) -> None:
    from evavos_widget.datasets.crowd_set import write_crowd
    from evavos_widget.datasets.davis import read_sequence_names
    from evavos_widget.datasets.photographs import read_photographs

    given = {name: getattr(args, name) for name in ("height", "width")}
    size = {name: value for name, value in given.items() if value is not None}
    names = write_crowd(
        args.out,
        read_photographs(args.photographs),
        numbers(args.seeds),
        side=args.side,
        level=args.level,
        on_video=print,
        **size,
    )
    listed = f"@ImageSets/{args.side}-{args.level}.txt"
    n = len(read_sequence_names(listed, args.out))
    print(f"{len(names)} videos; all {n} of their kind: --data {args.out} --sequences {listed}")


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

"""`evavos benchmark`: beside published code, in a checkout."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from evavos_widget.cli.common import data_options, output_file, write

__all__ = ["add_parsers"]


def add_parsers(commands: Any) -> None:
    """Add them to the commands of ``evavos``."""
    data = data_options()
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
    everything.add_argument("--json", type=output_file, help="write the figures here")
    everything.set_defaults(run=_benchmark_all)


def _benchmark_propagation(args: argparse.Namespace) -> None:
    from evavos_widget.datasets.davis import read_sequence_names

    benchmark_propagation = _from_checkout("propagation").benchmark_propagation
    names = read_sequence_names(args.sequences, args.data)
    write(
        benchmark_propagation(args.data, names, repeats=args.repeats, frames=args.frames),
        args.json,
    )


def _benchmark_all(args: argparse.Namespace) -> None:
    write(_from_checkout("everything").benchmark_all(args.data, args.only), args.json)


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
    write(result, args.json)


def _from_checkout(name: str) -> ModuleType:
    """A module of the benchmarks, which are beside the package in a checkout, not in the wheel."""
    checkout = Path(__file__).parents[2]
    if not (checkout / "benchmarks" / f"{name}.py").is_file():
        raise FileNotFoundError(
            f"the benchmark {name!r} does not come with the installed package; run it in a "
            "checkout of the project that is installed with: pip install --editable ."
        )
    if str(checkout) not in sys.path:
        sys.path.insert(0, str(checkout))
    return import_module(f"benchmarks.{name}")

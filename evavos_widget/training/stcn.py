"""Train Point-STCN: ``evavos train stcn-points --help`` (Point-VOS Sec. 4.1).

STCN as it is, with points as discs where its value encoder expects a mask. Begin with synthetic
clips (``--supervision masks --clips stills``), and go on from the weights of that with points.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from evavos_widget import checkpoints
from evavos_widget.networks.stcn import POINT_RADIUS, STCN
from evavos_widget.networks.stcn_weights import load_stcn, published_state
from evavos_widget.training.losses import TAU
from evavos_widget.training.options import (
    add_options,
    add_point_options,
    point_samples,
    run_command,
)
from evavos_widget.training.point_objective import PointObjective, StcnCarrier, Supervision
from evavos_widget.training.point_samples import PointSamples
from evavos_widget.training.run import Run
from evavos_widget.training.schedule import CONTINUED

__all__ = ["main", "stcn_run"]


def stcn_run(
    network: STCN, rate: float, supervision: Supervision = "points", tau: float = TAU
) -> Run:
    """A run of STCN.

    Parameters
    ----------
    network : STCN
    rate : float
        Peak learning rate.
    supervision, tau
        See `PointObjective`.
    """
    objective = PointObjective(StcnCarrier(network), supervision, tau)
    return Run(objective, rate, file="stcn-points.pth", write=_write)


def _write(network: STCN, path: Path, notes: Mapping[str, str]) -> None:
    torch.save(published_state(network), path)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    return run_command(_parser().parse_args(argv), _run_of, _samples)


def _run_of(args: argparse.Namespace) -> tuple[Run, float]:
    """The run, and where in a training it begins: its curriculum is over where weights go on."""
    if args.init == "scratch":
        return stcn_run(STCN(), args.rate, args.supervision, args.tau), 0.0
    network = load_stcn(checkpoints.weights_file(args.init))
    return stcn_run(network, args.rate, args.supervision, args.tau), CONTINUED


def _samples(args: argparse.Namespace) -> PointSamples:
    # The discs are drawn at half the resolution of a clip.
    return point_samples(args, POINT_RADIUS / 2)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="evavos train stcn-points", description="Train STCN with points in place of masks."
    )
    add_options(parser, rate=1e-5, batch=4)
    add_point_options(parser, required=True)
    parser.add_argument(
        "--init",
        default="stcn",
        help="weights to go on from: stcn (default; downloaded), a .pth file, or scratch",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

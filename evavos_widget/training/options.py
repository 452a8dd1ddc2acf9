"""What the commands that train networks share: options, and what is done with them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from evavos_widget.cores import usable_cores
from evavos_widget.files import in_words
from evavos_widget.networks.compact import SIDE
from evavos_widget.quantities import as_count, as_quantity, as_share
from evavos_widget.training.kept_options import difference
from evavos_widget.training.losses import TAU
from evavos_widget.training.missing import what_is_missing
from evavos_widget.training.point_objective import SUPERVISIONS
from evavos_widget.training.point_samples import (
    PointLabelledSamples,
    PointSamples,
    PointStartedSamples,
)
from evavos_widget.training.run import Run, train
from evavos_widget.training.samples import Samples
from evavos_widget.training.schedule import Budget
from evavos_widget.training.sources import davis_shots, point_shots, pseudo_mask_shots

__all__ = ["add_options", "add_point_options", "check_numbers", "point_samples", "run_command"]

CLIPS = ("all", "stills", "video")
"""What masks are learned from: everything, synthetic clips of photographs, or DAVIS."""

COUNTS = {
    "steps": 1, "seed": 0, "batch": 1, "workers": 0, "devices": 1, "states": 1, "nouns": 1,
}  # fmt: skip
"""Options that are whole numbers, and the least of each."""

MAY_CHANGE = (
    *("data", "out", "features", "points", "pseudo_masks"),
    *("resume", "minutes", "steps", "checkpoint_minutes", "workers", "devices", "precision"),
)
"""Where a run lies, how long it lasts and what computes it may be another when it goes on."""


def add_options(
    parser: argparse.ArgumentParser, *, rate: float, batch: int, clips: bool = True
) -> None:
    """Options of any training; `clips`: those of one that learns from clips of DAVIS too."""
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder with stills/ and davis16/")
    add("--out", type=Path, required=True, help="folder for weights, log and state")
    add("--minutes", type=float, default=90.0, help="length of the training (90)")
    add("--steps", type=int, help="length in steps instead, for runs that repeat exactly")
    if clips:
        add(
            "--free-data-only",
            action="store_true",
            help="leave out DAVIS, horses and regions, which are for research",
        )
        add("--frames", type=int, default=3, help="frames per clip (3)")
    add("--resume", action="store_true", help="go on from what --out holds")
    add("--seed", type=int, default=0)
    add("--batch", type=int, default=batch, help=f"clips per step and device ({batch})")
    add(
        "--side", type=int, default=256, help=f"of the frames in pixels, a multiple of {SIDE} (256)"
    )
    add("--rate", type=float, default=rate, help=f"peak learning rate ({rate:g})")
    add("--checkpoint-minutes", type=float, default=10.0)
    add("--workers", type=int, help="processes that make samples (all cores with a GPU, else 0)")
    add("--devices", type=int, help="how many GPUs (all), or processes without one (1)")
    add("--precision", help="of Lightning Fabric (the fastest that the hardware computes)")


def add_point_options(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Options of a training that has to do with points."""
    add = parser.add_argument
    told = "" if required else "; without it masks and clicks are learned"
    add(
        "--supervision",
        choices=SUPERVISIONS,
        default="points" if required else None,
        help=f"learn propagation alone, from masks, points or pseudo-masks{told}",
    )
    add("--points", type=Path, help="a file that evavos pointvos simulate or verify wrote")
    add("--pseudo-masks", type=Path, help="a folder that evavos pointvos pseudo-masks wrote")
    add("--clips", choices=CLIPS, default="all", help="with masks: what is learned from (all)")
    add(
        "--point-starts",
        type=float,
        default=1.0 if required else 0.5,
        help="with masks: share of the clips whose first frame is given as points",
    )
    add("--tau", type=float, default=TAU, help=f"of the Huberised cross-entropy ({TAU:g})")


def point_samples(args: argparse.Namespace, radius: float) -> PointSamples:
    """The samples that `add_point_options` ask for.

    Parameters
    ----------
    args : Namespace
    radius : float
        Of discs around points, in pixels of a mask at half the resolution.
    """
    size, root = (args.frames, args.side), args.data / "davis16"
    if args.supervision != "masks" and args.points is None:
        raise ValueError("give --points, a file that evavos pointvos simulate or verify wrote.")
    if args.supervision == "points":
        shots = point_shots(root, args.points)
        return PointLabelledSamples(shots, *size, radius, args.seed)
    if args.supervision == "pseudo":
        if args.pseudo_masks is None:
            raise ValueError(
                "give --pseudo-masks, a folder that evavos pointvos pseudo-masks wrote."
            )
        masked = pseudo_mask_shots(root, args.points, args.pseudo_masks)
        samples = Samples(args.data, *size, args.seed, shots=masked)
        return PointStartedSamples(samples, 0.0, radius)
    stills_only = args.free_data_only or args.clips == "stills"
    shots = davis_shots(args.data) if args.clips == "video" else None
    samples = Samples(args.data, *size, args.seed, stills_only, shots)
    return PointStartedSamples(samples, args.point_starts, radius)


def run_command(
    args: argparse.Namespace,
    run_of: Callable[[argparse.Namespace], tuple[Run, float]],
    samples_of: Callable[[argparse.Namespace], Any],
    *,
    least_frames: int = 2,
) -> int:
    """Train as the options say; returns the exit status, 1 after an error told in a sentence.

    Ctrl-C ends the step under way, after which ``--resume`` goes on.

    Parameters
    ----------
    args : Namespace
        Of `add_options`.
    run_of : callable
        Makes the run, and says where in a training it begins, 0 to 1.
    samples_of : callable
        Makes the samples.
    least_frames : int
        Of a sample, where the command has ``--frames``.
    """
    try:
        check_numbers(args, least_frames)
        weights = _train(args, run_of, samples_of)
    except ImportError as error:
        print(f"training: {what_is_missing(error)}", file=sys.stderr)
        return 1
    except (ValueError, OSError) as error:
        print(f"training: {in_words(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        kept = "--resume goes on from there" if _state(args).exists() else "nothing is kept yet"
        print(f"training: stopped; {kept}", file=sys.stderr)
        return 130
    if weights is not None:
        print(f"the weights are in {weights}")
    return 0


def check_numbers(args: argparse.Namespace, least_frames: int = 2) -> None:
    """Refuse numbers that no training can have; options that a command lacks are passed over.

    Parameters
    ----------
    args : Namespace
        Of any command that trains.
    least_frames : int
        See `run_command`.

    Raises
    ------
    ValueError
        One is out of range; it is named as on the command line.
    """
    given = {name: value for name, value in vars(args).items() if value is not None}

    def among(*names: str) -> Iterator[tuple[str, Any]]:
        return ((_option(name), given[name]) for name in names if name in given)

    for name, least in {**COUNTS, "frames": least_frames}.items():
        for what, value in among(name):
            as_count(what, value, least)
    for what, value in among("minutes", "rate"):
        as_quantity(what, value, "a number above 0", above=True)
    for what, value in among("checkpoint_minutes", "backbone_rate"):
        as_quantity(what, value, "a number, 0 or more")
    for what, value in among("tau"):  # infinity is good: the cross-entropy as it is
        if not value > 1:
            raise ValueError(f"{what} is {value}; give more than 1.")
    for what, value in among("point_starts"):
        as_share(what, value)
    for what, value in among("side"):
        if value < SIDE or value % SIDE:
            raise ValueError(f"{what} is {value}; give a multiple of {SIDE}.")


def _train(
    args: argparse.Namespace,
    run_of: Callable[[argparse.Namespace], tuple[Run, float]],
    samples_of: Callable[[argparse.Namespace], Any],
) -> Path | None:
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    file, state = _state(args), None
    if file.exists():
        if not args.resume:
            raise ValueError(f"{file} exists; give --resume to go on from it, or another --out.")
        state = torch.load(file, map_location="cpu", weights_only=True)
        _check_options(state.get("options", {}), args)
    elif args.resume:
        print(f"{args.out} holds no state.pt to go on from; the training begins", file=sys.stderr)
    run, begin = run_of(args)
    run.options = _options(args)
    if state is not None:
        run.restore(state)
    cuda = torch.cuda.is_available()
    workers = args.workers
    if workers is None:
        workers = max(1, usable_cores() // torch.cuda.device_count() - 1) if cuda else 0
    return train(
        run,
        samples_of(args),
        Budget(None if args.steps is not None else args.minutes, args.steps, begin),
        args.out,
        batch=args.batch,
        checkpoint_minutes=args.checkpoint_minutes,
        workers=workers,
        devices=args.devices or ("auto" if cuda else 1),
        precision=args.precision,
    )


def _state(args: argparse.Namespace) -> Path:
    return args.out / "state.pt"


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _options(args: argparse.Namespace) -> dict[str, Any]:
    """What a run has to go on with, as a file can hold it."""
    return {
        name: str(value) if isinstance(value, Path) else value
        for name, value in vars(args).items()
        if name not in MAY_CHANGE
    }


def _check_options(kept: Mapping[str, Any], args: argparse.Namespace) -> None:
    """Refuse what differs from the run that goes on; what an older file lacks is not known."""
    if differs := difference(kept, _options(args), _option):
        raise ValueError(f"{args.out} holds a run with {differs}; give that, or another --out.")

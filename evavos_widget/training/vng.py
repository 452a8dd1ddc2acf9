"""Train RF-VNG: ``evavos vng train --help`` (Point-VOS Sec. 4.3).

First on captions of single pictures (``--frames 1``), then on video from the weights of that.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from evavos_widget.networks.rfvng import RfVng
from evavos_widget.networks.rfvng_weights import load_rfvng, save_rfvng
from evavos_widget.training.losses import dice
from evavos_widget.training.options import run_command
from evavos_widget.training.run import Run
from evavos_widget.training.vng_samples import NounSamples

__all__ = ["NounObjective", "main", "vng_run"]

WEIGHTS = {"dice": 5.0, "mask": 5.0, "box": 5.0, "shown": 1.0}
"""Of the losses. Those of dice and of the box's distances are ReferFormer's (Wu et al. 2022,
Sec. 4.2); it weighs a focal loss by 2 where this has a cross-entropy, and its classification by 2,
which chooses between queries."""

LEAST = 1e-3
"""A frame shows an object that has more than this part of it."""


class NounObjective(nn.Module):
    """Loss of RF-VNG on a batch of `NounSamples`.

    Parameters
    ----------
    network : RfVng
    """

    LOGGED = ("loss", *WEIGHTS, "iou")

    def __init__(self, network: RfVng) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, batch: dict[str, Tensor], progress: float, random: np.random.Generator
    ) -> dict[str, Tensor]:
        """Loss and what it is the sum of; ``iou`` is of the frames that show the noun."""
        cells, maps = self.network.look(batch["cells"].flatten(0, 1), batch["fine"].flatten(0, 1))
        v, q = batch["marked"].shape[:2]
        length = int((batch["pieces"] != 0).any(-1).sum(-1).max().clamp(min=1))
        pieces, marked = batch["pieces"][:, :, :length], batch["marked"][:, :, :length]
        query = self.network.query(pieces.flatten(0, 1), marked.flatten(0, 1)).unflatten(0, (v, q))
        shape = batch["cells"].shape[:2]
        found = self.network(query, cells.unflatten(0, shape), maps.unflatten(0, shape))
        known, truth = batch["known"].float(), batch["masks"]
        shown = known * (truth.mean((-2, -1)) > LEAST)
        guess = found.masks.float().sigmoid()
        entropy = functional.binary_cross_entropy_with_logits(
            found.masks.float(), truth, reduction="none"
        ).mean((-2, -1))
        apart = (found.boxes - batch["boxes"]).abs().sum(-1)
        seen = functional.binary_cross_entropy_with_logits(found.shown, shown, reduction="none")
        losses = {
            "dice": _mean(dice(guess, truth, (-2, -1)), shown),
            "mask": _mean(entropy, known),
            "box": _mean(apart, shown),
            "shown": _mean(seen, known),
        }
        sure, real = guess > 0.5, truth > 0.5
        iou = (sure & real).sum((-2, -1)) / (sure | real).sum((-2, -1)).clamp(min=1)
        loss = torch.stack([WEIGHTS[name] * value for name, value in losses.items()]).sum()
        return {"loss": loss, **losses, "iou": _mean(iou, shown)}


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    return (values * weights).sum() / weights.sum().clamp(min=1)


def vng_run(network: RfVng, rate: float) -> Run:
    """A run of RF-VNG at a peak learning rate."""
    return Run(NounObjective(network), rate, file="rf-vng.safetensors", write=save_rfvng)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    return run_command(_parser().parse_args(argv), _run_of, _samples, least_frames=1)


def _run_of(args: argparse.Namespace) -> tuple[Run, float]:
    network = RfVng() if args.init is None else load_rfvng(args.init)
    return vng_run(network, args.rate), 0.0


def _samples(args: argparse.Namespace) -> Any:
    features = args.features or args.out / "features"
    return NounSamples(args.data, features, args.frames, args.nouns, args.seed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="evavos vng train", description="Train RF-VNG on a set for Video Narrative Grounding."
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, help="has meta_expressions.json and JPEGImages")
    add("--out", type=Path, required=True, help="folder for weights, log and state")
    add("--features", type=Path, help="where the encoder's features are kept (OUT/features)")
    add("--init", type=Path, help="weights to go on from; by default from nothing")
    add("--minutes", type=float, default=30.0, help="length of the training (30)")
    add("--steps", type=int, help="length in steps instead, for runs that repeat exactly")
    add("--resume", action="store_true", help="go on from what --out holds")
    add("--seed", type=int, default=0)
    add("--batch", type=int, default=6, help="videos per step and device (6)")
    add("--frames", type=int, default=4, help="of a video in a step (4); 1 for single pictures")
    add("--nouns", type=int, default=6, help="of a video in a step (6)")
    add("--rate", type=float, default=5e-4, help="peak learning rate (5e-4)")
    add("--checkpoint-minutes", type=float, default=5.0)
    add("--workers", type=int, default=0, help="processes that make samples (0)")
    add("--devices", type=int, help="how many GPUs (all), or processes without one (1)")
    add("--precision", default="32-true", help="of Lightning Fabric (32-true)")
    return parser


if __name__ == "__main__":
    sys.exit(main())

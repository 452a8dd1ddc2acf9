"""Train the compact configuration of DynaMITe: ``evavos train dynamite --help``.

On stills with several objects, with simulated clicks: one on each object, then where most is wrong,
as the paper trains (Rana et al. 2023, Sec. 4). The encoder is that of the compact network and stays
as it is. The run can be stopped and resumed as those of the other networks.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from evavos_widget.checkpoints import find
from evavos_widget.networks.compact import CompactNet
from evavos_widget.networks.dynamite import BACKGROUND, NOBODY, Clicks, of_owners
from evavos_widget.networks.dynamite_compact import (
    ENCODER,
    CompactDynamite,
    load_compact,
    save_compact,
)
from evavos_widget.networks.weights import fold_normalisation, load_weights
from evavos_widget.training.losses import dice
from evavos_widget.training.options import add_options, run_command
from evavos_widget.training.run import Run
from evavos_widget.training.several import MOST, SeveralSamples, free_photographs

__all__ = ["DynamiteObjective", "dynamite_run", "main"]

ROUNDS = (0.25, 0.2, 0.2, 0.15, 0.1, 0.1)
"""How often 0, 1, ... 5 rounds of clicks follow the first ones. The paper has 0 to 3, equally
often; more are needed where a person goes on clicking."""

TWICE = 0.5
"""How often a round has two clicks."""

HARDEST = 0.25
"""Fraction of the pixels, the worst ones, that count in the end."""

ON_THE_WAY = 0.5
"""Weight of the masks that queries look by, together."""


class DynamiteObjective(nn.Module):
    """Loss of a batch: cross-entropy over background and objects, and Dice of each object.

    Parameters
    ----------
    network : CompactDynamite
    encoder : CompactNet
        Is not trained.
    """

    LOGGED = ("loss", "mask_loss", "level_loss", "iou")

    def __init__(self, network: CompactDynamite, encoder: CompactNet) -> None:
        super().__init__()
        self.network, self.encoder = network, encoder.requires_grad_(False)

    def forward(
        self, batch: dict[str, Tensor], progress: float, random: np.random.Generator
    ) -> dict[str, Tensor]:
        """Losses and what is logged, all scalars.

        Parameters
        ----------
        batch : dict
            Of `SeveralSamples`, B at a time.
        progress : float
        random : Generator
            For the clicks.
        """
        images = batch["frames"].permute(0, 3, 1, 2).float() / 255
        with torch.no_grad():
            features = self.encoder.encode(images.contiguous(memory_format=torch.channels_last))
        scene = self.network.scene(features)
        labels = batch["labels"].long()
        truth = batch["labels"].cpu().numpy()
        told = [_first_clicks(each, random) for each in truth]
        for _ in range(int(random.choice(len(ROUNDS), p=ROUNDS))):
            with torch.no_grad():
                masks, owners = self.network.interaction(scene, self._clicks(told, labels))
                shown = of_owners(_as(masks[-1], labels), owners, MOST).argmax(1).cpu().numpy()
            for clicks, now, right in zip(told, shown, truth, strict=True):
                for _ in range(1 + int(random.random() < TWICE)):
                    clicks += _next_click(now, right, random)
        masks, owners = self.network.interaction(scene, self._clicks(told, labels))
        odds = of_owners(_as(masks[-1], labels), owners, MOST)
        final = several_loss(odds, labels, progress)
        level = torch.stack(
            [
                functional.cross_entropy(of_owners(m.float(), owners, MOST), _seen_as(labels, m))
                for m in masks[:-1]
            ]
        ).mean()
        return {
            "loss": final + ON_THE_WAY * level,
            "mask_loss": final.detach(),
            "level_loss": level.detach(),
            "iou": _mean_iou(odds.detach().argmax(1), labels),
        }

    def _clicks(self, told: Sequence[list[Told]], like: Tensor) -> Clicks:
        """Clicks of a batch as the network takes them; the order is the time."""
        most = max(map(len, told))
        places = np.zeros((len(told), most, 3), np.float32)
        owners = np.full((len(told), most), NOBODY)
        height, width = like.shape[-2:]
        for i, clicks in enumerate(told):
            last = max(self.network.config.times, len(clicks))
            for k, (row, column, label) in enumerate(clicks):
                places[i, k] = (row + 0.5) / height, (column + 0.5) / width, k / last
                owners[i, k] = label - 1 if label else BACKGROUND
        return Clicks(
            torch.from_numpy(places).to(like.device), torch.from_numpy(owners).to(like.device)
        )


Told = tuple[int, int, int]
"""Row and column in pixels of the labels, and the label that was told."""


def several_loss(odds: Tensor, labels: Tensor, progress: float) -> Tensor:
    """Bootstrapped cross-entropy of all pixels, and Dice of the objects that are there.

    Parameters
    ----------
    odds : (B, 1 + n, h, w) tensor
        The background first; minus infinity for objects that are not there.
    labels : (B, h, w) int64 tensor
    progress : float
        All pixels count at 0, the `HARDEST` from 0.5 on.
    """
    odds = odds.float()
    each = functional.cross_entropy(odds, labels, reduction="none").flatten(1)
    share = 1 - (1 - HARDEST) * min(1.0, 2 * progress)
    worst = each.topk(max(1, round(share * each.shape[1])), dim=1, sorted=False).values.mean()
    chance = odds.softmax(1).flatten(2)[:, 1:]
    right = functional.one_hot(labels, odds.shape[1]).to(chance)
    right = right.permute(0, 3, 1, 2).flatten(2)[:, 1:]
    there = right.amax(2)
    return worst + (dice(chance, right, 2) * there).sum() / there.sum().clamp(min=1)


def _as(masks: Tensor, labels: Tensor) -> Tensor:
    return functional.interpolate(
        masks.float(), size=labels.shape[-2:], mode="bilinear", align_corners=False
    )


def _seen_as(labels: Tensor, masks: Tensor) -> Tensor:
    """Labels in the size of masks."""
    small = functional.interpolate(labels[:, None].float(), size=masks.shape[-2:], mode="nearest")
    return small[:, 0].long()


def _first_clicks(labels: np.ndarray, random: np.random.Generator) -> list[Told]:
    """One click well inside of each object, in random order."""
    clicks = []
    for label in random.permutation(int(labels.max())) + 1:
        depth = _depth(labels == label)
        rows, columns = np.nonzero(depth > random.uniform(0.3, 0.9) * depth.max())
        k = random.integers(len(rows))
        clicks.append((int(rows[k]), int(columns[k]), int(label)))
    return clicks


def _next_click(shown: np.ndarray, right: np.ndarray, random: np.random.Generator) -> list[Told]:
    """A click in a deep place of what is wrong, for whoever it belongs to; none where all is right.

    What is wrong for different objects is not one region.
    """
    depth = np.zeros(right.shape, np.float32)
    for label in np.unique(right):
        depth = np.maximum(depth, _depth((right == label) & (shown != label)))
    if not depth.any():
        return []
    rows, columns = np.nonzero(depth >= random.uniform(0.5, 1.0) * depth.max())
    k = random.integers(len(rows))
    row, column = int(rows[k]), int(columns[k])
    return [(row, column, int(right[row, column]))]


def _depth(mask: np.ndarray) -> np.ndarray:
    """Distance to what is not in a mask, or to the picture's edge."""
    padded = np.pad(mask.astype(np.uint8), 1)
    return cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_5)[1:-1, 1:-1]


def _mean_iou(shown: Tensor, labels: Tensor) -> Tensor:
    """Over the objects of a batch."""
    ious = []
    for label in range(1, MOST + 1):
        a, b = (shown == label).flatten(1), (labels == label).flatten(1)
        there = b.any(1)
        ious.append(((a & b).sum(1) / (a | b).sum(1).clamp(min=1))[there])
    return torch.cat(ious).float().mean()


def dynamite_run(network: CompactDynamite, encoder: CompactNet, rate: float) -> Run:
    """A run; its weights are those without the encoder.

    Parameters
    ----------
    network : CompactDynamite
    encoder : CompactNet
    rate : float
        Peak learning rate.
    """
    return Run(
        DynamiteObjective(network, encoder),
        rate,
        file="dynamite.safetensors",
        write=save_compact,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    return run_command(_parser().parse_args(argv), _run_of, _samples)


def _run_of(args: argparse.Namespace) -> tuple[Run, float]:
    encoder = load_weights(find(ENCODER))
    fold_normalisation(encoder)
    network = CompactDynamite() if args.init is None else load_compact(args.init)
    return dynamite_run(network.requires_grad_(True), encoder, args.rate), 0.0


def _samples(args: argparse.Namespace) -> SeveralSamples:
    return SeveralSamples(free_photographs(args.data, "train"), args.side, args.seed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="evavos train dynamite", description="Train the compact configuration of DynaMITe."
    )
    add_options(parser, rate=6e-4, batch=8, clips=False)
    parser.add_argument("--init", help="weights of this command to go on from")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""What the compact network is trained on: propagation through a clip, and simulated clicks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from evavos_widget.networks.compact import CompactNet, Features
from evavos_widget.networks.memory import tokens
from evavos_widget.training.losses import dice
from evavos_widget.training.samples import Start

__all__ = ["CarriedFrame", "Objective", "carried", "encoded", "iou", "mask_loss", "next_clicks"]

HARDEST = 0.15
"""Fraction of the pixels, the worst ones, that count in the end (STCN: 0.15)."""

RAW_WEIGHT = 0.25
"""Of the mask that is read out directly, before any decoder."""

ROUNDS = (0.30, 0.25, 0.16, 0.10, 0.07, 0.05, 0.04, 0.03)
"""How often 1, 2, ... 8 clicks are simulated; the last one is learned from."""

BOX_SHARE = 0.15
"""Of the clicked samples that start from nothing."""

HAND = 1.5
"""Standard deviation of a click around the point meant, in pixels of the mask."""


def mask_loss(logits: Tensor, truth: Tensor, progress: float) -> Tensor:
    """Bootstrapped cross-entropy plus Dice, of each sample.

    Parameters
    ----------
    logits, truth : (B, 1, h, w) tensors
        `truth` in [0, 1].
    progress : float
        All pixels count at 0, the `HARDEST` from 0.5 on.

    Returns
    -------
    (B,) tensor
    """
    logits, truth = logits.float().flatten(1), truth.flatten(1)
    each = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    share = 1 - (1 - HARDEST) * min(1.0, 2 * progress)
    worst = each.topk(max(1, round(share * each.shape[1])), dim=1, sorted=False).values.mean(1)
    return worst + dice(logits.sigmoid(), truth, 1)


def encoded(network: CompactNet, frames: Tensor) -> list[Features]:
    """Features of every frame of clips, (B, T, H, W, 3) uint8."""
    n, t = frames.shape[:2]
    images = frames.flatten(0, 1).permute(0, 3, 1, 2).float() / 255
    features = network.encode(images.contiguous(memory_format=torch.channels_last))
    return [Features(*(level.unflatten(0, (n, t))[:, i] for level in features)) for i in range(t)]


class CarriedFrame(NamedTuple):
    """One frame of a clip through which a mask is carried.

    Parameters
    ----------
    logits : (B, 1, h, w) tensor
        Log odds found in it.
    everywhere, near : tensors
        What was read out for them.
    value : tensor
        What was remembered of the frame before, with
    before : (B, 1, h, w) tensor in [0, 1]
        its mask.
    """

    logits: Tensor
    everywhere: Tensor
    near: Tensor
    value: Tensor
    before: Tensor


def carried(
    network: CompactNet, frames: Sequence[Features], mask: Tensor, others: Tensor | None = None
) -> Iterator[CarriedFrame]:
    """A mask carried from the first frame of a clip to the others.

    Parameters
    ----------
    network : CompactNet
    frames : sequence of Features
    mask : (B, 1, h, w) tensor in [0, 1]
        Of the first frame.
    others : (B, T, 1, h, w) tensor in [0, 1], optional
        What belongs to other objects.

    Yields
    ------
    CarriedFrame
        Of each further frame.
    """
    keys, values = [], []
    for t, (before, now) in enumerate(pairwise(frames)):
        value = network.remember(before, mask, None if others is None else others[:, t])
        keys.append(tokens(before.key))
        values.append(tokens(value))
        everywhere, near = network.read(
            torch.cat(keys, 1), torch.cat(values, 1), before.key, value, now
        )
        logits = network.decode(now, everywhere, near, mask)
        yield CarriedFrame(logits, everywhere, near, value, mask)
        mask = logits.float().sigmoid()


class Objective(nn.Module):
    """Loss of a batch; a module, so that gradients of several devices are averaged.

    Parameters
    ----------
    network : CompactNet
    """

    LOGGED = ("loss", "propagation_loss", "click_loss", "iou", "click_iou")

    def __init__(self, network: CompactNet) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, batch: dict[str, Tensor], progress: float, random: np.random.Generator
    ) -> dict[str, Tensor]:
        """Losses and what is logged, all scalars.

        Parameters
        ----------
        batch : dict
            Of `Samples`, B at a time.
        progress : float
        random : Generator
            For the clicks.

        Returns
        -------
        dict
            ``loss``, ``propagation_loss``, ``click_loss``, ``iou`` of the last frame and
            ``click_iou``.
        """
        masks = batch["masks"][:, :, None].float() / 255
        each = encoded(self.network, batch["frames"])
        others = batch["others"][:, :, None].float() / 255
        propagation, predicted = self._propagate(each, masks, others, progress)
        worsened = batch["worsened"][:, None].float() / 255
        clicks, clicked = self._click(
            each[-1], masks[:, -1], batch["start"], worsened, predicted.detach(), progress, random
        )
        return {
            "loss": propagation + clicks,
            "propagation_loss": propagation.detach(),
            "click_loss": clicks.detach(),
            "iou": iou(predicted.detach(), masks[:, -1]),
            "click_iou": iou(clicked.detach(), masks[:, -1]),
        }

    def _propagate(
        self, frames: list[Features], masks: Tensor, others: Tensor, progress: float
    ) -> tuple[Tensor, Tensor]:
        loss, mask = masks.new_zeros(()), masks[:, 0]
        steps = carried(self.network, frames, mask, others)
        for step, truth in zip(steps, masks.unbind(1)[1:], strict=True):
            loss = loss + mask_loss(step.logits, truth, progress).mean()
            read = _raw_loss(step.everywhere, truth) + _raw_loss(step.near, truth)
            loss = loss + RAW_WEIGHT * read / 2
            mask = step.logits.float().sigmoid()
        return loss / (len(frames) - 1), mask

    def _click(
        self,
        features: Features,
        truth: Tensor,
        start: Tensor,
        worsened: Tensor,
        predicted: Tensor,
        progress: float,
        random: np.random.Generator,
    ) -> tuple[Tensor, Tensor]:
        mask = torch.where((start == Start.PREDICTED)[:, None, None, None], predicted, worsened)
        started = start != Start.NOTHING
        rounds = 1 + int(random.choice(len(ROUNDS), p=ROUNDS))
        box = _boxes(truth, started, random)
        boxed = box.flatten(1).any(1)
        clicks = truth.new_zeros(len(truth), 0, 3)
        logits = mask  # there is at least one round
        for number in range(1, rounds + 1):
            shown = torch.where(started[:, None, None, None], mask, 0)
            new = next_clicks(shown, truth, random)
            if number == 1:  # some boxes are given without a click
                alone = torch.from_numpy(random.random(len(new)) < 0.5).to(boxed.device)
                new[boxed & alone, 2] = 0
            clicks = torch.cat([clicks, new[:, None]], 1)
            with torch.set_grad_enabled(number == rounds and torch.is_grad_enabled()):
                logits = self.network.correct(features, clicks, mask, started, box)
            if number < rounds:
                mask, started = logits.float().sigmoid(), torch.ones_like(started)
        return mask_loss(logits, truth, progress).mean(), logits.float().sigmoid()


def _raw_loss(read: Tensor, truth: Tensor) -> Tensor:
    """Of the mask that is remembered and read out as it is, 2 x 2 to a cell."""
    with torch.autocast(read.device.type, enabled=False):
        mask = functional.pixel_shuffle(read[:, -4:].float(), 2).clamp(1e-3, 1 - 1e-3)
        return functional.binary_cross_entropy(mask, functional.avg_pool2d(truth, 2))


def iou(mask: Tensor, truth: Tensor) -> Tensor:
    """Mean IoU of (B, 1, h, w) masks in [0, 1]."""
    a, b = (mask > 0.5).flatten(1), (truth > 0.5).flatten(1)
    return (((a & b).sum(1) + 1) / ((a | b).sum(1) + 1)).mean()


def next_clicks(mask: Tensor, truth: Tensor, random: np.random.Generator) -> Tensor:
    """The next click for each sample, in the deepest place of what is wrong.

    All on the device of the masks. What is wrongly there and what is missing are eroded side by
    side, in turns by a square and by a cross, which makes distances nearly Euclidean; what lasts
    longest is clicked, with an unsteady hand.

    Parameters
    ----------
    mask, truth : (B, 1, h, w) tensors in [0, 1]
    random : Generator

    Returns
    -------
    (B, 3) float32 tensor
        Row, column, and 1 (object) or -1 (not); 0 where nothing is wrong.
    """
    n, _, height, width = mask.shape
    shown, right = mask > 0.5, truth > 0.5
    wrong = torch.cat([right & ~shown, shown & ~right], 1)
    free = (~wrong).float()
    depth = torch.zeros_like(free)
    for turn in range(max(height, width) // 2):
        depth += 1 - free
        if turn % 8 == 7 and bool((free > 0.5).all()):
            break
        edged = functional.pad(free, (1, 1, 1, 1), value=1.0)
        if turn % 2:
            free = functional.max_pool2d(edged, 3, 1)
        else:
            across = functional.max_pool2d(edged[:, :, 1:-1], (1, 3), 1)
            free = torch.maximum(across, functional.max_pool2d(edged[..., 1:-1], (3, 1), 1))
    chance = torch.from_numpy(random.random((n, 2, height, width), np.float32)).to(depth)
    chance_and_depth = depth + 0.5 * chance * (depth > 0)
    best, place = chance_and_depth.flatten(1).max(1)
    kind, cell = place // (height * width), place % (height * width)
    at = torch.stack([cell // width, cell % width], 1)
    hand = torch.from_numpy(random.normal(0, HAND, (n, 2)).astype(np.float32)).to(depth)
    last = torch.tensor([height - 1, width - 1], device=at.device)
    moved = torch.minimum((at + hand).round().long().clamp(min=0), last)
    still_wrong = wrong[torch.arange(n, device=at.device), kind, moved[:, 0], moved[:, 1]]
    at = torch.where(still_wrong[:, None], moved, at).float()
    sign = torch.where(best > 0, 1.0 - 2.0 * kind, 0.0)
    return torch.cat([at, sign[:, None]], 1)


def _boxes(truth: Tensor, started: Tensor, random: np.random.Generator) -> Tensor:
    """Boxes around some of the objects, as `CompactNet.correct` takes them."""
    out = torch.zeros_like(truth)
    chosen = random.random(len(truth)) < BOX_SHARE
    loose = random.normal(0, 0.04, (len(truth), 4))
    for i in np.flatnonzero(chosen & ~started.cpu().numpy()):
        rows, columns = np.nonzero((truth[i, 0] > 0.5).cpu().numpy())
        if not len(rows):
            continue
        corners = np.array([rows.min(), columns.min(), rows.max() + 1, columns.max() + 1])
        size = np.tile(corners[2:] - corners[:2], 2)
        top, left, bottom, right = np.rint(corners + loose[i] * size).clip(0).astype(int)
        out[i] = -1
        out[i, 0, top : max(bottom, top + 1), left : max(right, left + 1)] = 1
    return out

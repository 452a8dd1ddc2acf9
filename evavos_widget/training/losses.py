"""Losses for labels that are few, or not to be trusted (Point-VOS Sec. 4)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["TAU", "dice", "huberised_cross_entropy", "point_loss", "pseudo_mask_loss"]

TAU = 10.0
"""Slope at which the cross-entropy of a pixel stops to grow; the paper does not give its own."""


def point_loss(logits: Tensor, points: Tensor) -> Tensor:
    """Cross-entropy at labelled pixels alone, of each sample.

    Every other pixel has no gradient. The paper does not write its loss down; its pictures of
    points leave all other pixels without a label.

    Parameters
    ----------
    logits : (B, 1, h, w) tensor
    points : (B, P, 3) int64 tensor
        Row and column, and 1 (object), -1 (not) or 0 (no label).

    Returns
    -------
    (B,) tensor
        The mean over the points of a sample; 0 where it has none.
    """
    height, width = logits.shape[-2:]
    rows = points[..., 0].long().clamp(0, height - 1)
    columns = points[..., 1].long().clamp(0, width - 1)
    at = logits.float().flatten(1).gather(1, rows * width + columns)
    sign = points[..., 2].to(at)
    each = functional.softplus(-sign * at) * (sign != 0)
    return each.sum(1) / (sign != 0).sum(1).clamp(min=1)


def huberised_cross_entropy(logits: Tensor, truth: Tensor, tau: float = TAU) -> Tensor:
    """Partially Huberised cross-entropy of each pixel.

    With p the probability of the label, ``-log p`` where ``p > 1 / tau``, and its tangent there,
    ``log tau + 1 - tau p``, below: a label that is far from what the network believes pulls with
    a bounded force (Menon, Rawat, Reddi and Kumar, "Can gradient clipping mitigate label noise?",
    ICLR 2020, Sec. 4). Point-VOS trains on pseudo-masks with it (Sec. 4.1).

    Parameters
    ----------
    logits : tensor
    truth : tensor of the same shape
        In [0, 1]; between 0 and 1 the mean of the two losses.
    tau : float
        More than 1; infinite for the cross-entropy itself.

    Returns
    -------
    tensor of the same shape
    """
    if not tau > 1:
        raise ValueError(f"tau is {tau}; give more than 1.")
    x = logits.float()

    def of_label(x: Tensor) -> Tensor:
        log_p = functional.logsigmoid(x)
        if math.isinf(tau):
            return -log_p
        tangent = math.log(tau) + 1 - tau * log_p.exp()
        return torch.where(log_p > -math.log(tau), -log_p, tangent)

    return truth * of_label(x) + (1 - truth) * of_label(-x)


def pseudo_mask_loss(logits: Tensor, truth: Tensor, tau: float = TAU) -> Tensor:
    """`objective.mask_loss` with the Huberised cross-entropy over all pixels, of each sample.

    Parameters
    ----------
    logits, truth : (B, 1, h, w) tensors
        `truth` in [0, 1].
    tau : float

    Returns
    -------
    (B,) tensor
    """
    robust = huberised_cross_entropy(logits, truth, tau).flatten(1).mean(1)
    return robust + dice(logits.float().sigmoid().flatten(1), truth.flatten(1), 1)


def dice(mask: Tensor, truth: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    """Dice loss (Milletari et al., 3DV 2016, Sec. 3; without squares), 0 of two empty masks.

    Parameters
    ----------
    mask, truth : tensors of one shape
        In [0, 1].
    dim : int or tuple of int
        Those that are summed over.
    """
    return 1 - (2 * (mask * truth).sum(dim) + 1) / (mask.sum(dim) + truth.sum(dim) + 1)

"""What networks learn where points are given, or are all that is known (Point-VOS Sec. 4.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, Protocol, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from evavos_widget.networks.compact import CompactNet
from evavos_widget.networks.memory import readout, tokens
from evavos_widget.networks.stcn import QUARTER, STCN, VALUE
from evavos_widget.training.losses import TAU, point_loss, pseudo_mask_loss
from evavos_widget.training.objective import carried, encoded, iou, mask_loss

__all__ = ["SUPERVISIONS", "CompactCarrier", "PointObjective", "StcnCarrier", "Supervision"]

Supervision = Literal["masks", "points", "pseudo"]

SUPERVISIONS: tuple[Supervision, ...] = get_args(Supervision)
"""What is learned from: every pixel of a mask, labelled pixels, masks that may be wrong."""

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
"""Of ImageNet's colours, by which STCN takes frames."""


class Carrier(Protocol):
    """A network that carries what the first frame of a clip is given to all of its frames."""

    network: nn.Module

    def __call__(self, frames: Tensor, given: Tensor, pointed: Tensor) -> Iterator[Tensor]:
        """Log odds of every frame, (B, 1, H / 2, W / 2), the first one's included.

        Parameters
        ----------
        frames : (B, T, H, W, 3) uint8 tensor
        given : (B, 1, H / 2, W / 2) tensor in [0, 1]
            A mask of the first frame, or points as discs.
        pointed : (B,) bool tensor
            Where it is points.
        """
        ...


class CompactCarrier(nn.Module):
    """`CompactNet`: where points are given it locates the object first, as its engine does."""

    def __init__(self, network: CompactNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor, given: Tensor, pointed: Tensor) -> Iterator[Tensor]:
        """See `Carrier`."""
        each = encoded(self.network, frames)
        first = self.network.locate(each[0], given)
        yield first
        mask = torch.where(pointed[:, None, None, None], first.float().sigmoid(), given)
        for found in carried(self.network, each, mask):
            yield found.logits


class StcnCarrier(nn.Module):
    """`STCN` with points straight into its value encoder, Point-STCN; one clip after the other.

    Statistics of normalisations stay as they are, as in the authors' training.
    """

    def __init__(self, network: STCN) -> None:
        super().__init__()
        self.network = network

    def train(self, mode: bool = True) -> StcnCarrier:
        """Learn or not; statistics are never gathered."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def forward(self, frames: Tensor, given: Tensor, pointed: Tensor) -> Iterator[Tensor]:
        """See `Carrier`."""
        clips = [self._clip(f, g[None]) for f, g in zip(frames, given, strict=True)]
        for _ in range(frames.shape[1]):
            yield torch.cat([next(clip) for clip in clips])

    def _clip(self, frames: Tensor, given: Tensor) -> Iterator[Tensor]:
        network = self.network
        mean, deviation = (frames.new_tensor(x, dtype=torch.float32) for x in (MEAN, DEVIATION))
        keys, values = [], []
        for t, frame in enumerate(frames):
            image = ((frame.float() / 255 - mean) / deviation).permute(2, 0, 1)[None]
            features = network.describe(image)
            size = image.shape[-2:]
            if not t:
                # At the full resolution, discs and masks have soft borders of a pixel.
                mask = functional.interpolate(given, size=size, mode="bilinear")
                keys.append(tokens(features.key))
                values.append(self._value(image, features.deep, mask))
            read = readout(torch.cat(keys, 1), tokens(features.key), torch.cat(values, 1))
            read = read.transpose(1, 2).unflatten(2, tuple(features.key.shape[-2:]))
            logits = network.decode(read, features)
            logits = functional.interpolate(
                logits, scale_factor=QUARTER // 2, mode="bilinear", align_corners=False
            )
            yield logits
            if t:
                mask = functional.interpolate(logits.float().sigmoid(), size=size, mode="bilinear")
                keys.append(tokens(features.key))
                values.append(self._value(image, features.deep, mask))

    def _value(self, image: Tensor, deep: Tensor, mask: Tensor) -> Tensor:
        """(1, h * w, 512)."""
        value = self.network.remember(image, deep, mask, torch.zeros_like(mask))
        return value.permute(2, 3, 0, 1).reshape(1, -1, VALUE)


class PointObjective(nn.Module):
    """Loss of a batch of `point_samples`.

    Parameters
    ----------
    carrier : Carrier
    supervision : {'masks', 'points', 'pseudo'}
        Which loss: the bootstrapped one of `objective.mask_loss`, that at labelled pixels, or the
        Huberised one.
    tau : float
        Of the last, see `huberised_cross_entropy`.
    """

    LOGGED = ("loss", "first_loss", "iou")

    def __init__(
        self, carrier: nn.Module, supervision: Supervision = "masks", tau: float = TAU
    ) -> None:
        super().__init__()
        if supervision not in SUPERVISIONS:
            raise ValueError(
                f"unknown supervision {supervision!r}; choose from {list(SUPERVISIONS)}."
            )
        self.carrier, self.supervision, self.tau = carrier, supervision, tau

    @property
    def network(self) -> Any:
        """What learns."""
        return self.carrier.network

    def forward(
        self, batch: dict[str, Tensor], progress: float, random: np.random.Generator
    ) -> dict[str, Tensor]:
        """Losses and what is logged, all scalars.

        Parameters
        ----------
        batch : dict
            Of `PointStartedSamples` or `PointLabelledSamples`, B at a time.
        progress : float
        random : Generator
            Not used: all chance is in the samples.

        Returns
        -------
        dict
            ``loss``; ``first_loss``, its part of first frames that were given points; and
            ``iou`` of the last frame, with points the share of them that are right.
        """
        given, pointed = batch["given"][:, None].float() / 255, batch["pointed"].bool()
        steps = list(self.carrier(batch["frames"], given, pointed))
        each = torch.stack([self._loss(x, batch, t, progress) for t, x in enumerate(steps)])
        # What is read out of a frame with a mask is no prediction.
        first = (each[0] * pointed).sum() / pointed.sum().clamp(min=1)
        loss = (first + each[1:].mean(1).sum()) / len(steps)
        with torch.no_grad():
            if self.supervision == "points":
                right = _right(steps[-1], batch["labelled"][:, -1])
            else:
                right = iou(steps[-1].float().sigmoid(), _masks(batch, -1))
        return {"loss": loss, "first_loss": first.detach(), "iou": right}

    def _loss(self, logits: Tensor, batch: dict[str, Tensor], t: int, progress: float) -> Tensor:
        if self.supervision == "points":
            return point_loss(logits, batch["labelled"][:, t])
        if self.supervision == "pseudo":
            return pseudo_mask_loss(logits, _masks(batch, t), self.tau)
        return mask_loss(logits, _masks(batch, t), progress)


def _masks(batch: dict[str, Tensor], t: int) -> Tensor:
    return batch["masks"][:, t][:, None].float() / 255


def _right(logits: Tensor, points: Tensor) -> Tensor:
    """The share of labelled points that are on the right side; 1 where there is none."""
    said = points[..., 2] != 0
    rows, columns = points[..., 0], points[..., 1]
    at = logits[torch.arange(len(logits), device=logits.device)[:, None], 0, rows, columns]
    right = ((at > 0) == (points[..., 2] > 0)) & said
    return torch.where(said.any(), right.sum() / said.sum().clamp(min=1), 1.0)

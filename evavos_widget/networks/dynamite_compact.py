"""DynaMITe small enough for a laptop's processor, on the encoder of the compact network.

The encoder stays as it was trained for propagation and clicks, so that a picture that is looked at
for both is encoded once. Convolutions make the three levels and the mask features of what it says,
in the place of deformable attention.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from evavos_widget.networks.compact import CompactConfig, Features
from evavos_widget.networks.dynamite import Interaction, InteractionConfig, Scene
from evavos_widget.networks.weights import read_state, take_state, write_state

__all__ = ["ENCODER", "SIZES", "CompactDynamite", "load_compact", "save_compact"]

FORMAT = "evavos-dynamite-1"
"""Written into every file; another number where old files no longer fit the network."""

ENCODER = "free"
"""The weights whose encoder it was trained on, of `checkpoints.CHECKPOINTS`: those that may be used
for anything."""

SIZES = InteractionConfig(
    width=64, heads=4, layers=6, hidden=256, decoder_layers=1, backgrounds=4, times=20
)
"""Our choice, for a training of an hour on one core: two turns over the levels."""

GROUPS = 8
"""Of the normalisations; those of batches of a few clips would be of little use."""


class CompactDynamite(nn.Module):
    """From what the encoder says to a scene, and the interaction.

    Parameters
    ----------
    config : InteractionConfig
    """

    def __init__(self, config: InteractionConfig = SIZES) -> None:
        super().__init__()
        self.config = config
        encoder, width = CompactConfig(), config.width
        self.fine = nn.Sequential(_conv(encoder.width + encoder.key, width, 1), _Residual(width))
        self.middle = nn.Sequential(_conv(width, width, stride=2), _Residual(width))
        self.coarse = nn.Sequential(_conv(width, width, stride=2), _Residual(width, 2))
        self.to_middle, self.to_fine = _Residual(width), _Residual(width)
        self.from_half = _conv(encoder.stem, width, stride=2)
        self.from_quarter = nn.Conv2d(encoder.stem, width, 1)
        self.pixels = _Residual(width)
        self.interaction = Interaction(config)

    def scene(self, features: Features) -> Scene:
        """The levels and mask features.

        Parameters
        ----------
        features : Features
            Of pictures whose sides are multiples of 32.
        """
        fine = self.fine(torch.cat([features.cells, features.key], 1))
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        middle = self.to_middle(middle + _larger(coarse, middle))
        fine = self.to_fine(fine + _larger(middle, fine))
        edges = self.from_half(features.half) + self.from_quarter(features.quarter)
        return Scene((coarse, middle, fine), self.pixels(edges + _larger(fine, edges)))


def _larger(x: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)


def _conv(before: int, after: int, side: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, side, stride, side // 2, bias=False),
        nn.GroupNorm(GROUPS, after),
        nn.ReLU(),
    )


class _Residual(nn.Module):
    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_conv(channels, channels),
            nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation, bias=False),
            nn.GroupNorm(GROUPS, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.body(x))


def save_compact(
    network: CompactDynamite, path: Path, notes: Mapping[str, str] | None = None
) -> None:
    """Write a safetensors file: matrices in half precision, the rest in single.

    Parameters
    ----------
    network : CompactDynamite
    path : Path
    notes : mapping of str to str, optional
        Kept with the weights.
    """
    about = {**(notes or {}), "encoder": ENCODER, "config": json.dumps(asdict(network.config))}
    write_state(network, path, about, FORMAT)


def load_compact(path: Path) -> CompactDynamite:
    """The network of a file of `save_compact`, in single precision.

    Raises
    ------
    WeightsError
        The file is damaged, or of something else.
    """
    what = "DynaMITe on the compact encoder"
    about, state = read_state(path, FORMAT, what)
    network = CompactDynamite(InteractionConfig(**json.loads(about["config"])))
    take_state(network, state, path, what)
    return network.requires_grad_(False)

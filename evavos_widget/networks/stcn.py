"""STCN (Cheng, Tai, Tang, NeurIPS 2021): the network that both papers stand on.

What depends on a frame alone is computed apart from what depends on the objects
(`STCN.describe`), so that objects share it and later passes find it done: the key, the
deepest features, and the parts of the decoder that see nothing but the frame.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from evavos_widget.networks.resnet import BasicBlock, Bottleneck, stage

__all__ = [
    "CELL",
    "KEY",
    "POINT_RADIUS",
    "QUARTER",
    "STCN",
    "VALUE",
    "FrameFeatures",
    "aggregate",
]

CELL = 16
"""Side of a cell in pixels; images have sides that are multiples of this."""

QUARTER = 4
"""Side, in pixels, of a pixel of the decoder's output."""

KEY = 64
"""Channels of a key."""

VALUE = 512
"""Channels of a value."""

DEEP = 1024
"""Channels of the key encoder's features at stride 16."""

POINT_RADIUS = 5.0
"""Radius, in pixels, of the disc in the place of a mask where only points are known. Point-VOS does
not give its own; clicks of RITM have this one."""

STRIPS = 2
"""In how many parts the decoder's upper level is computed. It takes most memory of all: at 480p
27 MB for each of its layers and objects."""

MARGIN = 2
"""Rows at stride 8 beyond a part that it depends on, by upsampling and three convolutions."""

CERTAIN = 1e-7
"""Probabilities are kept so far from 0 and 1 before they become odds (STM, Sec. 3.4)."""


class FrameFeatures(NamedTuple):
    """What the network makes of a frame, whatever the objects are; h = H / 16, w = W / 16.

    Parameters
    ----------
    key : (1, 64, h, w) tensor
    deep : (1, 1024, h, w) tensor
        For the value encoder.
    inner, outer : (1, 512, h, w) tensors
        The frame's part in the decoder's first block, inside and outside of its residual.
    eighth : (1, 512, 2 h, 2 w) tensor
    quarter : (1, 256, 4 h, 4 w) tensor
        The decoder's skip connections.
    """

    key: Tensor
    deep: Tensor
    inner: Tensor
    outer: Tensor
    eighth: Tensor
    quarter: Tensor


class STCN(nn.Module):
    """Key encoder, value encoder and decoder; the memory lies outside (`networks.memory`).

    Names follow the published weights except where `networks.stcn_weights` says so.
    """

    def __init__(self) -> None:
        super().__init__()
        self.key_encoder = _KeyEncoder()
        self.value_encoder = _ValueEncoder()
        self.key_proj = _KeyProjection()
        self.key_comp = nn.Conv2d(DEEP, VALUE, 3, padding=1)
        self.decoder = _Decoder()

    def describe(self, image: Tensor) -> FrameFeatures:
        """Features of a frame.

        Parameters
        ----------
        image : (1, 3, H, W) tensor
            RGB, normalised with the mean and deviation of ImageNet; H and W are multiples of 16.
        """
        quarter, eighth, deep = self.key_encoder(image)
        thin = self.key_comp(deep)
        # Distances of keys are differences of large numbers: the last layer stays exact.
        key = self.key_proj(deep.to(self.key_proj.key_proj.weight.dtype))
        return FrameFeatures(key, deep, *self.decoder.of_frame(thin, eighth, quarter))

    def remember(self, image: Tensor, deep: Tensor, masks: Tensor, others: Tensor) -> Tensor:
        """Values of a frame, one set for each object.

        Parameters
        ----------
        image : (1, 3, H, W) tensor
        deep : (1, 1024, h, w) tensor
        masks, others : (K, 1, H, W) tensors in [0, 1]
            The objects, and for each what belongs to other objects.

        Returns
        -------
        (K, 512, h, w) tensor
        """
        k = len(masks)
        drawn = torch.cat([image.expand(k, -1, -1, -1), masks, others], 1)
        return self.value_encoder(drawn, deep.expand(k, -1, -1, -1))

    def decode(self, readout: Tensor, features: FrameFeatures) -> Tensor:
        """Masks of a frame.

        Parameters
        ----------
        readout : (K, 512, h, w) tensor
            What the memory gives for the frame's key.
        features : FrameFeatures

        Returns
        -------
        (K, 1, H / 4, W / 4) tensor
            Log odds of each object alone.
        """
        return self.decoder(readout, features)


def aggregate(alone: Tensor) -> Tensor:
    """Probabilities of all objects together (soft aggregation of STM, Sec. 3.4).

    Parameters
    ----------
    alone : (K, H, W) tensor in [0, 1]
        Of each object against everything else.

    Returns
    -------
    (K + 1, H, W) tensor
        Background first; sums to 1.
    """
    nothing = (1 - alone).prod(0, keepdim=True)
    p = torch.cat([nothing, alone]).clamp(CERTAIN, 1 - CERTAIN)
    odds = p / (1 - p)
    return odds / odds.sum(0, keepdim=True)


class _Stem(nn.Module):
    """A residual network's first layers, to stride 4."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)

    def stem(self, x: Tensor) -> Tensor:
        return functional.max_pool2d(functional.relu_(self.bn1(self.conv1(x))), 3, 2, 1)


class _KeyEncoder(_Stem):
    """ResNet-50 without its last stage."""

    def __init__(self) -> None:
        super().__init__(3)
        self.res2 = stage(Bottleneck, 64, 64, 3)
        self.layer2 = stage(Bottleneck, 256, 128, 4)
        self.layer3 = stage(Bottleneck, 512, 256, 6)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features at strides 4, 8 and 16."""
        quarter = self.res2(self.stem(image))
        eighth = self.layer2(quarter)
        return quarter, eighth, self.layer3(eighth)


class _KeyProjection(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.key_proj = nn.Conv2d(DEEP, KEY, 3, padding=1)

    def forward(self, deep: Tensor) -> Tensor:
        return self.key_proj(deep)


class _ValueEncoder(_Stem):
    """ResNet-18 without its last stage, joined with the key encoder's features."""

    def __init__(self) -> None:
        super().__init__(5)
        self.layer1 = stage(BasicBlock, 64, 64, 2)
        self.layer2 = stage(BasicBlock, 64, 128, 2)
        self.layer3 = stage(BasicBlock, 128, 256, 2)
        self.fuser = _Fuser(256 + DEEP, VALUE)

    def forward(self, drawn: Tensor, deep: Tensor) -> Tensor:
        return self.fuser(self.layer3(self.layer2(self.layer1(self.stem(drawn)))), deep)


class _Residual(nn.Module):
    """Two convolutions, each after a rectifier, around a connection that may change width."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.downsample = None if before == after else nn.Conv2d(before, after, 3, padding=1)
        self.conv1 = nn.Conv2d(before, after, 3, padding=1)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.conv2(functional.relu_(self.conv1(functional.relu(x))))
        return inner.add_(x if self.downsample is None else self.downsample(x))


class _Fuser(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.block1 = _Residual(before, after)
        self.attention = _Attention(after)
        self.block2 = _Residual(after, after)

    def forward(self, x: Tensor, deep: Tensor) -> Tensor:
        x = self.block1(torch.cat([x, deep], 1))
        return self.block2(x + self.attention(x))


class _Attention(nn.Module):
    """CBAM (Woo et al., ECCV 2018): channels are weighed, then places."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.ChannelGate = _ChannelGate(channels)
        self.SpatialGate = _SpatialGate()

    def forward(self, x: Tensor) -> Tensor:
        return self.SpatialGate(self.ChannelGate(x))


class _ChannelGate(nn.Module):
    REDUCTION = 16

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow = channels // self.REDUCTION
        self.mlp = nn.Sequential(
            nn.Flatten(), nn.Linear(channels, narrow), nn.ReLU(), nn.Linear(narrow, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        weight = self.mlp(x.mean((2, 3))) + self.mlp(x.amax((2, 3)))
        return x * weight.sigmoid()[..., None, None]


class _SpatialGate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.spatial = nn.Sequential()
        self.spatial.conv = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, x: Tensor) -> Tensor:
        pooled = torch.cat([x.amax(1, keepdim=True), x.mean(1, keepdim=True)], 1)
        return x * self.spatial(pooled).sigmoid()


class _Parts(nn.Module):
    """A convolution of readout and frame side by side, as the sum of one of each."""

    def __init__(self, readout: int, frame: int, after: int) -> None:
        super().__init__()
        self.readout = nn.Conv2d(readout, after, 3, padding=1, bias=False)
        self.frame = nn.Conv2d(frame, after, 3, padding=1)


class _Compress(nn.Module):
    """`_Residual` of readout and frame side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.downsample = _Parts(VALUE, VALUE, VALUE)
        self.conv1 = _Parts(VALUE, VALUE, VALUE)
        self.conv2 = nn.Conv2d(VALUE, VALUE, 3, padding=1)

    def of_frame(self, thin: Tensor) -> tuple[Tensor, Tensor]:
        return self.conv1.frame(functional.relu(thin)), self.downsample.frame(thin)

    def forward(self, readout: Tensor, inner: Tensor, outer: Tensor) -> Tensor:
        x = self.conv1.readout(functional.relu(readout)).add_(inner)
        return self.conv2(functional.relu_(x)).add_(self.downsample.readout(readout)).add_(outer)


class _Rise(nn.Module):
    """Twice the resolution, with a skip connection."""

    def __init__(self, skip: int, before: int, after: int) -> None:
        super().__init__()
        self.skip_conv = nn.Conv2d(skip, before, 3, padding=1)
        self.out_conv = _Residual(before, after)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        return self.out_conv(x.add_(skip))


class _Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.compress = _Compress()
        self.up_16_8 = _Rise(512, VALUE, 256)
        self.up_8_4 = _Rise(256, 256, 256)
        self.pred = nn.Conv2d(256, 1, 3, padding=1)

    def of_frame(self, thin: Tensor, eighth: Tensor, quarter: Tensor) -> tuple[Tensor, ...]:
        """What the decoder makes of a frame alone; see `FrameFeatures`."""
        skips = self.up_16_8.skip_conv(eighth), self.up_8_4.skip_conv(quarter)
        return *self.compress.of_frame(thin), *skips

    def forward(self, readout: Tensor, features: FrameFeatures) -> Tensor:
        x = self.up_16_8(self.compress(readout, features.inner, features.outer), features.eighth)
        height = x.shape[2]
        edges = [i * height // STRIPS for i in range(STRIPS + 1)]
        return torch.cat([self._upper(x, features.quarter, *rows) for rows in pairwise(edges)], 2)

    def _upper(self, x: Tensor, quarter: Tensor, start: int, stop: int) -> Tensor:
        """Log odds of some rows of `x`, which become twice as many."""
        above, below = max(start - MARGIN, 0), stop + MARGIN
        x = self.up_8_4(x[:, :, above:below], quarter[:, :, 2 * above : 2 * below])
        return self.pred(functional.relu_(x))[:, :, 2 * (start - above) : 2 * (stop - above)]

"""The backbone of ShuffleNet V2 (Ma et al., ECCV 2018, Table 5), without its head.

Channels are split into even and odd ones, as in the authors' release, so that weights
trained with it fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

__all__ = ["ShuffleNetV2"]

REPEATS = (4, 8, 4)
"""Units of the three stages."""

STEM = 24
"""Channels of the first convolution."""


class ShuffleNetV2(nn.Module):
    """From an image to features at strides 2, 4, 8, 16 and 32.

    Parameters
    ----------
    stages : three ints
        Channels of the stages; (48, 96, 192) is the size called 0.5x.
    """

    def __init__(self, stages: Sequence[int] = (48, 96, 192)) -> None:
        super().__init__()
        self.channels = (STEM, STEM, *stages)
        self.first_conv = nn.Sequential(
            nn.Conv2d(3, STEM, 3, 2, 1, bias=False), nn.BatchNorm2d(STEM), nn.ReLU(inplace=True)
        )
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.stage2, self.stage3, self.stage4 = (
            nn.Sequential(
                _Unit(before, after, 2), *(_Unit(after // 2, after, 1) for _ in range(repeats - 1))
            )
            for repeats, (before, after) in zip(REPEATS, pairwise((STEM, *stages)), strict=True)
        )

    def stem(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Features of an image, (B, 3, H, W), at strides 2 and 4."""
        half = self.first_conv(image)
        return half, self.maxpool(half)

    def deep(self, quarter: Tensor) -> list[Tensor]:
        """Features at strides 8, 16 and 32, from those at 4."""
        features = [quarter]
        for stage in (self.stage2, self.stage3, self.stage4):
            features.append(stage(features[-1]))
        return features[1:]

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of an image, (B, 3, H, W), of `channels` at strides 2, 4, 8, 16, 32."""
        half, quarter = self.stem(image)
        return [half, quarter, *self.deep(quarter)]


class _Unit(nn.Module):
    """Fig. 3 (c) and (d) of the paper."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        middle = after // 2
        self.branch_main = nn.Sequential(
            *_pointwise(before, middle),
            *_depthwise(middle, stride),
            *_pointwise(middle, after - before),
        )
        if stride == 2:
            self.branch_proj = nn.Sequential(*_depthwise(before, 2), *_pointwise(before, before))

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == 2:
            return torch.cat([self.branch_proj(x), self.branch_main(x)], 1)
        return torch.cat([x[:, 0::2], self.branch_main(x[:, 1::2])], 1)


def _pointwise(before: int, after: int) -> list[nn.Module]:
    return [
        nn.Conv2d(before, after, 1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    ]


def _depthwise(channels: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False),
        nn.BatchNorm2d(channels),
    ]

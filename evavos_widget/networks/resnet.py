"""Residual blocks (He et al., CVPR 2016), by the names that torchvision and published weights use.

torchvision has them too, but imports half a compiler with its models, which takes 160 MB.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn
from torch.nn import functional

__all__ = ["BasicBlock", "Bottleneck", "stage"]


class _Block(nn.Module, ABC):
    """Convolutions around a connection, which has one of its own where the shape changes."""

    expansion = 1
    downsample: nn.Module | None

    @abstractmethod
    def _inner(self, x: Tensor) -> Tensor:
        """What is added to the connection."""

    def forward(self, x: Tensor) -> Tensor:
        """Features after the block."""
        rest = x if self.downsample is None else self.downsample(x)
        return functional.relu_(self._inner(x).add_(rest))


class BasicBlock(_Block):
    """Two convolutions of 3 x 3 (ResNet-18)."""

    def __init__(
        self, before: int, width: int, stride: int = 1, downsample: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = downsample

    def _inner(self, x: Tensor) -> Tensor:
        x = functional.relu_(self.bn1(self.conv1(x)))
        return self.bn2(self.conv2(x))


class Bottleneck(_Block):
    """A convolution of 3 x 3 between two of 1 x 1 (ResNet-50); the middle one has the stride."""

    expansion = 4

    def __init__(
        self, before: int, width: int, stride: int = 1, downsample: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width * self.expansion)
        self.downsample = downsample

    def _inner(self, x: Tensor) -> Tensor:
        x = functional.relu_(self.bn1(self.conv1(x)))
        x = functional.relu_(self.bn2(self.conv2(x)))
        return self.bn3(self.conv3(x))


def stage(block: type[BasicBlock | Bottleneck], before: int, width: int, n: int) -> nn.Sequential:
    """`n` blocks; the first halves the resolution, except where the width is 64."""
    stride, after = (1 if width == 64 else 2), width * block.expansion
    down = None
    if stride != 1 or before != after:
        down = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
    blocks = [block(before, width, stride, down)]
    return nn.Sequential(*blocks, *(block(after, width) for _ in range(n - 1)))

"""Convolutions of 3 x 3 with a quarter of the multiplications, for processors.

Winograd's minimal filtering F(4 x 4, 3 x 3) (Lavin and Gray, CVPR 2016, Sec. 4.1 and 4.3): tiles
of 6 x 6 are transformed, multiplied channel by channel, and transformed back to tiles of 4 x 4.
Weights take four times the memory, and rounding errors are a few times as large.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["WinogradConv", "convolve_by_winograd"]

TILE, STEP = 6, 4
"""Sides of the tiles that are read and written."""

STRIP = 2**20
"""Numbers transformed at once; more would leave the processor's cache."""

LEAST_CHANNELS = 64
"""With fewer, the transforms take longer than the multiplications that they save: of the time of
oneDNN's convolutions on an AVX2 processor, 0.5 to 0.6 with 128 and 160 channels, 0.8 with 64, 1.4
with 32."""

_INPUT = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
_WEIGHT = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
_OUTPUT = (
    (1, 1, 1, 1, 1, 0),
    (0, 1, -1, 2, -2, 0),
    (0, 1, 1, 4, 4, 0),
    (0, 1, -1, 8, -8, 1),
)
"""Transforms along one axis (ibid., Sec. 4.3)."""


def _both_axes(matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    one = torch.tensor(matrix, dtype=torch.float64)
    return torch.kron(one, one)


class WinogradConv(nn.Module):
    """Does what a convolution does, for inference in single precision.

    Parameters
    ----------
    conv : Conv2d
        3 x 3 with a border of 1, and nothing else unusual.
    """

    weight: Tensor
    bias: Tensor | None
    into: Tensor
    back: Tensor

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        if not _is_plain(conv):
            raise ValueError(f"only plain convolutions of 3 x 3 can be replaced, not {conv}.")
        weight = conv.weight.detach().double()
        after, before = weight.shape[:2]
        weight = _both_axes(_WEIGHT) @ weight.reshape(after * before, 9).T
        weight = weight.view(TILE * TILE, after, before).transpose(1, 2).float()
        self.register_buffer("weight", weight.contiguous())
        self.register_buffer("bias", None if conv.bias is None else conv.bias.detach().float())
        self.register_buffer("into", _both_axes(_INPUT).float())
        self.register_buffer("back", _both_axes(_OUTPUT).float())

    def forward(self, x: Tensor) -> Tensor:
        """The convolution of ``(B, C, H, W)``, with channels last in memory."""
        batch, channels, height, width = x.shape
        down, across = -(-height // STEP), -(-width // STEP)
        after = self.weight.shape[2]
        out = x.new_empty(batch, down, STEP, across, STEP, after)
        rows = max(1, STRIP // (TILE * TILE * batch * across * channels))
        for start in range(0, down, rows):
            n = min(rows, down - start)
            above, below = STEP * start - 1, STEP * (start + n) + 1
            part = functional.pad(
                x[:, :, max(above, 0) : min(below, height)],
                (1, STEP * across + 1 - width, max(-above, 0), max(below - height, 0)),
            )
            # (B, tiles down, tiles across, C, 6, 6), a view
            tiles = part.permute(0, 2, 3, 1).unfold(1, TILE, STEP).unfold(2, TILE, STEP)
            flat = tiles.permute(4, 5, 0, 1, 2, 3).reshape(TILE * TILE, -1)
            products = torch.bmm((self.into @ flat).view(TILE * TILE, -1, channels), self.weight)
            found = (self.back @ products.view(TILE * TILE, -1)).view(
                STEP, STEP, batch, n, across, after
            )
            out[:, start : start + n] = found.permute(2, 3, 0, 4, 1, 5)
        out = out.view(batch, STEP * down, STEP * across, after)[:, :height, :width]
        if self.bias is not None:
            out += self.bias
        return out.permute(0, 3, 1, 2)


def _is_plain(conv: nn.Conv2d) -> bool:
    what = (conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.groups)
    return what == ((3, 3), (1, 1), (1, 1), (1, 1), 1)


def convolve_by_winograd(network: nn.Module) -> None:
    """Replace the convolutions that gain by it, in place; the rest stays.

    Parameters
    ----------
    network : Module
        In single precision on a processor. With bfloat16, where a processor multiplies it, the
        library's convolutions are faster.
    """
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Conv2d) and _is_worth_it(child):
                setattr(module, name, WinogradConv(child))


def _is_worth_it(conv: nn.Conv2d) -> bool:
    return _is_plain(conv) and min(conv.in_channels, conv.out_channels) >= LEAST_CHANNELS

"""Convolutions in integers of 8 bits, for the ablation of the compact engine.

What PyTorch's compiler uses on processors, called by hand: weights with one scale for each output
channel, inputs with the scale of what there is to see. Inputs have 7 bits, since processors without
VNNI add products of 8 and 8 bits in 16.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from evavos_widget.networks.compact import CompactNet

__all__ = ["LEAST_CHANNELS", "Int8Conv", "in_int8"]

LEVELS = 127
"""Of inputs and, on either side of zero, of weights."""

LEAST_CHANNELS = 64
"""With fewer, finding the scale and rounding take longer than is won."""


class Int8Conv(nn.Module):
    """Does nearly what a convolution does, for inference on a processor.

    Parameters
    ----------
    conv : Conv2d
        In single precision.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        weight = conv.weight.detach().contiguous()
        self._scales = weight.abs().amax((1, 2, 3)).clamp_min(1e-8) / LEVELS
        self._zeros = torch.zeros(len(weight), dtype=torch.int32)
        self._bias = None if conv.bias is None else conv.bias.detach()
        self._shape = [list(p) for p in (conv.stride, conv.padding, conv.dilation)]
        self._groups = conv.groups
        rounded = (weight / self._scales[:, None, None, None]).round().to(torch.int8)
        self._weight = torch.ops.onednn.qconv_prepack(
            rounded, self._scales, 1.0, 0, *self._shape, self._groups, None
        )

    def forward(self, x: Tensor) -> Tensor:
        low, high = (float(v) for v in x.aminmax())
        low, high = min(low, 0.0), max(high, 0.0)
        scale = max((high - low) / LEVELS, 1e-8)
        zero = round(-low / scale)
        levels = x.mul(1 / scale).add_(zero + 0.5).to(torch.uint8)  # which cuts off: rounded
        return torch.ops.onednn.qconv2d_pointwise(
            levels, scale, zero, self._weight, self._scales, self._zeros, self._bias,
            *self._shape, self._groups, 1.0, 0, torch.float32, "none", [], "",
        )  # fmt: skip


def in_int8(network: CompactNet) -> CompactNet:
    """A copy whose propagation decoder and value encoder convolve 3 x 3 in int8."""
    network = copy.deepcopy(network)
    for part in (network.decoder, network.value):
        for module in list(part.modules()):
            for name, conv in module.named_children():
                if isinstance(conv, nn.Conv2d) and _is_worth_it(conv):
                    setattr(module, name, Int8Conv(conv))
    return network


def _is_worth_it(conv: nn.Conv2d) -> bool:
    return conv.kernel_size == (3, 3) and min(conv.in_channels, conv.out_channels) >= LEAST_CHANNELS

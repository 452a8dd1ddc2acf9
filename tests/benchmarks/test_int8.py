"""Convolutions in int8 for the ablation: near the ones that they replace, and only where told."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmarks.int8 import LEAST_CHANNELS, Int8Conv, in_int8
from evavos_widget.networks.compact import CompactNet

pytestmark = pytest.mark.skipif(
    not hasattr(torch.ops.onednn, "qconv2d_pointwise"), reason="PyTorch has no int8 convolution"
)


@pytest.mark.parametrize(("stride", "dilation", "low"), [(1, 1, 0.0), (2, 1, -1.0), (1, 2, -3.0)])
def test_int8_is_near_single_precision(stride: int, dilation: int, low: float) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(64, 96, 3, stride, dilation, dilation)
    x = torch.rand(1, 64, 24, 32).contiguous(memory_format=torch.channels_last) * 4 + low
    with torch.inference_mode():
        expected, found = conv(x), Int8Conv(conv)(x)
    assert found.shape == expected.shape
    assert (found - expected).abs().mean() < 0.02 * expected.abs().mean()


def test_the_encoder_and_the_click_head_stay_as_they_are() -> None:
    network = CompactNet().eval()
    changed = in_int8(network)
    kinds = {name for name, part in changed.named_modules() if isinstance(part, Int8Conv)}
    assert kinds
    assert all(name.startswith(("decoder.", "value.")) for name in kinds)
    assert not any(isinstance(part, Int8Conv) for part in network.modules())
    narrow = [m for m in changed.modules() if isinstance(m, nn.Conv2d)]
    assert any(min(m.in_channels, m.out_channels) < LEAST_CHANNELS for m in narrow)

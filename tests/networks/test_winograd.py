from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from evavos_widget.networks import winograd
from evavos_widget.networks.winograd import WinogradConv


@given(
    sides=st.tuples(st.integers(1, 14), st.integers(1, 14)),
    channels=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    batch=st.integers(1, 3),
    bias=st.booleans(),
)
def test_it_is_the_convolution(
    sides: tuple[int, int], channels: tuple[int, int], batch: int, bias: bool
) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(*channels, 3, padding=1, bias=bias)
    x = torch.randn(batch, channels[0], *sides)
    with torch.inference_mode():
        assert torch.allclose(WinogradConv(conv)(x), conv(x), atol=1e-5)


def test_strips_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    conv, x = nn.Conv2d(3, 4, 3, padding=1), torch.randn(1, 3, 33, 20)
    whole = WinogradConv(conv)(x)
    monkeypatch.setattr(winograd, "STRIP", 1)
    assert torch.allclose(WinogradConv(conv)(x), whole, atol=1e-5)


def test_another_kind_of_convolution_is_refused() -> None:
    with pytest.raises(ValueError, match="only plain convolutions"):
        WinogradConv(nn.Conv2d(3, 4, 3, stride=2, padding=1))

"""A tiny compact network with random weights, in a file."""

from __future__ import annotations

from pathlib import Path

import torch

from evavos_widget.networks.compact import CompactConfig, CompactNet, DecoderSizes
from evavos_widget.networks.weights import save_weights

SMALL_DECODER = DecoderSizes(16, 16, (64, 32))

TINY = CompactConfig(
    stem=8,
    stages=(4, 6, 8, 8, 12, 16),
    width=16,
    key=8,
    value=8,
    value_width=16,
    decoder=SMALL_DECODER,
    click_decoder=SMALL_DECODER,
)


def write_small_weights(folder: Path) -> Path:
    torch.manual_seed(0)
    file = folder / "small.safetensors"
    save_weights(CompactNet(TINY), file)
    return file

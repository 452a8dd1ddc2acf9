"""A tiny compact network with random weights, in a file."""

from __future__ import annotations

from pathlib import Path

import torch

from evavos_widget.networks.compact import CompactConfig, CompactNet
from evavos_widget.networks.weights import save_weights

TINY = CompactConfig(
    stem=8,
    stages=(4, 6, 8, 8, 12, 16),
    width=16,
    key=8,
    value=8,
    value_width=16,
    decoder_width=16,
    deep=16,
    rise=(64, 32),
)


def write_small_weights(folder: Path) -> Path:
    torch.manual_seed(0)
    file = folder / "small.safetensors"
    save_weights(CompactNet(TINY), file)
    return file

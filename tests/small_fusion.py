"""MiVOS's fusion weights as published, with random numbers."""

from __future__ import annotations

from pathlib import Path

import torch

PUBLISHED = {
    "conv1.0": (32, 9),
    "conv2.0": (32, 32),
    "conv2.2": (32, 32),
    "conv3.0": (32, 32),
    "conv3.2": (32, 32),
    "final_conv": (1, 32),
}


def random_state() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    state = {}
    for name, shape in PUBLISHED.items():
        state[f"{name}.weight"] = torch.randn(*shape, 3, 3, generator=generator) / shape[1] ** 0.5
        state[f"{name}.bias"] = torch.randn(shape[0], generator=generator)
    return state


def write_random_fusion(path: Path) -> Path:
    torch.save(random_state(), path)
    return path

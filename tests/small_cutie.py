"""Cutie's smaller network with random weights, saved as the published ones are."""

from __future__ import annotations

from pathlib import Path

import torch

from evavos_widget.propagation.cutie import build_cutie, cutie_settings


def write_small_cutie(path: Path) -> Path:
    """A file in the published format."""
    torch.manual_seed(1)
    torch.save(build_cutie(cutie_settings("small")).state_dict(), path)
    return path

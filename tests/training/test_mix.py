from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_weights import TINY

from evavos_widget.networks.compact import CompactNet
from evavos_widget.networks.weights import load_weights, save_weights
from evavos_widget.training.mix import main, mixed


def test_mixed_weights_lie_between_the_two(tmp_path: Path) -> None:
    torch.manual_seed(0)
    networks = [CompactNet(TINY), CompactNet(TINY)]
    networks[1].pyramid.middle[1].running_mean.fill_(4.0)
    for network, name in zip(networks, "ab", strict=True):
        save_weights(network, tmp_path / name)
    files = [str(tmp_path / name) for name in "ab"]
    assert main([*files, "--share", "0.25", "--out", str(tmp_path / "c")]) == 0
    found = load_weights(tmp_path / "c")
    assert torch.allclose(found.pyramid.middle[1].running_mean, torch.tensor(1.0))
    expected = 0.75 * networks[0].to_key.weight + 0.25 * networks[1].to_key.weight
    assert torch.allclose(found.to_key.weight, expected, atol=1e-3)
    assert mixed(*networks, 0).to_key.weight.equal(networks[0].to_key.weight)


def test_networks_of_different_sizes_are_not_mixed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_weights(CompactNet(TINY), tmp_path / "a")
    save_weights(CompactNet(replace(TINY, width=24)), tmp_path / "b")
    files = [str(tmp_path / name) for name in "ab"]
    assert main([*files, "--out", str(tmp_path / "c")]) == 1
    assert "different sizes" in capsys.readouterr().err
    assert not (tmp_path / "c").exists()

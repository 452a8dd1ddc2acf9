from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from evavos_widget.cli import main


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A sequence laid out as DAVIS, with a square that moves."""
    rng = np.random.default_rng(0)
    for kind in ("JPEGImages", "Annotations"):
        (tmp_path / kind / "480p" / "moving").mkdir(parents=True)
    for i in range(5):
        frame = rng.integers(0, 90, (96, 160, 3), dtype=np.uint8)
        mask = np.zeros((96, 160), np.uint8)
        mask[24:56, 16 + 8 * i : 48 + 8 * i] = 255
        frame[mask > 0] += 150
        cv2.imwrite(str(tmp_path / f"JPEGImages/480p/moving/{i:05d}.jpg"), frame)
        cv2.imwrite(str(tmp_path / f"Annotations/480p/moving/{i:05d}.png"), mask)
    return tmp_path


def test_both_find_the_same_and_the_table_is_written(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    asked = ["--data", str(data), "--sequences", "moving", "--json", str(out)]
    assert main(["benchmark", "propagation", *asked, "--repeats", "1", "--frames", "4"]) == 0
    result = json.loads(out.read_text())
    assert 0 < result["max_difference"] <= 1e-4
    assert result["iou"] >= 0.99
    for key in ("first_pass_speedup", "second_round_speedup", "memory_ratio"):
        assert result[key] > 0
    assert result["sequences"]["moving"]["published_first_pass"] > 0
    assert "memory_ratio" in capsys.readouterr().out

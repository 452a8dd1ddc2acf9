"""The error of predicted means, told apart by how frames were annotated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import mean_error
from evavos_widget.training.agents.records import record_file, write_record
from tests.small_records import record


def loops(folder: Path) -> Path:
    """Two videos that are predicted 0.1 too low where all is clicked, and 0.2 too high else."""
    folder.mkdir()
    for number, clicked in enumerate((True, False)):
        made = record(f"video-{number}")
        trust = np.full_like(made.trust, -1)
        trust[:, 0] = 0.9 if clicked else 1.0
        true = np.full_like(made.true, 0.6)
        predicted = np.full_like(made.predicted, 0.5 if clicked else 0.8)
        predicted[:, -1] = np.nan  # nothing is predicted there, and nothing counts there
        true[:, -1] = 0.0
        drawn = np.zeros_like(made.drawn)
        drawn[:, 0] = not clicked
        changed = replace(made, trust=trust, true=true, predicted=predicted, drawn=drawn)
        write_record(changed, record_file(folder, f"video-{number}", 1, 0))
    return folder


def test_errors_are_told_by_how_frames_were_annotated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["mean_error", str(loops(tmp_path / "loops"))])
    mean_error.main()
    told = {line[:12].strip(): line for line in capsys.readouterr().out.splitlines()}
    assert set(told) == {"all", "all clicked", "all drawn"}
    assert "bias +0.100" in told["all clicked"]
    assert "bias -0.200" in told["all drawn"]
    assert "bias -0.050" in told["all"]
    assert "off by 0.150" in told["all"]

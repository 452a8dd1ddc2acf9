from __future__ import annotations

import json
from pathlib import Path

import pytest

from evavos_widget.cli import main


def test_both_scorers_find_the_same(
    data_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    pytest.importorskip("vos_benchmark.evaluator")
    out = tmp_path / "scorer.json"
    command = ["benchmark", "scorer", "--data", str(data_root / "davis16"), "--json", str(out)]
    assert main([*command, "--sequences", "dog,kite-surf"]) == 0
    result = json.loads(out.read_text())
    assert result["max_difference"] < 1e-6
    assert result["n_frames"] == 60 + 50 - 4
    assert "times as fast" in capsys.readouterr().out

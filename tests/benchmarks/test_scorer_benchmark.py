from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from evavos_widget.cli import benchmark, main


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


@pytest.mark.parametrize(
    ("missing", "remedy"),
    [
        ("vos_benchmark", "--no-deps vos-benchmark"),
        ("skimage", "scikit-image"),
        ("skimage.morphology", "scikit-image"),
    ],
)
def test_the_package_that_is_missing_is_the_one_that_is_told(
    missing: str,
    remedy: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    pytest.importorskip("vos_benchmark")
    for name in [name for name in sys.modules if name.startswith(("vos_benchmark", "skimage"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    for kind in ("JPEGImages", "Annotations"):
        (tmp_path / kind / "any").mkdir(parents=True)
    command = ["benchmark", "scorer", "--data", str(tmp_path), "--sequences", "any"]
    assert main(command) == 1
    package = missing.partition(".")[0]
    told = f"needs the package '{package}', which is not installed; run: pip install {remedy}\n"
    assert capsys.readouterr().err.endswith(told)


def test_without_a_checkout_the_command_says_where_benchmarks_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    for kind in ("JPEGImages", "Annotations"):
        (tmp_path / kind / "any").mkdir(parents=True)
    monkeypatch.setattr(
        benchmark, "__file__", str(tmp_path / "site-packages/evavos_widget/cli/benchmark.py")
    )
    for what in ("scorer", "propagation"):
        command = ["benchmark", what, "--data", str(tmp_path), "--sequences", "any"]
        assert main(command) == 1
        told = capsys.readouterr().err
        assert f"'{what}' does not come with the installed package; run it in a checkout" in told

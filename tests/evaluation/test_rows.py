"""An evaluation that is stopped goes on, and says what one in a single piece says."""

from __future__ import annotations

import json
import os
from importlib import import_module

import cv2
import numpy as np
import pytest

from evavos_widget.cli import main
from evavos_widget.evaluation.rows import Rows, about_engine, kept_beside

N, H, W = 4, 48, 64
OF_THE_CLOCK = ("ms_per_frame", "cpu_ms_per_frame", "ms_per_click", "peak_memory_mb")

COPY = ["--propagator", "evavos_widget.testing:NearestCopy"]
DISKS = ["--predictor", "evavos_widget.testing:Disks"]
COMMANDS = {
    "propagation": ["evaluate", "propagation", *COPY],
    "clicks": ["evaluate", "clicks", *DISKS, "--clicks", "2"],
    "second object": ["evaluate", "clicks", *DISKS, "--start", "second-object"],
    "together": ["evaluate", "clicks", *DISKS, "--together", "--clicks", "2"],
    "calibration": ["evaluate", "quality", "--propagator", "flow"],
    "pointvos": ["pointvos", "verify", *COPY, *DISKS],
    "pointvos_benchmark": ["pointvos", "benchmark", *COPY, *DISKS],
}
MODULES = {"second object": "clicks"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two sequences laid out as DAVIS, each with two squares that move."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for name, step in (("first", 3), ("second", 1)):
        for kind in ("JPEGImages", "Annotations"):
            (root / kind / "480p" / name).mkdir(parents=True)
        for i in range(N):
            frame = rng.integers(0, 90, (H, W, 3), dtype=np.uint8)
            mask = np.zeros((H, W), np.uint8)
            for obj, y in ((1, 2), (2, 26)):
                x = 4 + step * i
                frame[y : y + 20, x : x + 20] = 100 + 50 * obj
                mask[y : y + 20, x : x + 20] = obj
            cv2.imwrite(str(root / f"JPEGImages/480p/{name}/{i:05d}.jpg"), frame)
            cv2.imwrite(str(root / f"Annotations/480p/{name}/{i:05d}.png"), mask)
    return root


def without_times(found):
    if isinstance(found, dict):
        return {k: without_times(v) for k, v in found.items() if k not in OF_THE_CLOCK}
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_a_stopped_run_goes_on_to_the_same_result(command, data, tmp_path, monkeypatch, capsys):
    module = import_module(f"evavos_widget.evaluation.{MODULES.get(command, command)}")
    opened, stopped = [], True
    open_sequence = module.open_sequence

    def stopping(root, name):
        if command == "together":  # opens all of them before the work
            return open_sequence(root, name)
        if stopped and name == "second":
            raise KeyboardInterrupt
        opened.append(name)
        return open_sequence(root, name)

    def clicking(*args):
        if stopped and args[4][0] == "second":
            raise KeyboardInterrupt
        opened.append(args[4][0])
        return click_through(*args)

    monkeypatch.setattr(module, "open_sequence", stopping)
    if command == "together":
        click_through = module._click_through
        monkeypatch.setattr(module, "_click_through", clicking)
    given = [*COMMANDS[command], "--data", str(data), "--sequences", "first,second"]
    cut, whole = tmp_path / "cut.json", tmp_path / "whole.json"
    rows = tmp_path / "cut.json.rows"

    def run(file):
        folder = ["--out", str(file.with_suffix(""))] if command == "pointvos" else []
        return main([*given, "--json", str(file), *folder])

    assert run(cut) == 130
    assert str(rows) in capsys.readouterr().err
    assert not cut.exists()
    opened.clear()
    stopped = False
    assert run(cut) == 0
    assert "a run that was stopped left 1 row" in capsys.readouterr().err
    if command != "pointvos_benchmark":  # which draws the points of every sequence
        assert set(opened) == {"second"}
    assert not rows.exists()
    assert run(whole) == 0
    found, wanted = (json.loads(file.read_text()) for file in (cut, whole))
    assert without_times(found) == without_times(wanted)
    if command == "pointvos":
        written = [sorted(p.name for p in (tmp_path / n).iterdir()) for n in ("cut", "whole")]
        assert written[0] == written[1]
        assert len(written[0]) == 2


def test_a_row_of_other_options_is_measured_anew(tmp_path):
    rows = Rows(tmp_path / "a.rows")
    assert rows.measured({"k": 1}, "dog", lambda: {"j": 0.5}) == {"j": 0.5}
    again = Rows(tmp_path / "a.rows")
    assert again.measured({"k": 1}, "dog", lambda: {"j": 0.7}) == {"j": 0.5}
    assert again.measured({"k": 2}, "dog", lambda: {"j": 0.7}) == {"j": 0.7}
    assert again.measured({"k": 1}, "cat", lambda: {"j": 0.9}) == {"j": 0.9}
    assert Rows(tmp_path / "a.rows").n == 3


def test_a_line_that_was_broken_off_costs_itself_alone(tmp_path):
    file = tmp_path / "a.rows"
    rows = Rows(file)
    rows.measured({}, "dog", lambda: {"j": 0.1 + 0.2})
    rows.measured({}, "cat", lambda: {"j": 0.5})
    file.write_text(file.read_text()[:-9])
    rows = Rows(file)
    assert (rows.has({}, "dog"), rows.has({}, "cat")) == (True, False)
    rows.measured({}, "cat", lambda: {"j": 0.6})
    found = Rows(file)
    assert found.measured({}, "dog", dict) == {"j": 0.1 + 0.2}
    assert found.measured({}, "cat", dict) == {"j": 0.6}


def test_weights_that_were_trained_on_are_another_engine(tmp_path):
    weights = tmp_path / "mine.safetensors"
    weights.write_bytes(b"1")
    os.utime(weights, (1, 1))
    before = about_engine("propagator", f"compact:{weights}")
    assert before == about_engine("propagator", f"compact:{weights}")
    os.utime(weights, (2, 2))
    assert before != about_engine("propagator", f"compact:{weights}")
    assert about_engine("propagator", "compact:free") == ["compact:free"]


def test_where_no_result_is_asked_for_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with kept_beside(None) as rows:
        rows.measured({}, "dog", dict)
    assert not list(tmp_path.iterdir())

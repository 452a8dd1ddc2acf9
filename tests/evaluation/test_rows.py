"""An evaluation that is stopped goes on, and says what one in a single piece says."""

from __future__ import annotations

import json
import os
import shutil
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
import pytest

from evavos_widget import engines
from evavos_widget.cli import main
from evavos_widget.evaluation import rows as rows_module
from evavos_widget.evaluation.propagation import evaluate_propagation
from evavos_widget.evaluation.rows import EngineOption, Rows, _last_change, kept_beside
from evavos_widget.testing import NearestCopy

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
    assert "has 1 row of a run that was stopped" in capsys.readouterr().err
    if command != "pointvos_benchmark":  # which draws the points of every sequence
        assert set(opened) == {"second"}
    assert not rows.exists()
    assert run(whole) == 0
    found, wanted = (json.loads(file.read_text()) for file in (cut, whole))
    assert without_times(found) == without_times(wanted)
    if command == "pointvos":
        written = [
            {file.name: len(json.loads(file.read_text())) for file in (tmp_path / folder).iterdir()}
            for folder in ("cut", "whole")
        ]
        assert written[0] == written[1]
        assert set(written[0]) == {"first.json", "second.json"}


def test_a_row_of_other_options_is_measured_anew_and_stays(tmp_path, data):
    rows = Rows(tmp_path / "a.rows")
    assert rows.measured({"k": 1}, data, "first", lambda: {"j": 0.5}) == {"j": 0.5}
    again = Rows(tmp_path / "a.rows")
    assert again.measured({"k": 2}, data, "first", lambda: {"j": 0.7}) == {"j": 0.7}
    assert again.measured({"k": 1}, data, "second", lambda: {"j": 0.9}) == {"j": 0.9}
    again.close()
    left = Rows(tmp_path / "a.rows")
    assert left.left == 1
    assert left.measured({"k": 1}, data, "first", lambda: {"j": 0.8}) == {"j": 0.5}
    assert left.measured({"k": 1}, data, "first", lambda: {"j": 0.8}) == {"j": 0.8}  # asked twice
    left.close()
    assert not (tmp_path / "a.rows").exists()


def test_rows_of_another_version_are_dropped(tmp_path, data, monkeypatch):
    Rows(tmp_path / "a.rows").measured({}, data, "first", lambda: {"j": 0.5})
    monkeypatch.setattr(rows_module, "VERSION", "99")
    rows = Rows(tmp_path / "a.rows")
    assert (rows.left, rows.found({}, data, "first")) == (0, None)
    rows.close()
    assert not (tmp_path / "a.rows").exists()


def test_a_line_that_was_broken_off_costs_itself_alone(tmp_path, data):
    file = tmp_path / "a.rows"
    rows = Rows(file)
    rows.measured({}, data, "first", lambda: {"j": 0.1 + 0.2})
    rows.measured({}, data, "second", lambda: {"j": np.float32(0.5)})
    file.write_text(file.read_text()[:-9])
    rows = Rows(file)
    assert [rows.found({}, data, name) for name in ("first", "second")] == [{"j": 0.1 + 0.2}, None]
    rows.measured({}, data, "second", lambda: {"j": 0.6})
    assert Rows(file).found({}, data, "second") == {"j": 0.6}


@pytest.mark.parametrize("kind", ["JPEGImages", "Annotations"])
def test_a_sequence_whose_files_were_changed_is_measured_anew(kind, data, tmp_path):
    root = tmp_path / "data"
    shutil.copytree(data, root)
    options = {"seed": np.int64(3)}
    Rows(tmp_path / "a.rows").measured(options, root, "first", lambda: {"j": 0.5})
    assert Rows(tmp_path / "a.rows").found(options, root, "first") == {"j": 0.5}
    file = next((root / kind / "480p/first").iterdir())
    os.utime(file, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns + 10**9))
    assert Rows(tmp_path / "a.rows").found(options, root, "first") is None
    assert Rows(tmp_path / "a.rows").found(options, root, "second") is None


def test_weights_and_code_that_were_changed_are_another_engine(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    weights = tmp_path / "mine.safetensors"
    weights.write_bytes(b"1")
    package = tmp_path / "mine_rows"
    (package / "deep").mkdir(parents=True)
    for file in ("__init__.py", "deep/__init__.py", "part.py"):
        (package / file).write_text("")
    engine = "from evavos_widget.testing import NearestCopy\nclass Mine(NearestCopy): pass\n"
    (package / "deep/engine.py").write_text(engine)
    monkeypatch.syspath_prepend(tmp_path)
    specs = ["compact:~/mine.safetensors", "mine_rows.deep.engine:Mine"]
    before = [EngineOption("propagator", spec).about for spec in specs]
    assert before == [EngineOption("propagator", spec).about for spec in specs]
    for file in (weights, package / "part.py"):
        os.utime(file, (2e9, 2e9))
    _last_change.cache_clear()
    after = [EngineOption("propagator", spec).about for spec in specs]
    assert all(one != other for one, other in zip(before, after, strict=True))
    assert EngineOption("propagator", "compact:free").about == ["compact:free"]


def test_where_no_file_is_written_nothing_is_kept(tmp_path, data, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    for result in (None, Path("pipe")):
        with kept_beside(result) as rows:
            rows.measured({}, data, "first", dict)
    assert [p.name for p in tmp_path.iterdir()] == ["pipe"]
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with kept_beside(Path(".")) as rows:
        assert rows.file == tmp_path / "here.rows"


def test_points_of_somebody_else_stay(data, tmp_path, monkeypatch, capsys):
    module = import_module("evavos_widget.evaluation.pointvos")
    open_sequence, out = module.open_sequence, tmp_path / "points"
    given = [*COMMANDS["pointvos"], "--data", str(data), "--sequences", "first,second"]
    given += ["--out", str(out)]

    def stopping(root, name):
        if name == "second":
            raise KeyboardInterrupt
        return open_sequence(root, name)

    with monkeypatch.context() as patch:
        patch.setattr(module, "open_sequence", stopping)
        assert main(given) == 130
    (out / "second.json").write_text("mine")
    assert main(given) == 1
    assert "second.json is not of this run" in capsys.readouterr().err
    assert (out / "second.json").read_text() == "mine"
    (out / "second.json").unlink()
    (out / "first.json").unlink()  # whose row is there
    assert main(given) == 0
    assert sorted(p.name for p in out.iterdir()) == ["first.json", "second.json"]


def test_exchanged_points_are_others(data, tmp_path, monkeypatch):
    module = import_module("evavos_widget.evaluation.pointvos_benchmark")
    points, figures = tmp_path / "points.jsonl", tmp_path / "a.json"
    given = [*COMMANDS["pointvos_benchmark"], "--data", str(data), "--sequences", "first"]
    assert main([*given, "--points", str(points), "--json", str(figures)]) == 0
    right = json.loads(figures.read_text())["jf"]
    keep = Rows.close
    monkeypatch.setattr(module.Rows, "close", lambda self: None)
    assert main([*given, "--points", str(points), "--json", str(figures)]) == 0
    monkeypatch.setattr(module.Rows, "close", keep)
    text = points.read_text()
    swapped = text.replace('"object": 1', '"object": 0').replace('"object": 2', '"object": 1')
    points.write_text(swapped.replace('"object": 0', '"object": 2'))
    assert points.read_text() != text
    assert main([*given, "--points", str(points), "--json", str(figures)]) == 0
    assert json.loads(figures.read_text())["jf"]["1"] < right["1"]


def test_an_engine_that_is_named_twice_is_measured_twice(data, tmp_path):
    figures = tmp_path / "a.json"
    copy = COPY[1]
    given = ["evaluate", "propagation", "--data", str(data), "--sequences", "first"]
    assert main([*given, "--propagator", copy, copy, "--json", str(figures)]) == 0
    runs = json.loads(figures.read_text())["runs"]
    assert runs[0]["ms_per_frame"] != runs[1]["ms_per_frame"]
    assert runs[0]["mean"] == runs[1]["mean"]


def test_without_a_file_an_engine_is_not_written_down(data, monkeypatch):
    monkeypatch.setattr(engines, "identity", lambda engine: pytest.fail("networks are large"))
    found = evaluate_propagation(data, ["first"], NearestCopy(), report=lambda line: None)
    assert found["sequences"]["first"]["jf"] < 1

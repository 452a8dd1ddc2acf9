from __future__ import annotations

import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
from filelock import FileLock

from evavos_widget.annotation_selection.baselines import Clicks
from evavos_widget.cli import main
from evavos_widget.datasets.davis import open_sequence, write_sequence
from evavos_widget.experiments import experiment as experiments
from evavos_widget.experiments import run as runs
from evavos_widget.experiments import workers
from evavos_widget.experiments.experiment import Experiment, run_loop
from evavos_widget.experiments.methods import Method
from evavos_widget.experiments.report import report
from evavos_widget.experiments.run import StoppedError, run_experiment
from evavos_widget.experiments.summary import comparable, compare, summarise, summarise_folder
from evavos_widget.experiments.table import Row, Table, read_rows
from evavos_widget.frame_selection.baselines import FarthestInTime
from evavos_widget.loop import AnnotationChoice
from evavos_widget.robot.hand import Hand
from evavos_widget.testing import Disks
from evavos_widget.widgets.curves import Curves

N, H, W = 7, 48, 64
ENGINES = {"propagator": "flow", "predictor": "classical"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos of a textured square that moves, laid out as DAVIS."""
    root = tmp_path_factory.mktemp("data")
    for number, name in enumerate(("left", "right")):
        rng = np.random.default_rng(number)
        ground = rng.integers(0, 90, (H, W, 3), dtype=np.uint8)
        texture = rng.integers(150, 255, (16, 16, 3), dtype=np.uint8)
        for kind in ("JPEGImages", "Annotations"):
            (root / kind / "480p" / name).mkdir(parents=True)
        for i in range(N):
            frame, mask = ground.copy(), np.zeros((H, W), np.uint8)
            x = 6 + 5 * i if number else 40 - 5 * i
            frame[12:28, x : x + 16] = texture
            mask[12:28, x : x + 16] = 255
            cv2.imwrite(str(root / f"JPEGImages/480p/{name}/{i:05d}.jpg"), frame)
            cv2.imwrite(str(root / f"Annotations/480p/{name}/{i:05d}.png"), mask)
    return root


@pytest.fixture(scope="module")
def experiment(data: Path) -> Experiment:
    return Experiment(
        "small",
        (Method("chance", "random", "random"), Method("worst", "oracle-worst", "oracle")),
        str(data),
        ("left", "right"),
        rounds=2,
        seeds=2,
        **ENGINES,
    )


@pytest.fixture(scope="module")
def whole(experiment: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Table:
    return run_experiment(experiment, tmp_path_factory.mktemp("whole"), workers=2)


def opened(experiment: Experiment, name: str):
    return workers._opened(experiment.data, name, experiment.propagator, experiment.predictor)


def test_every_loop_has_a_row_for_every_round(whole: Table) -> None:
    rows = whole.rows()
    assert len(rows) == 2 * (2 + 1) * 3
    for row in rows:
        assert row.hours >= 0.0222
        assert row.frames == "evavos"
        assert (row.expected_gain > 0) == (row.round < 2)
    assert {row.seed for row in rows if row.method == "worst"} == {0}


def test_a_run_that_was_killed_goes_on_and_ends_the_same(
    experiment: Experiment, whole: Table, tmp_path: Path
) -> None:
    first = [row for row in whole.rows() if row.video == "left" and row.method == "worst"]
    table = Table(tmp_path, json.loads((whole.path.parent / "manifest.json").read_text()))
    table.append(first)
    with table.path.open("a") as file:
        file.write("worst,right,1,0,0,0,mask,80,0.02")  # killed in the middle of a line
    heard: list[tuple[int, int]] = []
    run_experiment(
        experiment, tmp_path, workers=1, on_rows=lambda rows, done, n: heard.append((done, n))
    )
    assert heard[0] == (1, 6)
    assert heard[-1] == (6, 6)
    assert table.path.read_bytes() == whole.path.read_bytes()


@pytest.fixture
def command(experiment: Experiment, data: Path, tmp_path: Path) -> list[str]:
    """The experiment on the command line; its folder is ``out``."""
    config = tmp_path / "small.toml"
    methods = "\n".join(
        f'[[methods]]\nname = "{m.name}"\nframe = "{m.frame}"\nannotation = "{m.annotation}"'
        for m in experiment.methods
    )
    config.write_text(
        f'data = "{data}"\nsequences = ["left", "right"]\nrounds = 2\nseeds = 2\n'
        f'propagator = "flow"\npredictor = "classical"\n{methods}\n'
    )
    asked = ["experiment", "--config", str(config), "--workers", "2"]
    return [sys.executable, "-m", "evavos_widget", *asked, "--out", str(tmp_path / "out")]


def test_a_run_that_is_killed_leaves_no_worker_behind_and_repeats_no_finished_loop(
    experiment: Experiment, whole: Table, command: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run = psutil.Popen(command)
    while run.poll() is None and not ((out / "rows.csv").exists() and read_rows(out)):
        time.sleep(0.02)
    workers = run.children(recursive=True)
    run.kill()
    run.wait()
    finished = {row.loop for row in read_rows(out)}
    assert finished
    assert len(workers) >= 2
    _, alive = psutil.wait_procs(workers, timeout=120)
    assert not alive
    heard: list[Row] = []
    table = run_experiment(
        experiment, out, workers=1,
        on_rows=lambda rows, done, n: heard.extend(rows if done > len(finished) else []),
    )  # fmt: skip
    assert not finished & {row.loop for row in heard}
    assert table.path.read_bytes() == whole.path.read_bytes()


def test_workers_never_hear_ctrl_c_even_while_they_begin(
    whole: Table, command: list[str], tmp_path: Path
) -> None:
    run = psutil.Popen(command)
    rows = tmp_path / "out" / "rows.csv"
    while run.poll() is None and not rows.exists():
        with suppress(psutil.NoSuchProcess):  # it may end meanwhile
            for process in run.children():  # JupyterLab interrupts all of them, its kernel goes on
                process.send_signal(signal.SIGINT)
        time.sleep(0.01)
    assert run.wait(timeout=300) == 0
    assert rows.read_bytes() == whole.path.read_bytes()


def test_an_interrupted_run_goes_on_and_ends_the_same(
    experiment: Experiment, whole: Table, tmp_path: Path
) -> None:
    def interrupt(rows: list[Row], done: int, total: int) -> None:
        if rows:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_experiment(experiment, tmp_path, workers=1, on_rows=interrupt)
    assert 0 < len(read_rows(tmp_path)) < len(whole.rows())
    table = run_experiment(experiment, tmp_path, workers=1)
    assert table.path.read_bytes() == whole.path.read_bytes()


def test_a_second_ctrl_c_waits_for_the_workers_as_the_first_does() -> None:
    script = """
import os, signal, threading, time
from multiprocessing import get_context
from evavos_widget.experiments.workers import workers_for

def impatient(stop):
    stop.wait()
    time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGINT)

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    stop = get_context("spawn").Event()
    threading.Thread(target=impatient, args=(stop,), daemon=True).start()
    try:
        with workers_for(2, None, stop) as executor:
            executor.submit(int).result()
            executor.submit(time.sleep, 3)
            time.sleep(0.5)  # until a worker has it
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        print("ended")
"""
    ran = subprocess.run(
        [sys.executable, "-c", script], text=True, capture_output=True, timeout=120
    )
    assert ran.stdout == "ended\n", ran.stderr


def test_a_run_that_is_told_to_stop_keeps_what_it_has_and_goes_on(
    experiment: Experiment, whole: Table, tmp_path: Path
) -> None:
    stop = get_context("spawn").Event()
    heard: list[tuple[int, int]] = []

    def stop_after_the_first(rows: list[Row], done: int, total: int) -> None:
        heard.append((done, total))
        if rows:
            stop.set()

    table = run_experiment(experiment, tmp_path, workers=1, on_rows=stop_after_the_first, stop=stop)
    assert 0 < heard[-1][0] < heard[-1][1]
    assert set(table.rows()) < set(whole.rows())
    table = run_experiment(experiment, tmp_path, workers=1)
    assert table.path.read_bytes() == whole.path.read_bytes()


def test_a_run_that_stopped_between_two_objects_of_a_video_is_not_complete(
    experiment: Experiment, data: Path, tmp_path: Path
) -> None:
    for kind in ("JPEGImages", "Annotations"):
        shutil.copytree(data / kind / "480p" / "left", tmp_path / kind / "left")
    for file in (tmp_path / "Annotations" / "left").iterdir():
        mask = cv2.imread(str(file), 0) // 255
        mask[20:] *= 2
        cv2.imwrite(str(file), mask)
    method = Method("evenly", "uniform", "mask")
    two = replace(
        experiment, data=str(tmp_path), sequences=("left",), methods=(method,), rounds=1, seeds=1
    )
    out, stop = tmp_path / "out", get_context("spawn").Event()

    def stop_after_the_first(rows: list[Row], done: int, total: int) -> None:
        if done == 1:
            stop.set()

    run_experiment(two, out, workers=1, on_rows=stop_after_the_first, stop=stop)
    assert {row.object for row in read_rows(out)} == {1}
    told = summarise_folder(out)
    assert told["unfinished"] == "without what was not begun (1 object)"
    # A folder from before the objects were listed is gone on with, and lists them then.
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest.pop("objects") == {"left": [1, 2]}
    (out / "manifest.json").write_text(json.dumps(manifest))
    run_experiment(two, out, workers=1)
    assert json.loads((out / "manifest.json").read_text())["objects"] == {"left": [1, 2]}
    assert summarise_folder(out)["unfinished"] is None


def test_names_of_any_language_are_kept_whatever_the_machine_speaks(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from evavos_widget.experiments.table import Row, "
        "Table; t = Table(Path(sys.argv[1]), {}); t.append([Row('clics d\u2019\u00e9t\u00e9', "
        "'caf\u00e9', 1, 0, 0, 0, 'mask', 80.0, 0.02, 0.5, 0.5, 0.5, 0.0, 'davis')]); t.rows()"
    )
    strict = ["-X", "utf8=0", "-X", "warn_default_encoding", "-W", "error::EncodingWarning"]
    subprocess.run([sys.executable, *strict, "-c", program, str(tmp_path)], check=True)
    assert read_rows(tmp_path)[0].method == "clics d\u2019\u00e9t\u00e9"


def test_a_loop_that_was_written_in_part_is_run_again(whole: Table, tmp_path: Path) -> None:
    rows = [row for row in whole.rows() if row.video == "left" and row.method == "worst"]
    table = Table(tmp_path, {})
    table.append(rows)
    written = table.path.read_text().splitlines(keepends=True)
    assert set(read_rows(tmp_path)) == set(rows)
    table.path.write_text("".join(written[:-1]))  # killed between two lines
    assert read_rows(tmp_path) == []
    Table(tmp_path, {}).append(rows)
    assert sorted(read_rows(tmp_path)) == rows
    table.path.write_text("")  # the disk was full
    Table(tmp_path, {}).append(rows)
    assert sorted(read_rows(tmp_path)) == rows
    table.path.write_text("".join(written).replace("worst,left", "worst;left"))
    with pytest.raises(ValueError, match=r"rows\.csv is damaged"):
        read_rows(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(ValueError, match=r"manifest\.json is damaged"):
        Table(tmp_path, {})


def test_a_loop_that_fails_costs_no_other_one(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def here(*_: object):
        with ThreadPoolExecutor(1) as executor:
            yield executor

    turns: list[int] = []

    def fails_once(*args):
        turns.append(1)
        if len(turns) == 3:
            raise ArithmeticError("out of numbers.")
        return experiments_turn(*args)

    experiments_turn = experiments.turn
    monkeypatch.setattr(runs, "workers_for", here)
    monkeypatch.setattr(experiments, "turn", fails_once)
    with pytest.raises(RuntimeError, match=r"1 of 6 loops failed.*'left'.*out of numbers; the 5"):
        run_experiment(experiment, tmp_path)
    assert len({row.loop for row in read_rows(tmp_path)}) == 5
    assert len({row.loop for row in run_experiment(experiment, tmp_path).rows()}) == 6


def test_a_worker_keeps_its_video_and_the_shortest_is_shared() -> None:
    method, tries = Method("m", "random", "mask"), Method("o", "oracle-worst", "oracle")
    todo = [(method, name, 1, seed) for name in "abc" for seed in range(2)]
    todo += [(tries, name, 1, 0) for name in "abc"]
    waiting = runs._Waiting(todo, {"a": 10, "b": 30, "c": 20})
    first, second = waiting.take(None, []), waiting.take(None, ["b"])
    assert (first, second) == ((tries, "b", 1, 0), (tries, "c", 1, 0))
    assert [waiting.take("b", ["c"])[1] for _ in range(3)] == ["b", "b", "a"]
    assert [waiting.take("c", ["a"])[1] for _ in range(3)] == ["c", "c", "a"]
    assert waiting.take("a", ["a"]) == todo[1]
    assert waiting.take("a", []) is None


def test_a_worker_that_is_killed_is_told_and_costs_no_finished_loop(
    experiment: Experiment, whole: Table, tmp_path: Path
) -> None:
    def kill(rows: list[Row], done: int, total: int) -> None:
        if rows:
            for process in multiprocessing.active_children():
                process.kill()

    with pytest.raises(RuntimeError, match=r"a worker was killed.*with fewer workers"):
        run_experiment(experiment, tmp_path, workers=2, on_rows=kill)
    assert 0 < len(read_rows(tmp_path)) < len(whole.rows())
    table = run_experiment(experiment, tmp_path, workers=1)
    assert table.path.read_bytes() == whole.path.read_bytes()


def test_one_process_at_a_time_runs_in_a_folder(experiment: Experiment, tmp_path: Path) -> None:
    with FileLock(tmp_path / ".lock"), pytest.raises(RuntimeError, match="another process runs"):
        run_experiment(experiment, tmp_path)
    assert not (tmp_path / "rows.csv").exists()


def test_a_run_can_be_stopped_while_it_reads(experiment: Experiment, tmp_path: Path) -> None:
    stop = get_context("spawn").Event()
    stop.set()
    with pytest.raises(StoppedError, match="while it read the data"):
        run_experiment(experiment, tmp_path, stop=stop)


def test_loops_that_got_lost_are_told(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def loses_the_second(*_: object) -> Iterator[ThreadPoolExecutor]:
        with ThreadPoolExecutor(1) as executor:
            submit, loops = executor.submit, []

            def submit_or_lose(task: Callable, *args: object) -> Future:
                if task is workers.whole_loop:
                    loops.append(args)
                    if len(loops) == 2:
                        lost: Future = Future()
                        lost.cancel()
                        lost.set_running_or_notify_cancel()
                        return lost
                return submit(task, *args)

            executor.submit = submit_or_lose
            yield executor

    monkeypatch.setattr(runs, "workers_for", loses_the_second)
    with pytest.raises(RuntimeError, match=r"1 of 6 loops were lost with the connection.*the 5"):
        run_experiment(experiment, tmp_path, scheduler="tcp://nowhere:1")


def test_a_scheduler_that_is_lost_while_the_data_is_read_is_told(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lost(ThreadPoolExecutor):
        def submit(self, *_: object) -> Future:
            future: Future = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

    class Client(nullcontext):
        def __init__(self, *_: object, **__: object) -> None:
            super().__init__(self)

        def get_executor(self, **_: object) -> Lost:
            return Lost(1)

    monkeypatch.setattr("distributed.Client", Client)
    with pytest.raises(RuntimeError, match=r"a worker was killed.*are kept"):
        run_experiment(experiment, tmp_path, scheduler="tcp://nowhere:1")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"rounds": 2.5}, "rounds is 2.5; give a whole number"),
        ({"seeds": "3"}, "seeds is '3'"),
        ({"budget": "3600"}, "budget is '3600'; give seconds"),
        ({"agreement": "0.85"}, "agreement is '0.85'"),
        ({"sequences": "left"}, r"sequences is 'left'; give a list of names, as in \['left'\]"),
        ({"methods": ["evavos"]}, r"the methods have 'evavos'; give Method\("),
        ({"costs": {"mask": 25}}, "costs is .*; give Costs"),
        ({"sequences": ("left", "right", "left")}, "'left' is given twice"),
        ({"sequences": 3}, r"sequences is 3; give a list of names, as in \['3'\]"),
        ({"sequences": ("left", 3)}, "the sequences have 3; give names"),
        ({"data": 5}, "data is 5; give the path of a folder"),
        ({"propagator": ["flow"]}, r"propagator is \['flow'\]; give a name, or 'package"),
        ({"predictor": Disks()}, "predictor is <.*Disks object.*; give a name, or 'package"),
        ({"frames": ["all"]}, r"unknown convention frames=\['all'\]"),
    ],
)
def test_options_of_a_wrong_kind_are_named(experiment: Experiment, wrong: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(experiment, **wrong)


METHOD = "[[methods]]\nname = 'a'\nframe = 'random'\nannotation = 'mask'\n"


def test_a_file_that_describes_no_experiment_is_told(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    with pytest.raises(FileNotFoundError, match=r"there is no file .*mine.toml; give a TOML"):
        Experiment.from_toml(file)
    file.write_text('data = "."\nsequences = ["a"]\n')
    with pytest.raises(ValueError, match=r"mine.toml has no methods; add a \[\[methods\]\]"):
        Experiment.from_toml(file)
    method = '[[methods]]\nname = "a"\nframe = "random"\nannotation = "mask"\n'
    file.write_text('data = "."\nsequence = ["a"]\n' + method)
    with pytest.raises(ValueError, match=r"an option 'sequence', .*'sequences'"):
        Experiment.from_toml(file)
    file.write_text(method.replace('"random"', "3"))
    with pytest.raises(ValueError, match="frame of a method is 3"):
        Experiment.from_toml(file, data=".", sequences=("a",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("methods = 'a'", r"the methods of .*mine.toml are 'a'; add a \[\[methods\]\]"),
        ("[methods]\nname = 'a'", r"the methods of .* are \{'name'.*; add a \[\[methods\]\]"),
        (
            "[[methods]]\nname = 'a'\nfram = 'random'",
            "the method 'a' of .*mine.toml has 'fram', .*; choose from .*'frame'",
        ),
        (
            "[[methods]]\nname = 'a'\nbudget = 3",
            r"the method 'a' of .* has 'budget', .*; put it above the first \[\[methods\]\]",
        ),
        ("[[methods]]\nname = 'a'\nframe = 'random'", "the method 'a' .* has no 'annotation'; add"),
        (METHOD, "mine.toml has no data; add it above"),
        ("data = '.'\n" + METHOD, "mine.toml has no sequences; add it above"),
        ("data = 5\nsequences = 'a'\n" + METHOD, "data is 5; give the path of a folder"),
        ("data = '.'\nsequences = ['a']\ncosts = 3\n" + METHOD, "costs is 3; give Costs"),
    ],
)
def test_a_file_with_a_small_mistake_is_told_in_its_own_words(
    text: str, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=said):
        Experiment.from_toml(file)


def test_engines_that_remember_are_new_for_every_loop(data: Path) -> None:
    asked = str(data), "left", "flow", "classical"
    first, again = workers._opened(*asked), workers._opened(*asked)
    assert again[1] is first[1]  # what it computed is good for every loop
    first[1].repeatable = False
    assert workers._opened(*asked)[1] is not first[1]


def test_another_experiment_is_not_mixed_in(
    experiment: Experiment, whole: Table, data: Path
) -> None:
    other = Experiment("small", experiment.methods, str(data), ("left", "right"), rounds=3, seeds=2)
    with pytest.raises(ValueError, match=r"another .*rounds"):
        run_experiment(other, whole.path.parent)


def test_an_oracle_is_no_worse_than_it_says(experiment: Experiment) -> None:
    sequence, *engines = opened(experiment, "right")
    mask = Method("impact", "oracle-impact", "mask")
    rows = list(run_loop(experiment, mask, sequence, 1, 0, *engines))
    assert [row.type for row in rows] == ["mask"] * 3
    assert [row.jf for row in rows] == sorted(row.jf for row in rows)
    # With everything drawn but one frame, the last is the only one left to choose.
    assert len({row.frame for row in rows}) == 3


def test_a_finished_object_keeps_its_value_and_hours_are_those_of_all() -> None:
    def row(video: str, n: int, hours: float, jf: float) -> Row:
        return Row("m", video, 1, 0, n, n, "mask", 3600, hours, jf, jf, jf, 1.0, "all")

    rows = [row("a", 0, 1, 0.5), row("a", 1, 2, 0.7), row("a", 2, 3, 0.9), row("b", 0, 1, 0.8)]
    result = summarise(rows)["methods"]["m"]
    curve = np.array(result["curve"])
    assert curve[0, :2] == pytest.approx([2, 0.65])
    assert curve[-1, :2] == pytest.approx([4, 0.85])
    assert result["hours_to"] == {"0.75": pytest.approx(3), "0.80": pytest.approx(3.5),
                                  "0.85": pytest.approx(4), "0.90": None}  # fmt: skip
    assert (curve[:, 2] <= curve[:, 1] + 1e-6).all()
    assert (curve[:, 3] >= curve[:, 1] - 1e-6).all()


def test_an_order_that_knows_the_gains_is_never_behind() -> None:
    rng = np.random.default_rng(3)
    rows = []
    for video in "abcde":
        jf, hours = 0.3, 0.0
        for n in range(5):
            hours += float(rng.choice([80, 5.5])) / 3600
            jf += float(rng.uniform(0, 0.15))
            rows.append(Row("m", video, 1, 0, n, n, "x", 0, hours, jf, jf, jf, 1.0, "all"))
    area = {s: summarise(rows, s)["methods"]["m"]["auc"] for s in ("round-robin", "oracle")}
    assert area["oracle"] >= area["round-robin"]


def loop(method: str, video: str, seed: int, cost: float, *jf: float) -> list[Row]:
    """Rows of a loop whose annotations cost an hour and then `cost` hours each."""
    return [
        Row(method, video, 1, seed, n, n, "x", 0, 1 + n * cost, q, q, q, 0.0, "all")
        for n, q in enumerate(jf)
    ]


def test_differences_are_paired_over_videos_after_the_mean_over_seeds() -> None:
    rows = []
    for video, jf in zip("abcdef", (0.1, 0.5, 0.8, 0.3, 0.6, 0.7), strict=True):
        # Far apart, but always by as much.
        rows += loop("worse", video, 0, 1, jf, jf)
        for seed, plus in enumerate((0.03, 0.05, 0.07)):
            rows += loop("better", video, seed, 1, jf + plus, jf + plus)
    result = compare(rows, "better", "worse")
    assert [result[k] for k in ("difference", "low", "high")] == pytest.approx([0.05] * 3)
    assert result["resolved"]
    few = compare([row for row in rows if row.video in "abcde"], "better", "worse")
    assert few["low"] == pytest.approx(0.05)
    assert not few["resolved"]  # all five the same way is no rare thing
    one = [row for row in rows if row.video == "a"]
    alone = compare(one, "better", "worse")
    assert (alone["low"], alone["high"], alone["resolved"]) == (None, None, False)
    assert summarise(one)["methods"]["worse"]["curve"][0][2:] == [None, None]
    assert "None" not in report(summarise(one))
    with pytest.raises(ValueError, match="no video in common"):
        compare(rows, "better", "best")


def test_the_interval_is_that_of_the_mean_over_all_seeds_and_of_whole_videos() -> None:
    # Seeds differ much and videos not at all: then the mean over seeds is certain.
    rows = []
    for video in "abcd":
        for seed, jf in enumerate((0.2, 0.5, 0.8)):
            rows += loop("m", video, seed, 1, jf, jf)
    low, high = np.array(summarise(rows)["methods"]["m"]["curve"])[:, 2:].T
    np.testing.assert_allclose([low, high], 0.5, atol=1e-6)
    # Two objects of a video are not two videos.
    alike = [
        replace(row, object=obj, jf=jf)
        for video, jf in (("a", 0.2), ("b", 0.8))
        for obj in range(1, 6)
        for row in loop("m", video, 0, 1, jf, jf)
    ]
    low, high = np.array(summarise(alike)["methods"]["m"]["curve"])[0, 2:]
    assert (low, high) == pytest.approx((0.2, 0.8))


@pytest.mark.parametrize("schedule", ["round-robin", "value", "oracle"])
def test_annotations_that_cost_nothing_break_no_schedule(schedule: str) -> None:
    rows = [*loop("m", "a", 0, 0, 0.5, 0.6, 0.7), *loop("m", "b", 0, 1, 0.5, 0.4, 0.6)]
    curve = np.array(summarise(rows, schedule)["methods"]["m"]["curve"])
    assert np.isfinite(curve).all()
    assert curve[-1, 1] == pytest.approx(0.65)


def test_only_what_every_method_has_finished_with_all_seeds_is_summarised() -> None:
    rows = [
        *loop("m", "a", 0, 1, 0.5, 0.6), *loop("m", "a", 1, 1, 0.5, 0.6),
        *loop("n", "a", 0, 1, 0.5, 0.7),
        *loop("m", "b", 0, 1, 0.9, 0.9), *loop("n", "b", 0, 1, 0.9, 0.9),
    ]  # fmt: skip
    assert {row.video for row in comparable(rows)} == {"a"}
    assert summarise(rows) == summarise([row for row in rows if row.video == "a"])
    with pytest.raises(ValueError, match="every method has finished"):
        summarise([*loop("m", "a", 0, 1, 0.5), *loop("n", "b", 0, 1, 0.5)])


def test_methods_are_compared_after_equal_hours() -> None:
    # In each round the dear one gains more, in the first hour the cheap one does.
    rows = [
        row
        for video in "ab"
        for row in (
            *loop("dear", video, 0, 8, 0.5, 0.9),
            *loop("cheap", video, 0, 0.5, 0.5, 0.6, 0.7),
        )
    ]
    result = compare(rows, "cheap", "dear")
    assert result["until"] == 2
    assert result["difference"] == pytest.approx(0.6 - 0.525)
    (told,) = summarise(rows)["differences"]
    assert told.pop("p_holm") == told["p"]  # of one comparison
    assert told == {"first": "cheap", "second": "dear", **compare(rows, "cheap", "dear")}


def test_the_order_of_methods_is_not_that_in_which_they_finished() -> None:
    loops = [loop(method, "a", 0, 1, 0.5, 0.6) for method in ("slow", "quick", "even")]
    for order in ((0, 1, 2), (2, 0, 1)):
        told = summarise([row for k in order for row in loops[k]])
        assert list(told["methods"]) == ["even", "quick", "slow"]
        pairs = [(each["first"], each["second"]) for each in told["differences"]]
        assert pairs == [("even", "quick"), ("even", "slow"), ("quick", "slow")]


def test_a_report_names_what_is_not_reached_and_not_resolved() -> None:
    rows = [*loop("slow", "a", 0, 1, 0.8, 0.82), *loop("quick", "a", 0, 1, 0.8, 0.89)]
    rows += [*loop("slow", "b", 0, 1, 0.8, 0.87), *loop("quick", "b", 0, 1, 0.8, 0.85)]
    told = report(summarise(rows))
    first, second = (line.split("|") for line in told.splitlines()[2:4])
    assert first[1].strip() == "quick"
    assert [cell.strip() for cell in first[5:9]] == [
        "at once", "at once", "3.43 (3.11 to 4.00)", "not reached"
    ]  # fmt: skip
    assert second[1].strip() == "slow"
    assert re.search(r"quick - slow +\| \+?0\.0125 .*not resolved", told)


def test_a_difference_that_the_videos_do_not_resolve_is_said_to_be_none() -> None:
    rows = [
        row
        for video, plus in (("a", 0.1), ("b", -0.1), ("c", 0.05), ("d", -0.04))
        for row in (
            *loop("one", video, 0, 1, 0.5, 0.5),
            *loop("other", video, 0, 1, *[0.5 + plus] * 2),
        )
    ]
    assert not compare(rows, "one", "other")["resolved"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rounds": -1}, "rounds is -1"),
        ({"seeds": 0}, "seeds is 0"),
        ({"frames": "most"}, "'most'"),
        ({"sequences": ()}, "at least one"),
    ],
)
def test_wrong_options_are_named(data: Path, change: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Experiment.preset("fig3c", **{"data": str(data), "sequences": ("left",), **change})


def test_wrong_names_cost_nothing(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="fig3z"):
        Experiment.preset("fig3z", data=str(data), sequences=("left",))
    unknown = Experiment("x", (Method("m", "best", "mask"),), str(data), ("left",), **ENGINES)
    with pytest.raises(ValueError, match="best"):
        run_experiment(unknown, tmp_path / "out")
    missing = Experiment.preset("fig3a", data=str(data), sequences=("up",), **ENGINES)
    with pytest.raises((ValueError, FileNotFoundError), match="up"):
        run_experiment(missing, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_every_so_many_frames_are_as_if_the_others_were_not_there(
    data: Path, tmp_path: Path
) -> None:
    for name in ("left", "right"):
        write_sequence(tmp_path / "thin", open_sequence(data, name), range(0, N, 3))
    options = ["--sequences", "left,right", "--rounds", "1", "--seeds", "1", "--preset", "types"]
    options += ["--propagator", "flow", "--predictor", "classical", "--workers", "1"]
    for root, every, out in ((data, "3", "a"), (tmp_path / "thin", "1", "b")):
        own = ["--data", str(root), "--every", every, "--out", str(tmp_path / out)]
        main(["experiment", *own, *options])
    rows = read_rows(tmp_path / "a")
    assert rows == read_rows(tmp_path / "b")
    assert {row.frame for row in rows} <= {0, 1, 2}
    assert json.loads((tmp_path / "a" / "manifest.json").read_text())["every"] == 3


def test_a_gain_of_the_video_is_not_shared_among_its_frames_again(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OfTheVideo(Clicks):
        gain_of = "video"

        def select(self, state, choice):
            return AnnotationChoice("clicks", 5.5, 0.2, "says so", self.gain_of)

    class OfTheFrame(OfTheVideo):
        gain_of = "frame"

    told = {}
    for kind in (OfTheVideo, OfTheFrame):
        monkeypatch.setattr(
            experiments, "selectors", lambda *_, kind=kind: (FarthestInTime(), kind())
        )
        sequence, *engines = opened(experiment, "right")
        method = Method("says", "farthest-in-time", "clicks")
        told[kind], *_ = run_loop(experiment, method, sequence, 1, 0, *engines)
    assert told[OfTheVideo].expected_gain == pytest.approx(0.2 / 5.5)
    assert told[OfTheFrame].expected_gain < 0.2 / 5.5


def test_the_hand_errs_otherwise_in_every_video(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds = []

    class Seen(Hand):
        def __init__(self, agreement=1.0, jitter=0.0, seed=0):
            super().__init__(agreement, jitter, seed)
            seeds.append(seed)

    monkeypatch.setattr(experiments, "Hand", Seen)
    for name in ("left", "right", "left"):
        sequence, *engines = opened(experiment, name)
        next(run_loop(experiment, experiment.methods[0], sequence, 1, 0, *engines))
    left, right, again = seeds
    assert left == again != right


def test_a_budget_holds_the_first_clicks_however_many_they_are(data: Path) -> None:
    first = (Method("a", "random", "clicks", "clicks"),)
    with pytest.raises(ValueError, match=r"first annotation of 'a' may cost 46 s; give more"):
        Experiment("e", first, str(data), ("left",), clicks=30, budget=16.0, **ENGINES)


def test_what_the_robot_charges_and_how_exact_it_is_can_be_told(data: Path, tmp_path: Path) -> None:
    (tmp_path / "costs.toml").write_text("mask = 10\n")
    config = tmp_path / "mine.toml"
    config.write_text(
        'rounds = 1\nseeds = 2\nagreement = 0.8\ncosts = "costs.toml"\n'
        '[[methods]]\nname = "evenly"\nframe = "uniform"\nannotation = "mask"\n'
    )
    unsteady = Experiment.from_toml(config, data=str(data), sequences=("left",), **ENGINES)
    rows = run_experiment(unsteady, tmp_path / "out").rows()
    assert [(row.seed, row.round, row.seconds) for row in rows] == [
        (0, 0, 10), (0, 1, 10), (1, 0, 10), (1, 1, 10),
    ]  # fmt: skip
    assert rows[1].jf != rows[3].jf
    with pytest.raises(ValueError, match=r"another .*agreement"):
        run_experiment(replace(unsteady, agreement=0.9), tmp_path / "out")
    with pytest.raises(ValueError, match="agreement is 2"):
        replace(unsteady, agreement=2)
    with pytest.raises(ValueError, match="'middle'"):
        replace(unsteady, placement="middle")


def test_a_video_that_leaves_nothing_to_score_is_named_at_once(data: Path, tmp_path: Path) -> None:
    for kind in ("JPEGImages", "Annotations"):
        short = tmp_path / kind / "480p" / "short"
        short.mkdir(parents=True)
        shutil.copy(next((data / kind / "480p" / "left").iterdir()), short)
    short = Experiment.preset(
        "fig3a", data=str(tmp_path), sequences=("short",), frames="davis", **ENGINES
    )
    with pytest.raises(ValueError, match=r"'short' .*frames='all'"):
        run_experiment(short, tmp_path / "out")


def test_a_sequence_that_cannot_be_run_to_its_end_is_named_before_anything_is_computed(
    data: Path, tmp_path: Path
) -> None:
    root = tmp_path / "data"
    shutil.copytree(data, root)
    masks, pictures = (root / kind / "480p" for kind in ("Annotations", "JPEGImages"))

    def said(match: str) -> None:
        broken = Experiment.preset("fig3c", data=str(root), sequences=("left", "right"), **ENGINES)
        with pytest.raises((ValueError, OSError), match=match):
            run_experiment(broken, tmp_path / "out")
        assert not (tmp_path / "out").exists()

    kept = (masks / "right/00003.png").read_bytes()
    (masks / "right/00003.png").unlink()
    said("'right' has masks on 6 of its 7 frames")
    (masks / "right/00003.png").write_bytes(kept[:40])
    said("frame 3 of sequence 'right' cannot be read")
    (masks / "right/00003.png").write_bytes(kept)
    whole = (pictures / "right/00005.jpg").read_bytes()
    (pictures / "right/00005.jpg").write_bytes(b"no picture")
    said("frame 5 of sequence 'right' cannot be read")
    (pictures / "right/00005.jpg").write_bytes(whole)
    for file in (masks / "right").iterdir():
        cv2.imwrite(str(file), np.zeros((H, W), np.uint8))
    said("'right' show no object")
    for file in (masks / "right").iterdir():
        file.unlink()
    said(r"'right' in .*Annotations holds no picture")


def test_the_command_reads_a_file_and_leaves_a_summary_and_a_picture(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    config = tmp_path / "mine.toml"
    config.write_text(
        f'data = "{data}"\nsequences = ["left"]\nrounds = 1\nseeds = 1\n'
        'propagator = "flow"\npredictor = "classical"\n'
        '[[methods]]\nname = "evenly"\nframe = "uniform"\nannotation = "mask"\n'
    )
    out = tmp_path / "out"
    assert main(["experiment", "--config", str(config), "--workers", "1", "--out", str(out)]) == 0
    assert (out / "report.md").read_text() in capsys.readouterr().out
    assert re.search(r"^\| evenly +\| 0\.\d{3} ", (out / "report.md").read_text(), re.M)
    summary = json.loads((out / "summary.json").read_text())
    assert set(summary["methods"]["evenly"]) == {"hours_to", "auc", "curve"}
    assert len(read_rows(out)) == 2
    assert main(["plot", str(out), "--out", str(tmp_path / "curves.svg")]) == 0
    assert (tmp_path / "curves.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize("where", ["command", "notebook"])
def test_a_schedule_that_needs_a_budget_is_refused_before_anything_is_run(
    where: str, experiment: Experiment, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "out"
    if where == "command":
        told = ["--preset", "types", "--data", str(data), "--sequences", "left", "--rounds", "1"]
        engine = ["--propagator", "flow", "--predictor", "classical", "--workers", "1"]
        asked = ["experiment", *told, *engine, "--schedule", "equal-seconds", "--out", str(out)]
        assert main(asked) == 1
        assert "is for experiments with a budget" in capsys.readouterr().err
    else:
        with pytest.raises(ValueError, match="is for experiments with a budget"):
            Curves.run(experiment, out, workers=1, schedule="equal-seconds")
    assert not out.exists()


def test_a_cluster_that_loses_a_worker_makes_the_same_table(
    experiment: Experiment, whole: Table, tmp_path: Path
) -> None:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        killed: list[int] = []

        def kill_one(rows: list[Row], done: int, total: int) -> None:
            if rows and not killed:
                process = next(iter(cluster.workers.values())).process
                killed.append(process.pid)
                os.kill(process.pid, signal.SIGKILL)

        table = run_experiment(
            experiment, tmp_path / "out", scheduler=cluster.scheduler_address, on_rows=kill_one
        )
    assert killed
    assert table.path.read_bytes() == whole.path.read_bytes()


def test_points_are_a_type_with_its_cost_and_a_robot_that_errs(data: Path) -> None:
    def rows(**options: object) -> list[Row]:
        small = Experiment(
            "small",
            (Method("points", "farthest-in-time", "points"),),
            str(data),
            ("left",),
            rounds=2,
            **ENGINES,
            **options,
        )
        return list(run_loop(small, small.methods[0], *opened(small, "left")[:1], 1, 0, **ENGINES))

    exact = rows()
    assert [row.type for row in exact] == ["mask", "points", "points"]
    # As many proposed points as fit, each at its cost, and nothing for the mask that they lead to.
    for before, after in pairwise(exact):
        n = after.seconds / 0.95
        assert n == pytest.approx(round(n))
        assert 1 <= n <= 10
        assert after.hours - before.hours == pytest.approx(after.seconds / 3600)
    wrong = rows(error_rate=1.0)
    assert wrong[-1].jf < exact[-1].jf
    with pytest.raises(ValueError, match="error rate is 2"):
        rows(error_rate=2)

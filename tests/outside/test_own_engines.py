"""Engines that are not the package's own, by name: in a session, in processes, on a cluster."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from evavos_widget import engines
from evavos_widget.cli import main
from evavos_widget.experiments.experiment import Experiment
from evavos_widget.experiments.methods import Method, selectors
from evavos_widget.experiments.run import run_experiment
from evavos_widget.experiments.table import read_rows
from evavos_widget.robot.annotator import RobotAnnotator
from evavos_widget.session import Session
from evavos_widget.testing import (
    BrokenPromiseError,
    check_frame_selector,
    check_predictor,
    check_propagator,
)

HERE = Path(__file__).parent
MODULES = ("my_selector", "my_propagator", "my_predictor")
NAMES = {
    "propagator": "my_propagator:Hold",
    "predictor": "my_predictor:FloodFill:60",
    "frame_selector": "my_selector:LargestChange:2",
}
NO_OTHERS = {"propagator": "flow", "predictor": "classical"}
N, H, W = 6, 48, 64


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of `HERE` can be imported yet, and what a test changes is undone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place != str(HERE)])
    monkeypatch.setattr(engines, "_registered", {})
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos of two squares that move, laid out as DAVIS."""
    root = tmp_path_factory.mktemp("data")
    for number, name in enumerate(("left", "right")):
        rng = np.random.default_rng(number)
        for kind in ("JPEGImages", "Annotations"):
            (root / kind / "480p" / name).mkdir(parents=True)
        ground = rng.integers(0, 60, (H, W, 3), dtype=np.uint8)
        for i in range(N):
            frame, mask = ground.copy(), np.zeros((H, W), np.uint8)
            for obj, (y, speed) in enumerate(((6, 2 + number), (28, 5)), start=1):
                x = 4 + speed * i
                frame[y : y + 14, x : x + 14] = 90 * obj
                mask[y : y + 14, x : x + 14] = obj
            cv2.imwrite(str(root / f"JPEGImages/480p/{name}/{i:05d}.jpg"), frame)
            cv2.imwrite(str(root / f"Annotations/480p/{name}/{i:05d}.png"), mask)
    return root


@pytest.fixture
def video() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (N, H, W, 3), dtype=np.uint8)


def experiment(data: Path, **options: str) -> Experiment:
    chosen = {**NAMES, **options}
    method = Method("mine", chosen["frame_selector"], "rule")
    return Experiment(
        "own",
        (method, Method("chance", "random", "random")),
        str(data),
        ("left", "right"),
        propagator=chosen["propagator"],
        predictor=chosen["predictor"],
        rounds=2,
        seeds=2,
    )


@pytest.fixture(scope="module")
def expected(data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The rows of `experiment`, by its command with two processes, in the engines' folder."""
    folder = tmp_path_factory.mktemp("expected")
    config, out = folder / "own.toml", folder / "out"
    config.write_text(
        f'data = "{data}"\nsequences = ["left", "right"]\nrounds = 2\nseeds = 2\n'
        f'propagator = "{NAMES["propagator"]}"\npredictor = "{NAMES["predictor"]}"\n'
        f'[[methods]]\nname = "mine"\nframe = "{NAMES["frame_selector"]}"\nannotation = "rule"\n'
        '[[methods]]\nname = "chance"\nframe = "random"\nannotation = "random"\n'
    )
    # The installed command does not look for modules where it is called, nor does -P.
    asked = ["experiment", "--config", str(config), "--workers", "2", "--out", str(out)]
    run = subprocess.run(
        [sys.executable, "-P", "-m", "evavos_widget", *asked],
        cwd=HERE,
        env=os.environ | {"PYTHONPATH": str(HERE.parents[1])},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["propagator"], manifest["predictor"], manifest["methods"][0]["frame"]) == (
        NAMES["propagator"], NAMES["predictor"], NAMES["frame_selector"],
    )  # fmt: skip
    return (out / "rows.csv").read_text().splitlines()


def test_a_session_takes_modules_of_the_working_directory_by_name_and_keeps_the_names(
    video: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(HERE)
    mask = np.zeros((H, W), bool)
    mask[10:20, 10:30] = True
    with Session(video, path=tmp_path / "mine.evavos", **NAMES) as session:
        session.annotate(0, mask, objects=[session.add_object()])
        session.propagate()
        assert (session.masks[N - 1] == 1).sum() == mask.sum()
        assert session.suggest().frame == 3  # two frames beside the annotated one are left out
        assert session.predictor.tolerance == 60
        assert not session.warnings
    with Session.open(tmp_path / "mine.evavos", video=video) as session:
        chosen = session.propagator, session.predictor, session.frame_selector
        assert [engine.name for engine in chosen] == ["hold", "flood-fill", "largest-change"]


def test_they_keep_every_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE)
    check_propagator(NAMES["propagator"])
    check_predictor(NAMES["predictor"])
    check_frame_selector(NAMES["frame_selector"])


def test_a_broken_one_is_told_which_promise_it_breaks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = (HERE / "my_selector.py").read_text()
    broken = text.replace("if frame in annotated or", "if")
    assert broken != text
    (tmp_path / "broken_selector.py").write_text(broken)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BrokenPromiseError) as error:
        check_frame_selector("broken_selector:LargestChange")
    assert error.value.promise in str(error.value)
    assert "annotated" in str(error.value)


@pytest.mark.parametrize("stage", ["propagator", "predictor", "frame_selector"])
def test_what_offers_too_little_is_refused_by_the_session(video: np.ndarray, stage: str) -> None:
    class Little:
        name = "little"

    with pytest.raises(TypeError, match=r"it lacks .*derive it from evavos_widget\.loop\."):
        Session(video, path=None, **{**NO_OTHERS, stage: Little()})


def test_an_experiment_in_two_processes_runs_them(expected: list[str], data: Path) -> None:
    methods = [row.split(",")[0] for row in expected[1:]]
    assert methods.count("mine") == 2 * 2 * 3  # two videos, two objects, three rounds
    assert methods.count("chance") == 2 * methods.count("mine")  # and two seeds


def test_modules_on_the_path_run_on_a_cluster_that_began_without_them(
    expected: list[str], data: Path, tmp_path: Path
) -> None:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        sys.path.append(str(HERE))
        table = run_experiment(
            experiment(data), tmp_path / "out", scheduler=cluster.scheduler_address
        )
        engines.register("frame_selector", "largest", "my_selector:LargestChange")
        named = experiment(data, frame_selector="largest:2")
        again = run_experiment(named, tmp_path / "named", scheduler=cluster.scheduler_address)
    assert table.path.read_text().splitlines() == expected
    assert again.path.read_text().splitlines() == expected
    about = json.loads((tmp_path / "named" / "manifest.json").read_text())
    assert about["methods"][0]["frame"] == "largest:2"


def test_registered_names_travel_to_the_processes(
    expected: list[str], data: Path, tmp_path: Path
) -> None:
    sys.path.append(str(HERE))
    from my_predictor import FloodFill
    from my_propagator import Hold

    engines.register("propagator", "hold", Hold)
    engines.register("predictor", "flood", FloodFill)
    named = experiment(data, propagator="hold", predictor="flood:60")
    table = run_experiment(named, tmp_path / "out", workers=2)
    assert table.path.read_text().splitlines() == expected


def test_the_classes_of_a_script_run_in_its_processes(data: Path, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from evavos_widget import Experiment, engines\n"
        "from evavos_widget.experiments.methods import Method\n"
        "from evavos_widget.experiments.run import run_experiment\n"
        "from evavos_widget.frame_selection.baselines import Uniform\n"
        "class Mine(Uniform):\n"
        "    pass\n"
        "if __name__ == '__main__':\n"
        "    engines.register('frame_selector', 'mine', Mine)\n"
        "    one = Experiment('x', (Method('m', 'mine', 'mask'),), sys.argv[1], ('left',),\n"
        "        propagator='flow', predictor='classical', rounds=1)\n"
        "    run_experiment(one, Path('out'), workers=2)\n"
    )
    run = [sys.executable, str(tmp_path / "script.py"), str(data)]
    subprocess.run(run, check=True, env=os.environ | {"PYTHONPATH": str(HERE.parents[1])})
    assert len(read_rows(tmp_path / "out")) == 2 * 2


def test_a_class_that_no_other_process_can_import_is_told_before_anything_runs(
    data: Path, tmp_path: Path, video: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    sys.path.append(str(HERE))
    from my_selector import LargestChange

    class Here(LargestChange):
        pass

    def said() -> None:
        own = experiment(data, frame_selector="here")
        with pytest.raises(ValueError, match=r"'here' is a class of a notebook .* file of its own"):
            run_experiment(own, tmp_path / "out")
        assert not (tmp_path / "out").exists()

    engines.register("frame_selector", "here", Here)
    said()
    with Session(video, path=None, frame_selector="here:3") as session:  # is none of its concern
        assert session.frame_selector.apart == 3
    notebook = type("InCell", (LargestChange,), {"__module__": "__main__"})
    engines.register("frame_selector", "here", notebook)
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)
    said()


def test_other_code_is_another_experiment(data: Path, tmp_path: Path) -> None:
    mine = tmp_path / "varied.py"
    mine.write_text((HERE / "my_selector.py").read_text())
    own = experiment(data, frame_selector="varied:LargestChange", **NO_OTHERS)
    rows = len(run_experiment(own, tmp_path / "out").rows())
    assert len(run_experiment(own, tmp_path / "out").rows()) == rows
    mine.write_text(mine.read_text().replace("best is None or", "best is None or not"))
    with pytest.raises(
        ValueError,
        match="other code of engines of your own; give another",
    ):
        run_experiment(own, tmp_path / "out")


def test_other_code_beside_its_module_is_another_experiment(data: Path, tmp_path: Path) -> None:
    deep = tmp_path / "whole" / "deep"
    deep.mkdir(parents=True)
    for file in ("__init__.py", "../__init__.py"):
        (deep / file).write_text("")
    (tmp_path / "whole" / "rule.py").write_text("APART = 1\n")
    (deep / "mine.py").write_text(
        (HERE / "my_selector.py").read_text() + "\nfrom whole.rule import APART\n"
    )
    own = experiment(data, frame_selector="whole.deep.mine:LargestChange", **NO_OTHERS)
    run_experiment(own, tmp_path / "out")
    (tmp_path / "whole" / "notes.txt").write_text("no code")
    run_experiment(own, tmp_path / "out")
    for change in (
        lambda: (tmp_path / "whole" / "rule.py").write_text("APART = 2\n"),
        lambda: (tmp_path / "whole" / "weights.safetensors").write_bytes(b"1"),
    ):
        change()
        with pytest.raises(ValueError, match="other code of engines of your own; give another"):
            run_experiment(own, tmp_path / "out")
        (tmp_path / "whole" / "rule.py").write_text("APART = 1\n")


def test_other_weights_in_the_home_folder_are_another_experiment(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.txt").write_text("first")
    (tmp_path / "holding.py").write_text(
        "from evavos_widget.testing import NearestCopy\n"
        "class Holding(NearestCopy):\n"
        "    def __init__(self, weights=''):\n"
        "        super().__init__()\n"
    )
    engine = {"propagator": "holding:Holding:~/mine.txt", "predictor": "classical"}
    own = experiment(data, frame_selector="uniform", **engine)
    run_experiment(own, tmp_path / "out")
    run_experiment(own, tmp_path / "out")
    (tmp_path / "mine.txt").write_text("second")
    with pytest.raises(ValueError, match="other weights; give another"):
        run_experiment(own, tmp_path / "out")


def test_what_takes_a_seed_has_chance_in_it(tmp_path: Path) -> None:
    (tmp_path / "lots.py").write_text(
        "from evavos_widget.frame_selection.baselines import Random\n"
        "class Lots(Random):\n"
        "    def __init__(self, scale='1', seed=0):\n"
        "        super().__init__(seed)\n"
        "        self.scale = scale\n"
    )
    robot = RobotAnnotator({})
    for name, chance, seed in (
        ("lots:Lots:8", True, 5),
        ("random", True, 5),
        ("random:3", False, 3),
    ):
        method = Method("m", name, "mask")
        assert method.has_chance == chance
        assert selectors(method, robot, 5)[0].seed == seed
    assert selectors(Method("m", "lots:Lots:8", "mask"), robot, 5)[0].scale == "8"
    assert not Method("m", "l2", "rule").has_chance


def test_oracles_are_for_experiments_only_those_of_others_too(
    tmp_path: Path, video: np.ndarray
) -> None:
    (tmp_path / "seer.py").write_text(
        "from evavos_widget.engines import Oracle\n"
        "from evavos_widget.loop import FrameSelector\n"
        "class Seer(Oracle, FrameSelector):\n"
        "    name = 'seer'\n"
        "    def select(self, state):\n"
        "        return None\n"
    )
    robot = RobotAnnotator({})
    for name in ("oracle-worst", "seer:Seer"):
        with pytest.raises(ValueError, match=r"knows the truth.*choose from \['farthest-in-time'"):
            Session(video, path=None, frame_selector=name)
        frame, _ = selectors(Method("m", name, "oracle"), robot, 0)
        assert frame.robot is robot
    with pytest.raises(ValueError, match="knows the truth"):
        Session(video, path=None, annotation_selector="oracle")
    assert "oracle-worst" not in engines.names("frame_selector")
    assert Method("m", "oracle-impact", "mask").tries
    assert not Method("m", "oracle-worst", "mask").tries


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("widest", r"no frame selector 'widest'; choose from \['farthest-in-time', .*'uniform'\], "
         r"or give 'package.module:Class'"),
        ("widest:Of:All", r"no module 'widest' is in the working directory or on PYTHONPATH; choose"
         r" from \['farthest"),
        ("evavos-widget:Of", "no frame selector 'evavos-widget:Of'; choose"),
        ("my_selector.deep:X", "no module 'my_selector.deep'"),
        ("my_selector:Nowhere", r"my_selector.py has no 'Nowhere'; check the name of the class"),
        ("my_selector:changes", "'my_selector:changes' is no class; name a class"),
        ("my_selector:LargestChange:far", "LargestChange:far' cannot be made: invalid literal"),
        ("random:seven", "'random:seven' cannot be made: invalid literal"),
        ("farthest-in-time:3", "'farthest-in-time:3' cannot be made: .*argument"),
        ("needy:X", "needs the package 'no_such_package', which is not installed"),
        ("broken:X", "cannot be imported: SyntaxError"),
    ],
)  # fmt: skip
def test_a_name_that_leads_nowhere_is_one_sentence(
    name: str, said: str, tmp_path: Path, video: np.ndarray
) -> None:
    sys.path.append(str(HERE))
    (tmp_path / "needy.py").write_text("import no_such_package\n")
    (tmp_path / "broken.py").write_text("class X\n")
    with pytest.raises(ValueError, match=said) as caught:
        Session(video, path=None, frame_selector=name)
    assert "\n" not in str(caught.value)


def test_the_command_evaluates_them_and_tells_what_is_wrong(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(HERE)
    asked = ["evaluate", "propagation", "--data", str(data), "--sequences", "left"]
    out = tmp_path / "p.json"
    assert main([*asked, "--propagator", NAMES["propagator"], "--json", str(out)]) == 0
    assert json.loads(out.read_text())["propagator"] == NAMES["propagator"]
    assert main([*asked, "--propagator", "my_propagator:Held"]) == 1
    assert "has no 'Held'" in capsys.readouterr().err
    clicks = ["evaluate", "clicks", "--data", str(data), "--sequences", "left", "--clicks", "2"]
    assert main([*clicks, "--predictor", NAMES["predictor"], "--json", str(out)]) == 0
    assert json.loads(out.read_text())["iou_after_clicks"][1] > 0.8


def test_names_of_the_package_go_first_and_cannot_be_taken(tmp_path: Path) -> None:
    (tmp_path / "uniform.py").write_text("class Of: pass\n")
    with pytest.raises(ValueError, match="cannot be made"):  # `Of` is the built-in's argument
        engines.create("frame_selector", "uniform:Of")
    for name, engine, said in (
        ("uniform", "a:B", "one of the package's own"),
        ("a:b", "a:B", "without a colon"),
        ("mine", "a.B", "give 'package.module:Class' or a class"),
        ("mine", object(), "give 'package.module:Class' or a class"),
    ):
        with pytest.raises(ValueError, match=said):
            engines.register("frame_selector", name, engine)
    with pytest.raises(
        ValueError, match=r"no stage 'selector'; choose from \['annotation_selector"
    ):
        engines.register("selector", "mine", "a:B")


def snippets(page: str) -> Iterator[tuple[str, str]]:
    """The files that a page shows: each one's name, and what is in it."""
    yield from re.findall(
        r"^`tests/outside/(\w+\.py)`:\n\n```python\n(.*?)^```$", page, re.M | re.S
    )


def test_the_page_about_own_engines_shows_these_files() -> None:
    page = (HERE.parents[1] / "docs" / "own_engines.md").read_text()
    shown = dict(snippets(page))
    assert set(shown) == {f"{name}.py" for name in MODULES}
    for name, code in shown.items():
        assert code == (HERE / name).read_text()
        assert len(code.splitlines()) < 60

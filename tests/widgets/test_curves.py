"""The curves without a browser: what travels to the page, a run from start to end, a session."""

from __future__ import annotations

import csv
import json
import threading
from pathlib import Path

import numpy as np
import pytest
import traitlets
from fake_page import Page, square
from ipywidgets.embed import dependency_state

from evavos_widget.experiments.background import Progress
from evavos_widget.experiments.experiment import Experiment
from evavos_widget.experiments.methods import Method
from evavos_widget.experiments.summary import summarise
from evavos_widget.experiments.table import Row, Table
from evavos_widget.widgets import bundle
from evavos_widget.widgets.catalogue import catalogue
from evavos_widget.widgets.curves import Curves

#: Seconds before a run that does not end is a failure; a busy machine starts workers slowly.
PATIENCE = 300


def rows(*methods: str, videos: str = "ab", rounds: int = 4) -> list[Row]:
    random = np.random.default_rng(0)
    made = []
    for method in methods:
        for video in videos:
            jf = 0.5 + 0.1 * random.random()
            for n in range(rounds):
                made.append(
                    Row(method, video, 1, 0, n, n, "x", 80, (n + 1) / 45, jf, jf, jf, 0, "all")
                )
                jf += 0.1 * random.random()
    return made


def sent(curves: Curves) -> dict[str, np.ndarray]:
    """The lines as the page gets them."""
    return {
        line["name"]: np.frombuffer(line["points"], "<f4").reshape(-1, 4)
        for line in curves.drawing["lines"]
    }


def save_experiment(folder: Path, made: list[Row]) -> Path:
    Table(folder, {}).append(made)
    return folder


@pytest.fixture
def no_page(tmp_path, monkeypatch):
    """A page's code of our own: these tests need what travels, not the page."""
    (tmp_path / "static").mkdir()
    for name in ("curves.js", "curves.css"):
        (tmp_path / "static" / name).write_text("")
    monkeypatch.setattr(bundle, "_STATIC", tmp_path / "static")


@pytest.fixture
def experiment(tmp_path) -> Experiment:
    """A square that moves, in a DAVIS folder; two methods, four loops."""
    from PIL import Image

    from evavos_widget.masks import write_label_png

    for kind in ("JPEGImages", "Annotations"):
        (tmp_path / "data" / kind / "square").mkdir(parents=True)
    random = np.random.default_rng(1)
    ground, texture = random.integers(0, 90, (32, 48, 3)), random.integers(150, 255, (12, 12, 3))
    for i in range(5):
        frame, mask = ground.astype(np.uint8), np.zeros((32, 48), np.uint8)
        frame[10:22, 4 + 6 * i : 16 + 6 * i] = texture
        mask[10:22, 4 + 6 * i : 16 + 6 * i] = 1
        Image.fromarray(frame).save(tmp_path / f"data/JPEGImages/square/{i:05d}.png")
        write_label_png(tmp_path / f"data/Annotations/square/{i:05d}.png", mask)
    return Experiment(
        "tiny",
        (Method("mask", "uniform", "mask"), Method("chance", "random", "random")),
        str(tmp_path / "data"),
        ("square",),
        propagator="flow",
        predictor="classical",
        rounds=1,
        seeds=3,
    )


# What travels ------------------------------------------------------------------------------


def test_curves_of_finished_runs_have_no_progress(no_page):
    curves = Curves(summarise(rows("a", "b")))
    assert curves.progress is None
    assert curves.get_state("progress") == {"progress": None}


def test_a_summary_travels_as_it_is(no_page):
    summary = summarise(rows("mask", "clicks"))
    lines = sent(Curves(json.loads(json.dumps(summary))))
    assert list(lines) == ["clicks", "mask"]
    for name, points in lines.items():
        np.testing.assert_allclose(points, summary["methods"][name]["curve"], rtol=1e-6)


def test_several_folders_are_told_apart_by_name(no_page, tmp_path):
    first = save_experiment(tmp_path / "first", rows("mask"))
    second = save_experiment(tmp_path / "second", rows("mask", "clicks"))
    assert list(sent(Curves.from_folder(first))) == ["mask"]
    curves = Curves.from_folder(first, second, target=None)
    assert list(sent(curves)) == ["first: mask", "second: clicks", "second: mask"]
    assert curves.target is None
    alike = save_experiment(tmp_path / "other" / "first", rows("mask"))
    assert list(sent(Curves.from_folder(first, alike))) == [f"{first}: mask", f"{alike}: mask"]


def test_methods_are_compared_on_what_all_of_them_have_finished(no_page, tmp_path):
    made = rows("mask") + rows("clicks", videos="a")
    curves = Curves.from_folder(save_experiment(tmp_path / "x", made))
    assert sent(curves)["mask"][0, 0] == sent(curves)["clicks"][0, 0]
    assert "1 of 2 objects" in curves.drawing["note"]
    apart = rows("mask", videos="b") + rows("clicks", videos="a")
    with pytest.raises(ValueError, match="finished by every method"):
        Curves.from_folder(save_experiment(tmp_path / "y", apart))


def test_what_cannot_be_compared_is_refused(no_page):
    first, second = summarise(rows("mask")), summarise(rows("mask"), "oracle")
    with pytest.raises(ValueError, match="differ in schedule: oracle, round-robin"):
        Curves({"a": first, "b": second})


def test_curves_that_cannot_be_shown_leave_no_thread(no_page, tmp_path):
    before = threading.active_count()
    for wrong in (
        lambda: Curves({}),
        lambda: Curves.from_folder(),
        lambda: Curves.from_folder(tmp_path),
        lambda: Curves.run(None, tmp_path),
    ):
        with pytest.raises((ValueError, FileNotFoundError, TypeError)):
            wrong()
    assert threading.active_count() == before


def test_a_notebook_saved_with_twenty_long_lines_stays_small():
    x = np.linspace(0.3, 2, 500)
    curve = np.column_stack([x, *np.random.default_rng(0).random((3, 500))]).tolist()
    many = {
        "frames": "davis",
        "schedule": "round-robin",
        "methods": {f"method {k}": {"curve": curve} for k in range(20)},
    }
    try:
        curves = Curves(many)
    except FileNotFoundError:
        pytest.skip("the front end is not built")
    assert len(json.dumps(dependency_state([curves]))) < 100_000
    for points in sent(curves).values():
        np.testing.assert_allclose(points[[0, -1], 0], [0.3, 2])
        assert (np.diff(points[:, 0]) > 0).all()
    assert len(curves.chart.lines["method 7"]) == 500


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"targt": 0.8}, TypeError, "'targt'"),
        ({"target": 2.0}, traitlets.TraitError, "target"),
        ({"schedule": "best"}, ValueError, "'best'"),
    ],
)
def test_wrong_options_are_named(no_page, options, error, said):
    with pytest.raises(error, match=said):
        Curves(**options)


# The wire ----------------------------------------------------------------------------------


def test_the_page_is_answered_and_told_why_not(no_page):
    curves, page = Curves(), Page()
    spoken = catalogue("curves")
    page.handle = curves._handle_custom_msg
    curves._host._send_message = page.receive
    assert set(curves._host._handlers) == set(spoken.requests)
    assert set(spoken.traits) <= set(curves.traits(sync=True))
    assert page.hello() == {"id": "page:1", "ok": True, "state": {}, "capabilities": {}}
    for kind in ("stop", "resume"):
        assert "start one with Curves.run" in page.error(kind)["message"]
    assert "shows no video" in page.error("frame.get", frame=0)["message"]
    curves.close()
    curves._handle_custom_msg({"kind": "stop"}, [])


# Out of it -----------------------------------------------------------------------------------


def test_pictures_and_tables(no_page, tmp_path):
    curves = Curves(summarise(rows("mask", "clicks")), hidden=["clicks"], logarithmic=True)
    with curves.save(tmp_path / "c.csv").open() as file:
        table = list(csv.DictReader(file))
    assert list(table[0]) == ["line", "hours", "jf", "low", "high"]
    assert {row["line"] for row in table} == {"mask", "clicks"}
    first = table[0]["line"]
    assert float(table[0]["jf"]) == pytest.approx(curves.chart.lines[first][0, 1], abs=1e-5)
    assert curves.save(tmp_path / "c.svg").read_text().startswith("<?xml")
    assert curves.save(tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match=r"c.pdf"):
        curves.save(tmp_path / "c.pdf")


# A run ---------------------------------------------------------------------------------------


def test_a_run_grows_is_stopped_goes_on_and_ends(no_page, experiment, tmp_path):
    curves = Curves.run(experiment, tmp_path / "out", workers=1)

    def press_stop(change: dict) -> None:
        if change["new"]["done"]:
            curves._handle_custom_msg({"kind": "stop"}, [])

    curves.observe(press_stop, "progress")
    with pytest.raises(RuntimeError, match=r"stopped after \d of 4 loops"):
        curves.result(PATIENCE)
    before = curves.progress
    assert before["phase"] == "stopped"
    assert 0 < before["done"] < 4
    assert 0 < len(sent(curves)) < 3

    curves.unobserve(press_stop, "progress")
    curves._handle_custom_msg({"kind": "resume"}, [])
    table = curves.result(PATIENCE)
    assert curves.progress["phase"] == "done"
    assert (curves.progress["done"], curves.progress["total"]) == (4, 4)
    assert len({row.loop for row in table.rows()}) == 4
    told = np.array(summarise(table.rows())["methods"]["chance"]["curve"], float)
    np.testing.assert_allclose(sent(curves)["chance"], told, atol=1e-5)
    again = Curves.run(experiment, tmp_path / "out", workers=1)
    assert again.result(PATIENCE).rows() == table.rows()


def test_a_line_has_its_place_from_the_first_time_it_is_drawn(no_page, experiment, tmp_path):
    curves = Curves()

    def follow(phase: str, made: list[Row]) -> list[str]:
        curves._next_drawing = 0
        curves._follow_run(experiment, Progress(phase, 1, 4), made)
        return list(sent(curves))

    late, early = rows("mask", videos="a"), rows("chance", videos="a")
    assert follow("running", late) == []
    assert follow("running", late + early) == ["chance", "mask"]
    assert follow("done", early + late) == ["chance", "mask"]
    folder = save_experiment(tmp_path / "folder", late + early)
    assert list(sent(Curves.from_folder(folder))) == ["chance", "mask"]


def test_a_cell_that_is_run_again_takes_over_the_folder(no_page, experiment, tmp_path):
    first = Curves.run(experiment, tmp_path / "out", workers=1)
    second = Curves.run(experiment, tmp_path / "out", workers=1)
    loops = [row.loop for row in second.result(PATIENCE).rows() if row.round == 0]
    assert first.progress["phase"] in ("stopped", "done")
    assert len(loops) == len(set(loops)) == 4


def test_a_run_that_fails_says_why_and_raises_it(no_page, experiment, tmp_path):
    from dataclasses import replace

    curves = Curves.run(replace(experiment, sequences=("up",)), tmp_path / "out", workers=1)
    with pytest.raises(FileNotFoundError, match="'up'"):
        curves.result(PATIENCE)
    assert curves.progress["phase"] == "failed"
    assert "'up'" in curves.progress["message"]


def test_what_is_no_experiment_is_told_with_one_that_is(no_page, tmp_path):
    with pytest.raises(TypeError, match=r"experiment is 'fig3c'; give an Experiment, as in Exp"):
        Curves.run("fig3c", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_curves_without_a_run_have_none_to_stop(no_page):
    with pytest.raises(RuntimeError, match=r"Curves\.run"):
        Curves().stop()


# A session -----------------------------------------------------------------------------------


def test_a_session_is_followed_until_the_curves_are_closed(no_page, session):
    curves = Curves.of_session(session)
    assert curves.drawing["unit"] == "seconds"
    assert sent(curves) == {}
    bird = session.add_object("bird")
    session.annotate(2, square(), objects=[bird], seconds=12)
    session.propagate()
    lines = sent(curves)
    assert list(lines) == ["predicted"], "without ground truth there is no true quality"
    assert lines["predicted"][:, 0].tolist() == [12]
    session.annotate(7, square(), objects=[bird], seconds=8)
    session.propagate()
    assert sent(curves)["predicted"][:, 0].tolist() == [12, 20]
    session.undo()
    assert sent(curves)["predicted"][:, 0].tolist() == [12]
    curves.close()
    session.redo()
    assert sent(curves)["predicted"][:, 0].tolist() == [12]


def test_the_true_quality_is_beside_the_predicted_one(no_page, session):
    session.ground_truth = dict.fromkeys(range(12), square())
    curves = Curves.of_session(session)
    session.annotate(2, square(), objects=[session.add_object()])
    session.propagate()
    assert list(sent(curves)) == ["predicted", "true"]
    assert sent(curves)["true"][0, 1] == pytest.approx(1)

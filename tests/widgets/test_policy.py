"""The policy explorer without a browser: rounds, what if, the comparison, and the truth."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from fake_page import Page
from small_engines import PATIENCE
from traitlets import TraitError

from evavos_widget.inspection import Inspection
from evavos_widget.masks import decode_runs
from evavos_widget.robot.annotator import RobotAnnotator
from evavos_widget.session import Session, turn
from evavos_widget.widgets import bundle
from evavos_widget.widgets.policy import PolicyExplorer

N = 20
ENGINES = {
    "propagator": "evavos_widget.testing:NearestCopy",
    "predictor": "evavos_widget.testing:Disks",
}


@pytest.fixture
def no_page(tmp_path, monkeypatch):
    """A page's code of our own: these tests need what travels, not the page."""
    (tmp_path / "static").mkdir()
    for name in ("policy.js", "policy.css"):
        (tmp_path / "static" / name).write_text("")
    monkeypatch.setattr(bundle, "_STATIC", tmp_path / "static")


@pytest.fixture
def truth() -> dict[int, np.ndarray]:
    labels = np.zeros((N, 32, 80), np.uint8)
    for f in range(N):
        labels[f, 4:14, 3 * f : 3 * f + 8] = 1
        labels[f, 18:28, 62 - 3 * f : 70 - 3 * f] = 2
    return dict(enumerate(labels))


@pytest.fixture
def session(truth, tmp_path) -> Iterator[Session]:
    frames = np.random.default_rng(2).integers(0, 255, (N, 32, 80, 3), np.uint8)
    with Session(
        frames, path=tmp_path / "s.evavos", annotation_selector="mask", **ENGINES
    ) as session:
        robot = RobotAnnotator(truth)
        robot.begin_all(session)
        session.propagate()
        for _ in range(4):
            turn(session, robot)
        yield session


@pytest.fixture
def shown(no_page):
    """Makes an explorer and a page that talks to it."""
    made = []

    def show(*args, **options) -> tuple[PolicyExplorer, Page]:
        explorer = PolicyExplorer(*args, **options)
        made.append(explorer)
        page = Page()
        explorer._host._send_message = page.receive
        page.handle = explorer._host.handle
        return explorer, page

    yield show
    for explorer in made:
        explorer.close()


def wait_for_what_if(page: Page, *phases: str) -> dict:
    page.wait(lambda: any(p["job"]["phase"] in phases for p in page.of_kind("whatif")[-1:]))
    return page.of_kind("whatif")[-1]["job"]


def looked_at_all(explorer: PolicyExplorer) -> None:
    deadline = time.monotonic() + PATIENCE
    while explorer._host.background.due():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_every_round_is_told_and_is_what_the_table_says(session, truth, shown):
    explorer, page = shown(session, ground_truth=truth)
    state = page.hello()["state"]
    assert [made["kind"] for made in state["rounds"]] == ["mask"] * 6
    rows = explorer.table()
    for n in range(7):
        told = page.ask("round.get", round=n)["told"]
        assert json.loads(json.dumps(told, allow_nan=False)) == told
        assert (told["made"] or {}).get("frame") == rows[n]["made_frame"]
        assert (told["reward"] or {}).get("true_gain") == rows[n]["true_gain"]
        assert [len(each["predicted"]) for each in told["objects"]] == [N] * len(told["objects"])
    places = page.ask("map.get", round=4, object=1)["places"]
    assert np.shape(places) == (N, 2)
    apart = page.ask("disagreement.get", round=6, object=1)["apart"]
    assert max(v for v in apart if v is not None) > 0.5
    assert page.error("round.get", round=8)["message"] == "there is no round 8; give 0 to 6."


def test_the_mask_that_is_sent_is_the_one_of_the_rounds_state(truth, shown, tmp_path):
    frames = np.random.default_rng(2).integers(0, 255, (N, 32, 80, 3), np.uint8)
    path, robot, seen = tmp_path / "s.evavos", RobotAnnotator(truth), []
    with Session(frames, path=path, annotation_selector="mask", **ENGINES) as session:
        robot.begin_all(session)
        session.propagate()
        begun = len(session.rounds)
        for _ in range(4):
            seen.append(session.masks.array())
            turn(session, robot)
        seen.append(session.masks.array())
    assert any((a != b).any() for a, b in pairwise(seen))
    with Session.open(path, frames, read_only=True) as session:
        _, page = shown(session)
        for n, masks in enumerate(seen, start=begun):
            for frame in range(N):
                for obj in (1, 2):
                    asked = page.post("mask.get", round=n, frame=frame, object=obj)
                    _, [runs] = page.reply(asked)
                    mask = decode_runs(np.frombuffer(runs, "<u4"), (32, 80))
                    assert np.array_equal(mask == 1, masks[frame] == obj)
        assert (
            "there is no round 99" in page.error("mask.get", round=99, frame=0, object=1)["message"]
        )


def test_a_round_is_told_at_once_when_it_was_looked_at_before(session, truth, shown, monkeypatch):
    looked: list[int] = []
    look = Inspection._looked_at
    monkeypatch.setattr(Inspection, "_looked_at", lambda self, n: looked.append(n) or look(self, n))
    explorer, page = shown(session, ground_truth=truth)
    page.hello()
    looked_at_all(explorer)
    page.hello()  # answered by the worker, which has ended its last look by then
    before = len(looked)
    assert set(looked) == set(range(7))
    for n in range(7):
        assert page.ask("round.get", round=n)["told"]["round"] == n
    assert looked[before:] == []


def test_what_if_is_tried_beside_the_worker_and_the_session(session, truth, shown, monkeypatch):
    from evavos_widget.testing import NearestCopy

    gate = threading.Semaphore(0)
    propagate = NearestCopy.propagate

    def slow(self, *args):
        for step in propagate(self, *args):
            assert gate.acquire(timeout=PATIENCE)
            yield step

    monkeypatch.setattr(NearestCopy, "propagate", slow)
    explorer, page = shown(session, ground_truth=truth)
    page.hello()
    asked = {"round": 3, "frame": 7, "object": 1, "annotation_type": "mask"}
    assert page.ask("whatif.start", **asked)["started"]
    assert not page.ask("whatif.start", **asked)["started"]
    gate.release(2)
    page.wait(lambda: any(p["job"]["done"] == 2 for p in page.of_kind("whatif")))
    # It hangs, and everything else is answered.
    assert page.ask("round.get", round=2)["told"]["round"] == 2
    assert session.add_object() == 3
    assert page.ask("whatif.cancel")["cancelled"]
    gate.release()
    assert wait_for_what_if(page, "cancelled")["message"] == "given up"
    assert explorer.branches == ()
    gate.release(100)
    assert page.ask("whatif.start", **asked)["started"]
    wait_for_what_if(page, "done")
    page.wait(lambda: bool(page.last_state()["branches"]))
    [branch] = page.last_state()["branches"]
    assert (branch["frame"], branch["kind"], branch["seconds"]) == (7, "mask", 80)
    assert explorer.branches[0].gain == branch["gain"] > 0


def test_without_truth_it_says_so_and_tells_nothing_true(session, truth, shown):
    session.ground_truth = truth
    explorer, page = shown(session)
    assert page.hello()["state"]["truth"] is False
    told = page.ask("round.get", round=4)["told"]
    assert all(each["true"] is None for each in told["objects"])
    assert told["reward"]["true_gain"] is told["reward"]["reward"] is None
    error = page.error("whatif.start", round=3, frame=7, object=1, annotation_type="mask")
    assert error["message"].endswith("give it to PolicyExplorer(session, ground_truth=...).")
    with pytest.raises(ValueError, match="give ground_truth"):
        explorer.what_if(3, 7, 1, "mask")


def test_a_branch_that_fails_is_told(session, truth, shown):
    del truth[7]
    _, page = shown(session, ground_truth=truth)
    page.hello()
    page.ask("whatif.start", round=3, frame=7, object=1, annotation_type="mask")
    assert "no frame 7" in wait_for_what_if(page, "failed")["message"]
    page.ask("whatif.start", round=3, frame=8, object=1, annotation_type="mask")
    assert wait_for_what_if(page, "done")["phase"] == "done"


def test_a_branch_is_shown_while_its_round_has_the_state_it_was_tried_in(session, truth, shown):
    explorer, page = shown(session, ground_truth=truth)
    page.hello()
    n = len(session.rounds)
    tried = [explorer.what_if(k, 7, 1, "mask") for k in (3, n - 1, n)]

    def told() -> list[int]:
        assert [b.round for b in explorer.branches] == [
            b["round"] for b in page.hello()["state"]["branches"]
        ]
        return [tried.index(branch) for branch in explorer.branches]

    assert told() == [0, 1, 2]
    turn(session, RobotAnnotator(truth))  # what was tried instead is still to be compared with it
    assert told() == [0, 1, 2]
    session.update_object(1, name="square")
    session.undo()
    session.undo()
    assert told() == [0, 1, 2]
    session.undo()
    assert told() == [0, 1]
    # Another round of the same look is another past.
    again = session.rounds[-1]
    session.undo()
    session.annotate(
        again.frames[0],
        truth[again.frames[0]] == 0,
        objects=again.objects,
        kind=again.kind,
        seconds=again.seconds,
    )
    session.propagate()
    assert told() == [0]


def test_a_branch_of_a_state_is_gone_with_its_masks_and_back_with_them(session, truth, shown):
    explorer, page = shown(session, ground_truth=truth)
    page.hello()
    n = len(session.rounds)
    explorer.what_if(n, 7, 1, "mask")
    session.remove_annotation(0, 1)
    assert explorer.branches == ()
    session.undo()
    assert len(explorer.branches) == 1
    session.annotate(7, truth[7] == 1, objects=[1])
    session.propagate()
    session.remove_object(2)
    assert len(explorer.branches) == 1
    explorer.what_if(n + 1, 8, 1, "mask")
    session.undo()
    assert [branch.round for branch in explorer.branches] == [n]
    session.redo()
    assert [branch.round for branch in explorer.branches] == [n, n + 1]


def test_an_object_that_the_truth_lacks_is_refused_in_a_sentence(session, truth, shown):
    half = {f: np.where(m == 1, m, 0).astype(np.uint8) for f, m in truth.items()}
    explorer, page = shown(session, ground_truth=half)
    page.hello()
    said = "the truth has no object 2, so that nothing can be said of what would follow; choose"
    with pytest.raises(ValueError, match=said):
        explorer.what_if(3, 7, 2, "mask")
    page.ask("whatif.start", round=3, frame=7, object=2, annotation_type="mask")
    assert said in wait_for_what_if(page, "failed")["message"]
    explorer.what_if(3, 7, 1, "mask")
    assert [b["object"] for b in page.hello()["state"]["branches"]] == [1]
    json.dumps(explorer._controller._state(), allow_nan=False)


def test_two_policies_are_compared(session, shown):
    explorer, page = shown(session, ("farthest-in-time", "clicks"))
    looked_at_all(explorer)
    comparison = page.hello()["state"]["comparison"]
    assert comparison["names"] == ["farthest-in-time + mask", "farthest-in-time + clicks"]
    assert comparison["rows"] == explorer.comparison()
    assert sum(row["first_disagreement"] for row in comparison["rows"]) == 1


def test_a_live_session_is_followed(session, truth, shown):
    _, page = shown(session)
    page.hello()
    assert page.ask("round.get", round=6)["told"]["made"] is None
    turn(session, RobotAnnotator(truth))
    page.wait(lambda: len(page.last_state()["rounds"]) == 7)
    told = page.ask("round.get", round=6)["told"]
    assert told["made"]["frame"] == session.rounds[6].frames[0]
    assert told["followed"]


def test_a_recorded_session_is_opened_to_be_looked_at(session, truth, shown, no_page):
    frames = np.stack([session.video.frame(f) for f in range(N)])
    path, rows = session.path, PolicyExplorer(session).table()
    session.close()
    with Session.open(path, frames, read_only=True) as recorded:
        explorer, _ = shown(recorded)
        assert explorer.table() == rows
    with pytest.raises(ValueError, match="given as an array"):
        PolicyExplorer(path)


def test_it_opens_on_what_was_annotated_in_the_round_it_shows(session, shown):
    rounds = session.rounds
    for options, n in (({}, len(rounds) - 1), ({"round": 2}, 2)):
        explorer, _ = shown(session, **options)
        at = explorer.round, explorer.frame, explorer.object
        assert at == (n, rounds[n].frames[0], rounds[n].objects[0])
    assert rounds[-1].frames[0] != 0
    explorer, _ = shown(session, frame=1, object=2)
    assert (explorer.frame, explorer.object) == (1, 2)
    explorer, _ = shown(session, round=len(rounds))
    assert (explorer.round, explorer.frame) == (len(rounds), 0)


def test_what_is_unknown_is_refused(session, shown):
    with pytest.raises(TypeError, match="no option 'colour'"):
        shown(session, colour="red")
    with pytest.raises(ValueError, match="nothing to compare with"):
        shown(session)[0].comparison()
    with pytest.raises(TraitError, match=f"there is no frame {N} in the video; give 0 to {N - 1}"):
        shown(session, frame=N)
    explorer, _ = shown(session, frame=N - 1)
    with pytest.raises(TraitError, match="there is no frame -1"):
        explorer.frame = -1
    assert explorer.frame == N - 1

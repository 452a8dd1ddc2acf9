"""The annotator without a notebook: what is asked, answered, pushed and written to disk."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from fake_page import DRAWN_ON_0, HEIGHT, N_FRAMES, WIDTH, Page, mask_at, runs_of, square
from small_engines import PATIENCE

from evavos_widget.annotation_selection.baselines import Clicks
from evavos_widget.points import REGIONS
from evavos_widget.session import Session
from evavos_widget.widgets import annotator_controller
from evavos_widget.widgets.annotator_controller import LONGEST_ANNOTATION, AnnotatorController
from evavos_widget.widgets.catalogue import MAX_UPLOAD_BYTES, catalogue
from evavos_widget.widgets.outbox import MAX_LOG

CATALOGUE = catalogue("annotator")

NAN = float("nan")


# The catalogue --------------------------------------------------------------------------


def test_every_request_of_the_catalogue_has_a_handler_and_no_other(controller):
    assert set(controller.host._handlers) == set(CATALOGUE.requests)
    assert set(controller.host._pushed) == set(CATALOGUE.pushes)


def test_hello_gives_the_whole_state(page, connect):
    reply = connect("second").hello()
    assert set(reply["state"]) == set(CATALOGUE.types["State"])
    assert set(reply["capabilities"]) == set(CATALOGUE.types["Capabilities"])
    assert set(reply["state"]["job"]) == set(CATALOGUE.types["Job"])
    assert reply["state"]["revisions"] == [0] * N_FRAMES
    assert reply["capabilities"]["predictor"] == "disc"
    json.dumps(reply, allow_nan=False)


@pytest.mark.parametrize(
    ("accepts", "types"),
    [
        ({"mask", "clicks"}, ["mask", "clicks", "points"]),
        ({"box"}, ["mask", "box"]),
        ({"mask"}, ["mask"]),
    ],
)
def test_the_page_hears_which_types_the_predictor_leaves(page, session, predictor, accepts, types):
    predictor.accepts = frozenset(accepts)
    session.add_object()
    told = page.hello()["capabilities"]["types"]
    assert sorted(told) == sorted(types)
    for kind, prompt in {"clicks": {"clicks": [[9, 9, 1]]}, "box": {"box": [1, 1, 9, 9]}}.items():
        asked = {"frame": 0, "object": 1, "clicks": [], "box": None, **prompt}
        if kind not in told:
            refused = page.error("prompt.preview", **asked)["message"]
            assert f"the predictor 'disc' takes no {kind}" in refused


def test_the_predictor_is_made_ready_behind_the_first_picture(session, monkeypatch):
    prepared, asked = [], threading.Event()

    def prepare(image: Callable[[], np.ndarray], key: tuple[object, int]) -> None:
        prepared.append((image().shape, key[1]))
        asked.set()

    session.predictor.prepare = prepare
    monkeypatch.setattr(annotator_controller, "FIRST_PICTURE", 3600)
    closed = AnnotatorController(session, lambda content, buffers: None)
    closed.close()
    assert not closed._ready.is_alive(), "nobody is left who would ask"
    assert not prepared
    monkeypatch.setattr(annotator_controller, "FIRST_PICTURE", 0.2)
    controller = AnnotatorController(session, lambda content, buffers: None)
    assert asked.wait(PATIENCE)
    controller.close()
    assert prepared == [((HEIGHT, WIDTH, 3), 0)]


def test_a_drawn_mask_that_is_suggested_readies_the_predictor_too(session, monkeypatch):
    monkeypatch.setattr(annotator_controller, "FIRST_PICTURE", 0.5)
    asked, suggested = threading.Event(), threading.Event()
    session.predictor.prepare = lambda image, key: asked.set()
    session.add_object("bird")
    controller = AnnotatorController(
        session, lambda content, buffers: None, suggested=lambda suggestion: suggested.set()
    )
    assert suggested.wait(PATIENCE)
    assert asked.wait(PATIENCE)
    assert controller.suggestion.kind == "mask"
    controller.close()


def test_state_is_json_at_every_stage_of_the_work(outlined):
    outlined.ask("job.start", job="propagate")
    outlined.wait_for_job("idle", message="every mask is up to date")
    # That the pass is over is pushed before the state that it led to.
    outlined.wait(
        lambda: not outlined.last_state()["stale"] and outlined.last_state()["suggestion"]
    )
    state = outlined.last_state()
    json.dumps(state, allow_nan=False)
    assert set(state["suggestion"]) == set(CATALOGUE.types["Suggestion"])
    assert state["annotated"] == [DRAWN_ON_0]
    assert state["stale"] == []
    assert len(state["quality"]) == N_FRAMES
    assert state["curve"][-1]["seconds"] == 2.5


def test_a_lost_object_is_told_by_its_frames_and_an_absent_one_is_not(
    outlined, session, propagator, monkeypatch
):
    def lose_the_second(*args, propagate=propagator.propagate):
        for step in propagate(*args):
            soft = step.probabilities.copy()
            if step.frame in (2, 3, 5):
                soft[0] += soft[2]
                soft[2] = 0
            yield replace(step, probabilities=soft)

    monkeypatch.setattr(propagator, "propagate", lose_the_second)
    outlined.ask("object.add", name="beside")
    outlined.reply(outlined.commit(0, square(40, 20), 2))
    assert outlined.ask("hello", view="before")["state"]["lost"] == {"1": [], "2": []}
    outlined.ask("job.start", job="propagate")
    outlined.wait_for_job("idle")
    outlined.wait(lambda: outlined.last_state()["lost"] == {"1": [], "2": [[2, 3], [5, 5]]})
    session.mark_absent(5, [2])
    outlined.wait(lambda: outlined.last_state()["lost"]["2"][:1] == [[2, 2]])
    assert all(first <= 2 for first, _ in outlined.last_state()["lost"]["2"])


# Pictures and masks ---------------------------------------------------------------------


def test_a_frame_comes_as_an_encoded_picture(page, session, frames):
    from io import BytesIO

    from PIL import Image

    content, buffers = page.reply(page.post("frame.get", frame=3))
    assert (content["frame"], content["mime"]) == (3, "image/jpeg")
    assert Image.open(BytesIO(buffers[0])).size == (frames.shape[2], frames.shape[1])


def test_a_thumbnail_is_as_wide_as_asked(page, frames):
    from io import BytesIO

    from PIL import Image

    _, buffers = page.reply(page.post("frame.get", frame=3, width=16))
    assert Image.open(BytesIO(buffers[0])).size == (16, 12)
    _, buffers = page.reply(page.post("frame.get", frame=3, width=9999))
    assert Image.open(BytesIO(buffers[0])).size == (frames.shape[2], frames.shape[1])


def test_masks_come_as_runs_of_the_newest_revision_after_the_one_it_replaced(outlined, session):
    moved = square(30, 20)
    outlined.reply(outlined.commit(0, moved))
    content, buffers = outlined.reply(outlined.post("mask.get", frames=[5, 0]))
    assert [m["frame"] for m in content["masks"]] == [5, 0, 0]
    masks = [mask_at(place, buffers) for place in content["masks"]]
    assert not masks[0].any()
    np.testing.assert_array_equal(masks[1], square())
    np.testing.assert_array_equal(masks[2], moved)
    _, before, newest = (m["revision"] for m in content["masks"])
    assert 0 < before < newest == session.revisions[0]


# Prompts and commits --------------------------------------------------------------------


def test_a_preview_changes_nothing(page, session):
    page.ask("object.add", name=None)
    before = session.revision
    content, buffers = page.reply(
        page.post("prompt.preview", frame=2, object=1, clicks=[[20, 20, 1]], box=None)
    )
    assert content["score"] == pytest.approx(0.8)
    place = {"offset": 0, "length": len(buffers[0]) // 4}
    assert mask_at(place, buffers).sum() == 81
    assert session.revision == before
    assert not session.annotations


def test_a_preview_says_from_whom_it_takes_how_many(outlined, session):
    session.add_object("second")
    row, column = (int(n) for n in np.argwhere(session.masks[0] == 1)[0])
    asked = {"frame": 0, "object": 2, "box": None}
    content = outlined.ask("prompt.preview", clicks=[[column, row, 1]], **asked)
    mask = session.predict(0, 2, clicks=[(column, row, True)]).mask
    assert content["takes"] == {"1": int((mask & (session.masks[0] == 1)).sum())}
    assert content["takes"]["1"] > 0
    assert outlined.ask("prompt.preview", clicks=[[0, HEIGHT - 1, 1]], **asked)["takes"] == {}


def test_a_predictor_is_asked_for_one_alone_where_the_page_says_so(
    outlined, session, predictor, monkeypatch
):
    monkeypatch.setattr(predictor, "together", True)
    session.add_object("second")
    told = []

    def together(image, prompts, *, key=None):
        told.append(sorted(prompts))
        return {obj: predictor.predict(image, given, key=key) for obj, given in prompts.items()}

    monkeypatch.setattr(predictor, "predict_together", together)
    for alone in ({}, {"alone": False}, {"alone": True}):
        outlined.ask("prompt.preview", frame=0, object=2, clicks=[[9, 9, 1]], box=None, **alone)
    assert told == [[1, 2], [1, 2]]
    assert outlined.hello()["capabilities"]["together"] is True


def test_scribbles_reach_the_predictor(page, predictor):
    page.ask("object.add", name=None)
    points = [[4, 5], [9.5, 5]]
    page.ask(
        "prompt.preview",
        frame=2,
        object=1,
        clicks=[],
        box=None,
        scribbles=[{"points": points, "positive": False}],
    )
    (scribble,) = predictor.seen[-1].scribbles
    np.testing.assert_array_equal(scribble.points, points)
    assert scribble.positive is False


@pytest.mark.parametrize("scribble", [{"points": [[1, 2]]}, {"points": [3], "positive": True}, 7])
def test_a_scribble_that_is_none_is_named(page, scribble):
    page.ask("object.add", name=None)
    error = page.error(
        "prompt.preview", frame=0, object=1, clicks=[], box=None, scribbles=[scribble]
    )
    assert error["code"] == "malformed"
    assert "scribbles are" in error["message"]


def test_a_session_that_ends_with_the_kernel_says_so(page, frames, propagator, predictor):
    assert page.hello()["state"]["kept"] is True
    with Session(frames, propagator=propagator, predictor=predictor, path=None) as session:
        other = Page("other")
        controller = AnnotatorController(session, other.receive)
        other.handle = controller.host.handle
        assert other.hello()["state"]["kept"] is False
        controller.close()


def test_a_commit_is_on_disk_when_it_is_acknowledged(page, session):
    page.ask("object.add", name="bird")
    journal = session.path / "journal.jsonl"
    found = []
    receive = page.receive

    def look_at_the_disk(content, buffers):
        if content.get("saved"):
            found.append(journal.read_bytes())
        receive(content, buffers)

    page.receive = look_at_the_disk
    content, _ = page.reply(page.commit(4, square(), seconds=7.25, clicks=[[12, 9, 1]]))
    assert content["saved"] is True
    assert content["revision"] == session.revision
    last = json.loads(found[0].splitlines()[-1].split(b" ", 1)[1])
    assert '"seconds": 7.25' in json.dumps(last)
    assert '"4"' in json.dumps(last)
    np.testing.assert_array_equal(session.masks[4], square())


def test_a_commit_that_the_disk_refuses_is_not_acknowledged(page, session, monkeypatch):
    page.ask("object.add", name="bird")

    def refuse(self, event):
        raise OSError("no space left on device")

    monkeypatch.setattr("evavos_widget.session.journal.Journal.append", refuse)
    content, _ = page.reply(page.commit(4, square()))
    assert content["error"] == {"code": "io", "message": "no space left on device"}
    assert not session.annotations


def test_a_commit_with_propagate_repaints_every_frame(page, session):
    page.ask("object.add", name="bird")
    page.reply(page.commit(0, square(), propagate=True))
    page.wait(lambda: set(page.masks()) == set(range(N_FRAMES)))
    for mask in page.masks().values():
        np.testing.assert_array_equal(mask, square())
    page.wait_for_job("idle")
    assert not session.stale


def test_what_is_said_without_drawing_is_an_annotation_too(outlined, session):
    outlined.reply(outlined.commit(3, square(), annotation_type="verified", seconds=1.5))
    outlined.reply(outlined.commit(4, 0 * square(), annotation_type="absent", seconds=2.0))
    outlined.wait(lambda: len(outlined.last_state()["annotated"]) == 3)
    _, verified, absent = outlined.last_state()["annotated"]
    assert (verified["verified"], absent["absent"]) == ([1], [1])
    assert [r.kind for r in session.rounds] == ["mask", "verified", "absent"]
    assert outlined.last_state()["seconds"] == 2.5 + 1.5 + 2.0
    refused = outlined.reply(outlined.commit(5, square(), annotation_type="absent"))[0]
    assert "has pixels" in refused["error"]["message"]


def test_merged_objects_are_one_and_come_apart_again(outlined, session):
    outlined.ask("object.add", name="wing")
    outlined.reply(outlined.commit(0, square(30, 8), obj=2))
    outlined.ask("object.merge", object=2, into=1)
    outlined.wait(lambda: 0 in outlined.masks() and (outlined.masks()[0] == 1).sum() == 288)
    outlined.wait(lambda: [o["name"] for o in outlined.last_state()["objects"]] == ["bird"])
    assert outlined.ask("history.undo")["label"] == "merge of two objects"
    outlined.wait(lambda: len(outlined.last_state()["objects"]) == 2)
    np.testing.assert_array_equal(session.masks[0] == 2, square(30, 8))


def test_quality_is_told_per_object(outlined):
    outlined.ask("object.add", name="wing")
    outlined.reply(outlined.commit(6, square(30, 8), obj=2, propagate=True))
    outlined.wait_for_job("idle", message="every mask is up to date")
    outlined.wait(lambda: None not in outlined.last_state()["object_quality"].get("2", [None]))
    quality = outlined.last_state()["object_quality"]
    assert quality["1"][0] == quality["2"][6] == 1.0
    assert len(quality["1"]) == N_FRAMES


def test_what_else_could_be_done_is_offered_beside_the_suggestion(outlined):
    outlined.ask("job.start", job="propagate")
    outlined.wait(
        lambda: (
            not outlined.last_state()["stale"] and len(outlined.last_state()["alternatives"]) == 2
        )
    )
    state = outlined.last_state()
    offered = [state["suggestion"], *state["alternatives"]]
    assert len({s["frame"] for s in offered}) == 3
    outlined.ask("suggestion.snooze", frame=offered[0]["frame"], object=1)
    outlined.wait(lambda: outlined.last_state()["suggestion"]["frame"] != offered[0]["frame"])


def test_a_slow_predictor_begins_with_the_suggested_frame_ahead_of_the_click(outlined, session):
    prepared: list[tuple[int, int]] = []
    session.annotation_selector = Clicks()
    session.predictor.prepare = lambda image, key: prepared.append((image().shape[0], key[1]))
    outlined.ask("job.start", job="propagate")
    outlined.wait(lambda: bool(prepared))

    def offered() -> list[int]:
        state = outlined.last_state()
        return [s["frame"] for s in (state["suggestion"], *state["alternatives"]) if s is not None]

    outlined.wait(lambda: len(offered()) == 3 and offered() == [key for _, key in prepared[-3:]])
    assert prepared[-1][0] == session.video.height


def test_undo_and_redo_say_what_they_did_and_show_it(outlined, session):
    assert outlined.ask("history.undo")["label"] == "mask on frame 0"
    outlined.wait(lambda: 0 in outlined.masks() and not outlined.masks()[0].any())
    outlined.wait(lambda: outlined.last_state()["redo"] == "mask on frame 0")
    assert outlined.ask("history.redo")["label"] == "mask on frame 0"
    outlined.wait(lambda: outlined.masks()[0].any())
    assert [outlined.ask("history.undo")["label"] for _ in range(3)][-1] is None


def test_objects_are_added_changed_and_removed(outlined, session):
    outlined.ask("object.update", object=1, name="swan", color="#00ff00", locked=True)
    assert (session.objects[0].name, session.objects[0].color) == ("swan", "#00ff00")
    assert outlined.reply(outlined.commit(1, square()))[0]["error"]["message"].startswith(
        "object 1 (swan) is locked"
    )
    assert outlined.ask("object.add", name=None)["object"] == 2
    assert "locked" in outlined.error("object.remove", object=1)["message"]
    outlined.ask("object.update", object=1, locked=False)
    outlined.ask("object.remove", object=1)
    assert [o.id for o in session.objects] == [2]
    assert not session.masks[0].any()


def test_an_annotation_is_removed_and_a_suggestion_snoozed(outlined, session):
    outlined.ask("annotation.remove", frame=0, object=1)
    assert not session.annotations
    outlined.ask("suggestion.snooze", frame=6, object=1)
    assert (6, 1) in session.state.snoozed


def test_export_writes_the_masks_and_tells_every_view(outlined, connect, session, tmp_path):
    other = connect("other")
    other.hello()
    path = outlined.ask("export.run", format="numpy", path=str(tmp_path / "out.npz"))["path"]
    with np.load(path) as file:
        assert any(np.array_equal(file[k][0], square()) for k in file if file[k].ndim == 3)
    other.wait(lambda: any(path in line["message"] for line in other.of_kind("log")))
    waiting = (
        f"{len(session.stale)} frames wait for a pass, and went into out.npz with the masks of"
    )
    other.wait(lambda: any(waiting in line["message"] for line in other.of_kind("log")))


def test_a_read_only_view_may_take_the_masks_away(outlined, controller, session, tmp_path):
    controller.host.read_only = True
    path = outlined.ask("export.run", format="numpy", path=str(tmp_path / "out.npz"))["path"]
    assert path == str(tmp_path / "out.npz")
    assert not [line for line in outlined.of_kind("log") if line["level"] == "error"]


def test_a_long_pause_is_not_paid_as_work(outlined, session):
    outlined.reply(outlined.commit(1, square(), seconds=299.0))
    outlined.reply(outlined.commit(2, square(), seconds=3600.0))
    assert [r.seconds for r in session.rounds] == [2.5, 299.0, LONGEST_ANNOTATION]


# Errors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "fields", "code", "words"),
    [
        ("brew.coffee", {}, "unknown_kind", "brew.coffee"),
        ("frame.get", {}, "malformed", "'frame'"),
        ("frame.get", {"frame": "3"}, "malformed", "'3'"),
        ("frame.get", {"frame": 99}, "invalid", "frames 0 to 11"),
        ("mask.get", {"frames": 3}, "malformed", "list"),
        ("mask.get", {"frames": [1, -1]}, "invalid", "frame -1"),
        ("prompt.preview", {"frame": 0, "object": 1, "clicks": [[1]]}, "malformed", "[x, y, 0"),
        ("prompt.preview", {"frame": 0, "object": 1, "clicks": [[99, 5, 1]]}, "invalid", "outside"),
        ("prompt.preview", {"frame": 0, "object": 1, "clicks": [[NAN, 5, 1]]}, "invalid", "finite"),
        ("prompt.preview", {"frame": 0, "object": 9, "clicks": [[9, 5, 1]]}, "invalid", "object 9"),
        ("prompt.preview", {"frame": 0, "object": 1, "box": [1, 2]}, "malformed", "x0"),
        ("annotation.remove", {"frame": 7, "object": 1}, "invalid", "not annotated"),
        ("object.update", {"object": 8, "name": "x"}, "invalid", "no object 8"),
        ("job.start", {"job": "dance"}, "invalid", "dance"),
        ("export.run", {"format": "papyrus"}, "invalid", "papyrus"),
    ],
)  # fmt: skip
def test_an_error_is_answered_and_logged_and_the_session_stays(
    outlined, connect, session, kind, fields, code, words
):
    other = connect("other")
    other.hello()
    before, revision = session.masks, session.revision
    error = outlined.error(kind, **fields)
    assert error["code"] == code
    assert words in error["message"]
    other.wait(lambda: any(line["message"] == error["message"] for line in other.of_kind("log")))
    assert not outlined.of_kind("log"), "its reply has told the view that asked"
    assert session.masks == before
    assert session.revision == revision
    outlined.reply(outlined.commit(1, square()))
    assert session.masks[1].any()


def test_what_went_wrong_while_no_page_was_open_is_told_to_the_next(outlined, connect, controller):
    outlined.ask("bye", view="page")
    for number in range(MAX_LOG + 20):
        controller.host.write_log("error", f"trouble {number}")
    late = connect("late")
    late.hello()
    late.wait(lambda: len(late.of_kind("log")) == MAX_LOG)
    told = [line["message"] for line in late.of_kind("log")]
    assert told == [f"trouble {number}" for number in range(20, MAX_LOG + 20)]


def takes_of(page, mask, others, frame=0, obj=2):
    reply, _ = page.reply(page.commit(frame, mask, obj, others=others))
    return reply


def test_a_commit_that_takes_pixels_from_others_says_so_first(outlined, session):
    outlined.ask("object.add", name="beside")
    revision, before = session.revision, session.masks[0]
    # 3 x 12 pixels of the square of object 1 at (10, 8).
    reply = takes_of(outlined, square(19, 8), "ask")
    assert (reply["saved"], reply["takes"]) == (False, {"1": 36})
    assert session.revision == revision
    reply = takes_of(outlined, square(19, 8), "leave")
    assert (reply["saved"], reply["takes"]) == (True, {})
    assert np.array_equal(session.masks[0] == 1, before == 1)
    assert (session.masks[0] == 2).sum() == 9 * 12
    assert takes_of(outlined, square(19, 8), "take")["saved"]
    assert (session.masks[0] == 1).sum() == 9 * 12


def test_what_nobody_held_by_hand_is_taken_without_a_question(outlined, session):
    outlined.ask("object.add", name="beside")
    outlined.ask("job.start", job="propagate")
    outlined.wait_for_job("idle")
    assert (session.masks[3] == 1).any()
    assert takes_of(outlined, square(), "ask", frame=3)["saved"]
    outlined.ask("object.update", object=1, locked=True)
    assert takes_of(outlined, square(18, 8), "ask")["saved"]


def test_nothing_left_of_a_mask_is_refused_and_no_absence(outlined, session):
    outlined.ask("object.add", name="beside")
    revision = session.revision
    request = outlined.commit(0, square(12, 10, 4), 2, others="leave")
    error = outlined.reply(request)[0]["error"]
    assert "nothing is left" in error["message"]
    error = outlined.reply(outlined.commit(0, square(12, 10, 4), 2, others="half"))[0]["error"]
    assert "'half'" in error["message"]
    assert session.revision == revision


@pytest.mark.parametrize(
    "message", [None, 7, [], {}, {"kind": "hello"}, {"kind": ["x"], "id": "a"}]
)
def test_what_is_no_message_does_no_harm(page, controller, message):
    controller.host.handle(message, [])
    assert page.hello()["ok"]


@pytest.mark.parametrize(
    ("buffers", "code", "words"),
    [
        ([], "malformed", "0 buffers"),
        ([b"abc"], "malformed", "3 bytes"),
        ([runs_of(np.ones((5, 5), bool))], "invalid", "64 x 48"),
        ([bytes(MAX_UPLOAD_BYTES + 4)], "too_large", "4000000"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(outlined, session, buffers, code, words):
    fields = {"annotation_type": "mask", "seconds": 1.0, "clicks": []}
    error = outlined.error("mask.commit", buffers, frame=3, object=1, **fields)
    assert error["code"] == code
    assert words in error["message"]
    assert set(session.annotations) == {0}


def test_a_broken_predictor_is_named_and_the_next_request_works(outlined, predictor):
    predictor.error = RuntimeError("CUDA out of memory")
    error = outlined.error("prompt.preview", frame=0, object=1, clicks=[[5, 5, 1]])
    assert error == {"code": "failed", "message": "RuntimeError: CUDA out of memory"}
    predictor.error = None
    outlined.ask("prompt.preview", frame=0, object=1, clicks=[[5, 5, 1]])


def test_a_broken_propagator_ends_the_pass_and_says_so(outlined, session, propagator):
    propagator.fail_at = 6
    outlined.ask("job.start", job="propagate")
    job = outlined.wait_for_job("idle")
    assert job["message"] == "propagation stopped: RuntimeError: the propagator lost the object."
    outlined.wait(lambda: any(line["level"] == "error" for line in outlined.of_kind("log")))
    assert session.stale == set(range(6, N_FRAMES))
    propagator.fail_at = None
    outlined.ask("job.start", job="propagate")
    outlined.wait_for_job("idle", message="every mask is up to date")
    assert not session.stale


def test_a_page_of_another_version_is_told_to_reload(page, controller):
    controller.host.handle({"v": 99, "id": "page:x", "kind": "frame.get", "frame": 0}, [])
    assert page.reply("page:x")[0]["error"]["code"] == "version"


def test_read_only_refuses_changes_and_shows_the_rest(outlined, controller, session):
    controller.host.read_only = True
    revision = session.revision
    assert outlined.error("object.add", name="x")["code"] == "read_only"
    assert outlined.reply(outlined.commit(1, square()))[0]["error"]["code"] == "read_only"
    assert session.revision == revision
    outlined.ask("mask.get", frames=[0])


def test_points_are_proposed_after_a_pass_and_labelled_one_by_one(outlined, session, monkeypatch):
    assert outlined.ask("points.propose", frame=3, object=1)["points"] == []
    soft = np.clip(0.9 - 0.02 * np.abs(np.arange(WIDTH) - 16), 0, 1)
    soft = np.broadcast_to(soft.astype(np.float32), (HEIGHT, WIDTH))
    monkeypatch.setattr(session, "probabilities", lambda frame, obj: soft)
    points = outlined.ask("points.propose", frame=3, object=1)["points"]
    assert 0 < len(points) <= 10
    x, y, region = points[0]
    good = {"frame": 3, "object": 1, "x": x, "y": y, "region": region, "label": "negative"}
    revision = outlined.ask("point.label", seconds=0.9, **good)["revision"]
    assert revision == session.revision
    ((point,),) = session.points.values()
    assert (point.x, point.y, point.label, point.region) == (x, y, "negative", REGIONS[region])
    for wrong in ({"label": "no"}, {"x": WIDTH}, {"region": 3}, {"region": -1}, {"object": 7}):
        assert outlined.error("point.label", seconds=1, **{**good, **wrong})["code"] == "invalid"
    assert session.revision == revision

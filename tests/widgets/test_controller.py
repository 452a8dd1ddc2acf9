"""The controller without a notebook: what is asked, answered, pushed and written to disk."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest
from fake_page import N_FRAMES, Page, mask_at, runs_of, square

from evavos_widget.annotation_selection.baselines import Clicks
from evavos_widget.session import Session
from evavos_widget.widgets.catalogue import CREDIT_WINDOW, MAX_UPLOAD_BYTES, catalogue
from evavos_widget.widgets.controller import LONGEST_ANNOTATION
from evavos_widget.widgets.outbox import MAX_LOG

CATALOGUE = catalogue("annotator")

NAN = float("nan")

DRAWN_ON_0 = {"frame": 0, "objects": [1], "absent": [], "corrected": [], "verified": []}


def gate() -> threading.Semaphore:
    return threading.Semaphore(0)


# The catalogue ---------------------------------------------------------------------------


def test_every_request_of_the_catalogue_has_a_handler_and_no_other(controller):
    assert controller.kinds == set(CATALOGUE.requests)


def test_hello_gives_the_whole_state(page, connect):
    reply = connect("second").hello()
    assert set(reply["state"]) == set(CATALOGUE.types["State"])
    assert set(reply["capabilities"]) == set(CATALOGUE.types["Capabilities"])
    assert set(reply["state"]["job"]) == set(CATALOGUE.types["Job"])
    assert reply["state"]["revisions"] == [0] * N_FRAMES
    assert reply["capabilities"]["predictor"] == "disc"
    json.dumps(reply, allow_nan=False)


def test_state_is_json_at_every_stage_of_the_work(outlined):
    outlined.ask("job.start", job="propagate")
    outlined.wait_for_job("idle", message="every mask is up to date")
    outlined.wait(lambda: outlined.last_state()["suggestion"] is not None)
    state = outlined.last_state()
    json.dumps(state, allow_nan=False)
    assert set(state["suggestion"]) == set(CATALOGUE.types["Suggestion"])
    assert state["annotated"] == [DRAWN_ON_0]
    assert state["stale"] == []
    assert len(state["quality"]) == N_FRAMES
    assert state["curve"][-1]["seconds"] == 2.5


# Pictures and masks ----------------------------------------------------------------------


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


# Prompts and commits ---------------------------------------------------------------------


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

    monkeypatch.setattr("evavos_widget.journal.Journal.append", refuse)
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
    outlined.wait(lambda: bool(outlined.pushes) and len(outlined.last_state()["alternatives"]) == 2)
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
        return [s["frame"] for s in (state["suggestion"], *state["alternatives"])]

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


def test_a_read_only_view_may_take_the_masks_away(outlined, controller, session, tmp_path):
    controller.read_only = True
    path = outlined.ask("export.run", format="numpy", path=str(tmp_path / "out.npz"))["path"]
    assert path == str(tmp_path / "out.npz")
    assert not [line for line in outlined.of_kind("log") if line["level"] == "error"]


def test_a_long_pause_is_not_paid_as_work(outlined, session):
    outlined.reply(outlined.commit(1, square(), seconds=299.0))
    outlined.reply(outlined.commit(2, square(), seconds=3600.0))
    assert [r.seconds for r in session.rounds] == [2.5, 299.0, LONGEST_ANNOTATION]


# Errors ----------------------------------------------------------------------------------


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
        controller.write_log("error", f"trouble {number}")
    late = connect("late")
    late.hello()
    late.wait(lambda: len(late.of_kind("log")) == MAX_LOG)
    told = [line["message"] for line in late.of_kind("log")]
    assert told == [f"trouble {number}" for number in range(20, MAX_LOG + 20)]


@pytest.mark.parametrize(
    "message", [None, 7, [], {}, {"kind": "hello"}, {"kind": ["x"], "id": "a"}]
)
def test_what_is_no_message_does_no_harm(page, controller, message):
    controller.handle(message, [])
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
    controller.handle({"v": 99, "id": "page:x", "kind": "frame.get", "frame": 0}, [])
    assert page.reply("page:x")[0]["error"]["code"] == "version"


def test_read_only_refuses_changes_and_shows_the_rest(outlined, controller, session):
    controller.read_only = True
    revision = session.revision
    assert outlined.error("object.add", name="x")["code"] == "read_only"
    assert outlined.reply(outlined.commit(1, square()))[0]["error"]["code"] == "read_only"
    assert session.revision == revision
    outlined.ask("mask.get", frames=[0])


# Order -----------------------------------------------------------------------------------


def test_what_the_person_waits_for_comes_first(outlined, predictor):
    predictor.gate = gate()
    first = outlined.post("prompt.preview", frame=0, object=1, clicks=[[9, 9, 1]])
    predictor.entered.wait(20)
    fetch = outlined.post("frame.get", frame=1)
    masks = outlined.post("mask.get", frames=[1])
    commit = outlined.commit(2, square())
    predictor.gate.release()
    outlined.reply(masks)
    assert outlined.order[-4:] == [first, commit, fetch, masks]


def test_an_export_delays_nobody(outlined, session, monkeypatch):
    entered, release = threading.Event(), threading.Event()
    export_now = session.export

    def slowly(*args, **kwargs):
        entered.set()
        assert release.wait(20)
        return export_now(*args, **kwargs)

    monkeypatch.setattr(session, "export", slowly)
    export = outlined.post("export.run", format="numpy", path=None)
    assert entered.wait(20)
    outlined.ask("prompt.preview", frame=0, object=1, clicks=[[9, 9, 1]])
    outlined.reply(outlined.commit(2, square()))
    assert export not in outlined.replies
    release.set()
    assert outlined.reply(export)[0]["ok"]


def test_a_newer_preview_supersedes_the_waiting_one_of_its_view_only(outlined, connect, predictor):
    other = connect("other")
    predictor.gate = gate()
    ask = {"frame": 0, "object": 1, "box": None}
    running = outlined.post("prompt.preview", clicks=[[1, 1, 1]], **ask)
    predictor.entered.wait(20)
    old = outlined.post("prompt.preview", clicks=[[2, 2, 1]], **ask)
    theirs = other.post("prompt.preview", clicks=[[3, 3, 1]], **ask)
    new = outlined.post("prompt.preview", clicks=[[4, 4, 1]], **ask)
    assert outlined.reply(old)[0]["error"]["code"] == "superseded"
    for _ in range(3):
        predictor.gate.release()
    assert all(
        p.reply(r)[0]["ok"] for p, r in ((outlined, running), (other, theirs), (outlined, new))
    )
    assert [p.clicks[0].x for p in predictor.seen] == [1, 3, 4]


def test_cancel_gives_up_waiting_and_running_reads_but_no_commit(outlined, predictor, session):
    predictor.gate = gate()
    running = outlined.post("prompt.preview", frame=0, object=1, clicks=[[1, 1, 1]])
    predictor.entered.wait(20)
    fetch = outlined.post("frame.get", frame=1)
    commit = outlined.commit(2, square())
    for target in (running, fetch, commit):
        outlined.ask("cancel", target=target)
        assert outlined.reply(target)[0]["error"]["code"] == "cancelled"
    predictor.gate.release()
    outlined.ask("mask.get", frames=[0])
    assert set(session.annotations) == {0}
    assert not [line for line in outlined.of_kind("log") if "given up" in line["message"]]


def test_a_commit_under_way_is_answered_with_the_truth(outlined, session, monkeypatch):
    entered, release = threading.Event(), threading.Event()
    annotate = session.annotate

    def slowly(*args, **kwargs):
        entered.set()
        release.wait(20)
        return annotate(*args, **kwargs)

    monkeypatch.setattr(session, "annotate", slowly)
    commit = outlined.commit(2, square())
    entered.wait(20)
    outlined.ask("cancel", target=commit)
    release.set()
    assert outlined.reply(commit)[0]["saved"] is True


# Propagation -----------------------------------------------------------------------------


def test_a_pass_yields_to_the_person_between_two_frames(outlined, propagator):
    propagator.gate = gate()
    outlined.ask("job.start", job="propagate")
    propagator.let_pass(1)
    preview = outlined.post("prompt.preview", frame=0, object=1, clicks=[[9, 9, 1]])
    propagator.gate.release()
    assert outlined.reply(preview)[0]["ok"]
    propagator.gate.release(N_FRAMES)
    outlined.wait_for_job("idle")


def test_cancel_stops_within_one_frame_and_the_rest_can_be_resumed(outlined, propagator, session):
    propagator.gate = gate()
    assert outlined.ask("job.start", job="propagate")["started"] is True
    propagator.let_pass(4)
    assert outlined.ask("job.cancel")["cancelled"] is True
    again = outlined.post("job.cancel")
    propagator.gate.release()
    job = outlined.wait_for_job("idle")
    assert outlined.reply(again)[0]["cancelled"] is False
    assert job["message"] == "stopped; 6 frames wait for a pass"
    assert session.stale == set(range(6, N_FRAMES))
    assert outlined.ask("job.cancel")["cancelled"] is False
    propagator.gate.release(N_FRAMES)
    assert outlined.ask("job.start", job="propagate")["started"] is True
    outlined.wait_for_job("idle", message="every mask is up to date")
    assert outlined.ask("job.start", job="propagate")["started"] is False


def test_a_commit_during_a_pass_is_kept_and_the_pass_begins_again(outlined, propagator, session):
    propagator.gate = gate()
    outlined.ask("job.start", job="propagate")
    propagator.let_pass(3)
    moved = square(30, 20)
    commit = outlined.commit(11, moved)
    propagator.gate.release()
    assert outlined.reply(commit)[0]["saved"] is True
    propagator.gate.release(2 * N_FRAMES)
    outlined.wait_for_job("idle", message="every mask is up to date")
    assert not session.stale
    np.testing.assert_array_equal(session.masks[9], moved)
    np.testing.assert_array_equal(session.masks[2], square())
    assert len(propagator.started) == 2


def test_undo_during_a_pass_leaves_no_mask_of_what_was_undone(outlined, propagator, session):
    propagator.gate = gate()
    outlined.ask("job.start", job="propagate")
    propagator.let_pass(3)
    undo = outlined.post("history.undo")
    propagator.gate.release(N_FRAMES)
    assert outlined.reply(undo)[0]["label"] == "mask on frame 0"
    outlined.wait_for_job("idle")
    assert not session.masks.array().any()


def test_corrections_during_a_pass_all_arrive_in_their_order(outlined, propagator, session):
    propagator.gate = gate()
    outlined.ask("job.start", job="propagate")
    propagator.let_pass(2)
    commits = [outlined.commit(frame, square(3 * frame, 4)) for frame in (11, 5, 8, 5)]
    propagator.gate.release(10 * N_FRAMES)
    assert all(outlined.reply(commit)[0]["saved"] for commit in commits)
    outlined.wait_for_job("idle", message="every mask is up to date")
    assert [r.frames[0] for r in session.rounds] == [0, 11, 5, 8, 5]
    for frame, source in ((5, 5), (6, 5), (8, 8), (10, 11), (11, 11)):
        np.testing.assert_array_equal(session.masks[frame], square(3 * source, 4))


def test_a_pass_over_a_range_leaves_the_rest_waiting(outlined, propagator, session):
    assert outlined.ask("job.start", job="propagate", frames=[4, 7])["started"] is True
    job = outlined.wait_for_job("idle", message="done; 7 frames wait for a pass")
    assert job["phase"] == "idle"
    assert propagator.started == [[4, 5, 6, 7]]
    assert session.stale == {1, 2, 3, 8, 9, 10, 11}
    assert outlined.ask("job.start", job="propagate", frames=[4, 7])["started"] is False
    assert outlined.error("job.start", job="propagate", frames=[7, 4])["code"] == "invalid"
    assert outlined.error("job.start", job="propagate", frames=[0, 99])["code"] == "invalid"


def test_a_wider_pass_takes_the_running_one_in(outlined, propagator, session):
    propagator.gate = gate()
    outlined.ask("job.start", job="propagate", frames=[4, 7])
    propagator.let_pass(1)
    wider = outlined.post("job.start", job="propagate", frames=None)
    propagator.gate.release(2 * N_FRAMES)
    assert outlined.reply(wider)[0]["started"] is True
    outlined.wait_for_job("idle", message="every mask is up to date")
    assert not session.stale


def test_a_paused_pass_waits_and_goes_on_where_it_was(outlined, propagator, session):
    propagator.gate = gate()
    outlined.ask("job.start", job="propagate")
    propagator.let_pass(3)
    assert outlined.ask("job.pause")["paused"] is True
    propagator.gate.release(N_FRAMES)
    assert outlined.wait_for_job("paused", done=4)["remaining_seconds"] is not None
    outlined.ask("prompt.preview", frame=0, object=1, clicks=[[9, 9, 1]])
    assert session.stale == set(range(5, N_FRAMES))
    assert outlined.ask("job.pause")["paused"] is False
    assert outlined.ask("job.resume")["resumed"] is True
    outlined.wait_for_job("idle", message="every mask is up to date")
    assert len(propagator.started) == 1, "nothing was done twice"
    assert outlined.ask("job.resume")["resumed"] is False


def test_a_correction_while_paused_is_in_the_pass_that_goes_on(outlined, propagator, session):
    propagator.gate = gate()
    outlined.ask("job.start", job="propagate")
    propagator.let_pass(3)
    outlined.ask("job.pause")
    propagator.gate.release(10 * N_FRAMES)
    moved = square(30, 20)
    outlined.reply(outlined.commit(11, moved))
    outlined.ask("job.resume")
    outlined.wait_for_job("idle", message="every mask is up to date")
    np.testing.assert_array_equal(session.masks[9], moved)


def test_a_paused_pass_can_be_stopped(outlined, propagator, session):
    propagator.gate = gate()
    outlined.ask("job.start", job="propagate")
    propagator.let_pass(3)
    outlined.ask("job.pause")
    propagator.gate.release(N_FRAMES)
    assert outlined.ask("job.cancel")["cancelled"] is True
    outlined.wait_for_job("idle", message="stopped; 7 frames wait for a pass")
    outlined.ask("job.start", job="propagate")
    outlined.wait_for_job("idle", message="every mask is up to date")


def test_renaming_an_object_does_not_disturb_a_pass(outlined, propagator, session):
    propagator.gate = gate()
    outlined.ask("job.start", job="propagate")
    propagator.let_pass(3)
    rename = outlined.post("object.update", object=1, name="swan")
    propagator.gate.release(N_FRAMES)
    outlined.reply(rename)
    outlined.wait_for_job("idle", message="every mask is up to date")
    assert len(propagator.started) == 1


# Threads ---------------------------------------------------------------------------------


def test_two_threads_ask_at_once_and_everything_is_answered_once(outlined, connect, session):
    """As a Jupyter kernel does: the main shell and a subshell deliver messages together."""
    pages = {"main": outlined, "subshell": connect("subshell")}
    asked: dict[str, list[str]] = {name: [] for name in pages}

    def work(name: str, first_frame: int) -> None:
        for frame in range(first_frame, N_FRAMES, 2):
            page = pages[name]
            asked[name].append(page.commit(frame, square(frame, 5), propagate=frame % 4 == 0))
            asked[name].append(page.post("frame.get", frame=frame))
            asked[name].append(page.post("mask.get", frames=[frame, 0]))

    threads = [threading.Thread(target=work, args=a) for a in (("main", 0), ("subshell", 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, requests in asked.items():
        assert all(pages[name].reply(r)[0]["ok"] for r in requests)
    assert set(session.annotations) == set(range(N_FRAMES))
    for frame in range(N_FRAMES):
        np.testing.assert_array_equal(session.masks[frame], square(frame, 5))


def test_the_session_is_only_touched_by_the_worker(outlined):
    outlined.ask("frame.get", frame=1)
    outlined.ask("history.undo")
    assert outlined.senders == {"evavos-controller"}


def test_what_python_does_shows_in_every_view(outlined, connect, session):
    other = connect("other")
    other.hello()
    session.annotate(7, square(20, 20), objects=[1])
    for page in (outlined, other):
        page.wait(lambda page=page: 7 in page.masks())
        np.testing.assert_array_equal(page.masks()[7], square(20, 20))
        page.wait(lambda page=page: len(page.last_state()["annotated"]) == 2)


def test_close_answers_what_waits_and_joins_the_worker(outlined, controller, predictor):
    predictor.gate = gate()
    running = outlined.post("prompt.preview", frame=0, object=1, clicks=[[1, 1, 1]])
    predictor.entered.wait(20)
    waiting = outlined.post("frame.get", frame=1)
    closing = threading.Thread(target=controller.close)
    closing.start()
    assert outlined.reply(waiting)[0]["error"]["code"] == "closed"
    predictor.gate.release()
    closing.join(20)
    assert outlined.reply(running)[0]["ok"]
    assert not [t for t in threading.enumerate() if t is controller._worker]
    assert outlined.error("frame.get", frame=1)["code"] == "closed"
    controller.close()


def test_closing_in_mid_pass_keeps_what_was_propagated(outlined, controller, propagator, session):
    propagator.gate = gate()
    outlined.ask("job.start", job="propagate")
    propagator.let_pass(3)
    closing = threading.Thread(target=controller.close)
    closing.start()
    propagator.gate.release(2)
    closing.join(20)
    assert not closing.is_alive()
    np.testing.assert_array_equal(session.masks[3], square())
    assert session.stale


def test_a_page_that_cannot_be_reached_stops_nothing(session, frames):
    from evavos_widget.widgets.controller import Controller

    heard = threading.Event()

    def send(content, buffers):
        if content.get("id") == "x:2":
            heard.set()
        raise RuntimeError("comm is closed")

    controller = Controller(session, send)
    try:
        controller.handle({"v": 1, "id": "x:1", "kind": "hello", "view": "x"}, [])
        controller.handle({"v": 1, "id": "x:2", "kind": "frame.get", "frame": 1}, [])
        assert heard.wait(20)
    finally:
        controller.close()


def test_a_state_that_cannot_be_told_is_named_and_the_worker_goes_on(
    outlined, session, monkeypatch
):
    def fail(*args):
        raise RuntimeError("the curve is bent")

    monkeypatch.setattr("evavos_widget.widgets.controller.snapshot", fail)
    session.add_object("second")
    outlined.wait(lambda: any("bent" in line["message"] for line in outlined.of_kind("log")))
    monkeypatch.undo()
    session.add_object("third")
    outlined.wait(lambda: len(outlined.last_state()["objects"]) == 3)


# Pushes ----------------------------------------------------------------------------------


def test_pushes_are_numbered_per_view_without_a_gap(outlined, connect, session):
    late = connect("late")
    late.hello()
    session.annotate(7, square(), objects=[1])
    for page in (outlined, late):
        page.wait(lambda page=page: 7 in page.masks())
        numbers = [content["push"] for content, _ in page.pushes]
        assert numbers == list(range(1, len(numbers) + 1))


def test_a_view_that_never_acknowledges_gets_one_window_and_holds_up_nobody(
    outlined, connect, session
):
    deaf = connect("deaf", acknowledges=False)
    deaf.hello()
    for frame in range(1, N_FRAMES):
        session.annotate(frame, square(frame, 5), objects=[1])
        outlined.wait(lambda frame=frame: frame in outlined.masks())
        outlined.wait(
            lambda frame=frame: (
                len(outlined.of_kind("state")) > 0
                and len(outlined.last_state()["annotated"]) == frame + 1
            )
        )
    assert len(deaf.pushes) <= CREDIT_WINDOW
    deaf.acknowledges = True
    deaf.handle({"v": 1, "kind": "ack", "view": "deaf", "push": CREDIT_WINDOW}, [])
    deaf.wait(lambda: set(deaf.masks()) >= set(range(1, N_FRAMES)))
    deaf.wait(lambda: len(deaf.last_state()["annotated"]) == N_FRAMES)
    np.testing.assert_array_equal(deaf.masks()[11], square(11, 5))


def test_a_view_that_said_bye_is_told_nothing_more(outlined, connect, session):
    gone = connect("gone")
    gone.hello()
    gone.ask("bye", view="gone")
    told = len(gone.pushes)
    session.annotate(7, square(), objects=[1])
    outlined.wait(lambda: 7 in outlined.masks())
    assert len(gone.pushes) == told


def test_a_reloaded_page_takes_up_where_the_old_one_was(outlined, connect, session):
    outlined.ask("bye", view="page")
    again: Page = connect("again")
    state = again.hello()["state"]
    assert state["annotated"] == [DRAWN_ON_0]
    assert state["revision"] == session.revision


def test_a_session_that_another_one_took_over_says_so(
    outlined, session, frames, propagator, predictor
):
    with Session(frames, path=session.path, propagator=propagator, predictor=predictor):
        content, _ = outlined.reply(outlined.commit(3, square()))
        assert "closed" in content["error"]["message"]


def test_a_closed_session_ends_the_worker_and_answers_what_waits(
    outlined, controller, session, predictor
):
    predictor.gate = gate()
    running = outlined.post("prompt.preview", frame=0, object=1, clicks=[[1, 1, 1]])
    predictor.entered.wait(20)
    waiting = outlined.post("frame.get", frame=1)
    session.close()
    assert outlined.reply(waiting)[0]["error"]["code"] == "closed"
    predictor.gate.release()
    assert outlined.reply(running)[0]["ok"]
    controller._worker.join(20)
    assert not controller._worker.is_alive()
    assert outlined.error("frame.get", frame=1)["code"] == "closed"
    assert outlined.error("export.run", format="numpy")["code"] == "closed"
    outlined.ask("bye", view="page")

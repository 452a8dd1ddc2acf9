"""A host with its views: order, threads, pushes and the end; alone, and with an annotator."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from fake_page import DRAWN_ON_0, HEIGHT, N_FRAMES, WIDTH, Page, square
from PIL import Image
from small_engines import PATIENCE, gate

from evavos_widget.interruption import stop_unless_wanted
from evavos_widget.session import Session
from evavos_widget.video import Video
from evavos_widget.widgets.annotator_controller import AnnotatorController
from evavos_widget.widgets.catalogue import CREDIT_WINDOW, catalogue
from evavos_widget.widgets.host import Host, Pushed
from evavos_widget.widgets.requests import Handler


@pytest.fixture
def alone(frames) -> Iterator[Callable[..., Page]]:
    """A page of a widget that is nothing but a host, and what it serves."""
    hosts: list[Host] = []

    def open_page(own: Mapping[str, Any] | None = None, **served: Any) -> Page:
        page = Page()
        host = Host(catalogue(own), page.receive, video=Video.open(frames))
        host.serve(**{"handlers": {}, **served})
        hosts.append(host.start())
        page.handle, page.host = host.handle, host
        return page

    yield open_page
    for host in hosts:
        host.close()


# Alone -----------------------------------------------------------------------------------


def test_a_widget_that_adds_nothing_shows_frames(alone):
    page = alone()
    assert page.hello() == {"id": "page:1", "ok": True, "state": {}, "capabilities": {}}
    content, buffers = page.reply(page.post("frame.get", frame=7))
    assert (content["frame"], content["mime"]) == (7, "image/jpeg")
    assert Image.open(BytesIO(buffers[0])).size == (WIDTH, HEIGHT)
    assert "frames 0 to 11" in page.error("frame.get", frame=N_FRAMES)["message"]
    assert page.error("mask.get", frames=[0])["code"] == "unknown_kind"
    assert page.senders == {"evavos-host", threading.current_thread().name}


def test_a_widget_without_a_video_says_so():
    page = Page()
    host = Host(catalogue("curves"), page.receive)
    with pytest.raises(ValueError, match="the request 'resume' is not served"):
        host.start()
    host = Host(catalogue(), page.receive).start()
    page.handle = host.handle
    assert "shows no video" in page.error("frame.get", frame=0)["message"]
    host.close()


@pytest.mark.parametrize(
    ("own", "served", "said"),
    [
        ({"requests": {"sing": {}}}, {}, "the request 'sing' is not served"),
        ({}, {"handlers": {"sing": Handler(lambda _: None)}}, "'sing' is not in the catalogue"),
        ({"pushes": {"note": {}}}, {}, "the push 'note' is not served"),
        ({}, {"pushed": {"note": Pushed(lambda _: ({}, []))}}, "'note' is not in the catalogue"),
    ],
)
def test_what_is_served_is_what_the_catalogue_lists(alone, own, served, said):
    with pytest.raises(ValueError, match=said):
        alone(own, **served)


def test_a_push_of_items_carries_those_that_changed_and_everything_after_a_silence(alone):
    page = alone(
        {"pushes": {"note": {}}},
        pushed={"note": Pushed(lambda items: ({"items": items}, []), items=range(3))},
    )
    page.hello()
    page.host.note("note", [2, 0])
    page.wait(lambda: [push["items"] for push in page.of_kind("note")] == [[0, 2]])
    page.ask("bye", view="page")
    page.host.note("note", [1])
    page.handle({"v": 1, "id": None, "kind": "ack", "view": "page", "push": 1}, [])
    page.wait(lambda: len(page.of_kind("note")) == 2)
    assert page.of_kind("note")[-1]["items"] == [0, 1, 2]
    page.wait(lambda: len(page.of_kind("state")) == 1)
    assert not page.of_kind("log")


def test_a_host_is_closed_twice_and_before_it_began(alone):
    page = alone()
    page.ask("ping")
    page.host.close()
    page.host.close()
    assert page.error("frame.get", frame=0)["code"] == "closed"
    assert page.error("ping")["code"] == "closed", "a page that looks alive is to hear of it"
    Host(catalogue(), page.receive).close()


# Order ----------------------------------------------------------------------------------


def test_what_the_person_waits_for_comes_first(outlined, predictor):
    predictor.gate = gate()
    first = outlined.post("prompt.preview", frame=0, object=1, clicks=[[9, 9, 1]])
    assert predictor.entered.wait(PATIENCE)
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
        assert release.wait(PATIENCE)
        return export_now(*args, **kwargs)

    monkeypatch.setattr(session, "export", slowly)
    export = outlined.post("export.run", format="numpy", path=None)
    assert entered.wait(PATIENCE)
    outlined.ask("prompt.preview", frame=0, object=1, clicks=[[9, 9, 1]])
    outlined.reply(outlined.commit(2, square()))
    assert export not in outlined.replies
    release.set()
    assert outlined.reply(export)[0]["ok"]


def test_an_export_has_what_was_committed_before_it(outlined, predictor, tmp_path):
    predictor.gate = gate()
    running = outlined.post("prompt.preview", frame=0, object=1, clicks=[[1, 1, 1]])
    assert predictor.entered.wait(PATIENCE)
    outlined.commit(3, square(20, 20))
    export = outlined.post("export.run", format="numpy", path=str(tmp_path / "masks.npz"))
    predictor.gate.release()
    assert outlined.reply(running)[0]["ok"]
    with np.load(outlined.reply(export)[0]["path"]) as written:
        np.testing.assert_array_equal(written["masks"][3], square(20, 20))


def test_a_newer_preview_supersedes_the_waiting_one_of_its_view_only(outlined, connect, predictor):
    other = connect("other")
    predictor.gate = gate()
    ask = {"frame": 0, "object": 1, "box": None}
    running = outlined.post("prompt.preview", clicks=[[1, 1, 1]], **ask)
    assert predictor.entered.wait(PATIENCE)
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
    assert predictor.entered.wait(PATIENCE)
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
        assert release.wait(PATIENCE)
        return annotate(*args, **kwargs)

    monkeypatch.setattr(session, "annotate", slowly)
    commit = outlined.commit(2, square())
    assert entered.wait(PATIENCE)
    outlined.ask("cancel", target=commit)
    release.set()
    assert outlined.reply(commit)[0]["saved"] is True


# Threads --------------------------------------------------------------------------------


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
    assert outlined.senders == {"evavos-host"}


def test_what_python_does_shows_in_every_view(outlined, connect, session):
    other = connect("other")
    other.hello()
    session.annotate(7, square(20, 20), objects=[1])
    for page in (outlined, other):
        page.wait(lambda page=page: 7 in page.masks())
        np.testing.assert_array_equal(page.masks()[7], square(20, 20))
        page.wait(lambda page=page: len(page.last_state()["annotated"]) == 2)


def test_close_makes_the_changes_that_wait_and_joins_the_worker(
    outlined, controller, session, predictor, tmp_path
):
    predictor.gate = gate()
    running = outlined.post("prompt.preview", frame=0, object=1, clicks=[[1, 1, 1]])
    assert predictor.entered.wait(PATIENCE)
    commit = outlined.commit(3, square(20, 20))
    waiting = [
        outlined.post("frame.get", frame=1),
        outlined.post("export.run", format="numpy", path=str(tmp_path / "masks.npz")),
    ]
    closing = threading.Thread(target=controller.close)
    closing.start()
    for request in waiting:
        assert outlined.reply(request)[0]["error"]["code"] == "closed"
    predictor.gate.release()
    closing.join(PATIENCE)
    assert outlined.reply(running)[0]["ok"]
    assert outlined.reply(commit)[0]["saved"] is True
    assert set(session.annotations) == {0, 3}
    assert not [t for t in threading.enumerate() if t is controller.host._worker]
    assert outlined.error("frame.get", frame=1)["code"] == "closed"
    controller.close()


def test_closing_in_mid_pass_keeps_what_was_propagated(outlined, controller, propagator, session):
    propagator.gate = gate()
    outlined.ask("job.start", job="propagate")
    propagator.let_pass(3)
    waiting = outlined.post("frame.get", frame=1)
    closing = threading.Thread(target=controller.close)
    closing.start()
    assert outlined.reply(waiting)[0]["error"]["code"] == "closed"
    propagator.gate.release(2)
    closing.join(PATIENCE)
    assert not closing.is_alive()
    np.testing.assert_array_equal(session.masks[3], square())
    assert session.stale


def test_a_page_that_cannot_be_reached_stops_nothing(session, frames):

    heard = threading.Event()

    def send(content, buffers):
        if content.get("id") == "x:2":
            heard.set()
        raise RuntimeError("comm is closed")

    controller = AnnotatorController(session, send)
    try:
        controller.host.handle({"v": 1, "id": "x:1", "kind": "hello", "view": "x"}, [])
        controller.host.handle({"v": 1, "id": "x:2", "kind": "frame.get", "frame": 1}, [])
        assert heard.wait(PATIENCE)
    finally:
        controller.close()


def test_a_state_that_cannot_be_told_is_named_and_the_worker_goes_on(
    outlined, session, monkeypatch
):
    def fail(*args):
        raise RuntimeError("the curve is bent")

    monkeypatch.setattr("evavos_widget.widgets.annotator_controller.snapshot", fail)
    session.add_object("second")
    outlined.wait(lambda: any("bent" in line["message"] for line in outlined.of_kind("log")))
    monkeypatch.undo()
    session.add_object("third")
    outlined.wait(lambda: len(outlined.last_state()["objects"]) == 3)


# Pushes ---------------------------------------------------------------------------------


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
        outlined.wait(lambda frame=frame: len(outlined.last_state()["annotated"]) == frame + 1)
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
    assert predictor.entered.wait(PATIENCE)
    waiting = [outlined.post("frame.get", frame=1), outlined.commit(3, square(20, 20))]
    session.close()
    # A page that asks for nothing hears of it too, before another cell shows the session.
    assert [content["error"]["code"] for content in outlined.unasked] == ["closed"]
    for request in waiting:
        assert outlined.reply(request)[0]["error"]["code"] == "closed"
    predictor.gate.release()
    assert outlined.reply(running)[0]["ok"]
    controller.host._worker.join(PATIENCE)
    assert not controller.host._worker.is_alive()
    assert outlined.error("frame.get", frame=1)["code"] == "closed"
    assert outlined.error("export.run", format="numpy")["code"] == "closed"
    assert outlined.error("ping")["code"] == "closed"
    outlined.ask("bye", view="page")


@pytest.mark.parametrize(
    ("closed", "said"),
    [
        ("session", "stopped; 8 frames wait for a pass"),
        ("controller", "stopped; run the cell again to go on"),
    ],
)
def test_a_pass_that_closing_ends_has_ended_for_every_view(
    outlined, controller, session, propagator, closed, said
):
    propagator.gate = gate()
    outlined.ask("job.start", job="propagate")
    propagator.let_pass(3)
    waiting = outlined.post("frame.get", frame=1)
    closing = threading.Thread(target={"session": session, "controller": controller}[closed].close)
    closing.start()
    assert outlined.reply(waiting)[0]["error"]["code"] == "closed"
    propagator.gate.release(N_FRAMES)
    closing.join(PATIENCE)
    outlined.wait_for_job("idle", message=said)


def test_a_preview_that_is_given_up_stops_between_its_clicks(outlined, predictor, monkeypatch):
    stopped, entered = threading.Event(), threading.Event()

    def click_after_click(image, prompts, *, key=None):
        entered.set()
        try:
            while True:  # a row of clicks that never ends
                stop_unless_wanted()
        finally:
            stopped.set()

    monkeypatch.setattr(predictor, "predict", click_after_click)
    running = outlined.post("prompt.preview", frame=0, object=1, clicks=[[1, 1, 1]])
    assert entered.wait(PATIENCE)
    outlined.ask("cancel", target=running)
    assert outlined.reply(running)[0]["error"]["code"] == "cancelled"
    assert stopped.wait(PATIENCE)
    monkeypatch.undo()
    assert outlined.ask("prompt.preview", frame=0, object=1, clicks=[[1, 1, 1]])


def test_a_commit_that_is_refused_has_changed_nothing(outlined, session):
    before = session.revision
    for wrong in ({"propagate": "yes"}, {"clicks": [[10**400, 1, 1]]}, {"seconds": 10**400}):
        content, _ = outlined.reply(outlined.commit(3, square(), **wrong))
        assert content["error"]["code"] == "malformed"
        assert len(content["error"]["message"]) < 200
    content, _ = outlined.reply(outlined.commit(3, square(), obj=256))
    assert "no object 256" in content["error"]["message"]
    assert session.revision == before

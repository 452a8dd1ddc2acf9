"""The point verifier without a browser: what the page is asked, told and answered."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from fake_page import HEIGHT, N_FRAMES, WIDTH, Page, square
from small_engines import PATIENCE, gate

from evavos_widget.masks import decode_runs
from evavos_widget.point_selection.verification import Verification
from evavos_widget.points import REGIONS, Point
from evavos_widget.session import Session
from evavos_widget.widgets import bundle
from evavos_widget.widgets.catalogue import catalogue
from evavos_widget.widgets.verifier import Verifier
from evavos_widget.widgets.verifier_controller import LONGEST_ANSWER, VerifierController

CONTROLS = {(0, 1): [Point(12, 10, "positive"), Point(60, 40, "negative")]}


@pytest.fixture
def verification(session) -> Verification:
    for x in (10, 40):
        obj = session.add_object()
        session.annotate(0, square(x), objects=[obj])
    return Verification(session, [1, 2], controls=CONTROLS)


@pytest.fixture
def slowly(propagator) -> None:
    """The propagator waits at a gate before every frame."""
    propagator.gate = gate()


@pytest.fixture
def controller(verification) -> Iterator[VerifierController]:
    page = Page()
    controller = VerifierController(verification, page.receive)
    controller.page = page  # type: ignore[attr-defined]
    page.handle = controller.host.handle
    yield controller
    controller.close()


@pytest.fixture
def page(controller) -> Page:
    return controller.page


def ready(page: Page) -> dict:
    if (state := page.hello()["state"])["phase"] == "ready":
        return state
    page.wait(lambda: page.last_state()["phase"] == "ready")
    return page.last_state()


def test_points_are_proposed_while_the_page_is_answered(slowly, page, propagator):
    assert propagator.begun.acquire(timeout=PATIENCE)
    hello = page.post("hello", view=page.view)
    asked = page.post("questions.get", object=1)
    propagator.gate.release(1)
    assert page.reply(hello)[0]["state"]["phase"] == "proposing"
    assert page.reply(asked)[0]["error"]["code"] == "invalid"
    propagator.gate.release(N_FRAMES)
    page.wait(lambda: page.last_state()["phase"] == "ready")
    state = page.last_state()
    assert [o["id"] for o in state["objects"]] == [1, 2]
    assert all(set(o["answers"]) == {"."} for o in state["objects"])


def test_a_page_gets_the_questions_and_nothing_of_the_controls(page, verification):
    ready(page)
    reply, buffers = page.reply(page.post("questions.get", object=1))
    asked = verification.questions[1].asked
    assert reply["questions"] == [[c.frame, c.x, c.y, REGIONS.index(c.region)] for c in asked]
    assert reply.keys() == {"id", "ok", "frame", "questions"}
    mask = decode_runs(np.frombuffer(buffers[0], "<u4"), (HEIGHT, WIDTH))
    assert ((mask == 1) == square(10)).all()
    assert page.hello()["state"]["agreement"] is None


def test_an_answer_is_on_disk_when_it_is_acknowledged(page, verification, session, tmp_path):
    ready(page)
    reply = page.ask("point.answer", object=1, place=3, label="negative", seconds=0.8)
    assert reply["revision"] == session.revision
    with Session.open(session.path, session.video, read_only=True) as other:
        ((where, points),) = other.points.items()
        c = verification.questions[1].asked[3]
        assert where == (c.frame, 1)
        assert points == (Point(c.x, c.y, "negative", c.region),)
    page.wait(lambda: page.last_state()["objects"][0]["answers"][3] == "-")
    page.ask("point.answer", object=1, place=4, label="unknown", seconds=9999)
    assert session.seconds == pytest.approx(2 * session.costs.mask + 0.8 + LONGEST_ANSWER)


def test_answers_that_say_nothing_change_nothing(page, session):
    ready(page)
    before = session.revision
    good = {"object": 1, "place": 0, "label": "positive", "seconds": 1.0}
    for wrong in (
        {"label": "yes"},
        {"label": 3},
        {"place": 10**6},
        {"place": -1},
        {"place": True},
        {"object": 9},
        {"seconds": -1},
        {"seconds": float("nan")},
        {"seconds": None},
    ):
        assert page.error("point.answer", **{**good, **wrong})["code"] in ("invalid", "malformed")
    assert session.revision == before


def test_the_agreement_is_told_when_all_is_answered_or_put_off(page, verification, session):
    ready(page)
    known = verification.questions[1].known
    for place in range(len(verification.questions[1].asked)):
        label = known.get(place, "positive")
        page.ask("point.answer", object=1, place=place, label=label, seconds=1.0)
    assert page.last_state()["agreement"] is None
    page.ask("object.skip", object=2, skipped=True)
    page.wait(lambda: page.last_state()["agreement"] is not None)
    state = page.last_state()
    assert state["agreement"] == {"answered": 2, "agreed": 2, "unknown": 0}
    assert state["seconds_per_point"] == 1.0
    assert state["objects"][1]["skipped"]
    session.undo()  # somebody takes the last answer back in Python
    page.wait(lambda: "." in page.last_state()["objects"][0]["answers"])


def test_a_propagator_that_fails_is_said(slowly, page, controller, propagator):
    propagator.fail_at = 5
    hello = page.post("hello", view=page.view)
    propagator.gate.release(N_FRAMES)
    page.reply(hello)
    page.wait(lambda: page.last_state()["phase"] == "failed")
    page.wait(lambda: any("lost the object" in line["message"] for line in page.of_kind("log")))
    with pytest.raises(RuntimeError, match="lost the object"):
        controller.wait(1)


@pytest.fixture
def no_page(tmp_path, monkeypatch):
    """A page's code of our own: these tests need what travels, not the page."""
    (tmp_path / "static").mkdir()
    for name in ("verifier.js", "verifier.css"):
        (tmp_path / "static" / name).write_text("")
    monkeypatch.setattr(bundle, "_STATIC", tmp_path / "static")


def test_a_video_and_a_localisation_are_enough_and_again_go_on(
    no_page, frames, tmp_path, predictor, propagator
):
    options = {"path": tmp_path / "v.evavos", "predictor": predictor, "propagator": propagator}
    where = {"frame": 2, "clicks": [(20, 20, True)]}
    with pytest.raises(ValueError, match="no object is annotated yet"):
        Verifier(frames, **options)
    for _ in range(2):
        verifier = Verifier(frames, "bird", localisation=where, **options)
        assert [o.name for o in verifier.session.objects] == ["bird"]
        assert len(verifier.session.annotations) == 1
        assert verifier.crop == 16
        assert verifier.wait(PATIENCE) is verifier.verification
        assert verifier.verification.ready
        assert not {"questions", "points"} & set(verifier.keys)
        verifier.close()
    with pytest.raises(ValueError, match="no object 'dog'"):
        Verifier(frames, "dog", **options)
    with pytest.raises(TypeError, match="no option 'colour'"):
        Verifier(frames, colour="red")
    session = Session(frames, path=None, predictor=predictor, propagator=propagator)
    with pytest.raises(TypeError, match="'budget' belongs to the session"):
        Verifier(session, budget=3)


def test_a_verifier_for_looking_takes_no_answer(no_page, session):
    session.add_object()
    session.annotate(0, square(), objects=[1])
    verifier = Verifier(session, read_only=True)
    page = Page()
    verifier.send = page.receive  # type: ignore[method-assign]
    verifier._host._send_message = page.receive
    page.handle = verifier._host.handle
    ready(page)
    error = page.error("point.answer", object=1, place=0, label="positive", seconds=1)
    assert error["code"] == "read_only"
    verifier.read_only = False
    page.ask("point.answer", object=1, place=0, label="positive", seconds=1)
    verifier.close()
    assert not session.closed


def test_the_traits_are_those_of_the_catalogue(no_page, session):
    session.add_object()
    session.annotate(0, square(), objects=[1])
    verifier = Verifier(session)
    own = {n for n in verifier.trait_names(sync=True) if not n.startswith("_")}
    assert set(catalogue("verifier").traits) <= own
    verifier.close()


@pytest.mark.parametrize("given", [np.uint8(1), np.array([1]), [np.int64(1)], 1, "bird"])
def test_ids_may_be_numbers_of_numpy(no_page, frames, predictor, propagator, given):
    session = Session(frames, path=None, predictor=predictor, propagator=propagator)
    obj = session.add_object("bird")
    session.annotate(0, square(), objects=[obj])
    with_it = Verifier(session, given)
    assert with_it.verification.objects == (1,)
    with_it.close()
    session.close()


def test_a_localisation_without_a_frame_adds_no_object(no_page, frames, predictor, propagator):
    session = Session(frames, path=None, predictor=predictor, propagator=propagator)
    with pytest.raises(ValueError, match="names no frame"):
        Verifier(session, "bird", localisation={"clicks": [(20, 20, True)]})
    with pytest.raises(TypeError, match=r"localisation is \(0, 20, 20\); give a mapping, as in"):
        Verifier(session, "bird", localisation=(0, 20, 20))
    with pytest.raises(TypeError, match="no option 'localization'; give 'localisation'"):
        Verifier(session, "bird", localization={"frame": 0, "clicks": [(20, 20, True)]})
    with pytest.raises(ValueError, match=r"the localisation has 'click'; choose from .*'clicks'"):
        Verifier(session, "bird", localisation={"frame": 0, "click": [(20, 20, True)]})
    assert session.objects == ()
    session.close()

"""The widget without a browser: traits, the wire to the controller, its life and its end."""

from __future__ import annotations

import gc
import inspect
import json
import logging
import threading
import weakref

import numpy as np
import pytest
import traitlets
from fake_page import N_FRAMES, Page, square
from small_engines import PATIENCE

from evavos_widget.session import Session
from evavos_widget.widgets import bundle as module
from evavos_widget.widgets.annotator import Annotator
from evavos_widget.widgets.catalogue import catalogue
from evavos_widget.widgets.options import AnnotatorOptions, SessionOptions


@pytest.fixture(autouse=True)
def bundle(tmp_path, monkeypatch):
    """A page's code of our own: these tests need the wire, not the page."""
    static = tmp_path / "static"
    static.mkdir()
    (static / "annotator.js").write_text("export default { render() {} };")
    (static / "annotator.css").write_text(".evavos {}")
    monkeypatch.setattr(module, "_STATIC", static)
    return static


@pytest.fixture
def annotator(session):
    annotator = Annotator(session)
    yield annotator
    annotator.close()


@pytest.fixture
def widget_page(annotator, monkeypatch) -> Page:
    page = Page()
    page.handle = annotator._handle_custom_msg
    monkeypatch.setattr(annotator._controller.host, "_send_message", page.receive)
    page.hello()
    return page


def test_the_synced_traits_are_those_of_the_catalogue(annotator):
    from ipywidgets import DOMWidget

    own = set(annotator.traits(sync=True)) - set(DOMWidget().traits(sync=True))
    assert {name for name in own if not name.startswith("_")} == set(catalogue("annotator").traits)


def test_the_video_is_described_without_its_pixels(annotator, session):
    assert annotator.video == {
        "name": session.video.name,
        "n_frames": N_FRAMES,
        "height": 48,
        "width": 64,
        "fps": session.video.fps,
    }


def test_state_stays_small_however_much_is_annotated(annotator, widget_page, session):
    def state() -> dict:
        return {k: v for k, v in annotator.get_state().items() if k not in ("_esm", "_css")}

    widget_page.ask("object.add", name="bird")
    before = state()
    for _ in range(40):
        widget_page.ask("object.add", name="one of a flock")
    for frame in range(N_FRAMES):
        widget_page.reply(widget_page.commit(frame, square(frame), obj=1 + frame))
    widget_page.ask("job.start", job="propagate")
    assert state() == before, "nothing in it grows with objects or annotations"
    assert len(json.dumps(before)) < 2000


def test_messages_reach_the_session(annotator, widget_page, session):
    assert widget_page.ask("object.add", name="bird")["object"] == 1
    widget_page.reply(widget_page.commit(2, square()))
    np.testing.assert_array_equal(session.masks[2], square())
    assert [o.name for o in annotator.objects] == ["bird"]


def test_the_frame_can_be_read_and_set_within_the_video(annotator):
    annotator.frame = 7
    assert annotator.frame == 7
    with pytest.raises(traitlets.TraitError, match="give 0 to 11"):
        annotator.frame = N_FRAMES
    assert annotator.frame == 7


def test_an_annotator_of_a_video_owns_its_session(frames, propagator, predictor, tmp_path):
    path = tmp_path / "own.evavos"
    with pytest.raises(ValueError, match="telepathy"):
        Annotator(frames, predictor="telepathy", propagator=propagator, path=path)
    annotator = Annotator(frames, predictor=predictor, propagator=propagator, path=path, frame=3)
    assert annotator.frame == 3
    annotator.session.add_object("bird")
    annotator.close()
    assert annotator.session.closed
    with Session(frames, propagator=propagator, predictor=predictor, path=path) as again:
        assert [o.name for o in again.objects] == ["bird"]


def test_an_annotator_of_a_session_leaves_it_open(session):
    annotator = Annotator(session)
    annotator.close()
    annotator.close()
    session.add_object("still here")


def test_an_annotator_of_a_session_to_be_looked_at_is_for_looking_only(
    frames, propagator, predictor, tmp_path
):
    options = {"propagator": propagator, "predictor": predictor, "path": tmp_path / "one.evavos"}
    Session(frames, **options).close()
    with Session(frames, read_only=True, **options) as session:
        annotator = Annotator(session)
        assert annotator.read_only
        annotator.close()


def test_several_annotators_of_one_session_agree(session, annotator):
    other = Annotator(session)
    try:
        session.add_object("bird")
        assert [o.name for o in other.objects] == [o.name for o in annotator.objects] == ["bird"]
    finally:
        other.close()


@pytest.mark.parametrize(
    ("options", "name"), [({"fram": 3}, "'fram'"), ({"propagater": "flow"}, "'propagater'")]
)
def test_an_unknown_keyword_is_named(frames, options, name):
    with pytest.raises(TypeError, match=name):
        Annotator(frames, path=None, **options)


def test_every_keyword_that_is_taken_is_one_that_an_editor_knows(annotator):
    session_options = set(inspect.signature(Session).parameters) - {"video", "read_only"}
    assert SessionOptions.__optional_keys__ == session_options
    traits = {name for name in annotator.trait_names(sync=True) if not name.startswith("_")}
    assert AnnotatorOptions.__optional_keys__ - session_options == traits - {"video"}


def test_a_session_brings_its_own_options(session):
    with pytest.raises(TypeError, match="'predictor' belongs to the session"):
        Annotator(session, predictor="classical")


@pytest.mark.parametrize("given", [{"palette": "davis"}, {"opacity": 0.2}, {}])
def test_what_is_not_said_of_the_display_is_as_usual(session, given):
    usual, annotator = Annotator(session), Annotator(session, display=given)
    assert annotator.display == {**usual.display, **given}
    annotator.display = {"onion": True}
    assert annotator.display == {**usual.display, **given, "onion": True}
    usual.close()
    annotator.close()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"opacity": "half"}, "opacity is 'half'; give 0 to 1"),
        ({"opacity": 2}, "opacity is 2; give 0 to 1"),
        ({"contour": "no"}, "contour is 'no'; give True or False"),
        ({"palette": ["x"]}, r"there is no palette \['x'\]"),
        ({"colour": 1}, "display has no 'colour'"),
    ],
)
def test_what_a_display_cannot_be_is_said(session, given, told):
    with pytest.raises(traitlets.TraitError, match=told):
        Annotator(session, display=given)


def test_a_wrong_trait_leaves_no_session_behind(frames, propagator, predictor, tmp_path):
    options = {"propagator": propagator, "predictor": predictor, "path": tmp_path / "s"}
    with pytest.raises(traitlets.TraitError):
        Annotator(frames, frame=99, **options)
    from evavos_widget.session.journal import Journal

    Journal(tmp_path / "s").close()


def test_a_missing_bundle_says_how_to_build_it(session, bundle):
    (bundle / "annotator.js").unlink()
    with pytest.raises(FileNotFoundError, match="npm --prefix js run build"):
        Annotator(session)


def test_read_only_can_be_switched(annotator, widget_page):
    annotator.read_only = True
    assert widget_page.error("object.add", name="bird")["code"] == "read_only"
    annotator.read_only = False
    widget_page.ask("object.add", name="bird")


def test_errors_reach_the_python_log(annotator, widget_page, caplog):
    with caplog.at_level(logging.WARNING, logger="evavos_widget"):
        widget_page.error("frame.get", frame=99)
    assert "there is no frame 99" in caplog.text


def test_closing_ends_the_worker_and_lets_go_of_the_session(session):
    before = set(threading.enumerate())
    annotator = Annotator(session)
    its_own = set(threading.enumerate()) - before
    assert its_own
    watcher = weakref.ref(annotator)
    annotator.close()
    assert not any(thread.is_alive() for thread in its_own)
    del annotator, its_own
    gc.collect()
    assert watcher() is None


def test_a_cell_that_is_run_again_ends_the_worker_of_the_first(
    annotator, widget_page, frames, session, propagator, predictor
):
    worker = annotator._controller.host._worker
    options = {"propagator": propagator, "predictor": predictor, "path": session.path}
    again = Annotator(frames, **options)
    try:
        worker.join(PATIENCE)
        assert not worker.is_alive()
        error = widget_page.error("object.add", name="bird")
        assert error["code"] == "closed"
        assert "run the cell again" in error["message"]
        again.session.add_object("bird")
    finally:
        again.close()


# Python's end ----------------------------------------------------------------------------


def test_every_value_is_refused_by_name_or_set(annotator, session):
    session.add_object("bird")
    session.add_object("branch")
    annotator.active_object = 2
    annotator.tool = "eraser"
    annotator.target = 0.85
    annotator.display = {"opacity": 0.3}
    assert annotator.display["contour"] is True, "what is not given stays"
    for name, value, words in (
        ("active_object", 7, "no object 7"),
        ("display", {"opactiy": 1}, "'opactiy'"),
        ("display", {"opacity": 7}, "give 0 to 1"),
        ("display", {"palette": "rainbow"}, "no palette 'rainbow'"),
    ):
        with pytest.raises(traitlets.TraitError, match=words):
            setattr(annotator, name, value)
    with pytest.raises(traitlets.TraitError):
        annotator.target = 1.5
    session.remove_object(2)
    assert annotator.active_object == 1


def test_python_hears_what_happens_until_it_has_enough(annotator, widget_page, session):
    heard: list = []
    told = threading.Event()
    annotator.on_commit(lambda made: heard.append(("commit", made.frames, made.kind)))
    stop = annotator.on_frame(lambda frame: heard.append(("frame", frame)))
    annotator.on_propagated(lambda finished: heard.append(("propagated", finished)))
    annotator.on_suggestion(lambda s: s is not None and s.predicted is not None and told.set())
    widget_page.ask("object.add", name="bird")
    widget_page.reply(widget_page.commit(2, square(), propagate=True))
    assert told.wait(PATIENCE)
    assert annotator.suggestion == session.suggest()
    annotator.frame = 5
    stop()
    stop()
    annotator.frame = 6
    assert heard == [("commit", (2,), "mask"), ("propagated", True), ("frame", 5)]


def test_a_callback_that_raises_is_shown_and_stops_nothing(annotator, widget_page, session):
    def fail(made):
        raise KeyError("no such column")

    annotator.on_commit(fail)
    widget_page.ask("object.add", name="bird")
    assert widget_page.reply(widget_page.commit(2, square()))[0]["saved"]
    widget_page.wait(
        lambda: any("on_commit callback" in line["message"] for line in widget_page.of_kind("log"))
    )
    assert set(session.annotations) == {2}


def test_it_composes_with_other_widgets(annotator):
    import ipywidgets

    slider = ipywidgets.IntSlider(max=N_FRAMES - 1)
    traitlets.link((slider, "value"), (annotator, "frame"))
    slider.value = 7
    assert annotator.frame == 7
    annotator.frame = 3
    assert slider.value == 3
    assert annotator in ipywidgets.VBox([slider, annotator]).children


def test_a_snapshot_shows_masks_numbers_and_names_without_a_browser(annotator, session):
    bird = session.add_object("bird")
    session.add_object("a branch with a long name")
    session.annotate(4, square(30, 20), objects=[bird])
    annotator.frame = 4
    annotator.display = {"opacity": 1.0}
    picture = annotator.snapshot()
    assert picture.width == 64
    assert picture.height > 48, "the legend is below"
    assert annotator.snapshot(legend=False).size == (64, 48)
    color = tuple(bytes.fromhex(session.objects[0].color[1:]))
    assert picture.getpixel((36, 30)) == color
    assert picture.getpixel((10, 40)) == tuple(session.video.frame(4)[40, 10])
    annotator.display = {"palette": "davis"}
    assert annotator.snapshot().getpixel((36, 30)) == (128, 0, 0)
    session.update_object(bird, visible=False)
    hidden = np.asarray(annotator.snapshot(legend=False))
    np.testing.assert_array_equal(hidden, session.video.frame(4))
    with pytest.raises(IndexError, match="frame 99"):
        annotator.snapshot(99)

"""Only what the session's predictor can make a mask of is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from evavos_widget.loop import AnnotationChoice, AnnotationSelector, MaskPredictor
from evavos_widget.prompts import Click, Prediction
from evavos_widget.robot.annotator import RobotAnnotator
from evavos_widget.session import Session, turn
from evavos_widget.suggestion import Suggestion
from evavos_widget.testing import NearestCopy

N, H, W = 9, 24, 32

TRUTH = np.zeros((N, H, W), np.uint8)
TRUTH[:, 4:12, 4:12] = 1
TRUTH[:, 15, 20] = 2  # one pixel


class Takes(MaskPredictor):
    """Fills the box, or paints where it was told."""

    name = "takes"

    def __init__(self, *kinds: str) -> None:
        self.accepts = frozenset(kinds)

    def predict(self, image, prompts, *, key=None):
        mask = np.zeros(image.shape[:2], bool)
        if prompts.box is not None:
            box = prompts.box
            mask[round(box.y0) : round(box.y1) + 1, round(box.x0) : round(box.x1) + 1] = True
        for click in prompts.clicks:
            mask[round(click.y), round(click.x)] = click.positive
        return Prediction(mask, mask.astype(np.float32), 0.5)


def session(*kinds: str, begun: bool = True, **options) -> Session:
    frames = np.random.default_rng(0).integers(0, 255, (N, H, W, 3), np.uint8)
    options = {"propagator": NearestCopy(), "path": None, **options}
    made = Session(frames, predictor=Takes(*kinds), **options)
    if begun:
        RobotAnnotator(dict(enumerate(TRUTH))).begin_all(made)
    return made


@pytest.mark.parametrize("selector", ["rule", "random", "joint", "policy"])
@pytest.mark.parametrize("taken", [("box",), ("mask", "box"), ("mask",), ("scribble",)])
def test_no_selector_asks_for_clicks_where_none_are_taken(selector, taken):
    for propagated in (False, True):
        with session(*taken, annotation_selector=selector) as made:
            if propagated:
                made.propagate()
            asked = made.suggestions(3)
            assert asked
            assert {each.kind for each in asked} == {"mask"}
            for each in asked:
                told = made.annotation_selector.explain(made.state, each)
                assert sum(told.probabilities.values()) == pytest.approx(1)
                assert "clicks" not in told.probabilities


@pytest.mark.parametrize("selector", ["rule", "joint", "policy"])
def test_who_takes_clicks_is_asked_as_before(selector):
    with session("clicks", annotation_selector=selector) as made:
        made.propagate()
        told = made.annotation_selector.explain(made.state, made.suggest())
        assert {"clicks", "mask"} <= told.probabilities.keys()
    if selector == "rule":
        assert made.suggest().kind == "clicks"


def test_that_nothing_is_left_is_said():
    for selector in ("clicks", "points"):
        with (
            session("mask", "box", annotation_selector=selector) as made,
            pytest.raises(ValueError, match=rf"nothing is left.*\['{selector}'\].*'box', 'mask'"),
        ):
            made.suggest()

    class Boxes(AnnotationSelector):
        """Of somebody who does not look at what is taken."""

        name = "boxes"

        def select(self, state, choice):
            return AnnotationChoice("box", state.costs.seconds("box"), 0.1, "always")

        def first_type(self, state):
            return "clicks"

    with session("box", annotation_selector=Boxes()) as made:
        assert made.suggest().kind == "box"
    with (
        session("clicks", annotation_selector=Boxes()) as made,
        pytest.raises(ValueError, match="nothing is left to ask for"),
    ):
        made.suggest()
    with session("box", begun=False, first="agent", annotation_selector=Boxes()) as made:
        made.add_object()
        with pytest.raises(ValueError, match="nothing is left to ask for"):
            made.suggest()


def test_what_an_object_begins_with_is_taken():
    with pytest.raises(ValueError, match="'takes' takes no clicks, only"):
        session("box", first="clicks")
    with session("box", begun=False, first="agent", annotation_selector="joint") as made:
        assert made.first_type == "mask"
    with session("clicks", begun=False, first="agent", annotation_selector="joint") as made:
        assert made.first_type == "clicks"


def test_prompts_that_are_not_taken_are_refused_before_they_are_lost():
    with session("mask", "box") as made:
        assert made.predict(0, 1, box=(1, 1, 5, 5)).mask.sum() == 25
        with pytest.raises(ValueError, match="'takes' takes no clicks"):
            made.predict(0, 1, clicks=[Click(1, 1)])
        with pytest.raises(ValueError, match="'takes' takes no clicks"):
            made.predict(0, 1, box=(1, 1, 5, 5), clicks=[Click(1, 1)])
    with session("clicks") as made, pytest.raises(ValueError, match="takes no box"):
        made.predict(0, 1, box=(1, 1, 5, 5))


def test_the_robot_goes_through_a_loop_without_clicks():
    robot = RobotAnnotator(dict(enumerate(TRUTH)))
    with session("box") as made:
        made.propagate()
        for _ in range(4):
            assert turn(made, robot) is not None
        assert {round_.kind for round_ in made.rounds} == {"mask"}
        # Whoever is asked whether an object is absent, and sees it, draws it.
        robot.answer(made, Suggestion(5, 2, "absent", "", None, 0.0, 3.0))
        assert made.rounds[-1].kind == "mask"
        assert (made.masks[5] == 2).sum() == 1

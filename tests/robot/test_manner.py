"""The robot that looks at what its clicks do."""

from __future__ import annotations

import numpy as np
import pytest

from evavos_widget.loop import MaskPredictor
from evavos_widget.prompts import Prediction
from evavos_widget.robot.annotator import RobotAnnotator
from evavos_widget.session import Session
from evavos_widget.suggestion import FIRST_CLICKS, Suggestion
from evavos_widget.testing import Disks, NearestCopy

TRUTH = np.zeros((24, 32), bool)
TRUTH[4:20, 4:28] = True
ASKED = Suggestion(1, 1, "clicks", "", None, 0.1, 1.0)


class Scripted(MaskPredictor):
    """After n clicks the truth without some rows, whatever the clicks are."""

    name = "scripted"

    def __init__(self, *missing: int) -> None:
        self.missing = missing
        self.asked: list[int] = []

    def predict(self, image, prompts, *, key=None) -> Prediction:
        n = len(prompts.clicks)
        self.asked.append(n)
        mask = TRUTH.copy()
        mask[20 - self.missing[n - 1] :] = False
        return Prediction(mask, mask.astype(np.float32), 0.5)


def answered(predictor: MaskPredictor, **options) -> Session:
    frames = np.zeros((3, 24, 32, 3), np.uint8)
    session = Session(frames, propagator=NearestCopy(), predictor=predictor, path=None)
    session.add_object()
    RobotAnnotator({1: TRUTH.astype(np.uint8)}, **options).answer(session, ASKED)
    return session


def rows(session: Session) -> int:
    return int(session.masks[1].any(axis=1).sum())


def test_the_paper_clicks_three_times_whatever_comes_of_it():
    session = answered(Scripted(4, 2, 8))
    assert rows(session) == 8
    assert len(session.rounds[-1].clicks) == 3


def test_a_person_takes_the_worse_back_and_pays_for_it():
    session = answered(Scripted(4, 2, 8), manner="person")
    assert rows(session) == 14
    assert session.rounds[-1].seconds == 1 + 3 * 1.5
    assert session.annotations[1].trust(1) < 1, "the mask that is kept is no drawn one"


def test_a_person_stops_where_a_click_gains_nothing():
    predictor = Scripted(4, 4, 2)
    session = answered(predictor, manner="person")
    assert predictor.asked == [1, 2]
    assert session.rounds[-1].seconds == 1 + 2 * 1.5


def test_a_person_keeps_the_mask_that_was_there():
    frames = np.zeros((3, 24, 32, 3), np.uint8)
    session = Session(frames, propagator=NearestCopy(), predictor=Scripted(12), path=None)
    session.add_object()
    start = TRUTH.copy()
    start[19:] = False
    session.annotate(0, start, objects=[1])
    session.propagate()
    RobotAnnotator({1: TRUTH.astype(np.uint8)}, manner="person").answer(session, ASKED)
    assert (session.masks[1] == start).all()
    assert session.rounds[-1].seconds == 1 + 1.5
    assert session.annotations[1].trust(1) < 1


@pytest.mark.parametrize("first", ["mask", "clicks"])
def test_an_object_begins_as_it_is_told_to(first):
    frames = np.zeros((3, 24, 32, 3), np.uint8)
    session = Session(frames, propagator=NearestCopy(), predictor=Disks(), first=first, path=None)
    obj = session.add_object()
    robot = RobotAnnotator({0: TRUTH.astype(np.uint8)}, first=first)
    robot.begin(session, 0, obj)
    made = session.rounds[-1]
    assert made.kind == first
    assert made.seconds == (80 if first == "mask" else 1 + 1.5 * FIRST_CLICKS)
    assert len(made.clicks) == (0 if first == "mask" else FIRST_CLICKS)


def test_unknown_manners_are_named():
    with pytest.raises(ValueError, match="manner is 'robot'"):
        RobotAnnotator({}, manner="robot")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="first is 'box'"):
        RobotAnnotator({}, first="box")

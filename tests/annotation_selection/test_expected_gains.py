"""What each type of annotation is expected to gain and cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from evavos_widget.annotation_selection.baselines import (
    ERROR_REMOVED,
    Clicks,
    Mask,
    Points,
    Rule,
)
from evavos_widget.frame_selection.baselines import FarthestInTime
from evavos_widget.loop import FrameChoice, in_doubt
from evavos_widget.points import VERIFICATIONS
from evavos_widget.prompts import Costs
from evavos_widget.robot.annotator import RobotAnnotator
from evavos_widget.session import Session
from evavos_widget.testing import Disks, NearestCopy

N, H, W = 8, 24, 32


def begun(**options: Any) -> Session:
    frames = np.random.default_rng(0).integers(0, 255, (N, H, W, 3), dtype=np.uint8)
    options = {"propagator": NearestCopy(), "predictor": Disks(), "path": None, **options}
    session = Session(frames, **options)
    mask = np.zeros((H, W), bool)
    mask[4:12, 4:12] = True
    session.annotate(0, mask, objects=[session.add_object()])
    session.propagate()
    return session


@pytest.fixture
def session() -> Session:
    return begun()


def test_a_type_gains_its_share_of_the_error_that_is_predicted(session: Session) -> None:
    state = session.state
    choice = FarthestInTime().select(state)
    assert choice is not None
    error = 1 - float(state.quality[choice.frame, 0])
    for selector in (Mask(), Clicks(), Points()):
        chosen = selector.select(state, choice)
        assert chosen.expected_gain == pytest.approx(error * ERROR_REMOVED[chosen.kind])
        told = selector.explain(state, choice)
        assert told.gains == {chosen.kind: chosen.expected_gain}
        assert told.seconds == {chosen.kind: chosen.seconds}


def test_ten_answers_are_paid_for_and_so_charged(session: Session) -> None:
    state = session.state
    choice = FarthestInTime().select(state)
    assert choice is not None
    chosen = Points().select(state, choice)
    assert chosen.seconds == pytest.approx(0.95 * VERIFICATIONS)
    truth = {f: (session.masks[0] > 0).astype(np.uint8) for f in range(N)}
    before = session.seconds
    asked = session.suggest()
    assert asked is not None
    robot = RobotAnnotator(truth, selector="random")  # probabilities of 0 and 1 have no effect
    robot.answer(session, replace(asked, frame=choice.frame, kind="points"))
    given = len(session.points[choice.frame, choice.object])
    assert session.seconds - before == pytest.approx(0.95 * given)


def test_clicks_gain_more_than_points_and_sooner(session: Session) -> None:
    """Most answers agree with the mask, and correct nothing."""
    state = session.state
    choice = FarthestInTime().select(state)
    assert choice is not None
    clicks, points = (kind().select(state, choice) for kind in (Clicks, Points))
    assert (
        0 < points.expected_gain < clicks.expected_gain < Mask().select(state, choice).expected_gain
    )
    assert clicks.seconds < points.seconds


def tried(session: Session, frame: int, times: int) -> None:
    mask = session.masks[frame] == 1
    for _ in range(times):
        session.annotate(frame, mask, objects=[1], kind="clicks", trust=0.4)


def test_what_was_tried_on_a_frame_is_expected_to_bring_less_each_time(session: Session) -> None:
    choice = FrameChoice(5, 1, "")
    before = [kind().select(session.state, choice).expected_gain for kind in (Clicks, Points, Mask)]
    tried(session, 5, 2)
    for kind, gain, share in zip((Clicks, Points, Mask), before, (3, 3, 1), strict=True):
        error = 1 - session.quality[5, 0]
        expected = error * ERROR_REMOVED[kind.name] / share
        assert kind().select(session.state, choice).expected_gain == pytest.approx(expected)
        assert gain > 0


@pytest.mark.parametrize(
    ("costs", "kinds"),
    [
        (Costs(), ["clicks", "clicks", "clicks", "mask"]),
        (Costs(mask=40.0), ["clicks", "mask", "mask", "mask"]),
        (Costs(mask=10.0), ["mask", "mask", "mask", "mask"]),
        (Costs(mask=10.0, click=0.1, locate=0.1), ["clicks", "clicks", "clicks", "clicks"]),
    ],
)
def test_the_rule_takes_what_removes_most_per_second(costs: Costs, kinds: list[str]) -> None:
    session = begun(costs=costs)
    found = []
    for _ in kinds:
        chosen = Rule().select(session.state, FrameChoice(5, 1, ""))
        found.append(chosen.kind)
        assert chosen.seconds == costs.seconds(chosen.kind)
        tried(session, 5, 1)
    assert found == kinds


def test_the_rule_says_how_often_it_was_tried(session: Session) -> None:
    tried(session, 5, 3)
    assert (
        Rule().select(session.state, FrameChoice(5, 1, "")).reason == "annotated 3 times: draw it"
    )


@pytest.mark.parametrize("n", [1, 10])
def test_points_that_were_verified_are_no_annotation(session: Session, n: int) -> None:
    choice = FrameChoice(5, 1, "")
    before = Rule().select(session.state, choice)
    for x in range(n):
        session.label_points(5, 1, [(x, 2, "negative")])
    assert Rule().select(session.state, choice) == before
    session.annotate(5, session.masks[5] > 0, objects=[1], kind="clicks", trust=0.5)
    assert in_doubt(session.state, 1) == {5: 0.5}


@pytest.mark.parametrize(("clicks", "drawing", "kind"), [(0, 0, "mask"), (0, 80, "clicks")])
def test_what_costs_nothing_is_compared_by_what_it_removes(clicks, drawing, kind) -> None:
    costs = Costs(click=clicks, locate=clicks, mask=drawing)
    assert Rule().select(begun(costs=costs).state, FrameChoice(5, 1, "")).kind == kind

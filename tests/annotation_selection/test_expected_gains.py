"""What each type of annotation is expected to gain and cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evavos_widget.annotation_selection.baselines import ERROR_REMOVED, Clicks, Mask, Points
from evavos_widget.frame_selection.baselines import FarthestInTime
from evavos_widget.points import VERIFICATIONS
from evavos_widget.robot.annotator import RobotAnnotator
from evavos_widget.session import Session
from evavos_widget.testing import Disks, NearestCopy

N, H, W = 8, 24, 32


@pytest.fixture
def session() -> Session:
    frames = np.random.default_rng(0).integers(0, 255, (N, H, W, 3), dtype=np.uint8)
    session = Session(frames, propagator=NearestCopy(), predictor=Disks(), path=None)
    mask = np.zeros((H, W), bool)
    mask[4:12, 4:12] = True
    session.annotate(0, mask, objects=[session.add_object()])
    session.propagate()
    return session


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

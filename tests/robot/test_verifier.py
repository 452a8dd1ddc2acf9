"""The robot that verifies points: right, wrong as often as it is told, unsure at the border."""

from __future__ import annotations

import numpy as np
import pytest

from evavos_widget.points import Candidate
from evavos_widget.robot.verifier import Verifier
from evavos_widget.session import Session
from evavos_widget.testing import Disks, NearestCopy

H, W = 60, 80
TRUTH = np.zeros((H, W), np.uint8)
TRUTH[10:50, 20:60] = 7
TRUTH[10:50, 60:] = 3  # a neighbour is not the object


def every(frame: int = 0) -> list[Candidate]:
    return [Candidate(frame, x, y, "uncertain") for y in range(H) for x in range(W)]


def test_it_cannot_tell_near_the_border_and_is_right_elsewhere():
    robot = Verifier({0: TRUTH}, border=2)
    labels = np.array([robot.label(c, 7) for c in every()]).reshape(H, W)
    for y, x in ((9, 40), (8, 40), (10, 40), (11, 40), (30, 60), (30, 58)):
        assert labels[y, x] == "unknown"
    for y, x in ((7, 40), (12, 40), (30, 62)):
        assert labels[y, x] != "unknown"
    # What touches the edge of the picture is not thereby at a border.
    assert [Verifier({0: TRUTH}).label(Candidate(0, 79, 30, "foreground"), o) for o in (3, 7)] == [
        "positive",
        "negative",
    ]
    told = labels != "unknown"
    assert ((labels == "positive") == (TRUTH == 7))[told].all()
    assert (
        np.array([Verifier({0: TRUTH}, border=0).label(c, 7) for c in every()]) != "unknown"
    ).all()


def test_it_errs_as_often_as_it_is_told_whatever_it_was_asked_before():
    robot = Verifier({0: TRUTH}, error_rate=0.1, border=0, seed=1)
    labels = [robot.label(c, 7) for c in every()]
    wrong = np.mean(np.array(labels) != np.where(TRUTH.ravel() == 7, "positive", "negative"))
    assert wrong == pytest.approx(0.1, abs=0.015)
    again = Verifier({0: TRUTH}, error_rate=0.1, border=0, seed=1)
    assert [again.label(c, 7) for c in reversed(every())] == labels[::-1]
    other = Verifier({0: TRUTH}, error_rate=0.1, border=0, seed=2)
    assert [other.label(c, 7) for c in every()] != labels
    for options in ({"error_rate": 1.5}, {"border": -1}):
        with pytest.raises(ValueError, match="give"):
            Verifier({0: TRUTH}, **options)


def test_its_answers_are_points_of_a_session_at_095_seconds_each():
    frames = np.zeros((3, H, W, 3), np.uint8)
    session = Session(frames, path=None, propagator=NearestCopy(), predictor=Disks())
    obj = session.add_object()
    candidates = [Candidate(0, 1, 1, "background"), Candidate(2, 30, 30, "foreground")]
    unseen = Candidate(1, 5, 5, "background")
    n = Verifier({0: TRUTH, 2: np.where(TRUTH == 7, obj, 0)}).answer(
        session, obj, [*candidates, unseen]
    )
    assert n == 2
    assert session.seconds == pytest.approx(2 * 0.95)
    ((first,), (second,)) = (session.points[f, obj] for f in (0, 2))
    assert (first.label, first.region) == ("negative", "background")
    assert (second.label, second.region) == ("positive", "foreground")

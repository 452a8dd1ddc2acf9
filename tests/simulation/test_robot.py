from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from stand_ins import Disks, NearestCopy

from evavos_widget.loop import Suggestion
from evavos_widget.session import Session
from evavos_widget.simulation.robot import RobotAnnotator, corrective_click

masks = arrays(bool, (9, 11))


@given(masks, masks, st.sampled_from(["distance", "centroid"]))
def test_click_lies_in_the_largest_error_region(predicted, truth, placement):
    click = corrective_click(predicted, truth, placement)
    error = predicted ^ truth
    if click is None:
        assert not error.any()
        return
    x, y = int(click.x), int(click.y)
    side = truth & ~predicted if click.positive else predicted & ~truth
    assert side[y, x]
    sizes = []
    for part in (predicted & ~truth, truth & ~predicted):
        regions, n = ndimage.label(part, np.ones((3, 3)))
        sizes += np.bincount(regions.ravel())[1 : n + 1].tolist()
    regions, _ = ndimage.label(side, np.ones((3, 3)))
    assert np.count_nonzero(regions == regions[y, x]) == max(sizes)


def test_distance_click_is_deepest_and_the_edge_of_the_picture_is_a_border():
    truth = np.zeros((20, 20), bool)
    truth[5:14, 0:9] = True
    click = corrective_click(np.zeros_like(truth), truth)
    assert (click.x, click.y, click.positive) == (4.0, 9.0, True)


def test_centroid_outside_its_region_moves_to_the_region():
    ring = np.zeros((21, 21), bool)
    ring[2:19, 2:19] = True
    ring[4:17, 4:17] = False
    click = corrective_click(ring, np.zeros_like(ring), "centroid")
    assert ring[int(click.y), int(click.x)]
    assert not click.positive


def test_tie_goes_to_the_wrong_region():
    predicted, truth = np.zeros((5, 9), bool), np.zeros((5, 9), bool)
    predicted[1:4, 1:4] = True
    truth[1:4, 5:8] = True
    assert not corrective_click(predicted, truth).positive


def test_unknown_placement_is_named():
    with pytest.raises(ValueError, match="middle"):
        corrective_click(np.ones((3, 3), bool), np.zeros((3, 3), bool), "middle")


class TestAnswers:
    @pytest.fixture
    def session(self) -> Session:
        frames = np.zeros((3, 24, 32, 3), np.uint8)
        session = Session(frames, propagator=NearestCopy(), predictor=Disks(), path=None)
        session.add_object()
        return session

    @staticmethod
    def asked(kind: str) -> Suggestion:
        return Suggestion(1, 1, kind, "", None, 0.1, 1.0)

    def test_three_clicks_each_feeding_the_next(self, session):
        truth = np.zeros((24, 32), np.uint8)
        for x in (4, 14, 24):
            truth[8:15, x : x + 7] = 1
        RobotAnnotator({1: truth}).answer(session, self.asked("clicks"))
        made = session.rounds[-1].clicks
        assert {(x, y, p) for x, y, p in made} == {(7, 11, 1), (17, 11, 1), (27, 11, 1)}
        assert session.rounds[-1].seconds == 5.5

    def test_mask_is_the_truth(self, session):
        truth = np.zeros((24, 32), np.uint8)
        truth[3:9, 4:20] = 1
        RobotAnnotator({1: truth}).answer(session, self.asked("mask"))
        assert (session.masks[1] == truth).all()

    def test_absent_object_is_said_to_be_absent(self, session):
        RobotAnnotator({1: np.zeros((24, 32), np.uint8)}).answer(session, self.asked("clicks"))
        assert session.rounds[-1].kind == "absent"
        assert session.annotations[1].objects == {1}

    def test_unknown_type_is_named(self, session):
        truth = np.ones((24, 32), np.uint8)
        with pytest.raises(ValueError, match="song"):
            RobotAnnotator({1: truth}).answer(session, self.asked("song"))

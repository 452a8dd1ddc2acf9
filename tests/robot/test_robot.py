from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from evavos_widget.metrics import jaccard
from evavos_widget.point_selection.largest_effect import LargestEffect
from evavos_widget.points import VERIFICATIONS, Candidate
from evavos_widget.prompts import Box, Click, Prompts
from evavos_widget.robot.annotator import RobotAnnotator
from evavos_widget.robot.clicks import corrective_click
from evavos_widget.robot.hand import Hand, middle_line
from evavos_widget.session import Session
from evavos_widget.suggestion import Suggestion
from evavos_widget.testing import Disks, NearestCopy
from evavos_widget.testing.scenes import Scene

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
        assert {(c.x, c.y, c.positive) for c in made} == {(7, 11, 1), (17, 11, 1), (27, 11, 1)}
        assert session.rounds[-1].seconds == 5.5

    def test_mask_is_the_truth(self, session):
        truth = np.zeros((24, 32), np.uint8)
        truth[3:9, 4:20] = 1
        RobotAnnotator({1: truth}).answer(session, self.asked("mask"))
        assert (session.masks[1] == truth).all()

    @pytest.mark.parametrize("kind", ["box", "scribble"])
    def test_boxes_and_scribbles_are_asked_of_the_predictor(self, kind):
        frames = np.zeros((3, 120, 160, 3), np.uint8)
        frames[:, 30:90, 40:120] = 200
        truth = (frames[0, :, :, 0] > 0).astype(np.uint8)
        session = Session(frames, propagator=NearestCopy(), predictor="classical", path=None)
        session.add_object()
        RobotAnnotator({1: truth}).answer(session, self.asked(kind))
        assert session.rounds[-1].kind == kind
        assert session.rounds[-1].seconds == {"box": 7, "scribble": 30}[kind]
        assert jaccard(session.masks[1] == 1, truth == 1) > 0.7

    def test_points_are_verified_and_lead_to_a_mask(self):
        scene = Scene(6, 96, 160, (1, 2))
        truth = {f: (labels == 1).astype(np.uint8) for f, labels in enumerate(scene.labels)}
        session = Session(scene.video, propagator="flow", predictor="classical", path=None)
        session.add_object()
        robot = RobotAnnotator(truth, selector=LargestEffect(VERIFICATIONS, distance=4))
        # Where nothing was propagated there is nothing to propose, so it clicks.
        robot.answer(session, Suggestion(0, 1, "points", "", None, 0.1, 1.0))
        assert session.rounds[-1].kind == "clicks"
        assert not session.points
        session.annotate(0, truth[0], objects=[1])
        session.propagate()
        before, paid = jaccard(session.masks[5] == 1, truth[5] == 1), session.seconds
        robot.answer(session, Suggestion(5, 1, "points", "", None, 0.1, 1.0))
        said = session.points[5, 1]
        assert 0 < len(said) <= VERIFICATIONS
        assert session.seconds - paid == pytest.approx(0.95 * len(said))
        assert 1 in session.annotations[5].objects
        assert all(p.region for p in said)
        for p in said:
            assert p.label == "unknown" or (p.label == "positive") == truth[5][p.y, p.x]
        assert jaccard(session.masks[5] == 1, truth[5] == 1) > before - 0.05
        # Only what contradicted the mask became a click; what agreed changed nothing.
        wrong = session.rounds[-1]
        assert len(wrong.clicks) < len(said)
        assert wrong.kind == ("clicks" if wrong.clicks else "verified")

    def test_points_that_agree_with_the_mask_accept_it(self):
        scene = Scene(4, 96, 160, (1, 2))
        truth = {f: (labels == 1).astype(np.uint8) for f, labels in enumerate(scene.labels)}
        session = Session(scene.video, propagator="flow", predictor="classical", path=None)
        session.add_object()
        session.annotate(0, truth[0], objects=[1])
        session.propagate()
        shown = session.masks[3] == 1
        robot = RobotAnnotator({3: shown.astype(np.uint8)})
        robot.answer(session, Suggestion(3, 1, "points", "", None, 0.1, 1.0))
        assert session.points[3, 1]
        assert session.rounds[-1].kind == "verified"
        assert session.rounds[-1].seconds == 0
        assert ((session.masks[3] == 1) == shown).all()

    def test_what_was_only_said_to_be_absent_is_yet_to_begin(self):
        frames = np.zeros((4, 24, 32, 3), np.uint8)
        session = Session(frames, propagator=NearestCopy(), predictor=Disks(), path=None)
        session.mark_absent(0, [session.add_object()])
        RobotAnnotator({f: SQUARE[3] * (f > 0) for f in range(4)}).begin_all(session)
        assert session.marks == {(0, 1): "absent", (1, 1): "drawn"}

    def test_absent_object_is_said_to_be_absent(self, session):
        RobotAnnotator({1: np.zeros((24, 32), np.uint8)}).answer(session, self.asked("clicks"))
        assert session.rounds[-1].kind == "absent"
        assert session.annotations[1].objects == {1}

    def test_asked_whether_it_is_absent_where_it_is_not_it_clicks(self, session):
        truth = np.zeros((24, 32), np.uint8)
        truth[8:14, 10:20] = 1
        RobotAnnotator({1: truth}).answer(session, self.asked("absent"))
        made = session.rounds[-1]
        assert made.kind == "clicks"
        assert made.seconds == session.costs.seconds("clicks", len(made.clicks))

    def test_unknown_type_is_named(self, session):
        truth = np.ones((24, 32), np.uint8)
        with pytest.raises(ValueError, match="song"):
            RobotAnnotator({1: truth}).answer(session, self.asked("song"))


def blob(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return ndimage.gaussian_filter(rng.standard_normal((60, 80)), 8) > 0.01


class TestHand:
    @given(st.floats(0.7, 0.99), st.integers(0, 20))
    def test_a_drawn_mask_agrees_as_much_as_it_is_told(self, agreement, seed):
        truth = blob(seed)
        drawn = Hand(agreement, seed=seed).draw(truth, 3, 1)
        assert jaccard(drawn, truth) == pytest.approx(agreement, abs=0.01)
        # Deviations are at the outline, not anywhere.
        away = np.maximum(*(ndimage.distance_transform_edt(m) for m in (truth, ~truth)))
        assert away[drawn ^ truth].mean() < away.mean()

    def test_deviations_depend_on_seed_and_place_only(self):
        truth = blob(0)
        first = Hand(0.9).draw(truth, 3, 1)
        assert (first == Hand(0.9).draw(truth, 3, 1)).all()
        assert (first != Hand(0.9).draw(truth, 4, 1)).any()
        assert (first != Hand(0.9, seed=1).draw(truth, 3, 1)).any()

    @given(st.floats(0, 30), st.integers(0, 9))
    def test_clicks_and_boxes_stay_in_the_picture(self, jitter, seed):
        hand, truth = Hand(jitter=jitter, seed=seed), blob(seed)
        click = hand.click(Click(0, 59), truth.shape, 1)
        Prompts(clicks=(click,), box=hand.box(truth, 1)).validate(*truth.shape)
        if not jitter:
            assert (click.x, click.y) == (0, 59)

    def test_an_exact_box_is_tight(self):
        truth = np.zeros((20, 30), bool)
        truth[4:9, 7:20] = True
        assert Hand().box(truth) == Box(7, 4, 19, 8)

    @pytest.mark.parametrize(("wrong", "said"), [({"agreement": 0}, "agreement is 0"),
                                                 ({"jitter": -1}, "jitter is -1")])  # fmt: skip
    def test_impossible_hands_are_named(self, wrong, said):
        with pytest.raises(ValueError, match=said):
            Hand(**wrong)

    @given(arrays(bool, (9, 14)).filter(np.any))
    def test_a_stroke_lies_in_its_region(self, region):
        for x, y in middle_line(region):
            assert region[int(y), int(x)]

    def test_a_stroke_follows_a_bend_through_the_middle(self):
        arc = np.zeros((40, 60), bool)
        for x in range(50):
            y = 20 + round(12 * np.sin(x / 10))
            arc[y - 3 : y + 4, 5 + x] = True
        line = middle_line(arc)
        assert np.ptp(line[:, 0]) >= 40
        middle = 20 + 12 * np.sin((line[:, 0] - 5) / 10)
        assert np.abs(line[3:-3, 1] - middle[3:-3]).max() <= 2.5


SQUARE = {f: np.pad(np.ones((6, 6), np.uint8), ((4, 14), (4, 22))) for f in range(4)}


class TestNothingToCorrect:
    @pytest.fixture
    def session(self) -> Session:
        frames = np.random.default_rng(0).integers(0, 255, (4, 24, 32, 3), dtype=np.uint8)
        session = Session(frames, propagator=NearestCopy(), predictor=Disks(), path=None)
        RobotAnnotator(SQUARE).begin_all(session)
        session.propagate()
        return session

    @pytest.mark.parametrize("manner", ["paper", "person"])
    def test_a_mask_without_error_is_accepted_and_not_asked_for_again(self, session, manner):
        robot = RobotAnnotator(SQUARE, manner=manner)
        robot.answer(session, Suggestion(2, 1, "clicks", "", None, 0.1, 5.5))
        made = session.rounds[-1]
        assert (made.kind, made.seconds) == ("verified", session.costs.verified)
        assert session.annotations[2].trust(1) == 1

    @pytest.mark.parametrize("kind", ["mask", "clicks", "points", "scribble"])
    def test_a_frame_without_truth_is_named(self, session, kind):
        robot = RobotAnnotator({0: SQUARE[0], 3: SQUARE[3]})
        before = session.rounds
        with pytest.raises(ValueError, match="annotate frame 2, and its ground truth has 2 other"):
            robot.answer(session, Suggestion(2, 1, kind, "", None, 0.1, 5.5))
        assert session.rounds == before

    def test_what_was_begun_stays_when_it_begins_again(self, session):
        before = session.rounds
        RobotAnnotator(SQUARE).begin_all(session)
        assert session.rounds == before

    def test_points_beside_a_mask_that_is_not_there_end_in_clicks(self, session, monkeypatch):
        robot = RobotAnnotator(SQUARE)
        session.mark_absent(3, [1])
        beside = [Candidate(3, 20, 20, "uncertain")]
        monkeypatch.setattr(robot, "_proposed", lambda *_: beside)
        robot.answer(session, Suggestion(3, 1, "points", "", None, 0.1, 9.5))
        assert [r.kind for r in session.rounds[-2:]] == ["points", "clicks"]
        assert (session.masks[3] == 1).any()


def test_nobody_misses_twice_in_one_way():
    scene = Scene(3, 48, 80, (1, 2))
    truth = dict(enumerate(scene.labels))
    robot = RobotAnnotator(truth, hand=Hand(0.8, 5.0, 1))
    with Session(scene.video, propagator=NearestCopy(), predictor=Disks(), path=None) as session:
        obj = session.add_object()
        clicks, drawn = [], []
        for _ in range(3):
            clicks.append(robot.click(session, 1, obj)[1][0])
            assert clicks[-1] == robot.click(session, 1, obj)[1][0]  # until it is annotated
            drawn.append(robot.draw(session, 1, obj))
            empty = np.zeros((48, 80), bool)
            session.annotate(1, empty, objects=[obj])
        assert len({(c.x, c.y) for c in clicks}) > 1
        assert not np.array_equal(drawn[0], drawn[1])

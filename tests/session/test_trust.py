"""What an annotation is trusted with, and what follows for quality and for what is asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evavos_widget.loop import AnnotationChoice, AnnotationSelector, in_doubt
from evavos_widget.probabilities import predicted_trust
from evavos_widget.prompts import Prediction
from evavos_widget.session import Session
from evavos_widget.suggestion import FIRST_CLICKS
from evavos_widget.testing import Disks, NearestCopy

N, H, W = 21, 24, 32
DISK = [(10, 10, True)]


class Scored(Disks):
    """Disks, of which the predictor thinks much or little."""

    def __init__(self, score: float = 0.5) -> None:
        self.score = score

    def predict(self, image, prompts, *, key=None) -> Prediction:
        return replace(super().predict(image, prompts, key=key), score=self.score)


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return np.zeros((N, H, W, 3), np.uint8)


def make(frames: np.ndarray, score: float = 0.5, path: Path | None = None, **options) -> Session:
    options = {"propagator": NearestCopy(), "predictor": Scored(score), **options}
    return Session(frames, path=path, **options)


def square(x: int, size: int = 6) -> np.ndarray:
    mask = np.zeros((H, W), bool)
    mask[8 : 8 + size, x : x + size] = True
    return mask


def click(session: Session, frame: int, obj: int, clicks=DISK) -> None:
    mask = session.predict(frame, obj, clicks=clicks).mask
    session.annotate(frame, mask, objects=[obj], kind="clicks", clicks=clicks)


class TestTrust:
    def test_it_grows_with_the_score_and_with_what_stands_and_was_there(self):
        assert predicted_trust(0.7, 0.9, 0.95) > predicted_trust(0.7, 0.9, 0.4)
        assert predicted_trust(0.9, 0.9) > predicted_trust(0.5, 0.9) > 0
        assert predicted_trust(0.7, 0.95) >= predicted_trust(0.7, 0.1)
        assert all(0 < predicted_trust(s, c) < 1 for s in (0.0, 1.0) for c in (0.0, 1.0))

    @pytest.mark.parametrize("other", [False, True])
    def test_a_mask_has_the_trust_of_its_own_clicks_whatever_was_clicked_after(self, frames, other):
        session = make(frames)
        obj, beside = session.add_object(), session.add_object()
        more = [*DISK, (20, 10, True)]
        first = session.predict(0, obj, clicks=DISK).mask
        session.annotate(0, first, objects=[obj], kind="clicks", clicks=DISK)
        expected = session.annotations[0].trust(obj)
        assert expected < 1
        session.undo()
        session.predict(0, obj, clicks=DISK)
        session.predict(0, obj, clicks=more)
        if other:  # somebody looks at another object in between
            session.predict(0, beside, clicks=[(25, 20, True)])
        session.annotate(0, first, objects=[obj], kind="clicks", clicks=DISK)
        assert session.annotations[0].trust(obj) == expected

    def test_clicks_that_change_nothing_leave_it_as_it_was(self, frames):
        session = make(frames, score=0.9)
        obj = session.add_object()
        session.annotate(0, square(3), objects=[obj])
        session.propagate()
        inside = [(5, 10, True)]
        shown, predicted = session.masks[9] == obj, session.quality[9, 0]
        for _ in range(3):
            session.predict(9, obj, clicks=inside)
            session.annotate(9, shown, objects=[obj], kind="clicks", clicks=inside)
            assert session.annotations[9].trust(obj) == pytest.approx(predicted)

    def test_a_click_that_was_taken_back_leaves_no_trace_in_it(self, frames):
        clicks = [(10, 10, True), (14, 10, True), (20, 12, True)]
        trusts = []
        for previewed in ((1, 2), (1, 2, 3, 2), (1, 2, 3, 1, 2)):
            with make(frames) as session:
                obj = session.add_object()
                session.annotate(0, square(3), objects=[obj])
                session.propagate()
                for n in previewed:
                    mask = session.predict(5, obj, clicks=clicks[:n]).mask
                session.annotate(5, mask, objects=[obj], kind="clicks", clicks=clicks[:2])
                trusts.append(session.annotations[5].trust(obj))
        assert trusts[0] == trusts[1] == trusts[2]

    def test_it_comes_from_the_score_and_the_change_since_the_click_before(self, frames):
        session = make(frames, 0.7)
        obj = session.add_object()
        one, two = DISK, [*DISK, (11, 10, True)]
        first = session.predict(0, obj, clicks=one).mask
        second = session.predict(0, obj, clicks=two).mask
        session.annotate(0, second, objects=[obj], kind="clicks", clicks=two)
        stands = (first & second).sum() / (first | second).sum()
        weights = session.predictor.trust_weights
        assert session.annotations[0].trust(obj) == predicted_trust(0.7, stands, None, weights)

    @pytest.mark.parametrize("locked", [True, False])
    def test_pixels_that_are_left_to_other_objects_make_no_drawn_mask(self, frames, locked):
        session = make(frames, 0.5)
        obj, other = session.add_object(), session.add_object()
        session.annotate(0, square(10), objects=[other])
        session.update_object(other, locked=locked)
        found = session.predict(0, obj, clicks=DISK).mask
        left = found & ~square(10)
        assert 0 < left.sum() < found.sum()
        session.annotate(0, left, objects=[obj], kind="clicks", clicks=DISK)
        assert session.annotations[0].trust(obj) < 0.9
        # What a hand changed beside them is its own.
        drawn = left.copy()
        drawn[20, 2] = True
        session.annotate(0, drawn, objects=[obj], kind="clicks", clicks=DISK)
        assert session.annotations[0].trust(obj) == 1

    def test_what_prompts_left_as_it_was_is_worth_what_it_was(self, frames):
        session = make(frames)
        obj = session.add_object()
        session.annotate(0, square(3), objects=[obj])
        session.propagate()
        before = float(session.quality[5, 0])
        session.annotate(5, session.masks[5] == obj, objects=[obj], kind="clicks")
        assert session.annotations[5].trust(obj) == pytest.approx(before)
        assert before < 1

    def test_no_pixel_after_clicks_is_no_statement_of_absence(self, frames):
        session = make(frames, 0.0)
        obj, other = session.add_object(), session.add_object()
        session.annotate(0, square(3), objects=[obj])
        session.annotate(0, square(20), objects=[other])
        session.propagate()
        clicks = [(5, 10, False), (5, 13, False), (8, 10, False), (8, 13, False)]
        mask = session.predict(7, obj, clicks=clicks).mask
        assert not mask.any()
        session.annotate(7, mask, objects=[obj], kind="clicks", clicks=clicks)
        session.mark_absent(9, [other])
        assert session.annotations[7].trust(obj) < 0.5
        assert session.annotations[9].trust(other) == 1
        assert session.quality[7, 0] < 0.5
        assert session.quality[9, 1] == 1

    def test_it_is_in_the_journal_and_not_computed_again(self, frames, tmp_path):
        session = make(frames, 0.7, tmp_path / "s")
        obj = session.add_object()
        click(session, 0, obj)
        session.propagate()
        trust, quality = session.annotations[0].trust(obj), session.quality
        session.close()
        with Session.open(
            tmp_path / "s", frames, propagator=NearestCopy(), predictor=Scored(0.1)
        ) as again:
            assert again.annotations[0].trust(obj) == trust
            np.testing.assert_array_equal(again.quality, quality)


class TestQuality:
    def test_a_clicked_frame_is_as_good_as_it_is_trusted(self, frames):
        session = make(frames, 0.6)
        obj = session.add_object()
        click(session, 4, obj)
        assert session.quality[4, 0] == pytest.approx(session.annotations[4].trust(obj))
        assert session.quality[4, 0] < 1

    @pytest.mark.parametrize("score", [0.1, 0.5])
    def test_the_mean_does_not_rise_after_a_bad_commit(self, frames, score):
        """Two objects; the one that is well drawn is clicked away on one frame."""
        session = make(frames, score)
        obj, other = session.add_object(), session.add_object()
        session.annotate(0, square(3), objects=[obj])
        session.annotate(0, square(20), objects=[other])
        session.propagate()
        before = session.curve[-1].predicted
        click(session, 10, obj, [(28, 3, True)])
        session.propagate()
        assert session.curve[-1].predicted <= before + 0.01

    def test_it_rises_after_a_drawn_mask(self, frames):
        session = make(frames)
        obj = session.add_object()
        session.annotate(0, square(3), objects=[obj])
        session.propagate()
        session.annotate(10, square(3), objects=[obj])
        session.propagate()
        assert session.curve[-1].predicted > session.curve[0].predicted


class TestAskingAgain:
    def test_doubt_falls_with_each_visit(self, frames):
        session = make(frames, 0.4)
        obj = session.add_object()
        session.annotate(0, square(3), objects=[obj])
        doubts = []
        for _ in range(3):
            session.annotate(10, square(8), objects=[obj], kind="clicks", trust=0.4)
            doubts.append(in_doubt(session.state, obj)[10])
        assert list(in_doubt(session.state, obj)) == [10]
        assert doubts[1] == pytest.approx(doubts[0] / 2)
        assert doubts[2] == pytest.approx(doubts[0] / 3)

    @pytest.mark.parametrize("name", ["farthest-in-time", "l2", "random", "uniform"])
    def test_what_is_in_doubt_is_asked_for_again_and_what_is_drawn_is_not(self, frames, name):
        session = make(frames, 0.05, frame_selector=name)
        obj = session.add_object()
        for frame in range(N):
            if frame != 7:
                session.annotate(frame, square(3), objects=[obj])
        for kind in ("clicks", "clicks", "mask"):
            click(session, 7, obj)
            suggestion = session.suggest()
            assert suggestion is not None
            assert (suggestion.frame, suggestion.kind) == (7, kind)
        session.annotate(7, square(3), objects=[obj])
        assert session.suggest() is None

    def test_a_frame_nobody_was_at_goes_before_one_that_is_hardly_in_doubt(self, frames):
        session = make(frames, 0.95)
        obj = session.add_object()
        session.annotate(0, square(3), objects=[obj])
        click(session, 20, obj)
        assert session.suggest().frame == 10


class TestFirst:
    def test_a_drawn_mask_by_default_or_clicks(self, frames):
        for first, seconds in (("mask", 80.0), ("clicks", 1 + 1.5 * FIRST_CLICKS)):
            session = make(frames, first=first, annotation_selector="clicks")
            session.add_object()
            suggestion = session.suggest()
            assert (suggestion.kind, suggestion.seconds) == (first, seconds)
            session.annotate(0, square(3), objects=[1])
            session.propagate()
            assert session.suggest().kind == "clicks"

    def test_the_annotation_selector_decides_where_it_can(self, frames):
        class Clicks(AnnotationSelector):
            name = "clicks"

            def select(self, state, choice):
                return AnnotationChoice("mask", 80.0, 0.0, "always")

            def first_type(self, state):
                return "clicks" if state.n_frames > 1 else "mask"

        for selector, kind in ((Clicks(), "clicks"), ("rule", "mask")):
            session = make(frames, first="agent", annotation_selector=selector)
            session.add_object()
            assert session.suggest().kind == session.first_type == kind
        assert session.state.first == "agent"

    def test_there_is_no_other_way(self, frames):
        with pytest.raises(
            ValueError, match=r"first is 'box'; choose from \['mask', 'clicks', 'ag"
        ):
            make(frames, first="box")
        with pytest.raises(ValueError, match=r"merge is 'both'"):
            make(frames, merge="both")

    def test_a_named_propagator_merges_as_it_is_told(self, frames):
        assert make(frames, propagator="flow", merge="nearest").propagator.merge == "nearest"
        assert make(frames, propagator="flow").propagator.merge == "trust"

"""Objects that are not in every frame: what the rule asks for where nothing of one is seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evavos_widget.annotation_selection.baselines import Rule
from evavos_widget.loop import FrameChoice
from evavos_widget.session import Session
from evavos_widget.sources import QUALITY_OF_NOTHING
from evavos_widget.testing import Disks, NearestCopy

N, H, W = 20, 24, 32
APPEARS = 12
LATE = 2


class Appears(NearestCopy):
    """Carries masks along, but finds the second object on the frames `seen` only."""

    def __init__(self, seen: range) -> None:
        super().__init__()
        self.seen = seen

    def propagate(self, video, annotations, objects, frames):
        for step in super().propagate(video, annotations, objects, frames):
            soft = step.probabilities.copy()
            if LATE in objects and step.frame not in self.seen:
                column = 1 + list(objects).index(LATE)
                soft[0] += soft[column]
                soft[column] = 0
            yield replace(step, probabilities=soft)


def square(x: int) -> np.ndarray:
    mask = np.zeros((H, W), bool)
    mask[8:14, x : x + 6] = True
    return mask


@pytest.fixture
def start():
    """A session with an object from the first frame on, and one that is added late."""

    def start(seen: range = range(APPEARS, N)) -> Session:
        frames = np.random.default_rng(0).integers(0, 255, (N, H, W, 3), dtype=np.uint8)
        session = Session(frames, propagator=Appears(seen), predictor=Disks(), path=None)
        session.annotate(0, square(2), objects=[session.add_object()])
        session.propagate()
        session.annotate(APPEARS, square(20), objects=[session.add_object()])
        return session

    return start


def asked_for(session: Session, obj: int, n: int = 6) -> list:
    return [s for s in session.suggestions(n) if s.object == obj]


def test_before_it_appeared_absence_is_asked_about_at_its_own_cost(start):
    session = start()
    session.propagate()
    asked = asked_for(session, LATE)
    before = [s for s in asked if s.frame < APPEARS - 2]
    assert before
    assert {s.kind for s in before} == {"absent"}
    assert {s.seconds for s in before} == {session.costs.seconds("absent")}
    assert session.costs.seconds("absent") < session.costs.seconds("clicks")
    assert {s.kind for s in asked if s.frame > APPEARS} <= {"clicks"}


def test_an_empty_mask_is_no_good_one(start):
    session = start()
    session.propagate()
    found, nothing = session.quality[APPEARS + 1, 1], session.quality[: APPEARS - 1, 1]
    assert set(nothing) == {QUALITY_OF_NOTHING}
    assert found > QUALITY_OF_NOTHING
    assert session.curve[-1].predicted == pytest.approx(np.nanmean(session.quality))


def test_before_a_pass_no_mask_is_to_be_drawn_where_one_may_come(start):
    asked = asked_for(start(), LATE)
    assert any(s.frame < APPEARS for s in asked)
    assert {s.kind for s in asked} == {"clicks"}


def test_one_that_is_lost_on_a_single_frame_is_not_taken_for_absent(start):
    session = start(range(1, N))
    session.propagate()
    asked = next(s for s in asked_for(session, LATE) if s.frame == 0)
    assert asked.kind == "clicks"


def test_what_was_said_to_be_absent_is_not_asked_again(start):
    session = start()
    session.propagate()
    first = next(s for s in asked_for(session, LATE) if s.kind == "absent")
    session.mark_absent(first.frame, [LATE])
    session.propagate()
    assert first.frame not in {s.frame for s in asked_for(session, LATE)}
    assert session.masks[APPEARS + 1].max() == LATE


def test_who_clicked_where_nothing_is_found_is_not_asked_again_whether_it_is_absent(start):
    session = start()
    session.propagate()
    asked = next(s for s in asked_for(session, LATE) if s.kind == "absent")
    nothing = np.zeros((H, W), bool)
    kinds = []
    for _ in range(4):
        session.annotate(asked.frame, nothing, objects=[LATE], kind="clicks", trust=0.5)
        choice = FrameChoice(asked.frame, LATE, "in doubt")
        kinds.append(Rule().select(session.state, choice).kind)
    assert kinds == ["clicks", "clicks", "mask", "mask"]


def test_an_import_in_which_nothing_is_seen_says_less_than_a_person(start):
    session = start()
    session.propagate()
    asked = next(s for s in asked_for(session, LATE) if s.kind == "absent")
    session.import_masks({asked.frame: np.zeros((H, W), np.uint8)}, objects=[LATE], trust=0.5)
    choice = FrameChoice(asked.frame, LATE, "in doubt")
    assert Rule().select(session.state, choice).kind == "absent"

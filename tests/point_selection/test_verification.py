"""What is asked about points, in which order, and that it stays so whatever happens."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from evavos_widget.point_selection.at_random import Random
from evavos_widget.point_selection.largest_effect import LargestEffect
from evavos_widget.point_selection.regions import Regions
from evavos_widget.point_selection.simulated import simulated_points
from evavos_widget.point_selection.verification import Verification
from evavos_widget.points import Point
from evavos_widget.robot.costs import measured_costs
from evavos_widget.session import Session
from evavos_widget.session_files import QUESTIONS_FILE
from evavos_widget.testing import Disks, NearestCopy

N, H, W = 6, 90, 120
FRAMES = np.random.default_rng(0).integers(0, 255, (N, H, W, 3), np.uint8)
TRUTH = np.zeros((H, W), np.uint8)
TRUTH[10:60, 10:50] = 1
TRUTH[10:60, 60:110] = 2  # a look-alike next to it


def make(path: Path | None = None) -> Session:
    session = Session(FRAMES, path=path, propagator=NearestCopy(), predictor=Disks())
    if not session.objects:
        for obj in (1, 2):
            session.add_object()
            session.annotate(0, obj == TRUTH, objects=[obj])
    return session


def ready(session: Session, **options) -> Verification:
    made = Verification(session, [1, 2], **options)
    made.propose()
    return made


def test_points_come_in_three_batches_and_answers_are_the_sessions_own():
    session = make()
    v = ready(session)
    regions = [c.region for c in v.questions[1].asked]
    assert regions == sorted(regions, key=("foreground", "background", "uncertain").index)
    assert {c.frame for c in v.questions[2].asked} == set(range(N))
    last = len(regions) - 1
    v.answer(1, last, "unknown", 1.5)
    assert v.answers(1)[last] == "unknown"
    c = v.questions[1].asked[last]
    assert session.points == {(c.frame, 1): (Point(c.x, c.y, "unknown", c.region),)}
    assert session.seconds == pytest.approx(2 * session.costs.mask + 1.5)
    v.answer(1, last, "negative", 0.5)  # somebody went back
    assert v.answers(1)[last] == "negative"
    session.undo()
    assert v.answers(1)[last] == "unknown"
    for place in (-1, last + 1):
        with pytest.raises(ValueError, match=f"no point {place}"):
            v.answer(1, place, "positive")
    session.update_object(2, locked=True)
    with pytest.raises(ValueError, match="locked"):
        v.answer(2, 0, "positive")


def test_a_session_that_is_opened_again_asks_the_same_whatever_was_annotated(tmp_path: Path):
    session = make(tmp_path / "s")
    v = ready(session)
    asked = v.questions
    v.answer(1, 0, "positive", 1.0)
    v.skip(2)
    session.annotate(3, np.zeros((H, W), bool), objects=[1], kind="absent")
    session.close()
    with make(tmp_path / "s") as again:
        v = Verification(again, [1, 2])
        assert v.ready
        assert v.questions[1].asked == asked[1].asked
        assert (v.questions[1].skipped, v.questions[2].skipped) == (False, True)
        assert v.answers(1)[:2] == ["positive", None]
        other = Verification(again, [1, 2], frames=3)
        assert not other.ready  # asked for otherwise
        (tmp_path / "s" / QUESTIONS_FILE).write_text(
            json.dumps({"objects": {"1": {"options": v._options(1)}}})
        )
        with pytest.warns(UserWarning, match="proposed anew"):
            damaged = Verification(again, [1, 2])
        damaged.propose()
        assert Verification(again, [1, 2]).ready


def test_verifications_of_one_session_keep_what_the_others_ask(tmp_path: Path):
    controls = {(0, 1): [Point(8, 8, "positive")]}
    with make(tmp_path / "s") as session:
        first, second = Verification(session, [1], controls=controls), Verification(session, [2])
        first.propose()
        second.propose()
        first.skip(1)
        asked = {1: first.questions[1].asked, 2: second.questions[2].asked}
        session.annotate(3, np.zeros((H, W), bool), objects=[1, 2], kind="absent")
    with make(tmp_path / "s") as again:
        both = Verification(again, [2, 1], controls=controls)  # those of 1 do not touch 2
        assert both.ready
        assert {obj: q.asked for obj, q in both.questions.items()} == asked
        assert both.questions[1].skipped
        alone = Verification(again, [2], frames=1, controls={(1, 2): [Point(8, 8, "positive")]})
        with pytest.warns(UserWarning, match=r"frames \[1\], on which nothing else is asked"):
            alone.propose()


def test_an_object_that_is_given_twice_is_asked_about_once():
    with make() as session:
        v = Verification(session, [1, 1], controls={(0, 1): [Point(8, 8, "positive")]})
        v.propose()
        assert v.objects == (1,)
        (place,) = v.questions[1].known
        v.answer(1, place, "positive")
        assert v.agreement.answered == 1


class Told(Random):
    """One that cannot be written down."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.tell = lambda: None


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        (Random(seed=1), Random(seed=1), True),
        (Random(seed=1), Random(seed=2), False),
        (Random(1, regions=Regions(foreground=3)), Random(1, regions=Regions(foreground=4)), False),
        (LargestEffect(per_frame=4), LargestEffect(per_frame=5), False),
        (Told(1), Told(1), False),  # whether it is the same cannot be told
    ],
    ids=range(5),
)
def test_a_selector_that_is_made_otherwise_is_asked_anew(tmp_path: Path, before, after, same):
    with make(tmp_path / "s") as session:
        asked = ready(session, selector=before).questions
        v = Verification(session, [1, 2], selector=after)
        assert v.ready is same
        assert v.questions == (asked if same else {})


def test_what_is_proposed_does_not_depend_on_the_objects_asked_for_together():
    alone = Verification(make(), [2])
    alone.propose()
    assert alone.questions[2].asked == ready(make()).questions[2].asked


def test_control_points_cannot_be_told_and_give_the_agreement():
    session = make()
    truth = {f: TRUTH for f in range(N)}
    controls = simulated_points(truth, [1], n=2, background=2, distance=5, seed=3)
    v = ready(session, controls=controls, seed=1)
    known = v.questions[1].known
    assert len(known) == sum(len(p) for p in controls.values()) == 24
    assert not v.questions[2].known
    asked = v.questions[1].asked
    assert len({(c.frame, c.x, c.y) for c in asked}) == len(asked)
    # Among those proposed as the same, on the same frame, of either answer.
    proposed = {(asked[i].region, label) for i, label in known.items()}
    assert {("foreground", "negative"), ("background", "positive")} <= proposed
    for i in known:
        assert asked[i].frame in {
            c.frame for c in (*asked[max(0, i - 2) : i], *asked[i + 1 : i + 3])
        }
    order = [c.region for c in asked]
    assert order == sorted(order, key=("foreground", "background", "uncertain").index)
    places = sorted(known)
    for place in places[:20]:
        v.answer(1, place, known[place], 1.0)
    v.answer(1, places[20], "unknown", 1.0)
    wrong = "negative" if known[places[21]] == "positive" else "positive"
    v.answer(1, places[21], wrong, 1.0)
    found = v.agreement
    assert (found.answered, found.agreed, found.unknown) == (22, 20, 1)
    assert found.share == pytest.approx(20 / 21)


def test_controls_that_were_put_right_are_asked_about_anew(tmp_path: Path):
    with make(tmp_path / "s") as session:
        v = ready(session, controls={(0, 1): [(5, 5, "positive")]})
        place = next(iter(v.questions[1].known))
        v.answer(1, place, "negative")
        assert v.agreement.agreed == 0
        for corrected in ((5, 5, "negative"), (6, 5, "positive")):
            v = Verification(session, [1, 2], controls={(0, 1): [corrected]})
            assert not v.ready
            v.propose()
            asked = [(v.questions[1].asked[p], told) for p, told in v.questions[1].known.items()]
            assert [(c.x, c.y, told) for c, told in asked] == [corrected]
        assert Verification(session, [1, 2], controls={(0, 1): [corrected]}).ready


@pytest.mark.parametrize(
    ("controls", "same"), [({(0, 1): [(5, 5, "positive")]}, False), (None, True)]
)
def test_another_seed_asks_anew_where_something_is_drawn_with_it(
    tmp_path: Path, controls: dict | None, same: bool
):
    with make(tmp_path / "s") as session:
        ready(session, controls=controls, seed=1)
        assert Verification(session, [1, 2], controls=controls, seed=np.int64(1)).ready
        assert Verification(session, [1, 2], controls=controls, seed=2).ready is same
        with pytest.raises(ValueError, match="seed is '2'; give a whole number"):
            Verification(session, [1, 2], seed="2")


@pytest.mark.parametrize("kept", [True, False])
def test_a_closed_session_takes_no_questions_and_says_so(tmp_path: Path, kept: bool):
    session = make(tmp_path / "s" if kept else None)
    v = ready(session)
    some = Verification(session, [1, 2], frames=2)
    begun = some.proposing()
    next(begun)
    before = (tmp_path / "s" / QUESTIONS_FILE).read_bytes() if kept else b""
    session.close()
    for change in (
        lambda: v.skip(1),
        lambda: v.answer(1, 0, "positive"),
        some.propose,
        lambda: list(begun),
    ):
        with pytest.raises(RuntimeError, match="this session is closed; "):
            change()
    assert not v.questions[1].skipped
    assert not some.questions
    assert v.answers(1)[0] is None  # it can still be looked at
    assert not kept or (tmp_path / "s" / QUESTIONS_FILE).read_bytes() == before


def test_a_disk_that_refuses_leaves_what_is_asked_as_it_was(tmp_path: Path, monkeypatch):
    with make(tmp_path / "s") as session:
        v = ready(session)

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("evavos_widget.point_selection.verification.replacing", full)
        with pytest.raises(OSError, match="No space"):
            v.skip(1)
        assert not v.questions[1].skipped


def test_the_questions_of_another_session_at_the_path_stay_as_they_are(tmp_path: Path):
    session = make(tmp_path / "s")
    v = ready(session)
    (tmp_path / "s").rename(tmp_path / "away")
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / QUESTIONS_FILE).write_text("of another")
    with pytest.raises(OSError, match="moved or deleted"):
        v.skip(1)
    assert not v.questions[1].skipped
    assert (tmp_path / "s" / QUESTIONS_FILE).read_text() == "of another"
    session.save_as(tmp_path / "t")
    v.skip(1)
    assert (tmp_path / "t" / QUESTIONS_FILE).exists()
    session.close()


def test_what_is_asked_goes_with_a_session_that_is_saved_elsewhere(tmp_path: Path):
    session = make(tmp_path / "s")
    v = ready(session)
    asked = v.questions[1].asked
    v.answer(1, 0, "positive")
    session.save_as(tmp_path / "t")
    session.annotate(3, TRUTH == 1, objects=[1])  # other points would be proposed now
    v.answer(1, 1, "positive")
    session.close()
    with make(tmp_path / "t") as moved:
        v = Verification(moved, [1, 2])
        assert v.ready
        assert v.questions[1].asked == asked
        assert v.answers(1)[:3] == ["positive", "positive", None]


def test_another_object_in_the_place_of_one_that_is_gone_is_asked_about_anew(tmp_path: Path):
    with make(tmp_path / "s") as session:
        ready(session)
        session.remove_object(2)
        other = session.add_object("other")
        session.annotate(0, TRUTH == 2, objects=[other])
        assert not Verification(session, [other]).ready


def test_an_annotator_who_presses_one_key_does_not_agree_with_the_controls():
    truth = {f: TRUTH for f in range(N)}
    controls = simulated_points(truth, [1], n=2, background=2, distance=5, seed=3)
    v = ready(make(), controls=controls)
    for place, c in enumerate(v.questions[1].asked):
        v.answer(1, place, "negative" if c.region == "background" else "positive", 1.0)
    assert v.agreement.share < 0.8


def test_an_answer_takes_what_it_takes_and_a_pause_is_none(tmp_path: Path):
    session = make(tmp_path / "s")
    v = ready(session)
    assert v.seconds_per_point is None
    for place, seconds in enumerate((1.2, 1.2, 60.0, 1.4, 1.3, 1.2)):
        v.answer(1, place, "positive", seconds)
    assert v.seconds_per_point == pytest.approx(1.25)
    session.close()
    costs, counts = measured_costs([tmp_path / "s"])
    assert costs.point == pytest.approx(1.2)  # 60 s were a pause
    assert counts["points"] == 6


def test_an_object_that_is_nowhere_cannot_be_asked_about():
    session = make()
    session.add_object()
    with pytest.raises(ValueError, match="object 3 is on no frame yet"):
        Verification(session, [3])
    with pytest.raises(ValueError, match="outside the 120 x 90 picture"):
        Verification(session, [1], controls={(0, 1): [(W, 3, "positive")]})


@pytest.mark.parametrize(
    ("frame", "label", "said"),
    [
        (N, "positive", f"frame {N}; give 0 to {N - 1}"),
        (-1, "negative", "frame -1"),
        (0, "unknown", r"\(20, 30\).*is unknown; give positive or negative"),
    ],
)
def test_control_points_are_in_the_video_and_have_an_answer(frame, label, said):
    with pytest.raises(ValueError, match=said):
        Verification(make(), [1, 2], controls={(frame, 1): [(20, 30, label)]})


def test_an_object_that_was_removed_is_not_waited_for_and_counts_again_after_undo():
    session = make()
    v = ready(session, frames=1, controls={(0, 2): [(70, 30, "positive")]})
    for place in range(len(v.questions[1].asked)):
        v.answer(1, place, "unknown")
    assert not v.finished
    session.remove_object(2)
    assert v.ready
    assert v.finished
    session.undo()
    assert not v.finished


def test_nothing_is_proposed_of_an_object_that_goes_before():
    session = make()
    v = Verification(session, [1, 2], frames=1)
    session.remove_object(2)
    v.propose()
    assert v.ready
    assert set(v.questions) == {1}


def test_agreement_is_of_the_objects_that_are_asked_about(tmp_path: Path):
    session = make(tmp_path / "s")
    controls = {(0, 1): [(20, 30, "positive")], (0, 2): [(70, 30, "positive")]}
    v = ready(session, frames=1, controls=controls)
    for obj in (1, 2):
        v.answer(obj, next(iter(v.questions[obj].known)), "positive")
    assert v.agreement.answered == 2
    assert Verification(session, [1], frames=1, controls=controls).agreement.answered == 1
    session.close()


@pytest.mark.parametrize("reopened", [False, True])
def test_an_object_in_the_place_of_one_that_was_undone_is_not_asked_its_questions(
    tmp_path: Path, reopened: bool
):
    session = make(tmp_path / "s")
    ready(session)
    for _ in range(2):  # the annotation of the second object, and that it is there
        session.undo()
    if reopened:
        session.close()
        session = Session(FRAMES, path=tmp_path / "s", propagator=NearestCopy(), predictor=Disks())
    new = session.add_object()
    assert [o.id for o in session.objects] == [1, new]
    session.annotate(3, TRUTH == 2, objects=[new])
    v = Verification(session, [1, new])
    assert set(v.questions) & {1, new} == {1}
    # Of one that nothing was said of there is nothing to mistake for the new one's.
    another = session.add_object()
    session.undo()
    assert session.add_object() == another
    session.close()

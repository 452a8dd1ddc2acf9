from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evavos_widget.loop import Annotation, Source, nearest_annotated
from evavos_widget.sources import (
    ABSENT_REACH,
    Known,
    check_merge,
    frames_affected,
    is_wrong,
    shares_of,
    standing,
)

N = 40
HERE = np.ones((2, 3), np.uint8)


def annotation(trust: float = 1.0, *, absent: bool = False, obj: int = 1) -> Annotation:
    labels = HERE * 0 if absent else HERE * obj
    kind = "absent" if absent else "drawn" if trust == 1 else "clicked"
    return Annotation(labels, {obj}, {obj: Source(kind, trust)})


def shares(annotations: dict[int, Annotation], frame: int, merge: str = "trust") -> dict:
    return {r.source: r.share for r in Known(annotations, 1, merge).reached(frame)}


annotated = st.dictionaries(
    st.integers(0, N - 1),
    st.builds(
        lambda trust, absent: annotation(1.0 if absent else trust, absent=absent),
        st.sampled_from([0.0, 0.3, 0.6, 0.9, 1.0]),
        st.booleans(),
    ),
    max_size=12,
)


@given(annotated, st.integers(0, N - 1), st.sampled_from(["trust", "nearest"]))
def test_shares_sum_to_one_wherever_the_object_is_seen(annotations, frame, merge):
    reached = Known(annotations, 1, merge).reached(frame)
    if not any(a.present for a in annotations.values()):
        assert reached == ()
        return
    assert sum(r.share for r in reached) == pytest.approx(1)
    if merge == "trust" and frame not in annotations:
        assert all((r.share == 0) == r.absent for r in reached)
    assert all(0 <= r.share <= 1 for r in reached)
    assert [r.source for r in reached] == sorted({r.source for r in reached})
    assert all(r.absent == (not annotations[r.source].present) for r in reached)


@given(annotated)
def test_an_annotated_frame_comes_from_itself(annotations):
    known = Known(annotations, 1)
    for frame in annotations if known.seen else ():
        assert [r.source for r in known.reached(frame)] == [frame]
        assert known.believed(frame) == annotations[frame].trust(1)


@given(st.sets(st.integers(0, N - 1), min_size=1), st.integers(0, N - 1))
def test_the_nearest_takes_all_where_that_is_wanted(frames, frame):
    annotations = {f: annotation() for f in frames}
    nearest = int(nearest_annotated(sorted(frames), N)[frame])
    assert shares(annotations, frame, "nearest") == {nearest: 1.0}


def test_two_drawn_frames_count_by_their_distance_and_the_far_one_not_near_the_other():
    annotations = {0: annotation(), 20: annotation()}
    assert shares(annotations, 10) == {0: 0.5, 20: 0.5}
    near = [shares(annotations, f).get(0, 0.0) for f in range(1, 20)]
    assert near == sorted(near, reverse=True)
    assert shares(annotations, 1) == {0: 1.0}


def test_what_is_less_trusted_counts_less():
    annotations = {0: annotation(), 20: annotation(0.6)}
    assert shares(annotations, 10).get(20, 0.0) < 0.3


def test_a_drawn_frame_stays_in_question_behind_one_that_is_in_doubt():
    doubted = {0: annotation(), 10: annotation(0.6), 20: annotation(0.6)}
    assert 0 in shares(doubted, 15)
    trusted = {**doubted, 10: annotation()}
    assert set(shares(trusted, 15)) == {10}


def stands(
    annotations: dict[int, Annotation], frame: int, source: int = 0, found: bool = True
) -> float:
    return standing(frame, source, Known(annotations, 1).reached(frame), lambda _: found)


def test_absence_holds_on_its_frame_and_what_was_wrong_there_is_doubted_near_by():
    annotations = {0: annotation(), 30: annotation(absent=True)}
    assert shares(annotations, 30) == {30: 1.0}
    around = [stands(annotations, f) for f in range(31, N)]
    assert around == sorted(around)
    assert around[0] < 0.1
    assert around[ABSENT_REACH:] == [1.0] * (N - 31 - ABSENT_REACH)
    assert stands(annotations, 30 - ABSENT_REACH - 1) == 1
    # What comes from near by is doubted less, whatever else is there.
    assert stands({**annotations, 32: annotation()}, 31, source=32) > 0.4
    doubted = {**annotations, 0: annotation(0.3)}
    assert [stands(doubted, f) for f in range(31, N)] == around


def test_that_a_pass_rightly_found_nothing_says_nothing_of_other_frames():
    annotations = {0: annotation(), 20: annotation(absent=True), 30: annotation()}
    for frame in {*range(N)} - {*annotations}:
        drawn = {0: annotation(), 30: annotation()}
        told = {f: share for f, share in shares(annotations, frame).items() if share}
        assert told == shares(drawn, frame)
        assert stands(annotations, frame, found=False) == 1


def test_two_absences_side_by_side_hide_neither_each_other_nor_what_is_behind_them():
    one = {0: annotation(), 12: annotation(absent=True)}
    two = {**one, 13: annotation(absent=True)}
    for frame in {*range(1, N)} - {12, 13}:
        assert stands(two, frame) <= stands(one, frame)


def test_a_mask_where_the_object_is_absent_is_wrong_unless_another_one_hides_it():
    arrived = np.zeros((6, 8), bool)
    arrived[1:5, 2:6] = True
    labels = np.zeros((12, 16), np.uint8)  # twice as many pixels
    assert is_wrong(arrived, Annotation(labels, {1}))
    assert not is_wrong(arrived & False, Annotation(labels, {1}))
    labels[:, 4:8] = 2
    assert not is_wrong(arrived, Annotation(labels, {1, 2}))  # a half is hidden
    labels[:, 6:8] = 0
    assert is_wrong(arrived, Annotation(labels, {1, 2}))


def test_absence_ends_at_a_frame_that_shows_the_object():
    annotations = {0: annotation(absent=True), 2: annotation(), 20: annotation()}
    assert 0 in shares(annotations, 1)
    assert shares(annotations, 3) == {2: 1.0}


def test_what_arrives_without_a_pixel_counts_less_than_what_arrives_surely():
    reached = Known({0: annotation(), 20: annotation()}, 1).reached(10)
    sure, nothing = np.ones((4, 4), np.float32), np.zeros((4, 4), np.float32)
    blurred = np.full((4, 4), 0.6, np.float32)
    assert shares_of(10, reached, {0: sure, 20: sure}) == [0.5, 0.5]
    for worse in (nothing, blurred):
        first, second = shares_of(10, reached, {0: sure, 20: worse})
        assert first > second
        assert first + second == pytest.approx(1)


@given(
    annotated,
    annotated,
    st.sets(st.integers(0, N - 1)),
    st.sampled_from(["trust", "nearest"]),
    st.booleans(),
)
def test_affected_are_exactly_the_frames_that_come_from_elsewhere(
    before, other, changed, merge, through
):
    """Contents differ here only in being absent or not; what did not change is the same."""
    after = {f: a for f, a in before.items() if f not in changed}
    after |= {f: a for f, a in other.items() if f in changed}
    expected = set()
    tables = [Known(k, 1, merge, through=through) for k in (before, after)]
    for frame in range(N):
        one, two = (t.reached(frame) for t in tables)
        same = [before.get(frame), after.get(frame)]
        if None not in same and same[0].present == same[1].present:
            continue
        if one != two:
            expected.add(frame)
    assert frames_affected(before, after, N, merge, through=through) == expected


def test_affected_are_all_frames_that_a_redrawn_mask_reaches_and_no_object_that_stays():
    other = annotation(obj=2)
    before = {0: annotation(), 20: annotation(), 30: other}
    redrawn = HERE.copy()
    redrawn[0] = 0
    after = {**before, 20: Annotation(redrawn, {1})}
    affected = frames_affected(before, after, N)
    assert affected == {f for f in range(N) if 20 in shares(after, f)}
    assert frames_affected(before, {**before, 20: annotation()}, N) == set()
    doubted = {**before, 20: annotation(0.5)}
    assert 20 in {r.source for r in Known(doubted, 1).reached(20)}
    # Behind the frame that is in doubt the drawn one counts again.
    assert {10, 35} <= frames_affected(before, doubted, N) <= set(range(1, N)) - {20}


def test_there_is_no_third_rule():
    with pytest.raises(ValueError, match=r"merge is 'both'; choose from \['trust', 'nearest'\]"):
        check_merge("both")

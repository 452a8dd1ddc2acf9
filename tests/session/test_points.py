"""Points are labels of pixels: set, changed, taken back, never turned into a mask."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from evavos_widget.points import LABELS, Point
from evavos_widget.session import Session
from evavos_widget.testing import Disks, NearestSquares

N, H, W = 6, 16, 20
FRAMES = np.arange(N * H * W * 3).reshape(N, H, W, 3).astype(np.uint8)

frame_numbers = st.integers(0, N - 1)
pixels = st.tuples(st.integers(0, 3), st.integers(0, 3))
labelled = st.lists(st.tuples(pixels, st.sampled_from(LABELS)), min_size=1, max_size=4)


def square(x: int) -> np.ndarray:
    mask = np.zeros((H, W), bool)
    mask[4:9, x : x + 5] = True
    return mask


def make(path: Path | None = None) -> Session:
    return Session(FRAMES, path=path, propagator=NearestSquares(), predictor=Disks())


class PointsAndMasks(RuleBasedStateMachine):
    """A session beside a model in plain dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="evavos-points-"))
        self.session = make(self.folder / "s")
        self.ids: list[int] = []
        self.points: dict[tuple[int, int], dict[tuple[int, int], str]] = {}
        self.masks: dict[tuple[int, int], int] = {}
        self.begun: set[tuple[int, int]] = set()
        self.seconds = 0.0
        self.past: list = []
        self.future: list = []
        self.add_object()
        self.add_object()

    def copy(self) -> tuple:
        points = {where: dict(of) for where, of in self.points.items()}
        return points, dict(self.masks), set(self.begun), list(self.ids), self.seconds

    def changes(self) -> None:
        self.past.append(self.copy())
        self.future.clear()

    @precondition(lambda self: self.ids)
    @rule(frame=frame_numbers, which=st.integers(0, 5), points=labelled)
    def label(self, frame, which, points):
        obj = self.ids[which % len(self.ids)]
        self.changes()
        self.session.label_points(frame, obj, [(x, y, label) for (x, y), label in points])
        self.points.setdefault((frame, obj), {}).update(dict(points))
        self.seconds += 0.95 * len(dict(points))
        self.follow()

    def follow(self):
        """Where no point is on an object any more, nothing begins from them."""
        self.begun = {w for w in self.begun if "positive" in self.points.get(w, {}).values()}

    @precondition(lambda self: self.can_begin())
    @rule(which=st.integers(0, 20))
    def begin(self, which):
        possible = self.can_begin()
        self.changes()
        self.session.begin_from_points(*possible[which % len(possible)])
        self.begun.add(possible[which % len(possible)])

    def can_begin(self):
        return sorted(
            where
            for where, told in self.points.items()
            if "positive" in told.values() and where not in self.masks
        )

    @precondition(lambda self: self.points)
    @rule(which=st.integers(0, 20), n=st.integers(1, 3))
    def forget(self, which, n):
        frame, obj = sorted(self.points)[which % len(self.points)]
        gone = sorted(self.points[frame, obj])[:n]
        self.changes()
        self.session.remove_points(frame, obj, gone)
        for pixel in gone:
            del self.points[frame, obj][pixel]
        if not self.points[frame, obj]:
            del self.points[frame, obj]
        self.follow()

    @precondition(lambda self: self.ids)
    @rule(frame=frame_numbers, which=st.integers(0, 5), x=st.integers(0, 12))
    def draw(self, frame, which, x):
        obj = self.ids[which % len(self.ids)]
        self.changes()
        self.session.annotate(frame, square(x), objects=[obj])
        self.masks[frame, obj] = x
        self.begun.discard((frame, obj))
        self.seconds += 80

    @precondition(lambda self: len(self.ids) < 4)
    @rule()
    def add_object(self):
        self.changes()
        self.ids.append(self.session.add_object())

    @precondition(lambda self: len(self.ids) > 1)
    @rule()
    def remove_object(self):
        self.changes()
        gone = self.ids.pop(0)
        self.session.remove_object(gone)
        self.points = {where: p for where, p in self.points.items() if where[1] != gone}
        self.masks = {where: x for where, x in self.masks.items() if where[1] != gone}
        self.begun = {where for where in self.begun if where[1] != gone}

    @rule(whole=st.booleans())
    def propagate(self, whole):
        if whole:
            self.session.propagate()
        else:
            steps = self.session.propagation()
            next(steps, None)
            steps.close()

    @rule(back=st.booleans())
    def step(self, back):
        source, target = (self.past, self.future) if back else (self.future, self.past)
        said = self.session.undo() if back else self.session.redo()
        assert (said is None) == (not source)
        if source:
            target.append(self.copy())
            self.points, self.masks, self.begun, self.ids, self.seconds = source.pop()
            self.points = {where: dict(of) for where, of in self.points.items()}
            self.masks, self.begun = dict(self.masks), set(self.begun)
            self.ids = list(self.ids)

    @rule(with_masks=st.booleans(), killed=st.booleans())
    def reopen(self, with_masks, killed):
        if killed:
            self.session._storage.close()  # as a kill leaves it: nothing is written any more
        self.session.close()
        if not with_masks:
            (self.folder / "s/masks.npz").unlink(missing_ok=True)
        self.session = make(self.folder / "s")

    @invariant()
    def is_as_the_model_says(self):
        held = {
            where: {(p.x, p.y): p.label for p in of} for where, of in self.session.points.items()
        }
        assert held == self.points
        assert [o.id for o in self.session.objects] == sorted(self.ids)
        annotated = {(f, o) for f, a in self.session.annotations.items() for o in a.objects}
        assert annotated == set(self.masks) | self.begun
        pointed = {
            (f, o): {(p.x, p.y): p.label for p in told}
            for f, a in self.session.annotations.items()
            for o, told in a.points.items()
        }
        assert pointed == {
            where: {at: said for at, said in self.points[where].items() if said != "unknown"}
            for where in self.begun
        }
        assert self.session.seconds == pytest.approx(self.seconds)

    def teardown(self):
        self.session.close()
        shutil.rmtree(self.folder)


def test_any_sequence_of_points_masks_history_and_reopening():
    run_state_machine_as_test(
        PointsAndMasks, settings=settings(max_examples=60, stateful_step_count=20)
    )


def test_points_make_no_mask_and_wait_for_no_pass():
    session = make()
    obj = session.add_object()
    session.label_points(2, obj, [(3, 4, "positive"), Point(5, 6, "unknown")])
    assert not session.masks.ids()
    assert not session.stale
    assert not session.annotations
    assert session.points == {(2, obj): (Point(3, 4), Point(5, 6, "unknown"))}
    assert session.rounds[-1].kind == "points"
    assert session.rounds[-1].seconds == pytest.approx(1.9)


def test_the_later_word_on_a_pixel_holds():
    session = make()
    obj = session.add_object()
    session.label_points(0, obj, [(1, 1, "positive"), (1, 1, "negative"), (2, 2, "positive")])
    session.label_points(0, obj, [(2, 2, "unknown")])
    assert set(session.points[0, obj]) == {Point(1, 1, "negative"), Point(2, 2, "unknown")}


def test_merging_says_only_what_holds_of_both():
    session = make()
    a, b = session.add_object(), session.add_object()
    session.label_points(0, a, [(0, 0, "positive"), (1, 0, "negative"), (2, 0, "negative")])
    session.label_points(0, b, [(0, 0, "negative"), (1, 0, "negative"), (3, 0, "unknown")])
    session.merge_objects(b, a)
    assert set(session.points[0, a]) == {
        Point(0, 0, "positive"),
        Point(1, 0, "negative"),
        Point(3, 0, "unknown"),
    }


def test_merging_keeps_what_points_were_proposed_as():
    session = make()
    a, b = session.add_object(), session.add_object()
    session.label_points(
        0, a, [Point(0, 0, "positive", "uncertain"), Point(1, 0, "negative", "foreground")]
    )
    session.label_points(
        0, b, [Point(0, 0, "positive", "background"), Point(2, 0, "positive", "background")]
    )
    session.merge_objects(b, a)
    assert set(session.points[0, a]) == {
        Point(0, 0, "positive", "uncertain"),
        Point(2, 0, "positive", "background"),
    }


@pytest.mark.parametrize("empty_is_kept", [False, True])
def test_merging_with_an_object_that_nothing_is_known_of_changes_no_answer(empty_is_kept):
    session = make()
    a, empty = session.add_object(), session.add_object()
    said = (Point(0, 0, "positive"), Point(1, 0, "negative"), Point(2, 0, "unknown"))
    session.label_points(0, a, said)
    gone, kept = (a, empty) if empty_is_kept else (empty, a)
    session.merge_objects(gone, kept)
    assert session.points == {(0, kept): said}


def test_merging_with_an_object_that_is_annotated_elsewhere_says_what_holds_of_both():
    session = make()
    a, b = session.add_object(), session.add_object()
    session.annotate(1, np.ones(session.masks[0].shape, bool), objects=[b])
    session.label_points(0, a, [(0, 0, "positive"), (1, 0, "negative")])
    session.merge_objects(b, a)
    assert session.points == {(0, a): (Point(0, 0),)}


@pytest.mark.parametrize(
    ("points", "says"),
    [
        ([], "no point"),
        ([(1, 1, "yes")], "labelled 'yes'"),
        ([(20, 1, "positive")], "outside the 20 x 16 picture"),
        ([(1, -1, "positive")], "outside"),
        ([(1.5, 1, "positive")], "whole columns"),
        ([(1, 1)], "give"),
        ([7], "point 0 is 7"),
        ([(1, 1, "positive", "border")], "region 'border'"),
    ],
)
def test_what_is_no_point_is_refused(points, says):
    session = make()
    obj = session.add_object()
    with pytest.raises(ValueError, match=says):
        session.label_points(0, obj, points)
    assert not session.points
    assert not session.rounds


def test_a_locked_object_takes_no_points():
    session = make()
    obj = session.add_object()
    session.label_points(0, obj, [(1, 1, "positive")])
    session.update_object(obj, locked=True)
    for act in (
        lambda: session.label_points(0, obj, [(2, 2, "positive")]),
        lambda: session.remove_points(0, obj),
    ):
        with pytest.raises(ValueError, match="locked"):
            act()
    assert session.points == {(0, obj): (Point(1, 1),)}


def test_points_are_no_way_to_annotate_a_mask():
    session = make()
    obj = session.add_object()
    with pytest.raises(ValueError, match=r"label_points.*predict"):
        session.annotate(0, square(3), objects=[obj], kind="points")

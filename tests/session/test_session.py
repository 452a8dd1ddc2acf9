from __future__ import annotations

import gc
import json
import re
import subprocess
import sys
import threading
import time
import warnings
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from evavos_widget.contract import SelectorError
from evavos_widget.loop import (
    AnnotationChoice,
    AnnotationSelector,
    FrameChoice,
    FrameSelector,
    MaskPredictor,
)
from evavos_widget.prompts import Click, Prediction
from evavos_widget.propagation.chained import ChainedPropagator, MaskChain
from evavos_widget.robot.annotator import RobotAnnotator
from evavos_widget.session import Session, turn
from evavos_widget.sources import QUALITY_OF_NOTHING
from evavos_widget.testing import Disks, NearestCopy

N, H, W = 9, 24, 32


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (N, H, W, 3), dtype=np.uint8)


def make(frames: np.ndarray, path: Path | None = None, **options) -> Session:
    options = {"propagator": NearestCopy(), "predictor": Disks(), **options}
    return Session(frames, path=path, **options)


def square(x: int, y: int = 8, size: int = 6) -> np.ndarray:
    mask = np.zeros((H, W), bool)
    mask[y : y + size, x : x + size] = True
    return mask


def picture(session: Session) -> dict:
    """All that a person could see of a session."""
    return {
        "masks": session.masks.array().tolist(),
        "objects": session.objects,
        "annotations": {f: (a.objects, a.labels.tolist()) for f, a in session.annotations.items()},
        "stale": session.stale,
        "rounds": session.rounds,
        "marks": dict(session.marks),
        "quality": np.nan_to_num(session.quality, nan=-1.0).round(5).tolist(),
        "curve": session.curve,
    }


class TestAnnotating:
    def test_mask_is_seen_at_once_and_the_rest_waits(self, frames):
        session = make(frames)
        obj = session.add_object("horse")
        session.annotate(2, square(3), objects=[obj])
        assert (session.masks[2] == square(3) * obj).all()
        assert session.stale == set(range(N)) - {2}
        assert session.rounds[-1].seconds == 80.0

    def test_pass_fills_every_frame(self, frames):
        session = make(frames)
        session.annotate(2, square(3), objects=[session.add_object()])
        assert session.propagate() == N - 1
        assert not session.stale
        assert all((m == square(3)).all() for m in session.masks)

    def test_a_pass_without_a_waiting_frame_is_heard_and_kept(self, frames, tmp_path):
        heard = []
        with make(frames[:1], tmp_path / "one.evavos") as session:
            session.subscribe(lambda event, payload: heard.append((event, payload)))
            session.annotate(0, square(3), objects=[session.add_object()])
            session.propagate()
            assert heard[-1] == ("propagated", {"finished": True})
            curve = session.curve
            session._storage.path.joinpath("masks.npz").stat()  # before it is closed
        with make(frames[:1], tmp_path / "one.evavos") as session:
            assert session.curve == curve != ()

    def test_pass_shows_how_far_it_is_to_who_reads_along(self, frames, capsys, monkeypatch):
        session = make(frames)
        obj = session.add_object()

        places = iter(range(20))

        def shown(**options) -> str:
            session.annotate(2, square(next(places)), objects=[obj])
            assert session.propagate(**options) == N - 1
            said = capsys.readouterr()
            return said.out + said.err

        assert shown() == ""
        assert f"{N - 1}/{N - 1}" in shown(progress=True)
        monkeypatch.setattr("evavos_widget.session.session.in_notebook", lambda: True)
        assert f"{N - 1}/{N - 1}" in shown()
        assert shown(progress=False) == ""
        assert shown(on_step=lambda step: None) == ""

    def test_second_pass_does_only_what_changed(self, frames):
        engine = NearestCopy()
        session = make(frames, propagator=engine)
        obj = session.add_object()
        session.annotate(0, square(3), objects=[obj])
        session.propagate()
        engine.frames_done.clear()
        session.annotate(8, square(5), objects=[obj])
        session.propagate()
        assert engine.frames_done == [5, 6, 7]  # 4 is as near to 0, which wins ties

    def test_object_added_late_keeps_the_others(self, frames):
        session = make(frames)
        first = session.add_object()
        session.annotate(0, square(3), objects=[first])
        session.propagate()
        second = session.add_object()
        session.annotate(4, square(20), objects=[second])
        session.propagate()
        for labels in session.masks:
            assert ((labels == first) == square(3)).all()
            assert ((labels == second) == square(20)).all()

    def test_frame_annotated_again_for_another_object(self, frames):
        session = make(frames)
        a, b = session.add_object(), session.add_object()
        session.annotate(3, square(3), objects=[a])
        session.annotate(3, square(20), objects=[b])
        assert session.annotations[3].objects == {a, b}
        assert 3 not in session.stale

    def test_absent_object_is_absent_around_the_frame(self, frames):
        session = make(frames)
        obj = session.add_object()
        session.annotate(0, square(3), objects=[obj])
        session.annotate(8, np.zeros((H, W), bool), objects=[obj], kind="absent")
        session.propagate()
        assert session.masks[7].max() == 0
        assert session.masks[1].max() == obj
        assert session.rounds[-1].seconds == 3.0

    def test_object_removed_with_its_pixels(self, frames):
        session = make(frames)
        a, b = session.add_object(), session.add_object()
        session.annotate(0, square(3) * np.uint8(a) + square(20) * np.uint8(b))
        session.propagate()
        session.remove_object(a)
        assert {int(m.max()) for m in session.masks} == {b}
        assert session.annotations[0].objects == {b}
        session.undo()
        assert a in session.masks[5]

    def test_masks_that_nothing_is_left_of_go_with_the_next_pass(self, frames):
        session = make(frames)
        first, second = session.add_object(), session.add_object()
        session.annotate(0, square(3), objects=[first])
        session.annotate(0, square(20), objects=[second])
        session.propagate()
        session.remove_annotation(0, first)
        session.remove_object(second)
        assert not session.annotations
        assert session.stale == set(range(N))
        session.propagate()
        assert not session.masks.ids()
        assert not session.stale

    def test_what_was_said_of_an_object_that_is_gone_is_not_said_of_the_next(self, frames):
        session = make(frames)
        first = session.add_object()
        session.annotate(0, square(3), objects=[first])
        session.propagate()
        session.remove_object(first)
        again = session.add_object()
        assert again != first
        assert session.probabilities(1, again) is None
        session.undo()
        session.undo()
        assert [o.id for o in session.objects] == [first]
        assert session.add_object() == again

    def test_an_id_without_a_past_is_taken_before_one_with_a_past(self, frames):
        session = make(frames)
        first = session.add_object()
        session.annotate(0, square(3), objects=[first])
        session.import_masks({0: np.where(square(20), 255, 0).astype(np.uint8)}, objects=[255])
        session.remove_object(first)
        assert session.add_object() == first + 1
        for _ in range(252):
            session.add_object()
        assert session.add_object() == first  # nothing else is left

    def test_prediction_starts_from_the_current_mask_and_stores_nothing(self, frames):
        session = make(frames)
        obj = session.add_object()
        session.annotate(0, square(3), objects=[obj])
        before = picture(session)
        mask = session.predict(0, obj, clicks=[(20, 12, 1)]).mask
        assert mask[12, 20]
        assert (mask & square(3)).sum() == square(3).sum()
        assert picture(session) == before

    def test_clicks_are_charged_and_recorded(self, frames):
        session = make(frames)
        obj = session.add_object()
        session.annotate(1, square(3), objects=[obj], kind="clicks", clicks=[(4, 9, 1), (0, 0, 0)])
        assert session.rounds[-1].seconds == pytest.approx(4.0)  # 1 s to locate, 1.5 s a click
        assert session.rounds[-1].clicks == (Click(4.0, 9.0), Click(0.0, 0.0, False))


class TestPass:
    def test_closing_keeps_what_was_done(self, frames):
        session = make(frames)
        obj = session.add_object()
        session.annotate(0, square(3), objects=[obj])
        steps = session.propagation()
        next(steps), next(steps)
        steps.close()
        assert session.stale == set(range(3, N))
        assert session.masks[2].max() == obj
        assert session.curve == ()
        session.propagate()
        assert not session.stale

    def test_annotation_in_mid_pass_ends_it_and_nothing_is_lost(self, frames):
        session = make(frames)
        obj = session.add_object()
        session.annotate(0, square(3), objects=[obj])
        for step in session.propagation():
            if step.frame == 3:
                session.annotate(8, square(15), objects=[obj])
        assert session.stale == {4, 5, 6, 7}
        session.propagate()
        other = make(frames)
        obj = other.add_object()
        other.annotate(0, square(3), objects=[obj])
        other.annotate(8, square(15), objects=[obj])
        other.propagate()
        assert session.masks == other.masks

    def test_colour_changed_in_mid_pass_does_not_end_it(self, frames):
        session = make(frames)
        obj = session.add_object()
        session.annotate(0, square(3), objects=[obj])
        for step in session.propagation():
            if step.frame == 3:
                session.update_object(obj, color="#ff0000")
        assert not session.stale
        session.undo()
        assert not session.stale  # a colour taken back takes no mask with it

    def test_curve_has_one_point_per_round(self, frames):
        truth = dict.fromkeys(range(N), square(3).astype(np.uint8))
        session = make(frames, ground_truth=truth)
        obj = session.add_object()
        session.annotate(0, square(4), objects=[obj])
        session.propagate()
        session.annotate(4, square(3), objects=[obj], kind="clicks")
        session.propagate()
        assert [p.seconds for p in session.curve] == [80.0, 85.5]
        assert session.curve[0].true < session.curve[1].true < 1.0

    def test_last_frame_annotated_is_a_point_of_the_curve_too(self, frames):
        session = make(frames[:1])
        session.annotate(0, square(3), objects=[session.add_object()])
        session.propagate()
        session.propagate()
        assert [(p.seconds, p.predicted) for p in session.curve] == [(80.0, 1.0)]

    def test_object_that_ground_truth_does_not_know_leaves_the_curve_alone(self, frames):
        truth = dict.fromkeys(range(N), square(3).astype(np.uint8))
        session = make(frames, ground_truth=truth)
        known, unknown = session.add_object(), session.add_object()
        session.annotate(0, square(3), objects=[known])
        session.annotate(0, square(20), objects=[unknown])
        session.propagate()
        assert session.curve[-1].true == 1.0
        session.remove_object(known)
        session.annotate(3, square(18), objects=[unknown])
        session.propagate()
        assert session.curve[-1].true is None

    def test_ground_truth_without_any_object_is_no_ground_truth(self, frames):
        session = make(frames, ground_truth={0: np.zeros((H, W), np.uint8)})
        session.annotate(0, square(3), objects=[session.add_object()])
        session.propagate()
        assert session.curve[-1].true is None


class TestSuggesting:
    def test_farthest_frame_first_then_nothing_left(self, frames):
        truth = dict.fromkeys(range(N), square(3).astype(np.uint8))
        session = make(frames)
        session.annotate(0, square(3), objects=[session.add_object()])
        session.propagate()
        robot = RobotAnnotator(truth)
        asked = [turn(session, robot).frame for _ in range(N - 1)]
        assert asked[:2] == [8, 4]
        assert sorted(asked) == list(range(1, N))
        assert turn(session, robot) is None

    def test_ground_truth_changes_no_suggestion(self, frames):
        truth = dict.fromkeys(range(N), square(9).astype(np.uint8))
        asked = []
        for given_truth in (None, truth):
            session = make(frames, ground_truth=given_truth)
            session.annotate(0, square(3), objects=[session.add_object()])
            session.propagate()
            asked.append(session.suggest())
        assert asked[0] == asked[1]

    def test_snoozed_frame_and_its_surroundings_wait_until_the_next_pass(self, frames):
        session = make(frames)
        obj = session.add_object()
        session.annotate(0, square(3), objects=[obj])
        first = session.suggest()
        assert first.frame == N - 1
        session.snooze(first.frame, obj)
        second = session.suggest()
        assert second.frame == N // 2, "the frame beside it would show the same"
        assert "put off" in second.reason
        session.propagate()
        assert session.suggest().frame == first.frame

    def test_snooze_is_undone_like_anything_else(self, frames, tmp_path):
        session = make(frames, tmp_path / "s")
        obj = session.add_object()
        session.annotate(0, square(3), objects=[obj])
        first = session.suggest().frame
        session.snooze(first, obj)
        assert session.undo() == f"putting frame {first} off"
        assert session.suggest().frame == first
        session.redo()
        assert session.state.snoozed == {(first, obj)}
        session.close()
        with make(frames, tmp_path / "s") as again:
            assert again.state.snoozed == {(first, obj)}

    def test_undo_after_a_pass_puts_nothing_off_again(self, frames, tmp_path):
        session = make(frames, tmp_path / "s")
        obj = session.add_object()
        session.annotate(0, square(3), objects=[obj])
        for frame in (8, 4):
            session.snooze(frame, obj)
        session.propagate()
        session.undo()
        assert not session.state.snoozed
        quality = session.quality
        assert np.isfinite(quality).all(), "what was propagated in between still holds"
        session.close()
        with make(frames, tmp_path / "s") as again:
            assert not again.state.snoozed
            np.testing.assert_array_equal(again.quality, quality)

    def test_mask_is_asked_where_there_is_none(self, frames):
        session = make(frames)
        obj = session.add_object()
        session.annotate(0, np.zeros((H, W), bool), objects=[obj], kind="absent")
        session.propagate()
        assert session.suggest().kind == "mask"

    def test_nothing_to_ask_without_objects(self, frames):
        assert make(frames).suggest() is None


BAD = [
    (lambda s: s.annotate(N, square(3), objects=[1]), IndexError, f"frame {N}"),
    (lambda s: s.annotate(0, np.ones((5, 5), bool), objects=[1]), ValueError, "5"),
    (lambda s: s.annotate(0, square(3), objects=[7]), ValueError, "no object 7"),
    (lambda s: s.annotate(0, square(3) * np.uint8(9)), ValueError, "no object 9"),
    (lambda s: s.annotate(0, np.zeros((H, W), bool)), ValueError, "empty"),
    (lambda s: s.annotate(0, square(3), objects=[1], kind="guess"), ValueError, "guess"),
    (lambda s: s.annotate(0, square(3), objects=[1], seconds=float("nan")), ValueError, "nan"),
    (lambda s: s.annotate(0, np.full((H, W), 300), objects=[1]), ValueError, "300"),
    (lambda s: s.predict(0, 1, clicks=[(float("nan"), 0, 1)]), ValueError, "not finite"),
    (lambda s: s.predict(0, 1, clicks=[(W + 5, 0, 1)]), ValueError, "outside"),
    (lambda s: s.predict(0, 1, box=(5, 5, 5, 9)), ValueError, "x0 < x1"),
    (lambda s: s.predict(0, 4), ValueError, "no object 4"),
    (lambda s: s.remove_annotation(5, 1), ValueError, "not annotated"),
    (lambda s: s.update_object(1, shape="round"), ValueError, "shape"),
    (lambda s: s.import_masks({0: np.zeros((3, 3), np.uint8)}), ValueError, "3"),
    (lambda s: s.export("gif"), ValueError, "gif"),
]


ACTS = [
    lambda s: s.propagate(),
    lambda s: s.propagate(frames=[8]),
    lambda s: next(s.propagation()),
    lambda s: s.predict(0, 1, clicks=[(4, 9, 1)]),
    lambda s: s.annotate(0, square(3), objects=[1]),
    lambda s: s.accept(0),
    lambda s: s.mark_absent(0, [1]),
    lambda s: s.import_masks({0: square(3).astype(np.uint8)}),
    lambda s: s.remove_annotation(0, 1),
    lambda s: s.label_points(0, 2, [(1, 1, "positive")]),
    lambda s: s.remove_points(0, 1),
    lambda s: s.snooze(1, 1),
    lambda s: s.add_object(),
    lambda s: s.update_object(1, name="horse"),
    lambda s: s.merge_objects(1, 2),
    lambda s: s.remove_object(1),
    lambda s: s.undo(),
    lambda s: s.redo(),
    lambda s: s.save_as("elsewhere"),
]


class TestClosed:
    @pytest.mark.parametrize("act", ACTS, ids=range(len(ACTS)))
    @pytest.mark.parametrize("kept", [True, False])
    @pytest.mark.parametrize("waiting", [True, False])
    def test_nothing_is_done_and_the_way_back_is_told(self, frames, tmp_path, act, kept, waiting):
        path = tmp_path / "s" if kept else None
        session = make(frames, path)
        one, _ = session.add_object(), session.add_object()
        session.label_points(0, one, [(4, 9, "positive")])
        session.annotate(0, square(3), objects=[one])
        if not waiting:
            session.propagate()
        session.close()
        before = picture(session)
        with pytest.raises(RuntimeError, match="this session is closed") as told:
            act(session)
        assert (repr(str(path)) if kept else "Session(video)") in str(told.value)
        assert picture(session) == before

    def test_what_is_there_can_still_be_looked_at(self, frames, tmp_path):
        session = make(frames, tmp_path / "s")
        obj = session.add_object()
        session.annotate(0, square(3), objects=[obj])
        session.propagate()
        session.close()
        assert session.suggest().frame == N - 1
        assert session.snapshot(0).width == W
        assert session.export("numpy").exists()

    def test_a_pass_that_runs_ends_quietly(self, frames):
        session = make(frames)
        obj = session.add_object()
        session.annotate(0, square(3), objects=[obj])
        assert session.propagate(lambda step: session.close() if step.frame == 3 else None) == 3
        assert session.stale == set(range(4, N))


class TestBadInput:
    @pytest.mark.parametrize(("act", "error", "says"), BAD)
    def test_is_refused_with_a_sentence_and_costs_nothing(self, frames, tmp_path, act, error, says):
        session = make(frames, tmp_path / "s")
        obj = session.add_object()
        session.annotate(0, square(3), objects=[obj])
        before, journal = picture(session), (tmp_path / "s/journal.jsonl").read_bytes()
        with pytest.raises(error, match=says):
            act(session)
        assert picture(session) == before
        assert (tmp_path / "s/journal.jsonl").read_bytes() == journal

    def test_locked_object_is_not_painted(self, frames):
        session = make(frames)
        obj = session.add_object("horse")
        session.update_object(obj, locked=True)
        with pytest.raises(ValueError, match=r"1 \(horse\) is locked"):
            session.annotate(0, square(3), objects=[obj])

    def test_locked_object_keeps_what_is_said_of_it(self, frames):
        session = make(frames)
        horse, rider = session.add_object("horse"), session.add_object("rider")
        session.annotate(0, square(3), objects=[horse])
        session.annotate(0, square(20), objects=[rider])
        session.propagate()
        session.update_object(horse, locked=True)
        before = picture(session)
        for act in (
            lambda: session.remove_annotation(0, horse),
            lambda: session.import_masks({1: square(9).astype(np.uint8)}),
            lambda: session.accept(1, [horse]),
            lambda: session.mark_absent(1, [horse]),
        ):
            with pytest.raises(ValueError, match=r"1 \(horse\) is locked"):
                act()
        assert picture(session) == before
        session.accept(1)
        assert session.annotations[1].objects == {rider}
        assert {s.object for s in session.suggestions(3)} == {rider}
        session.update_object(rider, locked=True)
        assert session.suggestions() == []

    def test_where_a_locked_object_is_others_give_way(self, frames):
        session = make(frames)
        horse, rider = session.add_object("horse"), session.add_object("rider")
        session.annotate(0, square(3), objects=[horse])
        session.propagate()
        session.update_object(horse, locked=True)
        over = square(6)  # its left half lies on the horse
        session.annotate(0, over, objects=[rider])
        session.import_masks({1: over * np.uint8(rider)})
        session.propagate()
        for frame in (0, 1, 2):
            np.testing.assert_array_equal(session.masks[frame] == horse, square(3))
            np.testing.assert_array_equal(session.masks[frame] == rider, over & ~square(3))
        with pytest.raises(ValueError, match="object 2 on frame 0 lies wholly on locked objects"):
            session.annotate(0, square(3), objects=[rider])
        session.update_object(horse, locked=False)
        session.annotate(0, over, objects=[rider])
        assert not (session.masks[0] == horse)[over].any()

    def test_300_objects(self, frames):
        session = make(frames)
        for _ in range(255):
            session.add_object()
        with pytest.raises(ValueError, match="255 objects"):
            session.add_object()
        session.remove_object(7)
        assert session.add_object() == 7

    def test_unknown_engine_is_named_with_those_that_exist(self, frames):
        with pytest.raises(ValueError, match=r"'flaw'.*flow"):
            make(frames, propagator="flaw")

    def test_disk_that_refuses_changes_nothing(self, frames, tmp_path, monkeypatch):
        session = make(frames, tmp_path / "s")
        obj = session.add_object()
        before = picture(session)

        def refuse(_: int) -> None:
            raise OSError("No space left on device")

        monkeypatch.setattr("os.fsync", refuse)
        with pytest.raises(OSError, match="No space"):
            session.annotate(0, square(3), objects=[obj])
        monkeypatch.undo()
        assert picture(session) == before
        session.annotate(1, square(3), objects=[obj])
        session.close()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            again = make(frames, tmp_path / "s")
        assert list(again.annotations) == [1]


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("annotate"), st.integers(0, N - 1), st.integers(0, 25)),
        st.tuples(st.just("clicks"), st.integers(0, N - 1), st.integers(0, 25)),
        st.just(("object",)),
        st.tuples(st.just("say"), st.integers(0, N - 1), st.booleans()),
        st.just(("remove object",)),
        st.just(("merge objects",)),
        st.just(("rename",)),
        st.just(("propagate",)),
        st.just(("half a pass",)),
        st.just(("undo",)),
        st.just(("redo",)),
    ),
    max_size=14,
)


def perform(session: Session, operation: tuple) -> None:
    what, *rest = operation
    ids = [o.id for o in session.objects]
    if what in ("annotate", "clicks") and ids:
        frame, x = rest
        kind = "mask" if what == "annotate" else "clicks"
        session.annotate(frame, square(x), objects=[ids[x % len(ids)]], kind=kind)
    elif what == "object" and len(ids) < 4:
        session.add_object()
    elif what == "remove object" and len(ids) > 1:
        session.remove_object(ids[0])
    elif what == "say" and ids:
        frame, absent = rest
        there = session.masks.ids(frame)
        if absent:
            session.mark_absent(frame, [ids[-1]])
        elif there:
            session.accept(frame, there)
    elif what == "merge objects" and len(ids) > 1:
        session.merge_objects(ids[0], ids[1])
    elif what == "rename" and ids:
        session.update_object(ids[-1], name="other")
    elif what == "propagate":
        session.propagate()
    elif what == "half a pass":
        steps = session.propagation()
        for _, _step in zip(range(2), steps, strict=False):
            pass
        steps.close()
    elif what in ("undo", "redo"):
        getattr(session, what)()


class TestWithoutDrawing:
    def test_accepting_stands_behind_the_mask_that_is_there(self, frames):
        session = make(frames)
        horse, rider = session.add_object("horse"), session.add_object("rider")
        session.annotate(0, square(3), objects=[horse])
        session.propagate()
        shown = session.masks[5].copy()
        session.accept(5)
        np.testing.assert_array_equal(session.masks[5], shown)
        assert session.annotations[5].objects == {horse}
        assert session.marks == {(0, horse): "drawn", (5, horse): "verified"}
        assert (session.rounds[-1].kind, session.rounds[-1].seconds) == ("verified", 3.0)
        assert session.quality[5, 0] == 1.0
        with pytest.raises(ValueError, match=f"object {rider} has no mask on frame 5"):
            session.accept(5, [rider])
        with pytest.raises(ValueError, match="frame 2 shows no mask"):
            make(frames).accept(2)
        assert session.can_undo == "acceptance on frame 5"

    def test_an_absent_object_is_gone_and_does_not_come_back(self, frames):
        session = make(frames)
        horse = session.add_object("horse")
        session.annotate(0, square(3), objects=[horse])
        session.propagate()
        session.mark_absent(6, [horse])
        session.propagate()
        assert session.marks[6, horse] == "absent"
        assert not session.masks[6].any()
        assert not session.masks[N - 1].any()
        assert session.masks[1].any()
        assert session.rounds[-1].seconds == 3.0
        with pytest.raises(ValueError, match="has pixels"):
            session.annotate(7, square(3), objects=[horse], kind="absent")

    def test_an_object_that_is_painted_over_wholly_is_absent_for_all(self, frames):
        session = make(frames)
        horse, rider = session.add_object("horse"), session.add_object("rider")
        session.annotate(3, square(4, size=4), objects=[horse])
        session.annotate(3, square(2, y=6, size=10), objects=[rider])
        assert session.annotations[3].present == {rider}
        assert session.marks == {(3, horse): "absent", (3, rider): "drawn"}

    @pytest.mark.parametrize("absent_first", [True, False])
    def test_what_is_only_said_to_be_absent_is_as_good_in_either_order(self, frames, absent_first):
        session = make(frames)
        horse, rider = session.add_object("horse"), session.add_object("rider")
        if absent_first:
            session.mark_absent(2, [horse])
        session.annotate(0, square(3), objects=[rider])
        session.propagate()
        if not absent_first:
            session.mark_absent(2, [horse])
            session.propagate()
        assert not session.stale
        assert session.quality[:, 0].tolist() == [QUALITY_OF_NOTHING] * 2 + [1.0] + (
            [QUALITY_OF_NOTHING] * (N - 3)
        )

    def test_a_correction_is_told_from_a_drawing(self, frames):
        session = make(frames)
        horse = session.add_object("horse")
        session.annotate(0, square(3), objects=[horse])
        session.annotate(1, square(3), objects=[horse])
        session.propagate()
        session.annotate(5, square(9), objects=[horse], kind="clicks")
        session.annotate(0, square(4), objects=[horse])
        assert [session.marks[f, horse] for f in (0, 1, 5)] == ["drawn", "drawn", "corrected"]
        session.remove_annotation(5, horse)
        assert (5, horse) not in session.marks

    def test_an_import_is_refused_where_only_what_is_locked_would_be_under_it(self, frames):
        session = make(frames)
        horse, rider = session.add_object("horse"), session.add_object("rider")
        session.annotate(0, square(3), objects=[rider])
        session.annotate(3, square(2, y=6, size=10), objects=[horse])
        session.propagate()
        session.update_object(horse, locked=True)
        before = picture(session)
        with pytest.raises(ValueError, match="object 2 on frame 3 lies wholly on locked objects"):
            session.import_masks({3: np.uint8(rider) * square(4)})
        assert picture(session) == before


class TestMerging:
    def test_the_two_are_one_everywhere(self, frames):
        session = make(frames)
        front, back, other = (session.add_object() for _ in range(3))
        session.annotate(0, square(2), objects=[front])
        session.annotate(0, square(12), objects=[back])
        session.annotate(4, square(20, 1), objects=[other])
        session.propagate()
        before = session.masks.array()
        session.merge_objects(back, front)
        after = session.masks.array()
        np.testing.assert_array_equal(after == front, (before == front) | (before == back))
        np.testing.assert_array_equal(after == other, before == other)
        assert [o.id for o in session.objects] == [front, other]
        assert session.annotations[0].objects == {front}
        assert set(session.annotations) == {0, 4}
        session.propagate()
        np.testing.assert_array_equal(session.masks[3] == front, square(2) | square(12))

    def test_a_frame_where_one_was_drawn_takes_the_other_in(self, frames):
        session = make(frames)
        front, back = session.add_object(), session.add_object()
        session.annotate(0, square(2), objects=[front])
        session.annotate(0, square(12), objects=[back])
        session.propagate()
        session.annotate(5, square(3), objects=[front])
        session.merge_objects(back, front)
        np.testing.assert_array_equal(session.annotations[5].labels > 0, square(3) | square(12))

    def test_that_one_is_absent_does_not_speak_for_both(self, frames):
        session = make(frames)
        front, back = session.add_object(), session.add_object()
        session.annotate(0, square(2), objects=[front])
        session.annotate(0, square(12), objects=[back])
        session.mark_absent(3, [back])
        session.mark_absent(6, [back, front])
        session.merge_objects(back, front)
        assert set(session.annotations) == {0, 6}
        assert session.marks == {(0, front): "drawn", (6, front): "absent"}

    def test_what_was_only_said_to_be_absent_makes_nothing_worse(self, frames):
        session = make(frames)
        horse, mistake = session.add_object(), session.add_object()
        session.annotate(0, square(2), objects=[horse])
        session.mark_absent(3, [mistake])
        session.propagate()
        before = session.quality[:, 0].copy()
        session.merge_objects(mistake, horse)
        np.testing.assert_array_equal(session.quality[:, 0], before)

    def test_what_cannot_be_merged_is_named(self, frames):
        session = make(frames)
        front, back = session.add_object(), session.add_object("back")
        with pytest.raises(ValueError, match="into itself"):
            session.merge_objects(front, front)
        with pytest.raises(ValueError, match="no object 9"):
            session.merge_objects(front, 9)
        session.update_object(back, locked=True)
        with pytest.raises(ValueError, match=r"object 2 \(back\) is locked"):
            session.merge_objects(front, back)


class TestParts:
    def test_a_pass_over_a_range_touches_nothing_else(self, frames):
        session = make(frames)
        session.annotate(0, square(3), objects=[session.add_object()])
        assert session.propagate(frames=range(3, 6)) == 3
        assert session.stale == set(range(1, N)) - {3, 4, 5}
        assert session.propagate(frames=range(3, 6)) == 0
        assert session.propagate() == N - 4

    def test_only_with_the_last_part_is_a_pass_at_its_end(self, frames):
        session = make(frames)
        obj = session.add_object()
        session.annotate(0, square(3), objects=[obj])
        session.snooze(5, obj)
        session.propagate(frames=range(3, 6))
        assert session.curve == ()
        assert session.state.snoozed == {(5, obj)}
        session.propagate(frames=range(N))
        assert len(session.curve) == 1
        assert not session.state.snoozed

    def test_alternatives_lie_apart(self, frames):
        session = make(frames)
        horse = session.add_object()
        session.annotate(0, square(3), objects=[horse])
        session.propagate()
        first, second, third = session.suggestions(3)
        assert session.suggest() == first
        session.accept(first.frame)
        assert [s.frame for s in session.suggestions(2)] == [second.frame, third.frame]
        assert len({0, first.frame, second.frame, third.frame}) == 4
        assert not session.state.snoozed
        assert make(frames).suggestions() == []


class TestHistory:
    @given(OPERATIONS)
    @settings(max_examples=60, deadline=None)
    def test_redo_after_undo_brings_everything_back(self, operations):
        frames = np.zeros((N, H, W, 3), np.uint8)
        session = make(frames)
        session.add_object()
        for operation in operations:
            perform(session, operation)
        before, n = picture(session), 0
        while session.undo() is not None:
            n += 1
        assert not session.objects
        assert session.masks.array().max() == 0
        for _ in range(n):
            session.redo()
        assert picture(session) == before

    def test_new_change_forgets_redo(self, frames):
        session = make(frames)
        session.add_object()
        session.undo()
        session.add_object()
        assert session.can_redo is None

    def test_labels_say_what_would_happen(self, frames):
        session = make(frames)
        obj = session.add_object()
        session.annotate(4, square(3), objects=[obj], kind="clicks")
        assert session.can_undo == "clicks on frame 4"
        assert session.undo() == session.can_redo == "clicks on frame 4"

    def test_import_is_one_step(self, frames):
        session = make(frames)
        labels = np.stack([square(i) * np.uint8(1) + square(i + 8) * np.uint8(2) for i in range(N)])
        assert session.import_masks(labels) == list(range(N))
        assert [o.id for o in session.objects] == [1, 2]
        assert not session.stale
        session.undo()
        assert not session.objects


class TestJournal:
    @given(OPERATIONS)
    @settings(max_examples=40, deadline=None)
    def test_opening_again_gives_the_same_session(self, tmp_path_factory, operations):
        folder = tmp_path_factory.mktemp("session") / "s"
        frames = np.zeros((N, H, W, 3), np.uint8)
        session = make(frames, folder)
        session.add_object()
        for operation in operations:
            perform(session, operation)
        before, undo, redo = picture(session), session.can_undo, session.can_redo
        session.close()
        again = Session.open(folder, frames, propagator=NearestCopy(), predictor=Disks())
        assert picture(again) == before
        assert (again.can_undo, again.can_redo) == (undo, redo)
        again.close()

    def test_file_cut_anywhere_gives_what_was_acknowledged(self, frames, tmp_path):
        session = make(frames, tmp_path / "s")
        obj = session.add_object()
        journal = tmp_path / "s/journal.jsonl"
        sizes = []
        for frame in range(3):
            session.annotate(frame, square(frame), objects=[obj])
            sizes.append(journal.stat().st_size)
        session.close()
        whole = journal.read_bytes()
        (tmp_path / "s/masks.npz").unlink()
        for cut in range(sizes[0], len(whole) + 1, 7):
            journal.write_bytes(whole[:cut])
            again = make(frames, tmp_path / "s")
            # A line is whole when its checksum fits, with its line feed or without.
            assert len(again.annotations) == sum(size - 1 <= cut for size in sizes)
            again.annotate(8, square(1), objects=[obj])  # and it goes on from there
            again.close()

    def test_damaged_line_is_left_out_and_named(self, frames, tmp_path):
        session = make(frames, tmp_path / "s")
        obj = session.add_object()
        for frame in range(3):
            session.annotate(frame, square(frame), objects=[obj])
        session.close()
        journal = tmp_path / "s/journal.jsonl"
        lines = journal.read_bytes().splitlines(keepends=True)
        lines[3] = lines[3].replace(b'"seconds":80', b'"seconds":81')
        journal.write_bytes(b"".join(lines))
        with pytest.warns(UserWarning, match="line 4"):
            again = make(frames, tmp_path / "s")
        assert sorted(again.annotations) == [0, 2]

    def test_another_video_is_refused(self, frames, tmp_path):
        make(frames, tmp_path / "s").close()
        with pytest.raises(ValueError, match="another video"):
            make(frames[:-1], tmp_path / "s")

    def test_array_video_must_be_given_again(self, frames, tmp_path):
        make(frames, tmp_path / "s").close()
        with pytest.raises(ValueError, match="video=frames"):
            Session.open(tmp_path / "s")

    def test_engines_given_by_name_come_back(self, frames, tmp_path):
        options = {"frame_selector": "farthest-in-time", "annotation_selector": "mask"}
        make(frames, tmp_path / "s", **options).close()
        again = Session.open(tmp_path / "s", frames)
        assert again.annotation_selector.name == "mask"
        assert (again.propagator.name, again.predictor.name) == ("compact", "compact")
        again.close()

    def test_an_engine_without_usable_weights_is_replaced_and_that_is_said(self, frames, tmp_path):
        wrong = tmp_path / "wrong.safetensors"
        wrong.write_bytes(b"not weights at all")
        with pytest.warns(UserWarning, match="flow.*does not hold the compact network"):
            session = make(frames, tmp_path / "s", propagator=f"compact:{wrong}")
        assert session.propagator.name == "flow"
        assert any(str(wrong) in sentence for sentence in session.warnings)
        session.close()

    def test_sessions_that_share_a_predictor_never_share_a_picture(self, frames):
        keys = set()

        class Predictor(MaskPredictor):
            name = "keys"

            def predict(self, image, prompts, *, key):
                keys.add(key)
                nothing = np.zeros(image.shape[:2], np.float32)
                return Prediction(nothing > 0, nothing, 0.0)

        for _ in range(20):  # an address may be used again as soon as its video is gone
            with Session(frames.copy(), predictor=Predictor(), path=None) as session:
                obj = session.add_object()
                session.predict(0, obj)
            del session
            gc.collect()
        assert len(keys) == 20

    def test_nothing_at_the_path(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"journal\.jsonl"):
            Session.open(tmp_path)

    def test_later_session_of_the_process_takes_over(self, frames, tmp_path):
        first = make(frames, tmp_path / "s")
        first.add_object("horse")
        second = make(frames, tmp_path / "s")
        assert second.objects == first.objects
        with pytest.raises(RuntimeError, match="closed"):
            first.add_object()

    def test_other_process_is_kept_out(self, frames, tmp_path):
        session = make(frames, tmp_path / "s")
        code = (
            "import sys; from evavos_widget.session.journal import Journal\n"
            f"try: Journal({str(tmp_path / 's')!r})\n"
            "except RuntimeError as e: print(e); sys.exit(3)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 3
        assert "open in another process" in done.stdout
        session.close()


def test_many_threads_lose_no_annotation(frames, tmp_path):
    session = make(frames, tmp_path / "s")
    ids = [session.add_object() for _ in range(4)]

    def work(obj: int) -> None:
        for frame in range(N):
            session.annotate(frame, square(6 * obj, size=4), objects=[obj])
            session.propagate()

    threads = [threading.Thread(target=work, args=(i,)) for i in ids]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    session.close()
    again = make(frames, tmp_path / "s")
    assert len(again.rounds) == 4 * N
    assert all(a.objects == set(ids) for a in again.annotations.values())


def test_listeners_hear_of_changes_until_they_leave(frames):
    session = make(frames)
    heard = []
    leave = session.subscribe(lambda event, payload: heard.append((event, payload)))
    obj = session.add_object()
    session.annotate(0, square(3), objects=[obj])
    session.propagate()
    assert ("changed", {"kind": "annotate", "round": session.rounds[-1]}) in heard
    assert {p["frame"] for e, p in heard if e == "frame"} == set(range(1, N))
    again = session.subscribe(lambda event, payload: heard.append((event, payload)))
    leave()
    leave()  # no harm, nor to who came later
    n = len(heard)
    session.undo()
    assert len(heard) == n + 1
    again()
    session.redo()
    assert len(heard) == n + 1


def test_a_listener_that_fails_hides_nothing_from_the_others(frames, tmp_path, caplog):
    session = make(frames, tmp_path / "s")
    heard = []

    def plot(event, payload):
        raise ZeroDivisionError("no curve yet")

    session.subscribe(plot)
    session.subscribe(lambda event, payload: heard.append(event))
    obj = session.add_object()
    session.annotate(0, square(3), objects=[obj])
    assert heard == ["changed", "changed"]
    session.close()
    assert heard[-1] == "closed"
    assert len(caplog.records) == 3
    assert re.search("plot.* failed; what it was told of .* is done. Mend it", caplog.text)
    assert "ZeroDivisionError: no curve yet" in caplog.text
    assert make(frames, tmp_path / "s").rounds


def test_what_is_no_collection_of_frames_is_named(frames):
    with pytest.raises(TypeError, match=r"frames is 5; give several, as in frames=range"):
        make(frames).propagate(frames=5)
    with pytest.raises(TypeError, match="a mask for frame '0'; give whole numbers"):
        make(frames).import_masks({"0": square(3)})


def test_masks_that_say_who_is_absent_say_so_aloud(frames):
    session = make(frames)
    one, two = square(3).astype(np.uint8), 2 * square(20).astype(np.uint8)
    with pytest.warns(
        UserWarning, match=r"of 2 frames with masks, object 1 from 1, object 2 from 1"
    ):
        session.import_masks({0: one, 4: two})
    assert 1 not in session.annotations[4].present
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        session.import_masks({0: one + two, 5: one + two})
        session.import_masks({6: two}, objects=[2])
    with pytest.raises(ValueError, match=r"the masks in what was given \(dict\) hold no object"):
        session.import_masks({0: np.zeros_like(one)})


class Marching(ChainedPropagator):
    """A square that goes a pixel a frame; a step takes its time, as those of networks do."""

    name = "marching"

    class Chain(MaskChain):
        def extend(self, frames):
            time.sleep(0.002)
            mask = np.roll(self.mask(self.length - 1), self.direction, 1)
            time.sleep(0.002)
            self._append(mask)

        def rest(self):
            pass

    def _open(self, video):
        return None

    def _begin(self, source, direction, mask):
        return self.Chain(source, direction, mask, mask.shape)


@pytest.mark.parametrize("threads", [True, False])
def test_two_passes_at_once_find_what_one_finds(frames, threads):
    """The page's pass, and one in a cell or of the verifier."""

    def begun():
        session = make(frames, propagator=Marching())
        obj = session.add_object()
        session.annotate(0, square(3), objects=[obj])
        return session

    alone = begun()
    alone.propagate()
    session = begun()
    if threads:
        both = [threading.Thread(target=session.propagate) for _ in range(2)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
    else:
        for _ in zip_longest(session.propagation(), session.propagation()):
            pass
    assert not session.stale
    assert np.array_equal(session.masks.array(), alone.masks.array())
    session.annotate(4, square(12), objects=[1])
    alone.annotate(4, square(12), objects=[1])
    for each in (session, alone):
        each.propagate()
    assert np.array_equal(session.masks.array(), alone.masks.array())


@pytest.mark.parametrize("names", ["{:05d}.png", "f{}.png"])
def test_a_folder_that_grew_is_opened_as_it_was(tmp_path, frames, names):
    for i, frame in enumerate(frames[:4]):
        (tmp_path / "clip").mkdir(exist_ok=True)
        Image.fromarray(frame).save(tmp_path / "clip" / names.format(i))
        if i == 2:
            with make(tmp_path / "clip", tmp_path / "s") as session:
                session.add_object()
    again = Session.open(tmp_path / "s", propagator=NearestCopy(), predictor=Disks())
    assert again.video.n_frames == 3
    assert len(again.objects) == 1


def test_what_may_only_be_read_is_exported_into_the_working_folder(frames, tmp_path, monkeypatch):
    session = make(frames, tmp_path / "s")
    session.annotate(0, square(3), objects=[session.add_object()])
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert session.export("davis").parent == tmp_path / "s"
    session.close()
    session = make(frames, tmp_path / "s", read_only=True)
    assert session.export("davis").parent == tmp_path / "s"
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert session.export("davis").absolute().parent == tmp_path / "here"


class TestWhatIsAskedNext:
    def test_an_object_without_annotations_is_asked_for_when_nothing_else_is_left(self, frames):
        session = make(frames)
        first, second = session.add_object(), session.add_object()
        session.annotate(0, square(2), objects=[first])
        session.propagate()
        for frame in range(1, N):
            assert session.suggest().object == first
            session.accept(frame, [first])
        asked = session.suggest()
        assert (asked.frame, asked.object, asked.kind) == (0, second, "mask")
        session.mark_absent(0, [second])
        assert session.suggest().object == second

    def test_the_first_frame_can_be_put_off(self, frames):
        session = make(frames)
        obj = session.add_object()
        assert session.suggest().frame == 0
        session.snooze(0, obj)
        assert session.suggest().frame == 1
        for frame in range(1, N):
            session.snooze(frame, obj)
        assert session.suggest() is None

    def test_an_alternative_may_be_another_object_in_doubt_on_the_same_frame(self, frames):
        session = make(frames)
        ids = [session.add_object(), session.add_object()]
        for frame in range(N):
            for obj in ids:
                trust = 0.1 if frame == 3 else 1.0
                session.annotate(frame, square(10 * obj), objects=[obj], trust=trust)
        assert [(s.frame, s.object) for s in session.suggestions()] == [(3, ids[0]), (3, ids[1])]

    def test_a_selector_may_count_with_numpy(self, frames):
        class Third(FrameSelector):
            name = "third"

            def select(self, state):
                return FrameChoice(np.int64(2), np.int64(1), "the third frame")

        session = make(frames, frame_selector=Third())
        session.annotate(0, square(2), objects=[session.add_object()])
        asked = session.suggest()
        assert json.loads(json.dumps(asdict(asked)))["frame"] == 2

    @pytest.mark.parametrize(
        ("chosen", "said"),
        [
            (FrameChoice(N, 1, "behind the end"), f"it chose frame {N} of {N}, which are 0 to"),
            (FrameChoice(-1, 1, "the last one"), "it chose frame -1 of"),
            (FrameChoice(float("nan"), 1, "an arg min"), "it chose frame nan, no whole number"),
            (FrameChoice(np.array([3]), 1, "an array"), r"it chose frame array\(\[3\]\)"),
            (FrameChoice(3, 77, "a stranger"), r"it chose object 77, and there are \(1, 2\)"),
            (FrameChoice(3, None, "nobody"), "it chose object None"),
            (FrameChoice(3, 1, None), "its reason is None"),
            ((3, 1), r"it returned \(3, 1\) \(tuple\), which is no FrameChoice"),
            (KeyError("quality"), "it raised KeyError: 'quality'"),
        ],
    )
    def test_a_frame_that_cannot_be_annotated_is_refused(self, frames, tmp_path, chosen, said):
        class Mine(FrameSelector):
            name = "mine"

            def select(self, state):
                if isinstance(chosen, Exception):
                    raise chosen
                return chosen

        with make(frames, tmp_path / "s", frame_selector=Mine()) as session:
            for x in (2, 20):
                session.annotate(0, square(x), objects=[session.add_object()])
            session.propagate()
            before = picture(session)
            with pytest.raises(SelectorError, match=f"frame selector 'mine' .*{said}.*; mend it"):
                session.suggest()
            assert picture(session) == before
            session.annotate(4, square(5), objects=[1])  # the work goes on without it

    @pytest.mark.parametrize(
        ("chosen", "said"),
        [
            (
                AnnotationChoice("lasso", 3.0, 0.1, "new"),
                "it chose 'lasso', and the types are mask",
            ),
            (AnnotationChoice(1, 3.0, 0.1, "an action"), "it chose 1, and the types are mask"),
            (AnnotationChoice("mask", np.nan, 0.1, "nan"), "its seconds are nan"),
            (AnnotationChoice("mask", -4, 0.1, "less"), "its seconds are -4"),
            (AnnotationChoice("mask", None, 0.1, "none"), "its seconds are None"),
            (AnnotationChoice("mask", 3.0, np.nan, "nan"), "its expected gain is nan"),
            (AnnotationChoice("mask", 3.0, 35.0, "per cent"), "its expected gain is 35.0"),
            ("clicks", r"it returned 'clicks' \(str\), which is no AnnotationChoice"),
            (RuntimeError("shapes (7,) and (9, 2)"), r"it raised RuntimeError: shapes \(7,\)"),
        ],
    )
    def test_a_type_that_cannot_be_asked_for_is_refused(self, frames, chosen, said):
        class Mine(AnnotationSelector):
            name = "mine"

            def select(self, state, choice):
                if isinstance(chosen, Exception):
                    raise chosen
                return chosen

        session = make(frames, annotation_selector=Mine())
        session.annotate(0, square(2), objects=[session.add_object()])
        session.propagate()
        with pytest.raises(SelectorError, match=f"annotation selector 'mine' .*{said}"):
            session.suggest()

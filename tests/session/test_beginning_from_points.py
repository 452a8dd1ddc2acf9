"""Masks that are carried on from the points of a session, where somebody asks for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_weights import write_small_weights

from evavos_widget.loop import Propagator, in_doubt
from evavos_widget.points import Point
from evavos_widget.probabilities import TRUST_OF_POINTS
from evavos_widget.propagation.compact import CompactPropagator
from evavos_widget.session import Session
from evavos_widget.session.storage import Storage
from evavos_widget.testing import Disks, NearestCopy, NearestSquares

N, H, W = 6, 16, 20
FRAMES = np.arange(N * H * W * 3).reshape(N, H, W, 3).astype(np.uint8)


def square(x: int) -> np.ndarray:
    mask = np.zeros((H, W), bool)
    mask[4:9, x : x + 5] = True
    return mask


def make(path: Path | None = None, propagator: Propagator | None = None) -> Session:
    return Session(FRAMES, path=path, propagator=propagator or NearestSquares(), predictor=Disks())


def begun(path: Path | None = None) -> tuple[Session, int]:
    """A session with an object that begins from a point on frame 2, at (5, 6)."""
    session = make(path)
    obj = session.add_object()
    session.label_points(2, obj, [(5, 6, "positive"), (15, 6, "negative"), (9, 6, "unknown")])
    session.begin_from_points(2, obj)
    return session, obj


def test_a_pass_starts_from_the_points_and_gives_their_frame_a_mask_too() -> None:
    session, obj = begun()
    annotation = session.annotations[2]
    assert annotation.points == {obj: (Point(5, 6), Point(15, 6, "negative"))}
    assert annotation.present == {obj}
    assert annotation.sources[obj].kind == "pointed"
    assert session.stale == set(range(N))
    assert session.quality[2, 0] == pytest.approx(TRUST_OF_POINTS)
    assert session.propagate() == N
    for frame in range(N):
        assert np.array_equal(session.masks[frame] == obj, square(3))
    assert session.quality[2, 0] == pytest.approx(TRUST_OF_POINTS)
    assert session.seconds == pytest.approx(3 * 0.95)  # the answers alone are paid for


def test_the_frame_may_be_asked_for_again_as_it_is_not_trusted_wholly() -> None:
    session, obj = begun()
    session.propagate()
    assert in_doubt(session.state, obj) == {2: pytest.approx(1 - TRUST_OF_POINTS)}
    session.annotate(2, square(3), objects=[obj])
    assert in_doubt(session.state, obj) == {}


def test_undo_redo_and_the_name_of_the_step() -> None:
    session, obj = begun()
    session.propagate()
    assert session.can_undo == "beginning from points on frame 2"
    session.undo()
    assert not session.annotations
    assert not session.stale
    assert not session.masks.ids()
    assert len(session.points[2, obj]) == 3
    session.redo()
    session.propagate()
    assert np.array_equal(session.masks[5] == obj, square(3))


@pytest.mark.parametrize("saved", [True, False])
def test_a_session_that_is_opened_again_is_the_same(tmp_path: Path, saved: bool) -> None:
    session, obj = begun(tmp_path / "s")
    session.propagate()
    before = session.annotations[2]
    session.close()
    if not saved:
        (tmp_path / "s/masks.npz").unlink()
    with make(tmp_path / "s") as again:
        assert again.annotations[2].points == before.points
        assert again.annotations[2].sources == before.sources
        assert again.stale == (frozenset() if saved else set(range(N)))
        again.propagate()
        assert np.array_equal(again.masks[0] == obj, square(3))
        assert again.undo() == "beginning from points on frame 2"
        assert not again.annotations


@pytest.mark.parametrize("saved", [True, False])
@pytest.mark.parametrize("reached", [True, False])
def test_whether_it_corrected_a_mask_is_the_same_when_opened_again(
    tmp_path: Path, reached: bool, saved: bool
) -> None:
    with make(tmp_path / "s") as session:
        obj = session.add_object()
        if reached:
            session.annotate(0, square(3), objects=[obj])
            session.propagate()
        session.label_points(3, obj, [(5, 6, "positive")])
        session.begin_from_points(3, obj)
        before = dict(session.marks)
        assert session.annotations[3].sources[obj].corrects == reached
    if not saved:
        (tmp_path / "s/masks.npz").unlink(missing_ok=True)
    with make(tmp_path / "s") as again:
        assert dict(again.marks) == before


@pytest.mark.parametrize("saved", [True, False])
def test_a_journal_that_does_not_say_what_it_corrected_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saved: bool
) -> None:
    write = Storage.write

    def as_before(storage: Storage, line: dict) -> int:
        events = [{k: v for k, v in e.items() if k != "corrects"} for e in line.get("events", ())]
        return write(storage, {**line, "events": events} if events else line)

    with monkeypatch.context() as patched:
        patched.setattr(Storage, "write", as_before)
        session, obj = begun(tmp_path / "s")
        session.propagate()
        session.close()
    assert '"points.begin"' in (journal := (tmp_path / "s/journal.jsonl").read_text())
    assert '"corrects"' not in journal
    if not saved:
        (tmp_path / "s/masks.npz").unlink()
    with make(tmp_path / "s") as again:
        assert not again.warnings
        assert again.marks == {(2, obj): "drawn"}


def test_what_is_said_of_more_pixels_is_taken_in() -> None:
    session, obj = begun()
    session.propagate()
    session.label_points(2, obj, [(12, 6, "unknown")])
    assert not session.stale  # nothing follows from it
    session.label_points(2, obj, [(12, 6, "positive")])
    assert session.stale == set(range(N))
    session.propagate()
    assert np.array_equal(session.masks[4] == obj, square(3) | square(10))
    session.undo()
    assert session.annotations[2].points[obj] == (Point(5, 6), Point(15, 6, "negative"))
    session.label_points(3, obj, [(1, 1, "positive")])  # of another frame
    assert session.annotations.keys() == {2}


def test_without_a_point_on_the_object_there_is_nothing_to_begin_from() -> None:
    session, obj = begun()
    session.remove_points(2, obj, [(5, 6)])
    assert not session.annotations
    session.undo()
    session.label_points(2, obj, [(5, 6, "negative")])
    assert not session.annotations
    with pytest.raises(ValueError, match="no point on frame 2 is on object 1"):
        session.begin_from_points(2, obj)


def test_a_mask_takes_the_place_of_the_points_and_other_objects_keep_theirs() -> None:
    session, obj = begun()
    other = session.add_object()
    session.annotate(2, square(12), objects=[other])
    assert session.annotations[2].points.keys() == {obj}
    assert 2 in session.stale  # whose mask of the first object waits for a pass
    session.propagate()
    assert np.array_equal(session.masks[2], square(3) * obj + square(12) * other)
    session.annotate(2, square(4), objects=[obj])
    assert not session.annotations[2].points
    assert session.annotations[2].sources[obj].kind == "drawn"
    with pytest.raises(ValueError, match="annotated on frame 2 without points"):
        session.begin_from_points(2, obj)
    session.remove_annotation(2, obj)
    session.begin_from_points(2, obj)
    assert session.annotations[2].objects == {obj, other}
    assert np.array_equal(session.annotations[2].labels, square(12) * np.uint8(other))


def test_absence_an_object_that_goes_and_an_annotation_that_is_taken_back() -> None:
    for act in (
        lambda session, obj: session.mark_absent(2, [obj]),
        lambda session, obj: session.remove_object(obj),
        lambda session, obj: session.remove_annotation(2, obj),
    ):
        session, obj = begun()
        other = session.add_object()
        session.label_points(2, other, [(15, 10, "positive")])
        session.begin_from_points(2, other)
        act(session, obj)
        assert session.annotations[2].points.keys() == {other}
        session.propagate()
        assert session.masks.ids(2) == {other}


@pytest.mark.parametrize("propagated", [True, False])
def test_merging_objects_that_begin_from_points(propagated: bool) -> None:
    session, a = begun()
    b = session.add_object()
    session.label_points(2, b, [(15, 6, "positive"), (1, 1, "negative")])
    session.begin_from_points(2, b, trust=0.4)
    if propagated:
        session.propagate()
    session.merge_objects(b, a)
    assert session.annotations[2].trust(a) == pytest.approx(0.4)
    assert session.annotations[2].present == {a}
    # Without a pass there is no mask to merge, so that the points stand for the two.
    assert bool(session.annotations[2].points) != propagated
    session.propagate()
    for frame in range(N):
        assert np.array_equal(session.masks[frame] == a, square(3) | square(13))


def test_export_has_the_mask_that_was_made_of_them(tmp_path: Path) -> None:
    session, obj = begun()
    session.propagate()
    session.export("davis", tmp_path / "out")
    written = sorted((tmp_path / "out").rglob("*.png"))
    assert len(written) == N
    for file in written:
        assert np.array_equal(np.asarray(Image.open(file)) == obj, square(3))


def test_a_propagator_that_takes_masks_alone_says_so(tmp_path: Path) -> None:
    session = make(propagator=NearestCopy())
    obj = session.add_object()
    session.label_points(2, obj, [(5, 6, "positive")])
    with pytest.raises(ValueError, match="'nearest-copy' does not take points"):
        session.begin_from_points(2, obj)
    assert not session.annotations
    session, obj = begun(tmp_path / "s")
    session.close()
    with make(tmp_path / "s", NearestCopy()) as other:  # can be opened, and mended
        with pytest.raises(ValueError, match="does not take points"):
            other.propagate()
        other.annotate(2, square(3), objects=[obj])
        other.propagate()
        assert np.array_equal(other.masks[0] == obj, square(3))


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda session, obj: session.begin_from_points(4, obj), "no point on frame 4"),
        (lambda session, obj: session.begin_from_points(9, obj), "frame 9"),
        (lambda session, obj: session.begin_from_points(2, 7), "7"),
        (lambda session, obj: session.begin_from_points(2, obj, trust=2), "trust is 2"),
    ],
)
def test_what_cannot_be_begun_is_refused(act: Callable[[Session, int], object], says: str) -> None:
    session, obj = begun()
    before = session.annotations
    with pytest.raises((ValueError, IndexError), match=says):
        act(session, obj)
    session.update_object(obj, locked=True)
    with pytest.raises(ValueError, match="locked"):
        session.begin_from_points(2, obj)
    assert session.annotations is before


def test_compact_carries_on_from_the_points_of_a_session(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (4, 64, 96, 3), dtype=np.uint8)
    engine = CompactPropagator(write_small_weights(tmp_path), "cpu")
    with Session(frames, path=None, propagator=engine, predictor=Disks()) as session:
        drawn, pointed = session.add_object(), session.add_object()
        mask = np.zeros((64, 96), bool)
        mask[8:30, 8:30] = True
        session.annotate(1, mask, objects=[drawn])
        session.label_points(1, pointed, [(60, 40, "positive"), (70, 50, "negative")])
        session.begin_from_points(1, pointed)
        session.propagate()
        assert session.masks[1][40, 60] == pointed
        assert session.masks[1][50, 70] != pointed
        assert np.array_equal(session.masks[1] == drawn, mask)
        assert not session.stale

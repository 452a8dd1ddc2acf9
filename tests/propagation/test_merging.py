"""What comes of several annotations: compared with every frame propagated anew."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from clips import Clip
from scipy import ndimage

from evavos_widget.loop import Annotation, Source
from evavos_widget.propagation.chained import ChainedPropagator, MaskChain
from evavos_widget.propagation.flow import FlowPropagator
from evavos_widget.sources import ABSENT_REACH
from evavos_widget.video import Video

Given = Mapping[int, Annotation]


def propagated(engine: FlowPropagator, clip: Clip, given: Given, frames: range | None = None):
    steps = engine.propagate(clip, given, [1, 2], frames or range(clip.n_frames))  # type: ignore
    return {s.frame: s.probabilities for s in steps if s.probabilities is not None}


def doubted(clip: Clip, frame: int, trust: float, *objects: int) -> Annotation:
    labels = clip.annotation(frame, *objects).labels
    return Annotation(labels, objects, dict.fromkeys(objects, Source("clicked", trust)))


def absent(clip: Clip, *objects: int) -> Annotation:
    labels = np.zeros((clip.height, clip.width), np.uint8)
    return Annotation(labels, objects, dict.fromkeys(objects, Source("absent")))


@pytest.fixture(scope="module")
def clip() -> Clip:
    return Clip(12)


@pytest.mark.parametrize("merge", ["trust", "nearest"])
def test_affected_is_exactly_what_a_change_changes(clip, merge):
    """Two objects with annotations of every kind: nothing but what is said changes, to the bit."""
    moved = Annotation(np.roll(clip.annotation(6, 1).labels, 7, axis=1), {1})
    grown = ndimage.binary_dilation(clip.annotation(6, 1).labels > 0, iterations=4)
    over = Annotation(2 * grown.astype(np.uint8), {1, 2}, {1: Source("absent")})
    states: list[dict[int, Annotation]] = [
        {0: clip.annotation(0, 1, 2)},
        {0: clip.annotation(0, 1, 2), 6: doubted(clip, 6, 0.4, 1)},
        {0: clip.annotation(0, 1, 2), 6: doubted(clip, 6, 0.9, 1)},
        {0: clip.annotation(0, 1, 2), 6: moved, 11: clip.annotation(11, 2)},
        {0: clip.annotation(0, 1, 2), 6: moved, 11: absent(clip, 2)},
        {3: absent(clip, 1), 6: moved, 11: absent(clip, 2)},
        {0: clip.annotation(0, 1, 2), 6: absent(clip, 1, 2)},
        {0: clip.annotation(0, 1, 2), 6: over},
        {6: moved},
    ]
    engine = FlowPropagator(merge=merge)
    found = [propagated(FlowPropagator(merge=merge), clip, state) for state in states]
    for i, before in enumerate(states):
        for j, after in enumerate(states):
            affected = engine.affected(before, after, clip.n_frames)
            for frame in set(range(clip.n_frames)) - affected:
                np.testing.assert_array_equal(found[i][frame], found[j][frame])
    again = propagated(engine, clip, states[3])
    for state, expected in zip(states, found, strict=True):
        affected = engine.affected(states[3], state, clip.n_frames)
        again_here = again | propagated(engine, clip, state, affected)  # type: ignore[arg-type]
        for frame, probabilities in expected.items():
            np.testing.assert_array_equal(again_here[frame], probabilities)


def test_a_small_object_lost_on_one_side_is_brought_from_the_other(clip):
    """The annotation before is a single wrong pixel; the drawn mask after it is believed."""
    wrong = np.zeros((clip.height, clip.width), np.uint8)
    wrong[70:72, 2:4] = 1
    given = {0: Annotation(wrong, {1}, {1: Source("clicked", 0.1)}), 8: clip.annotation(8, 1)}
    near = 3
    masks = {
        merge: propagated(FlowPropagator(merge=merge), clip, given)[near].argmax(0) == 1
        for merge in ("trust", "nearest")
    }
    truth = clip.labels[near] == 1
    assert (masks["trust"] & truth).sum() > 0.8 * truth.sum()
    assert (masks["nearest"] & truth).sum() == 0


def test_absent_on_one_frame_is_not_half_of_the_gap():
    long = Clip(2 * ABSENT_REACH + 10, 75, 160)
    long.labels[:, :, :] = 0
    long.labels[:, 20:50, 40:80] = 1
    long.labels[:, 52:70, 90:130] = 2
    frames = np.random.default_rng(0).integers(0, 60, long.frames.shape, dtype=np.uint8)
    frames[long.labels == 1] += 150
    frames[long.labels == 2] += 90
    long.frames = frames
    gone = long.n_frames - 3
    given = {0: long.annotation(0, 1, 2), gone: absent(long, 1)}
    found = {f: p.argmax(0) for f, p in propagated(FlowPropagator(), long, given).items()}
    assert not (found[gone] == 1).any()
    assert not (found[gone - 1] == 1).any(), "beside it the object is hardly there"
    for frame in range(gone - ABSENT_REACH):
        assert (found[frame] == 1).any(), "and further on what was drawn counts"
    assert all((labels == 2).any() for labels in found.values()), "others stay"
    wiped = propagated(FlowPropagator(merge="nearest"), long, given)
    assert not (wiped[gone - ABSENT_REACH - 1].argmax(0) == 1).any()


class Counted(ChainedPropagator):
    """Carries a mask on as it is, and counts how often."""

    name = "counted"

    def __init__(self, merge: str) -> None:
        super().__init__(merge=merge)
        self.steps = 0

    def _open(self, video: object) -> Counted:
        return self

    def _begin(self, source: int, direction: int, mask: np.ndarray) -> MaskChain:
        return Copied(source, direction, mask, mask.shape)


class Copied(MaskChain):
    lost: range = range(0)

    def extend(self, frames: Counted) -> None:
        frames.steps += 1
        there = self.source + self.direction * self.length not in self.lost
        self._append(self.mask(0) * np.float32(there))

    def rest(self) -> None:
        pass


class Losing(Counted):
    """Carries a mask on as it is, and has lost it on some frames."""

    def __init__(self, lost: range) -> None:
        super().__init__("trust")
        self.lost = lost

    def _begin(self, source: int, direction: int, mask: np.ndarray) -> MaskChain:
        chain = Copied(source, direction, mask, mask.shape)
        chain.lost = self.lost
        return chain


def test_to_agree_that_an_object_is_absent_changes_no_other_frame():
    """Where a pass brought a mask it is doubted around, and where it brought none it was right."""
    n = 30
    video = Video.open(np.zeros((n, 8, 8, 3), np.uint8), name="still")

    def masks(given: Given) -> dict[int, bool]:
        steps = Losing(range(12, 15)).propagate(video, given, [1], range(n))
        return {
            s.frame: bool((s.probabilities[1] > 0.5).any()) for s in steps if s.frame is not None
        }

    drawn, gone = still(0, 1.0), Annotation(np.zeros((8, 8), np.uint8), {1})
    before = masks({0: drawn})
    assert [f for f in range(n) if not before[f]] == [12, 13, 14]
    assert masks({0: drawn, 13: gone}) == before
    wrong = masks({0: drawn, 20: gone})
    assert not any(wrong[f] for f in (19, 20, 21))
    assert wrong[20 - 9]
    assert wrong[29]
    # One of two absences was agreed to and hides neither the other nor what it says.
    both = masks({0: drawn, 14: gone, 20: gone})
    assert {f: shown for f, shown in both.items() if f > 14} == {f: wrong[f] for f in range(15, n)}


@pytest.mark.parametrize("trust", [1.0, 0.9, 0.8])
def test_a_round_costs_half_as_many_steps_more_at_most(trust):
    """Twenty annotations, each on the frame farthest from the others."""
    n, steps = 70, {}
    video = Video.open(np.zeros((n, 8, 8, 3), np.uint8), name="still")
    for merge in ("nearest", "trust"):
        engine, known = Counted(merge), {0: still(0, 1.0)}
        list(engine.propagate(video, known, [1], range(n)))
        first = engine.steps
        for _ in range(20):
            farthest = max(range(n), key=lambda f: min(abs(f - k) for k in known))
            more = {**known, farthest: still(farthest, trust)}
            waiting = engine.affected(known, more, n)
            list(engine.propagate(video, more, [1], waiting))
            known = more
        steps[merge] = engine.steps - first
    assert steps["trust"] <= 1.6 * steps["nearest"]


def still(frame: int, trust: float) -> Annotation:
    """A mask that no other frame has."""
    labels = np.zeros((8, 8), np.uint8)
    labels[2:6, 2:6] = 1
    labels.flat[frame % 64] ^= 1
    labels.flat[frame // 8] ^= 1
    return Annotation(labels, {1}, {1: Source("drawn" if trust == 1 else "clicked", trust)})

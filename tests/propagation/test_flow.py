from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evavos_widget import engines
from evavos_widget.loop import Annotation
from evavos_widget.propagation.flow import FlowPropagator


class ArrayVideo:
    def __init__(self, frames: np.ndarray) -> None:
        self._frames = frames
        self.n_frames, self.height, self.width = frames.shape[:3]
        self.read: list[int] = []

    def frame(self, index: int) -> np.ndarray:
        self.read.append(index)
        return self._frames[index]


def moving_squares(n_frames=8, height=96, width=160, side=28, speed=4, hidden=()):
    """Two textured squares that move apart over a textured floor, and their label maps."""
    rng = np.random.default_rng(7)

    def texture(shape, colour):
        coarse = rng.integers(-40, 40, (-(-shape[0] // 4), -(-shape[1] // 4), 1))
        fine = np.repeat(np.repeat(coarse, 4, axis=0), 4, axis=1)[: shape[0], : shape[1]]
        return np.clip(np.array(colour) + fine, 0, 255).astype(np.uint8)

    floor = texture((height, width), (120, 120, 110))
    looks = [texture((side, side), (200, 60, 50)), texture((side, side), (50, 80, 200))]
    frames, labels = [], []
    for i in range(n_frames):
        frame, label = floor.copy(), np.zeros((height, width), np.uint8)
        for obj, (look, top) in enumerate(zip(looks, (8, height - side - 8), strict=True), 1):
            if (obj, i) in hidden:
                continue
            left = 10 + speed * i if obj == 1 else width - side - 10 - speed * i
            frame[top : top + side, left : left + side] = look
            label[top : top + side, left : left + side] = obj
        frames.append(frame)
        labels.append(label)
    return ArrayVideo(np.stack(frames)), labels


def annotation(labels, objects=(1, 2)):
    return Annotation(
        np.where(np.isin(labels, objects), labels, 0).astype(np.uint8), frozenset(objects)
    )


def run(engine, video, annotations, objects=(1, 2), frames=None):
    frames = range(video.n_frames) if frames is None else frames
    steps = list(engine.propagate(video, annotations, objects, frames))
    assert [s.done for s in steps] == list(range(1, len(steps) + 1))
    assert {s.total for s in steps} <= {len(steps)}
    found = [s.frame for s in steps if s.frame is not None]
    assert sorted(found) == sorted(set(frames))
    return {s.frame: s.probabilities for s in steps if s.frame is not None}


def iou(a, b):
    return (a & b).sum() / max((a | b).sum(), 1)


@pytest.fixture(scope="module")
def clip():
    return moving_squares()


def test_unknown_engine_names_the_known_ones():
    with pytest.raises(ValueError, match=r"'flwo'.*flow"):
        engines.create("propagator", "flwo")


@pytest.mark.parametrize("annotated", [(0,), (7,), (4,), (1, 6)])
def test_objects_are_followed_from_any_annotated_frames(clip, annotated):
    video, labels = clip
    out = run(FlowPropagator(), video, {f: annotation(labels[f]) for f in annotated})
    for frame, probabilities in out.items():
        assert probabilities.shape == (3, video.height, video.width)
        assert probabilities.dtype == np.float32
        assert probabilities.min() >= 0
        np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-5)
        found = probabilities.argmax(axis=0)
        for obj in (1, 2):
            assert iou(found == obj, labels[frame] == obj) > 0.8
    for frame in annotated:
        np.testing.assert_array_equal(out[frame][1:], [labels[frame] == o for o in (1, 2)])


def test_objects_may_be_annotated_on_different_frames(clip):
    video, labels = clip
    annotations = {0: annotation(labels[0], (1,)), 7: annotation(labels[7], (2,))}
    out = run(FlowPropagator(), video, annotations)
    for frame in range(video.n_frames):
        found = out[frame].argmax(axis=0)
        assert iou(found == 1, labels[frame] == 1) > 0.8
        assert iou(found == 2, labels[frame] == 2) > 0.8
    np.testing.assert_array_equal(out[0][1], labels[0] == 1)
    np.testing.assert_array_equal(out[7][2], labels[7] == 2)


def test_object_without_annotation_or_absent_has_probability_zero(clip):
    video, labels = clip
    annotations = {
        0: annotation(labels[0], (1, 2)),
        6: Annotation(np.where(labels[6] == 2, 2, 0).astype(np.uint8), frozenset({1, 2})),
    }
    out = run(FlowPropagator(), video, annotations, objects=(1, 2, 9))
    assert all(not p[3].any() for p in out.values())
    assert not out[6][1].any()
    assert all(not (out[f][1] > 0.5).any() for f in (5, 6, 7))
    assert all((out[f][1] > 0.5).any() for f in (0, 1, 2))
    assert all((p[2] > 0.5).any() for p in out.values())


def test_only_asked_frames_come_and_only_the_way_there_is_read():
    video, labels = moving_squares()
    run(FlowPropagator(), video, {2: annotation(labels[2])}, frames=[4])
    assert set(video.read) == {2, 3, 4}


def test_hidden_object_is_found_again_near_where_it_was_lost():
    hidden = {(1, 3), (1, 4)}
    video, labels = moving_squares(speed=1, hidden=hidden)
    out = run(FlowPropagator(), video, {0: annotation(labels[0])})
    assert (out[4][1] > 0.5).sum() < 50
    assert iou(out[7].argmax(axis=0) == 1, labels[7] == 1) > 0.6


def test_closing_cancels_and_the_next_call_takes_up_what_was_done(clip):
    video, labels = clip
    annotations = {0: annotation(labels[0])}
    engine = FlowPropagator()
    steps = engine.propagate(video, annotations, (1, 2), range(video.n_frames))
    first = [next(steps) for _ in range(9)]
    steps.close()
    again = list(engine.propagate(video, annotations, (1, 2), range(video.n_frames)))
    carried = sum(s.frame is None for s in first)
    assert again[-1].total == first[-1].total - carried
    fresh = run(FlowPropagator(), video, annotations)
    for step in again:
        if step.frame is not None:
            np.testing.assert_array_equal(step.probabilities, fresh[step.frame])


def test_a_second_video_does_not_see_the_first_ones_masks(clip):
    video, labels = clip
    other = ArrayVideo(np.stack([video.frame(0)] * video.n_frames))
    engine = FlowPropagator()
    run(engine, video, {0: annotation(labels[0])})
    out = run(engine, other, {0: annotation(labels[0])})
    assert iou(out[7].argmax(axis=0) == 1, labels[0] == 1) > 0.8


@pytest.mark.parametrize(
    ("height", "width"), [(479, 853), (8, 8), (9, 301), (301, 9), (200, 113), (1, 1)]
)
def test_any_size(height, width):
    rng = np.random.default_rng(0)
    video = ArrayVideo(rng.integers(0, 255, (3, height, width, 3), dtype=np.uint8))
    labels = np.zeros((height, width), np.uint8)
    labels[height // 4 : height // 4 + max(1, height // 3), : max(1, width // 2)] = 1
    out = run(FlowPropagator(), video, {1: annotation(labels, (1,))}, objects=(1,))
    for probabilities in out.values():
        assert probabilities.shape == (2, height, width)
        np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-5)
    np.testing.assert_array_equal(out[1][1], labels == 1)


def test_an_object_of_one_pixel_and_one_that_fills_the_picture():
    video, _ = moving_squares(n_frames=3, height=480, width=640)
    labels = np.ones((480, 640), np.uint8)
    labels[100, 100] = 2
    out = run(FlowPropagator(), video, {0: annotation(labels)})
    assert (out[2].argmax(axis=0) == 1).mean() > 0.95


def test_many_objects():
    video, _ = moving_squares(n_frames=3)
    labels = np.zeros((video.height, video.width), np.uint8)
    for obj in range(1, 41):
        labels[(obj // 8) * 16 : (obj // 8) * 16 + 12, (obj % 8) * 20 : (obj % 8) * 20 + 14] = obj
    objects = tuple(range(1, 41))
    out = run(FlowPropagator(), video, {0: annotation(labels, objects)}, objects=objects)
    np.testing.assert_allclose(out[2].sum(axis=0), 1, atol=1e-5)


@st.composite
def changes(draw):
    """Annotations before and after an edit: per frame the objects and a shift of the labels."""
    drawn = st.dictionaries(
        st.integers(0, 7),
        st.tuples(st.sets(st.sampled_from([1, 2]), min_size=1), st.sampled_from([0, 0, 5])),
        max_size=3,
    )
    before = draw(drawn)
    return before, {**before, **draw(drawn)} if draw(st.booleans()) else draw(drawn)


@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(changes())
def test_frames_outside_affected_stay_the_same_to_the_bit(clip, change):
    video, labels = clip
    made = {}

    def build(plan):
        return {
            f: made.setdefault(
                (f, frozenset(o), s), annotation(np.roll(labels[f], s, axis=1), tuple(o))
            )
            for f, (o, s) in plan.items()
        }

    before, after = map(build, change)
    engine = FlowPropagator()
    affected = engine.affected(before, after, video.n_frames)
    old, new = run(engine, video, before), run(FlowPropagator(), video, after)
    taken_up = run(engine, video, after)
    for frame in range(video.n_frames):
        np.testing.assert_array_equal(taken_up[frame], new[frame])
        if frame not in affected:
            np.testing.assert_array_equal(old[frame], new[frame])


def test_another_outline_changes_every_affected_frame(clip):
    video, labels = clip
    before = {1: annotation(labels[1]), 6: annotation(labels[6])}
    shrunk = labels[6].copy()
    shrunk[: video.height // 2, : video.width // 2] = 0
    shrunk[8:20] = 0
    after = {**before, 6: annotation(shrunk)}
    engine = FlowPropagator()
    old, new = run(engine, video, before), run(engine, video, after)
    changed = {f for f in old if not np.array_equal(old[f], new[f])}
    assert changed == engine.affected(before, after, video.n_frames) >= {4, 5, 6, 7}

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evavos_widget.loop import Annotation, affected_frames, nearest_annotated, objects_annotated
from evavos_widget.testing import NearestCopy
from evavos_widget.video import Video

N = 12
VIDEO = Video.open(np.zeros((N, 4, 4, 3), np.uint8))


@st.composite
def annotations(draw) -> dict[int, Annotation]:
    """K of two objects on a 4 x 4 picture."""
    k = {}
    for frame in draw(st.sets(st.integers(0, N - 1), max_size=4)):
        spoken = draw(st.sets(st.integers(1, 2), min_size=1))
        labels = np.zeros((4, 4), np.uint8)
        for obj in spoken:
            labels[obj, draw(st.integers(0, 3))] = obj
        k[frame] = Annotation(labels, frozenset(spoken))
    return k


def masks(k: dict[int, Annotation]) -> np.ndarray:
    steps = NearestCopy().propagate(VIDEO, k, [1, 2], range(N))
    return np.stack([s.probabilities for s in sorted(steps, key=lambda s: s.frame)])


@given(annotations(), annotations())
def test_frames_that_change_are_among_the_affected(before, after):
    changed = (masks(before) != masks(after)).any(axis=(1, 2, 3))
    assert set(np.flatnonzero(changed).tolist()) <= affected_frames(before, after, N)


@given(annotations())
def test_nothing_is_affected_by_the_same_annotations(k):
    copies = {f: Annotation(a.labels.copy(), a.objects) for f, a in k.items()}
    assert affected_frames(k, copies, N) == set()


@given(st.sets(st.integers(0, N - 1), min_size=1))
def test_nearest_annotated_is_nearest(annotated):
    ordered = sorted(annotated)
    for frame, source in enumerate(nearest_annotated(ordered, N)):
        assert abs(frame - source) == min(abs(frame - a) for a in ordered)


def test_no_annotation_no_source():
    assert (nearest_annotated([], N) == -1).all()


@given(annotated=st.sets(st.integers(0, 39), max_size=12).map(sorted), n_frames=st.just(40))
def test_the_nearest_annotated_frame_and_of_two_the_earlier(annotated, n_frames):
    found = nearest_annotated(annotated, n_frames).tolist()
    for i, nearest in enumerate(found):
        assert nearest == min(annotated, key=lambda f, i=i: (abs(f - i), f), default=-1)


@given(before=annotations(), more=annotations(), gone=st.sets(st.integers(0, N - 1), max_size=2))
def test_affected_frames_are_those_whose_nearest_annotation_differs(before, more, gone):
    """Most frames keep the very same annotation, as in a session."""
    after = {f: a for f, a in {**before, **more}.items() if f not in gone}
    expected = set()
    for obj in (1, 2):
        a, b = (nearest_annotated(objects_annotated(k, obj), N).tolist() for k in (before, after))
        for i in range(N):
            same = a[i] == b[i] and (
                a[i] < 0 or np.array_equal(before[a[i]].labels == obj, after[b[i]].labels == obj)
            )
            expected |= set() if same else {i}
    assert affected_frames(before, after, N) == expected

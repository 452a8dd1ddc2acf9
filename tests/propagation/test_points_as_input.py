"""Points straight into the value encoder, with STCN and with the compact network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_weights import write_small_weights

from benchmarks.published_stcn import write_random_weights
from evavos_widget.loop import Annotation, Propagator
from evavos_widget.points import Point
from evavos_widget.propagation.compact import CompactPropagator
from evavos_widget.propagation.stcn import StcnPropagator
from evavos_widget.video import Video


@pytest.fixture(scope="module")
def stcn_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_weights(tmp_path_factory.mktemp("weights") / "stcn.pth")


@pytest.fixture(scope="module")
def compact_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_weights(tmp_path_factory.mktemp("weights"))


def clip(n: int = 5, height: int = 64, width: int = 96) -> tuple[Video, np.ndarray]:
    """Two objects, one of them small."""
    random = np.random.default_rng(0)
    frames = random.integers(0, 90, (n, height, width, 3), dtype=np.uint8)
    labels = np.zeros((n, height, width), np.uint8)
    for i in range(n):
        labels[i, 16:40, 8 + 4 * i : 34 + 4 * i] = 1
        labels[i, 44:52, 60 - 4 * i : 70 - 4 * i] = 2
        frames[i][labels[i] > 0] += 150
    return Video.open(frames), labels


def on_every_pixel(labels: np.ndarray, obj: int) -> list[Point]:
    rows, columns = np.indices(labels.shape).reshape(2, -1)
    return [
        Point(int(x), int(y), "positive" if labels[y, x] == obj else "negative")
        for y, x in zip(rows, columns, strict=True)
    ]


def probabilities(
    engine: Propagator, video: Video, given: dict[int, Annotation], objects: tuple[int, ...]
) -> dict[int, np.ndarray]:
    steps = engine.propagate(video, given, objects, range(video.n_frames))
    return {
        s.frame: s.probabilities
        for s in steps
        if s.frame is not None and s.probabilities is not None
    }


@pytest.mark.parametrize("objects", [(1,), (1, 2)])
def test_points_on_every_pixel_are_the_mask(
    stcn_weights: Path, compact_weights: Path, objects: tuple[int, ...]
) -> None:
    video, labels = clip()
    first = np.where(np.isin(labels[0], objects), labels[0], 0).astype(np.uint8)
    mask = {0: Annotation(first, objects)}
    nothing = np.zeros_like(first)
    told = {o: on_every_pixel(first, o) for o in objects}
    points = {0: Annotation(nothing, objects, points=told)}
    for make in (
        lambda: StcnPropagator(stcn_weights, "cpu", precision="float32"),
        lambda: CompactPropagator(compact_weights, "cpu"),
    ):
        expected = probabilities(make(), video, mask, objects)
        found = probabilities(make(), video, points, objects)
        for frame, theirs in expected.items():
            np.testing.assert_allclose(found[frame], theirs, atol=1e-5)


@pytest.mark.parametrize("name", ["stcn", "compact"])
def test_few_points_are_held_to_and_other_points_give_other_masks(
    name: str, stcn_weights: Path, compact_weights: Path
) -> None:
    video, labels = clip()
    engine: Propagator = (
        StcnPropagator(stcn_weights, "cpu", precision="float32")
        if name == "stcn"
        else CompactPropagator(compact_weights, "cpu")
    )
    assert "points" in engine.accepts
    nothing = np.zeros_like(labels[0])
    sets = [
        {1: (Point(14, 20), Point(30, 30)), 2: (Point(64, 48), Point(5, 5, "negative"))},
        {1: (Point(14, 38), Point(80, 10)), 2: (Point(66, 46),)},
    ]
    found = []
    for told in sets:
        given = {1: Annotation(nothing, (1, 2), points=told)}
        assert given[1].present == {1, 2}
        result = probabilities(engine, video, given, (1, 2))
        assert sorted(result) == list(range(5))
        for frame in result.values():
            np.testing.assert_allclose(frame.sum(0), 1, atol=1e-5)
        for obj, points in told.items():
            for p in points:
                assert (result[1][obj, p.y, p.x] > 0.5) == (p.label == "positive")
        found.append(result)
    assert any(not np.allclose(found[0][f], found[1][f]) for f in (0, 2, 3, 4))
    # And nothing of the second set is left where the first one is asked for again.
    again = probabilities(engine, video, {1: Annotation(nothing, (1, 2), points=sets[0])}, (1, 2))
    for frame, theirs in found[0].items():
        np.testing.assert_allclose(again[frame], theirs, atol=1e-5)


def test_other_points_affect_the_frames_that_another_mask_would(stcn_weights: Path) -> None:
    _, labels = clip()
    nothing = np.zeros_like(labels[0])
    one, other = (Annotation(nothing, (1,), points={1: (Point(x, 20),)}) for x in (14, 16))
    drawn = Annotation((labels[0] == 1).astype(np.uint8), (1,))
    for engine in (
        StcnPropagator(stcn_weights, "cpu", precision="float32"),
        CompactPropagator,
    ):
        affected = (
            engine.affected
            if isinstance(engine, StcnPropagator)
            else (
                lambda *given: Propagator.affected(engine, *given)  # noqa: B023
            )
        )
        assert affected({0: one}, {0: other}, 5) == set(range(5))
        assert affected({0: one}, {0: drawn}, 5) == set(range(5))
        same = Annotation(nothing, (1,), points={1: (Point(14, 20),)})
        assert affected({0: one}, {0: same}, 5) == set()


def test_points_of_an_object_that_is_not_listed_are_refused() -> None:
    with pytest.raises(ValueError, match="points are of object 2"):
        Annotation(np.zeros((4, 4), np.uint8), (1,), points={2: (Point(0, 0),)})


def test_points_beside_a_drawn_object_leave_it_as_drawn(stcn_weights: Path) -> None:
    video, labels = clip()
    drawn = np.where(labels[0] == 1, 1, 0).astype(np.uint8)
    given = {0: Annotation(drawn, (1, 2), points={2: (Point(64, 48), Point(10, 20))})}
    for engine in (StcnPropagator(stcn_weights, "cpu", precision="float32"),):
        found = probabilities(engine, video, given, (1, 2))
        assert np.array_equal(found[0][1] > 0.5, drawn == 1)


@pytest.mark.parametrize("point", [Point(20, 20), Point(5, 5, "negative")])
def test_points_that_leave_an_object_nothing_end_no_pass(
    compact_weights: Path, point: Point
) -> None:
    """On what is drawn of another object, or beside the object alone."""
    video, labels = clip()
    drawn = (labels[0] == 1).astype(np.uint8)
    engine = CompactPropagator(compact_weights, device="cpu")
    given = {0: Annotation(drawn, (1, 2), points={2: (point,)})}
    found = probabilities(engine, video, given, (1, 2))
    assert sorted(found) == list(range(video.n_frames))
    assert np.array_equal(found[0][1] > 0.5, drawn == 1)

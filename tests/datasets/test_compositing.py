from __future__ import annotations

import numpy as np
import pytest

from evavos_widget.datasets.compositing import Actor, Backdrop, Layer, Pose, Wave, expose

GREY = np.full((20, 30, 3), 100, np.uint8)
STILL = Backdrop(GREY, lambda _: Pose((0, 0), (0, 0)))


def square(label: int, color: tuple[int, int, int], size: int = 5) -> Layer:
    return Layer(np.full((size, size, 3), color, np.uint8), np.ones((size, size)), label)


def standing(layer: Layer, x: float, y: float, **pose: object) -> Actor:
    middle = ((layer.matte.shape[1] - 1) / 2, (layer.matte.shape[0] - 1) / 2)
    return Actor(layer, lambda _: Pose((x, y), middle, **pose))


def test_a_pivot_falls_on_its_place() -> None:
    frame = expose(STILL, [standing(square(1, (9, 8, 7)), 10, 6)], (20, 30), 0)
    expected = np.zeros((20, 30), np.uint8)
    expected[4:9, 8:13] = 1
    assert np.array_equal(frame.labels, expected)
    assert frame.picture[4:9, 8:13] == pytest.approx(np.broadcast_to((9, 8, 7), (5, 5, 3)))
    assert (frame.picture[expected == 0] == 100).all()


def test_turning_is_clockwise_and_scale_is_in_frame_pixels() -> None:
    bar = Layer(np.zeros((2, 8, 3), np.uint8), np.ones((2, 8)), 1)
    pose = Pose((15, 10), (0, 0.5), scale=1.5, angle=np.pi / 2)
    labels = expose(STILL, [Actor(bar, lambda _: pose)], (20, 30), 0).labels
    rows, columns = np.nonzero(labels)
    assert rows.min() >= 9  # what pointed to the right points down
    assert rows.max() == 19
    assert columns.mean() == 15
    assert columns.max() - columns.min() == 2


def test_the_nearest_hides_the_rest_and_what_is_no_object_has_no_label() -> None:
    actors = [
        standing(square(1, (0, 0, 0)), 10, 10),
        standing(square(2, (0, 0, 0)), 12, 10),
        standing(square(0, (0, 0, 0)), 13, 10),
    ]
    frame = expose(STILL, actors, (20, 30), 0)
    assert (frame.labels[10, 8:16] == [1, 1, 2, 0, 0, 0, 0, 0]).all()
    assert frame.hidden == pytest.approx([0.6, 0.8])


def test_what_is_outside_the_frame_is_hidden_and_harmless() -> None:
    away = [standing(square(1, (0, 0, 0)), x, 10) for x in (-50, 80)]
    frame = expose(STILL, away, (20, 30), 0)
    assert not frame.labels.any()
    assert (frame.picture == 100).all()
    assert (frame.hidden == 1).all()


def test_colours_are_averaged_over_the_exposure() -> None:
    moving = Actor(square(1, (0, 0, 0)), lambda time: Pose((10 + 4 * time, 10), (2, 2)))
    frame = expose(STILL, [moving], (20, 30), 0, exposure=1, samples=4)
    # at 8.5, 9.5, 10.5 and 11.5, of which the middle columns are always covered
    assert frame.picture[10, 5:16, 0] == pytest.approx(
        [100, 87.5, 62.5, 37.5, 12.5, 0, 12.5, 37.5, 62.5, 87.5, 100], abs=0.5
    )
    assert frame.labels[10].nonzero()[0].tolist() == [8, 9, 10, 11, 12]


def test_edges_take_no_colour_from_outside_the_matte() -> None:
    layer = Layer(np.full((9, 9, 3), 255, np.uint8), np.zeros((9, 9)), 1)
    layer.matte[2:7, 2:7] = 1
    layer.picture[2:7, 2:7] = 100  # as the backdrop: an edge would show as brightness
    frame = expose(STILL, [standing(layer, 10.3, 9.6, angle=0.4)], (20, 30), 0)
    assert frame.picture == pytest.approx(np.full((20, 30, 3), 100), abs=0.01)
    assert frame.labels.any()


def test_a_wave_bends_an_edge_by_its_shift() -> None:
    bar = Layer(np.zeros((20, 6, 3), np.uint8), np.ones((20, 6)), 1)
    wave = Wave(shift=(3.0, 0.0), cycles=(0.0, 0.05), phase=0.0)
    labels = expose(STILL, [standing(bar, 15.5, 9.5, waves=(wave,))], (20, 30), 0).labels
    left = labels.argmax(axis=1)
    assert left[5] == 13 - 3  # a quarter of a cycle down, the layer is sampled 3 to the right
    assert left[15] == 13 + 3


def test_a_mirrored_layer_swaps_left_and_right() -> None:
    layer = square(3, (0, 0, 0))
    layer.matte[:, 0] = 0
    assert (layer.mirrored().matte[:, -1] == 0).all()
    assert layer.mirrored().label == 3

"""A predictor that answers several objects together is told of those on the frame."""

from __future__ import annotations

import numpy as np
import pytest

from evavos_widget.prompts import Click, Prediction
from evavos_widget.session import Session
from evavos_widget.testing import Disks, NearestCopy

FRAMES = np.random.default_rng(0).integers(0, 255, (4, 40, 60, 3), dtype=np.uint8)


class DisksTogether(Disks):
    """Disks, of which the first object has what several want; remembers what it was asked."""

    together = True

    def __init__(self) -> None:
        self.asked = []

    def predict_together(self, image, prompts, *, key=None):
        self.asked.append(dict(prompts))
        taken, found = np.zeros(image.shape[:2], bool), {}
        for obj in sorted(prompts):
            mask = self.predict(image, prompts[obj], key=key).mask & ~taken
            found[obj] = Prediction(mask, mask.astype(np.float32), 0.5)
            taken |= mask
        return found


@pytest.fixture
def predictor() -> DisksTogether:
    return DisksTogether()


@pytest.fixture
def session(predictor):
    session = Session(FRAMES, propagator=NearestCopy(), predictor=predictor, path=None)
    session.add_object("first")
    session.add_object("second")
    yield session
    session.close()


def square(rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros((40, 60), bool)
    mask[rows, columns] = True
    return mask


def test_it_sees_the_others_of_the_frame_with_their_masks_and_clicks(session, predictor):
    mask = square(slice(5, 15), slice(5, 15))
    session.annotate(1, mask, objects=[1], kind="clicks", clicks=[Click(10, 10)])
    session.annotate(2, mask, objects=[1], kind="clicks", clicks=[Click(12, 12)])
    session.predict(1, 2, clicks=[Click(30, 20)])
    (asked,) = predictor.asked
    assert set(asked) == {1, 2}
    assert asked[1].clicks == (Click(10, 10),)
    np.testing.assert_array_equal(asked[1].previous_mask, mask)
    assert asked[2].clicks == (Click(30, 20),)


def test_alone_and_where_nothing_else_is_it_is_asked_for_one(session, predictor):
    session.annotate(1, square(slice(5, 15), slice(5, 15)), objects=[1])
    session.predict(1, 2, clicks=[Click(30, 20)], alone=True)
    session.predict(0, 2, clicks=[Click(30, 20)])
    assert predictor.asked == []

"""What the hand says outright holds, whatever a predictor makes of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evavos_widget.corrections import as_told
from evavos_widget.loop import MaskPredictor
from evavos_widget.prompts import Box, Click, Prediction, Prompts
from evavos_widget.session import Session
from evavos_widget.testing import NearestCopy

H, W = 60, 120


def rectangle(x0: int, x1: int, y0: int = 20, y1: int = 40) -> np.ndarray:
    mask = np.zeros((H, W), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def told(mask: np.ndarray, **prompts) -> np.ndarray:
    prediction = Prediction(mask, mask.astype(np.float32), 0.5)
    result = as_told(prediction, Prompts(**prompts))
    assert ((result.probabilities > 0.5) == result.mask).all()
    return result.mask


LEFT, RIGHT = rectangle(10, 40), rectangle(70, 110)


@pytest.mark.parametrize("order", [1, -1])
def test_a_second_object_goes_with_one_negative_click(order):
    true, wrong = (LEFT, RIGHT)[::order]
    y, x = np.argwhere(wrong).mean(axis=0)
    timid = (true | wrong) & ~rectangle(int(x) - 2, int(x) + 3, int(y) - 2, int(y) + 3)
    mask = told(timid, clicks=(Click(x, y, False),), previous_mask=true | wrong)
    assert (mask == true).all()


def test_an_object_in_front_parts_the_one_that_goes():
    wrong = rectangle(70, 85) | rectangle(88, 92) | rectangle(95, 102)
    mask = told(LEFT | wrong, clicks=(Click(77, 30, False),), previous_mask=LEFT | wrong)
    assert (mask == LEFT).all()


def test_a_bump_is_corrected_by_the_predictor():
    bump = rectangle(110, 118, 27, 33)
    before = LEFT | RIGHT | bump
    mask = told(LEFT | RIGHT, clicks=(Click(114, 30, False),), previous_mask=before)
    assert (mask == (LEFT | RIGHT)).all()


def test_the_only_piece_is_the_object():
    before = RIGHT.copy()
    less = RIGHT & ~rectangle(88, 93, 28, 33)
    assert (told(less, clicks=(Click(90, 30, False),), previous_mask=before) == less).all()
    speck = before | rectangle(2, 4, 2, 4)
    assert told(less, clicks=(Click(90, 30, False),), previous_mask=speck)[RIGHT].mean() > 0.9


def test_a_positive_click_keeps_its_piece():
    clicks = (Click(75, 30, True), Click(90, 30, False))
    mask = told(LEFT | RIGHT, clicks=clicks, previous_mask=LEFT | RIGHT)
    assert mask[RIGHT].all()


def test_what_is_far_from_every_click_stays():
    headless = LEFT & ~rectangle(10, 20, 20, 30)
    mask = told(headless, clicks=(Click(90, 30, False),), previous_mask=LEFT | RIGHT)
    assert (mask == LEFT).all()


def test_a_refused_piece_goes_even_from_nothing():
    clicks = (Click(25, 30, True), Click(90, 30, False))
    assert (told(LEFT | RIGHT, clicks=clicks) == LEFT).all()


@given(st.integers(0, 80), st.integers(5, 39), st.integers(0, 40), st.integers(5, 19))
def test_nothing_stays_outside_a_box(x, width, y, height):
    box = Box(x, y, x + width, y + height)
    mask = told(np.ones((H, W), bool), box=box)
    inside = np.zeros((H, W), bool)
    inside[y : y + height + 1, x : x + width + 1] = True
    assert (mask == inside).all()


def test_what_others_hold_is_not_this_object():
    both = LEFT | RIGHT
    assert (told(both, clicks=(Click(20, 30),), held=RIGHT) == LEFT).all()
    taken = told(both, clicks=(Click(20, 30), Click(90, 30)), held=RIGHT)
    assert (taken == both).all()


class Everything(MaskPredictor):
    """A predictor that takes all there is."""

    name = "everything"
    accepts = frozenset({"clicks"})

    def predict(self, image, prompts, *, key=None):
        mask = np.ones(image.shape[:2], bool)
        return Prediction(mask, mask.astype(np.float32), 0.9)


def test_objects_clicked_one_after_the_other_keep_what_they_have():
    session = Session(
        np.zeros((2, H, W, 3), np.uint8),
        path=None,
        propagator=NearestCopy(),
        predictor=Everything(),
    )
    a, b, c = (session.add_object() for _ in range(3))
    session.annotate(0, LEFT, objects=[a])
    session.annotate(0, RIGHT, objects=[b])
    mask = session.predict(0, c, clicks=[(60, 5, True)]).mask
    assert not mask[LEFT | RIGHT].any()
    session.annotate(0, mask, objects=[c], kind="clicks")
    assert (session.masks[0] == a).sum() == LEFT.sum()
    assert (session.masks[0] == b).sum() == RIGHT.sum()
    # On another frame nobody holds anything by hand.
    assert session.predict(1, c, clicks=[(60, 5, True)]).mask.all()

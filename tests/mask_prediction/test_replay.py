"""One more click costs one step, and a prediction that nobody waits for stops between clicks."""

from __future__ import annotations

import numpy as np
import pytest

from evavos_widget.cache import ByteBoundedCache
from evavos_widget.interruption import NotWantedError, stop_unless_wanted, while_wanted
from evavos_widget.mask_prediction.classical import ClassicalPredictor
from evavos_widget.mask_prediction.replay import replayed
from evavos_widget.prompts import Click, Prompts


class Steps:
    """Counts the steps; each adds its number to a state of 8,000 bytes."""

    def __init__(self) -> None:
        self.done: list[int] = []

    def __call__(self, n: int, state: np.ndarray) -> np.ndarray:
        self.done.append(n)
        return state + n


def names(n: int) -> list[bytes]:
    return [str(i).encode() for i in range(n)]


@pytest.mark.parametrize("kept", [100, 10, 2])
def test_one_more_click_costs_one_step_however_few_are_kept(kept: int):
    cache, start = ByteBoundedCache(kept * 8000), np.zeros(1000)
    for n in range(1, 51):
        steps = Steps()
        assert replayed(cache, "image", names(n), start, steps)[0] == sum(range(n))
        assert steps.done == [n - 1]


def test_without_a_key_nothing_is_kept():
    cache, steps = ByteBoundedCache(10**6), Steps()
    for _ in range(2):
        replayed(cache, None, names(3), np.zeros(1), steps)
    assert steps.done == [0, 1, 2, 0, 1, 2]


def test_what_was_done_before_it_was_given_up_is_kept():
    cache, steps, start = ByteBoundedCache(10**6), Steps(), np.zeros(1000)
    with pytest.raises(NotWantedError), while_wanted(lambda: len(steps.done) < 3):
        replayed(cache, "image", names(5), start, steps)
    assert steps.done == [0, 1, 2]
    stop_unless_wanted()  # outside nobody asks
    assert replayed(cache, "image", names(5), start, steps)[0] == 10
    assert steps.done == [0, 1, 2, 3, 4]


def test_classical_stops_between_clicks_and_goes_on_with_the_same_mask():
    chance = np.random.default_rng(0)
    image = chance.integers(0, 255, (60, 80, 3), np.uint8)
    clicks = tuple(Click(*chance.integers(5, 50, 2).tolist(), bool(i % 3)) for i in range(8))
    asked = iter([True] * 4 + [False])
    predictor = ClassicalPredictor()
    with pytest.raises(NotWantedError), while_wanted(lambda: next(asked)):
        predictor.predict(image, Prompts(clicks), key="image")
    resumed = predictor.predict(image, Prompts(clicks), key="image")
    fresh = ClassicalPredictor().predict(image, Prompts(clicks))
    np.testing.assert_array_equal(resumed.probabilities, fresh.probabilities)

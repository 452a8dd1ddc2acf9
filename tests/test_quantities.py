"""Numbers that somebody gives are numbers, wherever they are taken."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evavos_widget.campaign import MeanError
from evavos_widget.metrics import area_under_curve, time_to_quality
from evavos_widget.point_selection.regions import Regions
from evavos_widget.point_selection.sampling import Spaced, spaced_frames
from evavos_widget.prompts import Costs
from evavos_widget.quantities import as_count, as_quantity, as_share
from evavos_widget.robot.costs import costs_from
from evavos_widget.robot.hand import Hand
from evavos_widget.robot.verifier import Verifier
from evavos_widget.session import Session

FRAMES = np.zeros((2, 8, 8, 3), np.uint8)


@pytest.mark.parametrize("given", [3, 3.0, np.float32(3), np.int64(3), np.array(3.0)])
def test_a_number_is_pythons_own_whoever_counted(given):
    assert as_quantity("budget", given, "seconds") == 3.0
    assert type(as_quantity("budget", given, "seconds")) is float


@pytest.mark.parametrize(
    "given", ["0.8", b"1", None, True, np.True_, float("nan"), 1.1, -0.1, [1], 1j, np.zeros(2)]
)
def test_what_is_no_share_is_named_with_its_value_and_a_remedy(given):
    with pytest.raises(ValueError, match=r"^target is .+; give 0 to 1\.$"):
        as_share("target", given)


@pytest.mark.parametrize("given", ["3", 3.0, 0, -1, True, None, np.float64(2)])
def test_what_is_no_count_is_named(given):
    with pytest.raises(ValueError, match=r"^seeds is .+; give a whole number, 1 or more\.$"):
        as_count("seeds", given)


def test_counts_and_bounds_that_fit():
    assert as_count("seeds", np.int64(4)) == 4
    assert as_count("rounds", 0, 0) == 0
    assert as_share("target", 1) == 1.0
    with pytest.raises(ValueError, match="0"):
        as_quantity("budget", 0, "seconds, more than 0", above=True)
    with pytest.raises(ValueError, match=r"inf"):
        as_quantity("budget", float("inf"), "seconds")
    with pytest.raises(ValueError, match="888") as told:
        as_share("target", "8" * 1000)
    assert len(str(told.value)) < 100


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda v: Costs(mask=v), "the cost of mask is"),
        (lambda v: costs_from({"click": v}, "costs.toml"), "click of costs.toml is"),
        (lambda v: MeanError(v, 0.1, 3), "bias is"),
        (lambda v: MeanError(0.0, v, 3), "deviation is"),
        (lambda v: Hand(v), "agreement is"),
        (lambda v: Hand(jitter=v), "jitter is"),
        (lambda v: Verifier({}, error_rate=v), "the error rate is"),
        (lambda v: Verifier({}, border=v), "the border is"),
        (lambda v: Regions(low=v), "low is"),
        (lambda v: Regions(foreground=v), "foreground is"),
        (lambda v: Spaced((8, 8), np.random.default_rng(0), v), "the distance is"),
        (lambda v: spaced_frames(8, v), "the number of frames is"),
        (lambda v: Session(FRAMES, path=None, budget=v), "budget is"),
        (lambda v: time_to_quality([0, 1], [0, 1], v), "target is"),
        (lambda v: area_under_curve([0, 1], [0, 1], until=v), "until is"),
    ],
    ids=lambda each: None if callable(each) else each.removesuffix(" is"),
)
@pytest.mark.parametrize("given", ["0.8", float("nan")])
def test_texts_and_what_is_not_a_number_are_refused_wherever_a_number_is_taken(
    make: Any, said: str, given: Any
):
    with pytest.raises(ValueError, match=f"^{said} '?{given}'?; give "):
        make(given)

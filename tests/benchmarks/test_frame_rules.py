"""The rules beside the shipped one are that one with parts left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.frame_rules import Rule
from evavos_widget.frame_selection.baselines import FarthestInTime
from evavos_widget.frame_selection.qnet import QNetEquation1, QNetSelector
from evavos_widget.testing.selectors import _state


@pytest.mark.parametrize(
    ("rule", "same"),
    [
        ("both,quarter", QNetSelector),
        ("embedding,all", QNetEquation1),
        ("time,all", FarthestInTime),
    ],
)
def test_a_rule_with_all_its_parts_or_none_chooses_as_that_selector(rule, same):
    state = _state({0: (3, 200), 5: (3,)}, quality=0.5)
    choice = Rule(rule).select(state)
    expected = same().select(state)
    assert (choice.frame, choice.object) == (expected.frame, expected.object)


def test_what_a_rule_counts_is_all_that_differs():
    state = _state({0: (3, 200)})
    state = replace(state, masks=state.masks.replace({8: np.zeros_like(state.masks[8])}))
    chosen = {counts: Rule(f"time,{counts}").select(state).frame for counts in ("all", "share")}
    assert chosen == {"all": 8, "share": 7}

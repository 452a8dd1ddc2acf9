"""Whatever the selector, an object of which nothing is annotated is asked for in the end."""

from __future__ import annotations

import numpy as np
import pytest

from evavos_widget import Session
from evavos_widget.engines import ORACLES, names

SELECTORS = sorted(set(names("frame_selector")) - set(ORACLES["frame_selector"]))


@pytest.mark.parametrize("selector", SELECTORS)
def test_an_object_without_annotations_is_asked_for(selector: str) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    mask = np.zeros((32, 32), bool)
    mask[5:20, 5:20] = True
    engines = {"propagator": "flow", "predictor": "classical", "frame_selector": selector}
    with Session(frames, path=None, **engines) as session:
        first = session.add_object("first")
        suggestion = session.suggest()
        assert suggestion is not None
        assert (suggestion.object, suggestion.kind) == (first, "mask")
        for frame in range(3):
            session.annotate(frame, mask, objects=[first])
        second = session.add_object("second")
        suggestion = session.suggest()
        assert suggestion is not None
        assert (suggestion.object, suggestion.kind) == (second, "mask")
        session.snooze(suggestion.frame, second)
        again = session.suggest()
        assert again is None or again.frame != suggestion.frame

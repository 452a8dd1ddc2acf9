"""Frames that are annotated and in doubt are asked for again, in short videos and in long ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evavos_widget import engines
from evavos_widget.loop import Annotation, LoopState, Source
from evavos_widget.testing.selectors import _state


def clicked(trust: list[float]) -> LoopState:
    """One object, clicked on every frame, each trusted as told."""
    state = _state(dict.fromkeys(range(len(trust)), (3,)), objects=(3,), n_frames=len(trust))
    annotations = {
        f: Annotation(a.labels, a.objects, {3: Source("clicked", trust[f])})
        for f, a in state.annotations.items()
    }
    return replace(state, annotations=annotations)


@pytest.mark.parametrize("name", ["farthest-in-time", "random", "uniform", "l2", "qnet"])
@pytest.mark.parametrize("n", [1, 6, 12])
def test_a_short_video_is_not_done_while_its_frames_are_in_doubt(name, n):
    select = engines.create("frame_selector", name).select
    assert select(clicked([0.85] * n)) is not None
    assert select(clicked([0.95] * n)) is None


@pytest.mark.parametrize("name", ["farthest-in-time", "l2", "qnet", "qnet-eq1"])
@pytest.mark.parametrize("n", [12, 40])
def test_the_least_trusted_frame_goes_first(name, n):
    trust = [0.8] * n
    trust[n // 2] = 0.3
    choice = engines.create("frame_selector", name).select(clicked(trust))
    assert choice is not None
    assert choice.frame == n // 2


def test_what_is_nearly_sure_is_not_asked_for_again_in_a_long_video():
    select = engines.create("frame_selector", "farthest-in-time").select
    assert select(clicked([0.98] * 150)) is None

"""The agents that come with the package load by their names, and keep their promises."""

from __future__ import annotations

import numpy as np
import pytest

from evavos_widget.checkpoints import AGENTS, find
from evavos_widget.experiments.methods import PRESETS, selectors
from evavos_widget.networks.agent_weights import read_agent
from evavos_widget.robot.annotator import RobotAnnotator
from evavos_widget.session import Session
from evavos_widget.session.turn import turn
from evavos_widget.testing import check_annotation_selector, check_frame_selector
from evavos_widget.testing.scenes import Scene
from evavos_widget.testing.stand_ins import Disks, NearestCopy


def test_they_are_small_and_say_what_they_were_trained_on():
    assert sum(find(name).stat().st_size for name in AGENTS) < 10e6
    for name in AGENTS:
        about = read_agent(name.removeprefix("agent:")).about
        assert {"seed", "cpu_seconds", "held_out"} <= about.keys()


@pytest.mark.parametrize("name", ["ivosw", "joint", "qnet"])
def test_frame_selectors(name):
    check_frame_selector(name)


@pytest.mark.parametrize("name", ["joint", "policy"])
def test_annotation_selectors(name):
    check_annotation_selector(name)


@pytest.mark.parametrize("method", ["evavos", "joint"])
def test_the_paper_s_loop_runs(method):
    scene = Scene()
    truth = {f: (m == 2).astype(np.uint8) for f, m in enumerate(scene.labels)}  # the small one
    robot = RobotAnnotator(truth)
    (chosen,) = (m for m in PRESETS["fig3c"] if m.name == method)
    frames, types = selectors(chosen, robot, 0)
    session = Session(
        scene.video,
        propagator=NearestCopy(),
        predictor=Disks(),
        frame_selector=frames,
        annotation_selector=types,
        path=None,
    )
    robot.begin(session, 0, session.add_object())
    session.propagate()
    asked = [turn(session, robot) for _ in range(4)]
    assert all(a is not None and a.kind in ("clicks", "mask") for a in asked)
    again = session.suggest()
    assert again == session.suggest()

"""A policy of somebody else: trained with stock stable-baselines3, used by its module's name."""

from __future__ import annotations

import numpy as np
import pytest
from stable_baselines3 import PPO

from evavos_widget.environments.annotation import AnnotationEnv
from evavos_widget.session import Session
from evavos_widget.testing import check_annotation_selector
from evavos_widget.testing.scenes import Scene
from evavos_widget.testing.stand_ins import Disks, NearestCopy
from tests.small_records import outcomes

MODULE = """
from stable_baselines3 import PPO

from evavos_widget.environments import observation
from evavos_widget.loop import AnnotationChoice, AnnotationSelector


class MyPolicy(AnnotationSelector):
    name = "my-policy"
    types = ("clicks", "mask")

    def __init__(self, path):
        self.model = PPO.load(path, device="cpu")

    def select(self, state, choice):
        seen = observation(state, choice.frame, choice.object)
        action, _ = self.model.predict(seen, deterministic=True)
        kind = self.types[int(action)]
        return AnnotationChoice(kind, state.costs.seconds(kind), 0.0, "my policy says so")
"""


def test_a_strangers_policy(tmp_path, monkeypatch: pytest.MonkeyPatch):
    env = AnnotationEnv(outcomes(np.random.default_rng(0)))
    PPO("MlpPolicy", env, n_steps=32, seed=0, device="cpu").learn(64).save(tmp_path / "mine.zip")
    (tmp_path / "strangers_policy.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    name = "strangers_policy:MyPolicy:mine.zip"
    check_annotation_selector(name)
    scene = Scene()
    session = Session(
        scene.video,
        propagator=NearestCopy(),
        predictor=Disks(),
        annotation_selector=name,
        path=None,
    )
    session.annotate(0, scene.labels[0] == 1, objects=[session.add_object()])
    session.propagate()
    suggestion = session.suggest()
    assert suggestion is not None
    assert "my policy says so" in suggestion.reason

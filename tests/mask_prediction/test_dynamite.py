from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_dynamite import write_tiny

from evavos_widget import checkpoints, engines
from evavos_widget.checkpoints import WeightsError
from evavos_widget.mask_prediction.dynamite import DynamitePredictor
from evavos_widget.networks import dynamite_published
from evavos_widget.networks.dynamite import BACKGROUND, Interaction
from evavos_widget.networks.dynamite_compact import SIZES, CompactDynamite, save_compact
from evavos_widget.prompts import Click, Prompts, Scribble
from evavos_widget.testing import check_predictor


@pytest.fixture(scope="module")
def compact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compact configuration with random weights."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("dynamite") / "dynamite.safetensors"
    save_compact(CompactDynamite(replace(SIZES, width=32, layers=3)), path)
    return path


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("published") / "model_final.pth", "resnet50")


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8)


@pytest.fixture
def told(monkeypatch):
    """Places and owners of the clicks that a network is given."""
    seen = []
    forward = Interaction.forward

    def listening(self, scene, clicks):
        seen.append(clicks)
        return forward(self, scene, clicks)

    monkeypatch.setattr(Interaction, "forward", listening)
    return seen


def test_it_keeps_its_promises(compact):
    check_predictor(lambda: DynamitePredictor(compact))


def test_the_published_network_keeps_its_promises(published, monkeypatch):
    # Pictures are looked at as small ones, which takes a hundredth of the time.
    monkeypatch.setattr(dynamite_published, "SHORT", 64)
    monkeypatch.setattr(dynamite_published, "LONG", 96)
    check_predictor(lambda: DynamitePredictor(published))


@pytest.mark.parametrize("weights", ["compact", "published"])
def test_clicks_go_in_as_they_were_made(weights, request, image, told, monkeypatch):
    monkeypatch.setattr(dynamite_published, "SHORT", 64)
    engine = DynamitePredictor(request.getfixturevalue(weights))
    prompts = {
        9: Prompts((Click(10, 20), Click(30, 5, False))),
        4: Prompts((Click(50, 40), Click(60, 50), Click(1, 2, False))),
    }
    engine.predict_together(image, prompts)
    (clicks,) = told
    # The first clicks of all objects, then the second ones; what is clicked as not the object is
    # the background of both.
    assert clicks.owners.tolist() == [[0, 1, 0, BACKGROUND, BACKGROUND]]
    rows, columns, times = clicks.places[0].T.numpy()
    if weights == "compact":
        np.testing.assert_allclose(rows, (np.array([40, 20, 50, 5, 2]) + 0.5) / 60, rtol=1e-5)
        np.testing.assert_allclose(columns, (np.array([50, 10, 60, 30, 1]) + 0.5) / 90, rtol=1e-5)
        np.testing.assert_allclose(times, np.arange(5) / SIZES.times, rtol=1e-5)
    else:
        # 60 x 90 becomes 64 x 96, which needs no filling up.
        np.testing.assert_allclose(rows, np.array([40, 20, 50, 5, 2]) / 60, rtol=1e-5)
        np.testing.assert_allclose(columns, np.array([50, 10, 60, 30, 1]) / 90, rtol=1e-5)
        np.testing.assert_allclose(times, np.arange(5) / 500, rtol=1e-5)


def test_a_filled_up_picture_keeps_its_clicks_and_masks_in_place(published, told, monkeypatch):
    monkeypatch.setattr(dynamite_published, "SHORT", 64)
    monkeypatch.setattr(dynamite_published, "LONG", 90)
    image = np.random.default_rng(1).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    engine = DynamitePredictor(published)
    found = engine.predict(image, Prompts((Click(25, 20),)))
    # 40 x 50 is scaled to 64 x 80 and filled up to 64 x 96.
    np.testing.assert_allclose(told[0].places[0, 0, :2], [20 * 64 / 40 / 64, 25 * 80 / 50 / 96])
    assert found.mask.shape == (40, 50)


def test_a_trace_is_points_along_it(compact, image, told):
    engine = DynamitePredictor(compact)
    trace = np.stack([np.linspace(0, 89, 40), np.full(40, 30.0)], 1)
    engine.predict(image, Prompts(scribbles=(Scribble(trace),)))
    columns = told[0].places[0, :, 1].numpy() * 90 - 0.5
    assert len(columns) == 3  # one for every 32 pixels of 89, and one more
    np.testing.assert_allclose(np.diff(columns), 89 / 3, rtol=1e-4)
    engine.predict(
        image,
        Prompts((Click(45, 30),), scribbles=(Scribble(trace + np.array([0, 20]), positive=False),)),
    )
    assert told[1].owners.tolist() == [[BACKGROUND] * 3 + [0]]


def test_a_mask_to_be_corrected_joins_where_it_is_deepest(compact, image, told):
    engine = DynamitePredictor(compact)
    previous = np.zeros((60, 90), bool)
    previous[10:51, 10:51] = True
    engine.predict(image, Prompts((Click(80, 30),), previous_mask=previous))
    row, column = told[0].places[0, 0, :2].numpy() * (60, 90) - 0.5
    assert (round(float(row)), round(float(column))) == (30, 30)
    # Not where it was clicked as wrong.
    engine.predict(image, Prompts((Click(30, 30, False),), previous_mask=previous))
    place = told[1].places[0, 0, :2].numpy() * (60, 90) - 0.5
    assert np.hypot(*(place - 30)) > 8
    assert told[1].owners.tolist() == [[0, BACKGROUND]]


def test_one_of_which_only_is_known_what_it_is_not_is_nowhere(compact, image):
    engine = DynamitePredictor(compact)
    found = engine.predict_together(
        image, {1: Prompts((Click(5, 5, False),)), 2: Prompts((Click(40, 40),))}
    )
    assert not found[1].probabilities.any()
    assert found[2].mask.shape == (60, 90)


def test_a_picture_is_looked_at_once(compact, image, monkeypatch):
    engine = DynamitePredictor(compact)
    looked = []
    look = engine._network.look
    monkeypatch.setattr(engine._network, "look", lambda x: looked.append(1) or look(x))
    for x in (3, 30):
        engine.predict(image, Prompts((Click(x, 30),)), key=("video", 3))
    assert len(looked) == 1


def test_weights_go_by_name_or_by_file(compact, tmp_path, monkeypatch):
    assert isinstance(engines.create("predictor", f"dynamite:{compact}"), DynamitePredictor)
    assert {"dynamite:swin-tiny", "dynamite:resnet50"} <= checkpoints.DOWNLOADS.keys()
    with pytest.raises(WeightsError, match=r"there are no weights at 'none\.pth'"):
        DynamitePredictor("none.pth")
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"x")
    with pytest.raises(WeightsError, match="does not hold DynaMITe on the compact encoder"):
        DynamitePredictor(other)

from __future__ import annotations

import numpy as np
import pytest

from evavos_widget import mask_prediction
from evavos_widget.mask_prediction.classical import ClassicalPredictor
from evavos_widget.prompts import Click, Prompts


@pytest.fixture(scope="module")
def scene() -> tuple[np.ndarray, np.ndarray]:
    """A noisy orange disc on green, and its mask."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:120, :160]
    disc = (rows - 60) ** 2 + (columns - 70) ** 2 < 30**2
    image = np.where(disc[..., None], [220, 120, 40], [60, 140, 70]) + rng.normal(
        0, 8, (120, 160, 3)
    )
    return image.clip(0, 255).astype(np.uint8), disc


def jaccard(a: np.ndarray, b: np.ndarray) -> float:
    return (a & b).sum() / (a | b).sum()


def test_registry_knows_the_engine_and_names_it_when_asked_for_another() -> None:
    assert mask_prediction.create("classical").name == "classical"
    with pytest.raises(ValueError, match="classical"):
        mask_prediction.create("no such engine")


def test_one_click_finds_a_plain_object(scene: tuple[np.ndarray, np.ndarray]) -> None:
    image, disc = scene
    prediction = ClassicalPredictor().predict(image, Prompts(clicks=(Click(70, 60),)))
    assert jaccard(prediction.mask, disc) > 0.9

"""Every network on a GPU finds what it finds on the processor, in single precision."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import segment_anything
import tiny_dynamite
import tiny_sam
import tiny_sam2
import torch
from clips import Clip
from small_cutie import write_small_cutie
from small_fusion import write_random_fusion

from benchmarks.published_stcn import write_random_weights
from evavos_widget.loop import MaskPredictor, Propagator
from evavos_widget.mask_prediction import ENGINES as PREDICTORS
from evavos_widget.mask_prediction import dynamite, sam, sam2
from evavos_widget.mask_prediction.compact import CompactPredictor
from evavos_widget.networks import dynamite_published
from evavos_widget.prompts import Click, Prompts
from evavos_widget.propagation import ENGINES as PROPAGATORS
from evavos_widget.propagation import cutie
from evavos_widget.propagation import sam2 as sam2_propagation
from evavos_widget.propagation.compact import CompactPropagator
from evavos_widget.propagation.stcn import FusedStcnPropagator, StcnPropagator

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here"),
]

On = Callable[..., Propagator]
"""Makes an engine on a `device`."""


def _stcn(folder: Path) -> On:
    weights = write_random_weights(folder / "stcn.pth")
    return partial(StcnPropagator, weights, precision="float32")


def _fused(folder: Path) -> On:
    weights = write_random_weights(folder / "stcn.pth")
    fusion = write_random_fusion(folder / "fusion.pth")
    return partial(FusedStcnPropagator, weights, precision="float32", fusion=fusion)


def _sam2(folder: Path, kind: str = "sam2") -> On:
    return partial(sam2_propagation.Sam2Propagator, tiny_sam2.write_tiny(folder, kind))


CARRYING: dict[str, Callable[[Path], On]] = {
    "compact": lambda folder: partial(CompactPropagator, "free"),
    "stcn": _stcn,
    "stcn-fusion": _fused,
    "cutie": lambda folder: partial(cutie.CutiePropagator, write_small_cutie(folder / "cutie.pth")),
    "sam2": _sam2,
    "edgetam": partial(_sam2, kind="edgetam"),
}

CLICKED: dict[str, Callable[[Path], Callable[..., MaskPredictor]]] = {
    "compact": lambda folder: partial(CompactPredictor, "free"),
    "sam": lambda folder: partial(sam.SamPredictor, tiny_sam.write_tiny(folder / "sam_tiny.pth")),
    "sam2": lambda folder: partial(sam2.Sam2Predictor, tiny_sam2.write_tiny(folder)),
    "dynamite": lambda folder: partial(
        dynamite.DynamitePredictor, tiny_dynamite.write_tiny(folder / "model.pth", "resnet50")
    ),
}

IN_NUMPY = {"flow", "classical"}
"""Engines that have no device."""


@pytest.fixture(autouse=True)
def single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    for module in (cutie, sam2_propagation):
        monkeypatch.setattr(module, "lower_precision", lambda device: nullcontext())


@pytest.mark.parametrize("name", CARRYING)
def test_masks_are_carried_alike(name: str, tmp_path: Path) -> None:
    clip, make = Clip(6, 96, 128), CARRYING[name](tmp_path)
    given = {0: clip.annotation(0, 1, 2), 4: clip.annotation(4, 1)}
    found = []
    for device in ("cpu", "cuda"):
        steps = make(device=device).propagate(clip, given, (1, 2), range(6))
        found.append({s.frame: s.probabilities for s in steps if s.frame is not None})
    for frame in range(6):
        np.testing.assert_allclose(found[1][frame], found[0][frame], atol=5e-3)


@pytest.mark.parametrize("name", CLICKED)
def test_clicks_give_alike_masks(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(segment_anything.sam_model_registry, "tiny", tiny_sam.tiny_sam)
    monkeypatch.setitem(sam.WIDTHS, tiny_sam.WIDTH, "tiny")
    monkeypatch.setattr(dynamite_published, "SHORT", 64)  # looked at as a small picture
    image, make = Clip(1, 96, 128).frame(0), CLICKED[name](tmp_path)
    clicks = (Click(25, 35), Click(80, 70, False), Click(30, 25))
    found = []
    for device in ("cpu", "cuda"):
        engine = make(device=device)
        found.append([engine.predict(image, Prompts(clicks=clicks[:n])) for n in (1, 2, 3)])
    for here, there in zip(*found, strict=True):
        np.testing.assert_allclose(there.probabilities, here.probabilities, atol=5e-3)
        assert there.score == pytest.approx(here.score, abs=5e-3)


def test_every_engine_is_here() -> None:
    assert {*PROPAGATORS, *PREDICTORS} <= {*CARRYING, *CLICKED, *IN_NUMPY}

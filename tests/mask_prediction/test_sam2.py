from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_sam2 import SIDE, write_tiny
from transformers import EdgeTamModel, Sam2ImageProcessor, Sam2Model, Sam2Processor

from evavos_widget import checkpoints, engines
from evavos_widget.checkpoints import WeightsError
from evavos_widget.engines import MissingExtraError
from evavos_widget.mask_prediction.sam2 import LOW_LIMIT, Sam2Predictor
from evavos_widget.prompts import Box, Click, Prompts
from evavos_widget.testing import check_predictor


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("sam2"))


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8)


class Published:
    """The library used as its documentation says."""

    def __init__(self, model: Any, folder: Path, image: np.ndarray) -> None:
        self.model = model.from_pretrained(folder).eval()
        self.processor = Sam2Processor(Sam2ImageProcessor.from_pretrained(folder), SIDE)
        self.image = image

    @torch.inference_mode()
    def ask(
        self, clicks: tuple[Click, ...], box: Box | None, low: torch.Tensor | None
    ) -> tuple[np.ndarray, float, torch.Tensor]:
        given: dict[str, Any] = {}
        if clicks:
            given["input_points"] = [[[[c.x, c.y] for c in clicks]]]
            given["input_labels"] = [[[int(c.positive) for c in clicks]]]
        if box is not None:
            given["input_boxes"] = [[[box.x0, box.y0, box.x1, box.y1]]]
        ready = self.processor(images=self.image, return_tensors="pt", **given)
        sizes = ready.pop("original_sizes")
        found = self.model(**ready, input_masks=low, multimask_output=True)
        masks = self.processor.post_process_masks(found.pred_masks, sizes, binarize=False)[0]
        best = int(found.iou_scores.argmax())
        low = found.pred_masks[:, :, best].clamp(-LOW_LIMIT, LOW_LIMIT)
        return masks[0, best].numpy(), float(found.iou_scores[0, 0, best]), low


@pytest.mark.parametrize("family", ["sam2", "edgetam"])
def test_clicks_and_box_give_what_the_library_gives(family, folder, tmp_path, image):
    if family == "edgetam":
        folder = write_tiny(tmp_path, family)
    published = Published({"sam2": Sam2Model, "edgetam": EdgeTamModel}[family], folder, image)
    engine = engines.create("predictor", f"sam2:{folder}", device="cpu")
    clicks = (Click(20, 30), Click(70, 11, False), Click(44, 50))
    for box in (None, Box(10, 5, 80, 55)):
        low = None
        for n in range(1, 4):
            prediction = engine.predict(image, Prompts(clicks=clicks[:n], box=box), key="frame")
            logits, score, low = published.ask(clicks[:n], box, low)
            np.testing.assert_allclose(
                prediction.probabilities, 1 / (1 + np.exp(-logits)), atol=1e-5
            )
            assert np.mean(prediction.mask != (logits > 0)) < 1e-3
            assert prediction.score == pytest.approx(np.clip(score, 0, 1), abs=1e-5)
        assert np.ptp(prediction.probabilities) > 0.05


def test_keeps_its_promises(folder):
    check_predictor(lambda: Sam2Predictor(folder, "cpu"))


def test_a_box_alone_is_a_prompt(folder, image):
    box = Box(10, 5, 80, 55)
    prediction = Sam2Predictor(folder, "cpu").predict(image, Prompts(box=box))
    logits, _, _ = Published(Sam2Model, folder, image).ask((), box, None)
    np.testing.assert_allclose(prediction.probabilities, 1 / (1 + np.exp(-logits)), atol=1e-5)


def test_the_mask_before_is_a_prompt_as_the_model_takes_it(folder, image):
    previous = np.zeros((60, 90), bool)
    previous[15:45, 30:60] = True
    engine = Sam2Predictor(folder, "cpu")
    low = engine._low(previous.astype(np.float32), engine._embed(image))
    assert low.shape == (1, 32, 32)
    inside = np.zeros((32, 32), bool)
    inside[9:23, 12:21] = True  # what lies wholly in it, of a picture stretched to a square
    assert (low[0][inside] > 4).all()
    assert np.mean(low > 0) == pytest.approx(previous.mean(), rel=0.15)
    click = (Click(40, 25),)
    corrected = engine.predict(image, Prompts(clicks=click, previous_mask=previous))
    fresh = engine.predict(image, Prompts(clicks=click))
    assert not np.array_equal(corrected.probabilities, fresh.probabilities)


def test_a_click_on_an_embedded_frame_does_not_call_the_encoder(folder, image, monkeypatch):
    engine = Sam2Predictor(folder, "cpu")
    calls = []
    engine._model.vision_encoder.register_forward_hook(lambda *_: calls.append(1))
    engine.prepare(lambda: image, "frame")
    for n in (1, 2, 3):
        clicks = tuple(Click(10 * k, 30) for k in range(n))
        engine.predict(image, Prompts(clicks=clicks), key="frame")
    assert len(calls) == 1


def test_a_folder_of_something_else_is_named_and_the_session_goes_on(folder, tmp_path):
    config = json.loads((folder / "config.json").read_text())
    other, cut = tmp_path / "other", tmp_path / "cut"
    for path, model_type in ((other, "vit"), (cut, config["model_type"])):
        path.mkdir()
        (path / "config.json").write_text(json.dumps({**config, "model_type": model_type}))
        (path / "model.safetensors").write_bytes(
            (folder / "model.safetensors").read_bytes()[:-5000]
        )
    for path in (other, cut, tmp_path):
        with pytest.raises(WeightsError, match=rf"{path} does not hold SAM 2"):
            Sam2Predictor(path, "cpu")
    with pytest.raises(WeightsError, match=r"no folder '.*none'.*sam2:tiny"):
        Sam2Predictor(tmp_path / "none", "cpu")
    fallback, sentence = engines.create_or_fall_back("predictor", f"sam2:{cut}")
    assert fallback.name == "classical"
    assert sentence is not None
    assert str(cut) in sentence


def test_without_a_network_a_sentence_says_what_to_put_where(tmp_path, monkeypatch):
    def unreachable(*_: Any, **__: Any) -> None:
        raise OSError("the hub cannot be reached")

    monkeypatch.setenv("EVAVOS_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    place = tmp_path / "weights" / "facebook--sam2.1-hiera-tiny"
    with pytest.raises(WeightsError) as told:
        Sam2Predictor("tiny", "cpu")
    for part in ("cannot be reached", "https://huggingface.co/facebook/sam2.1-hiera-tiny",
                 "model.safetensors", str(place)):  # fmt: skip
        assert part in str(told.value)


def test_weights_of_the_hub_are_downloaded_once_and_may_not_change(folder, tmp_path, monkeypatch):
    asked = []

    def download(repository: str, local_dir: Path, allow_patterns: list[str]) -> None:
        asked.append(repository)
        local_dir.mkdir(parents=True)
        for name in allow_patterns:
            (local_dir / name).write_bytes((folder / name).read_bytes())

    monkeypatch.setenv("EVAVOS_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    for _ in range(2):
        place = checkpoints.hub_folder("sam2:edgetam")
    assert asked == ["yonigozlan/EdgeTAM-hf"]
    with (place / "model.safetensors").open("ab") as file:
        file.write(b"more")
    with pytest.raises(WeightsError, match="damaged"):
        checkpoints.hub_folder("sam2:edgetam")


def test_a_missing_extra_is_named_and_the_session_goes_on(monkeypatch):
    for name in [m for m in sys.modules if m.endswith((".networks.sam2", ".mask_prediction.sam2"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'evavos-widget\[hub\]'"):
        engines.create("predictor", "sam2")
    fallback, sentence = engines.create_or_fall_back("predictor", "sam2")
    assert fallback.name == "classical"
    assert "[hub]" in str(sentence)


def test_a_device_that_is_not_there_is_named(folder):
    with pytest.raises(ValueError, match="cuda"):
        Sam2Predictor(folder, device="cuda:77")

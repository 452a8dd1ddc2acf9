"""Segment Anything (Kirillov et al. 2023): clicks, box and the mask before to a mask."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import segment_anything
import torch
from torch import Tensor

from evavos_widget import checkpoints
from evavos_widget.mask_prediction.click_by_click import (
    CACHE_BYTES,
    CERTAIN,
    Answer,
    ClickByClick,
    log_odds,
)
from evavos_widget.networks.devices import chosen_device
from evavos_widget.networks.published import loading
from evavos_widget.prompts import Box

__all__ = ["SamPredictor", "load_sam"]

WIDTHS = {768: "vit_b", 1024: "vit_l", 1280: "vit_h"}
"""Width of the image encoder -> which of the three published sizes it is."""


class SamPredictor(ClickByClick):
    """Mask of one object with Segment Anything; how, says `ClickByClick`.

    Parameters
    ----------
    weights : str or path
        ``vit_b`` (default), ``vit_l`` or ``vit_h``, downloaded if they are not there, or a
        file in the published format.
    device : str, optional
        A GPU where there is one, by default.
    cache_bytes : int
        Bound of what is kept between calls with a `key`.

    Raises
    ------
    WeightsError
        The weights cannot be had, or are damaged or of something else.
    ValueError
        The device is not there.
    """

    name = "sam"

    def __init__(
        self,
        weights: str | os.PathLike[str] = "vit_b",
        device: str | None = None,
        *,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        device = chosen_device(device)
        self._model = load_sam(checkpoints.weights_file(weights, "sam")).to(device)
        super().__init__(device, cache_bytes)

    def _ask(
        self,
        embedding: _Embedding,
        points: np.ndarray | None,
        signs: np.ndarray | None,
        box: Box | None,
        low: np.ndarray | None,
    ) -> Answer:
        # The package says tensors, and returns arrays.
        answer: Any = embedding.predictor(self._model).predict(
            points,
            signs,
            None if box is None else np.array([box.x0, box.y0, box.x1, box.y1]),
            low,
            return_logits=True,
        )
        masks, scores, lows = answer
        best = int(scores.argmax())
        # Copies, or all three would be kept as long as the best.
        return Answer(masks[best].copy(), lows[best : best + 1].copy(), float(scores[best]))

    def _low(self, start: np.ndarray, embedding: _Embedding) -> np.ndarray:
        """A mask before as the prompt that the model takes: (1, 256, 256) float32 logits.

        The model sees the picture in the upper left of a square.
        """
        side = self._model.prompt_encoder.mask_input_size[0]
        scale = side / self._model.image_encoder.img_size
        height, width = (max(1, round(scale * n)) for n in embedding.input_size)
        small = cv2.resize(start, (width, height), interpolation=cv2.INTER_AREA)
        low = np.full((1, side, side), -CERTAIN, np.float32)
        low[0, :height, :width] = log_odds(small)
        return low

    def _embed(self, image: np.ndarray) -> _Embedding:
        predictor: Any = segment_anything.SamPredictor(self._model)
        predictor.set_image(image)
        return _Embedding(predictor.features, predictor.original_size, predictor.input_size)


@dataclass(frozen=True, eq=False)
class _Embedding:
    """What the image encoder makes of an image, and the sizes it had before and after scaling."""

    features: Tensor
    original_size: tuple[int, int]
    input_size: tuple[int, int]

    @property
    def nbytes(self) -> int:
        return self.features.nbytes

    def predictor(self, model: Any) -> segment_anything.SamPredictor:
        """The published predictor with this image set."""
        predictor = segment_anything.SamPredictor(model)
        predictor.features, predictor.is_image_set = self.features, True
        predictor.original_size, predictor.input_size = self.original_size, self.input_size
        return predictor


def load_sam(path: Path) -> Any:
    """The model of a published file; which of the three it is, is seen from its tensors.

    Raises
    ------
    WeightsError
        The file is damaged or of something else.
    """
    wrong = f"{path} does not hold Segment Anything (vit_b, vit_l or vit_h); download it again"
    with loading(path, wrong):
        state = torch.load(path, map_location="cpu", weights_only=True)
        kind = WIDTHS[state["image_encoder.pos_embed"].shape[-1]]
        model = segment_anything.sam_model_registry[kind]()
        model.load_state_dict(state)
    return model.eval().requires_grad_(False)

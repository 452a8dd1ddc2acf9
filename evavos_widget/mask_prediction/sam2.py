"""SAM 2 and EdgeTAM on single frames: clicks, box and the mask before to a mask."""

from __future__ import annotations

import os
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from evavos_widget.mask_prediction.click_by_click import (
    CACHE_BYTES,
    Answer,
    ClickByClick,
    log_odds,
)
from evavos_widget.networks.sam2 import DEFAULT, load_sam2
from evavos_widget.prompts import Box

__all__ = ["Sam2Predictor"]

LOW_LIMIT = 32.0
"""Logits handed to the next click are cut off here, as the authors do."""


class Sam2Predictor(ClickByClick):
    """Mask of one object with SAM 2 or EdgeTAM; how, says `ClickByClick`.

    Parameters
    ----------
    weights : str or path
        ``edgetam`` (default), ``tiny``, ``small``, ``base-plus`` or ``large`` (SAM 2.1),
        downloaded if they are not there, or a folder that ``save_pretrained`` wrote.
    device : str, optional
        A GPU where there is one, by default.
    cache_bytes : int
        Bound of what is kept between calls with a `key`; an embedding has 17 MB.

    Raises
    ------
    WeightsError
        The weights cannot be had, or are damaged or of something else.
    ValueError
        The device is not there.
    """

    name = "sam2"

    def __init__(
        self,
        weights: str | os.PathLike[str] = DEFAULT,
        device: str | None = None,
        *,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self._model, self._pictures = load_sam2(weights, device, "image")
        super().__init__(str(self._model.device), cache_bytes)

    @torch.inference_mode()
    def _embed(self, image: np.ndarray) -> _Embedding:
        maps = self._model.get_image_embeddings(self._pictures(image))
        return _Embedding(tuple(maps), (image.shape[0], image.shape[1]))

    @torch.inference_mode()
    def _ask(
        self,
        embedding: _Embedding,
        points: np.ndarray | None,
        signs: np.ndarray | None,
        box: Box | None,
        low: np.ndarray | None,
    ) -> Answer:
        like = embedding.maps[0]
        height, width = embedding.size
        # The model sees the picture stretched to a square.
        scale = like.new_tensor([self._pictures.side / width, self._pictures.side / height])
        given: dict[str, Tensor] = {}
        if points is not None and signs is not None:
            given["input_points"] = like.new_tensor(points)[None, None] * scale
            given["input_labels"] = torch.from_numpy(signs).to(like.device, torch.int64)[None, None]
        if box is not None:
            corners = like.new_tensor([[box.x0, box.y0], [box.x1, box.y1]]) * scale
            given["input_boxes"] = corners.reshape(1, 1, 4)
        if low is not None:
            given["input_masks"] = torch.from_numpy(low).to(like)[None]
        found = self._model(image_embeddings=list(embedding.maps), multimask_output=True, **given)
        scores = found.iou_scores[0, 0]
        best = int(scores.argmax())
        chosen = found.pred_masks[:, :, best]
        full = functional.interpolate(
            chosen, size=embedding.size, mode="bilinear", align_corners=False
        )
        return Answer(
            full[0, 0].cpu().numpy(),
            chosen[0].clamp(-LOW_LIMIT, LOW_LIMIT).cpu().numpy(),
            float(scores[best]),
        )

    def _low(self, start: np.ndarray, embedding: _Embedding) -> np.ndarray:
        """A mask before as the prompt that the model takes: (1, 256, 256) float32 logits."""
        height, width = self._model.prompt_encoder.mask_input_size
        small = cv2.resize(start, (width, height), interpolation=cv2.INTER_AREA)
        return log_odds(small)[None]


@dataclass(frozen=True, eq=False)
class _Embedding:
    """What the image encoder makes of an image of `size`: maps, the finest first."""

    maps: tuple[Tensor, ...]
    size: tuple[int, int]

    @property
    def nbytes(self) -> int:
        return sum(part.nbytes for part in self.maps)

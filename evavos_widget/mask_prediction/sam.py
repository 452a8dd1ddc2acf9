"""Segment Anything (Kirillov et al. 2023): clicks, box and the mask before to a mask."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from segment_anything import SamPredictor, sam_model_registry
from torch import Tensor

from evavos_widget import checkpoints
from evavos_widget.cache import ByteBoundedCache
from evavos_widget.checkpoints import WeightsError
from evavos_widget.mask_prediction.pixels import checked, clicks_along, start_of
from evavos_widget.networks.devices import chosen_device
from evavos_widget.prompts import Box, Prediction, Prompts

__all__ = ["SamEngine", "load_sam"]

CACHE_BYTES = 256 * 2**20
"""Bound on kept embeddings (4 MiB each) and logits."""

WIDTHS = {768: "vit_b", 1024: "vit_l", 1280: "vit_h"}
"""Width of the image encoder -> which of the three published sizes it is."""

CERTAIN = 8.0
"""Log odds at which a mask that is to be corrected is cut off: what the model itself gives
for pixels well inside or outside."""

SPACING = 32.0
"""A scribble counts as a click every so many pixels,"""

MOST = 5
"""at most so many."""


class SamEngine:
    """Mask of one object from clicks, boxes and scribbles, with Segment Anything.

    Clicks are replayed in their order. The first one sees the mask to be corrected, each
    later one the low-resolution logits of the mask before, which is how the model was
    trained; all see all clicks made so far. Of the three masks that the model proposes,
    the one with the highest score of its own counts.

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
    learned = True

    def __init__(
        self,
        weights: str | os.PathLike[str] = "vit_b",
        device: str | None = None,
        *,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        device = chosen_device(device)
        published = f"sam:{weights}"
        path = checkpoints.weights_file(
            published if published in checkpoints.DOWNLOADS else weights
        )
        self._model = load_sam(path).to(device)
        self._cache = ByteBoundedCache(cache_bytes)
        self._ahead = ThreadPoolExecutor(1, thread_name_prefix="sam-ahead")
        self._coming: dict[Hashable, Future[_Embedding]] = {}

    def prepare(self, image: Callable[[], np.ndarray], key: Hashable) -> None:
        """Embed an image in the background, so that the first click on it does not wait.

        Parameters
        ----------
        image : callable
            Returns the (H, W, 3) uint8 RGB image.
        key : hashable
            What `predict` will be given with it. Of several images that wait to be embedded
            only the one that was named last is.
        """
        if self._cache.peek(key) is not None or key in self._coming:
            return
        for waiting in list(self._coming):
            if self._coming[waiting].cancel():
                del self._coming[waiting]

        def embed() -> _Embedding:
            try:
                return self._cache.get(key, lambda: self._embed(checked(image())))
            finally:
                self._coming.pop(key, None)

        self._coming[key] = self._ahead.submit(embed)

    def predict(
        self, image: np.ndarray, prompts: Prompts, *, key: Hashable | None = None
    ) -> Prediction:
        """The mask of one object.

        Parameters
        ----------
        image : (H, W, 3) uint8 array, RGB
        prompts : Prompts
            All prompts so far; the result depends on nothing else.
        key : hashable, optional
            Names the image, so that its embedding is kept, and clicks that were already
            worked out need not be repeated.

        Returns
        -------
        Prediction
            Without any prompt: the previous mask, or nothing.

        Raises
        ------
        ValueError
            The image is not (H, W, 3) uint8, or a prompt does not fit it.
        RuntimeError
            The GPU has not enough memory.
        """
        image = checked(image)
        height, width = image.shape[:2]
        prompts.validate(height, width)
        start = start_of(prompts, height, width)
        points = [
            p for scribble in prompts.scribbles for p in clicks_along(scribble, SPACING, MOST)
        ]
        first = max(len(points), 1)  # what is scribbled counts at once
        points += [(c.x, c.y, 1 if c.positive else -1) for c in prompts.clicks]
        if not points and prompts.box is None:
            return Prediction(start > 0.5, start, 0.0)
        embedding = self._embedding(image, key)
        low = self._low(start, embedding) if (start > 0.5).any() else None
        digest = hashlib.blake2b(digest_size=16)
        digest.update(repr((prompts.box, None if low is None else low.tobytes())).encode())
        answer: _Answer | None = None
        for n in range(min(first, len(points)), len(points) + 1):
            digest.update(repr(points[:n]).encode())
            make = self._asking(embedding, points[:n], prompts.box, low)
            known = None if key is None else (key, digest.digest())
            answer = make() if known is None else self._cache.get(known, make)
            low = answer.low
        assert answer is not None  # there is at least a box or a point
        return Prediction(
            mask=answer.logits > self._model.mask_threshold,
            probabilities=1 / (1 + np.exp(-answer.logits)),
            score=float(np.clip(answer.score, 0, 1)),
        )

    def _asking(
        self,
        embedding: _Embedding,
        points: list[tuple[float, float, int]],
        box: Box | None,
        low: np.ndarray | None,
    ) -> Callable[[], _Answer]:
        def ask() -> _Answer:
            masks, scores, lows = embedding.predictor(self._model).predict(
                np.array([[x, y] for x, y, _ in points]) if points else None,
                np.array([sign > 0 for _, _, sign in points]) if points else None,
                None if box is None else np.array([box.x0, box.y0, box.x1, box.y1]),
                low,
                return_logits=True,
            )
            best = int(scores.argmax())
            return _Answer(masks[best], lows[best : best + 1], float(scores[best]))

        return ask

    def _low(self, start: np.ndarray, embedding: _Embedding) -> np.ndarray:
        """A mask before as the prompt that the model takes: (1, 256, 256) float32 logits.

        The model sees the picture in the upper left of a square.
        """
        side = self._model.prompt_encoder.mask_input_size[0]
        scale = side / self._model.image_encoder.img_size
        height, width = (max(1, round(scale * n)) for n in embedding.input_size)
        small = cv2.resize(start, (width, height), interpolation=cv2.INTER_AREA)
        limit = 1 / (1 + np.exp(-CERTAIN))
        small = small.clip(1 - limit, limit)
        low = np.full((1, side, side), -CERTAIN, np.float32)
        low[0, :height, :width] = np.log(small / (1 - small))
        return low

    def _embedding(self, image: np.ndarray, key: Hashable | None) -> _Embedding:
        if key is None:
            return self._embed(image)
        coming = self._coming.get(key)
        if coming is not None and not coming.cancel():
            return coming.result()
        self._coming.pop(key, None)
        return self._cache.get(key, lambda: self._embed(image))

    def _embed(self, image: np.ndarray) -> _Embedding:
        try:
            predictor = SamPredictor(self._model)
            predictor.set_image(image)
            return _Embedding(predictor.features, predictor.original_size, predictor.input_size)
        except torch.OutOfMemoryError as error:
            raise RuntimeError(
                f"the device {self._model.device} has not enough memory for Segment Anything; "
                "name a smaller model, sam:vit_b, or device='cpu'."
            ) from error


@dataclass(frozen=True, eq=False)
class _Embedding:
    """What the image encoder makes of an image, and the sizes it had before and after scaling."""

    features: Tensor
    original_size: tuple[int, int]
    input_size: tuple[int, int]

    @property
    def nbytes(self) -> int:
        return self.features.nbytes

    def predictor(self, model: Any) -> SamPredictor:
        """The published predictor with this image set."""
        predictor = SamPredictor(model)
        predictor.features, predictor.is_image_set = self.features, True
        predictor.original_size, predictor.input_size = self.original_size, self.input_size
        return predictor


@dataclass(frozen=True, eq=False)
class _Answer:
    """The mask with the highest score.

    Parameters
    ----------
    logits : (H, W) float32 array
    low : (1, 256, 256) float32 array
        The same in low resolution, which is what the next click sees.
    score : float
    """

    logits: np.ndarray
    low: np.ndarray
    score: float

    @property
    def nbytes(self) -> int:
        return self.logits.nbytes + self.low.nbytes


def load_sam(path: Path) -> Any:
    """The model of a published file; which of the three it is, is seen from its tensors.

    Raises
    ------
    WeightsError
        The file is damaged or of something else.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        kind = WIDTHS[state["image_encoder.pos_embed"].shape[-1]]
        model = sam_model_registry[kind]()
        model.load_state_dict(state)
    except Exception as error:  # whatever a damaged file makes the unpickler raise
        raise WeightsError(
            f"{path} does not hold Segment Anything (vit_b, vit_l or vit_h); download it again."
        ) from error
    return model.eval().requires_grad_(False)

"""Promptable models: an image is embedded once, and clicks are answered one after the other."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np

from evavos_widget.cache import ByteBoundedCache
from evavos_widget.loop import MaskPredictor
from evavos_widget.mask_prediction.embeddings import Embeddings
from evavos_widget.mask_prediction.pixels import checked, clicks_along, start_of
from evavos_widget.mask_prediction.replay import replayed
from evavos_widget.prompts import Box, Prediction, Prompts

__all__ = ["CACHE_BYTES", "CERTAIN", "Answer", "ClickByClick", "log_odds"]

CACHE_BYTES = 256 * 2**20
"""Bound on kept embeddings and logits."""

CERTAIN = 8.0
"""Log odds at which a mask that is to be corrected is cut off: what the models themselves give
for pixels well inside or outside."""

SPACING = 32.0
"""A scribble counts as a click every so many pixels."""

MOST = 5
"""A scribble counts as so many clicks at most."""


@dataclass(frozen=True, eq=False)
class Answer:
    """The mask with the highest score.

    Parameters
    ----------
    logits : (H, W) float32 array
    low : (1, h, w) float32 array
        The same in low resolution, which is what the next click sees.
    score : float
        What the model thinks of it, about 0 to 1.
    """

    logits: np.ndarray
    low: np.ndarray
    score: float

    @property
    def nbytes(self) -> int:
        """Of both arrays."""
        return self.logits.nbytes + self.low.nbytes


class ClickByClick(MaskPredictor):
    """Mask of one object from clicks, boxes and scribbles, with a model of the SAM kind.

    Clicks are replayed in their order. The first one sees the mask to be corrected, each
    later one the low-resolution logits of the mask before, which is how these models were
    trained; all see all clicks made so far. Of the masks that the model proposes, the one
    with the highest score of its own counts.

    Parameters
    ----------
    device : str
    cache_bytes : int
        Bound of what is kept between calls with a `key`.
    """

    learned = True

    def __init__(self, device: str, cache_bytes: int) -> None:
        self.device = device
        self._cache = ByteBoundedCache(cache_bytes)
        self._embeddings = Embeddings(self.name, lambda image: self._embed(image), self._cache)

    @abstractmethod
    def _embed(self, image: np.ndarray) -> Any:
        """What depends on the (H, W, 3) uint8 image alone; it says its size as ``nbytes``."""

    @abstractmethod
    def _low(self, start: np.ndarray, embedding: Any) -> np.ndarray:
        """A mask before, (H, W) float32 in [0, 1], as the prompt that the model takes."""

    @abstractmethod
    def _ask(
        self,
        embedding: Any,
        points: np.ndarray | None,
        signs: np.ndarray | None,
        box: Box | None,
        low: np.ndarray | None,
    ) -> Answer:
        """The model's answer to (M, 2) points with (M,) bool signs, a box and a mask."""

    def prepare(self, image: Callable[[], np.ndarray], key: Hashable) -> None:
        """Embed an image in the background, so that the first click on it does not wait.

        Parameters
        ----------
        image : callable
            Returns the (H, W, 3) uint8 RGB image.
        key : hashable
            What `predict` will be given with it. Of the images that wait to be embedded only
            those that were named last are, see `Embeddings`.
        """
        self._embeddings.prepare(image, key)

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
            There is not enough memory.
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
        embedding = self._embeddings.get(image, key)
        low = self._low(start, embedding) if (start > 0.5).any() else None
        digest = hashlib.blake2b(digest_size=16)
        digest.update(repr((prompts.box, None if low is None else low.tobytes())).encode())
        counts = range(min(first, len(points)), len(points) + 1)
        digests = []
        for n in counts:
            digest.update(repr(points[n - 1 : n] if digests else points[:n]).encode())
            digests.append(digest.digest())

        def after(step: int, before: Answer | None) -> Answer:
            seen = low if before is None else before.low
            return self._asked(embedding, points[: counts[step]], prompts.box, seen)

        answer = replayed(self._cache, key, digests, None, after)
        assert answer is not None  # there is at least a box or a point
        return Prediction(
            mask=answer.logits > 0,
            probabilities=1 / (1 + np.exp(-answer.logits)),
            score=float(np.clip(answer.score, 0, 1)),
        )

    def _asked(
        self,
        embedding: Any,
        points: list[tuple[float, float, int]],
        box: Box | None,
        low: np.ndarray | None,
    ) -> Answer:
        places = np.array([[x, y] for x, y, _ in points]) if points else None
        signs = np.array([sign > 0 for _, _, sign in points]) if points else None
        return self._ask(embedding, places, signs, box, low)


def log_odds(probability: np.ndarray) -> np.ndarray:
    """Log odds of probabilities, cut off at `CERTAIN`."""
    limit = 1 / (1 + np.exp(-CERTAIN))
    probability = probability.clip(1 - limit, limit)
    return np.log(probability / (1 - probability))

"""Clicks, boxes and scribbles to a mask with the compact network."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from evavos_widget.cache import ByteBoundedCache
from evavos_widget.loop import MaskPredictor
from evavos_widget.mask_prediction.pixels import checked, pin, prediction_of, start_of
from evavos_widget.mask_prediction.replay import replayed
from evavos_widget.metrics import jaccard
from evavos_widget.networks.deferred import DeferredNetwork
from evavos_widget.prompts import Prediction, Prompts

if TYPE_CHECKING:
    # Imported where it is needed, with PyTorch; see `DeferredNetwork`.
    from evavos_widget.mask_prediction.compact_clicks import Belief, CompactClicks

__all__ = ["QUALITY_WEIGHTS", "CompactPredictor", "quality_features"]

CACHE_BYTES = 96 * 2**20
"""Bound on features and beliefs kept."""

QUALITY_WEIGHTS = (0.34, 0.21, 0.70, 0.20)
"""Of a mask's log odds of overlapping with the truth: a constant, the log odds of the overlap that
its probabilities let expect, how much of the mask before stands, and the logarithm of the number of
prompts. Fitted with the weights ``free``, which saw no video, on DAVIS-2016 train."""

MOST_CERTAIN = 0.99
"""Overlap that is never exceeded when it is expected."""


class CompactPredictor(MaskPredictor):
    """Mask of one object from clicks, boxes and scribbles, with learned weights.

    Prompts are replayed in their order (box, scribbles, clicks), each from the mask that the
    ones before it led to. Once there is a mask, only the picture around it is looked at,
    more closely.

    Parameters
    ----------
    weights : path or str, optional
        A file that ``evavos train compact`` wrote, or the name of weights
        that come with the package: ``davis`` (default) or ``free``.
    device : str, optional
        A GPU where there is one, by default.
    cache_bytes : int
        Bound of what is kept between calls with a `key`.
    """

    name = "compact"
    learned = True

    def __init__(
        self,
        weights: str | os.PathLike[str] | None = None,
        device: str | None = None,
        *,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self._network = DeferredNetwork(weights, device)
        self.notice, self.device = self._network.notice, self._network.device
        self._cache = ByteBoundedCache(cache_bytes)
        self._prepared = False

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
            Names the image, so that what depends on it alone can be kept, and the prompts
            that were already worked out need not be repeated.

        Returns
        -------
        Prediction
            Without any prompt: the previous mask, or nothing. The score is the IoU with the truth
            that is to be expected, calibrated as docs/compact.md says.

        Raises
        ------
        ValueError
            The image is not (H, W, 3) uint8, or a prompt does not fit it.
        """
        from evavos_widget.mask_prediction.compact_clicks import Belief, steps_of

        image = checked(image)
        prompts.validate(*image.shape[:2])
        start = start_of(prompts, *image.shape[:2])
        steps = steps_of(prompts)
        if not steps:
            return prediction_of(start)
        belief = Belief.of(start)
        known = belief.odds.tobytes() if belief.started else b""
        digest = hashlib.blake2b(known, digest_size=16)
        digest.update(repr(prompts.box).encode())
        digests, clicks = [], self._clicks()
        for step in steps:
            digest.update(repr(step).encode())
            digests.append(digest.digest())

        def after(n: int, before: Belief) -> Belief:
            given = [point for step in steps[: n + 1] for point in step]
            return clicks.apply(image, key, before, given, prompts.box)

        before = replayed(self._cache, key, digests[:-1], belief, after)
        belief = self._remember((key, digests[-1]), lambda: after(len(steps) - 1, before))
        probability = 1 / (1 + np.exp(-belief.odds))
        pin(probability, prompts)
        found = prediction_of(probability)
        stands = jaccard(before.odds > 0, found.mask)
        return replace(found, score=_quality(found.score, stands, len(steps)))

    def prepare(self, image: Callable[[], np.ndarray], key: Hashable) -> None:
        """Load the network in the background, where that was not done, and look at an image.

        Later images are looked at when they are clicked on, which is quick, and often only at the
        part around a mask.
        """
        if self._prepared:
            return
        self._prepared = True
        ahead = ThreadPoolExecutor(1, thread_name_prefix="compact-ahead")
        # What fails here fails again, and is told, where it is needed.
        ahead.submit(lambda: self._clicks().look(checked(image()), key))
        ahead.shutdown(wait=False)

    def _clicks(self) -> CompactClicks:
        from evavos_widget.mask_prediction.compact_clicks import CompactClicks

        return CompactClicks(self._network.get(), self._cache)

    def _remember(self, key: tuple[Hashable | None, Hashable], make: Callable[[], Any]) -> Any:
        return make() if key[0] is None else self._cache.get(key, make)


def quality_features(expected: float, stands: float, prompts: int) -> np.ndarray:
    """What the quality of a mask is predicted from, (4,); see `QUALITY_WEIGHTS`.

    Parameters
    ----------
    expected : float
        Overlap with the truth that is to be expected if each probability is what it says.
    stands : float
        IoU of the masks before and after the last prompt.
    prompts : int
    """
    expected = float(np.clip(expected, 1 - MOST_CERTAIN, MOST_CERTAIN))
    return np.array([1.0, np.log(expected / (1 - expected)), stands, np.log(prompts)])


def _quality(expected: float, stands: float, prompts: int) -> float:
    """IoU with the truth that is to be expected."""
    if not expected:
        return 0.0
    odds = quality_features(expected, stands, prompts) @ np.array(QUALITY_WEIGHTS)
    return float(1 / (1 + np.exp(-odds)))

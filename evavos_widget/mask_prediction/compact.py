"""Clicks, boxes and scribbles to a mask with the compact network."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch

from evavos_widget.cache import ByteBoundedCache
from evavos_widget.loop import MaskPredictor
from evavos_widget.mask_prediction.pixels import (
    checked,
    clicks_along,
    pin,
    prediction_of,
    start_of,
)
from evavos_widget.mask_prediction.replay import replayed
from evavos_widget.networks.compact import CELL, CERTAIN, Features
from evavos_widget.networks.ready import (
    compact_network,
    compact_notice,
    image_tensor,
    mask_tensor,
    work_size,
)
from evavos_widget.prompts import Box, Prediction, Prompts

__all__ = ["CompactPredictor"]

PIXELS = 320 * 568
"""Pixels of the pictures that are worked on."""

CACHE_BYTES = 96 * 2**20
"""Bound on features and beliefs kept."""

SURROUNDINGS = 0.4
"""What is worked on reaches so far beyond the object, relative to its longer side."""

GRID = 16
"""Windows begin and end at so many places of either side, so that clicks share them."""

WORTH_ZOOMING = 0.6
"""Windows of more than this fraction of the picture become the whole picture."""

SCRIBBLE_CLICKS = 8
"""As how many clicks a scribble counts, at most."""

Point = tuple[float, float, int]
"""Column and row in pixels of the picture, and 1 (object) or -1 (not)."""


class CompactPredictor(MaskPredictor):
    """Mask of one object from clicks, boxes and scribbles, with learned weights.

    Prompts are replayed in their order (box, scribbles, clicks), each from the mask that the
    ones before it led to. Once there is a mask, only the picture around it is looked at,
    more closely.

    Parameters
    ----------
    weights : path or str, optional
        A file that ``python -m evavos_widget.training.compact`` wrote, or the name of weights
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
        self._network = compact_network(weights, device)
        self.notice = compact_notice(weights)
        self.device = str(self._network.to_key.weight.device)
        self._cache = ByteBoundedCache(cache_bytes)

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
            Without any prompt: the previous mask, or nothing.

        Raises
        ------
        ValueError
            The image is not (H, W, 3) uint8, or a prompt does not fit it.
        """
        image = checked(image)
        prompts.validate(*image.shape[:2])
        start = start_of(prompts, *image.shape[:2])
        steps = _steps(prompts)
        if not steps:
            return prediction_of(start)
        belief = _Belief.of(start)
        digest = hashlib.blake2b(belief.odds.tobytes(), digest_size=16)
        digest.update(repr(prompts.box).encode())
        digests = []
        for step in steps:
            digest.update(repr(step).encode())
            digests.append(digest.digest())

        def after(n: int, before: _Belief) -> _Belief:
            given = [point for step in steps[: n + 1] for point in step]
            return self._apply(image, key, before, given, prompts.box)

        belief = replayed(self._cache, key, digests, belief, after)
        probability = 1 / (1 + np.exp(-belief.odds))
        pin(probability, prompts)
        return prediction_of(probability)

    def _remember(self, key: tuple[Hashable | None, Hashable], make: Callable[[], Any]) -> Any:
        return make() if key[0] is None else self._cache.get(key, make)

    @torch.inference_mode()
    def _apply(
        self,
        image: np.ndarray,
        key: Hashable | None,
        belief: _Belief,
        points: Sequence[Point],
        box: Box | None,
    ) -> _Belief:
        """The belief after the last of `points`."""
        window = _window(belief, points, box)
        rows, columns = window
        shape = rows.stop - rows.start, columns.stop - columns.start
        size = work_size(*shape, PIXELS)
        half = size[0] // 2, size[1] // 2
        features = self._features(image, key, window, size)
        like = features.cells
        scale = np.array([half[0] / shape[0], half[1] / shape[1]])
        corner = np.array([rows.start, columns.start])

        # Pixel centres are at integers at both sizes.
        clicks = [
            [*((np.array([y, x]) - corner + 0.5) * scale - 0.5), sign] for x, y, sign in points
        ]
        odds = belief.odds[window]
        before = cv2.resize(1 / (1 + np.exp(-odds)), half[::-1], interpolation=cv2.INTER_AREA)
        change = self._network.change(
            features,
            torch.tensor(clicks or [[0.0, 0.0, 0.0]], device=like.device)[None].float(),
            mask_tensor(before, like),
            torch.tensor([belief.started], device=like.device),
            None if box is None else mask_tensor(_box_map(box, corner, scale, half), like),
        )
        change = change[0, 0].float().cpu().numpy()
        after = np.full_like(belief.odds, -CERTAIN) if not belief.started else belief.odds.copy()
        after[window] = odds + cv2.resize(change, shape[::-1], interpolation=cv2.INTER_LINEAR)
        return _Belief(after.clip(-CERTAIN, CERTAIN), True)

    def _features(
        self,
        image: np.ndarray,
        key: Hashable | None,
        window: tuple[slice, slice],
        size: tuple[int, int],
    ) -> Features:
        like = self._network.to_key.weight

        def make() -> _Kept:
            return _Kept(self._network.encode(image_tensor(image[window], size, like)))

        bounds = tuple((side.start, side.stop) for side in window)
        return self._remember((key, bounds), make).features


@dataclass(frozen=True, eq=False)
class _Kept:
    features: Features

    @property
    def nbytes(self) -> int:
        return sum(level.nbytes for level in self.features)


@dataclass(frozen=True, eq=False)
class _Belief:
    """What is believed before or after a prompt.

    Parameters
    ----------
    odds : (H, W) float32 array
        Log odds within +-`CERTAIN`; 0 everywhere where nothing is known yet.
    started : bool
        Whether something is.
    """

    odds: np.ndarray
    started: bool

    @property
    def nbytes(self) -> int:
        return self.odds.nbytes

    @staticmethod
    def of(start: np.ndarray) -> _Belief:
        """From the probability before the first prompt."""
        if not (start > 0.5).any():
            return _Belief(np.zeros(start.shape, np.float32), False)
        limit = 1 / (1 + np.exp(-np.float32(CERTAIN)))
        p = start.clip(1 - limit, limit)
        return _Belief(np.log(p / (1 - p)), True)


def _steps(prompts: Prompts) -> list[list[Point]]:
    """What is given one after the other; a box counts for itself when nothing else is given."""
    steps = [clicks_along(scribble, 4 * CELL, SCRIBBLE_CLICKS) for scribble in prompts.scribbles]
    steps += [[(c.x, c.y, 1 if c.positive else -1)] for c in prompts.clicks]
    return steps or ([[]] if prompts.box is not None else [])


def _window(belief: _Belief, points: Sequence[Point], box: Box | None) -> tuple[slice, slice]:
    """Rows and columns worth looking at: around the object, the points and the box."""
    height, width = belief.odds.shape
    everything = slice(0, height), slice(0, width)
    if not belief.started and box is None:
        return everything
    rows, columns = (np.flatnonzero((belief.odds > 0).any(axis=a)) for a in (1, 0))
    x, y = [p[0] for p in points], [p[1] for p in points]
    if len(rows):
        x += [columns[0], columns[-1]]
        y += [rows[0], rows[-1]]
    if box is not None:
        x += [box.x0, box.x1]
        y += [box.y0, box.y1]
    margin = SURROUNDINGS * max(max(x) - min(x), max(y) - min(y)) + 2 * CELL
    window = _stretch(y, margin, height), _stretch(x, margin, width)
    share = np.prod([s.stop - s.start for s in window]) / (height * width)
    return everything if share > WORTH_ZOOMING else window


def _stretch(places: Sequence[float], margin: float, side: int) -> slice:
    """What lies around some places of a side, by whole steps of the grid."""
    first = np.floor((min(places) - margin) / side * GRID).clip(0, GRID - 1)
    last = np.ceil((max(places) + margin) / side * GRID).clip(1, GRID)
    return slice(int(first * side / GRID), int(last * side / GRID))


def _box_map(box: Box, corner: np.ndarray, scale: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """1 inside of the box and -1 outside, in pixels of the mask."""
    top, left = np.rint((np.array([box.y0, box.x0]) - corner) * scale).clip(0).astype(int)
    bottom, right = np.rint((np.array([box.y1, box.x1]) - corner + 1) * scale).clip(1).astype(int)
    out = np.full(shape, -1, np.float32)
    out[min(top, shape[0] - 1) : max(bottom, top + 1), left : max(right, left + 1)] = 1
    return out

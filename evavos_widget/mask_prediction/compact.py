"""Clicks, boxes and scribbles to a mask with the compact network."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
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
from evavos_widget.metrics import jaccard
from evavos_widget.networks.compact import CELL, CERTAIN, Features
from evavos_widget.networks.ready import (
    compact_network,
    compact_notice,
    image_tensor,
    mask_tensor,
    resized,
    work_size,
)
from evavos_widget.prompts import Box, Prediction, Prompts

__all__ = ["QUALITY_WEIGHTS", "CompactPredictor", "quality_features"]

PIXELS = 320 * 568
"""Pixels of the pictures and windows that are worked on, at most."""

CACHE_BYTES = 96 * 2**20
"""Bound on features and beliefs kept."""

LARGEST_ZOOM = 3.0
"""Pixels that are worked on per pixel of the picture, at most, along a side."""

LENGTH = 288
"""Longer side to which small windows are enlarged, in pixels; those of the training had 256."""

SURROUNDINGS = 0.4
"""What is worked on reaches so far beyond the object, relative to its longer side."""

ENOUGH = 0.15
"""How far it has to reach for a window that is there already to be kept."""

TOO_MUCH = 2.0
"""Windows that are so many times larger than they would be made now are given up."""

WORTH_ZOOMING = 0.6
"""Windows of more than this fraction of the picture become the whole picture."""

SCRIBBLE_CLICKS = 8
"""As how many clicks a scribble counts, at most."""

QUALITY_WEIGHTS = (0.34, 0.21, 0.70, 0.20)
"""Of a mask's log odds of overlapping with the truth: a constant, the log odds of the overlap that
its probabilities let expect, how much of the mask before stands, and the logarithm of the number of
prompts. Fitted with the weights ``free``, which saw no video, on DAVIS-2016 train."""

MOST_CERTAIN = 0.99
"""Overlap that is never exceeded when it is expected."""

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
            Without any prompt: the previous mask, or nothing. The score is the IoU with the truth
            that is to be expected, calibrated as docs/compact.md says.

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

        before = replayed(self._cache, key, digests[:-1], belief, after)
        belief = self._remember((key, digests[-1]), lambda: after(len(steps) - 1, before))
        probability = 1 / (1 + np.exp(-belief.odds))
        pin(probability, prompts)
        found = prediction_of(probability)
        stands = jaccard(before.odds > 0, found.mask)
        return replace(found, score=_quality(found.score, stands, len(steps)))

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
        size = _size_of(shape)
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
        return _Belief(after.clip(-CERTAIN, CERTAIN), True, window)

    def _features(
        self,
        image: np.ndarray,
        key: Hashable | None,
        window: tuple[slice, slice],
        size: tuple[int, int],
    ) -> Features:
        like = self._network.to_key.weight

        def make() -> _Kept:
            return _Kept(self._network.encode(image_tensor(resized(image[window], size), like)))

        bounds = tuple((side.start, side.stop) for side in window)
        return self._remember((key, bounds), make).features


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
    window : pair of slices, optional
        Where the last prompt was looked at.
    """

    odds: np.ndarray
    started: bool
    window: tuple[slice, slice] | None = None

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
    """Rows and columns worth looking at: around the object, the points and the box.

    The window of the prompt before is kept while it holds all that matters, so that its features
    need not be computed again.
    """
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
    length = max(max(x) - min(x), max(y) - min(y))

    def around(surroundings: float) -> tuple[slice, slice]:
        margin = surroundings * length + surroundings / SURROUNDINGS * 2 * CELL
        return _stretch(y, margin, height), _stretch(x, margin, width)

    wanted = around(SURROUNDINGS)
    if _area(wanted) > WORTH_ZOOMING * height * width:
        wanted = everything
    kept = belief.window
    if kept is not None and _area(kept) <= TOO_MUCH * _area(wanted):
        pairs = zip(around(ENOUGH), kept, strict=True)
        if all(k.start <= need.start and need.stop <= k.stop for need, k in pairs):
            return kept
    return wanted


def _area(window: tuple[slice, slice]) -> int:
    rows, columns = window
    return (rows.stop - rows.start) * (columns.stop - columns.start)


def _stretch(places: Sequence[float], margin: float, side: int) -> slice:
    """What lies around some places of a side."""
    first = int(np.floor(min(places) - margin).clip(0, side - 1))
    return slice(first, int(np.ceil(max(places) + margin).clip(first, side - 1)) + 1)


def _size_of(shape: tuple[int, int]) -> tuple[int, int]:
    """Size at which a window of `shape` is worked on; small ones are enlarged."""
    zoom = min(LARGEST_ZOOM, max(1.0, LENGTH / max(shape)))
    return work_size(round(shape[0] * zoom), round(shape[1] * zoom), PIXELS)


def _box_map(box: Box, corner: np.ndarray, scale: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """1 inside of the box and -1 outside, in pixels of the mask."""
    top, left = np.rint((np.array([box.y0, box.x0]) - corner) * scale).clip(0).astype(int)
    bottom, right = np.rint((np.array([box.y1, box.x1]) - corner + 1) * scale).clip(1).astype(int)
    out = np.full(shape, -1, np.float32)
    out[min(top, shape[0] - 1) : max(bottom, top + 1), left : max(right, left + 1)] = 1
    return out

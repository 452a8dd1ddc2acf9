"""Clicks, boxes and scribbles to a mask without learned weights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import cv2
import numpy as np

from evavos_widget.cache import ByteBoundedCache
from evavos_widget.loop import MaskPredictor
from evavos_widget.mask_prediction.evidence import Stroke, gather, reconsider
from evavos_widget.mask_prediction.pixels import checked, pin, prediction_of, scribbled, start_of
from evavos_widget.mask_prediction.replay import replayed
from evavos_widget.mask_prediction.superpixels import SuperpixelGraph
from evavos_widget.mask_prediction.weights import FIRST_LOOK, SECOND_LOOK
from evavos_widget.prompts import Box, Prediction, Prompts

__all__ = ["ClassicalPredictor"]

CERTAIN = 3.5
"""Log odds that a pixel's belief is kept within."""

REACH = 4.0
"""Superpixels within so many times the room of a stroke need not be connected to it."""

BOX_SWEEPS = 4
"""Sweeps that separate what is in a box from what surrounds it."""

BOX_FILL = (0.45, 0.8)
"""Least and most of its box that an object fills: chosen on DAVIS train."""

CACHE_BYTES = 160 * 2**20
"""Bound on what is kept between calls."""


class ClassicalPredictor(MaskPredictor):
    """Mask of one object from clicks, boxes and scribbles; no weights to download.

    Strokes are replayed in their order (box, scribbles, clicks). Each claims superpixels
    that have the other label, are near it or connected to it, and go with it by colour and
    place; everything else keeps its probability exactly.

    Parameters
    ----------
    cache_bytes : int
        Bound of what is kept between calls with a `key`.
    """

    name = "classical"

    def __init__(self, *, cache_bytes: int = CACHE_BYTES) -> None:
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
            Names the image, so that what depends on it alone can be kept, and the strokes
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
        height, width = image.shape[:2]
        prompts.validate(height, width)
        start = start_of(prompts, height, width)
        if prompts.box is None and not prompts.scribbles and not prompts.clicks:
            return prediction_of(start)

        graph = self._remember(key, "graph", lambda: SuperpixelGraph.build(image))
        scale = np.array([graph.shape[1] / width, graph.shape[0] / height])
        strokes = _strokes(prompts, scale, (height, width))
        begun = cv2.resize(start, graph.shape[::-1], interpolation=cv2.INTER_AREA)
        if prompts.box is not None:
            begun = _segment_box(graph, begun, _scaled_box(prompts.box, scale))
        digest = hashlib.blake2b(begun.tobytes(), digest_size=16)
        digests = []
        for stroke in strokes:
            digest.update(stroke.points.tobytes() + bytes([stroke.positive]))
            digests.append(digest.digest())
        belief = replayed(
            self._cache, key, digests, begun, lambda n, b: _claim(graph, b, strokes[: n + 1])
        )
        before = cv2.resize(start, graph.shape[::-1], interpolation=cv2.INTER_AREA)
        change = cv2.resize(belief - before, (width, height), interpolation=cv2.INTER_LINEAR)
        probability = np.clip(start + change, 0, 1)
        pin(probability, prompts)
        return prediction_of(probability)

    def _remember(self, key: Hashable | None, what: Hashable, make: Callable[[], Any]) -> Any:
        return make() if key is None else self._cache.get((key, what), make)


def _strokes(prompts: Prompts, scale: np.ndarray, size: tuple[int, int]) -> list[Stroke]:
    # Pixel centres are at integers at both sizes.
    def to_working(points: np.ndarray) -> np.ndarray:
        return (points + 0.5) * scale - 0.5

    drawn = []
    for scribble in prompts.scribbles:
        rows, columns = np.nonzero(scribbled(scribble, size))
        if len(rows):
            points = to_working(np.stack([columns, rows], 1))
            drawn.append(Stroke(np.unique(points.round(), axis=0), scribble.positive))
    return drawn + [
        Stroke(to_working(np.array([[c.x, c.y]])), bool(c.positive)) for c in prompts.clicks
    ]


def _scaled_box(box: Box, scale: np.ndarray) -> tuple[int, int, int, int]:
    x0, y0 = np.floor(np.array([box.x0, box.y0]).clip(0) * scale).astype(int)
    x1, y1 = np.ceil((np.array([box.x1, box.y1]) + 1) * scale).astype(int)
    return x0, y0, x1, y1


def _segment_box(
    graph: SuperpixelGraph, probability: np.ndarray, box: tuple[int, int, int, int]
) -> np.ndarray:
    """What a box says: nothing outside is the object, and it is not like what is outside."""
    x0, y0, x1, y1 = box
    inside = np.zeros(graph.shape, np.float32)
    inside[y0:y1, x0:x1] = 1
    if (probability[y0:y1, x0:x1] > 0.5).any():
        return probability * inside
    # The object fills the middle of its box more often than the corners.
    rows, columns = np.mgrid[: graph.shape[0], : graph.shape[1]]
    off = np.maximum(
        np.abs(columns - (x0 + x1 - 1) / 2) / max(1, x1 - x0),
        np.abs(rows - (y0 + y1 - 1) / 2) / max(1, y1 - y0),
    )
    prior = graph.average(8 * (1 / 3 - off.astype(np.float32)))
    within = graph.average(inside)
    belief = within * _sigmoid(prior)
    for _ in range(BOX_SWEEPS):
        odds = _log_odds_of_fill(prior + graph.color_odds(belief), graph.area * within)
        belief = within * _sigmoid(graph.smooth(odds))
    return np.clip(graph.to_pixels(belief), 0, 1).astype(np.float32) * inside


def _log_odds_of_fill(odds: np.ndarray, area: np.ndarray) -> np.ndarray:
    """Log odds shifted so that neither too little nor too much of a box is the object."""
    order = np.argsort(-odds)
    filled = np.cumsum(area[order]) / max(float(area.sum()), 1e-6)
    least, most = (
        float(odds[order[min(np.searchsorted(filled, share), len(order) - 1)]])
        for share in BOX_FILL
    )
    return odds - max(most, 0) - min(least, 0)


def _claim(
    graph: SuperpixelGraph, probability: np.ndarray, strokes: Sequence[Stroke]
) -> np.ndarray:
    """Foreground probability, (h, w), after the last stroke."""
    positive = strokes[-1].positive
    evidence = gather(graph, probability, strokes)
    guess = evidence.cues @ FIRST_LOOK[evidence.case]
    odds = reconsider(graph, evidence, guess) @ SECOND_LOOK[evidence.case]
    odds = np.clip(odds, -4, 4)
    before = _log_odds(evidence.same)
    claimed = (odds > 0) & (odds > before)
    claimed &= evidence.near(REACH) | graph.connected(claimed, evidence.touched)
    gain = np.where(claimed, np.maximum(odds - before, 0), 0)
    change = graph.to_pixels(gain if positive else -gain)
    after = _sigmoid(_log_odds(probability) + change)
    # Exactly as before where nothing was claimed.
    after = np.where(np.abs(change) > 1e-3, after, probability).astype(np.float32)
    for stroke in strokes:
        rows, columns = stroke.pixels(graph.shape)
        touched = np.zeros(graph.shape, np.uint8)
        touched[rows, columns] = 1
        touched = cv2.dilate(touched, np.ones((3, 3), np.uint8)) > 0
        after[touched] = _sigmoid(CERTAIN if stroke.positive else -CERTAIN)
    return after


def _log_odds(probability: np.ndarray) -> np.ndarray:
    limit = _sigmoid(CERTAIN)
    p = np.clip(probability, 1 - limit, limit)
    return np.log(p / (1 - p))


def _sigmoid(x: np.ndarray | float) -> Any:
    return 1 / (1 + np.exp(-x))

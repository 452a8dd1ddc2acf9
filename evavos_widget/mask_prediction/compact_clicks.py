"""What is believed after a click, a box or a scribble, with the compact network."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from evavos_widget.cache import ByteBoundedCache
from evavos_widget.mask_prediction.pixels import clicks_along
from evavos_widget.networks.compact import CELL, CERTAIN, CompactNet, Looked
from evavos_widget.networks.ready import image_tensor, mask_tensor, resized, work_size
from evavos_widget.prompts import Box, Prompts

__all__ = ["Belief", "CompactClicks", "steps_of"]

PIXELS = 320 * 568
"""Pixels of the pictures and windows that are worked on, at most."""

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

Point = tuple[float, float, int]
"""Column and row in pixels of the picture, and 1 (object) or -1 (not)."""


class CompactClicks:
    """The network with what it has looked at.

    Parameters
    ----------
    network : CompactNet
    cache : ByteBoundedCache
        Keeps features of pictures that have a key; others may keep things in it too.
    """

    def __init__(self, network: CompactNet, cache: ByteBoundedCache) -> None:
        self.network, self._cache = network, cache

    def look(self, image: np.ndarray, key: Hashable) -> None:
        """Keep what a click on a picture without a mask will need."""
        everything = slice(0, image.shape[0]), slice(0, image.shape[1])
        with torch.inference_mode():
            self._looked(image, key, everything, _size_of(image.shape[:2]))

    @torch.inference_mode()
    def apply(
        self,
        image: np.ndarray,
        key: Hashable | None,
        belief: Belief,
        points: Sequence[Point],
        box: Box | None,
    ) -> Belief:
        """The belief after the last of `points`."""
        window = _window(belief, points, box)
        rows, columns = window
        shape = rows.stop - rows.start, columns.stop - columns.start
        size = _size_of(shape)
        half = size[0] // 2, size[1] // 2
        looked = self._looked(image, key, window, size)
        like = looked.cells
        scale = np.array([half[0] / shape[0], half[1] / shape[1]])
        corner = np.array([rows.start, columns.start])

        # Pixel centres are at integers at both sizes.
        clicks = [
            [*((np.array([y, x]) - corner + 0.5) * scale - 0.5), sign] for x, y, sign in points
        ]
        odds = belief.odds[window]
        before = cv2.resize(1 / (1 + np.exp(-odds)), half[::-1], interpolation=cv2.INTER_AREA)
        change = self.network.change(
            looked,
            torch.tensor(clicks or [[0.0, 0.0, 0.0]], device=like.device)[None].float(),
            mask_tensor(before, like),
            torch.tensor([belief.started], device=like.device),
            None if box is None else mask_tensor(_box_map(box, corner, scale, half), like),
        )
        change = change[0, 0].float().cpu().numpy()
        after = np.full_like(belief.odds, -CERTAIN) if not belief.started else belief.odds.copy()
        after[window] = odds + cv2.resize(change, shape[::-1], interpolation=cv2.INTER_LINEAR)
        return Belief(after.clip(-CERTAIN, CERTAIN), True, window)

    def _looked(
        self,
        image: np.ndarray,
        key: Hashable | None,
        window: tuple[slice, slice],
        size: tuple[int, int],
    ) -> Looked:
        like = self.network.to_key.weight

        def make() -> _Kept:
            features = self.network.encode(image_tensor(resized(image[window], size), like))
            return _Kept(self.network.look(features))

        bounds = tuple((side.start, side.stop) for side in window)
        return (make() if key is None else self._cache.get((key, bounds), make)).looked


@dataclass(frozen=True, eq=False)
class _Kept:
    looked: Looked

    @property
    def nbytes(self) -> int:
        return sum(level.nbytes for level in self.looked)


@dataclass(frozen=True, eq=False)
class Belief:
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
        """Bytes that it takes."""
        return self.odds.nbytes

    @staticmethod
    def of(start: np.ndarray) -> Belief:
        """From the probability before the first prompt."""
        if not (start > 0.5).any():
            return Belief(np.zeros(start.shape, np.float32), False)
        limit = 1 / (1 + np.exp(-np.float32(CERTAIN)))
        p = start.clip(1 - limit, limit)
        return Belief(np.log(p / (1 - p)), True)


def steps_of(prompts: Prompts) -> list[list[Point]]:
    """What is given one after the other; a box counts for itself when nothing else is given."""
    steps = [clicks_along(scribble, 4 * CELL, SCRIBBLE_CLICKS) for scribble in prompts.scribbles]
    steps += [[(c.x, c.y, 1 if c.positive else -1)] for c in prompts.clicks]
    return steps or ([[]] if prompts.box is not None else [])


def _window(belief: Belief, points: Sequence[Point], box: Box | None) -> tuple[slice, slice]:
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

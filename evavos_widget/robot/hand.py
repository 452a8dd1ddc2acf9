"""The robot's hand: how a person's clicks, strokes, boxes and outlines differ from the truth."""

from __future__ import annotations

import cv2
import numpy as np

from evavos_widget.metrics import jaccard
from evavos_widget.prompts import Box, Click, Scribble
from evavos_widget.quantities import as_quantity

__all__ = ["Hand", "depth", "middle_line"]

SHAKE = 0.08
"""An outline's deviations are independent so far apart along it, relative to the square root of
the object's area. Our choice: a person's outline is off in bows, not in pixels."""

HALVINGS = 24
"""The interval in which the strength of the deviations is searched is halved so often."""

STROKE_RADIUS = 2.0
"""Half the width of a scribble is so many pixels."""

STROKE_STEP = 4
"""There are so many columns between the vertices of a scribble."""


class Hand:
    """Draws, clicks and strokes with a given lack of precision.

    Parameters
    ----------
    agreement : float in (0, 1]
        IoU of a drawn mask with the truth; 1 draws the truth. EVA-VOS (Sec. 4) takes 0.85
        for what people agree on when they outline objects.
    jitter : float
        Standard deviation of clicks and of a box's sides in pixels.
    seed : int
        Deviations depend on it and on the `place` they are for.
    """

    def __init__(self, agreement: float = 1.0, jitter: float = 0.0, seed: int = 0) -> None:
        self.agreement = as_quantity(
            "agreement", agreement, "an IoU above 0 and up to 1", most=1.0, above=True
        )
        self.jitter = as_quantity("jitter", jitter, "pixels, 0 or more")
        self.seed = seed

    def _rng(self, *place: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *place])

    def draw(self, truth: np.ndarray, *place: int) -> np.ndarray:
        """A drawn mask.

        Its outline is that of `truth`, moved in and out by a smooth random distance whose
        strength is searched so that the IoU is `agreement`.

        Parameters
        ----------
        truth : (H, W) bool array
        *place : int
            Frame and object.

        Returns
        -------
        (H, W) bool array
            Its IoU with `truth` is within one pixel's worth of `agreement`, or as near as
            the object's size allows.
        """
        if self.agreement == 1 or not truth.any():
            return truth.copy()
        inside, outside = (
            cv2.distanceTransform(m.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
            for m in (truth, ~truth)
        )
        noise = self._rng(*place).standard_normal(truth.shape).astype(np.float32)
        noise = cv2.GaussianBlur(noise, (0, 0), max(1.0, SHAKE * np.sqrt(truth.sum())))
        noise /= noise.std()
        low, high, drawn = 0.0, float(max(truth.shape)), truth
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            tried = inside - outside + middle * noise > 0
            if jaccard(tried, truth) >= self.agreement:
                low, drawn = middle, tried
            else:
                high = middle
        return drawn

    def click(self, click: Click, shape: tuple[int, int], *place: int) -> Click:
        """A click that misses by some pixels, within the picture of `shape`."""
        if not self.jitter:
            return click
        dx, dy = self.jitter * self._rng(*place).standard_normal(2)
        height, width = shape
        return Click(
            float(np.clip(round(click.x + dx), 0, width - 1)),
            float(np.clip(round(click.y + dy), 0, height - 1)),
            click.positive,
        )

    def box(self, truth: np.ndarray, *place: int) -> Box:
        """The box around a mask that is not empty."""
        rows, columns = (np.flatnonzero(truth.any(axis=axis)) for axis in (1, 0))
        sides = np.array([columns[0], rows[0], columns[-1], rows[-1]], dtype=float)
        sides += self.jitter * self._rng(*place).standard_normal(4)
        height, width = truth.shape
        x0, x1 = np.sort(np.clip(sides[::2], 0, width - 1))
        y0, y1 = np.sort(np.clip(sides[1::2], 0, height - 1))
        # A box one pixel wide has no inside.
        return Box(float(x0), float(y0), float(max(x1, x0 + 1)), float(max(y1, y0 + 1)))

    def scribble(self, region: np.ndarray, positive: bool) -> Scribble:
        """A stroke along the middle of a region that is not empty."""
        return Scribble(middle_line(region), positive, STROKE_RADIUS)


def middle_line(region: np.ndarray) -> np.ndarray:
    """The deepest way through a region, from one end to the other.

    Of all lines that go from end to end along the region's longer side and move by at most
    one pixel sideways at each step, the one on which the distances to the region's border
    add up to most; of it the longest part that lies inside and clear of the border.

    Parameters
    ----------
    region : (H, W) bool array
        Not empty.

    Returns
    -------
    (M, 2) float64 array
        ``(x, y)`` in pixels, all inside the region.
    """
    rows, columns = (np.flatnonzero(region.any(axis=axis)) for axis in (1, 0))
    upright = np.ptp(rows) > np.ptp(columns)
    part = region[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    part = part.T if upright else part
    within = depth(part)
    worth = np.where(part, within, -float(within.size))
    height, width = part.shape
    best, came_from = worth[:, 0], np.zeros((height, width), dtype=np.int64)
    for column in range(1, width):
        padded = np.pad(best, 1, constant_values=-np.inf)
        choices = np.stack([padded[:-2], padded[1:-1], padded[2:]])
        step = choices.argmax(axis=0)
        came_from[:, column] = np.arange(height) + step - 1
        best = choices.max(axis=0) + worth[:, column]
    line = np.empty(width, dtype=np.int64)
    line[-1] = best.argmax()
    for column in range(width - 1, 0, -1):
        line[column - 1] = came_from[line[column], column]
    # The ends keep clear of the border, where the region is wide enough for that.
    clear = within[line, np.arange(width)]
    inside = clear > min(STROKE_RADIUS, clear.max() - 1)
    turns = np.flatnonzero(np.diff(inside, prepend=False, append=False))
    longest = np.diff(turns)[::2].argmax()
    first, last = turns[2 * longest], turns[2 * longest + 1] - 1
    kept = np.unique(np.append(np.arange(first, last, STROKE_STEP), last))
    along, across = kept, line[kept]
    x, y = (across, along) if upright else (along, across)
    return np.column_stack([x + columns[0], y + rows[0]]).astype(np.float64)


def depth(mask: np.ndarray) -> np.ndarray:
    """Distance to the nearest pixel outside the mask, the picture's edge counting as outside.

    Parameters
    ----------
    mask : (H, W) bool array

    Returns
    -------
    (H, W) float32 array
        In pixels; 0 outside.
    """
    padded = np.pad(mask.astype(np.uint8), 1)
    return cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]

"""Points in the order in which their answers are expected to decide most pixels."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from evavos_widget.loop import PointSelector
from evavos_widget.point_selection.regions import Regions
from evavos_widget.point_selection.sampling import DISTANCE, Spaced
from evavos_widget.points import Candidate
from evavos_widget.video import Video

__all__ = ["LargestEffect"]

WORKING_SIDE = 96
"""The shorter side of the picture on which effects are counted, in pixels; our choice."""

REACH = 1 / 12
"""Standard deviation, in shorter sides, of how far an answer speaks for pixels that look alike;
our choice."""

COLOUR_STEP = 32
"""Pixels look alike that fall into one cell of this size in Lab, each axis 0 to 255; our choice."""


class LargestEffect(PointSelector):
    """Asks first where an answer settles the most pixels that are likely to be wrong.

    With probability p, a pixel of the mask at 0.5 is wrong with ``min(p, 1 - p)``. An answer
    speaks for the pixels nearby that look alike and are on the same side of 0.5, the less the
    farther they are; its effect is the sum of their probabilities to be wrong. After each choice,
    what it speaks for is taken out of the sum. The points of all frames come in the order of
    their effects, so that whoever stops early has answered what matters most.

    Parameters
    ----------
    per_frame : int or str
        Points per frame, as many as `Regions` has; fewer where no effect is left.
    regions : Regions, optional
        Thresholds, for what a point is said to be proposed as.
    distance, scaled
        As for `at_random.Random`.
    """

    name = "largest-effect"

    def __init__(
        self,
        per_frame: int | str = 20,
        *,
        regions: Regions | None = None,
        distance: float = DISTANCE,
        scaled: bool = False,
    ) -> None:
        self.per_frame = int(per_frame)
        self.regions = regions or Regions()
        self.distance, self.scaled = distance, scaled

    def select(self, video: Video, probabilities: Mapping[int, np.ndarray]) -> list[Candidate]:
        """The points, those with the largest effect first."""
        found = [
            candidate
            for frame, probability in sorted(probabilities.items())
            for candidate in self._of_frame(video.frame(frame), frame, probability)
        ]
        return sorted(found, key=lambda c: -c.effect)

    def _of_frame(self, image: np.ndarray, frame: int, probability: np.ndarray) -> list[Candidate]:
        height, width = probability.shape
        scale = min(1.0, WORKING_SIDE / min(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(np.asarray(probability, np.float32), size, interpolation=cv2.INTER_AREA)
        groups = _groups(cv2.resize(image, size, interpolation=cv2.INTER_AREA), small > 0.5)
        wrong = np.minimum(small, 1 - small)
        sigma = REACH * min(size)
        effect = np.zeros_like(wrong)
        for group in range(groups.max() + 1):
            _recount(effect, wrong, groups == group, sigma)
        # A working pixel stands for the one in its middle.
        columns = ((np.arange(size[0]) + 0.5) * width / size[0]).astype(int)
        rows = ((np.arange(size[1]) + 0.5) * height / size[1]).astype(int)
        unused = np.random.default_rng(0)
        spaced = Spaced((height, width), unused, self.distance, self.scaled)
        pixels = height * width / wrong.size
        found: list[Candidate] = []
        while len(found) < self.per_frame:
            open_effect = np.where(spaced.free()[np.ix_(rows, columns)], effect, 0)
            row, column = divmod(int(open_effect.argmax()), size[0])
            if open_effect[row, column] <= 0:
                break
            x, y = int(columns[column]), int(rows[row])
            region = self.regions.of(float(probability[y, x]))
            found.append(Candidate(frame, x, y, region, float(pixels * effect[row, column])))
            spaced.take(x, y)
            group = groups == groups[row, column]
            wrong -= wrong * group * _near(row, column, wrong.shape, sigma)
            _recount(effect, wrong, group, sigma)
        return found


def _groups(image: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Pixels that look alike and are on the same side, numbered from 0; ``(h, w)`` int."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.int64) // COLOUR_STEP
    cells = 256 // COLOUR_STEP
    number = ((lab[..., 0] * cells + lab[..., 1]) * cells + lab[..., 2]) * 2 + inside
    return np.unique(number, return_inverse=True)[1].reshape(inside.shape)


def _near(row: int, column: int, shape: tuple[int, ...], sigma: float) -> np.ndarray:
    """How much an answer at a pixel speaks for each, 1 there and less around it."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * sigma**2), dtype=np.float32)


def _recount(effect: np.ndarray, wrong: np.ndarray, group: np.ndarray, sigma: float) -> None:
    """Set the effects of the pixels of a group."""
    blurred = cv2.GaussianBlur(wrong * group, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
    # The kernel of a blur sums to 1, that of an answer is 1 in its middle.
    effect[group] = 2 * np.pi * sigma**2 * blurred[group]

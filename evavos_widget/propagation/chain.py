"""One object carried from one annotated frame in one direction."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from evavos_widget.propagation.chained import MaskChain
from evavos_widget.propagation.features import CELL
from evavos_widget.propagation.frames import Frames
from evavos_widget.propagation.kernels import WIDTH, nearest_in_window, relax

__all__ = ["Chain"]

# Chosen on DAVIS-2016 train; docs/flow.md says what each is worth.

BAND = 40
"""Working pixels around the expected object in which it is looked for."""

PRIOR_SCALE = 13.0
"""Working pixels from the expected outline that are worth one unit of logit."""

PRIOR_LIMIT = 1.5
"""Largest logit that the expected outline alone can give."""

READOUT_LIMIT = 3.0
"""Largest logit that descriptors alone can give: twice the prior, so that they can overrule."""

READOUT_SCALE = 0.02
"""Difference of squared descriptor distances at which the readout saturates."""

NEIGHBOURS = 4
"""Nearest descriptors averaged per class."""

RADIUS = 10
"""Cells searched each way around a cell's place in a remembered frame."""

DISTANCE_COST = 1e-4
"""Squared descriptor distance that a cell of squared displacement counts for."""

FAR = 4.0
"""Squared descriptor distance of a class that is not in the window."""

MEMORY_STRIDE = 5
"""Remembered are the annotated frame and the latest whose distance is a multiple of this."""

RELAX_WEIGHT = 4.0
"""Pull of a neighbour of the same colour relative to the pixel's own evidence."""

RELAX_SWEEPS = 4


@dataclass(frozen=True, eq=False)
class _Memory:
    """One remembered frame.

    Parameters
    ----------
    descriptors : (h', D, w' + WIDTH) float32 array
        As `nearest_in_window` takes them.
    barred : (2, h', w' + WIDTH) float32 array
        `FAR` where a cell does not belong to the object, or to its surroundings.
    centre : (float, float)
        Row and column of the object's middle, in working pixels.
    """

    descriptors: np.ndarray
    barred: np.ndarray
    centre: tuple[float, float]


class Chain(MaskChain):
    """Masks of one object from one annotation; parameters as for `MaskChain`."""

    def __init__(
        self, source: int, direction: int, mask: np.ndarray, size: tuple[int, int]
    ) -> None:
        super().__init__(source, direction, mask, size)
        self._remembered: dict[int, _Memory] = {}

    def rest(self) -> None:
        """Drop what can be computed again from the masks."""
        self._remembered.clear()

    def extend(self, frames: Frames) -> None:
        """Compute the mask of the next frame."""
        last = self.length - 1
        now = self.source + self.direction * self.length
        expected = self.mask(self._last_seen)
        if self._last_seen == last:
            columns, rows = cv2.split(frames.positions(now - self.direction, now))
            expected = cv2.remap(
                expected, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
        inside = (expected > 0.5).astype(np.uint8)
        if not inside.any():
            self._append(np.zeros(self._size, np.float32))
            return
        outside = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 3)
        depth = cv2.distanceTransform(inside, cv2.DIST_L2, 3) - outside
        prior = np.clip(depth / PRIOR_SCALE, -PRIOR_LIMIT, PRIOR_LIMIT)
        if self._last_seen < last:  # Hidden: only its looks can bring it back.
            prior[:] = -PRIOR_LIMIT
        near = outside <= BAND
        x, y, w, h = cv2.boundingRect(near.astype(np.uint8))
        window = (slice(y, y + h), slice(x, x + w))
        logit = prior + self._readout(frames, now, inside, near)
        evidence = (1 / (1 + np.exp(-logit[window]))).astype(np.float32)
        affinity = np.ascontiguousarray(frames.features(now).affinity[(slice(None), *window)])
        relaxed = relax(evidence, affinity, RELAX_WEIGHT, RELAX_SWEEPS)
        result = np.zeros(self._size, np.float32)
        result[window] = np.where(near[window], relaxed, 0)
        self._append(result)

    def _memories(self, frames: Frames) -> list[_Memory]:
        """The annotated frame and the latest of every few, descriptors and all."""
        distances = {0, self._last_seen - self._last_seen % MEMORY_STRIDE}
        for gone in set(self._remembered) - distances:
            del self._remembered[gone]
        for distance in distances - set(self._remembered):
            frame = self.source + self.direction * distance
            mask = self.mask(distance)
            descriptors = frames.descriptors(frame, self.source)
            cells = _pool(mask, descriptors.shape[:2])
            inside = cells > 0.5 * min(1.0, float(cells.max()))
            barred = np.pad(FAR * np.stack([~inside, inside]), ((0, 0), (0, 0), (0, WIDTH)))
            rows = np.pad(descriptors.transpose(0, 2, 1), ((0, 0), (0, 0), (0, WIDTH)))
            self._remembered[distance] = _Memory(
                rows, barred.astype(np.float32), _centre(mask > 0.5)
            )
        return [self._remembered[d] for d in sorted(distances)]

    def _readout(
        self, frames: Frames, now: int, inside: np.ndarray, near: np.ndarray
    ) -> np.ndarray:
        """Logit, (h, w), of looking more like the remembered object than what was round it."""
        descriptors = frames.descriptors(now, self.source)
        shape = descriptors.shape[:2]
        rows, columns = np.nonzero(_pool(near.astype(np.float32), shape))
        queries = descriptors[rows, columns]
        best = np.full((len(rows), 2, NEIGHBOURS), FAR, np.float32)
        centre = _centre(inside)
        for memory in self._memories(frames):
            shift = (
                (memory.centre[0] - centre[0]) / CELL,
                (memory.centre[1] - centre[1]) / CELL,
            )
            nearest_in_window(
                queries,
                rows,
                columns,
                memory.descriptors,
                memory.barred,
                shift,
                RADIUS,
                DISTANCE_COST,
                best,
            )
        to_object, to_rest = best.mean(axis=2).T
        cells = np.zeros(shape, np.float32)
        cells[rows, columns] = READOUT_LIMIT * np.tanh((to_rest - to_object) / READOUT_SCALE)
        pixels = cv2.resize(cells, None, fx=CELL, fy=CELL, interpolation=cv2.INTER_LINEAR)
        return pixels[: self._size[0], : self._size[1]]


def _pool(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Means of a (h, w) mask over h' x w' cells."""
    h, w = mask.shape
    padded = cv2.copyMakeBorder(
        mask, 0, shape[0] * CELL - h, 0, shape[1] * CELL - w, cv2.BORDER_REPLICATE
    )
    return cv2.resize(padded, shape[::-1], interpolation=cv2.INTER_AREA)


def _centre(inside: np.ndarray) -> tuple[float, float]:
    """Row and column of the middle of a mask."""
    moments = cv2.moments(inside.astype(np.uint8), binaryImage=True)
    area = max(moments["m00"], 1.0)
    return moments["m01"] / area, moments["m10"] / area

"""What one frame contributes to weight-free propagation, whatever the objects are."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit

__all__ = ["CELL", "FrameFeatures", "backward_flow", "frame_features", "work_size"]

WORK_PIXELS = 427 * 240
"""Working resolution: as many pixels as half of 480p, whatever the shape."""

MIN_SIDE = 48
"""Shortest side in working pixels; DIS flow needs a few 8-pixel patches each way."""

CELL = 4
"""Side of a descriptor cell in working pixels."""

ORIENTATIONS = 8
"""Bins of unsigned gradient direction in the histograms (Dalal and Triggs 2005 use 9)."""

SCALES = (1, 3, 7)
"""Windows, in cells, over which descriptors are averaged."""

COLOUR_SCALE = 8.0
"""Difference in Lab (0 to 255 per channel) at which two neighbours count as unlike."""


@dataclass(frozen=True, eq=False)
class FrameFeatures:
    """One frame at working resolution (h, w) with h' x w' cells.

    Parameters
    ----------
    gray : (h, w) uint8 array
    affinity : (4, h, w) float32 array
        Likeness, 0 to 1, of each pixel with its neighbour to the right, below, below
        right and below left; 0 where there is none.
    cells : (h', w', D) float32 array
        Descriptors, before any weighting.
    """

    gray: np.ndarray
    affinity: np.ndarray
    cells: np.ndarray

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self.gray.nbytes + self.affinity.nbytes + self.cells.nbytes


def work_size(height: int, width: int) -> tuple[int, int]:
    """Height and width at which a video of `height` x `width` pixels is worked on."""
    scale = min(1.0, np.sqrt(WORK_PIXELS / (height * width)))
    return tuple(max(MIN_SIDE, round(side * scale)) for side in (height, width))


def frame_features(image: np.ndarray, size: tuple[int, int]) -> FrameFeatures:
    """Features of an image.

    Parameters
    ----------
    image : (H, W, 3) uint8 array, RGB
    size : (h, w)
        Working resolution.
    """
    h, w = size
    small = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    return FrameFeatures(gray, _affinity(lab, np.float32(COLOUR_SCALE)), _cells(gray, lab))


def backward_flow(source: FrameFeatures, target: FrameFeatures) -> np.ndarray:
    """Where each pixel of `target` was in `source`: (h, w, 2) float32, x and y.

    DIS flow (Kroeger et al. 2016) at its fastest preset; better presets gained nothing.
    """
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    flow = dis.calc(target.gray, source.gray, None)
    h, w = flow.shape[:2]
    flow[..., 0] += np.arange(w, dtype=np.float32)
    flow[..., 1] += np.arange(h, dtype=np.float32)[:, None]
    return flow


def _cells(gray: np.ndarray, lab: np.ndarray) -> np.ndarray:
    """Colour (mean and spread) and gradient histograms of every cell at every scale."""
    h, w = gray.shape
    rows, cols = -(-h // CELL), -(-w // CELL)
    colour = lab.astype(np.float32) / 255
    pixels = np.concatenate([colour, colour * colour], axis=2)
    pixels = cv2.copyMakeBorder(
        pixels.reshape(h, -1), 0, 0, 0, 0, cv2.BORDER_REPLICATE
    ).reshape(h, w, 6)
    moments = np.stack(
        [_pool(np.ascontiguousarray(pixels[..., i]), rows, cols) for i in range(6)], axis=2
    )
    gradients = _gradient_histograms(gray.astype(np.float32), rows, cols)
    parts = []
    for scale in SCALES:
        m = cv2.blur(moments, (scale, scale)) if scale > 1 else moments
        mean, square = m[..., :3], m[..., 3:]
        parts += [mean * COLOUR_WEIGHT, np.sqrt(np.maximum(square - mean * mean, 0)) * SPREAD_WEIGHT]
        if scale > 1:
            g = np.stack(
                [
                    cv2.blur(np.ascontiguousarray(gradients[..., i]), (scale, scale))
                    for i in range(ORIENTATIONS)
                ],
                axis=2,
            )
            norm = np.sqrt((g * g).sum(axis=2, keepdims=True))
            parts.append(g / (norm + GRADIENT_FLOOR) * GRADIENT_WEIGHT)
    return np.concatenate(parts, axis=2).astype(np.float32)


COLOUR_WEIGHT = 2.0
SPREAD_WEIGHT = 1.0
GRADIENT_WEIGHT = 0.3
GRADIENT_FLOOR = 10.0


def _pool(channel: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """Means over cells; the last row and column repeat the border where they stick out."""
    h, w = channel.shape
    padded = cv2.copyMakeBorder(
        channel, 0, rows * CELL - h, 0, cols * CELL - w, cv2.BORDER_REPLICATE
    )
    return cv2.resize(padded, (cols, rows), interpolation=cv2.INTER_AREA)


@njit(cache=True)
def _gradient_histograms(gray: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """Mean gradient strength per cell and unsigned direction: (rows, cols, ORIENTATIONS)."""
    h, w = gray.shape
    out = np.zeros((rows, cols, ORIENTATIONS), np.float32)
    for y in range(h):
        up, down = max(y - 1, 0), min(y + 1, h - 1)
        for x in range(w):
            gx = gray[y, min(x + 1, w - 1)] - gray[y, max(x - 1, 0)]
            gy = gray[down, x] - gray[up, x]
            strength = np.sqrt(gx * gx + gy * gy)
            if strength == 0:
                continue
            angle = np.arctan2(gy, gx) / np.pi
            if angle < 0:
                angle += 1
            position = angle * ORIENTATIONS
            low = int(position) % ORIENTATIONS
            part = position - np.floor(position)
            cell = out[y // CELL, x // CELL]
            cell[low] += strength * (1 - part) / (CELL * CELL)
            cell[(low + 1) % ORIENTATIONS] += strength * part / (CELL * CELL)
    return out


@njit(cache=True)
def _affinity(lab: np.ndarray, scale: float) -> np.ndarray:
    h, w = lab.shape[:2]
    out = np.zeros((4, h, w), np.float32)
    table = np.exp(-np.arange(3 * 255 * 255 + 1).astype(np.float32)[: 4096] / (2 * scale * scale))
    for n in range(4):
        dy = 0 if n == 0 else 1
        dx = (1, 0, 1, -1)[n]
        for y in range(h - dy):
            for x in range(max(0, -dx), w - max(0, dx)):
                d = 0
                for c in range(3):
                    e = int(lab[y, x, c]) - int(lab[y + dy, x + dx, c])
                    d += e * e
                out[n, y, x] = table[d] if d < 4096 else 0
    return out

"""What one frame contributes to weight-free propagation, whatever the objects are."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit

from evavos_widget.propagation.kernels import PRINCIPAL

__all__ = [
    "CELL",
    "FrameFeatures",
    "backward_positions",
    "frame_features",
    "principal_directions",
    "work_size",
]

WORK_PIXELS = 427 * 240
"""Working resolution: a quarter of the pixels of 480p, whatever the shape."""

MIN_SIDE = 48
"""Shortest side in working pixels; DIS flow needs a few 8-pixel patches each way."""

CELL = 4
"""Side of a descriptor cell in working pixels."""

SCALES = (1, 3, 7)
"""Windows, in cells, over which colour is described; gradients from the second on."""

ORIENTATIONS = 8
"""Bins of unsigned gradient direction (Dalal and Triggs 2005 use 9)."""

COLOUR_WEIGHT = 2.0
SPREAD_WEIGHT = 1.0
GRADIENT_WEIGHT = 0.3
"""Weights of mean Lab (0 to 1), of its standard deviation and of unit-length histograms."""

GRADIENT_FLOOR = 10.0
"""Grey levels of gradient below which a histogram is damped rather than normalised."""

WHITENING = 0.5
"""0 keeps the variances of the principal directions, 1 makes them equal."""

COLOUR_SCALE = 8.0
"""Difference in Lab (0 to 255 per channel) at which two neighbours count as unlike."""


@dataclass(frozen=True, eq=False)
class FrameFeatures:
    """One frame at working resolution (h, w), with h' x w' cells.

    Parameters
    ----------
    gray : (h, w) uint8 array
    affinity : (4, h, w) float32 array
        Likeness, 0 to 1, of each pixel with its neighbour to the right, below, below
        right and below left; 0 where there is none.
    cells : (h', w', D) float32 array
        Descriptors of colour and gradient.
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
    scale = min(1.0, float(np.sqrt(WORK_PIXELS / (height * width))))
    return max(MIN_SIDE, round(height * scale)), max(MIN_SIDE, round(width * scale))


def frame_features(image: np.ndarray, size: tuple[int, int]) -> FrameFeatures:
    """Features of an image.

    Parameters
    ----------
    image : (H, W, 3) uint8 array, RGB
    size : (h, w)
        Working resolution.
    """
    small = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    return FrameFeatures(gray, _affinity(lab, _likeness()), _cells(gray, lab))


def backward_positions(source: FrameFeatures, target: FrameFeatures) -> np.ndarray:
    """Where each pixel of `target` was in `source`: (h, w, 2) float32, x and y.

    DIS flow (Kroeger et al. 2016) at its fastest preset.
    """
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    positions = dis.calc(target.gray, source.gray, None)  # pyright: ignore[reportCallIssue, reportArgumentType]
    h, w = positions.shape[:2]
    positions[..., 0] += np.arange(w, dtype=np.float32)
    positions[..., 1] += np.arange(h, dtype=np.float32)[:, None]
    return positions


def principal_directions(cells: np.ndarray) -> np.ndarray:
    """Directions in which the descriptors of a frame differ most, partly whitened.

    Parameters
    ----------
    cells : (h', w', D) float32 array

    Returns
    -------
    (D, PRINCIPAL) float32 array
        Strongest first; the total variance of `cells` in these directions is kept.
    """
    found = cells.reshape(-1, cells.shape[2]).astype(np.float64)
    centred = found - found.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(found))
    values = np.maximum(values[::-1][:PRINCIPAL], 1e-6)
    scale = values ** (-WHITENING / 2)
    scale *= np.sqrt(values.sum() / (values * scale**2).sum())
    return np.ascontiguousarray(vectors[:, ::-1][:, :PRINCIPAL] * scale, dtype=np.float32)


def _cells(gray: np.ndarray, lab: np.ndarray) -> np.ndarray:
    """Colour (mean and spread) and gradient histogram of every cell at every scale."""
    rows, columns = -(-gray.shape[0] // CELL), -(-gray.shape[1] // CELL)
    colour = lab.astype(np.float32) / 255
    mean, square = _pool(colour, rows, columns), _pool(colour * colour, rows, columns)
    gradient = _gradient_histograms(gray.astype(np.float32), rows, columns)
    parts = []
    for scale in SCALES:
        window = (scale, scale)
        m, s = cv2.blur(mean, window), cv2.blur(square, window)
        parts += [m * COLOUR_WEIGHT, np.sqrt(np.maximum(s - m * m, 0)) * SPREAD_WEIGHT]
        if scale > 1:
            g = np.concatenate(
                [cv2.blur(half, window) for half in np.split(gradient, 2, axis=2)], axis=2
            )
            strength = np.sqrt((g * g).sum(axis=2, keepdims=True))
            parts.append(g * (GRADIENT_WEIGHT / (strength + GRADIENT_FLOOR)))
    return np.concatenate(parts, axis=2)


def _pool(pixels: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Means over cells; the border is repeated where cells stick out."""
    h, w = pixels.shape[:2]
    padded = cv2.copyMakeBorder(
        pixels, 0, rows * CELL - h, 0, columns * CELL - w, cv2.BORDER_REPLICATE
    )
    return cv2.resize(padded, (columns, rows), interpolation=cv2.INTER_AREA)


@njit(cache=True)
def _gradient_histograms(gray: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Mean gradient strength per cell and direction: (rows, columns, ORIENTATIONS)."""
    h, w = gray.shape
    out = np.zeros((rows, columns, ORIENTATIONS), np.float32)
    share = np.float32(1 / (CELL * CELL))
    for y in range(h):
        up, down = max(y - 1, 0), min(y + 1, h - 1)
        for x in range(w):
            gx = gray[y, min(x + 1, w - 1)] - gray[y, max(x - 1, 0)]
            gy = gray[down, x] - gray[up, x]
            if gx == 0 and gy == 0:
                continue
            strength = np.sqrt(gx * gx + gy * gy) * share
            position = (np.arctan2(gy, gx) / np.pi + 1) * ORIENTATIONS
            low = int(position)
            part = position - low
            out[y // CELL, x // CELL, low % ORIENTATIONS] += strength * (1 - part)
            out[y // CELL, x // CELL, (low + 1) % ORIENTATIONS] += strength * part
    return out


def _likeness() -> np.ndarray:
    """Likeness of two colours by their squared distance; beyond the table it is nil."""
    return np.exp(-np.arange(4096, dtype=np.float32) / (2 * COLOUR_SCALE**2))


@njit(cache=True)
def _affinity(lab: np.ndarray, likeness: np.ndarray) -> np.ndarray:
    """Likeness of neighbouring pixels: see `FrameFeatures`."""
    h, w = lab.shape[:2]
    out = np.zeros((4, h, w), np.float32)
    for n in range(4):
        dy, dx = (0, 1, 1, 1)[n], (1, 0, 1, -1)[n]
        for y in range(h - dy):
            for x in range(max(0, -dx), w - max(0, dx)):
                squared = 0
                for c in range(3):
                    difference = int(lab[y, x, c]) - int(lab[y + dy, x + dx, c])
                    squared += difference * difference
                if squared < len(likeness):
                    out[n, y, x] = likeness[squared]
    return out

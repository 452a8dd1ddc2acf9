"""Compiled loops of weight-free propagation: nearest descriptors and relaxation."""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["nearest_distances", "relax"]


@njit(cache=True, fastmath=True)
def nearest_distances(
    queries: np.ndarray, memory: np.ndarray, split: int, count: int
) -> np.ndarray:
    """Mean squared distance of each query to its nearest neighbours of either class.

    Parameters
    ----------
    queries : (Q, D) float32 array
    memory : (D, M) float32 array
        The first `split` columns are of one class, the others of the second.
    count : int
        Neighbours to average over; fewer where a class has fewer.

    Returns
    -------
    (Q, 2) float32 array
        To the first and to the second class; infinite where a class is empty.
    """
    depth, size = memory.shape
    out = np.empty((queries.shape[0], 2), np.float32)
    distance = np.empty(size, np.float32)
    best = np.empty(count, np.float32)
    for q in range(queries.shape[0]):
        distance[:] = 0
        for d in range(depth):
            value = queries[q, d]
            for m in range(size):
                difference = memory[d, m] - value
                distance[m] += difference * difference
        for side in range(2):
            first, last = (0, split) if side == 0 else (split, size)
            best[:] = 1e30
            for m in range(first, last):
                value = distance[m]
                if value < best[count - 1]:
                    place = count - 1
                    while place > 0 and best[place - 1] > value:
                        best[place] = best[place - 1]
                        place -= 1
                    best[place] = value
            used = min(count, last - first)
            out[q, side] = best[:used].sum() / used if used else np.inf
    return out


@njit(cache=True)
def relax(
    unary: np.ndarray, affinity: np.ndarray, weight: float, sweeps: int
) -> np.ndarray:
    """Pull every pixel towards its like neighbours, in Gauss-Seidel sweeps.

    Minimises ``sum_i (x_i - unary_i)**2 + weight * sum_ij a_ij (x_i - x_j)**2``.

    Parameters
    ----------
    unary : (h, w) float32 array
    affinity : (4, h, w) float32 array
        See `features.FrameFeatures`.

    Returns
    -------
    (h, w) float32 array
    """
    h, w = unary.shape
    x = unary.copy()
    for sweep in range(sweeps):
        for step_y in range(h):
            i = step_y if sweep % 2 == 0 else h - 1 - step_y
            for step_x in range(w):
                j = step_x if sweep % 2 == 0 else w - 1 - step_x
                total, mass = unary[i, j], np.float32(1)
                if j + 1 < w:
                    a = weight * affinity[0, i, j]
                    total += a * x[i, j + 1]
                    mass += a
                if j > 0:
                    a = weight * affinity[0, i, j - 1]
                    total += a * x[i, j - 1]
                    mass += a
                if i + 1 < h:
                    a = weight * affinity[1, i, j]
                    total += a * x[i + 1, j]
                    mass += a
                    if j + 1 < w:
                        a = weight * affinity[2, i, j]
                        total += a * x[i + 1, j + 1]
                        mass += a
                    if j > 0:
                        a = weight * affinity[3, i, j]
                        total += a * x[i + 1, j - 1]
                        mass += a
                if i > 0:
                    a = weight * affinity[1, i - 1, j]
                    total += a * x[i - 1, j]
                    mass += a
                    if j > 0:
                        a = weight * affinity[2, i - 1, j - 1]
                        total += a * x[i - 1, j - 1]
                        mass += a
                    if j + 1 < w:
                        a = weight * affinity[3, i - 1, j + 1]
                        total += a * x[i - 1, j + 1]
                        mass += a
                x[i, j] = total / mass
    return x

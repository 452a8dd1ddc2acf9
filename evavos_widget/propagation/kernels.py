"""Compiled loops of weight-free propagation: nearest descriptors and relaxation."""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["PRINCIPAL", "WIDTH", "nearest_in_window", "relax"]

PRINCIPAL = 16
"""Length of a descriptor; here because the compiled loop takes it as a constant."""

WIDTH = 24
"""Cells compared at once, a multiple of the processor's vectors and as wide as a window."""


@njit(cache=True, fastmath=True)
def nearest_in_window(
    queries: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    memory: np.ndarray,
    barred: np.ndarray,
    shift: tuple[float, float],
    radius: int,
    distance_cost: float,
    best: np.ndarray,
) -> None:
    """Improve the nearest distances to either class with one remembered frame.

    Parameters
    ----------
    queries : (Q, PRINCIPAL) float32 array
        Descriptors of the cells at `rows` and `columns`.
    rows, columns : (Q,) int arrays
    memory : (h', PRINCIPAL, w' + WIDTH) float32 array
        Descriptors of the remembered frame, each row with `WIDTH` unused columns at its end.
    barred : (2, h', w' + WIDTH) float32 array
        0 for cells of the class, object or surroundings, and a great distance for others.
    shift : (float, float)
        From a cell to the middle of the window that is searched for it, in cells.
    radius : int
        Half the side of the window, in cells; at most ``(WIDTH - 1) // 2``.
    distance_cost : float
        Added per squared cell of distance from the middle of the window.
    best : (Q, 2, N) float32 array
        Smallest squared distances so far, ascending, to object and surroundings; updated.
    """
    height, width = barred.shape[1], barred.shape[2] - WIDTH
    last = best.shape[2] - 1
    cost = np.float32(distance_cost)
    distances = np.empty(WIDTH, np.float32)
    for q in range(len(rows)):
        query = queries[q]
        middle_y = np.float32(rows[q] + shift[0])
        middle_x = np.float32(columns[q] + shift[1])
        left = min(max(0, round(middle_x) - radius), width)
        n = min(width, round(middle_x) + radius + 1) - left
        for y in range(max(0, round(middle_y) - radius), min(height, round(middle_y) + radius + 1)):
            # A row of the window at a time, always WIDTH wide, so that loops become vectors.
            dy = np.float32(y) - middle_y
            for i in range(WIDTH):
                dx = np.float32(left + i) - middle_x
                distances[i] = cost * (dy * dy + dx * dx)
            for d in range(PRINCIPAL):
                value = query[d]
                line = memory[y, d, left : left + WIDTH]
                for i in range(WIDTH):
                    difference = line[i] - value
                    distances[i] += difference * difference
            for c in range(2):
                ranked = best[q, c]
                bar = barred[c, y, left : left + WIDTH]
                nearest = distances[0] + bar[0]
                for i in range(1, WIDTH):
                    nearest = min(nearest, distances[i] + bar[i])
                if nearest >= ranked[last]:
                    continue  # most rows have nothing to add
                for i in range(n):
                    distance = distances[i] + bar[i]
                    if distance < ranked[last]:
                        place = last
                        while place > 0 and ranked[place - 1] > distance:
                            ranked[place] = ranked[place - 1]
                            place -= 1
                        ranked[place] = distance


@njit(cache=True)
def relax(unary: np.ndarray, affinity: np.ndarray, weight: float, sweeps: int) -> np.ndarray:
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
    pull = np.float32(weight)
    x = unary.copy()
    for sweep in range(sweeps):
        for step_y in range(h):
            i = step_y if sweep % 2 == 0 else h - 1 - step_y
            for step_x in range(w):
                j = step_x if sweep % 2 == 0 else w - 1 - step_x
                total, mass = unary[i, j], np.float32(1)
                if j + 1 < w:
                    a = pull * affinity[0, i, j]
                    total += a * x[i, j + 1]
                    mass += a
                if j > 0:
                    a = pull * affinity[0, i, j - 1]
                    total += a * x[i, j - 1]
                    mass += a
                if i + 1 < h:
                    a = pull * affinity[1, i, j]
                    total += a * x[i + 1, j]
                    mass += a
                    if j + 1 < w:
                        a = pull * affinity[2, i, j]
                        total += a * x[i + 1, j + 1]
                        mass += a
                    if j > 0:
                        a = pull * affinity[3, i, j]
                        total += a * x[i + 1, j - 1]
                        mass += a
                if i > 0:
                    a = pull * affinity[1, i - 1, j]
                    total += a * x[i - 1, j]
                    mass += a
                    if j > 0:
                        a = pull * affinity[2, i - 1, j - 1]
                        total += a * x[i - 1, j - 1]
                        mass += a
                    if j + 1 < w:
                        a = pull * affinity[3, i - 1, j + 1]
                        total += a * x[i - 1, j + 1]
                        mass += a
                x[i, j] = total / mass
    return x

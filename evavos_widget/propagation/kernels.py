"""Compiled loops of weight-free propagation: nearest descriptors and relaxation."""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["PRINCIPAL", "nearest_in_window", "relax"]

PRINCIPAL = 16
"""Length of a descriptor; here because the compiled loop takes it as a constant."""


@njit(cache=True, fastmath=True)
def nearest_in_window(
    queries: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    memory: np.ndarray,
    inside: np.ndarray,
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
    memory : (h', w', PRINCIPAL) float32 array
        Descriptors of the remembered frame.
    inside : (h', w') bool array
        Which of its cells belong to the object.
    shift : (float, float)
        From a cell to the middle of the window that is searched for it, in cells.
    radius : int
        Half the side of the window, in cells.
    distance_cost : float
        Added per squared cell of distance from the middle of the window.
    best : (Q, 2, N) float32 array
        Smallest squared distances so far, ascending, to object and surroundings; updated.
    """
    height, width = inside.shape
    last = best.shape[2] - 1
    cost = np.float32(distance_cost)
    for q in range(len(rows)):
        query = queries[q]
        middle_y = np.float32(rows[q] + shift[0])
        middle_x = np.float32(columns[q] + shift[1])
        left = max(0, round(middle_x) - radius)
        right = min(width, round(middle_x) + radius + 1)
        for y in range(max(0, round(middle_y) - radius), min(height, round(middle_y) + radius + 1)):
            dy = np.float32(y) - middle_y
            for x in range(left, right):
                dx = np.float32(x) - middle_x
                distance = cost * (dy * dy + dx * dx)
                for d in range(PRINCIPAL):  # a constant, so that the loop becomes vectors
                    difference = memory[y, x, d] - query[d]
                    distance += difference * difference
                ranked = best[q, 0 if inside[y, x] else 1]
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

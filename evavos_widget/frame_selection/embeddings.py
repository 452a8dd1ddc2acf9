"""Equation 1: the frame that is farthest from every annotated one, in some space."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

__all__ = ["distances"]


def distances(embeddings: np.ndarray, known: Collection[int]) -> np.ndarray:
    """How far each frame is from its closest known one (EVA-VOS Eq. 1, before the arg max).

    Parameters
    ----------
    embeddings : (N, D) float array
        E_i.
    known : collection of int
        K, one or more.

    Returns
    -------
    (N,) float64 array
        ``min_{j in K} d(E_i, E_j)`` with the Euclidean distance; 0 for the known ones.
    """
    points = np.asarray(embeddings, np.float64)
    nearest = np.full(len(points), np.inf)
    for j in known:  # N x D at a time, not N x K x D
        nearest = np.minimum(nearest, np.linalg.norm(points - points[j], axis=1))
    return nearest

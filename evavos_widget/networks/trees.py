"""Boosted regression trees as arrays, without the library that grew them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["Trees"]


@dataclass(frozen=True, eq=False)
class Trees:
    """A sum of T binary trees of at most n nodes each.

    Parameters
    ----------
    constant : float
        What the trees add to.
    feature : (T, n) int16 array
        What a node looks at; -1 in a leaf.
    threshold : (T, n) float32 array
        Up to it, inclusive, a sample goes left.
    left, right : (T, n) int16 arrays
        Nodes; a leaf leads to itself.
    value : (T, n) float32 array
        What a leaf adds.
    """

    constant: float
    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray

    def predict(self, x: np.ndarray) -> np.ndarray:
        """(S, F) float32 samples to (S,) float64."""
        n_trees = len(self.feature)
        tree = np.arange(n_trees)[None]
        node = np.zeros((len(x), n_trees), np.int64)
        sample = np.arange(len(x))[:, None]
        while True:
            looked_at = self.feature[tree, node]
            if (looked_at < 0).all():
                break
            goes_left = x[sample, np.maximum(looked_at, 0)] <= self.threshold[tree, node]
            node = np.where(goes_left, self.left[tree, node], self.right[tree, node])
        return self.constant + self.value[tree, node].sum(axis=1, dtype=np.float64)

    def arrays(self, prefix: str) -> dict[str, np.ndarray]:
        """For a file of weights."""
        names = ("feature", "threshold", "left", "right", "value")
        constant = {f"{prefix}.constant": np.array([self.constant], np.float64)}
        return constant | {f"{prefix}.{name}": getattr(self, name) for name in names}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray], prefix: str) -> Trees:
        """As `arrays` gave them."""
        names = ("feature", "threshold", "left", "right", "value")
        constant = float(arrays[f"{prefix}.constant"][0])
        return cls(constant, *(arrays[f"{prefix}.{name}"] for name in names))

"""Weights of the cues: logistic regression on simulated clicks (docs/classical_clicks.md).

Per cue, in the order of `evidence`: for a stroke on nothing, a positive one and a negative one.
"""

from __future__ import annotations

import numpy as np

__all__ = ["FIRST_LOOK", "SECOND_LOOK"]

Table = dict[str, tuple[float, float, float]]


def _by_case(table: Table) -> dict[str, np.ndarray]:
    columns = np.array(list(table.values()), np.float32).T
    return dict(zip(("first", "positive", "negative"), columns, strict=True))


FIRST_LOOK = _by_case(
    {
        "one": (9.442, 3.442, 2.103),
        "log geodesic": (-1.477, 0.352, -0.989),
        "distance / room": (-0.298, 0.045, -0.282),
        "distance / diagonal": (-1.427, -0.262, -0.182),
        "log distance": (-1.038, -1.305, 0.411),
        "color odds": (0.286, 0.047, 0.050),
        "local color odds": (0.295, 0.724, 0.292),
        "log geodesic to rivals": (0.000, 0.468, 0.544),
        "geodesic share": (8.843, 0.172, 0.854),
        "log geodesic to allies": (0.000, -0.267, -0.035),
        "depth / room": (0.151, -1.407, -1.914),
        "log room": (-0.615, 0.095, -0.127),
    }
)

SECOND_LOOK = _by_case(
    {
        "one": (-1.912, 4.154, 13.889),
        "log geodesic": (-0.242, 0.107, -0.566),
        "distance / room": (0.236, 0.124, -0.063),
        "distance / diagonal": (2.352, 2.950, 0.113),
        "log distance": (-0.769, -1.348, -0.017),
        "color odds": (-0.236, -0.074, -0.008),
        "local color odds": (-0.188, 0.054, -0.067),
        "log geodesic to rivals": (0.000, 0.340, 0.401),
        "geodesic share": (5.520, 0.727, 1.510),
        "log geodesic to allies": (0.000, -0.228, -0.009),
        "depth / room": (0.411, -1.036, -0.972),
        "log room": (0.665, -0.029, -2.571),
        "odds around": (0.303, 0.022, 0.546),
        "local color odds again": (0.748, 0.653, 0.178),
        "local claim odds": (0.748, 0.328, 0.143),
        "log claim / room": (0.435, -0.029, 0.169),
        "log kept / room": (-0.333, 0.022, -1.200),
    }
)

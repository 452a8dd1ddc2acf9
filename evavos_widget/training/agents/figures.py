"""Figures of agents, as JSON can hold them."""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["figures"]


def figures(found: Mapping[str, float]) -> dict[str, float | None]:
    """What was measured; None, which JSON has and NaN it has not, where there was nothing to.

    Parameters
    ----------
    found : mapping of str to float
        NaN where a mean or a correlation is of nothing.

    Examples
    --------
    >>> figures({"n": 3, "spearman": float("nan")})
    {'n': 3, 'spearman': None}
    """
    return {name: value if math.isfinite(value) else None for name, value in found.items()}

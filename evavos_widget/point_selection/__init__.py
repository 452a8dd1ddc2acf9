"""Point-VOS Sec. 3.2, probabilities -> points: which pixels to ask about."""

from __future__ import annotations

__all__ = ["ENGINES"]

ENGINES = {
    "largest-effect": "largest_effect:LargestEffect",
    "random": "at_random:Random",
}
"""Name -> module and class, imported when its engine is asked for."""

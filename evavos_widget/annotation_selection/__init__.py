"""Sec. 2.3, f*, M_f* -> a: which type of annotation to ask for."""

from __future__ import annotations

__all__ = ["ENGINES"]

ENGINES = {
    "clicks": "baselines:Clicks",
    "joint": "joint:JointType",
    "mask": "baselines:Mask",
    "points": "baselines:Points",
    "policy": "policy:PolicySelector",
    "random": "baselines:Random",
    "rule": "baselines:Rule",
}
"""Name -> module and class, imported when its engine is asked for."""

"""Sec. 2.2, V, M^t, K -> f*: which frame to annotate next."""

from __future__ import annotations

__all__ = ["ENGINES"]

ENGINES = {
    "farthest-in-time": "baselines:FarthestInTime",
    "ivosw": "ivosw:IVOSWSelector",
    "joint": "joint:JointFrame",
    "l2": "l2:L2",
    "qnet": "qnet:QNetSelector",
    "qnet-eq1": "qnet:QNetEquation1",
    "random": "baselines:Random",
    "uniform": "baselines:Uniform",
}
"""Name -> module and class, imported when its engine is asked for."""

"""Sec. 2.1, V, K -> M^t: the engines that carry masks through a video."""

from __future__ import annotations

__all__ = ["ENGINES", "FALLBACK"]

ENGINES = {
    "compact": "compact:CompactPropagator",
    "cutie": "cutie:CutiePropagator",
    "flow": "flow:FlowPropagator",
    "sam2": "sam2:Sam2Propagator",
    "stcn": "stcn:StcnPropagator",
    "stcn-fusion": "stcn:FusedStcnPropagator",
}
"""Name -> module and class, imported when its engine is asked for."""

FALLBACK = "flow"
"""Does the work where the weights of another engine cannot be used."""

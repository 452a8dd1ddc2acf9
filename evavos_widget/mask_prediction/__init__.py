"""Sec. 2.4, image, prompts -> M_f*: the engines that turn prompts into a mask."""

from __future__ import annotations

__all__ = ["ENGINES", "FALLBACK"]

#: Name -> module and class, imported when its engine is asked for.
ENGINES = {
    "classical": "classical:ClassicalPredictor",
    "compact": "compact:CompactPredictor",
    "sam": "sam:SamEngine",
    "sam2": "sam2:Sam2Engine",
}

#: Does the work where the weights of another engine cannot be used.
FALLBACK = "classical"

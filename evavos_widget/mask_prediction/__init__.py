"""Sec. 2.4, image, prompts -> M_f*: the engines that turn prompts into a mask."""

from __future__ import annotations

__all__ = ["ENGINES", "FALLBACK"]

ENGINES = {
    "classical": "classical:ClassicalPredictor",
    "compact": "compact:CompactPredictor",
    "dynamite": "dynamite:DynamitePredictor",
    "sam": "sam:SamPredictor",
    "sam2": "sam2:Sam2Predictor",
}
"""Name -> module and class, imported when its engine is asked for."""

FALLBACK = "classical"
"""Does the work where the weights of another engine cannot be used."""

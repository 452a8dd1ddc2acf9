"""Sec. 2.4, image, prompts -> M_f*: the engines that turn prompts into a mask."""

from __future__ import annotations

__all__ = ["ENGINES"]

#: Name -> module and class, imported when its engine is asked for.
ENGINES = {
    "classical": "classical:ClassicalPredictor",
    "compact": "compact:CompactPredictor",
}

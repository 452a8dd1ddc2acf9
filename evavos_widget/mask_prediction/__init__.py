"""Sec. 2.4, image, prompts -> M_f*: the engines that turn prompts into a mask."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evavos_widget.loop import MaskPredictor

__all__ = ["ENGINES", "create"]

ENGINES = {
    "compact": ("evavos_widget.mask_prediction.compact", "CompactPredictor"),
    "classical": ("evavos_widget.mask_prediction.classical", "ClassicalPredictor"),
}
"""Name -> module and class; the module is imported when its engine is asked for."""


def create(name: str, **options: Any) -> MaskPredictor:
    """Make the engine called `name`.

    Parameters
    ----------
    name : str
        A key of `ENGINES`; what follows a colon, as in ``compact:mine.safetensors``, names
        the weights.
    **options
        Passed to the engine's class.

    Returns
    -------
    MaskPredictor
        Safe to share between threads.

    Raises
    ------
    ValueError
        There is no engine of that name.
    """
    name, _, weights = name.partition(":")
    if weights:
        options = {"weights": weights, **options}
    if name not in ENGINES:
        known = ", ".join(sorted(ENGINES))
        raise ValueError(f"No mask predictor is called {name!r}; choose one of: {known}.")
    module, class_name = ENGINES[name]
    return getattr(import_module(module), class_name)(**options)

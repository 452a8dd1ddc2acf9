"""Sec. 2.1, V, K -> M^t: the engines that carry masks through a video."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evavos_widget.loop import Propagator

__all__ = ["ENGINES", "create"]

ENGINES = {
    "compact": ("evavos_widget.propagation.compact", "CompactPropagator"),
    "flow": ("evavos_widget.propagation.flow", "FlowPropagator"),
}
"""Name -> module and class; the module is imported when its engine is asked for."""


def create(name: str, **options: Any) -> Propagator:
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
    Propagator
        For one video; it may cache what it computes.

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
        raise ValueError(f"No propagation engine is called {name!r}; choose one of: {known}.")
    module, class_name = ENGINES[name]
    return getattr(import_module(module), class_name)(**options)

"""Sec. 2.2: which frame to annotate next."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evavos_widget.loop import FrameSelector

#: Name -> where its class is.
SELECTORS = {
    "farthest-in-time": "baselines:FarthestInTime",
}


def create(name: str, **options: Any) -> FrameSelector:
    """The frame selector called `name`, a key of `SELECTORS`."""
    if name not in SELECTORS:
        raise ValueError(f"unknown frame selector {name!r}; choose from {sorted(SELECTORS)}.")
    module, _, attribute = SELECTORS[name].partition(":")
    return getattr(import_module(f"{__name__}.{module}"), attribute)(**options)

"""Sec. 2.3: which type of annotation to ask for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evavos_widget.loop import AnnotationSelector

#: Name -> where its class is.
SELECTORS = {
    "rule": "baselines:Rule",
    "mask": "baselines:Always",
    "clicks": "baselines:Always",
}


def create(name: str, **options: Any) -> AnnotationSelector:
    """The annotation selector called `name`, a key of `SELECTORS`."""
    if name not in SELECTORS:
        raise ValueError(f"unknown annotation selector {name!r}; choose from {sorted(SELECTORS)}.")
    module, _, attribute = SELECTORS[name].partition(":")
    selector = getattr(import_module(f"{__name__}.{module}"), attribute)
    return selector(name, **options) if attribute == "Always" else selector(**options)

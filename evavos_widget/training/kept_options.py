"""Options that a run or a record was made with, beside those that are given now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["difference"]


def difference(
    kept: Mapping[str, Any], given: Mapping[str, Any], called: Callable[[str], str] = str
) -> str | None:
    """What is another now, in words; None where nothing is. What either lacks is not compared.

    Parameters
    ----------
    kept, given : mapping of str to value
    called : callable
        How an option is written.

    Examples
    --------
    >>> difference({"seed": 0, "side": 256}, {"seed": 5, "side": 256, "rate": 1.0})
    'seed 0, not seed 5'
    """
    others = [name for name in kept if name in given and kept[name] != given[name]]
    before, now = (
        ", ".join(f"{called(name)} {values[name]}" for name in others) for values in (kept, given)
    )
    return f"{before}, not {now}" if others else None

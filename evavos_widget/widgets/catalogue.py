"""What crosses between kernel and browser, as ``protocol/`` lists it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

__all__ = ["CREDIT_WINDOW", "MAX_UPLOAD_BYTES", "VERSION", "Catalogue", "catalogue"]


def _read(name: str) -> dict[str, Any]:
    path = files("evavos_widget.widgets") / "protocol" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))


_COMMON = _read("common")

VERSION: int = _COMMON["version"]
"""What a page must speak; it grows when an old page would misunderstand the kernel."""

CREDIT_WINDOW: int = _COMMON["credit_window"]
"""Pushes that may be on the way to a view without an acknowledgement."""

MAX_UPLOAD_BYTES: int = _COMMON["max_upload_bytes"]
"""The most that one request may carry; servers drop the connection at 10 MiB."""


@dataclass(frozen=True)
class Catalogue:
    """Everything that one widget and its page say to each other.

    Parameters
    ----------
    traits : tuple of str
        Names of the traits that the page reads or sets.
    requests, pushes, types : mapping of str to dict
        By name, in the words of ``protocol/``: the common part and the widget's own.
    """

    traits: tuple[str, ...]
    requests: Mapping[str, Any]
    pushes: Mapping[str, Any]
    types: Mapping[str, Any]


def catalogue(own: str | Mapping[str, Any] | None = None) -> Catalogue:
    """The common part with a widget's own.

    Parameters
    ----------
    own : str or mapping, optional
        Name of a file in ``protocol/``, or what such a file holds: ``traits``, ``requests``,
        ``pushes`` and ``types``, each of which may be absent. By default the common part alone.

    Raises
    ------
    ValueError
        A name of the widget's own is in the common part already.
    """
    part = _read(own) if isinstance(own, str) else own or {}
    joined = {}
    for section in ("requests", "pushes", "types"):
        common, more = _COMMON[section], part.get(section, {})
        if both := sorted(common.keys() & more.keys()):
            raise ValueError(
                f"{both[0]!r} is among the {section} of every widget already; "
                "give the widget's own another name."
            )
        joined[section] = {**common, **more}
    return Catalogue(tuple(part.get("traits", ())), **joined)

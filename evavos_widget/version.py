"""The version of the package, where everything below the notebook can read it."""

from __future__ import annotations

__all__ = ["VERSION"]

VERSION = "0.2.0"

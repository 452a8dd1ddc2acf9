"""Whether somebody reads along, in a notebook or a terminal, and telling them something calmly."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["in_notebook", "note", "plain_warnings"]


def in_notebook() -> bool:
    """Whether this runs in the cells of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and "IPKernelApp" in shell.config


def note(sentence: str) -> None:
    """Tell what is worth knowing and nothing to worry about.

    A warning, which scripts can filter; in a notebook, where warnings come in red with a line
    of source, a plain line.
    """
    if in_notebook():
        print(f"Note: {sentence}")
    else:
        warnings.warn(sentence, UserWarning, stacklevel=3)


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Show what this package warns of as a plain line; who reads a terminal looks for no source."""
    others = warnings.formatwarning

    def plainly(message: Any, category: type[Warning], filename: str, *where: Any) -> str:
        if Path(filename).is_relative_to(Path(__file__).parent):
            return f"Note: {message}\n"
        return others(message, category, filename, *where)

    warnings.formatwarning = plainly
    try:
        yield
    finally:
        warnings.formatwarning = others

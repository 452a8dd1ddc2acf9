"""Whether somebody reads along in a notebook, and telling them something calmly."""

from __future__ import annotations

import sys
import warnings

__all__ = ["in_notebook", "note"]


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

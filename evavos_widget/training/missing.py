"""What a training lacks."""

from __future__ import annotations

from evavos_widget.files import in_words

__all__ = ["what_is_missing"]


def what_is_missing(error: ImportError) -> str:
    """Which package is missing, and what brings it, in a sentence."""
    if error.name is None:  # it says so itself
        return in_words(error)
    package = error.name.partition(".")[0]
    return f"{package} is needed; run: pip install 'evavos-widget[train]'"

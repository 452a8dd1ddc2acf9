"""Other people's packages that a benchmark needs: which one is missing, and how to get it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["naming_what_is_missing"]

INSTALL = {
    "jupyter_bbox_widget": "jupyter-bbox-widget",
    "skimage": "scikit-image",
    "stcnbuf": "--no-deps stcnbuf",
    "vos_benchmark": "--no-deps vos-benchmark",
}
"""Pip is asked for these, by the package that is imported, where that is not its name. Two of them
ask for opencv-python themselves, whose files would overwrite those of the headless build."""


@contextmanager
def naming_what_is_missing(what: str) -> Iterator[None]:
    """Say which package is missing where an import fails, and what `what` needs it for.

    Raises
    ------
    ModuleNotFoundError
        As the import did, in a sentence.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        raise ModuleNotFoundError(
            f"{what} needs the package {package!r}, which is not installed; run: "
            f"pip install {INSTALL.get(package, package)}",
            name=error.name,
        ) from error

"""The code of a widget's page, built from ``js/``."""

from __future__ import annotations

from pathlib import Path

__all__ = ["page"]

_STATIC = Path(__file__).parent / "static"


def page(name: str) -> dict[str, str]:
    """The script and the style of a widget, as the traits that anywidget reads.

    Raises
    ------
    FileNotFoundError
        The page's code was not built, in a checkout without Node.
    """
    return {"_esm": _read(f"{name}.js"), "_css": _read(f"{name}.css")}


def _read(name: str) -> str:
    path = _STATIC / name
    if not path.is_file():
        raise FileNotFoundError(
            f"the widget's page {str(path)!r} was not built; "
            "run `npm --prefix js ci && npm --prefix js run build` in the checkout."
        )
    return path.read_text(encoding="utf-8")

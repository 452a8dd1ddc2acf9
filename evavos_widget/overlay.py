"""Masks painted over a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from evavos_widget.masks import as_label_map, default_color

__all__ = ["overlay"]


def overlay(
    image: np.ndarray,
    labels: Any,
    colors: Mapping[int, str] | None = None,
    opacity: float = 0.5,
    contour: bool = True,
) -> np.ndarray:
    """Paint a label map over a picture.

    Parameters
    ----------
    image : (H, W, 3) uint8 array, RGB
    labels : (H, W) label map
    colors : mapping of object id -> '#rrggbb', optional
        Objects that are not in it take their `default_color`.
    opacity : float in [0, 1]
        Weight of the colour against the picture.
    contour : bool
        Paint the outermost pixels of every object in its full colour.

    Returns
    -------
    (H, W, 3) uint8 array
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"the picture is {image.dtype} of shape {image.shape}; give RGB uint8.")
    if not 0 <= opacity <= 1:
        raise ValueError(f"opacity is {opacity}; give 0 (only the picture) to 1 (only the mask).")
    labels = as_label_map(labels, *image.shape[:2])
    chosen = colors or {}
    table = np.zeros((256, 3), dtype=np.uint8)
    for obj in np.flatnonzero(np.bincount(labels.ravel(), minlength=256)[1:]) + 1:
        table[obj] = _rgb(chosen.get(int(obj)) or default_color(int(obj)))

    painted = image.copy()
    inside = labels > 0
    color = table[labels[inside]]
    painted[inside] = np.rint((1 - opacity) * image[inside] + opacity * color)
    if contour:
        edge = inside & _differs_from_a_neighbour(labels)
        painted[edge] = table[labels[edge]]
    return painted


def _rgb(color: str) -> list[int]:
    try:
        if len(color) != 7 or color[0] != "#":
            raise ValueError
        return list(bytes.fromhex(color[1:]))
    except ValueError:
        raise ValueError(f"{color!r} is not a colour; write it as '#rrggbb'.") from None


def _differs_from_a_neighbour(labels: np.ndarray) -> np.ndarray:
    differs = np.zeros(labels.shape, dtype=bool)
    down = labels[1:] != labels[:-1]
    right = labels[:, 1:] != labels[:, :-1]
    differs[1:] |= down
    differs[:-1] |= down
    differs[:, 1:] |= right
    differs[:, :-1] |= right
    return differs

"""Pictures of what a noun was found to mean."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evavos_widget.overlay import overlay

__all__ = ["found_picture"]

COLOUR = "#ff7f0e"

WIDTH = 480
"""Of a picture, in pixels."""


def found_picture(
    image: np.ndarray, caption: str, span: Sequence[int], mask: np.ndarray, path: Path
) -> None:
    """Write a frame with a mask over the caption, in which the noun stands in brackets.

    Parameters
    ----------
    image : (H, W, 3) uint8 array, RGB
    caption : str
    span : (int, int)
    mask : (H, W) bool array
    path : Path
        A picture file.
    """
    from PIL import Image, ImageDraw

    painted = Image.fromarray(overlay(image, mask.astype(np.uint8), {1: COLOUR}))
    painted = painted.resize((WIDTH, round(WIDTH * painted.height / painted.width)))
    start, stop = span
    told = f"{caption[:start]}[{caption[start:stop]}]{caption[stop:]}"
    lines = textwrap.wrap(told, 72)
    whole = Image.new("RGB", (WIDTH, painted.height + 8 + 14 * len(lines)), "white")
    whole.paste(painted)
    ImageDraw.Draw(whole).multiline_text((4, painted.height + 4), "\n".join(lines), fill="black")
    whole.save(path, quality=82)

"""A picture of an annotated frame for a report: masks, numbers beside them, a legend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from evavos_widget.masks import as_label_map
from evavos_widget.overlay import overlay

if TYPE_CHECKING:
    from PIL import Image, ImageDraw


__all__ = ["Shown", "annotated_picture"]


class Shown(Protocol):
    """An object as a picture needs it; `evavos_widget.session.ObjectInfo` is one."""

    @property
    def id(self) -> int:
        """1 to 255."""
        ...

    @property
    def name(self) -> str:
        """As the legend writes it."""
        ...

    @property
    def color(self) -> str:
        """'#rrggbb'."""
        ...

    @property
    def visible(self) -> bool:
        """Whether it is shown at all."""
        ...


def annotated_picture(
    image: np.ndarray,
    labels: np.ndarray,
    objects: Sequence[Shown],
    *,
    opacity: float = 0.5,
    contour: bool = True,
    legend: bool = True,
) -> Image.Image:
    """Paint masks over a frame, number them, and name the objects below.

    Parameters
    ----------
    image : (H, W, 3) uint8 array, RGB
    labels : (H, W) label map
    objects : sequence of Shown
        One that is not visible is left out.
    opacity : float in [0, 1]
    contour : bool
        Outline every mask in its full colour.
    legend : bool
        Number and name of every visible object in a strip under the frame. The numbers
        stand beside the masks too, so that nothing is told by colour alone.

    Returns
    -------
    PIL.Image.Image
        RGB, W wide and H high plus the legend.
    """
    from PIL import Image, ImageDraw

    height, width = image.shape[:2]
    labels = as_label_map(labels, height, width)
    shown = [o for o in objects if o.visible]
    kept = np.where(np.isin(labels, [o.id for o in shown]), labels, 0).astype(np.uint8)
    painted = overlay(image, kept, {o.id: o.color for o in shown}, opacity, contour)
    text = max(11, round(height / 32))
    names = _Legend(shown, width, text) if legend else None
    picture = Image.new("RGB", (width, height + (names.height if names else 0)), "white")
    picture.paste(Image.fromarray(painted), (0, 0))
    draw = ImageDraw.Draw(picture)
    for o in shown:
        rows, columns = np.nonzero(kept == o.id)
        if len(rows):
            top = int(rows.min())
            middle = float(np.median(columns[rows == top]))
            _tag(draw, middle, max(2.0, top - 1.6 * text), o, text)
    if names is not None:
        names.draw(draw, height)
    return picture


class _Legend:
    """Names in rows as wide as the picture."""

    def __init__(self, objects: Sequence[Shown], width: int, text: int) -> None:
        self.text = text
        self.row = round(1.9 * text)
        self.places: list[tuple[Shown, float, float]] = []
        x, y, font = 0.6 * text, 0.35 * text, _font(text)
        for o in objects:
            needed = 3.2 * text + font.getlength(o.name)
            if self.places and x + needed > width:
                x, y = 0.6 * text, y + self.row
            self.places.append((o, x, y))
            x += needed
        self.height = round(y + self.row) if objects else 0

    def draw(self, draw: ImageDraw.ImageDraw, top: int) -> None:
        for o, x, y in self.places:
            _tag(draw, x + 0.7 * self.text, top + y, o, self.text)
            draw.text(
                (x + 1.9 * self.text, top + y + 0.7 * self.text),
                o.name,
                fill="black",
                font=_font(self.text),
                anchor="lm",
            )


def _tag(draw: ImageDraw.ImageDraw, x: float, y: float, o: Shown, text: int) -> None:
    """An object's number in a box edged with its colour, centred on `x`, from `y` down."""
    font = _font(text)
    half = max(0.7 * text, font.getlength(str(o.id)) / 2 + 0.3 * text)
    box = (x - half, y, x + half, y + 1.4 * text)
    draw.rounded_rectangle(
        box, radius=text // 4, fill="#121417", outline=o.color, width=max(2, text // 7)
    )
    draw.text((x, y + 0.7 * text), str(o.id), fill="white", font=font, anchor="mm")


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)

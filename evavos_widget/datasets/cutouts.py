"""Objects and backgrounds from the photographs inside the scikit-image package.

No file is downloaded: every photograph is part of the scikit-image wheel. Its documentation
gives their terms, all of them public domain or CC0:

=============  ==========================================  ================================
name           photograph                                  terms
=============  ==========================================  ================================
astronaut      Eileen Collins, NASA, 1993                  no known copyright restrictions,
                                                           in the public domain
shuttle        the model beside her                        the same
cup            coffee at Pikolo Espresso Bar,              CC0
               by Rachel Michetti
cat            Chelsea, by Stefan van der Walt             CC0
horse          silhouette, by Andreas Preuss               CC0
launch pad     Falcon 9 with DSCOVR, by SpaceX             public domain
brick, gravel  CC0Textures                                 CC0
grass          by linolafett                               CC0
stars          Hubble eXtreme Deep Field, NASA             may be freely used as in the
                                                           public domain
=============  ==========================================  ================================

The outlines in ``data/outlines.json`` were traced on those photographs for this project.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

import cv2
import numpy as np

from evavos_widget.datasets.compositing import Layer
from evavos_widget.masks import from_polygons

__all__ = ["BACKGROUNDS", "CUTOUTS", "background", "cutout"]

CUTOUTS = {
    "astronaut": "astronaut",
    "cat": "chelsea",
    "cup": "coffee",
    "shuttle": "astronaut",
    "horse": "gravel",
}
"""Name of each cut-out -> the `skimage.data` function that gives its colours."""

BACKGROUNDS = {
    "launch pad": ("rocket", None),
    "stars": ("hubble_deep_field", None),
    "brick": ("brick", ((52, 26, 20), (214, 142, 110))),
    "grass": ("grass", ((14, 34, 10), (184, 212, 104))),
    "gravel": ("gravel", ((38, 35, 34), (214, 202, 184))),
}
"""Name -> `skimage.data` function, and what black and white become where that is grey."""

HORSE_COLORS = ((10, 9, 12), (70, 58, 52))
"""What black and white of the gravel become on the horse: a dark animal, seen at dusk."""

SUPERSAMPLING = 8
"""Each pixel of a matte is the mean of so many times so many points of the outline's inside."""


def cutout(name: str, height: int, label: int = 0) -> Layer:
    """Cut one thing out of its photograph.

    Parameters
    ----------
    name : str
        A key of `CUTOUTS`.
    height : int
        How high it shall be, in pixels.
    label : int
        Its id in label maps, 0 if it is no object.

    Returns
    -------
    Layer
    """
    outline = np.array(_outlines()[name])
    low, high = np.floor(outline.min(axis=0)), np.ceil(outline.max(axis=0))
    scale = height / (high[1] - low[1])
    width = max(1, round(scale * (high[0] - low[0])))
    fine = from_polygons(
        [(outline - low) * scale * SUPERSAMPLING], height * SUPERSAMPLING, width * SUPERSAMPLING
    )
    matte = fine.reshape(height, SUPERSAMPLING, width, SUPERSAMPLING).mean(axis=(1, 3))
    photograph = _photograph(CUTOUTS[name])
    if name == "horse":  # a silhouette, which has no photograph of its own
        photograph = _colored(photograph, *HORSE_COLORS)
    (left, top), (right, bottom) = low.astype(int), high.astype(int)
    picture = photograph[top:bottom, left:right]
    smaller = height < picture.shape[0]
    picture = cv2.resize(
        picture, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    )
    return Layer(picture, matte, label)


def background(name: str, height: int, width: int) -> np.ndarray:
    """Give a background at least `height` pixels high, which may be continued by mirroring it.

    Parameters
    ----------
    name : str
        A key of `BACKGROUNDS`.
    height, width : int
        The size to cover in pixels. A texture is only fitted to the height.

    Returns
    -------
    (h, w, 3) uint8 array, RGB
    """
    source, colors = BACKGROUNDS[name]
    picture = _photograph(source)
    scale = height / picture.shape[0]
    if colors is None:
        scale = max(scale, width / picture.shape[1])
    else:
        picture = _colored(picture, *colors)
    size = (round(scale * picture.shape[1]), round(scale * picture.shape[0]))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(picture, size, interpolation=interpolation)


def _photograph(name: str) -> np.ndarray:
    try:
        from skimage import data
    except ImportError as error:
        raise ImportError(
            "rendering a synthetic clip needs the photographs of scikit-image, which is not "
            'installed; run `pip install "evavos-widget[synthetic]"`.'
        ) from error
    return np.asarray(getattr(data, name)())


def _colored(grey: np.ndarray, black: Any, white: Any) -> np.ndarray:
    levels = np.arange(256)[:, None] / 255
    table = np.rint((1 - levels) * black + levels * white).astype(np.uint8)
    return table[grey]


@cache
def _outlines() -> dict[str, list[list[float]]]:
    text = (
        resources.files("evavos_widget.datasets")
        .joinpath("data/outlines.json")
        .read_text(encoding="utf-8")
    )
    return json.loads(text)

"""Point labels as pictures, one labelled pixel per point, as the scripts of Point-VOS draw them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from evavos_widget.files import is_plain_name
from evavos_widget.formats.pointvos import STATUSES, PointObject
from evavos_widget.masks import write_label_png
from evavos_widget.points import Point

__all__ = ["VALUES", "read_sparse", "sparse_labels", "write_sparse"]

VALUES = {"negative": 1, "positive": 2, "unknown": 255}
"""What a pixel of each label holds; 0 is not labelled, which is not background as it is in the
label maps of DAVIS."""

_LABELS = {status: label for label, status in STATUSES.items()}


def sparse_labels(
    points: Iterable[Point], height: int, width: int, *, ambiguous: bool = False
) -> np.ndarray:
    """The points of an object on one frame as a picture.

    Parameters
    ----------
    points : iterable of Point
    height, width : int
        Of the frame, in pixels.
    ambiguous : bool
        Whether pixels of which nobody could tell are 255; the released scripts leave them 0.

    Returns
    -------
    (height, width) uint8 array
        `VALUES`, and 0 where nothing was said.

    Raises
    ------
    ValueError
        A point is outside.
    """
    labels = np.zeros((height, width), np.uint8)
    for p in points:
        if not (0 <= p.x < width and 0 <= p.y < height):
            raise ValueError(
                f"the point ({p.x}, {p.y}) is outside the {width} x {height} picture; "
                "give the size of the original video."
            )
        if ambiguous or p.label != "unknown":
            labels[p.y, p.x] = VALUES[p.label]
    return labels


def write_sparse(
    found: PointObject, folder: str | Path, height: int, width: int, *, ambiguous: bool = False
) -> list[Path]:
    """Write ``<folder>/<question hash>/<frame>.png`` for every frame with a point.

    Parameters
    ----------
    found : PointObject
        Points without a frame are passed over.
    folder : path-like
    height, width : int
        Of the video, which the format does not say.
    ambiguous : bool
        See `sparse_labels`.

    Returns
    -------
    list of Path
        In the order of the frames' names.

    Raises
    ------
    ValueError
        A point is outside, or a name would lead out of the folder.
    """
    by_frame: dict[str, list[Point]] = {}
    for p in found.points:
        if p.frame_id is not None:
            by_frame.setdefault(p.frame_id, []).append(Point(p.x, p.y, _LABELS[p.status]))
    for name in (found.question_hash, *by_frame):
        if not is_plain_name(name):
            raise ValueError(f"{name!r} cannot be the name of a file; mend the record.")
    own = Path(folder) / found.question_hash
    own.mkdir(parents=True, exist_ok=True)
    written = []
    for frame, points in sorted(by_frame.items()):
        written.append(own / f"{frame}.png")
        write_label_png(written[-1], sparse_labels(points, height, width, ambiguous=ambiguous))
    return written


def read_sparse(path: str | Path) -> tuple[Point, ...]:
    """The points of a picture, by rows.

    Parameters
    ----------
    path : path-like
        A palette or grey picture of `VALUES` and 0.

    Raises
    ------
    ValueError
        It has other values.
    """
    from PIL import Image

    with Image.open(path) as image:
        if image.mode not in ("P", "L"):
            raise ValueError(f"{path} is {image.mode}; give a palette or grey picture.")
        labels = np.asarray(image)
    names = {value: label for label, value in VALUES.items()}
    strange = set(np.unique(labels).tolist()) - {0, *names}
    if strange:
        raise ValueError(
            f"{path} has the values {sorted(strange)}; sparse points are {sorted(names)} on 0."
        )
    return tuple(Point(int(x), int(y), names[int(labels[y, x])]) for y, x in np.argwhere(labels))

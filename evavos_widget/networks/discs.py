"""Points as the value encoders take them: discs in the place of a mask."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from evavos_widget.points import Point

__all__ = ["on_grid", "point_discs"]


def point_discs(points: np.ndarray, shape: tuple[int, int], radius: float) -> np.ndarray:
    """What points say of the pixels around them.

    A pixel within the radius of a point gets what its nearest point says. So points on every
    pixel of a picture are the mask itself. The paper does not say how Point-STCN draws points.

    Parameters
    ----------
    points : (P, 3) array
        Row and column in pixels, and 1 (object), -1 (not) or 0 (nothing).
    shape : (int, int)
        Height and width of the result.
    radius : float
        In pixels.

    Returns
    -------
    (height, width) float32 array
        1 around points of the object, 0 elsewhere.
    """
    signs = np.zeros(shape, np.int8)
    rows, columns = np.floor(points[:, :2]).astype(int).T
    inside = (rows >= 0) & (columns >= 0) & (rows < shape[0]) & (columns < shape[1])
    said = inside & (points[:, 2] != 0)
    signs[rows[said], columns[said]] = np.sign(points[said, 2])
    if not said.any():
        return np.zeros(shape, np.float32)
    # Its import takes a tenth of opening a session, and few sessions have points.
    from scipy.ndimage import distance_transform_edt

    found = distance_transform_edt(signs == 0, return_indices=True)
    assert isinstance(found, tuple)
    distance, nearest = found
    return ((distance <= radius) & (signs[tuple(nearest)] > 0)).astype(np.float32)


def on_grid(points: Iterable[Point], shape: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """Points of a picture of `shape` on one of `size`, as `point_discs` takes them, (P, 3).

    Pixels that nobody could tell are left out.
    """
    told = [
        (p.y, p.x, 1.0 if p.label == "positive" else -1.0) for p in points if p.label != "unknown"
    ]
    found = np.array(told, np.float64).reshape(-1, 3)
    scale = np.array(size) / np.array(shape)
    found[:, :2] = (found[:, :2] + 0.5) * scale
    return found

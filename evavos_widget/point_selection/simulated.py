"""Points drawn from masks, for a point data set of a mask data set (Point-VOS Sec. 3.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from zlib import crc32

import numpy as np

from evavos_widget.metrics import VOID
from evavos_widget.point_selection.sampling import DISTANCE, FRAMES, Sampling, Spaced, spaced_frames
from evavos_widget.points import Point
from evavos_widget.quantities import as_count

__all__ = ["POINTS", "simulated_points"]

POINTS = 10
"""Points per object and frame (Point-VOS Sec. 3.1)."""


def simulated_points(
    masks: Mapping[int, np.ndarray],
    objects: Sequence[int],
    *,
    n: int = POINTS,
    background: int = 0,
    frames: int | None = FRAMES,
    distance: float = DISTANCE,
    scaled: bool = False,
    how: Sampling = "random",
    seed: int = 0,
    video: str = "",
) -> dict[tuple[int, int], tuple[Point, ...]]:
    """Points on every object, in its masks.

    Parameters
    ----------
    masks : mapping of frame -> (H, W) uint8 label map
        Those of all frames that have one. No point is on pixels of `metrics.VOID`.
    objects : sequence of int
    n : int
        Points on each object per frame; as many as fit where it is small.
    background : int
        Points beside each object per frame.
    frames : int or None
        So many frames of those with a mask, evenly spaced; None takes all.
    distance, scaled
        Between the points of an object on a frame, see `sampling.Spaced`.
    how : {'random', 'farthest-point'}
    seed : int
        The points depend on it, the video, the frame and the object.
    video : str
        Its name, where there are several: each has points of its own.

    Returns
    -------
    dict of (frame, object) -> tuple of Point
        Where the object has a point.
    """
    n, background = as_count("n", n, 0), as_count("background", background, 0)
    listed = sorted(masks)
    chosen = listed if frames is None else [listed[i] for i in spaced_frames(len(listed), frames)]
    found: dict[tuple[int, int], tuple[Point, ...]] = {}
    for frame in chosen:
        labels = masks[frame]
        for obj in objects:
            rng = np.random.default_rng([seed, crc32(video.encode(errors="replace")), frame, obj])
            spaced = Spaced(labels.shape, rng, distance, scaled)
            points = [Point(x, y, "positive") for x, y in spaced.draw(labels == obj, n, how)]
            others = spaced.draw((labels != obj) & (labels != VOID), background, how)
            points += [Point(x, y, "negative") for x, y in others]
            if points:
                found[frame, obj] = tuple(points)
    return found

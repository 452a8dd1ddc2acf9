"""Pixels of a region that keep a distance from each other, and frames that do."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from evavos_widget.quantities import as_count, as_quantity

__all__ = ["DISTANCE", "FRAMES", "SAMPLINGS", "Sampling", "Spaced", "spaced_frames"]

DISTANCE = 20.0
"""Pixels between any two points of a frame (Point-VOS Sec. 3.1)."""

DISTANCE_AT = 480
"""Shorter side of the picture, in pixels, at which `DISTANCE` was chosen: that of DAVIS."""

FRAMES = 10
"""Frames with points, evenly spaced (Point-VOS Sec. 3.1)."""

Sampling = Literal["random", "farthest-point"]

SAMPLINGS: tuple[Sampling, ...] = get_args(Sampling)
"""How the pixels of a region are drawn; the paper found `random` better (Sec. 3.1)."""


def spaced_frames(n_frames: int, count: int = FRAMES) -> list[int]:
    """Up to `count` of `n_frames` frames, evenly spaced from the first to the last."""
    count = as_count("the number of frames", count)
    return sorted(
        set(np.linspace(0, n_frames - 1, min(count, n_frames)).round().astype(int).tolist())
    )


class Spaced:
    """Pixels of one picture, each at least a distance from all that were drawn before.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the picture.
    rng : numpy.random.Generator
    distance : float
        Pixels; two points may be exactly so far apart.
    scaled : bool
        Whether `distance` is for a picture whose shorter side is `DISTANCE_AT`, and grows and
        shrinks with it.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        rng: np.random.Generator,
        distance: float = DISTANCE,
        scaled: bool = False,
    ) -> None:
        distance = as_quantity("the distance", distance, "pixels, 0 or more")
        self._rng = rng
        # Two points never share a pixel.
        self._distance = max(1.0, distance * (min(shape) / DISTANCE_AT if scaled else 1.0))
        self._squared = np.full(shape, np.inf, dtype=np.float32)

    def draw(self, region: np.ndarray, n: int, how: Sampling = "random") -> list[tuple[int, int]]:
        """Up to `n` pixels of a region, as many as fit.

        Parameters
        ----------
        region : (H, W) bool array
        n : int
        how : {'random', 'farthest-point'}
            ``'random'``: any that keeps the distance, all alike. ``'farthest-point'``: the one
            farthest from all points so far, the first of all at random.

        Returns
        -------
        list of (x, y)
        """
        if how not in SAMPLINGS:
            raise ValueError(f"unknown sampling {how!r}; choose from {list(SAMPLINGS)}.")
        drawn: list[tuple[int, int]] = []
        while len(drawn) < n:
            free = np.flatnonzero(region & (self._squared >= self._distance**2))
            if not len(free):
                break
            far = self._squared.flat[free]
            if how == "farthest-point" and np.isfinite(far[0]):
                place = int(free[far.argmax()])
            else:
                place = int(self._rng.choice(free))
            y, x = divmod(place, region.shape[1])
            self.take(x, y)
            drawn.append((x, y))
        return drawn

    def free(self) -> np.ndarray:
        """Pixels that may still be drawn, ``(H, W)`` bool."""
        return self._squared >= self._distance**2

    def take(self, x: int, y: int) -> None:
        """Keep what is drawn from now on away from a pixel."""
        height, width = self._squared.shape
        rows, columns = np.ogrid[:height, :width]
        np.minimum(self._squared, (rows - y) ** 2 + (columns - x) ** 2, out=self._squared)

"""Points at random from each region, as Point-VOS proposes them (Sec. 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from zlib import crc32

import numpy as np

from evavos_widget.loop import PointSelector
from evavos_widget.point_selection.regions import Regions
from evavos_widget.point_selection.sampling import DISTANCE, Spaced
from evavos_widget.points import REGIONS, Candidate
from evavos_widget.video import Video

__all__ = ["Random"]


class Random(PointSelector):
    """On each frame 7 points of the foreground, 10 of the background, 3 in between.

    They come in three batches, by what they are proposed as, since that is how they are verified
    fast. Regions are drawn from in the order of their size, so that a small one is not crowded
    out by its neighbours' points.

    Parameters
    ----------
    seed : int or str
        The points depend on it, the video's name and the frame.
    regions : Regions, optional
        Thresholds and counts.
    distance : float
        Between any two points of a frame, in pixels.
    scaled : bool
        Whether the distance grows with the picture, see `sampling.Spaced`.
    """

    name = "random"

    def __init__(
        self,
        seed: int | str = 0,
        *,
        regions: Regions | None = None,
        distance: float = DISTANCE,
        scaled: bool = False,
    ) -> None:
        self.seed = int(seed)
        self.regions = regions or Regions()
        self.distance, self.scaled = distance, scaled

    def select(self, video: Video, probabilities: Mapping[int, np.ndarray]) -> list[Candidate]:
        """The points, by region and then by frame."""
        found: list[Candidate] = []
        for frame, probability in sorted(probabilities.items()):
            rng = np.random.default_rng(
                [self.seed, crc32(video.name.encode(errors="replace")), frame]
            )
            spaced = Spaced(probability.shape, rng, self.distance, self.scaled)
            masks = self.regions.masks(probability)
            for region in sorted(REGIONS, key=lambda r: int(masks[r].sum())):
                pixels = spaced.draw(masks[region], self.regions.counts[region])
                found += [Candidate(frame, x, y, region) for x, y in pixels]
        return sorted(found, key=lambda c: (REGIONS.index(c.region), c.frame))

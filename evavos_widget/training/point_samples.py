"""Training samples that may begin with points in place of a mask, and may have nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from torch.utils.data import Dataset

from evavos_widget.networks.discs import point_discs
from evavos_widget.point_selection.sampling import Spaced
from evavos_widget.quantities import as_count
from evavos_widget.training.clips import points_clip, recoloured
from evavos_widget.training.samples import Samples, reach_at
from evavos_widget.training.sources import PointShot

__all__ = ["MOST_GIVEN", "PointLabelledSamples", "PointSamples", "PointStartedSamples"]

MOST_GIVEN = 10
"""Points on the first frame, at most; the benchmark gives 1 to 10 (Point-VOS Sec. 4.1)."""

MOST_LABELLED = 40
"""Room for the labelled points of a frame."""

APART = 0.08
"""Distance between two points that are given, relative to the side of a clip. Point-VOS has 20 px,
1/12 of the longer side of a large object of DAVIS."""


class PointStartedSamples(Dataset):
    """Samples with masks, some of which begin with points.

    Parameters
    ----------
    samples : Samples
    share : float in [0, 1]
        Of the clips, those that begin with points.
    radius : float
        See `point_discs`.
    """

    def __init__(self, samples: Samples, share: float, radius: float) -> None:
        self.samples, self.share, self.radius = samples, share, radius
        self.seed = samples.seed

    def __getitem__(self, key: tuple[int, float]) -> dict[str, np.ndarray]:
        """One sample.

        Returns
        -------
        dict
            ``frames`` (T, side, side, 3) uint8 RGB; ``masks`` (T, side / 2, side / 2) uint8, 255
            being the object; ``given`` (side / 2, side / 2) uint8, what the first frame begins
            with; ``pointed``, whether that comes of points.
        """
        number, progress = key
        cv2.setNumThreads(1)
        random = np.random.default_rng([self.seed, number, 2])
        frames, labels = self.samples.clip(random, progress)
        masks = self.samples.halved(labels == 1)
        given, pointed = masks[0], random.random() < self.share and (masks[0] > 0.5).any()
        if pointed:
            spaced = Spaced(given.shape, random, APART * given.shape[0])
            drawn = spaced.draw(given > 0.5, int(random.integers(1, MOST_GIVEN + 1)))
            points = np.array([(y, x, 1) for x, y in drawn], np.float64)
            given = point_discs(points, given.shape, self.radius)
        return {
            "frames": recoloured(frames, random),
            "masks": np.rint(255 * masks).astype(np.uint8),
            "given": np.rint(255 * given).astype(np.uint8),
            "pointed": np.array(pointed),
        }


class PointLabelledSamples(Dataset):
    """Samples of which nothing but points is known, at the start and in the end.

    Parameters
    ----------
    shots : sequence of PointShot
    n_frames, side : int
        Of a clip; `side` in pixels, a multiple of 16.
    radius : float
        See `point_discs`.
    seed : int
    """

    def __init__(
        self, shots: Sequence[PointShot], n_frames: int, side: int, radius: float, seed: int = 0
    ) -> None:
        self.n_frames, self.side = as_count("frames", n_frames, 2), side
        self.shots = [shot for shot in shots if len(shot.frames) >= n_frames]
        if not self.shots:
            raise ValueError(
                f"no object has points on {n_frames} frames; give fewer frames per clip."
            )
        self.radius, self.seed = radius, seed

    def __getitem__(self, key: tuple[int, float]) -> dict[str, np.ndarray]:
        """One sample: as of `PointStartedSamples`, and in place of masks the labelled points.

        Returns
        -------
        dict
            ``frames``, ``given``, ``pointed``, and ``labelled``, (T, `MOST_LABELLED`, 3) int64:
            row and column in pixels of the mask, and 1 (object), -1 (not) or 0 (no point).
        """
        number, progress = key
        cv2.setNumThreads(1)
        random = np.random.default_rng([self.seed, number, 3])
        while True:
            shot = self.shots[int(random.integers(len(self.shots)))]
            frames, points = points_clip(shot, random, self.n_frames, self.side, reach_at(progress))
            on_object = points[0][points[0][:, 2] > 0]
            if len(on_object):
                break
        half = self.side // 2
        # Whole numbers: mixed precision would round others.
        labelled = np.zeros((self.n_frames, MOST_LABELLED, 3), np.int64)
        for t, told in enumerate(points):
            kept = random.permutation(told)[:MOST_LABELLED]
            labelled[t, : len(kept)] = np.floor(kept * (0.5, 0.5, 1))
        n = int(random.integers(1, min(MOST_GIVEN, len(on_object)) + 1))
        given = random.permutation(on_object)[:n] * (0.5, 0.5, 1)
        return {
            "frames": recoloured(frames, random),
            "labelled": labelled,
            "given": np.rint(255 * point_discs(given, (half, half), self.radius)).astype(np.uint8),
            "pointed": np.array(True),
        }


PointSamples = PointStartedSamples | PointLabelledSamples
"""What `evavos_widget.training.point_objective.PointObjective` learns from."""

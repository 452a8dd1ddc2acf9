"""Training samples by number: clip, masks, and a mask to start correcting from.

Everything random about a sample is drawn from the seed and its number, so that a run that
was stopped goes on with the samples it would have seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import cv2
import numpy as np
from torch.utils.data import Dataset, Sampler

from evavos_widget.quantities import as_count
from evavos_widget.training.clips import composite_clip, recoloured, video_clip, warped_clip
from evavos_widget.training.sources import (
    Pool,
    Shot,
    Still,
    all_stills,
    davis_shots,
    free_stills,
    no_stills,
)

__all__ = [
    "FREE_SHARES",
    "SHARES",
    "Positions",
    "Samples",
    "Share",
    "Start",
    "reach_at",
    "worsened",
]


@dataclass(frozen=True)
class Share:
    """How many of the clips are of one kind, at the start and at the end of training."""

    first: float
    last: float

    def at(self, progress: float) -> float:
        """The share after a fraction of the training."""
        return self.first + (self.last - self.first) * progress


SHARES: Mapping[str, Share] = {
    "video": Share(0.35, 0.65),
    "warped": Share(0.35, 0.12),
    "composite": Share(0.30, 0.23),
}
"""Of all data; much the shares with which a prototype reached 0.79 J&F."""

FREE_SHARES: Mapping[str, Share] = {
    "video": Share(0, 0),
    "warped": Share(0.6, 0.4),
    "composite": Share(0.4, 0.6),
}
"""Of data without DAVIS."""


class Start(IntEnum):
    """What a simulated annotator starts to correct."""

    NOTHING = 0
    WORSENED = 1
    PREDICTED = 2


START_SHARES = (0.45, 0.30, 0.25)
"""How often each `Start` is what is corrected."""

SECOND_SHARE = 0.5
"""How often a mask that is to be worsened holds another object too, where one is in sight."""

JUMPED = 0.2
"""How often such a mask holds the other object alone."""

KNOWN_SHARES = (0.35, 0.35, 0.30)
"""How often the other objects' masks are not given, are given, and are given with errors."""


def reach_at(progress: float) -> int:
    """How many video frames two frames of a clip may be apart: 3, rising to 25."""
    return round(3 + 22 * min(1.0, progress / 0.6))


class Samples(Dataset):
    """Samples by (number, progress).

    Parameters
    ----------
    root : Path
        Folder of data, with ``stills`` and, unless `free_only`, ``davis16``.
    n_frames, side : int
        Of a clip; `side` in pixels, a multiple of 16.
    seed : int
    free_only : bool
        Leave DAVIS out, whose terms are non-commercial.
    shots : sequence of Shot, optional
        Videos alone, and no photographs.

    Raises
    ------
    FileNotFoundError
        There are no photographs, or no DAVIS, where they are needed.
    """

    def __init__(
        self,
        root: Path,
        n_frames: int,
        side: int,
        seed: int = 0,
        free_only: bool = False,
        shots: Sequence[Shot] | None = None,
    ) -> None:
        self.n_frames, self.side, self.seed = as_count("frames", n_frames, 2), side, seed
        if shots is not None:
            self.shares, self.pools, self.shots = {"video": Share(1, 1)}, [], list(shots)
            return
        self.shares = FREE_SHARES if free_only else SHARES
        self.pools = free_stills(root) if free_only else all_stills(root)
        if not self.pools:
            raise no_stills(root)
        self.shots = [] if free_only else davis_shots(root)

    def __getitem__(self, key: tuple[int, float]) -> dict[str, np.ndarray]:
        """One sample.

        Returns
        -------
        dict
            ``frames`` (T, side, side, 3) uint8 RGB; ``masks`` (T, side / 2, side / 2) uint8,
            255 being the object; ``others``, what is known of other objects' masks, likewise;
            ``worsened``, the last mask with errors in it; ``start``, a `Start`.
        """
        number, progress = key
        cv2.setNumThreads(1)
        random = np.random.default_rng([self.seed, number])
        frames, labels = self.clip(random, progress)
        masks, others = (self.halved(labels == label) for label in (1, 2))
        bad = worsened(masks[-1], random)
        if random.random() < SECOND_SHARE:
            second = _one_piece(others[-1], random)
            bad = second if random.random() < JUMPED and second.any() else np.maximum(bad, second)
        known = random.choice(3, p=KNOWN_SHARES)
        if known == 0 or not others.any():
            others = np.zeros_like(others)
        elif known == 2:
            others = np.stack([worsened(m, random) for m in others])
        return {
            "frames": recoloured(frames, random),
            "masks": _levels(masks),
            "others": _levels(others),
            "worsened": _levels(bad),
            "start": np.array(random.choice(3, p=START_SHARES)),
        }

    def halved(self, masks: np.ndarray) -> np.ndarray:
        """Masks at half the resolution, (T, side / 2, side / 2) float32 in [0, 1]."""
        half = (self.side // 2, self.side // 2)
        return np.stack(
            [cv2.resize(m.astype(np.float32), half, interpolation=cv2.INTER_AREA) for m in masks]
        )

    def clip(self, random: np.random.Generator, progress: float) -> tuple[np.ndarray, np.ndarray]:
        """Frames, (T, side, side, 3) uint8, and labels: 1 the object, 2 others."""
        options = random, self.n_frames, self.side, reach_at(progress)
        kinds = list(self.shares)
        kind = random.choice(kinds, p=[self.shares[k].at(progress) for k in kinds])
        if kind == "video":
            return video_clip(self.shots[random.integers(len(self.shots))], *options)
        if kind == "composite":
            return composite_clip([_one_of(self.pools, random) for _ in range(6)], *options)
        return warped_clip(_one_of(self.pools, random), *options)


def _one_of(pools: Sequence[Pool], random: np.random.Generator) -> Still:
    weights = np.array([pool.weight for pool in pools])
    pool = pools[random.choice(len(pools), p=weights / weights.sum())]
    return pool.stills[random.integers(len(pool.stills))]


def _one_piece(mask: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """One connected piece of a mask, the larger the likelier; nothing where there is none."""
    _, pieces = cv2.connectedComponents((mask > 0.5).astype(np.uint8))
    inside = pieces[pieces > 0]
    if not len(inside):
        return np.zeros_like(mask)
    return mask * (pieces == inside[random.integers(len(inside))])


class Positions(Sampler):
    """Numbers of the samples from `first` on without end, every `stride`-th, with the progress.

    Parameters
    ----------
    first, stride : int
    progress : callable
        Fraction of the training that is over, of a sample's number.
    """

    def __init__(self, first: int, stride: int, progress: Callable[[int], float]) -> None:
        self.first, self.stride, self.progress = first, stride, progress

    def __iter__(self) -> Iterator[tuple[int, float]]:
        number = self.first
        while True:
            yield number, self.progress(number)
            number += self.stride


def _levels(mask: np.ndarray) -> np.ndarray:
    return np.rint(255 * mask).astype(np.uint8)


def worsened(mask: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A mask with errors such as a propagation makes.

    Parameters
    ----------
    mask : (h, w) float32 array in [0, 1]
    random : Generator

    Returns
    -------
    (h, w) float32 array in [0, 1]
        Shifted, grown or shrunk; a part may be missing and another one added.
    """
    height, width = mask.shape
    area = max(float((mask > 0.5).sum()), 16.0)
    size = np.sqrt(area)
    angle, scale = random.normal(0, 4), np.exp(random.normal(0, 0.05))
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, scale)
    matrix[:, 2] += random.normal(0, 0.06 * size, 2)
    bad = cv2.warpAffine(mask, matrix, (width, height))
    if random.random() < 0.5:
        side = 1 + 2 * int(random.integers(1, 2 + int(0.08 * size)))
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        bad = cv2.morphologyEx(bad, int(random.choice([cv2.MORPH_ERODE, cv2.MORPH_DILATE])), kernel)
    for value, near in ((0.0, bad > 0.5), (1.0, mask >= 0)):
        if random.random() < 0.6:
            rows, columns = np.nonzero(near)
            if len(rows):
                chosen = random.integers(len(rows))
                axes = np.maximum(1, size * random.uniform(0.1, 0.5, 2)).astype(int)
                centre = (int(columns[chosen]), int(rows[chosen]))
                turn = float(random.uniform(0, 180))
                cv2.ellipse(bad, centre, tuple(map(int, axes)), turn, 0, 360, value, -1)
    return cv2.GaussianBlur(bad, (0, 0), random.uniform(0.5, 1.5)).clip(0, 1)

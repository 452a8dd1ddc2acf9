"""What training clips are made of: photographs with masks, and videos with masks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from evavos_widget.video import list_pictures

__all__ = ["Shot", "Still", "coco_stills", "davis_shots", "people_stills"]

SMALLEST = 0.015
"""Objects that cover less of their photograph are left out."""

GARMENTS = 0.3
"""How often some garments stand for the object instead of the whole person."""


@dataclass(frozen=True)
class Still:
    """A photograph and one object on it.

    Parameters
    ----------
    image, labels : Path
    ids : tuple of int
        Labels that make up the object.
    parts : bool
        Whether some of `ids` are an object as well.
    """

    image: Path
    labels: Path
    ids: tuple[int, ...]
    parts: bool = False

    def read(self, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Picture, (H, W, 3) uint8 RGB, and mask, (H, W) bool."""
        picture = _read_picture(self.image)
        labels = _read(self.labels, cv2.IMREAD_UNCHANGED)
        whole = np.isin(labels, self.ids)
        if self.parts and random.random() < GARMENTS:
            chosen = random.permutation(self.ids)[: random.integers(1, 4)]
            some = np.isin(labels, chosen)
            if some.mean() >= SMALLEST:
                return picture, some
        return picture, whole


@dataclass(frozen=True)
class Shot:
    """A video with one object in it.

    Parameters
    ----------
    frames, masks : tuple of Path
        In order, as many of either; a mask is the object where it is not 0.
    """

    frames: tuple[Path, ...]
    masks: tuple[Path, ...]

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Frame, (H, W, 3) uint8 RGB, and mask, (H, W) bool."""
        mask = _read(self.masks[index], cv2.IMREAD_GRAYSCALE) > 0
        return _read_picture(self.frames[index]), mask


def people_stills(root: Path) -> list[Still]:
    """Clothing Co-Parsing in ``root/stills/ccp``: people, of whom garments are parts."""
    return [
        Still(image, labels, ids, parts=True)
        for image, labels in _pairs(root / "stills" / "ccp")
        if (ids := _large_ids(labels, together=True))
    ]


def coco_stills(root: Path) -> list[Still]:
    """COCO in ``root/stills/coco128seg``: one for every instance that is large enough."""
    return [
        Still(image, labels, (number,))
        for image, labels in _pairs(root / "stills" / "coco128seg")
        for number in _large_ids(labels)
    ]


def davis_shots(root: Path, list_name: str = "train.txt") -> list[Shot]:
    """DAVIS-2016 in ``root/davis16``, the sequences of a list in its ``ImageSets``."""
    root = root / "davis16"
    names = (root / "ImageSets" / list_name).read_text().split()
    return [
        Shot(
            *zip(*_pairs(root, f"JPEGImages/480p/{name}", f"Annotations/480p/{name}"), strict=True)
        )
        for name in names
    ]


def _read_picture(path: Path) -> np.ndarray:
    return cv2.cvtColor(_read(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def _read(path: Path, flags: int) -> np.ndarray:
    pixels = cv2.imread(str(path), flags)
    if pixels is None:
        raise OSError(f"{path} cannot be read as a picture; put a sound copy in its place.")
    return pixels


def _pairs(root: Path, images: str = "images", masks: str = "masks") -> list[tuple[Path, Path]]:
    labels = {path.stem: path for path in list_pictures(root / masks)}
    return [(path, labels[path.stem]) for path in list_pictures(root / images)]


def _large_ids(path: Path, together: bool = False) -> tuple[int, ...]:
    counts = np.bincount(_read(path, cv2.IMREAD_UNCHANGED).ravel())
    shares = counts / counts.sum()
    if together:
        large = counts[1:] > 0 if shares[1:].sum() >= SMALLEST else np.zeros(0, bool)
    else:
        large = shares[1:] >= SMALLEST
    return tuple(int(i) + 1 for i in np.flatnonzero(large))

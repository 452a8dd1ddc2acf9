"""Photographs with masks, in any folders, as what synthetic videos are made of.

Every photograph is on one of two sides, *train* or *test*, which its own content decides: the same
photograph is on the same side under any name and in any folder, so that no video of one side shows
what a video of the other shows.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from evavos_widget.datasets.compositing import Layer
from evavos_widget.label_ids import open_mask

__all__ = ["SIDES", "Photograph", "cut_out", "read_photographs"]

SIDES = ("train", "test")

TEST_SHARE = 0.3
"""Of the photographs, on the side `test`."""

SMALLEST, LARGEST = 0.02, 0.6
"""Objects that cover less or more of their photograph are left out."""

LEAST_PIXELS = 90
"""And those that are not as high and as wide as this."""

WHOLE = 0.85
"""And those whose largest piece is less of them, which other things hide in part."""

CUT_OFF = 0.3
"""And those of which more lies on the edge of the picture, as a part of the root of their area."""


@dataclass(frozen=True)
class Photograph:
    """A picture and its mask.

    Parameters
    ----------
    name : str
        Its folder and its own, without the suffix.
    image, labels : Path
    whole : bool
        Whether all labels of the mask are one object; else each is one of its own.
    digest : str
        Of the picture's file, 16 hexadecimal digits.
    """

    name: str
    image: Path
    labels: Path
    whole: bool
    digest: str

    @property
    def side(self) -> str:
        """``'train'`` or ``'test'``."""
        return SIDES[int(self.digest[:8], 16) < TEST_SHARE * 16**8]

    def picture(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""
        pixels = cv2.imread(str(self.image), cv2.IMREAD_COLOR)
        if pixels is None:
            raise OSError(
                f"{self.image} cannot be read as a picture; put a sound copy in its place."
            )
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)

    def label_map(self) -> np.ndarray:
        """(H, W) integers: its objects, whole or not, 0 elsewhere and where nobody knows."""
        mask = open_mask(self.labels)
        if mask.kind == "colour":
            raise ValueError(f"{self.labels} is in colour; give masks with a label for each pixel.")
        labels = np.where(mask.values == 255, 0, mask.values)
        return (labels > 0).astype(np.uint8) if self.whole else labels

    def objects(self) -> list[np.ndarray]:
        """The objects that can be cut out, (H, W) bool each; often none."""
        labels = self.label_map()
        masks = [labels == i for i in np.unique(labels).tolist() if i]
        return [mask for mask in masks if _usable(mask)]


def read_photographs(folders: Sequence[str | os.PathLike[str]]) -> list[Photograph]:
    """The photographs in some folders, by name.

    Parameters
    ----------
    folders : sequence of paths
        Each has ``images`` and ``masks``, which belong together by name: a label for each
        pixel, 0 the background, and every other label an object; all labels together are one
        where the path ends in ``:whole``.

    Raises
    ------
    FileNotFoundError
        A folder is not there, or a photograph has no mask.
    ValueError
        There are no photographs.
    """
    found = []
    for given in map(str, folders):
        path, whole = given.removesuffix(":whole"), given.endswith(":whole")
        folder = Path(path)
        if not ((folder / "images").is_dir() and (folder / "masks").is_dir()):
            raise FileNotFoundError(
                f"{folder} has no images and masks; give a folder of photographs with both."
            )
        masks = {file.stem: file for file in _shown(folder / "masks")}
        for image in _shown(folder / "images"):
            if image.stem not in masks:
                raise FileNotFoundError(f"{image} has no mask; add one to {folder / 'masks'}.")
            digest = hashlib.blake2b(image.read_bytes(), digest_size=8).hexdigest()
            name = f"{folder.resolve().name}/{image.stem}"
            found.append(Photograph(name, image, masks[image.stem], whole, digest))
    if not found:
        raise ValueError(f"there are no photographs in {', '.join(map(str, folders))}; add some.")
    return found


def _shown(folder: Path) -> list[Path]:
    """What is in a folder, without what file managers hide there."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def cut_out(picture: np.ndarray, mask: np.ndarray, height: int, label: int = 0) -> Layer:
    """An object without what is around it.

    Parameters
    ----------
    picture : (H, W, 3) uint8 array, RGB
    mask : (H, W) bool array
    height : int
        How high it shall be, in pixels.
    label : int
        Its id in label maps, 0 if it is no object.
    """
    x, y, columns, rows = cv2.boundingRect(mask.astype(np.uint8))
    box = slice(y, y + rows), slice(x, x + columns)
    # A border, so that the edge can be soft on all sides.
    matte = np.pad(mask[box].astype(np.float32), 2)
    colours = np.pad(picture[box], ((2, 2), (2, 2), (0, 0)), mode="edge")
    size = max(1, round(height * matte.shape[1] / matte.shape[0])), height
    interpolation = cv2.INTER_AREA if height < matte.shape[0] else cv2.INTER_LINEAR
    matte = cv2.GaussianBlur(cv2.resize(matte, size, interpolation=interpolation), (0, 0), 0.7)
    return Layer(cv2.resize(colours, size, interpolation=interpolation), matte, label)


def _usable(mask: np.ndarray) -> bool:
    """Whether a mask is of a whole object of a fair size."""
    area = int(mask.sum())
    if not SMALLEST <= area / mask.size <= LARGEST:
        return False
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if min(rows[-1] - rows[0], columns[-1] - columns[0]) + 1 < LEAST_PIXELS:
        return False
    edge = mask[0].sum() + mask[-1].sum() + mask[:, 0].sum() + mask[:, -1].sum()
    if edge > CUT_OFF * np.sqrt(area):
        return False
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    return stats[1:, cv2.CC_STAT_AREA].max() >= WHOLE * area

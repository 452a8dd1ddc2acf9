"""What training clips are made of: photographs with masks, and videos with masks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from evavos_widget.datasets.davis import FRAMES, LABELS, read_sequence_names, sequence_folder
from evavos_widget.datasets.point_sets import frame_files, points_told
from evavos_widget.formats import pointvos
from evavos_widget.formats.pointvos import STATUSES

__all__ = [
    "PointShot",
    "Pool",
    "Shot",
    "Still",
    "all_stills",
    "davis_shots",
    "free_stills",
    "no_stills",
    "point_shots",
    "pseudo_mask_shots",
]

SMALLEST = 0.015
"""Objects that cover less of their photograph are left out."""

GARMENTS = 0.3
"""How often some garments stand for the object instead of the whole person."""

LARGEST_REGION = 0.55
"""Regions of a partition that cover more of their photograph are its background."""

SMALLEST_REGION = 0.025
"""And those that cover less are details."""


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
    among_objects : bool
        Whether other labels are objects too.
    """

    image: Path
    labels: Path
    ids: tuple[int, ...]
    parts: bool = False
    among_objects: bool = False

    def read(self, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Picture, (H, W, 3) uint8 RGB, and labels, (H, W) uint8: 1 the object, 2 others."""
        picture = _read_picture(self.image)
        labels = _read(self.labels, cv2.IMREAD_UNCHANGED)
        whole = np.isin(labels, self.ids)
        if self.parts and random.random() < GARMENTS:
            chosen = random.permutation(self.ids)[: random.integers(1, 4)]
            some = np.isin(labels, chosen)
            if some.mean() >= SMALLEST:
                whole = some
        found = whole.astype(np.uint8)
        if self.among_objects:
            found[(labels > 0) & ~whole] = 2
        return picture, found


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
        """Frame, (H, W, 3) uint8 RGB, and labels, (H, W) uint8: 1 the object."""
        mask = _read(self.masks[index], cv2.IMREAD_GRAYSCALE) > 0
        return _read_picture(self.frames[index]), mask.astype(np.uint8)


@dataclass(frozen=True, eq=False)
class PointShot:
    """The frames of a video on which points of one object are known.

    Parameters
    ----------
    frames : tuple of Path
        In order.
    points : tuple of (P, 3) array
        Of each frame: row, column, and 1 (object) or -1 (not). One at least is on the object.
    """

    frames: tuple[Path, ...]
    points: tuple[np.ndarray, ...]

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Frame, (H, W, 3) uint8 RGB, and its points."""
        return _read_picture(self.frames[index]), self.points[index]


@dataclass(frozen=True)
class Pool:
    """Photographs of one kind, and how often one of them is drawn relative to other kinds."""

    stills: tuple[Still, ...]
    weight: float


def free_stills(root: Path) -> list[Pool]:
    """What may be used for anything: people, things and pets in ``root/stills``.

    Clothing Co-Parsing (``ccp``), whose garments are parts of people; COCO (``coco128seg``), one
    still for every instance that is large enough; Oxford-IIIT Pet (``pets``).
    """
    folder = root / "stills"
    people = [
        Still(image, labels, ids, parts=True)
        for image, labels in _photographs(folder / "ccp")
        if (ids := _ids(labels, together=True))
    ]
    things = [
        Still(image, labels, (number,), among_objects=True)
        for image, labels in _photographs(folder / "coco128seg")
        for number in _ids(labels)
    ]
    return _pools((people, 1.0), (things, 1.0), (_single(folder / "pets"), 0.6))


def all_stills(root: Path) -> list[Pool]:
    """Those, and what may be used for research: horses and regions in ``root/stills``.

    Weizmann horses (``horses``), and the partitions of BSDS500 (``regions``), of which every
    region of middling size is an object.
    """
    folder = root / "stills"
    regions = [
        Still(image, labels, (number,))
        for image, labels in _photographs(folder / "regions")
        for number in _ids(labels, SMALLEST_REGION, LARGEST_REGION)
    ]
    return free_stills(root) + _pools((_single(folder / "horses"), 0.4), (regions, 0.6))


def _single(folder: Path) -> list[Still]:
    return [
        Still(image, labels, (1,)) for image, labels in _photographs(folder) if 1 in _ids(labels)
    ]


def _pools(*pools: tuple[list[Still], float]) -> list[Pool]:
    return [Pool(tuple(stills), weight) for stills, weight in pools if stills]


def no_stills(root: Path) -> FileNotFoundError:
    """What is wrong with a folder of data in which none of the sets of photographs is."""
    return FileNotFoundError(
        f"there are no photographs in {root / 'stills'}; give a folder of data whose stills/ holds "
        "ccp, coco128seg or pets, each with images/ and masks/."
    )


def davis_shots(root: Path) -> list[Shot]:
    """The training sequences of DAVIS-2016 in ``root/davis16``.

    Raises
    ------
    FileNotFoundError
        It is not there, or a frame has no mask.
    ValueError
        A sequence of ``ImageSets/train.txt`` is not there.
    """
    davis = root / "davis16"
    listed = davis / "ImageSets" / "train.txt"
    if not listed.is_file():
        raise FileNotFoundError(
            f"there is no DAVIS-2016 in {davis}, which would have {listed}; give a folder of data "
            "whose davis16/ holds ImageSets, JPEGImages and Annotations."
        )
    return [
        Shot(
            *zip(
                *_pairs(sequence_folder(davis, FRAMES, name), sequence_folder(davis, LABELS, name)),
                strict=True,
            )
        )
        for name in read_sequence_names(f"@{listed}", davis)
    ]


def point_shots(root: Path, points: Path) -> list[PointShot]:
    """Every object of a file of points, in the format in which Point-VOS was released.

    Parameters
    ----------
    root : Path
        Holds ``JPEGImages``; ``video_name`` is the name of a sequence in it.
    points : Path
    """
    shots = []
    for of in pointvos.read(points):
        told = {
            file: np.array(
                [(p.y, p.x, 1 if p.status == STATUSES["positive"] else -1) for p in given],
                np.float64,
            )
            for file, given in points_told(root, of).items()
        }
        told = {file: p for file, p in told.items() if (p[:, 2] > 0).any()}
        if told:
            shots.append(PointShot(tuple(told), tuple(told.values())))
    if not shots:
        raise ValueError(f"{points} has no point on an object of {root}; give another file.")
    return shots


def pseudo_mask_shots(root: Path, points: Path, masks: Path) -> list[Shot]:
    """Every object of a file of points, with the pseudo-masks that were made of them.

    Parameters
    ----------
    root, points : as for `point_shots`
    masks : Path
        What `evavos_widget.datasets.point_sets.write_pseudo_masks` wrote.
    """
    shots = []
    for of in pointvos.read(points):
        files = frame_files(root, of.video_name)
        made = {file: masks / of.question_hash / f"{stem}.png" for stem, file in files.items()}
        made = {file: mask for file, mask in made.items() if mask.is_file()}
        if made:
            shots.append(Shot(tuple(made), tuple(made.values())))
    if not shots:
        raise ValueError(
            f"{masks} has no mask of an object of {points}; make them with: evavos pointvos "
            "pseudo-masks."
        )
    return shots


def _read_picture(path: Path) -> np.ndarray:
    return cv2.cvtColor(_read(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def _read(path: Path, flags: int) -> np.ndarray:
    pixels = cv2.imread(str(path), flags)
    if pixels is None:
        raise OSError(f"{path} cannot be read as a picture; put a sound copy in its place.")
    return pixels


def _photographs(folder: Path) -> list[tuple[Path, Path]]:
    """Photographs of a set and their masks; none where the set is not there."""
    return _pairs(folder / "images", folder / "masks") if (folder / "images").is_dir() else []


def _pairs(pictures: Path, masks: Path) -> list[tuple[Path, Path]]:
    """Pictures of a folder and their masks, by name."""
    labels = {path.stem: path for path in _shown(masks)} if masks.is_dir() else {}
    pairs = []
    for path in _shown(pictures):
        if path.stem not in labels:
            raise FileNotFoundError(
                f"there is no mask of {path} in {masks}; put one there that is called like it, or "
                "leave the picture out."
            )
        pairs.append((path, labels[path.stem]))
    return pairs


def _shown(folder: Path) -> list[Path]:
    """The files of a folder, without those that a system hides."""
    return [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]


def _ids(
    path: Path, smallest: float = SMALLEST, largest: float = 1.0, *, together: bool = False
) -> tuple[int, ...]:
    """Labels that cover enough of a picture and not too much, or all that together do."""
    counts = np.bincount(_read(path, cv2.IMREAD_UNCHANGED).ravel())
    shares = counts / counts.sum()
    if together:
        large = counts[1:] > 0 if shares[1:].sum() >= smallest else np.zeros(0, bool)
    else:
        large = (shares[1:] >= smallest) & (shares[1:] <= largest)
    return tuple(int(i) + 1 for i in np.flatnonzero(large))

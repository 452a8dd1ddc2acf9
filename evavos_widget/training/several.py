"""Stills with several objects: photographs whose instances are known, and composites of cut-outs.

Only photographs of the side *train* are used (`datasets.photographs`), so that composites of the
other side show nothing that was learned from. Everything random about a sample is drawn from the
seed and its number.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from torch.utils.data import Dataset

from evavos_widget.datasets.compositing import Actor, Backdrop, Layer, Pose, expose
from evavos_widget.datasets.photographs import Photograph, read_photographs
from evavos_widget.training.clips import recoloured
from evavos_widget.training.sources import no_stills

__all__ = ["MOST", "SeveralSamples", "free_photographs"]

MOST = 5
"""Objects of a still, at most."""

SHARES = {"instances": 0.4, "composite": 0.5, "single": 0.1}
"""How often each kind of still is drawn."""

SHORTER = 400
"""Photographs are kept in memory with a shorter side of so many pixels, at most."""

LEAST = 0.004
"""Objects that fill less of a still are background."""

DOUBLES = 0.4
"""How often a composite has two of the same thing, which differ a little in colour."""

BYSTANDERS = 0.3
"""How often one of its things is background."""

KEPT = 0.85
"""How often each instance of a photograph that may be an object is one."""


def free_photographs(root: Path, side: str) -> list[Photograph]:
    """The photographs that may be used for anything, of one side.

    Parameters
    ----------
    root : Path
        Holds ``stills`` with ``ccp``, ``coco128seg`` and ``pets``, those that are there.
    side : {'train', 'test'}

    Raises
    ------
    FileNotFoundError
        None of them is there.
    """
    folders = {"ccp": ":whole", "coco128seg": "", "pets": ":whole"}
    there = [
        f"{root / 'stills' / name}{how}"
        for name, how in folders.items()
        if (root / "stills" / name).is_dir()
    ]
    if not there:
        raise no_stills(root)
    return [photograph for photograph in read_photographs(there) if photograph.side == side]


class SeveralSamples(Dataset):
    """Samples by (number, progress); the progress changes nothing.

    Parameters
    ----------
    photographs : sequence of Photograph
    side : int
        Of a still in pixels, a multiple of 16.
    seed : int
    """

    def __init__(self, photographs: Sequence[Photograph], side: int, seed: int = 0) -> None:
        self.photographs, self.side, self.seed = list(photographs), side, seed
        self._groups = [p for p in self.photographs if not p.whole]
        self._read = lru_cache(maxsize=None)(_read)
        if not self.photographs:
            raise ValueError("there are no photographs to learn from; give a folder with stills.")

    def __getitem__(self, key: tuple[int, float]) -> dict[str, np.ndarray]:
        """One sample.

        Returns
        -------
        dict
            ``frames`` (side, side, 3) uint8 RGB; ``labels`` (side / 2, side / 2) uint8: objects
            from 1 to `MOST` without gaps, 0 the background. One object at least.
        """
        number, _ = key
        cv2.setNumThreads(1)
        random = np.random.default_rng([self.seed, number])
        while True:
            kind = random.choice(list(SHARES), p=list(SHARES.values()))
            if kind == "composite":
                picture, labels = self._composite(random)
            else:
                group = self._groups if kind == "instances" and self._groups else self.photographs
                picture, labels = self._view(group[random.integers(len(group))], random)
            labels = self._halved(_numbered(labels, random))
            if labels.any():
                break
        return {"frames": recoloured(picture[None], random)[0], "labels": labels}

    def _halved(self, labels: np.ndarray) -> np.ndarray:
        """At half the resolution, of each pixel what most of it is; too small ones left out."""
        half = (self.side // 2, self.side // 2)
        shares = [
            cv2.resize((labels == i).astype(np.float32), half, interpolation=cv2.INTER_AREA)
            for i in range(int(labels.max()) + 1)
        ]
        small = np.stack(shares).argmax(0)
        left = [i for i in np.unique(small) if i and (small == i).mean() >= LEAST]
        out = np.zeros(half, np.uint8)
        for new, old in enumerate(left, start=1):
            out[small == old] = new
        return out

    def _view(
        self, photograph: Photograph, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """A photograph through a window, turned a little and perhaps mirrored."""
        picture, labels, _ = self._read(photograph)
        height, width = labels.shape
        scale = self.side / min(height, width) * np.exp(random.uniform(0, np.log(2.2)))
        rows, columns = np.nonzero(labels)
        k = random.integers(len(rows)) if len(rows) else 0
        pivot = (columns[k], rows[k]) if len(rows) else (width / 2, height / 2)
        # So that the window shows the picture where it can.
        reach = self.side / scale / 2
        pivot = [
            float(np.clip(at, min(reach, n / 2), max(n - reach, n / 2)))
            for at, n in zip(pivot, (width, height), strict=True)
        ]
        middle = self.side / 2
        pose = Pose((middle, middle), (pivot[0], pivot[1]), scale, random.normal(0, 0.1))
        return _through(picture, labels, pose, self.side, random.random() < 0.5)

    def _composite(self, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Things cut out of photographs on another one."""
        side = self.side
        picture, _, _ = self._read(self._some(random))
        height, width = picture.shape[:2]
        scale = side / min(height, width) * random.uniform(1.0, 1.6)
        behind = Pose((side / 2, side / 2), (width / 2, height / 2), scale, random.normal(0, 0.1))
        n = int(random.integers(1, MOST + 1))
        things: list[tuple[np.ndarray, np.ndarray]] = []
        while len(things) < n:
            if things and random.random() < DOUBLES / 2:
                things.append(things[random.integers(len(things))])
                continue
            _, _, cut_outs = self._read(self._some(random))
            if cut_outs:
                things.append(cut_outs[random.integers(len(cut_outs))])
        bystander = random.random() < BYSTANDERS and n > 1
        actors = []
        for i, (colours, matte) in enumerate(things):
            layer = Layer(
                recoloured(colours[None], random)[0], matte, 0 if bystander and not i else i + 1
            )
            layer = layer.mirrored() if random.random() < 0.5 else layer
            tall, broad = matte.shape
            size = np.exp(random.uniform(*np.log((0.18, 0.75)))) * side / max(tall, broad)
            x, y = side * random.uniform(0.1, 0.9, 2)
            pose = Pose(
                (float(x), float(y)),
                (broad / 2, tall / 2),
                float(size),
                random.normal(0, 0.2),
            )
            actors.append(Actor(layer, lambda _, pose=pose: pose))
        order = random.permutation(len(actors))
        shot = expose(
            Backdrop(picture, lambda _: behind), [actors[i] for i in order], (side, side), 0, 0
        )
        return np.rint(shot.picture.clip(0, 255)).astype(np.uint8), shot.labels

    def _some(self, random: np.random.Generator) -> Photograph:
        # Instances are few photographs, but most kinds of things.
        group = self._groups if self._groups and random.random() < 0.4 else self.photographs
        return group[random.integers(len(group))]


_CutOut = tuple[np.ndarray, np.ndarray]
"""Colours, (h, w, 3) uint8, and matte, (h, w) float32."""


def _read(photograph: Photograph) -> tuple[np.ndarray, np.ndarray, list[_CutOut]]:
    """Picture, labels of its objects, and what can be cut out of it, made smaller."""
    picture = photograph.picture()
    labels = photograph.label_map()
    scale = min(1.0, SHORTER / min(labels.shape))
    size = round(scale * labels.shape[1]), round(scale * labels.shape[0])
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    cut_outs = []
    for mask in photograph.objects():
        x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
        box = slice(y, y + height), slice(x, x + width)
        matte = np.pad(mask[box].astype(np.float32), 2)
        colours = np.pad(picture[box], ((2, 2), (2, 2), (0, 0)), mode="edge")
        of = scale * matte.shape[1], scale * matte.shape[0]
        of = max(1, round(of[0])), max(1, round(of[1]))
        matte = cv2.resize(matte, of, interpolation=cv2.INTER_AREA)
        cut_outs.append(
            (
                cv2.resize(colours, of, interpolation=cv2.INTER_AREA),
                cv2.GaussianBlur(matte, (0, 0), 0.7),
            )
        )
    return small, cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST), cut_outs


def _through(
    picture: np.ndarray, labels: np.ndarray, pose: Pose, side: int, mirrored: bool
) -> tuple[np.ndarray, np.ndarray]:
    x, y = pose.layer_coordinates((slice(0, side), slice(0, side)), np.float32)
    if mirrored:
        x, y = np.ascontiguousarray(x[:, ::-1]), np.ascontiguousarray(y[:, ::-1])
    edge = cv2.BORDER_REFLECT_101
    return (
        cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=edge),
        cv2.remap(labels, x, y, cv2.INTER_NEAREST, borderMode=edge),
    )


def _numbered(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Some of the objects in sight, from 1 to `MOST` in random order; the rest is background."""
    ids, counts = np.unique(labels, return_counts=True)
    seen = [i for i, n in zip(ids, counts, strict=True) if i and n >= LEAST * labels.size]
    chosen = [i for i in random.permutation(seen) if random.random() < KEPT] or seen[:1]
    out = np.zeros_like(labels)
    for new, old in enumerate(chosen[:MOST], start=1):
        out[labels == old] = new
    return out

"""Samples for RF-VNG by number: frames of a video, and nouns of what was said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from torch.utils.data import Dataset

from evavos_widget.datasets.davis import sequence_folder
from evavos_widget.files import replacing
from evavos_widget.formats.vng import Expression, VngVideo, read
from evavos_widget.masks import from_coco
from evavos_widget.networks.scene import ENCODER, Scene, look_at
from evavos_widget.networks.words import (
    MOST_PIECES,
    MOST_WORDS,
    caption_pieces,
    word_pieces,
)
from evavos_widget.quantities import as_count
from evavos_widget.video import Video

__all__ = ["SIZE", "NounSamples", "keep_scenes"]

SIZE = 160, 288
"""Frames are learned from at this height and width, whatever their own."""

NAME_ONLY = 0.1
"""So often a noun is told alone, without its narrative."""

NOTHING = 0.08
"""So often nothing is told, and the largest object is meant; with `NAME_ONLY` this makes the same
network the two baselines, each trained for what it does."""

LARGEST_MASK = SIZE[0] // 4, SIZE[1] // 4


def keep_scenes(
    root: Path, videos: list[VngVideo], folder: Path, report: Callable[[str], None] = print
) -> None:
    """Compute what the frozen encoder says of every frame, and keep it; what is there is kept.

    Parameters
    ----------
    root : Path
        Holds ``JPEGImages``.
    videos : list of VngVideo
    folder : Path
        Gets two files for each video.
    report : callable
        Told what is done, every hundred videos.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, of in enumerate(videos):
        names = _files(folder, of.name)
        if not all(name.is_file() for name in names):
            video = Video.open(sequence_folder(root, "JPEGImages", of.name))
            if tuple(video.frame_names) != of.frames:
                raise ValueError(f"the frames of {of.name!r} in {root} are not those of the set.")
            scene = look_at(
                [video.frame(f) for f in range(video.n_frames)], size=SIZE, weights=ENCODER
            )
            video.close()
            for name, array in zip(names, scene, strict=True):
                with replacing(name) as new, new.open("wb") as file:
                    np.save(file, array)
        if number % 100 == 99:
            report(f"features of {number + 1} of {len(videos)} videos")


def _files(folder: Path, video: str) -> tuple[Path, Path]:
    return folder / f"{video}.cells.npy", folder / f"{video}.fine.npy"


@dataclass(frozen=True)
class _Noun:
    video: VngVideo
    expression: Expression


class NounSamples(Dataset):
    """Samples by (number, progress): some frames of a video, and some of its nouns.

    Parameters
    ----------
    root : Path
        A set, see `evavos_widget.formats.vng`, with ``JPEGImages``.
    features : Path
        Where what the encoder says of frames is kept.
    n_frames : int
        Of a sample; videos with fewer repeat some.
    n_nouns : int
        Of a sample.
    seed : int
    """

    def __init__(
        self, root: Path, features: Path, n_frames: int, n_nouns: int = 3, seed: int = 0
    ) -> None:
        self.n_frames, self.n_nouns = as_count("frames", n_frames), as_count("nouns", n_nouns)
        self.seed = seed
        self.videos = [v for v in read(root) if any(v.annotated(e) for e in v.expressions)]
        if not self.videos:
            raise ValueError(f"{root} has no noun with a mask; there is nothing to learn from.")
        self.features = features
        keep_scenes(root, self.videos, features)

    def __getitem__(self, key: tuple[int, float]) -> dict[str, np.ndarray]:
        """One sample of T frames and Q nouns.

        Returns
        -------
        dict
            ``cells`` and ``fine`` of a `Scene`, float32; ``pieces`` (Q, N, P) and ``marked``
            (Q, N); ``masks`` (Q, T, 2 h, 2 w) float32 in [0, 1]; ``boxes`` (Q, T, 4) in [0, 1],
            centre and size; ``known`` (Q, T) bool, whether the frame has a mask.
        """
        number, _ = key
        cv2.setNumThreads(1)
        random = np.random.default_rng([self.seed, number])
        video = self.videos[random.integers(len(self.videos))]
        told = [e for e in video.expressions if video.annotated(e)]
        frames = sorted({f for e in told for f in video.annotated(e)})
        picked = random.choice(len(frames), self.n_frames, replace=len(frames) < self.n_frames)
        picked = [frames[i] for i in sorted(picked)]
        paths = _files(self.features, video.name)
        scene = Scene(*(np.load(path, mmap_mode="r")[picked] for path in paths))
        sample: dict[str, list[np.ndarray]] = {"pieces": [], "marked": [], "masks": [], "known": []}
        for noun in random.choice(len(told), self.n_nouns, replace=len(told) < self.n_nouns):
            chosen = told[noun]
            drawn = random.random()
            if drawn < NOTHING:
                chosen = _largest(video, told)
                pieces, marked = np.zeros((1, MOST_PIECES), np.int64), np.zeros(1, bool)
            elif drawn < NOTHING + NAME_ONLY:
                name = video.noun(chosen)
                pieces, marked = caption_pieces(name, (0, len(name)))
            else:
                text = video.narratives[chosen.actor][1]
                pieces, marked = caption_pieces(text, chosen.span)
            room = MOST_WORDS - len(pieces)
            sample["pieces"].append(np.pad(pieces, ((0, room), (0, 0))))
            sample["marked"].append(np.pad(marked, (0, room)))
            masks = [video.masks[chosen.object].get(f) for f in picked]
            sample["known"].append(np.array([m is not None for m in masks]))
            sample["masks"].append(np.stack([_small(m) for m in masks]))
        made = {k: np.stack(v) for k, v in sample.items()}
        made |= {"cells": scene.cells.astype(np.float32), "fine": scene.fine.astype(np.float32)}
        if random.random() < 0.5:
            made = _mirrored(made)
        return made | {"boxes": _boxes(made["masks"])}


def _largest(video: VngVideo, told: list[Expression]) -> Expression:
    """An expression that means the object with the largest mean mask."""

    def area(e: Expression) -> float:
        return float(np.mean([from_coco(m).mean() for m in video.masks[e.object].values()]))

    return max({e.object: e for e in told}.values(), key=area)


def _small(coded: object) -> np.ndarray:
    if coded is None:
        return np.zeros(LARGEST_MASK, np.float32)
    mask = from_coco(coded).astype(np.float32)  # pyright: ignore[reportArgumentType]
    return cv2.resize(mask, LARGEST_MASK[::-1], interpolation=cv2.INTER_AREA)


_LEFT, _RIGHT = (np.pad(p, (0, MOST_PIECES - len(p))) for p in map(word_pieces, ("left", "right")))


def _mirrored(sample: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A sample seen in a mirror, where what was left is said to be right."""
    turned = {k: v[..., ::-1].copy() for k, v in sample.items() if k in ("cells", "fine", "masks")}
    turned["fine"][:, 3] *= -1
    pieces = sample["pieces"].copy()
    left, right = ((sample["pieces"] == word).all(-1) for word in (_LEFT, _RIGHT))
    pieces[left], pieces[right] = _RIGHT, _LEFT
    return {**sample, **turned, "pieces": pieces}


def _boxes(masks: np.ndarray) -> np.ndarray:
    """Boxes around masks, (..., 4) in [0, 1]: centre and size; 0 where there is no pixel."""
    inside = np.asarray(masks > 0.5)
    ends = []
    for axis in (-2, -1):
        along = np.asarray(inside.any(axis))
        n = along.shape[-1]
        first = along.argmax(-1) / n
        last = 1 - along[..., ::-1].argmax(-1) / n
        ends.append(((first + last) / 2, last - first))
    (cx, w), (cy, h) = ends
    shown = np.asarray(inside.any((-2, -1)))[..., None]
    return np.stack([cx, cy, w, h], -1).astype(np.float32) * shown

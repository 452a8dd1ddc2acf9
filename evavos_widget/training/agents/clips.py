"""Clips to simulate loops on, made of free photographs: ``evavos train clips``.

Half are the play of `datasets.synthetic`, harder and easier ones, half objects cut out of
photographs that move over others, with look-alikes (`training.clips`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from evavos_widget.datasets.annotated_video import AnnotatedVideo
from evavos_widget.datasets.davis import write_sequence
from evavos_widget.datasets.synthetic import render_clip
from evavos_widget.training.clips import composite_clip
from evavos_widget.training.sources import Still, free_stills
from evavos_widget.video import Video

__all__ = ["write_clips"]

WIDTH, HEIGHT = 256, 144
"""Of the clips in pixels: small, so that many loops can be simulated."""

LENGTHS = (16, 28)
"""Frames of a clip, from and to."""

DIFFICULTY = (0.8, 2.0)
"""Of the plays, from and to; 1 is the embedded clip."""

REACH = (3.0, 12.0)
"""How fast cut-outs move, as `training.clips` counts it, from and to."""

SHOWN = 0.6
"""Share of the frames on which the object has to be in the picture, and on the first one."""

SMALLEST = 0.004
"""Share of the picture that counts as being in it."""


def write_clips(stills: Path, out: Path, count: int, seed: int = 0) -> list[str]:
    """Write clips in the layout of DAVIS, those that lack; their names.

    Parameters
    ----------
    stills : Path
        Has ``stills/ccp``, ``stills/coco128seg`` and ``stills/pets``, whose terms are free.
    out : Path
    count : int
    seed : int
        Clip and number make everything in it.
    """
    pools = free_stills(stills)
    if not pools:
        raise FileNotFoundError(f"there are no photographs in {stills / 'stills'}; check the path.")
    photographs = [still for pool in pools for still in pool.stills]
    names = [f"clip-{seed}-{number:03d}" for number in range(count)]
    for number, name in enumerate(tqdm(names, unit="clip")):
        if (out / "Annotations" / name).is_dir():
            continue
        rng = np.random.default_rng([seed, number])
        frames, labels = _play(rng) if number % 2 else _cut_outs(photographs, rng)
        video = Video.open(frames, name=name)
        write_sequence(out, AnnotatedVideo(name, video, dict(enumerate(labels))))
    return names


def _play(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    clip = render_clip(
        int(rng.integers(1_000_000)),
        int(rng.integers(*LENGTHS)),
        HEIGHT,
        WIDTH,
        float(rng.uniform(*DIFFICULTY)),
    )
    return clip.frames, clip.labels


def _cut_outs(stills: list[Still], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    top = (WIDTH - HEIGHT) // 2
    while True:
        reach = rng.uniform(*REACH)
        n = int(rng.integers(*LENGTHS))
        frames, labels = composite_clip(stills, rng, n, WIDTH, reach)  # pyright: ignore[reportArgumentType]
        frames, labels = frames[:, top : top + HEIGHT], labels[:, top : top + HEIGHT]
        labels = np.where(labels == 1, 1, 0).astype(np.uint8)  # what else moves is not asked about
        shown = (labels == 1).mean(axis=(1, 2)) > SMALLEST
        if shown[0] and shown.mean() > SHOWN:
            return np.ascontiguousarray(frames), np.ascontiguousarray(labels)

"""A folder of palette PNG, one per frame and called like it, as in DAVIS."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from evavos_widget.formats.base import Format, Job, MaskSource
from evavos_widget.label_folder import LabelFolder
from evavos_widget.masks import write_label_png
from evavos_widget.video_pictures import natural

__all__ = ["FORMAT", "frames_of", "read", "write"]

_SUFFIXES = ((".png",), (".bmp", ".tif", ".tiff"), (".jpg", ".jpeg"))
"""Files that may hold masks; those of a later group are read where there is none before."""


def write(job: Job, folder: Path) -> None:
    """Make the folder."""
    folder.mkdir(parents=True)
    for i, name in enumerate(job.video.frame_names):
        write_label_png(folder / f"{name}.png", job.masks[i], exported=True)
        job.step(i + 1)


def read(folder: Path, wanted: MaskSource) -> Mapping[int, np.ndarray]:
    """Masks by frame, read when they are asked for.

    Raises
    ------
    ValueError
        There is none, one belongs to no frame, or their ids cannot be told.
    """
    video = wanted.video
    own = {path.resolve() for path in video.paths}
    found = [p for p in folder.iterdir() if not p.name.startswith(".") and p.resolve() not in own]
    for suffixes in _SUFFIXES:
        if files := [p for p in found if p.suffix.lower() in suffixes]:
            break
    else:
        frames = any(path.resolve() in own for path in folder.iterdir())
        what = "the video's own frames, and no masks" if frames else "no PNG file"
        raise ValueError(f"the folder {folder} holds {what}; give one with masks.")
    files.sort(key=lambda path: natural(path.name))
    frames = frames_of([path.stem for path in files], video.frame_names)
    if frames is None:
        frames = _by_number([p.stem for p in files], [Path(f).stem for f in video.frame_files])
        if frames is not None:
            wanted.notices.append(
                f"the masks were matched to the frames by their numbers, {files[0].name} to frame "
                f"{frames[0]}, {video.frame_names[frames[0]]!r}."
            )
    if frames is None:
        names = video.frame_names
        known = set(names)
        stray = next((p for p in files if p.stem not in known), files[0])
        raise ValueError(
            f"the mask {stray} belongs to no frame; name it as one of {names[0]} ... {names[-1]}."
        )
    if len(set(frames)) < len(frames):
        twice = [p.name for p, frame in zip(files, frames, strict=True) if frames.count(frame) > 1]
        raise ValueError(
            f"{folder} holds several masks for one frame, {twice[0]} and {twice[1]}; leave one."
        )
    by_frame = dict(zip(frames, files, strict=True))
    masks = LabelFolder(by_frame, video.height, video.width, wanted.ids)
    if masks.convention.notice is not None:
        wanted.notices.append(f"{folder}: {masks.convention.notice}")
    return masks


def frames_of(stems: Sequence[str], names: Sequence[str]) -> list[int] | None:
    """Frames of masks that are called like them; None where one is called like none.

    Where frames are only numbered, the number counts and not how it is written.
    """
    exact = {name: i for i, name in enumerate(names)}
    numbers = {int(name): i for i, name in enumerate(names) if name.isdecimal()}
    if len(numbers) < len(names):
        numbers = {}
    frames = [
        exact.get(stem, numbers.get(int(stem)) if stem.isdecimal() else None) for stem in stems
    ]
    known = [frame for frame in frames if frame is not None]
    return known if len(known) == len(frames) else None


def _by_number(stems: Sequence[str], names: Sequence[str]) -> list[int] | None:
    """Frames of masks whose names differ from theirs in what stands around one number."""
    numbers, frames = _varying(stems), _varying(names)
    if numbers is None or frames is None or len(set(frames)) < len(frames):
        return None
    at = {number: i for i, number in enumerate(frames)}
    found = [at[number] for number in numbers if number in at]
    return found if len(found) == len(numbers) else None


def _varying(names: Sequence[str]) -> list[int] | None:
    """The one number in which names differ; None where they differ in more.

    Of a single name it is the only number, or that at the beginning or the end.
    """
    split = [re.split(r"(\d+)", name) for name in names]
    if any(parts[::2] != split[0][::2] for parts in split):
        return None
    columns = list(zip(*(parts[1::2] for parts in split), strict=True))
    if len(columns) > 1:
        varying = [c for c in columns if len(set(c)) > 1]
        columns = varying or (columns[:1] if split[0][0] == "" else columns[-1:])
    return [int(number) for number in columns[0]] if len(columns) == 1 else None


FORMAT = Format("", "a folder of palette PNG, one per frame, as in DAVIS", write)
"""One PNG per frame."""

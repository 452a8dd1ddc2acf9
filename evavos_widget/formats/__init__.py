"""Masks and points out, in the formats people train with, and masks in: one file per format.

Every export is written beside its target and moved there at the end, so that one that
fails or is killed leaves nothing half-written.
"""

from __future__ import annotations

import operator
import os
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evavos_widget.files import exclusive, is_regular, plain_name, replacing, tidy
from evavos_widget.formats import (
    coco,
    davis,
    numpy,
    overlay,
    pages,
    pointvos,
    youtube_vis,
    youtube_vos,
)
from evavos_widget.formats.base import Format, Job, MaskSource
from evavos_widget.formats.protection import check_target, remember_given
from evavos_widget.label_ids import IDS
from evavos_widget.masks import LabelMaps
from evavos_widget.points import Point
from evavos_widget.video import Video

__all__ = ["FORMATS", "Format", "export", "export_name", "import_masks"]

FORMATS: dict[str, Format] = {
    "davis": davis.FORMAT,
    "youtube-vos": youtube_vos.FORMAT,
    "coco": coco.FORMAT,
    "youtube-vis": youtube_vis.FORMAT,
    "overlay": overlay.FORMAT,
    "numpy": numpy.FORMAT,
    "pointvos": pointvos.FORMAT,
}
"""Formats by the name that `export` takes."""


def export_name(video: Video, format: str) -> str:
    """What an export is called that was given no path: ``<video>-<format>``, in its folder."""
    return f"{plain_name(video.name)}-{format}"


def export(
    video: Video,
    masks: LabelMaps,
    objects: Sequence[Mapping[str, Any]],
    annotated: Collection[int],
    format: str,
    path: str | os.PathLike[str],
    *,
    points: Mapping[tuple[int, int], Sequence[Point]] | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write masks, or points, in one of `FORMATS`.

    Parameters
    ----------
    video : Video
    masks : LabelMaps
        One map per frame of `video`.
    objects : sequence of mappings with 'id', 'name' and 'color' ('#rrggbb')
    annotated : collection of int
        Frames that the annotator stands behind.
    format : str
        ``'davis'``, ``'youtube-vos'``, ``'coco'``, ``'youtube-vis'``, ``'overlay'``, ``'numpy'``
        or ``'pointvos'``.
    path : path-like
        The folder or file to make; a file gets the suffix of its format if it lacks it.
        The folder it lies in is made if needed.
    points : mapping of (frame, object) -> points, optional
        What was said of single pixels, which ``'pointvos'`` writes in place of masks.
    overwrite : bool
        Replace an earlier export. What the video or its masks were read from is never
        replaced, nor a folder that holds anything but masks of an export, nor what a session
        keeps in its folder.
    progress : callable, optional
        Called as ``progress(done, total)`` after every frame.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    ValueError
        If the format is unknown, or masks and video do not go together.
    FileExistsError
        If something is there that must not be replaced.
    """
    if format not in FORMATS:
        raise ValueError(f"unknown format {format!r}; choose from {list(FORMATS)}.")
    size = (video.n_frames, video.height, video.width)
    if masks.shape != size:
        raise ValueError(
            f"the masks are {masks.shape} and the video is {size} (frames, height, width); "
            "export them with their own video."
        )
    suffix = FORMATS[format].suffix
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path is {path!r}; give where the export is to be.")
    path = Path(path).expanduser()
    if suffix and path.suffix.lower() != suffix:
        path = path.with_name(path.name + suffix)

    def step(done: int) -> None:
        if progress is not None:
            progress(done, video.n_frames)

    plain = [{**o, "id": operator.index(o["id"])} for o in objects]  # JSON takes no NumPy
    job = Job(video, masks, plain, sorted(map(operator.index, annotated)), step, points or {})
    check_target(path, video, is_folder=not suffix, overwrite=overwrite)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise FileExistsError(
            f"{path.parent} is a file, or lies in one, and cannot hold an export; choose another "
            "path."
        ) from error
    with exclusive(path) as alone:
        if alone:
            tidy(path.parent, path.name)
        # Another export may have come first, or an earlier one came back.
        check_target(path, video, is_folder=not suffix, overwrite=overwrite)
        with replacing(path) as temporary:
            FORMATS[format].write(job, temporary)
    return path


def import_masks(source: Any, video: Video, *, ids: str = "auto") -> Mapping[int, np.ndarray]:
    """Read existing masks of a video.

    Parameters
    ----------
    source : path, array, LabelMaps or mapping
        - a folder of pictures named as the frames of `video`, or numbered as they are;
          frames may be missing; a YouTube-VOS folder too
        - a TIFF with a page for each frame, as a video may be one
        - a ``.json`` file of COCO or YouTube-VIS
        - an ``.npz`` file with ``masks``, or an ``.npy`` file: as an array
        - an ``(N, H, W)`` array or `LabelMaps` with all N frames
        - a mapping of frame -> label map
    video : Video
    ids : {'auto', 'values', 'binary'}
        How the values in pictures and arrays become ids, see
        `evavos_widget.label_ids.IDS`. It is decided once for the whole set, and a warning
        says so where it does not go without saying.

    Returns
    -------
    mapping of int -> (H, W) uint8 array
        Read-only label maps by frame, ascending. Those in files are read when they are
        asked for.

    Raises
    ------
    FileNotFoundError
        There is nothing at `source`.
    ValueError
        The masks do not belong to the video, or their ids are not known or not plausible.
    """
    if ids not in IDS:
        raise ValueError(f"unknown ids={ids!r}; choose from {list(IDS)}.")
    wanted = MaskSource(video, ids)
    path = Path(source).expanduser() if isinstance(source, str | os.PathLike) else None
    if path is None:
        found = numpy.read(source, wanted)
    elif path.is_dir():
        found = youtube_vos.read(path, wanted)
    elif not path.exists():
        raise FileNotFoundError(f"there are no masks at {path}; check the path.")
    elif not is_regular(path):
        raise ValueError(f"{path} is no file; give a folder of PNG files, or a file with masks.")
    elif path.suffix.lower() == ".json":
        found = coco.read(path, wanted)
    elif path.suffix.lower() in pages.SUFFIXES:
        found = pages.read(path, wanted)
    else:
        found = numpy.read_file(path, wanted)
    for notice in wanted.notices:
        warnings.warn(notice, stacklevel=2)
    if path is not None:
        remember_given(video, path)
    return found

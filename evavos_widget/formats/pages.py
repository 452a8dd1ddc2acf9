"""Masks in one picture file, a page for each frame, as microscopes and ImageJ write TIFF."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from evavos_widget.formats.base import MaskSource
from evavos_widget.label_folder import LabelFolder
from evavos_widget.label_ids import open_mask
from evavos_widget.video_pictures import count_pages

__all__ = ["SUFFIXES", "read"]

SUFFIXES = (".tif", ".tiff", ".png", ".bmp")
"""Files whose pages are masks. What changes pixels as it saves them, as JPEG, or their palette from
page to page, as GIF, is none."""


def read(path: Path, wanted: MaskSource) -> Mapping[int, np.ndarray]:
    """Masks by frame, read when they are asked for.

    Raises
    ------
    ValueError
        It is no picture, has another number of pages than the video has frames, or the ids cannot
        be told.
    """
    video, n = wanted.video, count_pages(path)
    if n != video.n_frames:
        open_mask(path, page=0)  # tells what is no picture
        raise ValueError(
            f"{path} holds {n} mask{'' if n == 1 else 's'} and the video has {video.n_frames} "
            "frames; give a TIFF with a page for each, a folder of masks called like their frames, "
            "or a mapping of frame to mask."
        )
    masks = LabelFolder(
        dict.fromkeys(range(n), path), video.height, video.width, wanted.ids, paged=True
    )
    if masks.convention.notice is not None:
        wanted.notices.append(f"{path}: {masks.convention.notice}")
    return masks

"""``Annotations/<video>/*.png`` and ``meta.json``, as in YouTube-VOS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from evavos_widget.files import plain_name
from evavos_widget.formats import davis
from evavos_widget.formats.base import Format, Job, MaskSource

__all__ = ["FORMAT", "read", "write"]


def write(job: Job, folder: Path) -> None:
    """Make the folder."""
    davis.write(job, folder / "Annotations" / job.video_name)
    names = job.video.frame_names
    present = [job.masks.ids(i) for i in range(len(job.masks))]
    objects = {
        str(o["id"]): {
            "category": o["name"],
            "frames": [n for n, ids in zip(names, present, strict=True) if o["id"] in ids],
        }
        for o in job.objects
    }
    meta = {"videos": {job.video_name: {"objects": objects}}}
    (folder / "meta.json").write_text(json.dumps(meta, indent=1), encoding="utf-8")


def read(folder: Path, wanted: MaskSource) -> Mapping[int, np.ndarray]:
    """Masks of the video in a folder of YouTube-VOS, or in one that holds the masks itself."""
    inside = folder / "Annotations" / plain_name(wanted.video.name)
    return davis.read(inside if inside.is_dir() else folder, wanted)


FORMAT = Format("", "Annotations/<video>/*.png and meta.json, as in YouTube-VOS", write)
"""A folder for every video, and what objects are."""

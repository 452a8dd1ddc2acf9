"""One JSON with a track of COCO RLE for every object, as in YouTube-VIS."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from evavos_widget.formats.base import Format, Job, UnfitError
from evavos_widget.masks import to_coco

__all__ = ["FORMAT", "listed", "video_entry", "write"]


def write(job: Job, file: Path) -> None:
    """Make the file."""
    from pycocotools import mask as coco

    size = {"height": job.video.height, "width": job.video.width}
    categories = job.categories()
    tracks: dict[int, dict[str, list[Any]]] = {
        o["id"]: {"segmentations": [], "bboxes": [], "areas": []} for o in job.objects
    }
    for i, labels in enumerate(job.masks):
        present = job.masks.ids(i)
        for obj, track in tracks.items():
            rle: Any = to_coco(labels == obj) if obj in present else None
            track["segmentations"].append(rle)
            track["bboxes"].append(rle and coco.toBbox(rle).tolist())
            track["areas"].append(rle and int(coco.area(rle)))
        job.step(i + 1)
    annotations = [
        {
            "id": i,
            "video_id": 1,
            "category_id": categories[o["name"]],
            "object_id": o["id"],
            "iscrowd": 0,
            **size,
            **tracks[o["id"]],
        }
        for i, o in enumerate(job.objects, 1)
    ]
    content = {
        "videos": [video_entry(job)],
        "categories": [{"id": i, "name": name} for name, i in categories.items()],
        "annotations": annotations,
    }
    file.write_text(json.dumps(content), encoding="utf-8")


def video_entry(job: Job) -> dict[str, Any]:
    """What a file says about the video as a whole."""
    return {
        "id": 1,
        "name": job.video_name,
        "height": job.video.height,
        "width": job.video.width,
        "length": len(job.masks),
        "file_names": list(job.video.frame_files),
        "annotated_frames": list(job.annotated),
    }


def listed(
    content: dict[str, Any], video_name: str
) -> tuple[dict[str, Any], list[str], Iterable[tuple[str, int, Any]]]:
    """What is told of a video, its frames' file names; name, object and segment of all on them.

    Of several videos it is the one of the name, and objects without ``object_id`` are
    numbered from 1.
    """
    videos = content["videos"]
    if len(videos) > 1:
        videos = [v for v in videos if video_name in (v.get("name"), _folder(v))]
    if len(videos) != 1:
        raise UnfitError(f"{len(videos)} of its videos are called so; leave the others out")
    (video,) = videos
    tracks = [a for a in content["annotations"] if a["video_id"] == video["id"]]
    names = [str(name) for name in video["file_names"]]
    return (
        video,
        names,
        (
            (name, int(track.get("object_id", number)), segment)
            for number, track in enumerate(tracks, 1)
            for name, segment in zip(names, track["segmentations"], strict=True)
            if segment
        ),
    )


def _folder(video: dict[str, Any]) -> str:
    return PurePosixPath(str((video.get("file_names") or [""])[0])).parent.name


FORMAT = Format(".json", "one JSON with a track of COCO RLE per object, as in YouTube-VIS", write)
"""Tracks, in one file."""

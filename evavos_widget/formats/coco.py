"""One JSON with the RLE of every object on every frame, as in COCO: an image per frame."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from evavos_widget.formats import youtube_vis
from evavos_widget.formats.base import Format, Job, MaskSource, UnfitError
from evavos_widget.formats.davis import frames_of
from evavos_widget.masks import from_coco, to_coco
from evavos_widget.video import Video

__all__ = ["FORMAT", "read", "write"]

_MOST_BYTES = 2**28
"""A JSON file larger than this, 256 MiB, is not read: it would take many times the memory."""


def write(job: Job, file: Path) -> None:
    """Make the file, for ``pycocotools.coco.COCO``.

    Beside what COCO asks for, an annotation says which object it is in ``object_id`` and
    ``track_id``, an image whether its masks are the annotator's own in ``annotated``, and
    ``videos`` which images make up the video, as in TAO and its like.
    """
    from pycocotools import mask as coco

    video, categories = job.video, job.categories()
    size = {"height": video.height, "width": video.width}
    annotated = set(job.annotated)
    images, annotations = [], []
    for i, labels in enumerate(job.masks):
        images.append(
            {
                "id": i + 1,
                "file_name": video.frame_files[i],
                **size,
                "video_id": 1,
                "frame_index": i,
                "annotated": i in annotated,
            }
        )
        present = job.masks.ids(i)
        for o in job.objects:
            if o["id"] not in present:
                continue
            rle: Any = to_coco(labels == o["id"])
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": i + 1,
                    "category_id": categories[o["name"]],
                    "object_id": o["id"],
                    "track_id": o["id"],
                    "iscrowd": 0,
                    "segmentation": rle,
                    "bbox": coco.toBbox(rle).tolist(),
                    "area": int(coco.area(rle)),
                }
            )
        job.step(i + 1)
    content = {
        "info": {"description": job.video_name},
        "videos": [youtube_vis.video_entry(job)],
        "images": images,
        "categories": [{"id": i, "name": name} for name, i in categories.items()],
        "annotations": annotations,
    }
    file.write_text(json.dumps(content), encoding="utf-8")


def read(file: Path, wanted: MaskSource) -> Mapping[int, np.ndarray]:
    """Masks by frame from a file of COCO or of YouTube-VIS, read when they are asked for.

    Images are matched to frames by their file names; those of other videos are passed over.
    Objects are told apart by ``object_id``, ``track_id`` or ``instance_id``; without these,
    an image may hold one object of each category. Where objects overlap, the later one is
    seen. An image of which nothing is said, as tools list them that were not annotated yet, says
    nothing; in a file of `write` it says that nothing is there.

    Raises
    ------
    ValueError
        It is no such file, or not one of this video.
    """
    video = wanted.video
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise UnfitError(
                f"it has {file.stat().st_size} bytes, more than {_MOST_BYTES}; leave other videos "
                "out"
            )
        content = json.loads(file.read_bytes())
        if not isinstance(content, dict):
            raise TypeError("it is a list")
        if "images" in content:
            images = {image["id"]: str(image["file_name"]) for image in content["images"]}
            frames = _frames([*images.values()], video)
            for image in content["images"]:
                if str(image["file_name"]) in frames:
                    _check_size(image, video)
            spoken_of = {annotation["image_id"] for annotation in content["annotations"]}
            spoken_of |= {image["id"] for image in content["images"] if "annotated" in image}
            told = {name for i, name in images.items() if i in spoken_of}
            frames = {name: frame for name, frame in frames.items() if name in told}
            segments = _segments(content["annotations"], images, frames)
        else:
            told, names, segments = youtube_vis.listed(content, video.name)
            frames = _frames(names, video)
            _check_size(told, video)
        by_frame: dict[int, list[tuple[int, Any]]] = {frame: [] for frame in frames.values()}
        for name, obj, segment in segments:
            if name not in frames:
                continue
            if not 1 <= obj <= 255:
                raise UnfitError(f"it has an object {obj}; number objects from 1 to 255")
            by_frame[frames[name]].append((obj, _checked(segment, video)))
    except UnfitError as error:
        raise ValueError(f"{file} holds no masks of {video.name!r}: {error}.") from error
    except (KeyError, TypeError, AttributeError, ValueError, IndexError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"[:300].replace("\n", " ")
        raise ValueError(
            f"{file} holds no masks of {video.name!r}: it is neither COCO nor YouTube-VIS "
            f"({reason}); give one of these whose file names are those of the frames."
        ) from error
    return _SegmentMaps(by_frame, video.height, video.width)


def _segments(
    annotations: list[dict[str, Any]], names: Mapping[Any, str], wanted: Container[str]
) -> Iterator[tuple[str, int, Any]]:
    """File name, object and segment of every annotation of the images that are wanted."""
    seen: set[tuple[str, int]] = set()
    tracked: set[bool] = set()
    if annotations and not any(a.get("segmentation") for a in annotations):
        raise UnfitError("its annotations are boxes without masks; give one with segmentations")
    for annotation in annotations:
        if annotation["image_id"] not in names:
            raise UnfitError(
                f"it has an annotation of image {annotation['image_id']!r} and no such image; "
                "leave that annotation out"
            )
        name = names[annotation["image_id"]]
        if name not in wanted:
            continue
        key, obj = _whose(annotation, name)
        tracked.add(key != "category_id")
        if len(tracked) > 1:
            raise UnfitError(
                "some of its annotations have a track_id and some have none; give each annotation "
                "the track_id of its object"
            )
        if tracked == {False} and (name, obj) in seen:
            raise UnfitError(
                f"{name} has several objects of category {obj} and nothing that tells them apart; "
                "give each annotation the track_id of its object"
            )
        seen.add((name, obj))
        if annotation.get("segmentation"):
            yield name, obj, annotation["segmentation"]


def _whose(annotation: Mapping[str, Any], name: str) -> tuple[str, int]:
    """The key that says whose annotation it is, and the object's number."""
    names = ("object_id", "track_id", "instance_id")
    told: list[tuple[str, Any, int]] = [(key, annotation.get(key), 0) for key in names]
    attributes = annotation.get("attributes")
    if isinstance(attributes, Mapping):  # CVAT has tracks among them, and counts from 0.
        told.append(("track_id", attributes.get("track_id"), 1))
    own = next((one for one in told if one[1] is not None), None)
    key, number, first = own or ("category_id", annotation["category_id"], 0)
    try:
        return key, int(number) + first
    except (TypeError, ValueError, OverflowError):
        raise UnfitError(
            f"an annotation of {name} has the {key} {str(number)[:40]!r}; give whole numbers from "
            "1 to 255"
        ) from None


def _frames(names: Sequence[str], video: Video) -> dict[str, int]:
    """Frames by file name: with the folder where that fits, or else all of them without."""
    files = {file: i for i, file in enumerate(video.frame_files)}
    found = {}
    for name in names:
        spellings = (name, name.replace("\\", "/"), _tail(name))
        frame = next((files[spelling] for spelling in spellings if spelling in files), None)
        if frame is not None:
            found[name] = frame
    if not found:
        stems = [PurePosixPath(_tail(name)).stem for name in names]
        frames = frames_of(stems, video.frame_names)
        if not stems or frames is None:
            raise UnfitError(
                f"its file names, such as {next(iter(names), '')!r}, are no frames; call them as "
                f"{video.frame_files[0]!r}"
            )
        found = dict(zip(names, frames, strict=True))
    images = Counter(found[name] for name in names if name in found)
    if twice := [frame for frame, n in images.items() if n > 1]:
        raise UnfitError(
            f"two of its images are called {video.frame_files[twice[0]]!r}, as of two videos; put "
            "the folder of its video before each name, or leave the other videos out"
        )
    return found


def _tail(name: str) -> str:
    """Folder and file, with slashes."""
    return "/".join(name.replace("\\", "/").split("/")[-2:])


def _check_size(told: Mapping[str, Any], video: Video) -> None:
    """Refuse masks of pictures of another size: polygons would end up somewhere else."""
    sides = {"width": video.width, "height": video.height}
    given = {side: told[side] for side in sides if told.get(side)}
    if any(int(n) != sides[side] for side, n in given.items()):
        of = " x ".join(str(given.get(side, "?")) for side in sides)
        raise UnfitError(
            f"its pictures are {of} and the video {video.width} x {video.height}; make it of "
            "pictures of the video's size"
        )


def _checked(segment: Any, video: Video) -> Any:
    """A segment that may be decoded: one that claims another size could be of any size."""
    if isinstance(segment, Mapping):
        if list(segment["size"]) != [video.height, video.width]:
            raise UnfitError(
                f"a mask is {segment['size']} and the video {[video.height, video.width]}; give "
                "masks of the video's size"
            )
    elif not isinstance(segment, list):
        raise TypeError(f"a segmentation is {type(segment).__name__}")
    return segment


class _SegmentMaps(Mapping[int, np.ndarray]):
    """Label maps of segments, decoded when they are asked for."""

    def __init__(
        self, segments: Mapping[int, list[tuple[int, Any]]], height: int, width: int
    ) -> None:
        self._segments = dict(sorted(segments.items()))
        self._size = height, width

    def __getitem__(self, frame: int) -> np.ndarray:
        labels = np.zeros(self._size, dtype=np.uint8)
        for obj, segment in self._segments[frame]:
            mask = (
                from_coco(segment)
                if isinstance(segment, Mapping)
                else _filled(segment, *self._size)
            )
            labels[mask] = obj
        labels.flags.writeable = False
        return labels

    def __iter__(self) -> Iterator[int]:
        return iter(self._segments)

    def __len__(self) -> int:
        return len(self._segments)


def _filled(polygons: list[Any], height: int, width: int) -> np.ndarray:
    """COCO's polygons, filled as pycocotools fills them."""
    from pycocotools import mask as coco

    try:
        points: Any = [np.asarray(p, dtype=np.float64).ravel().tolist() for p in polygons]
        if not all(len(p) >= 6 and np.isfinite(p).all() for p in points):
            raise ValueError("a polygon needs three finite points")
        rles: Any = coco.frPyObjects(points, height, width)
        return coco.decode(coco.merge(rles)).astype(bool)
    except (TypeError, ValueError) as error:
        raise ValueError(f"not a COCO polygon ({error}); give [[x0, y0, x1, ...]].") from error


FORMAT = Format(".json", "one JSON with COCO RLE, an image per frame", write)
"""Images, in one file."""

"""Masks out, in the formats people train with, and masks in.

Every export is written beside its target and moved there at the end, so that one that
fails or is killed leaves nothing half-written.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from evavos_widget.files import replacing
from evavos_widget.masks import LabelMaps, as_label_map, read_label_png, to_coco, write_label_png
from evavos_widget.overlay import overlay
from evavos_widget.video import Video, list_pictures

__all__ = ["FORMATS", "Format", "export", "import_masks"]


@dataclass(frozen=True, eq=False)
class _Job:
    """What there is to export."""

    video: Video
    masks: LabelMaps
    objects: Sequence[Mapping[str, Any]]
    annotated: Sequence[int]
    step: Callable[[int], None]

    @property
    def names(self) -> list[str]:
        return _frame_names(self.video)

    @property
    def video_name(self) -> str:
        return Path(self.video.name).name or "video"


def export(
    video: Video,
    masks: LabelMaps,
    objects: Sequence[Mapping[str, Any]],
    annotated: Collection[int],
    format: str,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write masks in one of `FORMATS`.

    Parameters
    ----------
    video : Video
    masks : LabelMaps
        One map per frame of `video`.
    objects : sequence of mappings with 'id', 'name' and 'color' ('#rrggbb')
    annotated : collection of int
        Frames that the annotator stands behind.
    format : {'davis', 'youtube-vos', 'coco', 'overlay', 'numpy'}
    path : path-like
        The folder or file to make; a file gets the suffix of its format if it lacks it.
        The folder it lies in is made if needed.
    overwrite : bool
        Replace an earlier export. A folder that holds anything but masks is never replaced.
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
    path = Path(path).expanduser()
    if suffix and path.suffix.lower() != suffix:
        path = path.with_name(path.name + suffix)
    _check_target(path, is_folder=not suffix, overwrite=overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)

    def step(done: int) -> None:
        if progress is not None:
            progress(done, video.n_frames)

    with replacing(path) as temporary:
        FORMATS[format].write(_Job(video, masks, objects, sorted(annotated), step), temporary)
    return path


def _check_target(path: Path, *, is_folder: bool, overwrite: bool) -> None:
    if not path.exists():
        return
    if not overwrite:
        raise FileExistsError(f"{path} exists; pass overwrite=True or choose another path.")
    if path.is_dir() != is_folder:
        kinds = "a folder" if path.is_dir() else "a file", "a folder" if is_folder else "a file"
        raise FileExistsError(
            f"{path} is {kinds[0]} and the export would be {kinds[1]}; choose another path."
        )
    if is_folder:
        for found in path.rglob("*"):
            if not found.is_dir() and found.suffix != ".png" and found.name != "meta.json":
                raise FileExistsError(
                    f"the folder {path} holds more than masks ({found.name}), so it is not "
                    "replaced; choose another path."
                )


def _frame_names(video: Video) -> list[str]:
    """Names of the frames' files without suffix, or their numbers as in ``00042``."""
    source = video.source
    paths: Sequence[str | Path] = []
    if isinstance(source, list):
        paths = source
    elif source is not None and os.path.isdir(source):
        paths = list_pictures(source)
    names = [Path(p).stem for p in paths]
    if len(set(names)) == video.n_frames == len(names):
        return names
    return [f"{i:05d}" for i in range(video.n_frames)]


# Formats --------------------------------------------------------------------------------


def _write_folder(job: _Job, folder: Path) -> None:
    folder.mkdir(parents=True)
    for i, name in enumerate(job.names):
        write_label_png(folder / f"{name}.png", job.masks[i])
        job.step(i + 1)


def _write_youtube_vos(job: _Job, folder: Path) -> None:
    _write_folder(job, folder / "Annotations" / job.video_name)
    present = [job.masks.ids(i) for i in range(len(job.masks))]
    objects = {
        str(o["id"]): {
            "category": o["name"],
            "frames": [n for n, ids in zip(job.names, present, strict=True) if o["id"] in ids],
        }
        for o in job.objects
    }
    meta = {"videos": {job.video_name: {"objects": objects}}}
    (folder / "meta.json").write_text(json.dumps(meta, indent=1), encoding="utf-8")


def _write_coco(job: _Job, file: Path) -> None:
    from pycocotools import mask as coco

    size = {"height": job.video.height, "width": job.video.width}
    categories = {
        name: i for i, name in enumerate(dict.fromkeys(o["name"] for o in job.objects), 1)
    }
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
    video = {
        "id": 1,
        "name": job.video_name,
        **size,
        "length": len(job.masks),
        "file_names": [f"{job.video_name}/{name}.jpg" for name in job.names],
        "annotated_frames": [int(i) for i in job.annotated],
    }
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
        "videos": [video],
        "categories": [{"id": i, "name": name} for name, i in categories.items()],
        "annotations": annotations,
    }
    file.write_text(json.dumps(content), encoding="utf-8")


def _write_overlay(job: _Job, file: Path) -> None:
    import av

    colors = {o["id"]: o["color"] for o in job.objects}
    with av.open(str(file), "w", format="mp4") as container:
        rate = Fraction(job.video.fps).limit_denominator(1001)
        stream = container.add_stream(
            "libx264", rate=rate, options={"crf": "18", "preset": "veryfast"}
        )
        # Colour is stored for blocks of 2 x 2 pixels, so odd sizes repeat their last line.
        padding = (job.video.height % 2, job.video.width % 2)
        stream.height, stream.width = job.video.height + padding[0], job.video.width + padding[1]
        stream.pix_fmt = "yuv420p"
        for i, frame in enumerate(job.video):
            picture = overlay(frame, job.masks[i], colors)
            picture = np.pad(picture, ((0, padding[0]), (0, padding[1]), (0, 0)), mode="edge")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            job.step(i + 1)
        container.mux(stream.encode(None))


def _write_numpy(job: _Job, file: Path) -> None:
    arrays = {
        "object_ids": np.array([o["id"] for o in job.objects], dtype=np.int64),
        "object_names": np.array([o["name"] for o in job.objects], dtype=str),
        "object_colors": np.array([o["color"] for o in job.objects], dtype=str),
        "annotated_frames": np.array(job.annotated, dtype=np.int64),
        "frame_names": np.array(job.names, dtype=str),
    }
    header = {"descr": "|u1", "fortran_order": False, "shape": job.masks.shape}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        # Frame by frame, because a long video does not fit into memory as one array.
        with archive.open("masks.npy", "w", force_zip64=True) as entry:
            np.lib.format.write_array_header_1_0(entry, header)
            for i, labels in enumerate(job.masks):
                entry.write(labels.tobytes())
                job.step(i + 1)
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)


@dataclass(frozen=True)
class Format:
    """A way to write masks.

    Parameters
    ----------
    suffix : str
        Of the file it makes; empty when it makes a folder.
    description : str
        What it makes, for menus and help texts.
    """

    suffix: str
    description: str
    write: Callable[[_Job, Path], None]


FORMATS: dict[str, Format] = {
    "davis": Format("", "a folder of palette PNG, one per frame, as in DAVIS", _write_folder),
    "youtube-vos": Format(
        "", "Annotations/<video>/*.png and meta.json, as in YouTube-VOS", _write_youtube_vos
    ),
    "coco": Format(".json", "one JSON with COCO RLE, as in YouTube-VIS", _write_coco),
    "overlay": Format(".mp4", "an H.264 video with the masks painted over it", _write_overlay),
    "numpy": Format(
        ".npz",
        "masks (N, H, W) uint8, object_ids, object_names, object_colors, annotated_frames, "
        "frame_names",
        _write_numpy,
    ),
}
"""Formats by the name that `export` takes."""


# Masks in -------------------------------------------------------------------------------


def import_masks(source: Any, video: Video) -> dict[int, np.ndarray]:
    """Read existing masks of a video.

    Parameters
    ----------
    source : path, array, LabelMaps or mapping
        - a folder of PNG files named as the frames of `video`, or numbered from 0 where
          its frames have no names; frames may be missing; a YouTube-VOS folder too
        - an ``.npz`` file with ``masks``, or an ``.npy`` file: as an array
        - an ``(N, H, W)`` array or `LabelMaps` with all N frames
        - a mapping of frame -> label map
    video : Video

    Returns
    -------
    dict of int -> (H, W) uint8 array
        Read-only label maps by frame, ascending.
    """
    if isinstance(source, str | os.PathLike):
        path = Path(source).expanduser()
        if path.is_dir():
            return _import_folder(path, video)
        return import_masks(_load_array(path), video)
    if not isinstance(source, Mapping):
        if len(source) != video.n_frames:
            raise ValueError(
                f"there are masks for {len(source)} frames and the video has {video.n_frames}; "
                "give a mapping of frame to mask to leave some out."
            )
        source = dict(enumerate(source))
    found = {}
    for frame in sorted(source):
        if not 0 <= frame < video.n_frames:
            raise ValueError(
                f"there is a mask for frame {frame}, outside the video; frames go from 0 to "
                f"{video.n_frames - 1}."
            )
        what = f"the mask for frame {frame}"
        found[int(frame)] = as_label_map(source[frame], video.height, video.width, what)
    return found


def _import_folder(folder: Path, video: Video) -> dict[int, np.ndarray]:
    inside = folder / "Annotations" / video.name
    if inside.is_dir():
        folder = inside
    files = [p for p in list_pictures(folder) if p.suffix.lower() == ".png"]
    if not files:
        raise ValueError(f"the folder {folder} holds no PNG file; give one with masks.")
    names = _frame_names(video)
    frames = {name: i for i, name in enumerate(names)}
    found = {}
    for file in files:
        # Where frames are only numbered, the number counts and not how it is written.
        name = f"{int(file.stem):05d}" if file.stem.isdecimal() else file.stem
        frame = frames.get(file.stem, frames.get(name))
        if frame is None:
            raise ValueError(
                f"the mask {file} belongs to no frame; name it as one of "
                f"{names[0]} ... {names[-1]}."
            )
        found[frame] = as_label_map(read_label_png(file), video.height, video.width, str(file))
    return dict(sorted(found.items()))


def _load_array(path: Path) -> np.ndarray:
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            return loaded["masks"]
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} holds no masks ({error}); give an .npz file with an array named masks, "
            "an .npy file, or a folder of PNG files."
        ) from error

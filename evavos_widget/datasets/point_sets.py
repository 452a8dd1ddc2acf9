"""Point data sets for training, from masks, and pseudo-masks made of them (Point-VOS Sec. 4)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from evavos_widget import engines
from evavos_widget.corrections import as_told
from evavos_widget.datasets.davis import open_sequence, sequence_folder
from evavos_widget.files import check_empty, is_plain_name
from evavos_widget.formats.pointvos import NAMESPACE, STATUSES, PointObject, PointRecord
from evavos_widget.loop import MaskPredictor
from evavos_widget.masks import ids_of_maps, write_label_png
from evavos_widget.metrics import VOID
from evavos_widget.point_selection.sampling import FRAMES
from evavos_widget.point_selection.simulated import POINTS, simulated_points
from evavos_widget.prompts import Click, Prompts
from evavos_widget.video import Video, list_pictures
from evavos_widget.video_pictures import upright_size

__all__ = ["frame_files", "object_key", "points_told", "simulated_set", "write_pseudo_masks"]


def object_key(video: str, obj: int | str) -> str:
    """The key of an object that no question decided."""
    named = f"{video}\n{obj}".encode(errors="replace")
    return hashlib.blake2b(named, digest_size=16).hexdigest()


def simulated_set(
    root: Path,
    names: Sequence[str],
    *,
    n: int = POINTS,
    background: int = POINTS,
    frames: int | None = FRAMES,
    seed: int = 0,
) -> Iterator[PointObject]:
    """Points on and beside every object of sequences with masks, as PV-DAVIS has them (Sec. 3.1).

    Parameters
    ----------
    root : Path
        Holds ``JPEGImages`` and ``Annotations``.
    names : sequence of str
    n, background : int
        Points on and beside an object per frame; that there are as many beside it is our choice.
    frames : int or None
        So many evenly spaced frames; None takes all.
    seed : int
        See `simulated_points`.
    """
    for name in names:
        sequence = open_sequence(root, name)
        truth = sequence.ground_truth
        objects = sorted(ids_of_maps(truth) - {VOID})
        found = simulated_points(
            truth, objects, n=n, background=background, frames=frames, seed=seed, video=name
        )
        for obj in objects:
            records = tuple(
                PointRecord(
                    p.x,
                    p.y,
                    sequence.video.frame_names[frame],
                    STATUSES[p.label],
                    p.label == "positive",
                )
                for (frame, whose), points in sorted(found.items())
                for p in (points if whose == obj else ())
            )
            extra = {NAMESPACE: {"object": obj, "seed": seed}}
            yield PointObject(object_key(name, obj), "", f"object {obj}", name, records, extra)
        sequence.video.close()


def frame_files(root: Path, video: str | None) -> dict[str, Path]:
    """The files of a video's frames by their stems, as points name them; none of no video."""
    if video is None:
        return {}
    return {path.stem: path for path in list_pictures(_frames_folder(root, video))}


def points_told(root: Path, of: PointObject) -> dict[Path, list[PointRecord]]:
    """The points of an object that say something, by the file of their frame, in their order.

    Points that nobody could tell are left out, and those on frames that are not there; of an
    object without a video all are, as by the released loaders.

    Raises
    ------
    ValueError
        A point is outside its picture.
    """
    files = frame_files(root, of.video_name)
    told: dict[Path, list[PointRecord]] = {}
    for p in of.points:
        if p.frame_id in files and p.status != STATUSES["unknown"]:
            told.setdefault(files[p.frame_id], []).append(p)
    for path, points in told.items():
        height, width = upright_size(path)
        for p in points:
            if p.x >= width or p.y >= height:
                raise ValueError(
                    f"the point ({p.x}, {p.y}) of {of.question_hash!r} is outside the {width} x "
                    f"{height} picture {path}; give the frames at their original resolution."
                )
    return {path: told[path] for path in files.values() if path in told}


def _frames_folder(root: Path, video: str) -> Path:
    """Of a video whose name may have its split before it, as in ``train/NAME``."""
    return sequence_folder(root, "JPEGImages", video.rpartition("/")[2])


def write_pseudo_masks(
    root: Path,
    points: Iterable[PointObject],
    predictor: str | MaskPredictor,
    folder: Path,
    report: Callable[[str], None] = print,
) -> int:
    """What a predictor makes of the points of every frame, taken as clicks.

    Parameters
    ----------
    root : Path
        Holds ``JPEGImages``.
    points : iterable of PointObject
        Their ``video_name`` is the name of a sequence, with or without its split; those without
        one are passed over.
    predictor : str or MaskPredictor
        The paper takes DynaMITe.
    folder : Path
        A new one; gets ``<question hash>/<frame>.png``, 1 being the object.
    report : callable
        Told one line per object.

    Returns
    -------
    int
        How many masks were written.

    Raises
    ------
    FileExistsError
        The folder holds something already.
    ValueError
        A question hash would lead out of the folder, a point is outside its picture, or none is
        on an object on a frame that is there.
    """
    check_empty(folder)
    engine: MaskPredictor = engines.create("predictor", predictor)
    written = 0
    for of in points:
        if not is_plain_name(of.question_hash):
            raise ValueError(
                f"{of.question_hash!r} cannot be the name of a folder; mend the record."
            )
        told = points_told(root, of)
        if not told:
            report(f"{of.question_hash} of {of.video_name}: no point on a frame that is there")
            continue
        video = Video.open(_frames_folder(root, str(of.video_name)))
        frames = {name: i for i, name in enumerate(video.frame_names)}
        (folder / of.question_hash).mkdir(parents=True, exist_ok=True)
        for path, said in told.items():
            given = tuple(Click(p.x, p.y, p.status == STATUSES["positive"]) for p in said)
            if any(c.positive for c in given):
                prompts = Prompts(clicks=given)
                frame = frames[path.stem]
                key = (video.name, frame)
                predicted = engine.predict(video.frame(frame), prompts, key=key)
                write_label_png(
                    folder / of.question_hash / f"{path.stem}.png",
                    as_told(predicted, prompts).mask.astype(np.uint8),
                )
                written += 1
        report(f"{of.video_name}: {len(told)} frames")
        video.close()
    if not written:
        raise ValueError(
            f"none of the points is on an object on a frame of {root}; check their video_name and "
            "frame_id."
        )
    return written

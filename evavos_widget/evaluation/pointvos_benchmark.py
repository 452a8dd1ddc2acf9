"""The Point-VOS benchmark: masks of a video from a few points on one frame (Sec. 4.1).

Of every object 1, 2, 5 and 10 points are given on its reference frame, and the masks are scored
against dense ground truth. The paper's own point sets were not released, so figures are near its
own and not the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evavos_widget import engines
from evavos_widget.corrections import as_told
from evavos_widget.datasets.davis import open_sequence
from evavos_widget.evaluation.sequences import (
    Report,
    all_masks,
    ids_of,
    propagated_masks,
    standard_error,
)
from evavos_widget.formats.pointvos import NAMESPACE, PointObject, PointRecord, read, write
from evavos_widget.loop import Annotation, MaskPredictor
from evavos_widget.metrics import score_sequence
from evavos_widget.point_selection.simulated import simulated_points
from evavos_widget.prompts import Click, Prompts
from evavos_widget.video import Video

__all__ = ["POINTS", "draw_points", "evaluate_benchmark", "pseudo_masks"]

POINTS = (1, 2, 5, 10)
"""Points on the reference frame of an object (Point-VOS Sec. 4.1)."""


def draw_points(
    name: str, video: Video, truth: Mapping[int, np.ndarray], objects: Sequence[int], seed: int
) -> list[PointObject]:
    """The points of a sequence: 10 on every object, on the first frame that shows it.

    The set of n points is the first n, so that more points only add to fewer.

    Parameters
    ----------
    name : str
    video : Video
    truth : mapping of frame -> (H, W) uint8 label map
    objects : sequence of int
        Each is on some frame.
    seed : int

    Returns
    -------
    list of PointObject
        The object's id is under `NAMESPACE`. As many points as fit where it is small.
    """
    drawn = []
    for obj in objects:
        frame = next(f for f in sorted(truth) if (truth[f] == obj).any())
        found = simulated_points(
            {frame: truth[frame]}, [obj], n=max(POINTS), frames=None, seed=seed
        )
        records = tuple(
            PointRecord(p.x, p.y, video.frame_names[frame], "ACCEPTED", True)
            for p in found[frame, obj]
        )
        key = hashlib.blake2b(f"{name}\n{obj}".encode(), digest_size=16).hexdigest()
        extra = {NAMESPACE: {"object": obj, "seed": seed}}
        drawn.append(PointObject(key, "", f"object {obj}", name, records, extra))
    return drawn


def pseudo_masks(
    video: Video, points: Sequence[PointObject], n: int, predictor: MaskPredictor
) -> dict[int, Annotation]:
    """K from the first n points of every object, taken as clicks on it.

    Where two masks overlap, the one with the higher probability holds.

    Parameters
    ----------
    video : Video
    points : sequence of PointObject
        As `draw_points` makes them.
    n : int
    predictor : MaskPredictor

    Returns
    -------
    dict of frame -> Annotation
    """
    frames = {name: i for i, name in enumerate(video.frame_names)}
    by_frame: dict[int, list[tuple[int, np.ndarray]]] = {}
    for of in points:
        frame = frames[str(of.points[0].frame_id)]
        prompts = Prompts(clicks=tuple(Click(p.x, p.y) for p in of.points[:n]))
        predicted = predictor.predict(video.frame(frame), prompts, key=(video.name, frame))
        told = as_told(predicted, prompts)
        probable = np.where(told.mask, told.probabilities, 0)
        by_frame.setdefault(frame, []).append((int(of.extra[NAMESPACE]["object"]), probable))
    given: dict[int, Annotation] = {}
    for frame, found in by_frame.items():
        ids = np.array([0, *(obj for obj, _ in found)], np.uint8)
        planes = np.stack([np.zeros_like(found[0][1]), *(p for _, p in found)])
        given[frame] = Annotation(ids[planes.argmax(axis=0)], frozenset(ids[1:].tolist()))
    return given


def evaluate_benchmark(
    root: Path,
    names: Sequence[str],
    *,
    propagator: str = "compact",
    predictor: str = "compact",
    frames: str = "davis",
    seed: int = 0,
    points: Path | None = None,
    report: Report = print,
) -> dict[str, Any]:
    """The pseudo-mask method: points -> the predictor's mask -> the propagator.

    Parameters
    ----------
    root : Path
        Holds ``JPEGImages`` and ``Annotations``.
    names : sequence of str
    propagator, predictor : str
        The engines.
    frames : str
        Which frames count, see `evavos_widget.metrics.CONVENTIONS`.
    seed : int
        Of the point sets.
    points : Path, optional
        A ``.jsonl`` file of point sets: taken from there if it exists, else written there.
    report : callable
        Told one line per sequence.

    Returns
    -------
    dict
        ``jf``: mean J&F over objects, fractions of 1, for ``"1"``, ``"2"``, ``"5"``, ``"10"``
        points and their ``"mean"``; ``standard_error`` of each over sequences; ``sequences``:
        ``jf`` by name; ``points``: the mean number of points there were; and the options.

    Raises
    ------
    ValueError
        The point sets are not those of these sequences.
    """
    kept = _read_sets(points)
    used: list[PointObject] = []
    scores: dict[str, dict[str, list[float]]] = {}
    for name in names:
        sequence = open_sequence(root, name)
        truth = all_masks(sequence.ground_truth, name)
        ids, video = ids_of(truth), sequence.video
        drawn = kept.get(name, []) if kept else draw_points(name, video, truth, ids, seed)
        _check_set(name, drawn, ids, video, points)
        used += drawn
        scores[name] = {}
        for n in POINTS:
            engine = engines.create("propagator", propagator)
            given = pseudo_masks(video, drawn, n, engines.create("predictor", predictor))
            masks, _ = propagated_masks(engine, video, given, ids)
            score = score_sequence(masks, truth, frames=frames, objects=ids)
            scores[name][str(n)] = ((score.j_per_object + score.f_per_object) / 2).tolist()
        told = "  ".join(f"{n}: {np.mean(jf):.3f}" for n, jf in scores[name].items())
        report(f"{name:24s} J&F at points  {told}")
        video.close()
    if points is not None and not kept:
        points.parent.mkdir(parents=True, exist_ok=True)
        write(used, points)
    every = [str(n) for n in POINTS]
    jf = {n: float(np.mean([v for s in scores.values() for v in s[n]])) for n in every}
    per_sequence = {name: {n: float(np.mean(of[n])) for n in every} for name, of in scores.items()}
    for of in (jf, *per_sequence.values()):
        of["mean"] = float(np.mean([of[n] for n in every]))
    return {
        "method": "pseudo-mask",
        "propagator": propagator,
        "predictor": predictor,
        "frames": frames,
        "seed": seed,
        "jf": jf,
        "standard_error": {
            n: standard_error([of[n] for of in per_sequence.values()]) for n in (*every, "mean")
        },
        "sequences": per_sequence,
        "points": {str(n): float(np.mean([min(n, len(of.points)) for of in used])) for n in POINTS},
    }


def _read_sets(path: Path | None) -> dict[str, list[PointObject]]:
    """Point sets of an earlier run, by sequence."""
    kept: dict[str, list[PointObject]] = {}
    if path is not None and path.exists():
        for of in read(path, _refuse):
            kept.setdefault(str(of.video_name), []).append(of)
    return kept


def _refuse(sentence: str) -> None:
    """A set that lacks a point is another set."""
    raise ValueError(f"{sentence} Mend the file, or let the points be drawn anew.")


def _check_set(
    name: str,
    drawn: list[PointObject],
    ids: Sequence[int],
    video: Video,
    path: Path | None,
) -> None:
    listed = sorted(of.extra.get(NAMESPACE, {}).get("object", 0) for of in drawn)
    frames = {p.frame_id for of in drawn for p in of.points}
    if listed != list(ids) or not all(of.points for of in drawn):
        raise ValueError(
            f"{path} has points of the objects {listed} of {name!r}, and its masks have {ids}; "
            "give another file, or none."
        )
    if not frames <= set(video.frame_names):
        raise ValueError(f"{path} has points on no frame of {name!r}; give another file, or none.")

"""The Point-VOS benchmark: masks of a video from a few points on one frame (Sec. 4.1).

Of every object 1, 2, 5 and 10 points are given on its reference frame, and the masks are scored
against dense ground truth. The paper's own point sets were not released, so figures are near its
own and not the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from evavos_widget import engines
from evavos_widget.corrections import as_told
from evavos_widget.datasets.davis import open_sequence
from evavos_widget.datasets.point_sets import object_key
from evavos_widget.evaluation.rows import EngineOption, Rows
from evavos_widget.evaluation.sequences import (
    Report,
    all_masks,
    first_shown,
    ids_of,
    propagated_masks,
    scored,
    standard_error,
)
from evavos_widget.evaluation.youtube_vos import (
    categories_of,
    check_categories,
    object_score,
    youtube_scores,
)
from evavos_widget.formats.pointvos import (
    NAMESPACE,
    STATUSES,
    PointObject,
    PointRecord,
    read,
    write,
)
from evavos_widget.loop import Annotation, MaskPredictor
from evavos_widget.point_selection.simulated import simulated_points
from evavos_widget.points import Point
from evavos_widget.prompts import Click, Prompts
from evavos_widget.video import Video

__all__ = [
    "METHODS",
    "POINTS",
    "draw_points",
    "evaluate_benchmark",
    "point_annotations",
    "pseudo_masks",
]

POINTS = (1, 2, 5, 10)
"""Points on the reference frame of an object (Point-VOS Sec. 4.1)."""

METHODS = ("pseudo-mask", "points", "mask")
"""What the propagator is given."""


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
        frame = first_shown(truth, obj)
        found = simulated_points(
            {frame: truth[frame]}, [obj], n=max(POINTS), frames=None, seed=seed, video=name
        )
        records = tuple(
            PointRecord(p.x, p.y, video.frame_names[frame], "ACCEPTED", True)
            for p in found[frame, obj]
        )
        extra = {NAMESPACE: {"object": obj, "seed": seed}}
        drawn.append(PointObject(object_key(name, obj), "", f"object {obj}", name, records, extra))
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


def point_annotations(video: Video, points: Sequence[PointObject], n: int) -> dict[int, Annotation]:
    """K of the first n points of every object as they are; parameters as for `pseudo_masks`."""
    frames = {name: i for i, name in enumerate(video.frame_names)}
    by_frame: dict[int, dict[int, list[Point]]] = {}
    for of in points:
        told = by_frame.setdefault(frames[str(of.points[0].frame_id)], {})
        told[int(of.extra[NAMESPACE]["object"])] = [Point(p.x, p.y) for p in of.points[:n]]
    nothing = np.zeros((video.height, video.width), np.uint8)
    return {f: Annotation(nothing, told, points=told) for f, told in by_frame.items()}


def evaluate_benchmark(
    root: Path,
    names: Sequence[str],
    *,
    method: str = "pseudo-mask",
    propagator: str = "compact",
    predictor: str = "compact",
    frames: str = "davis",
    seed: int = 0,
    counts: Sequence[int] = POINTS,
    points: Path | None = None,
    drawn_to: Path | None = None,
    meta: Path | None = None,
    seen: Path | None = None,
    rows: Rows | None = None,
    report: Report = print,
) -> dict[str, Any]:
    """Masks from points on the reference frame, scored.

    Parameters
    ----------
    root : Path
        Holds ``JPEGImages`` and ``Annotations``.
    names : sequence of str
    method : {'pseudo-mask', 'points', 'mask'}
        Points -> the predictor's mask -> the propagator; points straight into the propagator, which
        has to accept them; or the true mask into the propagator, for comparison (Table 9).
    propagator, predictor : str
        The engines.
    frames : str
        Which frames count, see `evavos_widget.metrics.CONVENTIONS`.
    seed : int
        Of the point sets.
    counts : sequence of int
        Points on an object.
    points : Path, optional
        A ``.jsonl`` file of point sets: taken from there if it exists, else written there.
    drawn_to : Path, optional
        Where point sets are written that were drawn, if not to `points`; never read.
    meta, seen : Path, optional
        The ``meta.json`` of these sequences, and the one of the training set that names the
        categories that were seen: then the scores of YouTube-VOS are given too.
    rows : Rows, optional
        What was measured before, and where it is kept.
    report : callable
        Told one line per sequence.

    Returns
    -------
    dict
        ``jf``: mean J&F over objects, fractions of 1, for ``"1"``, ``"2"``, ``"5"``, ``"10"``
        points and their ``"mean"`` (with true masks for ``"mask"`` and their mean);
        ``youtube_vos``: by number of points ``js``, ``fs``, ``ju``, ``fu``, ``g``;
        ``standard_error`` of each over sequences; ``sequences``: ``jf`` by name; ``points``: the
        mean number of points there were; and the options.

    Raises
    ------
    ValueError
        The point sets are not those of these sequences or of this seed, or hold points that are
        not on an object or on several frames of it; there is no such method, or the propagator
        does not accept points; or there is `meta` and no `seen`, or the category of an object is
        not known.
    """
    if method not in METHODS:
        raise ValueError(f"there is no method {method!r}; choose from {list(METHODS)}.")
    accepts = getattr(engines.engine_class("propagator", propagator), "accepts", frozenset())
    if method == "points" and "points" not in accepts:
        raise ValueError(
            f"the propagator {propagator!r} does not accept points; choose compact or stcn, or the "
            "method 'pseudo-mask'."
        )
    categories = None if meta is None else _categories(root, names, meta, seen)
    kept = _read_sets(points)
    used: list[PointObject] = []
    every = ["mask"] if method == "mask" else [str(n) for n in counts]

    def measure(
        name: str, video: Video, truth: Mapping[int, np.ndarray], drawn: list[PointObject]
    ) -> dict[str, Any]:
        """J&F of every object of a sequence by number of points, and J and F of YouTube-VOS."""
        ids = ids_of(truth)
        jf: dict[str, list[float]] = {}
        on_youtube: dict[str, list[tuple[int, float, float]]] = {}
        engine = engines.create("propagator", propagator)
        for n in every:
            if not engine.repeatable:  # what it was asked before must not show
                engine = engines.create("propagator", propagator)
            if method == "points":
                given = point_annotations(video, drawn, int(n))
            elif method == "mask":
                given = _true_masks(video, drawn, truth)
            else:
                clicked = engines.create("predictor", predictor)
                given = pseudo_masks(video, drawn, int(n), clicked)
            masks, _ = propagated_masks(engine, video, given, ids)
            score = scored(masks, truth, ids, frames, name)
            jf[n] = ((score.j_per_object + score.f_per_object) / 2).tolist()
            each = [(obj, object_score(masks, truth, obj)) for obj in ids if meta is not None]
            on_youtube[n] = [(obj, *found) for obj, found in each if found is not None]
        return {"jf": jf, "youtube_vos": on_youtube}

    options = {
        "what": "points benchmark",
        "method": method,
        "propagator": EngineOption("propagator", propagator),
        "predictor": method == "pseudo-mask" and EngineOption("predictor", predictor),
        "frames": frames,
        "counts": every,
        "youtube_vos": meta is not None,
    }
    rows = Rows() if rows is None else rows
    scores: dict[str, dict[str, list[float]]] = {}
    on_youtube: dict[str, dict[tuple[str, int], tuple[float, float]]] = {}
    for name in names:
        sequence = open_sequence(root, name)
        truth, video = all_masks(sequence.ground_truth, name), sequence.video
        ids = ids_of(truth)
        drawn = kept.get(name, []) if kept else draw_points(name, video, truth, ids, seed)
        _check_set(name, drawn, ids, video, points, seed)
        used += drawn
        asked = [
            [of.extra[NAMESPACE]["object"], of.points[0].frame_id, [(p.x, p.y) for p in of.points]]
            for of in drawn
        ]
        row = rows.measured(
            {**options, "points": asked}, root, name, partial(measure, name, video, truth, drawn)
        )
        scores[name] = row["jf"]
        for n, found in row["youtube_vos"].items():
            for obj, j, f in found:
                on_youtube.setdefault(n, {})[name, obj] = j, f
        told = "  ".join(f"{n}: {np.mean(jf):.3f}" for n, jf in scores[name].items())
        report(f"{name:24s} J&F at points  {told}")
        video.close()
    if (file := points or drawn_to) is not None and not kept:
        file.parent.mkdir(parents=True, exist_ok=True)
        write(used, file)
    jf = {n: float(np.mean([v for s in scores.values() for v in s[n]])) for n in every}
    per_sequence = {name: {n: float(np.mean(of[n])) for n in every} for name, of in scores.items()}
    for of in (jf, *per_sequence.values()):
        of["mean"] = float(np.mean([of[n] for n in every]))
    return {
        "method": method,
        "propagator": propagator,
        "predictor": predictor if method == "pseudo-mask" else None,
        "frames": frames,
        "seed": seed,
        "jf": jf,
        "youtube_vos": None
        if categories is None
        else {n: youtube_scores(of, *categories) for n, of in on_youtube.items()},
        "standard_error": {
            n: standard_error([of[n] for of in per_sequence.values()]) for n in (*every, "mean")
        },
        "sequences": per_sequence,
        "points": {str(n): float(np.mean([min(n, len(of.points)) for of in used])) for n in counts},
    }


def _categories(
    root: Path, names: Sequence[str], meta: Path, seen: Path | None
) -> tuple[dict[tuple[str, int], str], set[str]]:
    """Those of all objects, and the ones that were seen; what lacks is told before the work."""
    if seen is None:
        raise ValueError("which categories were seen is not known; give seen, a meta.json.")
    categories, known = categories_of(meta), set(categories_of(seen).values())
    for name in names:
        sequence = open_sequence(root, name)
        ids = ids_of(all_masks(sequence.ground_truth, name))
        check_categories([(name, obj) for obj in ids], categories)
        sequence.video.close()
    return categories, known


def _true_masks(
    video: Video, points: Sequence[PointObject], truth: Mapping[int, np.ndarray]
) -> dict[int, Annotation]:
    """K of the true masks where the points are."""
    pointed = point_annotations(video, points, 1)
    return {
        f: Annotation(np.where(np.isin(truth[f], list(a.objects)), truth[f], 0), a.objects)
        for f, a in pointed.items()
    }


def _read_sets(path: Path | None) -> dict[str, list[PointObject]]:
    """Point sets of an earlier run, by sequence."""
    kept: dict[str, list[PointObject]] = {}
    if path is not None and path.exists():
        for of in read(path, _refuse):
            kept.setdefault(str(of.video_name).rpartition("/")[2], []).append(of)
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
    seed: int,
) -> None:
    seeds = {_own(of).get("seed", seed) for of in drawn}
    if seeds - {seed}:
        raise ValueError(
            f"{path} has points of {name!r} that were drawn with the seed {min(seeds - {seed})}, "
            f"and the seed is {seed}; give that seed, or another file."
        )
    listed = sorted(_own(of).get("object", 0) for of in drawn)
    frames = {p.frame_id for of in drawn for p in of.points}
    if listed != list(ids) or not all(of.points for of in drawn):
        raise ValueError(
            f"{path} has points of the objects {listed} of {name!r}, and its masks have {ids}; "
            "give another file, or none."
        )
    if not frames <= set(video.frame_names):
        raise ValueError(f"{path} has points on no frame of {name!r}; give another file, or none.")
    for of in drawn:
        beside = any(p.status != STATUSES["positive"] for p in of.points)
        if beside or len({p.frame_id for p in of.points}) > 1:
            raise ValueError(
                f"{path} has points of {of.object_name!r} of {name!r} that are not on it, or on "
                "several frames; give points on each object on one frame, or let them be drawn."
            )
        for p in of.points:
            if p.x >= video.width or p.y >= video.height:
                raise ValueError(
                    f"{path} has the point ({p.x}, {p.y}) of {name!r}, which is outside the "
                    f"{video.width} x {video.height} picture; give another file, or none."
                )


def _own(of: PointObject) -> Mapping[str, Any]:
    """What this package keeps of an object; files of others may have anything there."""
    own = of.extra.get(NAMESPACE)
    return own if isinstance(own, Mapping) else {}

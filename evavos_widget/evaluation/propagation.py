"""How good and how fast propagators are on sequences with ground truth."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from evavos_widget import engines
from evavos_widget.datasets.crowd_set import synthetic_videos
from evavos_widget.datasets.davis import open_sequence
from evavos_widget.evaluation.rows import MADE, EngineOption, Rows
from evavos_widget.evaluation.sequences import (
    Report,
    all_masks,
    annotations_of,
    given_masks,
    ids_of,
    peak_memory_mb,
    propagated_masks,
    scored,
    spread,
    standard_error,
)
from evavos_widget.evaluation.strips import save_strip
from evavos_widget.loop import Propagator

__all__ = ["evaluate_propagation"]


def evaluate_propagation(
    root: Path,
    names: Sequence[str],
    propagator: str | Propagator,
    *,
    annotated: int = 1,
    frames: str = "davis",
    second_round: bool = False,
    pictures: Path | None = None,
    rows: Rows | None = None,
    report: Report = print,
) -> dict[str, Any]:
    """Propagate ground-truth masks and score the rest.

    Parameters
    ----------
    root : Path
        Holds ``JPEGImages`` and ``Annotations``.
    names : sequence of str
    propagator : str or Propagator
    annotated : int
        K: ground truth is given on K frames, see `spread`, and of an object that none of them
        shows on the first that does.
    frames : str
        Which frames count, see `evavos_widget.metrics.CONVENTIONS`.
    second_round : bool
        Also annotate the frame farthest in time from the others, and time the pass over
        the frames that this can change.
    pictures : Path, optional
        Folder for a picture of each sequence, the J&F in its name.
    rows : Rows, optional
        What was measured before, and where it is kept.
    report : callable
        Told one line per sequence.

    Returns
    -------
    dict
        ``sequences -> name -> {j, f, jf}`` and ``mean`` over sequences, fractions of 1;
        ``mean_over_objects``, the same over the objects of all sequences, as ``vos-benchmark``
        gives it;
        ``standard_error`` of the mean J&F over sequences; ``ms_per_frame`` (wall clock,
        decoding left out) and ``cpu_ms_per_frame``; ``peak_memory_mb`` of the process;
        ``second_round``, the median over sequences of its CPU seconds relative to the
        first pass; ``synthetic``, what of the videos is so, in words; and the options.
    """
    options = {
        "what": "propagation",
        "propagator": EngineOption("propagator", propagator),
        "annotated": annotated,
        "frames": frames,
        "second_round": second_round,
        "pictures": pictures and str(pictures.resolve()),
    }
    rows = Rows() if rows is None else rows
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        found[name] = rows.measured(
            options,
            root,
            name,
            partial(_measured, root, name, propagator, annotated, frames, second_round, pictures),
        )
        score = found[name]
        report(f"{name:24s} J {score['j']:.3f}  F {score['f']:.3f}  J&F {score['jf']:.3f}")
    every = list(found.values())
    scores = {name: {k: row[k] for k in ("j", "f", "jf")} for name, row in found.items()}
    j_of_all, f_of_all = np.mean([of for row in every for of in row["objects"]], axis=0).tolist()
    n_frames = sum(row["n_frames"] for row in every)
    again = [row["again"] for row in every if row["again"] is not None]
    return {
        "propagator": propagator if isinstance(propagator, str) else propagator.name,
        "annotated": annotated,
        "frames": frames,
        "synthetic": synthetic_videos(root, names),
        "sequences": scores,
        "mean": {k: float(np.mean([s[k] for s in scores.values()])) for k in ("j", "f", "jf")},
        "mean_over_objects": {"j": j_of_all, "f": f_of_all, "jf": (j_of_all + f_of_all) / 2},
        "standard_error": standard_error([row["jf"] for row in every]),
        "ms_per_frame": 1000 * sum(row["seconds"] for row in every) / n_frames,
        "cpu_ms_per_frame": 1000 * sum(row["cpu_seconds"] for row in every) / n_frames,
        "peak_memory_mb": max(row["peak_memory_mb"] for row in every),
        "second_round": float(np.median(again)) if again else None,
    }


def _measured(
    root: Path,
    name: str,
    propagator: str | Propagator,
    annotated: int,
    frames: str,
    second_round: bool,
    pictures: Path | None,
) -> dict[str, Any]:
    """The scores of a sequence and of its objects, and what its pass cost."""
    sequence = open_sequence(root, name)
    truth = all_masks(sequence.ground_truth, name)
    ids = ids_of(truth)
    given = given_masks(truth, ids, spread(sorted(truth), annotated))
    for i in range(sequence.video.n_frames):
        sequence.video.frame(i)  # so that decoding is not timed
    engine = engines.create("propagator", propagator)
    wall_0, cpu_0 = time.perf_counter(), time.process_time()
    masks, _ = propagated_masks(engine, sequence.video, given, ids)
    wall, cpu = time.perf_counter() - wall_0, time.process_time() - cpu_0
    score = scored(masks, truth, ids, frames, name)
    picture = None
    if pictures is not None:
        picture = pictures / f"{score.jf:.3f}-{name}.jpg"
        save_strip(sequence.video, masks, truth, picture)
    again = None
    if second_round:
        one_more = max(truth, key=lambda f: min(abs(f - g) for g in given))
        more = {**given, **annotations_of(truth, ids, [one_more])}
        changed = engine.affected(given, more, sequence.video.n_frames)
        cpu_0 = time.process_time()
        for _ in engine.propagate(sequence.video, more, ids, changed):
            pass
        again = (time.process_time() - cpu_0) / cpu
    sequence.video.close()
    return {
        "j": score.j,
        "f": score.f,
        "jf": score.jf,
        "objects": np.stack([score.j_per_object, score.f_per_object], axis=1).tolist(),
        "seconds": wall,
        "cpu_seconds": cpu,
        "n_frames": sequence.video.n_frames,
        "again": again,
        "peak_memory_mb": peak_memory_mb(),
        MADE: [] if picture is None else [str(picture.resolve())],
    }

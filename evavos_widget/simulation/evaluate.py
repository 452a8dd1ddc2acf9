"""How good and how fast the engines are on sequences with ground truth."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evavos_widget import engines
from evavos_widget.datasets.davis import open_sequence
from evavos_widget.loop import Annotation, MaskPredictor, Propagator
from evavos_widget.masks import LabelMaps
from evavos_widget.metrics import jaccard, score_sequence
from evavos_widget.prompts import Prompts
from evavos_widget.simulation.robot import corrective_click
from evavos_widget.simulation.strips import save_strip
from evavos_widget.video import Video

__all__ = ["GOOD_START", "evaluate_clicks", "evaluate_propagation", "spread"]

#: A mask that starts at this IoU or above counts as already good.
GOOD_START = 0.75

Report = Callable[[str], None]


def spread(frames: Sequence[int], k: int) -> list[int]:
    """`k` of `frames`: the first for k = 1, else the middles of k equal stretches."""
    if k < 1:
        raise ValueError(f"annotated is {k}; give 1 or more.")
    if k == 1:
        return [frames[0]]
    return sorted({frames[(2 * i + 1) * len(frames) // (2 * k)] for i in range(k)})


def evaluate_propagation(
    root: Path,
    names: Sequence[str],
    propagator: str | Propagator,
    *,
    annotated: int = 1,
    frames: str = "davis",
    second_round: bool = False,
    pictures: Path | None = None,
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
        K: ground truth is given on K frames, see `spread`.
    frames : str
        Which frames count, see `evavos_widget.metrics.CONVENTIONS`.
    second_round : bool
        Also annotate the frame farthest in time from the others, and time the pass over
        the frames that this can change.
    pictures : Path, optional
        Folder for a picture of each sequence, the J&F in its name.
    report : callable
        Told one line per sequence.

    Returns
    -------
    dict
        ``sequences -> name -> {j, f, jf}`` and ``mean``, fractions of 1;
        ``standard_error`` of the mean J&F over sequences; ``ms_per_frame`` (wall clock,
        decoding left out) and ``cpu_ms_per_frame``; ``peak_memory_mb`` of the process;
        ``second_round``, the median over sequences of its CPU seconds relative to the
        first pass; and the options.
    """
    scores: dict[str, dict[str, float]] = {}
    wall = cpu = 0.0
    n_frames = 0
    again: list[float] = []
    for name in names:
        sequence = open_sequence(root, name)
        truth = _all_masks(sequence.ground_truth, name)
        ids = _ids(truth)
        given = _annotations(truth, ids, spread(sorted(truth), annotated))
        for i in range(sequence.video.n_frames):
            sequence.video.frame(i)  # so that decoding is not timed
        engine = engines.create("propagator", propagator)
        wall_0, cpu_0 = time.perf_counter(), time.process_time()
        masks, _ = _propagate(engine, sequence.video, given, ids)
        wall += time.perf_counter() - wall_0
        first = time.process_time() - cpu_0
        cpu += first
        n_frames += sequence.video.n_frames
        score = score_sequence(masks, truth, frames=frames, objects=ids)
        scores[name] = {"j": score.j, "f": score.f, "jf": score.jf}
        report(f"{name:24s} J {score.j:.3f}  F {score.f:.3f}  J&F {score.jf:.3f}")
        if pictures is not None:
            save_strip(sequence.video, masks, truth, pictures / f"{score.jf:.3f}-{name}.jpg")
        if second_round:
            one_more = max(truth, key=lambda f: min(abs(f - g) for g in given))
            more = {**given, **_annotations(truth, ids, [one_more])}
            changed = engine.affected(given, more, sequence.video.n_frames)
            cpu_0 = time.process_time()
            for _ in engine.propagate(sequence.video, more, ids, changed):
                pass
            again.append((time.process_time() - cpu_0) / first)
        sequence.video.close()
    jf = [s["jf"] for s in scores.values()]
    return {
        "propagator": propagator if isinstance(propagator, str) else propagator.name,
        "annotated": annotated,
        "frames": frames,
        "sequences": scores,
        "mean": {k: float(np.mean([s[k] for s in scores.values()])) for k in ("j", "f", "jf")},
        "standard_error": _standard_error(jf),
        "ms_per_frame": 1000 * wall / n_frames,
        "cpu_ms_per_frame": 1000 * cpu / n_frames,
        "peak_memory_mb": _peak_memory_mb(),
        "second_round": float(np.median(again)) if again else None,
    }


def evaluate_clicks(
    root: Path,
    names: Sequence[str],
    predictor: str | MaskPredictor,
    *,
    clicks: int = 10,
    start: str = "empty",
    frames_per_sequence: int = 10,
    seed: int = 0,
    propagator: str = "compact",
    report: Report = print,
) -> dict[str, Any]:
    """Correct masks with simulated clicks and score them after each click.

    Parameters
    ----------
    root, names : as for `evaluate_propagation`
    predictor : str or MaskPredictor
    clicks : int
        N, clicks per object and frame.
    start : {'empty', 'propagated'}
        From nothing, or from the mask propagated from the first frame.
    frames_per_sequence : int
        M frames, drawn at random among those that show the object (not the first).
    seed : int
    propagator : str
        Makes the masks that ``start='propagated'`` starts from.
    report : callable
        Told one line per sequence.

    Returns
    -------
    dict
        ``iou_after_clicks``: N + 1 means, the first before any click;
        ``standard_error`` of each over sequences; the same for starts at or above
        `GOOD_START` (``good_start``) and below (``bad_start``) with their counts;
        ``ms_per_click`` (median wall clock); and the options.
    """
    if start not in ("empty", "propagated"):
        raise ValueError(f"unknown start {start!r}; choose 'empty' or 'propagated'.")
    engine: MaskPredictor = engines.create("predictor", predictor)
    ious: dict[str, np.ndarray] = {}
    times: list[float] = []
    for name in names:
        sequence = open_sequence(root, name)
        truth = _all_masks(sequence.ground_truth, name)
        ids = _ids(truth)
        rng = np.random.default_rng([seed, *name.encode()])
        picked = {o: _some_frames(truth, o, frames_per_sequence, rng) for o in ids}
        if not any(picked.values()):
            raise ValueError(f"no object is shown after the first frame of {name!r}.")
        masks = soft = None
        if start == "propagated":
            flow = engines.create("propagator", propagator)
            given = _annotations(truth, ids, [min(truth)])
            masks, soft = _propagate(
                flow,
                sequence.video,
                given,
                ids,
                keep={f for frames in picked.values() for f in frames},
            )
        rows = []
        for column, obj in enumerate(ids, start=1):
            for frame in picked[obj]:
                iou, spent = _click_through(
                    engine,
                    sequence.video.frame(frame),
                    truth[frame] == obj,
                    None if masks is None else masks[frame] == obj,
                    None if soft is None else soft[frame][column],
                    clicks,
                    (name, frame),
                )
                rows.append(iou)
                times += spent
        ious[name] = np.array(rows)
        path = "  ".join(f"{v:.3f}" for v in ious[name].mean(axis=0))
        report(f"{name:24s} {path}")
        sequence.video.close()
    every = np.concatenate(list(ious.values()))
    good = every[:, 0] >= GOOD_START
    return {
        "predictor": predictor if isinstance(predictor, str) else predictor.name,
        "start": start,
        "propagator": propagator if start == "propagated" else None,
        "clicks": clicks,
        "frames_per_sequence": frames_per_sequence,
        "seed": seed,
        "n": len(every),
        "iou_after_clicks": every.mean(axis=0).tolist(),
        "standard_error": [
            _standard_error([v.mean(axis=0)[i] for v in ious.values()]) for i in range(clicks + 1)
        ],
        "good_start": _part(every[good]),
        "bad_start": _part(every[~good]),
        "sequences": {name: v.mean(axis=0).tolist() for name, v in ious.items()},
        "ms_per_click": 1000 * float(np.median(times)),
    }


def _some_frames(
    truth: Mapping[int, np.ndarray], obj: int, n: int, rng: np.random.Generator
) -> list[int]:
    """At most `n` frames after the first that show the object, at random, ascending."""
    shown = [f for f in sorted(truth)[1:] if (truth[f] == obj).any()]
    return sorted(int(f) for f in rng.permutation(shown)[:n])


def _click_through(
    engine: MaskPredictor,
    image: np.ndarray,
    truth: np.ndarray,
    previous: np.ndarray | None,
    probabilities: np.ndarray | None,
    n: int,
    key: tuple[str, int],
) -> tuple[list[float], list[float]]:
    """IoU before any click and after each, and the seconds of each."""
    if previous is not None and not previous.any():
        previous = probabilities = None
    mask = previous if previous is not None else np.zeros_like(truth)
    iou, spent, clicks = [jaccard(mask, truth)], [], []
    for _ in range(n):
        click = corrective_click(mask, truth)
        if click is not None:
            clicks.append(click)
            prompts = Prompts(
                clicks=tuple(clicks), previous_mask=previous, previous_probabilities=probabilities
            )
            begin = time.perf_counter()
            mask = engine.predict(image, prompts, key=key).mask
            spent.append(time.perf_counter() - begin)
        iou.append(jaccard(mask, truth))
    return iou, spent


def _propagate(
    engine: Propagator,
    video: Video,
    given: Mapping[int, Annotation],
    ids: Sequence[int],
    keep: Collection[int] = (),
) -> tuple[LabelMaps, dict[int, np.ndarray]]:
    """Masks of every frame, and the probabilities of the frames in `keep`."""
    names = np.array([0, *ids], dtype=np.uint8)
    soft: dict[int, np.ndarray] = {}
    labels = np.zeros((video.n_frames, video.height, video.width), dtype=np.uint8)
    for step in engine.propagate(video, given, ids, range(video.n_frames)):
        if step.frame is not None and step.probabilities is not None:
            labels[step.frame] = names[step.probabilities.argmax(axis=0)]
            if step.frame in keep:
                soft[step.frame] = step.probabilities.astype(np.float16)
    return LabelMaps.from_array(labels), {f: p.astype(np.float32) for f, p in soft.items()}


def _annotations(
    truth: Mapping[int, np.ndarray], ids: Sequence[int], frames: Sequence[int]
) -> dict[int, Annotation]:
    return {f: Annotation(truth[f], frozenset(ids)) for f in frames}


def _all_masks(ground_truth: Mapping[int, np.ndarray], name: str) -> dict[int, np.ndarray]:
    if not ground_truth:
        raise ValueError(f"sequence {name!r} has no masks; leave it out or add Annotations.")
    return {f: ground_truth[f] for f in sorted(ground_truth)}


def _ids(truth: Mapping[int, np.ndarray]) -> list[int]:
    return sorted({int(i) for m in truth.values() for i in np.unique(m)} - {0})


def _part(rows: np.ndarray) -> dict[str, Any]:
    means = rows.mean(axis=0).tolist() if len(rows) else None
    return {"n": len(rows), "iou_after_clicks": means}


def _standard_error(values: Sequence[float]) -> float | None:
    """Standard error of the mean over sequences; None for a single one."""
    if len(values) < 2:
        return None
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def _peak_memory_mb() -> float:
    """Peak resident memory of this process so far, in MiB."""
    import resource  # POSIX only

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10

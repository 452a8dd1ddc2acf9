"""RF-VNG on a set for Video Narrative Grounding, beside two baselines, with intervals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evavos_widget.datasets.davis import sequence_folder
from evavos_widget.evaluation.sequences import Report
from evavos_widget.formats.vng import VngVideo, read
from evavos_widget.grounding.rfvng import GROUNDERS, Grounding, RfVngGrounder
from evavos_widget.masks import write_label_png
from evavos_widget.metrics import j_and_f, jaccard
from evavos_widget.video import Video

__all__ = ["RESAMPLES", "evaluate_grounding", "interval"]

RESAMPLES = 2000
"""The bootstrap over videos draws so many samples."""


def evaluate_grounding(
    root: Path,
    weights: str | Path,
    *,
    methods: Sequence[str] = GROUNDERS,
    seed: int = 0,
    predictions: Path | None = None,
    report: Report = print,
) -> dict[str, Any]:
    """J&F of the nouns of a set, as `evaluate_vng` scores them.

    Parameters
    ----------
    root : Path
        A set with ``JPEGImages``.
    weights : path or str
        Of `RfVngGrounder`.
    methods : sequence of str
        Of `GROUNDERS`.
    seed : int
        Of the resamples.
    predictions : Path, optional
        Gets ``<method>/<video>/<expression>/<frame>.png``, which ``evavos evaluate vng`` scores.
    report : callable
        Told one line per video.

    Returns
    -------
    dict
        By method: ``j``, ``f``, ``jf``, means over expressions; ``interval`` of the last, 95 %
        over videos; ``videos``: J&F by video; ``swap``, of the method alone that reads captions:
        the share of pairs of nouns of one narrative that mean different objects, with masks on
        one frame at least, where each of the two masks is nearer to its own object than to the
        other's. ``expressions`` and ``frames`` count what was scored.

    Raises
    ------
    ValueError
        The set has no expression with a mask.
    """
    engine = RfVngGrounder(weights)
    scores: dict[str, dict[str, list[tuple[float, float]]]] = {m: {} for m in methods}
    swapped: dict[str, list[bool]] = defaultdict(list)
    n_frames = 0
    for of in read(root):
        told = [e for e in of.expressions if of.annotated(e)]
        if not told:
            continue
        video = Video.open(sequence_folder(root, "JPEGImages", of.name))
        nouns = [(of.narratives[e.actor][1], e.span) for e in told]
        for method in methods:
            found = engine.ground_all(video, nouns, reads=method)
            scores[method][of.name] = [_score(of, i, found) for i in range(len(told))]
            swapped[method] += _swaps(of, found)
            if predictions is not None:
                _write(of, found, predictions / method)
        video.close()
        n_frames += sum(len(of.annotated(e)) for e in told)
        report(
            f"{of.name:24s} " + ", ".join(f"{m} {np.mean(scores[m][of.name]):.3f}" for m in methods)
        )
    if n_frames == 0:
        raise ValueError(f"{root} has no expression with a mask; there is nothing to score.")
    result: dict[str, Any] = {}
    for method, videos in scores.items():
        j, f = np.mean([s for v in videos.values() for s in v], axis=0).tolist()
        result[method] = {
            "j": j,
            "f": f,
            "jf": (j + f) / 2,
            "interval": interval([np.mean(v, axis=1) for v in videos.values()], seed),
            "videos": {name: float(np.mean(v)) for name, v in videos.items()},
        }
        if method == "rf-vng" and swapped[method]:
            result[method]["swap"] = float(np.mean(swapped[method]))
    expressions = sum(len(v) for v in scores[methods[0]].values())
    return result | {"expressions": expressions, "frames": n_frames}


def interval(
    videos: Sequence[np.ndarray], seed: int = 0
) -> tuple[float, float] | tuple[None, None]:
    """95 % of the mean over expressions in resamples of the videos; None of one video.

    Parameters
    ----------
    videos : sequence of (n,) arrays
        Of each video the score of each expression.
    seed : int
    """
    if len(videos) < 2:
        return None, None
    sums, counts = np.array([v.sum() for v in videos]), np.array([len(v) for v in videos])
    drawn = np.random.default_rng(seed).integers(len(videos), size=(RESAMPLES, len(videos)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def _score(of: VngVideo, which: int, found: Sequence[Grounding]) -> tuple[float, float]:
    """J and F of an expression, the mean over all frames with a mask."""
    expression = [e for e in of.expressions if of.annotated(e)][which]
    each = []
    for frame in of.annotated(expression):
        truth = of.mask(expression, frame)
        assert truth is not None  # only annotated frames are scored
        each.append(j_and_f(found[which].mask(frame), truth))
    j, f = np.mean(each, axis=0).tolist()
    return j, f


def _swaps(of: VngVideo, found: Sequence[Grounding]) -> list[bool]:
    """For each pair of nouns of a narrative with different objects, whether each finds its own."""
    told = [e for e in of.expressions if of.annotated(e)]
    outcome = []
    for a in range(len(told)):
        for b in range(a + 1, len(told)):
            first, second = told[a], told[b]
            if first.actor != second.actor or first.object == second.object:
                continue
            frames = [f for f in of.annotated(first) if f in set(of.annotated(second))]
            if not frames:
                continue
            overlaps = np.zeros((2, 2))
            for frame in frames:
                truths = [of.mask(e, frame) for e in (first, second)]
                for i, which in enumerate((a, b)):
                    guess = found[which].mask(frame)
                    overlaps[i] += [jaccard(guess, t) for t in truths if t is not None]
            outcome.append(
                bool(overlaps[0, 0] > overlaps[0, 1] and overlaps[1, 1] > overlaps[1, 0])
            )
    return outcome


def _write(of: VngVideo, found: Sequence[Grounding], folder: Path) -> None:
    told = [e for e in of.expressions if of.annotated(e)]
    for expression, grounding in zip(told, found, strict=True):
        where = folder / of.name / expression.id
        where.mkdir(parents=True, exist_ok=True)
        for frame in of.annotated(expression):
            mask = grounding.mask(frame).astype(np.uint8)
            write_label_png(where / f"{of.frames[frame]}.png", mask)

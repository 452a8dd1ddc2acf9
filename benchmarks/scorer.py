"""Our scorer against the published one: the same figures, and how much faster."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.missing import naming_what_is_missing
from benchmarks.side_by_side import Comparison
from evavos_widget.datasets.davis import open_sequence, read_sequence_names
from evavos_widget.masks import LabelMaps
from evavos_widget.metrics import SequenceScorer, score_sequence

__all__ = ["benchmark_scorer", "compare_scorers"]

REPEATS = 3
"""Each timing is taken so often; the median counts."""


def benchmark_scorer(root: Path, names: Sequence[str], shift: int = 1) -> dict[str, Any]:
    """Score the same masks with `evavos_widget.metrics` and with vos-benchmark.

    The masks to be scored are the true ones of another frame, which are wrong in a natural
    way. Both sides get arrays that are in memory, and one core.

    Parameters
    ----------
    root : Path
        Holds ``JPEGImages`` and ``Annotations``.
    names : sequence of str
    shift : int
        From how many frames later the masks are taken.

    Returns
    -------
    dict
        ``max_difference`` of J and F of an object, fractions of 1; ``speedup``;
        ``ms_per_frame`` and ``vos_benchmark_ms_per_frame`` (processor time, sums over
        sequences of medians of three); ``rescore_speedup``: the same for a prediction
        that has been scored before and of which one frame changed; ``n_frames``.

    Raises
    ------
    ModuleNotFoundError
        vos-benchmark or a package that it needs is not installed.
    """
    with naming_what_is_missing("the comparison with vos-benchmark"):
        from vos_benchmark.evaluator import Evaluator

    difference, frames = 0.0, 0
    ours = theirs = again = 0.0
    for name in names:
        truth = open_sequence(root, name).ground_truth
        maps = [truth[frame] for frame in sorted(truth)]
        predicted = maps[shift:] + maps[:shift]

        def published(maps: Any = maps, predicted: Any = predicted) -> tuple[dict, dict]:
            evaluator = Evaluator(name="")
            for true, mask in zip(maps[1:-1], predicted[1:-1], strict=True):
                evaluator.feed_frame(mask, true)
            return evaluator.conclude()

        before = SequenceScorer(maps)
        before.score(LabelMaps.from_array(np.stack(predicted)))
        changed = LabelMaps.from_array(np.stack(predicted)).replace({len(maps) // 2: maps[0]})

        score, spent = _timed(lambda m=maps, p=predicted: score_sequence(p, m))
        (j, f), spent_theirs = _timed(published)
        first = time.process_time()
        before.score(changed)
        again += time.process_time() - first
        ours, theirs, frames = ours + spent, theirs + spent_theirs, frames + len(maps) - 2
        for obj, j_mine, f_mine in zip(
            score.objects, score.j_per_object, score.f_per_object, strict=True
        ):
            difference = max(difference, abs(j_mine - j[obj] / 100), abs(f_mine - f[obj] / 100))
    return {
        "max_difference": float(difference),
        "speedup": theirs / ours,
        "rescore_speedup": theirs / again,
        "ms_per_frame": 1000 * ours / frames,
        "vos_benchmark_ms_per_frame": 1000 * theirs / frames,
        "n_frames": frames,
        "sequences": list(names),
    }


def compare_scorers(root: Path, most: int = 4) -> list[Comparison]:
    """J&F of a frame, milliseconds, a pair for each of the first `most` sequences of a dataset."""
    names = read_sequence_names("@ImageSets/val.txt", root)[:most]
    each = [benchmark_scorer(root, [name]) for name in names]
    pairs = [(one["ms_per_frame"], one["vos_benchmark_ms_per_frame"]) for one in each]
    return [Comparison("J&F of a frame", "vos-benchmark", "ms", pairs)]


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What `work` returns, and the median of its processor seconds."""
    spent, result = [], None
    for _ in range(REPEATS):
        begin = time.process_time()
        result = work()
        spent.append(time.process_time() - begin)
    return result, float(np.median(spent))

"""What every evaluation does with a sequence and its ground truth."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from evavos_widget.contract import steps_of
from evavos_widget.loop import Annotation, Propagator, completed
from evavos_widget.masks import LabelMaps, ids_of_maps
from evavos_widget.metrics import VOID, SequenceScore, score_sequence
from evavos_widget.quantities import as_count
from evavos_widget.video import Video

__all__ = [
    "Report",
    "all_masks",
    "annotations_of",
    "first_shown",
    "given_masks",
    "ids_of",
    "peak_memory_mb",
    "propagated_masks",
    "scored",
    "spread",
    "standard_error",
]

Report = Callable[[str], None]
"""Told one line per sequence."""


def spread(frames: Sequence[int], k: int) -> list[int]:
    """`k` of `frames`: the first for k = 1, else the middles of k equal stretches."""
    k = as_count("annotated", k)
    if k == 1:
        return [frames[0]]
    return sorted({frames[(2 * i + 1) * len(frames) // (2 * k)] for i in range(k)})


def propagated_masks(
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
    steps = steps_of(engine, video, given, ids, range(video.n_frames))
    for frame, probabilities in completed(steps):
        labels[frame] = names[probabilities.argmax(axis=0)]
        if frame in keep:
            soft[frame] = probabilities.astype(np.float16)
    return LabelMaps.from_array(labels), {f: p.astype(np.float32) for f, p in soft.items()}


def annotations_of(
    truth: Mapping[int, np.ndarray], ids: Sequence[int], frames: Sequence[int]
) -> dict[int, Annotation]:
    """K of ground truth on some frames."""
    return {f: Annotation(truth[f], frozenset(ids)) for f in frames}


def given_masks(
    truth: Mapping[int, np.ndarray], ids: Sequence[int], frames: Sequence[int]
) -> dict[int, Annotation]:
    """K of ground truth on some frames; what none of them shows is given where it shows first.

    As in YouTube-VOS: an object is annotated where it is to be seen. All that `frames` say of one
    that comes later is that it is absent, with which no propagator can find it.
    """
    given = annotations_of(truth, ids, frames)
    late: dict[int, list[int]] = {}
    for obj in ids:
        if not any((truth[f] == obj).any() for f in frames):
            late.setdefault(first_shown(truth, obj), []).append(obj)
    for frame, objects in late.items():
        labels = np.where(np.isin(truth[frame], objects), truth[frame], 0).astype(np.uint8)
        given[frame] = Annotation(labels, frozenset(objects))
    return given


def first_shown(truth: Mapping[int, np.ndarray], obj: int) -> int:
    """The first frame that shows an object."""
    return next(f for f in sorted(truth) if (truth[f] == obj).any())


def all_masks(ground_truth: Mapping[int, np.ndarray], name: str) -> dict[int, np.ndarray]:
    """Ground truth of a sequence, what is not to be scored as background."""
    if not ground_truth:
        raise ValueError(f"sequence {name!r} has no masks; leave it out or add Annotations.")
    truth = {
        f: np.where(ground_truth[f] == VOID, 0, ground_truth[f]).astype(np.uint8)
        for f in sorted(ground_truth)
    }
    if not any(labels.any() for labels in truth.values()):
        raise ValueError(f"the masks of sequence {name!r} show no object; leave it out.")
    return truth


def ids_of(truth: Mapping[int, np.ndarray]) -> list[int]:
    """Ids of the objects in ground truth, ascending."""
    return sorted(ids_of_maps(truth))


def scored(
    masks: LabelMaps, truth: Mapping[int, np.ndarray], ids: Sequence[int], frames: str, name: str
) -> SequenceScore:
    """The score of a sequence; what is wrong with it is said with its name."""
    try:
        return score_sequence(masks, truth, frames=frames, objects=ids)
    except ValueError as error:
        raise ValueError(f"sequence {name!r}: {error}") from error


def standard_error(values: Sequence[float]) -> float | None:
    """Standard error of the mean over sequences; None for a single one."""
    if len(values) < 2:
        return None
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def peak_memory_mb() -> float:
    """Peak resident memory of this process so far, in MiB."""
    import resource  # POSIX only

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10

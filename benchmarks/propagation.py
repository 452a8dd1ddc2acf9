"""STCN against the published code: how fast, how much memory, and whether it finds the same.

Both get the same random weights, frames and first masks, and each run has a process of its own.
What the figures mean is told in docs/performance.md.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, TypeVar

import numpy as np

from benchmarks.published_stcn import (
    published_network,
    published_pass,
    write_random_weights,
)
from evavos_widget.datasets.davis import open_sequence
from evavos_widget.loop import Annotation
from evavos_widget.video import Video, list_pictures

__all__ = ["benchmark_propagation"]

TOP_K = 50
"""Both read out the best so many cells of the memory (MiVOS)."""

FRAME_BYTES = 2**24
"""Both keep so many bytes of decoded frames: compared is the memory of the networks."""

Figures = dict[str, float]

T = TypeVar("T")


def benchmark_propagation(
    root: Path,
    names: Sequence[str],
    *,
    repeats: int = 5,
    frames: int | None = None,
    report: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Carry the masks of the first frame through sequences, here and with the published code.

    Parameters
    ----------
    root : Path
        Holds ``JPEGImages`` and ``Annotations``.
    names : sequence of str
    repeats : int
        Medians are over so many runs, which take turns.
    frames : int, optional
        Only so many of each sequence.
    report : callable
        Told one line per sequence.

    Returns
    -------
    dict
        ``max_difference`` of probabilities and the least ``iou`` of an object's masks over a
        sequence; ``first_pass_speedup``, ``second_round_speedup`` (both of seconds of the
        processor) and ``memory_ratio``, medians over sequences; the same for each of
        ``sequences``, with all seconds and MiB; the options.

    Raises
    ------
    ModuleNotFoundError
        `stcnbuf` or a package that it needs is not installed.
    ValueError
        A sequence has no masks.
    """
    results: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory() as folder:
        weights = write_random_weights(Path(folder) / "stcn.pth")
        for name in names:
            places = [Path(folder) / f"{name}-{who}" for who in ("theirs", "ours")]
            runs: list[list[Figures]] = [[], []]
            for _ in range(repeats):
                for measure, place, figures in zip((_published, _own), places, runs, strict=True):
                    task = (root, name, frames, weights, place)
                    with get_context("spawn").Pool(1) as process:
                        figures.append(process.apply(measure, task))
            theirs, ours = (
                {key: median(run[key] for run in figures) for key in figures[0]} for figures in runs
            )
            results[name] = result = {
                **_compared(places[0], places[1], _opened(root, name, frames)),
                "first_pass_speedup": theirs["first_pass_cpu"] / ours["first_pass_cpu"],
                "second_round_speedup": theirs["first_pass_cpu"] / ours["second_round_cpu"],
                "memory_ratio": ours["peak_mb"] / theirs["peak_mb"],
                **{f"published_{key}": value for key, value in theirs.items()},
                **ours,
            }
            for place in places:
                place.unlink()
            report(_line(name, result))
    worst = {"max_difference": max, "iou": min}
    keys = ("max_difference", "iou", "first_pass_speedup", "second_round_speedup", "memory_ratio")
    total = {k: worst.get(k, median)([r[k] for r in results.values()]) for k in keys}
    report(_line("all", total))
    return {**total, "sequences": results, "repeats": repeats, "frames": frames, "top_k": TOP_K}


def _line(name: str, result: Figures) -> str:
    return (
        f"{name:24s} max_difference {result['max_difference']:.1e}  iou {result['iou']:.4f}  "
        f"first_pass_speedup {result['first_pass_speedup']:.2f}  "
        f"second_round_speedup {result['second_round_speedup']:.2f}  "
        f"memory_ratio {result['memory_ratio']:.2f}"
    )


class _Opened(NamedTuple):
    """A video, the objects of its first mask, its first and its last masks."""

    video: Video
    objects: list[int]
    first: np.ndarray
    last: np.ndarray


def _opened(root: Path, name: str, frames: int | None) -> _Opened:
    sequence = open_sequence(root, name)
    n = min(frames or sequence.video.n_frames, sequence.video.n_frames)
    masks = sequence.ground_truth
    if 0 not in masks or n - 1 not in masks or not masks[0].any():
        raise ValueError(f"{name!r} has no masks on frames 0 and {n - 1}; leave it out.")
    assert isinstance(sequence.video.source, str)  # a folder
    pictures = [str(path) for path in list_pictures(sequence.video.source)[:n]]
    objects = [int(o) for o in np.unique(masks[0]) if o]
    return _Opened(Video.open(pictures, cache_bytes=FRAME_BYTES), objects, masks[0], masks[n - 1])


class _Stopwatch:
    """Seconds on the clock and of the processor, of the parts of a run that count."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    def during(self, steps: Iterable[T]) -> Iterator[T]:
        """Go through `steps`, and count what they take."""
        steps = iter(steps)
        while True:
            wall, cpu = time.perf_counter(), time.process_time()
            step = next(steps, None)
            self.wall += time.perf_counter() - wall
            self.cpu += time.process_time() - cpu
            if step is None:
                return
            yield step


def _published(root: Path, name: str, frames: int | None, weights: Path, place: Path) -> Figures:
    opened, watch = _opened(root, name, frames), _Stopwatch()
    masks = np.stack([opened.first == o for o in opened.objects])
    network = published_network(weights)
    rest = (opened.video.frame(i) for i in range(1, opened.video.n_frames))
    run = published_pass(network, opened.video.frame(0), masks, rest, TOP_K)
    with place.open("wb") as file:
        for found in watch.during(run):
            found.astype(np.float32).tofile(file)
    return {"first_pass": watch.wall, "first_pass_cpu": watch.cpu, "peak_mb": _peak_mb()}


def _own(root: Path, name: str, frames: int | None, weights: Path, place: Path) -> Figures:
    from evavos_widget.propagation.stcn import StcnPropagator

    opened, first, second = _opened(root, name, frames), _Stopwatch(), _Stopwatch()
    n, objects = opened.video.n_frames, opened.objects
    engine = StcnPropagator(weights, "cpu", precision="float32", top_k=TOP_K)
    given = {0: Annotation(opened.first, frozenset(objects))}
    with place.open("wb") as file:
        for step in first.during(engine.propagate(opened.video, given, objects, range(1, n))):
            if step.probabilities is not None:
                step.probabilities.tofile(file)
    peak = _peak_mb()
    more = {**given, n - 1: Annotation(opened.last, frozenset(objects))}
    changed = engine.affected(given, more, n)
    for _ in second.during(engine.propagate(opened.video, more, objects, changed)):
        pass
    return {
        "first_pass": first.wall,
        "first_pass_cpu": first.cpu,
        "second_round": second.wall,
        "second_round_cpu": second.cpu,
        "peak_mb": peak,
    }


def _compared(theirs: Path, ours: Path, opened: _Opened) -> Figures:
    """The largest difference of probabilities, and the least IoU of an object's masks."""
    shape = len(opened.objects) + 1, opened.video.height, opened.video.width
    size = int(np.prod(shape))
    difference, both, either = 0.0, np.zeros(shape[0]), np.zeros(shape[0])
    with theirs.open("rb") as one, ours.open("rb") as other:
        for _ in range(1, opened.video.n_frames):
            found = [np.fromfile(f, np.float32, size).reshape(shape) for f in (one, other)]
            difference = max(difference, float(np.abs(found[0] - found[1]).max()))
            labels = [f.argmax(0) for f in found]
            for k in range(1, shape[0]):
                both[k] += ((labels[0] == k) & (labels[1] == k)).sum()
                either[k] += ((labels[0] == k) | (labels[1] == k)).sum()
    iou = both[1:] / np.maximum(either[1:], 1)
    return {"max_difference": difference, "iou": float(np.where(either[1:] > 0, iou, 1).min())}


def _peak_mb() -> float:
    """Peak resident memory of this process, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says may be of the process that started this one
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10

"""Run an experiment: what its table lacks, on all cores or on a Dask cluster.

Loops do not depend on each other, so that a run that was stopped goes on with the loops that its
table lacks.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    FIRST_EXCEPTION,
    BrokenExecutor,
    Executor,
    Future,
    wait,
)
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from filelock import FileLock, Timeout

from evavos_widget import engines
from evavos_widget.datasets.crowd_set import synthetic_videos
from evavos_widget.datasets.davis import open_sequence
from evavos_widget.engines import Shared
from evavos_widget.experiments.experiment import Experiment
from evavos_widget.experiments.methods import Method, selectors
from evavos_widget.experiments.table import Row, Table
from evavos_widget.experiments.workers import whole_loop, workers_for
from evavos_widget.metrics import VOID, scored_frames
from evavos_widget.robot.annotator import RobotAnnotator
from evavos_widget.version import VERSION

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event

__all__ = ["StoppedError", "run_experiment"]

STOP_SECONDS = 0.5
"""It is seen within so many seconds that a run shall stop."""

PACKAGES = ("numpy", "opencv-python-headless", "torch")
"""Masks depend on the versions of these."""


class StoppedError(RuntimeError):
    """The run was stopped before there was a table."""


Loop = tuple[Method, str, int, int]
"""A loop is a method, a sequence, an object and a seed."""


def run_experiment(
    experiment: Experiment,
    folder: Path,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    on_rows: Callable[[Sequence[Row], int, int], None] | None = None,
    stop: Event | None = None,
) -> Table:
    """Run what the table in `folder` still lacks.

    Parameters
    ----------
    experiment : Experiment
    folder : Path
        For ``rows.csv`` and ``manifest.json``. Rows are appended when a loop is done; a run
        that was stopped is taken up by running the same again.
    workers : int
        Processes on this machine.
    scheduler : str, optional
        Address of a Dask scheduler, ``tcp://HOST:PORT``, that does the work instead. Its
        workers need the data, and engines that are not the package's own, at the same path.
    on_rows : callable, optional
        ``on_rows(rows, done, total)`` hears of the rows of each finished loop, those of an
        earlier run first and together.
    stop : multiprocessing Event, optional
        Once it is set, by another thread, every worker ends after the round it is in, and
        the loops that were finished by then are kept. Make it with
        ``multiprocessing.get_context("spawn").Event()``. A cluster's workers end the loops
        that they are in, which are lost.

    Returns
    -------
    Table
        In order; complete unless it was stopped.

    Raises
    ------
    ValueError
        Something about the experiment or its data is wrong; rows that are there stay.
    RuntimeError
        Some loops failed, a worker was killed, or another process runs this folder; the rows
        that are there stay.
    StoppedError
        It was stopped while the data was read.
    """
    for method in experiment.methods:  # a wrong name is told before anything is computed
        selectors(method, RobotAnnotator({}), 0)
    shared = engines.share(experiment.engines)
    experiment = replace(experiment, data=str(Path(experiment.data).resolve()))
    stop = get_context("spawn").Event() if stop is None else stop
    with (
        _sentence_if_killed(),
        workers_for(workers, scheduler, stop) as executor,
        ExitStack() as held,
    ):
        looked = _look_at_all(experiment, executor, stop)
        held.enter_context(_alone_in(folder))
        table = Table(folder, _manifest(experiment, looked))
        rows = table.rows()
        have = {row.loop for row in rows}
        loops = _loops(experiment, looked)
        todo = [loop for loop in loops if (loop[0].name, *loop[1:]) not in have]
        waiting = _Waiting(todo, {name: each.n_frames for name, each in looked.items()})
        total, done = len(loops), len(loops) - len(todo)
        failed: dict[Loop, BaseException] = {}
        if on_rows is not None:
            on_rows(rows, done, total)
        at_once = workers if scheduler is None else None
        for loop, result in _results(executor, experiment, shared, waiting, at_once, stop):
            if isinstance(result, BaseException):
                failed[loop] = result
                continue
            table.append(result)
            done += 1
            if on_rows is not None:
                on_rows(result, done, total)
        table.sort()
    if failed:
        own = any(engines.source(*each) is not None for each in experiment.engines)
        raise RuntimeError(_told(failed, done, total, own)) from next(iter(failed.values()))
    if done < total and not stop.is_set():
        raise RuntimeError(
            f"{total - done} of {total} loops were lost with the connection to {scheduler}; the "
            f"{done} finished ones are kept: run the same again."
        )
    return table


def _look_at_all(experiment: Experiment, executor: Executor, stop: Event) -> dict[str, _Looked]:
    """Read all the data, in the workers, while this process tries the names of the engines."""
    looks = [executor.submit(_look, experiment, name) for name in experiment.sequences]
    for merge in {method.merge for method in experiment.methods}:
        options = {} if merge is None else {"merge": merge}
        engines.create("propagator", experiment.propagator, **options)
    engines.create("predictor", experiment.predictor)
    waiting = True
    while waiting:
        looked = wait(looks, STOP_SECONDS, FIRST_EXCEPTION)
        if stop.is_set():
            raise StoppedError("the run was stopped while it read the data; run it again to go on.")
        waiting = looked.not_done and not any(look.exception() for look in looked.done)
    return dict(zip(experiment.sequences, (look.result() for look in looks), strict=True))


def _loops(experiment: Experiment, looked: Mapping[str, _Looked]) -> list[Loop]:
    return [
        (method, name, obj, seed)
        for name in experiment.sequences
        for obj in looked[name].objects
        for method in experiment.methods
        for seed in range(experiment.seeds if method.has_chance or experiment.unsteady else 1)
    ]


def _results(
    executor: Executor,
    experiment: Experiment,
    shared: Shared,
    waiting: _Waiting,
    at_once: int | None,
    stop: Event,
) -> Iterator[tuple[Loop, list[Row] | BaseException]]:
    """Run what is `waiting`; the rows of each loop, or what went wrong.

    So many at a time, each of another video; None: all, video by video, for a cluster, which
    knows by itself who is idle.
    """
    futures: dict[Future[list[Row]], Loop] = {}

    def submit(video: str | None) -> Loop | None:
        busy = [] if at_once is None else [name for _, name, *_ in futures.values()]
        loop = None if stop.is_set() else waiting.take(video, busy)
        if loop is not None:
            futures[executor.submit(whole_loop, experiment, shared, *loop)] = loop
        return loop

    if at_once is None:
        loop = submit(None)
        while loop is not None:
            loop = submit(loop[1])
    else:
        for _ in range(at_once):
            submit(None)
    while futures:
        broken: BrokenExecutor | None = None
        ended = wait(futures, STOP_SECONDS, FIRST_COMPLETED).done
        finished = {future: futures.pop(future) for future in ended}
        for future, loop in finished.items():
            if future.cancelled():
                continue
            error = future.exception()
            if isinstance(error, BrokenExecutor):
                broken = error
            elif error is not None:
                yield loop, error
            elif rows := future.result():  # none if it was told to stop
                yield loop, rows
        if broken is not None:
            raise broken
        if stop.is_set():  # what has begun on this machine ends after its round
            futures = {future: loop for future, loop in futures.items() if not future.cancel()}
        for _, video, *_ in finished.values():
            submit(video)


class _Waiting:
    """Loops that wait to be run, by video.

    Parameters
    ----------
    todo : sequence of Loop
    n_frames : mapping of str to int
        Of each video.
    """

    def __init__(self, todo: Sequence[Loop], n_frames: Mapping[str, int]) -> None:
        self._n_frames = n_frames
        self._videos: dict[str, deque[Loop]] = {}
        for loop in sorted(todo, key=lambda loop: not loop[0].tries):  # what is long goes first
            self._videos.setdefault(loop[1], deque()).append(loop)

    def take(self, video: str | None, busy: Collection[str]) -> Loop | None:
        """The next loop for one who had `video`, while others have those that are `busy`.

        Of the same video while there are some, then of one that nobody has, then of any; always
        of that with most work left, so that all end together.
        """
        left = {name: loops for name, loops in self._videos.items() if loops}
        if not left:
            return None
        if video not in left:
            free = [name for name in left if name not in busy]
            video = max(free or left, key=lambda name: len(left[name]) * self._n_frames[name])
        return left[video].popleft()


@contextmanager
def _sentence_if_killed() -> Iterator[None]:
    """Say what to do where a worker was killed."""
    try:
        yield
    except BrokenExecutor as error:
        raise RuntimeError(
            "a worker was killed, perhaps because memory is short, or the connection to it was "
            "lost; the loops that were finished are kept: run the same again, with fewer workers."
        ) from error


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keep other processes from writing into the same table."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(str(folder / ".lock"), thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RuntimeError(
            f"another process runs the experiment in {folder}; wait for its end, or give another "
            "folder."
        ) from None
    try:
        yield
    finally:
        lock.release()


def _told(failed: Mapping[Loop, BaseException], done: int, total: int, own: bool) -> str:
    """What went wrong in some of the loops, and what to do."""
    mended = "; once code of your own is mended it is another experiment, with another folder"
    (method, name, obj, seed), error = next(iter(failed.items()))
    why = str(error).rstrip(".") or type(error).__name__
    return (
        f"{len(failed)} of {total} loops failed, the first of them {method.name!r} on sequence "
        f"{name!r} (object {obj}, seed {seed}): {why}; the {done} finished ones are kept, and the "
        f"same command tries the others again{mended if own else ''}."
    )


class _Looked(NamedTuple):
    """The objects of a sequence, how long it is, and a hash of its pictures and masks."""

    objects: list[int]
    n_frames: int
    digest: str


def _look(experiment: Experiment, name: str) -> _Looked:
    """Read a sequence, in a worker.

    Raises
    ------
    ValueError
        A loop on it could not be run to its end.
    """
    sequence = open_sequence(experiment.data, name, experiment.every)
    n, masks = sequence.video.n_frames, sequence.ground_truth
    if len(masks) < n:
        some = f"masks on {len(masks)} of its {n} frames" if len(masks) else "no masks"
        raise ValueError(
            f"sequence {name!r} has {some}, and the robot annotator needs one on each; add them "
            "to Annotations, or leave the sequence out."
        )
    digest, frames_of = hashlib.blake2b(digest_size=8), dict[int, set[int]]()
    for frame in range(n):
        try:
            picture, labels = sequence.video.frame(frame), masks[frame]
        except (OSError, ValueError) as error:
            raise ValueError(
                f"frame {frame} of sequence {name!r} cannot be read ({error}); replace the file, "
                "or leave the sequence out."
            ) from error
        for obj in np.unique(labels).tolist():
            frames_of.setdefault(obj, set()).add(frame)
        digest.update(picture.tobytes())
        digest.update(labels.tobytes())
    for nothing in (0, VOID):
        frames_of.pop(nothing, None)
    if not frames_of:
        raise ValueError(f"the masks of sequence {name!r} show no object; leave it out.")
    kept = set(scored_frames(range(n), experiment.frames))
    for obj, frames in frames_of.items():
        if not frames & kept:
            raise ValueError(
                f"object {obj} of sequence {name!r} is on none of the frames that count "
                f"(frames={experiment.frames!r}); use frames='all', or leave the sequence out."
            )
    return _Looked(sorted(frames_of), n, digest.hexdigest())


def _digest(file: Path) -> str:
    return hashlib.blake2b(file.read_bytes(), digest_size=8).hexdigest()


def _digest_of_code(code: Path) -> str:
    """Of a module, or of all files of a package and where in it they are."""
    if not code.is_dir():
        return _digest(code)
    files = [f"{_digest(f)} {f.relative_to(code).as_posix()}" for f in engines.source_files(code)]
    return hashlib.blake2b("\n".join(files).encode(errors="replace"), digest_size=8).hexdigest()


def _manifest(experiment: Experiment, looked: Mapping[str, _Looked]) -> dict[str, Any]:
    """What has to be the same for rows to belong into one table."""
    about = asdict(experiment)
    if experiment.every == 1:
        del about["every"]  # as in experiments from before it could be said
    about["methods"] = [asdict(method) for method in experiment.methods]
    about["sequences"] = list(experiment.sequences)
    about["version"] = VERSION
    about["packages"] = {name: version(name) for name in PACKAGES}
    about["weights"] = {
        name: _digest(file)
        for stage, name in experiment.engines
        if (file := engines.weights(stage, name)) is not None
    }
    if code := {
        name: _digest_of_code(own)
        for stage, name in experiment.engines
        if (own := engines.source(stage, name)) is not None
    }:
        about["code"] = code  # of engines that are not the package's own
    about["hashes"] = {name: each.digest for name, each in looked.items()}
    about["objects"] = {name: each.objects for name, each in looked.items()}
    if synthetic := synthetic_videos(experiment.data, experiment.sequences):
        about["synthetic"] = synthetic
    del about["data"]  # the same data may lie elsewhere
    return about

"""Compare methods on many videos: every loop is a session with the robot annotator.

A loop is one object of one video under one method with one seed. Loops do not depend on
each other, so that they run on all cores or on a Dask cluster, and a run that was stopped
goes on with the loops that its table lacks.
"""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import tomllib
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from evavos_widget import engines
from evavos_widget.datasets.davis import open_sequence, read_sequence_names
from evavos_widget.datasets.sequence import Sequence as VideoSequence
from evavos_widget.engines import MissingExtraError
from evavos_widget.loop import MaskPredictor, Propagator, turn
from evavos_widget.metrics import CONVENTIONS, SequenceScorer
from evavos_widget.prompts import Costs
from evavos_widget.session import Session
from evavos_widget.simulation.costs import costs_from, per_second, read_costs
from evavos_widget.simulation.hand import Hand
from evavos_widget.simulation.methods import PRESETS, Method, selectors
from evavos_widget.simulation.robot import PLACEMENTS, Placement, RobotAnnotator
from evavos_widget.simulation.table import Row, Table
from evavos_widget.version import VERSION

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event

__all__ = ["Experiment", "run_experiment", "run_loop"]


@dataclass(frozen=True)
class Experiment:
    """What is compared, on what, and how.

    Parameters
    ----------
    name : str
    methods : sequence of Method
    data : str
        Folder with ``JPEGImages`` and ``Annotations``.
    sequences : sequence of str
    propagator, predictor : str
        Engines by name.
    rounds : int
        Annotations after the first mask.
    seeds : int
        Runs of each method that has chance in it; 15 (EVA-VOS Sec. 4). Every method has
        where the robot's hand is not exact.
    clicks : int
        Per interaction; 3 (EVA-VOS Sec. 3).
    frames : str
        Which frames count, see `evavos_widget.metrics.CONVENTIONS`.
    placement : {'distance', 'centroid'}
        Where in a region the robot clicks, see `evavos_widget.simulation.robot`.
    agreement, jitter : float
        How exact it draws and clicks, see `evavos_widget.simulation.hand.Hand`.
    costs : Costs
        What its annotations cost.
    """

    name: str
    methods: Sequence[Method]
    data: str
    sequences: Sequence[str]
    propagator: str = "compact"
    predictor: str = "compact"
    rounds: int = 8
    seeds: int = 15
    clicks: int = 3
    frames: str = "davis"
    placement: Placement = "distance"
    agreement: float = 1.0
    jitter: float = 0.0
    costs: Costs = field(default_factory=Costs)

    def __post_init__(self) -> None:
        if not self.methods or not self.sequences:
            raise ValueError("an experiment needs a method and a sequence; give at least one.")
        for what, least in (("rounds", 0), ("seeds", 1), ("clicks", 1)):
            if getattr(self, what) < least:
                raise ValueError(f"{what} is {getattr(self, what)}; give {least} or more.")
        if self.frames not in CONVENTIONS:
            raise ValueError(
                f"unknown convention frames={self.frames!r}; choose from {list(CONVENTIONS)}."
            )
        if self.placement not in PLACEMENTS:
            raise ValueError(
                f"unknown placement {self.placement!r}; choose from {list(PLACEMENTS)}."
            )
        Hand(self.agreement, self.jitter)  # tells what is wrong with them
        names = [method.name for method in self.methods]
        if len(set(names)) < len(names):
            raise ValueError(f"two methods are called alike in {names}; rename one.")

    @property
    def unsteady(self) -> bool:
        """Whether the robot's hand has chance in it."""
        return self.agreement < 1 or self.jitter > 0

    @classmethod
    def preset(cls, name: str, **options: Any) -> Experiment:
        """One of `PRESETS`, with the options of the class."""
        if name not in PRESETS:
            raise ValueError(f"there is no preset {name!r}; choose from {sorted(PRESETS)}.")
        return cls(name, PRESETS[name], **options)

    @classmethod
    def from_toml(cls, path: Path, **options: Any) -> Experiment:
        """Read from a file with the options of the class and a list of ``[[methods]]``.

        Options that are given here go before those of the file. Its ``costs`` are a table
        of seconds, or the name of a file beside it that has them. ``sequences`` are a list, or
        what `evavos_widget.datasets.davis.read_sequence_names` takes.
        """
        try:
            told = tomllib.loads(path.read_text())
            methods = tuple(Method(**method) for method in told.pop("methods"))
            costs = told.get("costs")
            if isinstance(costs, str):
                told["costs"] = read_costs(path.parent / costs)
            elif costs is not None:
                told["costs"] = costs_from(costs, str(path))
            about = {"name": path.stem, "methods": methods, **told, **options}
            if isinstance(about.get("sequences"), str):
                about["sequences"] = read_sequence_names(about["sequences"], about["data"])
            return cls(**about)
        except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
            raise ValueError(f"{path} does not describe an experiment: {error}.") from error


def run_loop(
    experiment: Experiment,
    method: Method,
    sequence: VideoSequence,
    obj: int,
    seed: int,
    propagator: str | Propagator,
    predictor: str | MaskPredictor,
) -> Iterator[Row]:
    """One loop, a row for each round.

    Parameters
    ----------
    experiment : Experiment
    method : Method
    sequence : Sequence
        Video and ground truth.
    obj : int
        Id of the object in the ground truth; the session knows only this one, as its first.
    seed : int
    propagator, predictor : str or object
        Engines that may be used again for the same video.
    """
    truth = {f: (m == obj).astype(np.uint8) for f, m in sequence.ground_truth.items()}
    scorer = SequenceScorer(truth, frames=experiment.frames, objects=[1])
    robot = RobotAnnotator(
        truth,
        clicks=experiment.clicks,
        placement=experiment.placement,
        hand=Hand(experiment.agreement, experiment.jitter, seed),
    )
    frame_selector, annotation_selector = selectors(method, robot, seed)
    with Session(
        sequence.video,
        propagator=propagator,
        predictor=predictor,
        frame_selector=frame_selector,
        annotation_selector=annotation_selector,
        costs=experiment.costs,
        path=None,
    ) as session:
        for selector in (frame_selector, annotation_selector):
            if hasattr(selector, "session"):
                selector.session = session
        frame = min(f for f, m in truth.items() if m.any())
        first = robot.hand.draw(truth[frame] == 1, frame, 1)
        session.annotate(frame, first, objects=[session.add_object()])
        session.propagate()
        before: Row | None = None
        for n in range(experiment.rounds + 1):
            if n:
                asked = turn(session, robot)
                if asked is None:
                    break
                frame = asked.frame
                if before is not None:
                    promised = per_second(asked.expected_gain, asked.seconds)
                    yield replace(before, expected_gain=float(promised))
            score, done = scorer.score(session.masks), session.rounds[-1]
            before = Row(
                method=method.name,
                video=sequence.name,
                object=obj,
                seed=seed,
                round=n,
                frame=frame,
                type=done.kind,
                seconds=done.seconds,
                hours=session.seconds / 3600,
                j=score.j,
                f=score.f,
                jf=score.jf,
                expected_gain=0.0,
                frames=experiment.frames,
            )
        if before is not None:
            yield before


Loop = tuple[Method, str, int, int]
"""Method, sequence, object, seed."""


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
        workers need the data at the same path.
    on_rows : callable, optional
        ``on_rows(rows, done, total)`` hears of the rows of each finished loop, those of an
        earlier run first and together.
    stop : multiprocessing Event, optional
        Once it is set, by another thread, every worker ends after the round it is in, and
        the loops that were finished by then are kept. Make it with
        ``multiprocessing.get_context("spawn").Event()``.

    Returns
    -------
    Table
        In order; complete unless it was stopped.

    Raises
    ------
    ValueError
        Something about the experiment or its data is wrong; rows that are there stay.
    RuntimeError
        Some loops failed, or a worker was killed; the rows of the others are there.
    """
    for method in experiment.methods:  # a wrong name is told before anything is computed
        selectors(method, RobotAnnotator({}), 0)
    stop = get_context("spawn").Event() if stop is None else stop
    with _executor(workers, scheduler, stop) as executor, _sentence_if_killed():
        looked = _look_at_all(experiment, executor)
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
        # A process that is idle gets a loop; a cluster gets them all.
        at_once = workers if scheduler is None else len(todo)
        for loop, result in _results(executor, experiment, waiting, at_once, stop):
            if isinstance(result, BaseException):
                failed[loop] = result
                continue
            table.append(result)
            done += 1
            if on_rows is not None:
                on_rows(result, done, total)
    table.sort()
    if failed:
        raise RuntimeError(_told(failed, done, total)) from next(iter(failed.values()))
    return table


def _look_at_all(experiment: Experiment, executor: Executor) -> dict[str, _Looked]:
    """Read all the data, in the workers, while this process tries the names of the engines."""
    looks = [executor.submit(_look, experiment, name) for name in experiment.sequences]
    engines.create("propagator", experiment.propagator)
    engines.create("predictor", experiment.predictor)
    return dict(zip(experiment.sequences, (look.result() for look in looks), strict=True))


def _loops(experiment: Experiment, looked: Mapping[str, _Looked]) -> list[Loop]:
    return [
        (method, name, obj, seed)
        for name in experiment.sequences
        for obj in looked[name].objects
        for method in experiment.methods
        for seed in range(experiment.seeds if method.random or experiment.unsteady else 1)
    ]


def _results(
    executor: Executor, experiment: Experiment, waiting: _Waiting, at_once: int, stop: Event
) -> Iterator[tuple[Loop, list[Row] | BaseException]]:
    """Run what is `waiting`, so many loops at a time; the rows of each, or what went wrong."""
    futures: dict[Future[list[Row]], Loop] = {}

    def submit(video: str | None) -> None:
        loop = waiting.take(video, [name for _, name, *_ in futures.values()])
        if loop is not None:
            futures[executor.submit(_whole_loop, experiment, *loop)] = loop

    for _ in range(at_once):
        submit(None)
    while futures:
        broken: BrokenExecutor | None = None
        ended = wait(futures, return_when=FIRST_COMPLETED).done
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
        if stop.is_set():
            for future in futures:
                future.cancel()
            continue
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
    try:
        yield
    except BrokenExecutor as error:
        raise RuntimeError(
            "a worker was killed, perhaps because memory is short; the loops that were finished "
            "are kept: run the same again, with fewer workers."
        ) from error


def _told(failed: Mapping[Loop, BaseException], done: int, total: int) -> str:
    """What went wrong in some of the loops, and what to do."""
    (method, name, obj, seed), error = next(iter(failed.items()))
    return (
        f"{len(failed)} of {total} loops failed, the first of them {method.name!r} on sequence "
        f"{name!r} (object {obj}, seed {seed}): {error or type(error).__name__}; the {done} "
        "finished ones are kept, and the same command tries the others again."
    )


def _whole_loop(
    experiment: Experiment, method: Method, name: str, obj: int, seed: int
) -> list[Row]:
    """The rows of a loop, in a worker, on one core; none if it is told to stop."""
    import cv2
    import torch

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    sequence, propagator, predictor = _opened(
        experiment.data, name, experiment.propagator, experiment.predictor
    )
    rows = []
    for row in run_loop(experiment, method, sequence, obj, seed, propagator, predictor):
        if _stop is not None and _stop.is_set():
            return []
        rows.append(row)
    return rows


_kept = threading.local()
"""In each thread of a worker: the video that it had last, and engines for it."""


def _opened(data: str, name: str, propagator: str, predictor: str) -> tuple[Any, Any, Any]:
    """A video with its engines, kept by each thread until it asks for another one.

    A propagator is kept only if what it gives does not depend on the loops before.
    """
    asked = data, name, propagator, predictor
    if getattr(_kept, "asked", None) != asked:
        _kept.asked = None
        _kept.opened = (
            open_sequence(data, name),
            engines.create("propagator", propagator),
            engines.create("predictor", predictor),
        )
        _kept.asked = asked
    sequence, engine, clicks = _kept.opened
    if not getattr(engine, "repeatable", False):
        engine = engines.create("propagator", propagator)
    return sequence, engine, clicks


@contextmanager
def _executor(workers: int, scheduler: str | None, stop: Event) -> Iterator[Executor]:
    if scheduler is not None:
        try:
            from distributed import Client
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                "a Dask cluster needs the package 'distributed', which is not installed; "
                "run: pip install 'evavos-widget[distributed]'"
            ) from error
        with Client(scheduler, set_as_default=False) as client:
            yield client.get_executor(pure=False, retries=3)
        return
    if workers < 1:
        raise ValueError(f"workers is {workers}; give 1 or more.")
    # A fork of a process with threads may never run.
    executor = ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_set_up, initargs=(stop,)
    )
    try:
        yield executor
    except BaseException:
        stop.set()
        raise
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


_stop: Event | None = None
"""In a worker: set when it shall end."""


def _set_up(stop: Event) -> None:
    """Prepare a worker; Ctrl-C is heard by the process that began it, which sets `stop`."""
    global _stop
    _stop = stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_run, daemon=True).start()


def _end_with_the_run() -> None:
    """End this worker when the process that began it is gone, even if it was killed."""
    run = parent_process()
    assert run is not None  # a worker has been spawned
    run.join()
    os._exit(1)


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
    sequence = open_sequence(experiment.data, name)
    n, masks = sequence.video.n_frames, sequence.ground_truth
    if len(masks) < n:
        some = f"masks on {len(masks)} of its {n} frames" if len(masks) else "no masks"
        raise ValueError(
            f"sequence {name!r} has {some}, and the robot annotator needs one on each; add them "
            "to Annotations, or leave the sequence out."
        )
    digest, objects = hashlib.blake2b(digest_size=8), set[int]()
    for frame in range(n):
        try:
            picture, labels = sequence.video.frame(frame), masks[frame]
        except (OSError, ValueError) as error:
            raise ValueError(
                f"frame {frame} of sequence {name!r} cannot be read ({error}); replace the file, "
                "or leave the sequence out."
            ) from error
        objects.update(np.unique(labels).tolist())
        digest.update(picture.tobytes())
        digest.update(labels.tobytes())
    objects.discard(0)
    if not objects:
        raise ValueError(f"the masks of sequence {name!r} show no object; leave it out.")
    for obj in sorted(objects):
        try:
            SequenceScorer(masks, frames=experiment.frames, objects=[obj])
        except ValueError as error:
            raise ValueError(f"object {obj} of sequence {name!r}: {error}") from error
    return _Looked(sorted(objects), n, digest.hexdigest())


def _manifest(experiment: Experiment, looked: Mapping[str, _Looked]) -> dict[str, Any]:
    """What has to be the same for rows to belong into one table."""
    about = asdict(experiment)
    about["methods"] = [asdict(method) for method in experiment.methods]
    about["sequences"] = list(experiment.sequences)
    about["version"] = VERSION
    about["hashes"] = {name: each.digest for name, each in looked.items()}
    del about["data"]  # the same data may lie elsewhere
    return about

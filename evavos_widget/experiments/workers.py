"""The processes that run the loops of an experiment, and what they keep from loop to loop."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import TYPE_CHECKING, Any

from evavos_widget import engines
from evavos_widget.datasets.davis import open_sequence
from evavos_widget.engines import MissingExtraError, Shared
from evavos_widget.experiments.experiment import Experiment, run_loop
from evavos_widget.experiments.methods import Method
from evavos_widget.experiments.table import Row
from evavos_widget.notebook import plain_warnings
from evavos_widget.quantities import as_count

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event

__all__ = ["whole_loop", "workers_for"]

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of `mallopt` (glibc's ``malloc.h``)."""

KEPT_BYTES = 32 * 2**20
"""Up to which glibc raises the threshold of mapping by itself (`mallopt(3)`)."""


@contextmanager
def workers_for(workers: int, scheduler: str | None, stop: Event) -> Iterator[Executor]:
    """Processes on this machine, or those of a Dask cluster; they end with the block.

    Parameters
    ----------
    workers : int
        Processes on this machine.
    scheduler : str or None
        Address of a Dask scheduler, which has its own workers.
    stop : multiprocessing Event
        Set where the block ends with an error, Ctrl-C included; workers on this machine then
        end after the round that they are in.

    Raises
    ------
    MissingExtraError
        ``distributed`` is not installed.
    ValueError
        Less than one worker.
    """
    if scheduler is not None:
        try:
            from distributed import Client, KilledWorker
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                "a Dask cluster needs the package 'distributed', which is not installed; "
                "run: pip install 'evavos-widget[distributed]'"
            ) from error
        with Client(scheduler, set_as_default=False) as client:
            try:
                yield client.get_executor(pure=False)
            except (CancelledError, KilledWorker) as error:
                raise BrokenExecutor(str(error)) from error
        return
    workers = as_count("workers", workers)
    # A fork of a process with threads may never run.
    executor = ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_set_up, initargs=(stop,)
    )
    try:
        with _without_interrupts():
            for _ in range(workers):  # begins a process each
                executor.submit(int)
        yield executor
    except BaseException:
        stop.set()
        raise
    finally:
        # A second Ctrl-C in the middle of it would leave workers that wait for ever, and this
        # process for them.
        with _without_interrupts():
            executor.shutdown(wait=True, cancel_futures=True)


def whole_loop(
    experiment: Experiment, shared: Shared, method: Method, name: str, obj: int, seed: int
) -> list[Row]:
    """The rows of a loop, in a worker, on one core; none if it is told to stop."""
    import cv2
    import torch

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    if "MALLOC_TRIM_THRESHOLD_" in os.environ:
        _keep_freed_memory()
    shared.adopt()
    sequence, propagator, predictor = _opened(
        experiment.data,
        name,
        experiment.propagator,
        experiment.predictor,
        method.merge,
        experiment.every,
    )
    rows = []
    for row in run_loop(experiment, method, sequence, obj, seed, propagator, predictor):
        if _stop is not None and _stop.is_set():
            return []
        rows.append(row)
    return rows


def _keep_freed_memory() -> None:
    """Let the C library keep as much of what is freed as it does where it is not told otherwise.

    Dask starts its workers with a `MALLOC_TRIM_THRESHOLD_` of 64 KiB, so that every picture and
    every layer of a network is fetched from the system anew: 40 times the page faults, and 1.6
    times the processor for a frame of the default engine.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)
        libc.mallopt(M_TRIM_THRESHOLD, 2 * KEPT_BYTES)


_kept = threading.local()
"""Each thread of a worker keeps the video that it had last, and engines for it."""


@plain_warnings()
def _opened(
    data: str,
    name: str,
    propagator: str,
    predictor: str,
    merge: str | None = None,
    every: int = 1,
) -> tuple[Any, Any, Any]:
    """A video with its engines, kept by each thread until it asks for another one.

    A propagator is kept only if what it gives does not depend on the loops before.
    """
    asked = data, name, propagator, predictor, merge, every
    options = {} if merge is None else {"merge": merge}
    if getattr(_kept, "asked", None) != asked:
        _kept.asked = None
        _kept.opened = (
            open_sequence(data, name, every),
            engines.create("propagator", propagator, **options),
            engines.create("predictor", predictor),
        )
        _kept.asked = asked
    sequence, engine, clicks = _kept.opened
    if not engine.repeatable:
        engine = engines.create("propagator", propagator, **options)
    return sequence, engine, clicks


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Hold Ctrl-C back; processes that begin here never hear it.

    A terminal, and JupyterLab, send it to all of them, even while they still import.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_stop: Event | None = None
"""A worker ends when this is set; None in a process that is no worker."""


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

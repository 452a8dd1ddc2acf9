"""An experiment that runs beside the one who started it, and can be stopped and taken up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

from evavos_widget.experiments.experiment import Experiment
from evavos_widget.experiments.run import StoppedError, run_experiment
from evavos_widget.experiments.table import Row, Table

__all__ = ["BackgroundRun", "Progress"]


_latest: dict[Path, BackgroundRun] = {}
"""A notebook's cell that is run again takes its folder over from the run that is here under it."""


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Parameters
    ----------
    phase : {'running', 'stopping', 'stopped', 'done', 'failed'}
    done, total : int
        Loops; 0 of 0 until they are counted.
    seconds_left : float or None
        None where that cannot be known.
    message : str
        What went wrong.
    """

    phase: str
    done: int = 0
    total: int = 0
    seconds_left: float | None = None
    message: str = ""


class BackgroundRun:
    """`run_experiment` in a thread of its own.

    Parameters
    ----------
    experiment : Experiment
    folder : Path
    workers : int
    scheduler : str or None
        As for `run_experiment`.
    on_change : callable
        ``on_change(progress, rows)`` hears of every change, one after the other, and of all
        rows so far.
    """

    def __init__(
        self,
        experiment: Experiment,
        folder: Path,
        workers: int,
        scheduler: str | None,
        on_change: Callable[[Progress, Sequence[Row]], None],
    ) -> None:
        self._what = experiment, folder, workers, scheduler
        self._on_change = on_change
        self._lock = threading.RLock()
        self.progress = Progress("stopped")

    def start(self) -> None:
        """Run what is missing; nothing happens where it runs already."""
        with self._lock:
            if self.progress.phase in ("running", "stopping"):
                return
            self._stop = get_context("spawn").Event()
            self._future: Future[Table] = Future()
            self._rows: list[Row] = []
            self._began: tuple[float, int] | None = None
            self._tell(Progress("running"))
        folder = self._what[1].resolve()
        earlier = _latest.get(folder, self)
        _latest[folder] = self
        threading.Thread(target=self._run, args=(earlier,), name="experiment", daemon=True).start()

    def stop(self) -> None:
        """End the run after the rounds that are being computed; finished loops are kept."""
        with self._lock:
            if self.progress.phase != "running":
                return
            self._stop.set()
            self._tell(replace(self.progress, phase="stopping"))

    def result(self, timeout: float | None = None) -> Table:
        """Wait for the end; the table, or the error that ended the run.

        Raises
        ------
        TimeoutError
            The run goes on after `timeout` seconds.
        RuntimeError
            It was stopped.
        """
        return self._future.result(timeout)

    def _run(self, earlier: BackgroundRun) -> None:
        experiment, folder, workers, scheduler = self._what
        future = self._future  # once the end is told, the run may be taken up with another one
        try:
            if earlier is not self:
                earlier.stop()
                earlier._future.exception()  # waits for its end, whatever that is
            table = run_experiment(
                experiment,
                folder,
                workers=workers,
                scheduler=scheduler,
                on_rows=self._hear,
                stop=self._stop,
            )
            done, total = self.progress.done, self.progress.total
            self._tell(replace(self.progress, phase="done" if done == total else "stopped"))
        except BaseException as error:  # whatever it is belongs to the one who asks for the result
            said = {"phase": "failed", "message": str(error) or type(error).__name__}
            if isinstance(error, StoppedError):
                said = {"phase": "stopped"}
            try:
                self._tell(replace(self.progress, **said))
            finally:
                future.set_exception(error)
            return
        if done == total:
            future.set_result(table)
        else:
            future.set_exception(
                RuntimeError(
                    f"the run was stopped after {done} of {total} loops; "
                    "run it again to go on from there."
                )
            )

    def _hear(self, rows: Sequence[Row], done: int, total: int) -> None:
        self._rows.extend(rows)
        now = time.monotonic()
        if self._began is None:
            self._began = now, done
        began, before = self._began
        left = (now - began) / (done - before) * (total - done) if done > before else None
        with self._lock:
            self._tell(Progress(self.progress.phase, done, total, left))

    def _tell(self, progress: Progress) -> None:
        with self._lock:
            self.progress = progress
            self._on_change(progress, self._rows)

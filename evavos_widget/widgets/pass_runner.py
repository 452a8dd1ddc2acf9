"""Propagation passes as a page drives them: started, paused, gone on with, given up, and told."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, cast

from evavos_widget.widgets.host import Host, Pushed
from evavos_widget.widgets.requests import Handler, Reply, Request, RequestError, Runs, sentence

if TYPE_CHECKING:
    from evavos_widget.loop import PropagationStep
    from evavos_widget.session import Session

__all__ = ["PassRunner", "frames_that_wait"]

_log = logging.getLogger(__name__)

_IDLE: dict[str, Any] = {
    "phase": "idle",
    "name": "",
    "done": 0,
    "total": 0,
    "remaining_seconds": None,
    "message": "",
}

_LEAVES_MASKS = frozenset({"object.update", "snooze", "snooze.end"})
"""Changes after which a running pass is as good as before."""


class PassRunner:
    """Runs a session's passes on a host's worker, a frame at a time.

    It serves ``job.start``, ``job.pause``, ``job.resume`` and ``job.cancel``, and pushes ``job``.

    Parameters
    ----------
    session : Session
    host : Host
        Not yet started; the passes are its background.

    Attributes
    ----------
    job : dict
        ``Job`` in the catalogue.
    """

    def __init__(self, session: Session, host: Host) -> None:
        self._session = session
        self._host = host

        # Only touched under the host's lock.
        self.job = _IDLE
        self._wanted = False
        self._frames: range | None = None  # None: all that wait
        self._outdated = False
        self._paused = False

        # The worker's own.
        self._steps: Generator[PropagationStep] | None = None
        self._seconds = 0.0

        host.background = self
        host.serve(
            {
                "job.start": Handler(self._start, changes=True),
                "job.pause": Handler(self._pause, runs=Runs.AT_ONCE, changes=True),
                "job.resume": Handler(self._go_on, runs=Runs.AT_ONCE, changes=True),
                "job.cancel": Handler(self._cancel, runs=Runs.AT_ONCE, changes=True),
            },
            {"job": Pushed(lambda _: ({"job": self.job}, []))},
        )

    @property
    def busy(self) -> bool:
        """Whether a pass runs or is paused."""
        return self._wanted

    def note_change(self, kind: str) -> None:
        """Hear, on any thread, that the session changed: a pass may work on old news."""
        if kind not in _LEAVES_MASKS:
            with self._host.lock:
                self._outdated = True

    def want(self, frames: range | None = None) -> bool:
        """Start a pass over the waiting frames among `frames`, by default all of them.

        A pass that runs already takes them in, and goes on if it was paused. False where
        that changes nothing: it covers them, or no frame waits.
        """
        if not self._waiting(frames):
            return False
        with self._host.lock:
            if not self._wanted:
                self._wanted, self._frames = True, frames
                self._set_job({**_IDLE, "phase": "running", "name": "propagate"})
                return True
            resumed, old = self._resume(), self._frames
            if old is None or (frames and frames[0] in old and frames[-1] in old):
                return resumed
            both = None if frames is None else (min(old[0], frames[0]), max(old[-1], frames[-1]))
            self._frames = None if both is None else range(both[0], both[1] + 1)
            self._outdated = True
        return True

    # Requests ----------------------------------------------------------------------

    def _start(self, request: Request) -> Reply:
        job = request.fields.text("job")
        if job != "propagate":
            raise RequestError("invalid", f"there is no job {job!r}; the one job is 'propagate'.")
        frames = request.fields.frame_range("frames", self._session.video.n_frames)
        started = self.want(frames)
        if not started and not self._waiting(frames):
            self._host.write_log("info", "no frame waits for a pass there.")
        return {"started": started}, []

    def _pause(self, request: Request) -> Reply:
        with self._host.lock:
            running = self.job["phase"] == "running"
            if running:
                self._paused = True
                self._set_job({**self.job, "phase": "paused"})
        return {"paused": running}, []

    def _go_on(self, request: Request) -> Reply:
        with self._host.lock:
            return {"resumed": self._resume()}, []

    def _cancel(self, request: Request) -> Reply:
        with self._host.lock:
            running = self.job["phase"] in ("running", "paused")
            if running:
                self._wanted = self._paused = False
                self._set_job({**self.job, "phase": "cancelling"})
        return {"cancelled": running}, []

    def _resume(self) -> bool:
        """Under the lock."""
        was, self._paused = self._paused, False
        if was:
            self._set_job({**self.job, "phase": "running"})
        return was

    def _set_job(self, job: dict[str, Any]) -> None:
        """Under the lock."""
        self.job = job
        self._host.note("job")

    # The host's background -----------------------------------------------------------

    def due(self) -> bool:
        """Whether a pass is to be begun, gone on with, or let go of."""
        if self._paused:
            return False
        # One that was given up before its first step has none, and still comes to its end.
        return self._wanted or self._steps is not None or self.job["phase"] == "cancelling"

    def advance(self) -> None:
        """One step of the pass, from its start to its end.

        A pass that works on old news begins again with the frames that wait now.
        """
        started = time.monotonic()
        with self._host.lock:
            outdated, self._outdated = self._outdated, False
            wanted = self._wanted
        try:
            if outdated or not wanted:
                self._let_go()
            step = self._next_step() if wanted else None
            if step is None and not self._outdated:
                self._finish(self._outcome())
        except Exception as error:
            if self._session.closed:  # on another thread, before the first step: nothing failed
                self.drop()
                return
            _log.exception("propagation failed")
            said = f"propagation stopped: {sentence(error)}"
            self._host.write_log("error", said)
            self._finish(said)
            return
        if step is None:
            return
        self._seconds += time.monotonic() - started
        done, total = int(step.done), int(step.total)
        remaining = self._seconds / done * (total - done)
        progress = {"done": done, "total": total, "remaining_seconds": round(remaining, 2)}
        with self._host.lock:
            self._set_job({**self.job, **progress})

    def drop(self) -> None:
        """Let go of the pass, and say so; what it did so far stays."""
        self._let_go()
        with self._host.lock:
            if self.job["phase"] != "idle":
                self._wanted = self._paused = False
                self._set_job({**_IDLE, "message": "stopped; run the cell again to go on"})

    def _let_go(self) -> None:
        dropped, self._steps = self._steps, None
        if dropped is not None:
            dropped.close()

    def _next_step(self) -> PropagationStep | None:
        if self._steps is None:
            steps = self._session.propagation(self._frames)
            self._steps = cast("Generator[PropagationStep]", steps)
            self._seconds = 0.0
        return next(self._steps, None)

    def _outcome(self) -> str:
        waiting = len(self._session.stale)
        if waiting == 0:
            return "every mask is up to date"
        finished = self._wanted and not self._waiting(self._frames)
        return f"{'done' if finished else 'stopped'}; {frames_that_wait(waiting)} for a pass"

    def _waiting(self, frames: range | None) -> frozenset[int]:
        stale = self._session.stale
        return stale if frames is None else stale.intersection(frames)

    def _finish(self, message: str) -> None:
        self._let_go()
        with self._host.lock:
            self._wanted = self._paused = False
            self._host.note_change()
            self._set_job({**_IDLE, "message": message})


def frames_that_wait(number: int) -> str:
    """Subject and verb of a sentence."""
    return "1 frame waits" if number == 1 else f"{number} frames wait"

"""What the policy explorer's page may ask, and what it is told: an inspection behind a host."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from evavos_widget.inspection import Branch, Inspection, compared, what_if
from evavos_widget.loop import types_taken
from evavos_widget.masks import encode_runs
from evavos_widget.prompts import ANNOTATION_TYPES
from evavos_widget.session.recording import Moment
from evavos_widget.widgets.catalogue import catalogue
from evavos_widget.widgets.host import Host, Pushed, Send
from evavos_widget.widgets.requests import (
    Handler,
    Reply,
    Request,
    RequestError,
    Runs,
    Urgency,
    sentence,
)

if TYPE_CHECKING:
    from evavos_widget.robot.annotator import RobotAnnotator

__all__ = ["PolicyController"]

_log = logging.getLogger(__name__)

_IDLE: dict[str, Any] = {"phase": "idle", "done": 0, "total": 0, "message": ""}

NO_TRUTH = (
    "what would follow is found out by the robot, which answers from the truth, and there is none "
    "here; give it to PolicyExplorer(session, ground_truth=...)."
)


class PolicyController:
    """Serves any number of views of one inspection.

    Parameters
    ----------
    inspection : Inspection
    send : callable
        As for `Host`.
    second : Inspection, optional
        To compare with.
    names : pair of str
        Of the two policies.
    robot : RobotAnnotator, optional
        Who tries something else.
    engines : mapping
        As for `what_if`.

    Attributes
    ----------
    host : Host
    """

    def __init__(
        self,
        inspection: Inspection,
        send: Send,
        *,
        second: Inspection | None = None,
        names: tuple[str, str] = ("first", "second"),
        robot: RobotAnnotator | None = None,
        engines: Mapping[str, Any] | None = None,
    ) -> None:
        self.inspection, self.second, self.names = inspection, second, names
        self._tried: list[tuple[Moment, Branch]] = []
        self._robot, self._engines = robot, dict(engines or {})
        self._trying = ThreadPoolExecutor(1, thread_name_prefix="evavos-what-if")

        # Only touched under the host's lock.
        self._job = _IDLE
        self._cancelled = False
        self._next = 0  # round that is looked at while nobody asks for anything
        self._rows: list[dict[str, Any]] | None = None

        self.host = Host(
            catalogue("policy"),
            send,
            video=inspection.session.video,
            state=self._state,
            catch_up=self._catch_up,
        )
        self.host.background = self
        self.host.serve(
            {
                "round.get": Handler(self._round, Urgency.FETCH),
                "map.get": Handler(self._map, Urgency.FETCH),
                "mask.get": Handler(self._mask, Urgency.FETCH),
                "disagreement.get": Handler(self._disagreement, runs=Runs.ASIDE),
                "whatif.start": Handler(self._start, runs=Runs.AT_ONCE),
                "whatif.cancel": Handler(self._cancel, runs=Runs.AT_ONCE),
            },
            {"whatif": Pushed(lambda _: ({"job": self._job}, []))},
        )
        sessions = {id(each.session): each.session for each in (inspection, second) if each}
        self._unsubscribe = [session.subscribe(self._hear) for session in sessions.values()]
        self.host.start()

    def close(self) -> None:
        """Give up what is tried, stop the worker, and let the sessions go; they stay open."""
        self._let_go()
        self._trying.shutdown()
        self.host.close()

    @property
    def branches(self) -> tuple[Branch, ...]:
        """What was tried in states that are still those of the session's rounds, in order."""
        moment = self.inspection.recording.moment
        return tuple(
            branch for then, branch in list(self._tried) if then.is_still(moment(branch.round))
        )

    def what_if(
        self,
        n: int,
        frame: int,
        obj: int,
        kind: str,
        on_step: Callable[[int, int], bool] | None = None,
    ) -> Branch | None:
        """Try something else, see `evavos_widget.inspection.what_if`, and keep what comes of it."""
        then = self.inspection.recording.moment(n)
        robot, engines = self._robot, self._engines
        branch = what_if(
            self.inspection, n, frame, obj, kind, robot=robot, on_step=on_step, **engines
        )
        if branch is not None:
            self._tried.append((then, branch))
            self.host.note_change()
        return branch

    def _hear(self, event: str, payload: dict[str, Any]) -> None:
        if event == "closed":
            self._let_go()
            self.host.stop()
        elif event in ("changed", "propagated"):
            with self.host.lock:
                self._next = max(0, min(self._next, len(self.inspection) - 1))
                self._rows = None
            self.host.note_change()

    def _let_go(self) -> None:
        with self.host.lock:
            self._cancelled = True
        for unsubscribe in self._unsubscribe:
            unsubscribe()

    # What the views are told, on the worker -----------------------------------------

    def _catch_up(self) -> None:
        self.host.note("state")

    def _state(self) -> dict[str, Any]:
        inspection, session = self.inspection, self.inspection.session
        taken = types_taken(session.predictor)
        comparison = None
        if self.second is not None:
            comparison = {"names": list(self.names), "rows": self._rows or []}
        return {
            "revision": session.revision,
            "rounds": [
                {
                    "frame": made.frames[0],
                    "object": made.objects[0],
                    "kind": made.kind,
                    "seconds": made.seconds,
                }
                for made in session.rounds
            ],
            "objects": [{"id": o.id, "name": o.name, "color": o.color} for o in session.objects],
            "policy": [inspection.frame_selector.name, inspection.annotation_selector.name],
            "truth": inspection.truth is not None,
            "branches": [asdict(branch) for branch in self.branches],
            "kinds": [k for k in ANNOTATION_TYPES if k in taken - {"points"}],
            "comparison": comparison,
            "job": self._job,
        }

    # The host's background: what will be asked for is known before it is -------------

    def due(self) -> bool:
        """Whether a round was not looked at yet, or the comparison not made."""
        return self._next <= len(self.inspection) or (
            self.second is not None and self._rows is None
        )

    def advance(self) -> None:
        """Look at one more round."""
        with self.host.lock:
            n, self._next = self._next, self._next + 1
        try:
            if n <= len(self.inspection):
                self.inspection.round(n)
                if self.second is not None and n <= len(self.second):
                    self.second.choice(n)
            elif self.second is not None:
                rows = compared(self.inspection, self.second)
                with self.host.lock:
                    self._rows = rows
                self.host.note("state")
        except Exception as error:
            _log.exception("round %d could not be looked at", n)
            with self.host.lock:
                self._rows = self._rows or []
            self.host.write_log("error", f"round {n}: {sentence(error)}")

    def drop(self) -> None:
        """Nothing is left behind."""

    # Requests ----------------------------------------------------------------------

    def _round(self, request: Request) -> Reply:
        return {"told": self.inspection.round(self._asked(request))}, []

    def _map(self, request: Request) -> Reply:
        n, obj = self._asked(request), request.fields.integer("object")
        places = self.inspection.map(n, obj)
        return {"places": np.round(places.astype(float), 5).tolist()}, []

    def _mask(self, request: Request) -> Reply:
        fields = request.fields
        frame = fields.frame("frame", self.inspection.session.video.n_frames)
        mask = self.inspection.mask(self._asked(request), frame, fields.integer("object"))
        return {}, [encode_runs(mask.astype(np.uint8)).astype("<u4").tobytes()]

    def _disagreement(self, request: Request) -> Reply:
        n, obj = self._asked(request), request.fields.integer("object")
        apart = self.inspection.disagreement(n, obj, **self._engines)
        if apart is None:
            return {"apart": None}, []
        return {"apart": [None if np.isnan(v) else round(float(v), 4) for v in apart]}, []

    def _start(self, request: Request) -> Reply:
        fields, session = request.fields, self.inspection.session
        n, frame = self._asked(request), fields.frame("frame", session.video.n_frames)
        obj, kind = fields.integer("object"), fields.text("annotation_type")
        if kind not in ANNOTATION_TYPES:
            raise RequestError(
                "invalid", f"there is no type {kind!r}; choose from {list(ANNOTATION_TYPES)}."
            )
        if self.inspection.truth is None:
            raise RequestError("invalid", NO_TRUTH)
        with self.host.lock:
            if self._job["phase"] == "running":
                return {"started": False}, []
            self._cancelled = False
            self._set_job({**_IDLE, "phase": "running", "message": f"{kind} on frame {frame}"})
        self._trying.submit(self._try, n, frame, obj, kind)
        return {"started": True}, []

    def _cancel(self, request: Request) -> Reply:
        with self.host.lock:
            running = self._job["phase"] == "running"
            self._cancelled = self._cancelled or running
        return {"cancelled": running}, []

    def _try(self, n: int, frame: int, obj: int, kind: str) -> None:
        """On a thread of its own."""
        try:
            branch = self.what_if(n, frame, obj, kind, self._stepped)
        except Exception as error:
            _log.exception("what if failed")
            with self.host.lock:
                self._set_job({**_IDLE, "phase": "failed", "message": sentence(error)})
            return
        with self.host.lock:
            if branch is None:
                self._set_job({**_IDLE, "phase": "cancelled", "message": "given up"})
                return
            self._set_job({**_IDLE, "phase": "done", "message": f"{branch.kind} on frame {frame}"})

    def _stepped(self, done: int, total: int) -> bool:
        with self.host.lock:
            if self._cancelled:
                return False
            self._set_job({**self._job, "done": done, "total": total})
        return True

    def _set_job(self, job: dict[str, Any]) -> None:
        """Under the lock."""
        self._job = job
        self.host.note("whatif")

    def _asked(self, request: Request) -> int:
        n = request.fields.integer("round")
        if not 0 <= n <= len(self.inspection):
            raise RequestError(
                "invalid", f"there is no round {n}; give 0 to {len(self.inspection)}."
            )
        return n

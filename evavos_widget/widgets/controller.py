"""The kernel's half of the annotator: requests in, replies and pushes out, one worker.

No widget and no comm in here: what arrives is handed to `Controller.handle`, what leaves
goes through the `send` it was given. A Jupyter host calls from the main thread or from a
subshell's, often from both at once, so `handle` only enqueues; the session, its engines
and nearly every reply belong to the worker. It answers what the person waits for first,
then pictures and masks, and gives the rest of its time to a propagation pass, one step
after the other. Exports, which only read and take long, have a thread of their own.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from evavos_widget.widgets.catalogue import CREDIT_WINDOW, VERSION
from evavos_widget.widgets.mask_runs import pack_masks, unpack_mask
from evavos_widget.widgets.outbox import MAX_LOG, Outbox, Push
from evavos_widget.widgets.requests import Request, RequestError, RequestQueue, Urgency
from evavos_widget.widgets.snapshot import capabilities, snapshot
from evavos_widget.widgets.thumbnail import thumbnail

if TYPE_CHECKING:
    from evavos_widget.loop import PropagationStep, Suggestion
    from evavos_widget.session import Session

__all__ = ["Controller"]

Reply = tuple[dict[str, Any], list[bytes]]
Send = Callable[[dict[str, Any], list[bytes]], None]

_log = logging.getLogger(__name__)

#: How many suggestions are offered: the best one, and what instead.
PROPOSALS = 3

#: The most that one annotation made in a page counts, in seconds. The page measures from the
#: moment the frame is shown, so a lunch in between would be paid for as work; five minutes are
#: nearly four times what drawing a whole mask takes on average (80 s, EVA-VOS Sec. 3).
LONGEST_ANNOTATION = 300.0

_IDLE: dict[str, Any] = {
    "phase": "idle",
    "name": "",
    "done": 0,
    "total": 0,
    "remaining_seconds": None,
    "message": "",
}


class Controller:
    """Serves any number of views of one session.

    Parameters
    ----------
    session : Session
    send : callable
        ``send(content, buffers)`` takes one message to the browser. It is called from
        the worker, and for the few requests answered at once from the caller's thread.
    read_only : bool
        Refuse every request that would change the session; may be set later.
    suggested : callable, optional
        ``suggested(suggestion)`` hears, on the worker, of every new suggestion, and of
        None when there is no longer one.
    """

    def __init__(
        self,
        session: Session,
        send: Send,
        *,
        read_only: bool = False,
        suggested: Callable[[Suggestion | None], None] | None = None,
    ) -> None:
        self.session = session
        self.read_only = read_only
        self._send_message = send
        self._suggested = suggested

        # Shared between threads, only touched under the lock. The session is never called
        # under it: its own callback takes this lock, so that order would be a deadlock.
        self._lock = threading.Condition()
        self._queue = RequestQueue()
        self._running: Request | None = None
        self._abandoned = False
        self._views: dict[str, Outbox] = {}
        self._log: deque[dict[str, Any]] = deque(maxlen=MAX_LOG)
        self._job = _IDLE
        self._pass_wanted = False
        self._pass_frames: range | None = None  # None: all that wait
        self._pass_outdated = False
        self._paused = False
        self._session_changed = True
        self._closing = False

        # The worker's own.
        self._pass: Generator[PropagationStep] | None = None
        self._pass_seconds = 0.0
        self._seen = session.revisions
        self._revisions = list(session.revisions)
        self._masks_seen = session.masks
        self._before: dict[int, tuple[int, np.ndarray]] = {}  # what the last change replaced
        self._suggestions: list[Suggestion] = []

        self._at_once: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "bye": self._bye,
            "ack": self._ack,
            "cancel": self._cancel,
            "job.cancel": self._cancel_job,
            "job.pause": self._pause_job,
            "job.resume": self._resume_job,
        }
        self._handlers: dict[str, tuple[Urgency, Callable[[Request], Reply]]] = {
            "hello": (Urgency.INTERACTIVE, self._hello),
            "frame.get": (Urgency.FETCH, self._get_frame),
            "mask.get": (Urgency.FETCH, self._get_masks),
            "prompt.preview": (Urgency.INTERACTIVE, self._preview),
            "mask.commit": (Urgency.INTERACTIVE, self._commit),
            "object.add": (Urgency.INTERACTIVE, self._add_object),
            "object.update": (Urgency.INTERACTIVE, self._update_object),
            "object.remove": (Urgency.INTERACTIVE, self._remove_object),
            "object.merge": (Urgency.INTERACTIVE, self._merge_objects),
            "annotation.remove": (Urgency.INTERACTIVE, self._remove_annotation),
            "history.undo": (Urgency.INTERACTIVE, self._undo),
            "history.redo": (Urgency.INTERACTIVE, self._redo),
            "job.start": (Urgency.INTERACTIVE, self._start_job),
            "suggestion.snooze": (Urgency.INTERACTIVE, self._snooze),
        }
        self._unsubscribe = session.subscribe(self._note_change)
        self._worker = threading.Thread(target=self._work, name="evavos-controller", daemon=True)
        self._worker.start()
        self._exporter = ThreadPoolExecutor(1, thread_name_prefix="evavos-export")

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of request that are understood."""
        return frozenset(self._handlers) | frozenset(self._at_once) | {"export.run"}

    @property
    def suggestion(self) -> Suggestion | None:
        """What the views show as the next thing to do."""
        return next(iter(self._suggestions), None)

    # From any thread ---------------------------------------------------------------

    def handle(self, message: Any, buffers: list[Any] | None = None) -> None:
        """Take in one request; never raises and never waits for the worker.

        Parameters
        ----------
        message : dict
            ``{v, id, kind, ...}`` as the catalogue has it.
        buffers : list of bytes-like, optional
        """
        request_id = message.get("id") if isinstance(message, dict) else None
        try:
            self._accept(message, list(buffers or ()))
        except Exception as error:
            self._refuse(request_id, error, _kind_of(message))

    def _accept(self, message: Any, buffers: list[Any]) -> None:
        kind = _kind_of(message)
        if kind not in self.kinds:
            raise RequestError(
                "unknown_kind",
                f"there is no request {kind!r}; reload the page so that it fits the kernel.",
            )
        if message.get("v", VERSION) != VERSION:
            raise RequestError(
                "version",
                f"the page speaks version {message['v']} and the kernel version "
                f"{VERSION}; reload the page.",
            )
        if self.read_only and kind in _CHANGES:
            raise RequestError("read_only", "this annotator is read-only; nothing was changed.")
        if kind in self._at_once:
            reply = self._at_once[kind](message)
            if kind != "ack":
                self._send({"id": message.get("id"), "ok": True, **reply})
            return
        if kind == "export.run":
            with self._lock:
                self._check_open()
                self._exporter.submit(self._export, str(_field(message, "id")), message)
            return
        request = Request(
            id=str(_field(message, "id")),
            kind=kind,
            message=message,
            buffers=buffers,
            urgency=self._handlers[kind][0],
            view=_view_of(message["id"]),
        )
        superseded = []
        with self._lock:
            self._check_open()
            if kind == "prompt.preview":
                superseded = self._queue.remove(
                    lambda r: r.kind == "prompt.preview" and r.view == request.view
                )
            self._queue.add(request)
            self._lock.notify()
        for old in superseded:
            self._fail(old.id, "superseded", "a newer preview was asked for.")

    def _check_open(self) -> None:
        if self._closing:
            raise RequestError("closed", _CLOSED)

    def _note_change(self, event: str, payload: dict[str, Any]) -> None:
        """Hear from the session that somebody changed it: every view is to learn of it.

        A session that is closed, or open again in a cell that was run again, ends the worker.
        """
        if event == "closed":
            self._stop()
            self._exporter.shutdown(wait=False)
            return
        with self._lock:
            self._session_changed = True
            if event == "changed" and payload["kind"] not in _LEAVES_MASKS:
                self._pass_outdated = True
            self._lock.notify()

    def _bye(self, message: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            self._views.pop(str(_field(message, "view")), None)
        return {}

    def _ack(self, message: dict[str, Any]) -> dict[str, Any]:
        view, number = str(_field(message, "view")), _integer(message, "push")
        with self._lock:
            outbox = self._views.get(view)
            if outbox is None:
                # Given up while its page slept; tell it everything from here on.
                outbox = self._views[view] = Outbox(CREDIT_WINDOW, sent=number)
                outbox.note_state()
                outbox.note_job()
                outbox.note_masks(range(len(self._revisions)))
            outbox.acknowledge(number)
            self._lock.notify()
        return {}

    def _cancel(self, message: dict[str, Any]) -> dict[str, Any]:
        target = str(_field(message, "target"))
        with self._lock:
            given_up = [r.id for r in self._queue.remove(lambda r: r.id == target)]
            running = self._running
            if running and running.id == target and running.kind not in _CHANGES:
                self._abandoned = True
                given_up.append(target)
        for request_id in given_up:
            self._fail(request_id, "cancelled", "the request was given up.")
        return {}

    def _cancel_job(self, message: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            running = self._job["phase"] in ("running", "paused")
            if running:
                self._pass_wanted = self._paused = False
                self._set_job({**self._job, "phase": "cancelling"})
                self._lock.notify()
        return {"cancelled": running}

    def _pause_job(self, message: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            running = self._job["phase"] == "running"
            if running:
                self._paused = True
                self._set_job({**self._job, "phase": "paused"})
                self._lock.notify()
        return {"paused": running}

    def _resume_job(self, message: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            return {"resumed": self._resume()}

    def _resume(self) -> bool:
        """Under the lock."""
        was, self._paused = self._paused, False
        if was:
            self._set_job({**self._job, "phase": "running"})
            self._lock.notify()
        return was

    def close(self) -> None:
        """Stop the worker, give up what waits, and let the session go; it stays open."""
        self._stop()
        if threading.current_thread() is not self._worker:
            self._worker.join()
        self._exporter.shutdown()

    def _stop(self) -> None:
        """Let the worker end after what it is doing; every request is refused from here on."""
        with self._lock:
            already, self._closing = self._closing, True
            left = self._queue.remove(lambda r: True)
            self._lock.notify()
        if already:
            return
        self._unsubscribe()
        for request in left:
            self._fail(request.id, "closed", _CLOSED)

    # The worker --------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            with self._lock:
                while not self._closing and not self._anything_to_do():
                    self._lock.wait(self._next_push_in())
                if self._closing:
                    break
                request = self._running = self._queue.pop()
                self._abandoned = False
            if request is not None:
                self._answer(request)
            elif self._pass_due():
                self._advance_pass()
            try:
                self._tell_views()
            except Exception as error:
                _log.exception("the views could not be told what changed")
                self.write_log("error", f"this view may be out of date: {_sentence(error)}")
        self._drop_pass()

    def _anything_to_do(self) -> bool:
        return bool(
            self._queue or self._pass_due() or self._session_changed or self._next_push_in() == 0
        )

    def _pass_due(self) -> bool:
        return not self._paused and (self._pass is not None or self._pass_wanted)

    def _next_push_in(self) -> float | None:
        now = time.monotonic()
        due = [d for o in self._views.values() if (d := o.due_in(now)) is not None]
        return min(due, default=None)

    def _answer(self, request: Request) -> None:
        try:
            fields, buffers = self._handlers[request.kind][1](request)
        except Exception as error:
            with self._lock:
                self._running, abandoned = None, self._abandoned
            if not abandoned:
                self._refuse(request.id, error, request.kind)
            return
        with self._lock:
            self._running, abandoned = None, self._abandoned
        if not abandoned:
            self._send({"id": request.id, "ok": True, **fields}, buffers)

    def _advance_pass(self) -> None:
        """One step of the propagation pass, from its start to its end.

        A pass that works on old news begins again with the frames that wait now.
        """
        started = time.monotonic()
        with self._lock:
            outdated, self._pass_outdated = self._pass_outdated, False
            wanted = self._pass_wanted
        try:
            if outdated or not wanted:
                self._drop_pass()
            step = self._next_step() if wanted else None
            if step is None and not self._pass_outdated:
                self._finish_pass(self._outcome())
        except Exception as error:
            _log.exception("propagation failed")
            sentence = f"propagation stopped: {_sentence(error)}"
            self.write_log("error", sentence)
            self._finish_pass(sentence)
            return
        if step is None:
            return
        self._pass_seconds += time.monotonic() - started
        remaining = self._pass_seconds / step.done * (step.total - step.done)
        progress = {
            "done": step.done,
            "total": step.total,
            "remaining_seconds": round(remaining, 2),
        }
        with self._lock:
            self._set_job({**self._job, **progress})

    def _next_step(self) -> PropagationStep | None:
        if self._pass is None:
            steps = self.session.propagation(self._pass_frames)
            self._pass = cast("Generator[PropagationStep]", steps)
            self._pass_seconds = 0.0
        return next(self._pass, None)

    def _outcome(self) -> str:
        waiting = len(self.session.stale)
        if waiting == 0:
            return "every mask is up to date"
        finished = self._pass_wanted and not self._waiting(self._pass_frames)
        return (
            f"{'done' if finished else 'stopped'}; "
            f"{'1 frame waits' if waiting == 1 else f'{waiting} frames wait'} for a pass"
        )

    def _waiting(self, frames: range | None) -> frozenset[int]:
        stale = self.session.stale
        return stale if frames is None else stale.intersection(frames)

    def _drop_pass(self) -> None:
        dropped, self._pass = self._pass, None
        if dropped is not None:
            dropped.close()

    def _finish_pass(self, message: str) -> None:
        self._drop_pass()
        with self._lock:
            self._pass_wanted = self._paused = False
            self._session_changed = True
            self._set_job({**_IDLE, "message": message})

    def _want_pass(self, frames: range | None = None) -> bool:
        """Start a pass over the waiting frames among `frames`, by default all of them.

        A pass that runs already takes them in, and goes on if it was paused. False where
        that changes nothing: it covers them, or no frame waits.
        """
        if not self._waiting(frames):
            return False
        with self._lock:
            if not self._pass_wanted:
                self._pass_wanted, self._pass_frames = True, frames
                self._set_job({**_IDLE, "phase": "running", "name": "propagate"})
                return True
            resumed, old = self._resume(), self._pass_frames
            if old is None or (frames and frames[0] in old and frames[-1] in old):
                return resumed
            both = None if frames is None else (min(old[0], frames[0]), max(old[-1], frames[-1]))
            self._pass_frames = None if both is None else range(both[0], both[1] + 1)
            self._pass_outdated = True
        return True

    def _set_job(self, job: dict[str, Any]) -> None:
        """Under the lock."""
        self._job = job
        for outbox in self._views.values():
            outbox.note_job()

    # Telling the views -------------------------------------------------------------

    def _tell_views(self) -> None:
        """Send every push that is due; masks and state are read when they leave."""
        self._notice_changes()
        now = time.monotonic()
        with self._lock:
            for view in [v for v, o in self._views.items() if o.silent(now)]:
                _log.warning("view %s stopped answering and is left alone", view)
                del self._views[view]
            due = {view: outbox.take(now) for view, outbox in self._views.items()}
            job = self._job
        state = None
        for view, pushes in due.items():
            for push in pushes:
                if push.kind == "state" and state is None:
                    state = self._state()
                fields, buffers = self._content(push, state, job)
                self._send(
                    {"view": view, "push": push.number, "kind": push.kind, **fields}, buffers
                )

    def _content(self, push: Push, state: Any, job: dict[str, Any]) -> Reply:
        if push.kind == "state":
            return {"state": state}, []
        if push.kind == "job":
            return {"job": job}, []
        if push.kind == "log":
            return push.subject, []
        return self._masks(push.subject)

    def _notice_changes(self) -> None:
        with self._lock:
            changed, self._session_changed = self._session_changed, False
        if not changed:
            return
        seen, self._seen = self._seen, self.session.revisions
        old, self._masks_seen = self._masks_seen, self.session.masks
        frames = [i for i, (a, b) in enumerate(zip(seen, self._seen, strict=True)) if a != b]
        for i in frames:
            if not np.array_equal(old.runs(i), self._masks_seen.runs(i)):
                self._before[i] = self._revisions[i], old.runs(i)
            # Undo brings a frame's old revision back; to a view numbers only ever grow.
            self._revisions[i] = max(self.session.revision, self._revisions[i] + 1)
        with self._lock:
            busy = self._pass_wanted
            for outbox in self._views.values():
                outbox.note_state()
                outbox.note_masks(frames)
        before, self._suggestions = self.suggestion, [] if busy else self._suggest()
        if self.suggestion == before:
            return
        for proposal in self._suggestions:
            if proposal.kind != "mask":
                self.session.prepare(proposal.frame)
        if self._suggested is not None:
            self._suggested(self.suggestion)

    def _suggest(self) -> list[Suggestion]:
        try:
            return self.session.suggestions(PROPOSALS)
        except Exception as error:
            _log.exception("no suggestion")
            self.write_log("error", f"no suggestion: {_sentence(error)}")
            return []

    def _state(self) -> dict[str, Any]:
        return snapshot(self.session, self._revisions, self._suggestions, self._job)

    def _masks(self, frames: list[int], with_before: bool = False) -> Reply:
        # Numbers first: a mask may be newer than its number, never older.
        self._notice_changes()
        masks = self.session.masks
        sent = []
        for f in frames:
            if with_before and f in self._before:
                sent.append((f, *self._before[f]))
            sent.append((f, self._revisions[f], masks.runs(f)))
        places, buffers = pack_masks(sent)
        return {"masks": places}, buffers

    def write_log(self, level: str, message: str, told: str | None = None) -> None:
        """Write a line in the log of every view but the one that was `told` by its reply.

        The latest are kept for views that open later: a page may be closed, or reloaded,
        when something goes wrong.
        """
        line = {"level": level, "message": message, "time": time.time()}
        with self._lock:
            self._log.append(line)
            for view, outbox in self._views.items():
                if view != told:
                    outbox.note_log(line)
            self._lock.notify()

    def _send(self, content: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        try:
            self._send_message(content, buffers or [])
        except Exception:
            _log.exception("a message could not be sent to the browser")

    def _fail(self, request_id: Any, code: str, message: str) -> None:
        self._send({"id": request_id, "ok": False, "error": {"code": code, "message": message}})

    def _refuse(self, request_id: Any, error: Exception, kind: Any) -> None:
        """Answer with the error, and write it where the other views and Python can see it."""
        code, sentence = _code(error), _sentence(error)
        if code == "failed":
            _log.error("%s failed", kind, exc_info=error)
        else:
            _log.warning("%s: %s", kind, sentence)
        self._fail(request_id, code, sentence)
        self.write_log("error", sentence, told=_view_of(request_id))

    # Requests, on the worker -------------------------------------------------------

    def _hello(self, request: Request) -> Reply:
        view = str(_field(request.message, "view"))
        self._notice_changes()
        with self._lock:
            outbox = self._views[view] = Outbox(CREDIT_WINDOW)
            for line in self._log:
                outbox.note_log(line)
            for level, sentences in (
                ("warning", self.session.warnings),
                ("info", self.session.notices),
            ):
                for sentence in sentences:
                    outbox.note_log({"level": level, "message": sentence, "time": time.time()})
        return {"state": self._state(), "capabilities": capabilities(self.session)}, []

    def _get_frame(self, request: Request) -> Reply:
        frame, width = self._frame(request.message), request.message.get("width")
        reply = {"frame": frame, "mime": "image/jpeg"}
        if width is None:
            return reply, [self.session.video.jpeg(frame)]
        return reply, [thumbnail(self.session.video, frame, _integer(request.message, "width"))]

    def _get_masks(self, request: Request) -> Reply:
        frames = _field(request.message, "frames")
        if not isinstance(frames, list):
            raise RequestError("malformed", f"frames is {frames!r}; send a list of frame indices.")
        return self._masks([self._frame({"frame": f}) for f in frames], with_before=True)

    def _preview(self, request: Request) -> Reply:
        from evavos_widget.masks import encode_runs

        message = request.message
        started = time.monotonic()
        prediction = self.session.predict(
            self._frame(message),
            _integer(message, "object"),
            clicks=_clicks(message),
            box=_box(message),
            scribbles=_scribbles(message),
        )
        runs = encode_runs(np.asarray(prediction.mask, dtype=np.uint8))
        milliseconds = (time.monotonic() - started) * 1000
        return (
            {"score": float(prediction.score), "ms": round(milliseconds, 1)},
            [runs.astype("<u4").tobytes()],
        )

    def _commit(self, request: Request) -> Reply:
        message, video = request.message, self.session.video
        mask = unpack_mask(request.buffers, video.height, video.width)
        obj = _integer(message, "object")
        seconds = min(_number(message, "seconds"), LONGEST_ANNOTATION)
        revision = self.session.annotate(
            self._frame(message),
            mask,
            objects=[obj],
            kind=_field(message, "annotation_type"),
            seconds=seconds,
            clicks=[(c.x, c.y, c.positive) for c in _clicks(message)],
        )
        if message.get("propagate"):
            self._want_pass()
        return {"revision": revision, "saved": True}, []

    def _add_object(self, request: Request) -> Reply:
        return {"object": self.session.add_object(request.message.get("name"))}, []

    def _update_object(self, request: Request) -> Reply:
        names = ("name", "color", "visible", "locked")
        changes = {n: request.message[n] for n in names if request.message.get(n) is not None}
        self.session.update_object(_integer(request.message, "object"), **changes)
        return {}, []

    def _remove_object(self, request: Request) -> Reply:
        self.session.remove_object(_integer(request.message, "object"))
        return {}, []

    def _merge_objects(self, request: Request) -> Reply:
        message = request.message
        self.session.merge_objects(_integer(message, "object"), _integer(message, "into"))
        return {}, []

    def _remove_annotation(self, request: Request) -> Reply:
        frame = self._frame(request.message)
        self.session.remove_annotation(frame, _integer(request.message, "object"))
        return {}, []

    def _undo(self, request: Request) -> Reply:
        return {"label": self.session.undo()}, []

    def _redo(self, request: Request) -> Reply:
        return {"label": self.session.redo()}, []

    def _start_job(self, request: Request) -> Reply:
        job = _field(request.message, "job")
        if job != "propagate":
            raise RequestError("invalid", f"there is no job {job!r}; the one job is 'propagate'.")
        frames = self._range(request.message)
        started = self._want_pass(frames)
        if not started and not self._waiting(frames):
            self.write_log("info", "no frame waits for a pass there.")
        return {"started": started}, []

    def _snooze(self, request: Request) -> Reply:
        self.session.snooze(self._frame(request.message), _integer(request.message, "object"))
        return {}, []

    def _export(self, request_id: str, message: dict[str, Any]) -> None:
        """On the exporter's thread."""
        try:
            path = self.session.export(_field(message, "format"), message.get("path"))
        except Exception as error:
            self._refuse(request_id, error, "export.run")
            return
        self._send({"id": request_id, "ok": True, "path": str(path)})
        self.write_log("info", f"exported to {path}", told=_view_of(request_id))

    def _range(self, message: dict[str, Any]) -> range | None:
        if (frames := message.get("frames")) is None:
            return None
        if not isinstance(frames, list) or len(frames) != 2:
            raise RequestError("malformed", f"frames is {frames!r}; send [first, last] or null.")
        first, last = (self._frame({"frame": f}) for f in frames)
        if first > last:
            raise RequestError("invalid", f"frames {frames} run backwards; send [first, last].")
        return range(first, last + 1)

    def _frame(self, message: dict[str, Any]) -> int:
        frame, n_frames = _integer(message, "frame"), self.session.video.n_frames
        if not 0 <= frame < n_frames:
            raise RequestError(
                "invalid", f"there is no frame {frame}; the video has frames 0 to {n_frames - 1}."
            )
        return frame


#: Changes after which a running pass is as good as before.
_LEAVES_MASKS = frozenset({"object.update", "snooze", "snooze.end"})

_CLOSED = "the annotator was closed, or its session opened elsewhere; run the cell again."

#: Requests that change the session: refused when read-only, and never given up half-way.
_CHANGES = frozenset(
    {
        "mask.commit",
        "object.add",
        "object.update",
        "object.remove",
        "object.merge",
        "annotation.remove",
        "history.undo",
        "history.redo",
        "job.start",
        "job.pause",
        "job.resume",
        "job.cancel",
        "suggestion.snooze",
    }
)


def _kind_of(message: Any) -> Any:
    return message.get("kind") if isinstance(message, dict) else None


def _view_of(request_id: Any) -> str:
    """Name of the view in an id, ``<view>:<number>``."""
    return str(request_id).rpartition(":")[0]


def _field(message: dict[str, Any], name: str) -> Any:
    if message.get(name) is None:
        raise RequestError("malformed", f"{_kind_of(message)} needs the field {name!r}.")
    return message[name]


def _integer(message: dict[str, Any], name: str) -> int:
    value = _field(message, name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise RequestError("malformed", f"{name} is {value!r}; send an integer.")
    return value


def _number(message: dict[str, Any], name: str) -> float:
    value = _field(message, name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise RequestError("malformed", f"{name} is {value!r}; send a finite number.")
    return float(value)


def _clicks(message: dict[str, Any]) -> tuple[Any, ...]:
    from evavos_widget.prompts import Click

    try:
        return tuple(Click(float(x), float(y), bool(p)) for x, y, p in message.get("clicks") or ())
    except (TypeError, ValueError):
        raise RequestError(
            "malformed", f"clicks are {message['clicks']!r}; send a list of [x, y, 0 or 1]."
        ) from None


def _box(message: dict[str, Any]) -> Any:
    from evavos_widget.prompts import Box

    if (box := message.get("box")) is None:
        return None
    try:
        return Box(*(float(v) for v in box))
    except (TypeError, ValueError):
        raise RequestError("malformed", f"box is {box!r}; send [x0, y0, x1, y1].") from None


def _scribbles(message: dict[str, Any]) -> tuple[Any, ...]:
    from evavos_widget.prompts import Scribble

    try:
        return tuple(
            Scribble(s["points"], bool(s["positive"])) for s in message.get("scribbles") or ()
        )
    except (TypeError, ValueError, KeyError):
        raise RequestError(
            "malformed",
            f"scribbles are {message['scribbles']!r:.80}; "
            "send a list of {points: [[x, y], ...], positive}.",
        ) from None


def _code(error: Exception) -> str:
    if isinstance(error, RequestError):
        return error.code
    if isinstance(error, ValueError | TypeError | LookupError):
        return "invalid"
    if isinstance(error, OSError):
        return "io"
    if isinstance(error, ImportError):
        return "missing"
    return "failed"


def _sentence(error: Exception) -> str:
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    expected = isinstance(error, RequestError | ValueError | OSError | ImportError)
    return text if text and expected else f"{type(error).__name__}: {text}".rstrip(": ")

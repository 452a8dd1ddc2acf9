"""The kernel's end of any widget: requests in, replies and pushes out, one lock, one worker.

No notebook in here: what arrives is handed to `Host.handle`, what leaves goes through the
`send` it was given. A Jupyter host calls from the main thread or from a subshell's, often from
both at once, so `handle` only enqueues; what the widget shows, and nearly every reply, belongs
to the worker. It answers what the person waits for first, then pictures and masks, and gives
the rest of its time to what the widget does in the background, one step after the other.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from evavos_widget.interruption import while_wanted
from evavos_widget.widgets.catalogue import CREDIT_WINDOW, VERSION, Catalogue
from evavos_widget.widgets.fields import Fields, shortened
from evavos_widget.widgets.frames import Frames
from evavos_widget.widgets.outbox import LOG, MAX_LOG, PUSH_INTERVAL, Outbox
from evavos_widget.widgets.requests import (
    Handler,
    Reply,
    Request,
    RequestError,
    RequestQueue,
    Runs,
    error_code,
    sentence,
)

if TYPE_CHECKING:
    from evavos_widget.video import Video

__all__ = ["Background", "Host", "Pushed", "Send"]

Send = Callable[[dict[str, Any], list[bytes]], None]
"""``send(content, buffers)`` takes one message to the browser."""

STATE = "state"
"""The kind of push that says all that a widget shows, and comes with the reply to *hello*."""

_log = logging.getLogger(__name__)

_CLOSED = "the widget was closed, or its session opened elsewhere; run the cell again."


@dataclass(frozen=True)
class Pushed:
    """What one kind of push carries.

    Parameters
    ----------
    content : callable
        ``content(items)`` gives the newest, on the worker; `items` are the numbers that were
        noted, None for a kind that is one whole.
    items : range, optional
        All of its items, for a kind that has some.
    """

    content: Callable[[Any], Reply]
    items: range | None = None


class Background(Protocol):
    """What the worker does while nobody waits for anything."""

    def due(self) -> bool:
        """Whether there is something to do; asked under the host's lock."""
        ...

    def advance(self) -> None:
        """Do one short step, on the worker; raises nothing."""
        ...

    def drop(self) -> None:
        """Let go of it, on the worker, which ends."""
        ...


class Host:
    """Serves any number of views of one widget.

    A widget says what it answers and pushes with `serve`, and then begins with `start`. Every
    widget has *hello*, *bye*, *ack*, *ping*, *cancel* and ``frame.get`` from here, and a log.

    Parameters
    ----------
    catalogue : Catalogue
        What the widget and its page say to each other.
    send : callable
        ``send(content, buffers)`` takes one message to the browser. It is called from the
        worker, and for the few requests answered at once from the caller's thread.
    video : Video, optional
        Whose frames the page may ask for.
    state, capabilities : callable, optional
        ``State`` and ``Capabilities`` of the widget's catalogue, asked for on the worker.
    remarks : callable, optional
        Level and sentence of what every new view is told in its log.
    catch_up : callable, optional
        Called on the worker after `note_change`, before the views are told anything: the place
        to `note` what is new.

    Attributes
    ----------
    read_only : bool
        Refuse every request that changes what the widget shows; may be set at any time.
    lock : threading.Condition
        Guards what several threads touch, reentrant. A session is never called under it: its
        own callbacks take this lock, so that order would be a deadlock.
    background : Background or None
        What the worker does besides; to be set before `start`.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        send: Send,
        *,
        video: Video | None = None,
        state: Callable[[], dict[str, Any]] = dict,
        capabilities: Callable[[], dict[str, Any]] = dict,
        remarks: Callable[[], Iterable[tuple[str, str]]] = tuple,
        catch_up: Callable[[], None] | None = None,
    ) -> None:
        self.catalogue = catalogue
        self.read_only = False
        self.background: Background | None = None
        self.lock = threading.Condition()
        self._send_message = send
        self._state = state
        self._capabilities = capabilities
        self._remarks = remarks
        self._on_change = catch_up

        self._frames = Frames(video, self._busy)
        self._pushed: dict[str, Pushed] = {}
        self._handlers = {
            "hello": Handler(self._hello),
            "bye": Handler(self._bye, runs=Runs.AT_ONCE),
            "ack": Handler(self._ack, runs=Runs.AT_ONCE),
            "ping": Handler(self._ping, runs=Runs.AT_ONCE),
            "cancel": Handler(self._cancel, runs=Runs.AT_ONCE),
            "frame.get": self._frames.handler,
        }

        # Only touched under the lock.
        self._queue = RequestQueue()
        self._running: Request | None = None
        self._abandoned = False
        self._newest_quick: dict[str, Request] = {}
        self._views: dict[str, Outbox] = {}
        self._lines: deque[dict[str, Any]] = deque(maxlen=MAX_LOG)
        self._changed = True
        self._closing = False

        self._worker = threading.Thread(target=self._work, name="evavos-host", daemon=True)
        self._aside = {
            runs: ThreadPoolExecutor(1, thread_name_prefix=f"evavos-{runs.name.lower()}")
            for runs in (Runs.ASIDE, Runs.QUICKLY)
        }

    def serve(
        self, handlers: Mapping[str, Handler], pushed: Mapping[str, Pushed] | None = None
    ) -> None:
        """Take in what a part of the widget answers, and what it pushes, before `start`.

        Pushes go out in the order in which they are given here.
        """
        self._handlers.update(handlers)
        self._pushed.update(pushed or {})

    def start(self) -> Host:
        """Begin to answer; returns the host.

        Raises
        ------
        ValueError
            What is served is not what the catalogue lists.
        """
        # The state comes after what it speaks of.
        whole = Pushed(lambda _: ({STATE: self._state()}, []))
        self._pushed.update({STATE: whole, LOG: Pushed(lambda line: (line, []))})
        for what, served, listed in (
            ("request", self._handlers, self.catalogue.requests),
            ("push", self._pushed, self.catalogue.pushes),
        ):
            if odd := sorted(served.keys() ^ listed.keys()):
                wrong = "is not in the catalogue" if odd[0] in served else "is not served"
                raise ValueError(f"the {what} {odd[0]!r} {wrong}; let `serve` and it agree.")
        self._worker.start()
        self._frames.start()
        return self

    # From any thread ---------------------------------------------------------------

    def handle(self, message: Any, buffers: list[Any] | None = None) -> None:
        """Take in one request; never raises and never waits for the worker.

        Parameters
        ----------
        message : dict
            ``{v, id, kind, ...}`` as the catalogue has it.
        buffers : list of bytes-like, optional
        """
        fields = Fields(message if isinstance(message, dict) else {})
        request = Request(None, "", fields, list(buffers or ()))
        try:
            request.id = fields.text_or_none("id")
            request.kind = fields.text("kind")
            self._accept(request)
        except Exception as error:
            self._refuse(request, error)

    def _accept(self, request: Request) -> None:
        handler = self._handlers.get(request.kind)
        if handler is None:
            raise RequestError(
                "unknown_kind",
                f"there is no request {shortened(request.kind)}; "
                "reload the page so that it fits the kernel.",
            )
        version = request.fields.integer("v") if request.fields.has("v") else VERSION
        if version != VERSION:
            raise RequestError(
                "version",
                f"the page speaks version {shortened(version)} and the kernel version {VERSION}; "
                "reload the page.",
            )
        if self.read_only and handler.changes:
            raise RequestError("read_only", "this widget is read-only; nothing was changed.")
        place = handler.place(request)
        if place is Runs.AT_ONCE:
            self._give(request, handler.answer(request))
            return
        request.fields.text("id")
        superseded = []
        with self.lock:
            if self._closing:
                raise RequestError("closed", _CLOSED)
            if place is Runs.QUICKLY:
                self._newest_quick[request.view] = request
                self._aside[place].submit(self._answer_aside, request)
                return
            if handler.newest_only:
                superseded = self._queue.remove(
                    lambda r: (r.kind, r.view) == (request.kind, request.view)
                )
            self._queue.add(request, handler.urgency)
            self.lock.notify()
        for old in superseded:
            self._fail(old.id, "superseded", "a newer one was asked for.")

    def _bye(self, request: Request) -> Reply:
        view = request.fields.text("view")
        with self.lock:
            self._views.pop(view, None)
            self._newest_quick.pop(view, None)
        return {}, []

    def _ack(self, request: Request) -> None:
        view, number = request.fields.text("view"), request.fields.integer("push")
        with self.lock:
            outbox = self._views.get(view)
            if outbox is None:
                # Given up while its page slept; tell it everything from here on.
                outbox = self._views[view] = self._outbox(sent=number)
                for kind in self._pushed.keys() - {LOG}:
                    outbox.note(kind, self._pushed[kind].items)
            outbox.acknowledge(number)
            self.lock.notify()

    def _ping(self, request: Request) -> Reply:
        with self.lock:
            if self._closing:
                raise RequestError("closed", _CLOSED)
        return {}, []

    def _cancel(self, request: Request) -> Reply:
        target = request.fields.text("target")
        with self.lock:
            given_up = [r.id for r in self._queue.remove(lambda r: r.id == target)]
            running = self._running
            if running and running.id == target and not self._handlers[running.kind].changes:
                self._abandoned = True
                given_up.append(target)
        for request_id in given_up:
            self._fail(request_id, "cancelled", "the request was given up.")
        return {}, []

    def note(self, kind: str, items: Iterable[int] | None = None) -> None:
        """Remember for every view that something is new, or which of its items are."""
        with self.lock:
            for outbox in self._views.values():
                outbox.note(kind, items)
            self.lock.notify()

    def note_change(self) -> None:
        """Let the worker catch up with what changed, and tell the views."""
        with self.lock:
            self._changed = True
            self.lock.notify()

    def write_log(self, level: str, message: str, told: str | None = None) -> None:
        """Write a line in the log of every view but the one that was `told` by its reply.

        The latest are kept for views that open later: a page may be closed, or reloaded,
        when something goes wrong.
        """
        line = _line(level, message)
        with self.lock:
            self._lines.append(line)
            for view, outbox in self._views.items():
                if view != told:
                    outbox.note_log(line)
            self.lock.notify()

    def close(self) -> None:
        """Stop once the changes that were asked for are made: what they are made to stays open."""
        self._end(lambda request: not self._handlers[request.kind].changes)
        if self._worker.is_alive() and threading.current_thread() is not self._worker:
            self._worker.join()
        self._frames.close()
        for thread in self._aside.values():
            thread.shutdown()

    def stop(self) -> None:
        """Let the worker end after what it is doing; what waits, or would have to, is refused.

        The views are told unasked: what is unfinished in one of them is taken up by a view of
        another cell, if that comes to know of it in time.
        """
        self._end(lambda request: True)
        self._fail(None, "closed", _CLOSED)

    def _end(self, refused: Callable[[Request], bool]) -> None:
        """Take in no request any more, and refuse some of those that wait."""
        self._frames.stop()
        with self.lock:
            self._closing = True
            left = self._queue.remove(refused)
            for thread in self._aside.values():
                thread.shutdown(wait=False)
            self.lock.notify()
        for request in left:
            self._fail(request.id, "closed", _CLOSED)

    # The worker --------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            with self.lock:
                while not self._closing and not self._anything_to_do():
                    self.lock.wait(self._next_push_in())
                request = self._running = self._queue.pop()
                self._abandoned = False
                if request is None and self._closing:
                    break
            if request is not None:
                self._answer(request)
            elif self.background is not None and self.background.due():
                self.background.advance()
            self._tell_views(time.monotonic())
        if self.background is not None:
            self.background.drop()
        # The last that they hear, however lately they were told something.
        self._tell_views(time.monotonic() + PUSH_INTERVAL)

    def _busy(self) -> bool:
        """Whether somebody waits, or the widget works; from any thread."""
        with self.lock:
            at_work = self.background is not None and self.background.due()
            return self._closing or at_work or self._running is not None or bool(self._queue)

    def _anything_to_do(self) -> bool:
        return bool(
            self._queue
            or self._changed
            or (self.background is not None and self.background.due())
            or self._next_push_in() == 0
        )

    def _next_push_in(self) -> float | None:
        now = time.monotonic()
        due = [d for o in self._views.values() if (d := o.due_in(now)) is not None]
        return min(due, default=None)

    def _answer(self, request: Request) -> None:
        if self._handlers[request.kind].place(request) is Runs.ASIDE:
            self._hand_over(request)
            return
        reply, failure = None, None
        try:
            with while_wanted(lambda: not self._abandoned):
                reply = self._handlers[request.kind].answer(request)
        except Exception as error:
            failure = error
        with self.lock:
            self._running, abandoned = None, self._abandoned
        if abandoned:
            return
        if failure is None:
            self._give(request, reply)
        else:
            self._refuse(request, failure)

    def _hand_over(self, request: Request) -> None:
        with self.lock:
            self._running = None
            closing = self._closing
            if not closing:
                self._aside[Runs.ASIDE].submit(self._answer_aside, request)
        if closing:
            self._fail(request.id, "closed", _CLOSED)

    def _answer_aside(self, request: Request) -> None:
        """On a thread aside."""
        with self.lock:
            newest = self._newest_quick.get(request.view, request)
        if self._handlers[request.kind].place(request) is Runs.QUICKLY and newest is not request:
            self._fail(request.id, "superseded", "a newer one was asked for.")
            return
        try:
            self._give(request, self._handlers[request.kind].answer(request))
        except Exception as error:
            self._refuse(request, error)

    def _hello(self, request: Request) -> Reply:
        view = request.fields.text("view")
        self.catch_up()
        remarks = [_line(level, message) for level, message in self._remarks()]
        with self.lock:
            outbox = self._views[view] = self._outbox()
            for line in (*self._lines, *remarks):
                outbox.note_log(line)
        return {STATE: self._state(), "capabilities": self._capabilities()}, []

    def _outbox(self, sent: int = 0) -> Outbox:
        return Outbox(CREDIT_WINDOW, tuple(self._pushed), sent)

    def catch_up(self) -> None:
        """Take in what changed, on the worker, if anything did since the last time."""
        with self.lock:
            changed, self._changed = self._changed, False
        if changed and self._on_change is not None:
            self._on_change()

    def _tell_views(self, now: float) -> None:
        try:
            self._push(now)
        except Exception as error:
            _log.exception("the views could not be told what changed")
            self.write_log("error", f"this view may be out of date: {sentence(error)}")

    def _push(self, now: float) -> None:
        """Send every push that is due; what it carries is read when it leaves."""
        self.catch_up()
        with self.lock:
            for view in [v for v, o in self._views.items() if o.silent(now)]:
                _log.info("view %s is left alone until it answers: it may wait for a cell", view)
                del self._views[view]
            due = {view: outbox.take(now) for view, outbox in self._views.items()}
        wholes: dict[str, Reply] = {}
        for view, pushes in due.items():
            for push in pushes:
                if push.subject is not None:
                    fields, buffers = self._pushed[push.kind].content(push.subject)
                else:
                    if push.kind not in wholes:
                        wholes[push.kind] = self._pushed[push.kind].content(None)
                    fields, buffers = wholes[push.kind]
                self._send(
                    {"view": view, "push": push.number, "kind": push.kind, **fields}, buffers
                )

    # Out ---------------------------------------------------------------------------

    def _send(self, content: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        try:
            self._send_message(content, buffers or [])
        except Exception:
            _log.exception("a message could not be sent to the browser")

    def _give(self, request: Request, reply: Reply | None) -> None:
        if reply is not None:
            fields, buffers = reply
            self._send({"id": request.id, "ok": True, **fields}, buffers)

    def _fail(self, request_id: str | None, code: str, message: str) -> None:
        self._send({"id": request_id, "ok": False, "error": {"code": code, "message": message}})

    def _refuse(self, request: Request, error: Exception) -> None:
        """Answer with the error, and write it where the other views and Python can see it."""
        code, said = error_code(error), sentence(error)
        if code == "failed":
            _log.error("%s failed", request.kind, exc_info=error)
        else:
            _log.warning("%s: %s", request.kind, said)
        self._fail(request.id, code, said)
        self.write_log("error", said, told=request.view)


def _line(level: str, message: str) -> dict[str, Any]:
    return {"level": level, "message": message, "time": time.time()}

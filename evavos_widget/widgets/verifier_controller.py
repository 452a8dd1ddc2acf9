"""What the verifier's page may ask, and what it is told: questions about points behind a host."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from evavos_widget.masks import encode_runs
from evavos_widget.points import LABELS, REGIONS
from evavos_widget.widgets.catalogue import catalogue
from evavos_widget.widgets.host import Host, Send
from evavos_widget.widgets.requests import Handler, Reply, Request, RequestError, Urgency, sentence

if TYPE_CHECKING:
    from evavos_widget.point_selection.verification import Verification

__all__ = ["VerifierController"]

_log = logging.getLogger(__name__)

LONGEST_ANSWER = 60.0
"""The most that one answer counts, in seconds. The page leaves pauses out, but not everybody whose
mouse moves over it works; people take 0.95 s (Point-VOS Sec. 3.2)."""

_CODES = {"positive": "+", "negative": "-", "unknown": "?", None: "."}


class VerifierController:
    """Serves any number of views of one verification, and proposes its points meanwhile.

    Parameters
    ----------
    verification : Verification
    send : callable
        As for `Host`.

    Attributes
    ----------
    host : Host
        Takes the messages of the pages.
    """

    def __init__(self, verification: Verification, send: Send) -> None:
        self.verification = verification
        self._session = session = verification.session
        self._proposing: Iterator[tuple[int, int]] | None = None
        if not verification.ready:
            self._proposing = verification.proposing()
        self._progress = (0, 0)
        self._failure: str | None = None
        self._ended = threading.Event()
        if verification.ready:
            self._ended.set()
        self.host = Host(
            catalogue("verifier"),
            send,
            video=session.video,
            state=self._state,
            remarks=self._remarks,
            catch_up=lambda: self.host.note("state"),
        )
        self.host.background = self
        self.host.serve(
            {
                "questions.get": Handler(self._questions, Urgency.FETCH),
                "point.answer": Handler(self._answer, changes=True),
                "object.skip": Handler(self._skip, changes=True),
            }
        )
        self._unsubscribe = session.subscribe(self._hear)
        self.host.start()

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the points are proposed; see `Verifier.wait`."""
        if not self._ended.wait(timeout):
            raise TimeoutError(f"the points were not proposed within {timeout} s; wait longer.")
        if self._failure:
            raise RuntimeError(self._failure)

    def close(self) -> None:
        """Stop the worker, and let the session go; it stays open."""
        self._unsubscribe()
        self.host.close()

    def _hear(self, event: str, payload: dict[str, Any]) -> None:
        """Hear from the session that somebody changed it, on any thread."""
        if event == "closed":
            self._unsubscribe()
            self.host.stop()
        elif event == "changed":
            self.host.note_change()

    # The host's background: the proposals, a frame at a time ------------------------------

    def due(self) -> bool:
        """Whether points are still to be proposed."""
        return self._proposing is not None

    def advance(self) -> None:
        """Take the propagator one frame further, at the end propose the points."""
        assert self._proposing is not None
        try:
            progress = next(self._proposing, None)
        except Exception as error:
            if self._session.closed:  # on another thread, in mid-pass: nothing failed
                self.drop()
                return
            _log.exception("no points could be proposed")
            self._proposing = None
            self._failure = f"no points could be proposed: {sentence(error)}"
            self.host.write_log("error", self._failure)
            self._ended.set()
        else:
            if progress is None:
                self._proposing = None
                self._ended.set()
            else:
                self._progress = progress
        self.host.note("state")

    def drop(self) -> None:
        """Let go of the proposals that are being made."""
        if self._proposing is not None:
            self._proposing, self._failure = None, "the verifier was closed; run the cell again."
        self._ended.set()

    # What the views are told, and their requests, on the worker ---------------------------

    def _state(self) -> dict[str, Any]:
        v = self.verification
        finished = v.finished
        return {
            "revision": self._session.revision,
            "phase": "ready" if v.ready else "failed" if self._failure else "proposing",
            "done": self._progress[0],
            "total": self._progress[1],
            "objects": [
                {
                    "id": o.id,
                    "name": o.name,
                    "color": o.color,
                    "skipped": v.questions[o.id].skipped if o.id in v.questions else False,
                    "answers": self._coded(o.id),
                }
                for o in sorted(self._session.objects, key=self._turn)
                if o.id in v.objects
            ],
            "seconds_per_point": v.seconds_per_point,
            # Told before the end, it would tell which points the control points are.
            "agreement": asdict(v.agreement) if finished and v.agreement.answered else None,
            "saved": self._session.saved_at,
        }

    def _turn(self, info: Any) -> int:
        objects = self.verification.objects
        return objects.index(info.id) if info.id in objects else len(objects)

    def _coded(self, obj: int) -> str:
        if obj not in self.verification.questions:
            return ""
        return "".join(_CODES[label] for label in self.verification.answers(obj))

    def _remarks(self) -> list[tuple[str, str]]:
        return [("warning", said) for said in self._session.warnings]

    def _questions(self, request: Request) -> Reply:
        v, obj = self.verification, request.fields.integer("object")
        if obj not in v.questions:
            raise RequestError("invalid", f"nothing is asked about object {obj} yet.")
        frame, mask = v.localisation(obj)
        asked = [[c.frame, c.x, c.y, REGIONS.index(c.region)] for c in v.questions[obj].asked]
        runs = encode_runs(mask.astype(np.uint8))
        return {"frame": frame, "questions": asked}, [runs.astype("<u4").tobytes()]

    def _answer(self, request: Request) -> Reply:
        fields = request.fields
        label, seconds = fields.text("label"), fields.number("seconds")
        if label not in LABELS:
            raise RequestError("invalid", f"label is {label!r}; send one of {list(LABELS)}.")
        if seconds < 0:
            raise RequestError("invalid", f"seconds are {seconds}; send 0 or more.")
        revision = self.verification.answer(
            fields.integer("object"), fields.integer("place"), label, min(seconds, LONGEST_ANSWER)
        )
        return {"revision": revision}, []

    def _skip(self, request: Request) -> Reply:
        self.verification.skip(request.fields.integer("object"), request.fields.flag("skipped"))
        self.host.note("state")
        return {}, []

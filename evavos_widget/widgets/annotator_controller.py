"""What the annotator's page may ask, and what it is told: a session behind a host."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from evavos_widget.masks import encode_runs
from evavos_widget.point_selection.proposals import propose_on_frame
from evavos_widget.points import REGIONS, Point
from evavos_widget.widgets.catalogue import catalogue
from evavos_widget.widgets.host import Host, Pushed, Send
from evavos_widget.widgets.mask_runs import unpack_mask
from evavos_widget.widgets.pass_runner import PassRunner, frames_that_wait
from evavos_widget.widgets.requests import (
    Handler,
    Reply,
    Request,
    RequestError,
    Runs,
    Urgency,
    sentence,
)
from evavos_widget.widgets.session_masks import SessionMasks
from evavos_widget.widgets.snapshot import capabilities, snapshot

if TYPE_CHECKING:
    from evavos_widget.session import Session
    from evavos_widget.suggestion import Suggestion

__all__ = ["AnnotatorController"]

_log = logging.getLogger(__name__)

FIRST_PICTURE = 1.0
"""Seconds that the first picture has to itself, before the predictor is made ready for a click."""

PROPOSALS = 3
"""How many suggestions are offered: the best one, and what instead."""

_OTHERS = ("ask", "take", "leave")

LONGEST_ANNOTATION = 300.0
"""The most that one annotation made in a page counts, in seconds. The page leaves pauses out, but
not everybody whose mouse moves over it works; five minutes are nearly four times what drawing a
whole mask takes on average (80 s, EVA-VOS Sec. 3)."""


class AnnotatorController:
    """Serves any number of views of one session.

    Parameters
    ----------
    session : Session
    send : callable
        As for `Host`.
    suggested : callable, optional
        ``suggested(suggestion)`` hears, on the worker, of every new suggestion, and of
        None when there is no longer one.

    Attributes
    ----------
    host : Host
        Takes the messages of the pages.
    """

    def __init__(
        self,
        session: Session,
        send: Send,
        *,
        suggested: Callable[[Suggestion | None], None] | None = None,
    ) -> None:
        self.session = session
        self._suggested = suggested
        self._suggestions: list[Suggestion] = []
        self._masks = SessionMasks(session)
        self.host = Host(
            catalogue("annotator"),
            send,
            video=session.video,
            state=self._state,
            capabilities=lambda: capabilities(session),
            remarks=self._remarks,
            catch_up=self._catch_up,
        )
        self._passes = PassRunner(session, self.host)
        changes = {
            "mask.commit": self._commit,
            "object.add": self._add_object,
            "object.update": self._update_object,
            "object.remove": self._remove_object,
            "object.merge": self._merge_objects,
            "annotation.remove": self._remove_annotation,
            "history.undo": self._undo,
            "history.redo": self._redo,
            "suggestion.snooze": self._snooze,
            "point.label": self._label_point,
        }
        self.host.serve(
            {
                "mask.get": Handler(self._get_masks, Urgency.FETCH),
                "prompt.preview": Handler(self._preview, newest_only=True),
                "points.propose": Handler(self._propose_points),
                "export.run": Handler(self._export, runs=Runs.ASIDE),
                **{kind: Handler(answer, changes=True) for kind, answer in changes.items()},
            },
            {"mask.update": Pushed(self._push_masks, items=range(session.video.n_frames))},
        )
        self._ready = threading.Timer(FIRST_PICTURE, self._make_ready)
        self._ready.daemon = True
        self._unsubscribe = session.subscribe(self._hear)
        self._ready.start()
        self.host.start()

    @property
    def suggestion(self) -> Suggestion | None:
        """What the views show as the next thing to do."""
        return next(iter(self._suggestions), None)

    def close(self) -> None:
        """Stop the worker, give up what waits, and let the session go; it stays open."""
        self._let_go()
        self.host.close()
        self._ready.join()  # Cancelled or about to end; it holds the session until it has.

    def _hear(self, event: str, payload: dict[str, Any]) -> None:
        """Hear from the session that somebody changed it: every view is to learn of it.

        A session that is closed, or open again in a cell that was run again, ends the worker.
        """
        if event == "closed":
            self._let_go()
            self.host.stop()
            return
        if event == "changed":
            self._passes.note_change(payload["kind"])
        self.host.note_change()

    def _let_go(self) -> None:
        self._ready.cancel()
        self._unsubscribe()

    # What the views are told, on the worker -----------------------------------------

    def _state(self) -> dict[str, Any]:
        masks, job = self._masks, self._passes.job
        return snapshot(self.session, masks.revisions, masks.present, self._suggestions, job)

    def _remarks(self) -> list[tuple[str, str]]:
        return [
            *(("warning", said) for said in self.session.warnings),
            *(("info", said) for said in self.session.notices),
        ]

    def _catch_up(self) -> None:
        frames = self._masks.catch_up()
        with self.host.lock:
            busy = self._passes.busy
            self.host.note("state")
            self.host.note("mask.update", frames)
        before, self._suggestions = self.suggestion, [] if busy else self._suggest()
        if self.suggestion == before:
            return
        for proposal in self._suggestions:
            if proposal.kind != "mask":
                self.session.prepare(proposal.frame)
        if self._suggested is not None:
            self._suggested(self.suggestion)

    def _make_ready(self) -> None:
        """Make the predictor ready for the first click, which would wait for it otherwise.

        For what is suggested that was done with the suggestion, unless it is a drawn mask.
        """
        asked = self.suggestion
        if asked is None or asked.kind == "mask":
            self.session.prepare(asked.frame if asked else 0)

    def _suggest(self) -> list[Suggestion]:
        try:
            return self.session.suggestions(PROPOSALS)
        except Exception as error:
            _log.exception("no suggestion")
            self.host.write_log("error", f"no suggestion: {sentence(error)}")
            return []

    def _push_masks(self, frames: list[int]) -> Reply:
        self.host.catch_up()
        return self._masks.reply(frames)

    # Requests, on the worker -------------------------------------------------------

    def _get_masks(self, request: Request) -> Reply:
        frames = request.fields.frames("frames", self.session.video.n_frames)
        self.host.catch_up()
        return self._masks.reply(frames, with_before=True)

    def _preview(self, request: Request) -> Reply:
        fields = request.fields
        started = time.monotonic()
        frame, obj = self._frame(request), fields.integer("object")
        prediction = self.session.predict(
            frame,
            obj,
            clicks=fields.clicks("clicks"),
            box=fields.box("box"),
            scribbles=fields.scribbles("scribbles"),
            alone=fields.has("alone") and fields.flag("alone"),
        )
        runs = encode_runs(np.asarray(prediction.mask, dtype=np.uint8))
        takes = _pixels_of(self._taken(frame, obj, prediction.mask))
        milliseconds = (time.monotonic() - started) * 1000
        return (
            {"score": float(prediction.score), "ms": round(milliseconds, 1), "takes": takes},
            [runs.astype("<u4").tobytes()],
        )

    def _commit(self, request: Request) -> Reply:
        fields, video = request.fields, self.session.video
        propagate = fields.flag("propagate")  # refused before anything is changed
        frame, obj = self._frame(request), fields.integer("object")
        mask = unpack_mask(request.buffers, video.height, video.width)
        others = fields.text_or_none("others") or "ask"
        if others not in _OTHERS:
            raise RequestError("invalid", f"others is {others!r}; send one of {list(_OTHERS)}.")
        taken = self._taken(frame, obj, mask) if others != "take" else None
        if taken is not None and taken.any():
            if others == "ask":
                takes = _pixels_of(taken)
                return {"revision": self.session.revision, "saved": False, "takes": takes}, []
            mask &= taken == 0
            if not mask.any():
                raise RequestError(
                    "invalid",
                    f"nothing is left of the mask for frame {frame}: all of it belongs to other "
                    "objects; take their pixels, or mark the object absent.",
                )
        revision = self.session.annotate(
            frame,
            mask,
            objects=[obj],
            kind=fields.text("annotation_type"),
            seconds=min(fields.number("seconds"), LONGEST_ANNOTATION),
            clicks=fields.clicks("clicks"),
        )
        if propagate:
            self._passes.want()
        return {"revision": revision, "saved": True, "takes": {}}, []

    def _taken(self, frame: int, obj: int, mask: np.ndarray) -> np.ndarray | None:
        """Ids of the other annotated objects that lose pixels to a mask, (H, W), 0 elsewhere.

        Locked ones lose none, whatever is committed.
        """
        annotation = self.session.annotations.get(frame)
        if annotation is None:
            return None
        open_to_it = [o.id for o in self.session.objects if not o.locked and o.id != obj]
        labels = annotation.labels
        return np.where(mask & np.isin(labels, open_to_it), labels, 0)

    def _add_object(self, request: Request) -> Reply:
        return {"object": self.session.add_object(request.fields.text_or_none("name"))}, []

    def _update_object(self, request: Request) -> Reply:
        fields = request.fields
        texts = {name: fields.text(name) for name in ("name", "color") if fields.has(name)}
        flags = {name: fields.flag(name) for name in ("visible", "locked") if fields.has(name)}
        self.session.update_object(fields.integer("object"), **texts, **flags)
        return {}, []

    def _remove_object(self, request: Request) -> Reply:
        self.session.remove_object(request.fields.integer("object"))
        return {}, []

    def _merge_objects(self, request: Request) -> Reply:
        self.session.merge_objects(request.fields.integer("object"), request.fields.integer("into"))
        return {}, []

    def _remove_annotation(self, request: Request) -> Reply:
        self.session.remove_annotation(self._frame(request), request.fields.integer("object"))
        return {}, []

    def _undo(self, request: Request) -> Reply:
        return {"label": self.session.undo()}, []

    def _redo(self, request: Request) -> Reply:
        return {"label": self.session.redo()}, []

    def _snooze(self, request: Request) -> Reply:
        self.session.snooze(self._frame(request), request.fields.integer("object"))
        return {}, []

    def _propose_points(self, request: Request) -> Reply:
        obj = request.fields.integer("object")
        proposed = propose_on_frame(self.session, self._frame(request), obj)
        return {"points": [[c.x, c.y, REGIONS.index(c.region)] for c in proposed]}, []

    def _label_point(self, request: Request) -> Reply:
        fields = request.fields
        region = fields.integer("region")
        if not 0 <= region < len(REGIONS):
            raise RequestError("invalid", f"region is {region}; send 0 to {len(REGIONS) - 1}.")
        x, y = fields.integer("x"), fields.integer("y")
        point = Point(x, y, fields.text("label"), REGIONS[region])
        seconds = min(fields.number("seconds"), LONGEST_ANNOTATION)
        obj = fields.integer("object")
        revision = self.session.label_points(self._frame(request), obj, [point], seconds=seconds)
        return {"revision": revision}, []

    def _export(self, request: Request) -> Reply:
        """Only reads, and may take long."""
        fields = request.fields
        waiting = len(self.session.stale)
        path = self.session.export(fields.text("format"), fields.text_or_none("path"))
        self.host.write_log("info", f"exported to {path}", told=request.view)
        if waiting:
            frames = frames_that_wait(waiting)
            self.host.write_log(
                "warning",
                f"{frames} for a pass, and went into {path.name} with the masks of before",
            )
        return {"path": str(path)}, []

    def _frame(self, request: Request) -> int:
        return request.fields.frame("frame", self.session.video.n_frames)


def _pixels_of(labels: np.ndarray | None) -> dict[str, int]:
    """How many pixels each object has in a label map; JSON has texts for keys."""
    if labels is None:
        return {}
    ids, pixels = np.unique(labels[labels > 0], return_counts=True)
    return dict(zip(map(str, ids.tolist()), pixels.tolist(), strict=True))

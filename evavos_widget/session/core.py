"""What every part of a session stands on: one state, one lock, one place on disk, listeners."""

from __future__ import annotations

import logging
import os
import threading
import time
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from evavos_widget.probabilities import ProbabilityCache
from evavos_widget.session import checks
from evavos_widget.session.events import VERSION, Event, Group, Step
from evavos_widget.session.state import Affected, State
from evavos_widget.session.storage import (
    Storage,
    default_folder,
    folder_of,
    let_go,
    make_way,
    take_over,
)
from evavos_widget.session.timeline import Timeline
from evavos_widget.video import Video, check_frame

__all__ = ["SessionCore"]

_log = logging.getLogger(__name__)

PROBABILITY_BYTES = 128 * 2**20
"""Of propagated probabilities kept for predictors, compressed."""


class SessionCore:
    """A session without its questions and its loop: how a change happens, and the end.

    Parameters
    ----------
    video : Video
    affected : callable
        `Propagator.affected`.
    made_with : mapping
        For the head of the journal. ``engines``: of each stage the name, or None, and ``merge`` and
        ``first``, as `Session` takes them; and whatever else it was given.
    path, read_only : as for `Session`
    """

    def __init__(
        self,
        video: Video,
        affected: Affected,
        made_with: Mapping[str, Any],
        path: str | os.PathLike[str] | None,
        read_only: bool,
    ) -> None:
        self.video = video
        self._made_with = made_with
        self._lock = threading.RLock()
        # Of the propagator, for one step of a pass; the end of a forgotten pass may fall into one.
        self._turn = threading.RLock()
        self._listeners: dict[object, Callable[[str, dict[str, Any]], None]] = {}
        self._probabilities = ProbabilityCache(PROBABILITY_BYTES)
        self._closed = False
        self._exported: set[Path] = set()
        empty = State.empty(video.n_frames, video.height, video.width)
        self._timeline = Timeline(empty, affected)
        self._storage = self._opened(path, read_only)

    def _opened(self, path: str | os.PathLike[str] | None, read_only: bool) -> Storage:
        if path is None:
            return Storage(None, self.video, {})
        folder = default_folder(self.video) if path == "auto" else folder_of(path)
        if not read_only:
            make_way(folder, self.video)
        storage = Storage(folder, self.video, self._header(), read_only=read_only)
        try:
            storage.load(self._timeline)
        except BaseException:
            storage.close()
            raise
        if not storage.read_only:
            take_over(folder, self)
        return storage

    @property
    def _state(self) -> State:
        return self._timeline.state

    @property
    def path(self) -> Path | None:
        """The session's folder; None where nothing is kept."""
        return self._storage.path

    @property
    def read_only(self) -> bool:
        """Whether it can only be looked at and exported from."""
        return self._storage.read_only

    @property
    def saved_at(self) -> float | None:
        """When the last change was on disk, in seconds since the epoch."""
        return self._storage.saved_at

    @property
    def revision(self) -> int:
        """Grows with every change."""
        return self._timeline.revision

    def undo(self) -> str | None:
        """Take the last change back; returns what it was, or None."""
        return self._step_history("undo")

    def redo(self) -> str | None:
        """Bring back what `undo` took; returns what it was, or None."""
        return self._step_history("redo")

    def subscribe(self, callback: Callable[[str, dict[str, Any]], None]) -> Callable[[], None]:
        """Call ``callback(event, payload)`` after changes; returns how to stop that, once or more.

        Events: ``'changed'`` (payload ``kind``, an event's kind or ``'undo'``, ``'redo'``;
        for ``'annotate'`` also ``round``, the `Round` that was committed),
        ``'frame'`` (payload ``frame``: its mask was propagated), ``'propagated'``
        (payload ``finished``), ``'warning'`` (payload ``sentence``), ``'closed'``. Called on
        the thread that made the change.
        """
        key = object()
        self._listeners[key] = callback

        def stop() -> None:
            self._listeners.pop(key, None)

        return stop

    @property
    def closed(self) -> bool:
        """Whether the session takes no more changes."""
        return self._closed

    def close(self) -> None:
        """Write the masks, and close the journal, so that others can open the session.

        What is there can still be looked at and exported; a pass that runs ends after its frame,
        and whatever else would do something raises a RuntimeError. What engines keep goes with
        them, since other sessions may use the same ones.
        """
        with self._lock:
            if self._closed:
                return
            try:
                self._save_masks()
            finally:
                self._closed = True
                self._storage.close()
        self._emit("closed", {})

    def save_as(self, path: str | os.PathLike[str]) -> None:
        """Go on in another folder, with everything that was said so far.

        Also the way out where the session's folder was moved or deleted.

        Raises
        ------
        FileExistsError
            There is a session already.
        ValueError
            This session keeps nothing on disk.
        """
        with self._lock:
            self.check_open()
            before, folder = self.path, folder_of(path)
            self._storage.move_to(folder)
            if before is not None:
                let_go(before, self)
            take_over(folder, self)
            self._save_masks()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _emit(self, event: str, payload: dict[str, Any]) -> None:
        """Tell everybody who listens. What a listener raises undoes nothing that was done."""
        for callback in list(self._listeners.values()):
            try:
                callback(event, payload)
            except Exception:
                _log.exception(
                    "%r, a callback of session.subscribe, failed; what it was told of (%r) is "
                    "done. Mend it, or end it with what subscribe returned.",
                    callback,
                    event,
                )

    def _save_masks(self) -> None:
        if sentence := self._storage.save_masks(self._timeline):
            warnings.warn(sentence, stacklevel=3)
            self._emit("warning", {"sentence": sentence})

    def _do(self, *events: Event, undoable: bool = True) -> None:
        """Make one change: compute it, write it to disk, then let it be seen."""
        with self._lock:
            self.check_open()
            group: Group = {"kind": "group", "events": list(events), "undoable": undoable}
            state = self._timeline.after(events)
            self._timeline.add(self._storage.write(group), group, state)
            payload: dict[str, Any] = {"kind": events[-1]["kind"]}
            if payload["kind"] == "annotate":
                payload["round"] = state.rounds[-1]
        self._emit("changed", payload)

    def _step_history(self, direction: str) -> str | None:
        with self._lock:
            self.check_open()
            history = self._timeline.history
            kept = history.can_undo if direction == "undo" else history.can_redo
            if kept is None:
                return None
            step: Step = {"kind": "undo" if direction == "undo" else "redo", "of": kept.line}
            self._storage.write(step)
            self._timeline.step(direction)
        self._emit("changed", {"kind": direction})
        return kept.label

    def check_open(self) -> None:
        """Raise a RuntimeError where the session is closed, which says how to go on."""
        if self._closed:
            how = (
                "begin a new one with Session(video), since this one kept nothing on disk"
                if self.path is None
                else f"open it again with Session.open({str(self.path)!r})"
            )
            raise RuntimeError(f"this session is closed; {how}.")

    def check_kept(self) -> None:
        """Raise an OSError where another session may be at the path by now."""
        self._storage.check()

    def _as_frame(self, frame: int) -> int:
        return check_frame(frame, self.video.n_frames)

    def _as_frames(self, frames: Collection[int]) -> set[int]:
        if not isinstance(frames, Iterable):
            raise TypeError(f"frames is {frames!r}; give several, as in frames=range(40, 96).")
        return {self._as_frame(frame) for frame in frames}

    def _as_object(self, obj: int) -> int:
        obj = checks.as_id(obj)
        checks.check_object(self._state, obj)
        return obj

    def _header(self) -> dict[str, Any]:
        v = self.video
        numbered = tuple(f"{i:05d}" for i in range(v.n_frames))
        own_files = {str(path) for path in v.paths} - {str(v.source)}
        return {
            "kind": "session",
            "version": VERSION,
            "video": {
                "source": v.source,
                "name": v.name,
                "n_frames": v.n_frames,
                "height": v.height,
                "width": v.width,
                "fingerprint": v.fingerprint(),
                # What frames are called follows from their number in files and arrays. A folder
                # may have more of them by the time it is opened again.
                "frame_names": (
                    None if v.frame_names == numbered and not own_files else list(v.frame_names)
                ),
            },
            **self._made_with,
            "time": time.time(),
        }

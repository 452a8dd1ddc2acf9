"""Requests that wait for the worker: the person's first, then pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

__all__ = ["Request", "RequestError", "RequestQueue", "Urgency"]


class RequestError(Exception):
    """A request that cannot be answered; `code` is for the program, the text for the person."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Urgency(IntEnum):
    """The order in which waiting requests are answered; within one, first come first served."""

    INTERACTIVE = 0
    FETCH = 1


@dataclass(eq=False)
class Request:
    """One message from the browser that gets one reply.

    Parameters
    ----------
    id, kind : str
    message : dict
        All fields, as they came.
    buffers : list of bytes-like
    urgency : Urgency
    view : str
        Who asks: the part of the id before the last colon.
    """

    id: str
    kind: str
    message: dict[str, Any]
    buffers: list[Any] = field(default_factory=list)
    urgency: Urgency = Urgency.INTERACTIVE
    view: str = ""


class RequestQueue:
    """Waiting requests by urgency. The caller brings the lock."""

    def __init__(self) -> None:
        self._waiting: dict[Urgency, dict[str, Request]] = {u: {} for u in Urgency}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def __contains__(self, request_id: str) -> bool:
        return any(request_id in waiting for waiting in self._waiting.values())

    def add(self, request: Request) -> None:
        """Put a request last among its equals."""
        self._waiting[request.urgency][request.id] = request

    def pop(self) -> Request | None:
        """Take the next request to answer, or None."""
        for waiting in self._waiting.values():
            if waiting:
                return waiting.pop(next(iter(waiting)))
        return None

    def remove(self, matches: Callable[[Request], bool]) -> list[Request]:
        """Take out and return every request for which `matches` is true."""
        removed = [r for waiting in self._waiting.values() for r in waiting.values() if matches(r)]
        for request in removed:
            del self._waiting[request.urgency][request.id]
        return removed

"""Requests: one message each, what a host does with it, how it can fail, and which comes first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, IntEnum, auto
from typing import TYPE_CHECKING, Any

from evavos_widget.files import in_words

if TYPE_CHECKING:
    from evavos_widget.widgets.fields import Fields

__all__ = [
    "LONGEST_SENTENCE",
    "Handler",
    "Reply",
    "Request",
    "RequestError",
    "RequestQueue",
    "Runs",
    "Urgency",
    "error_code",
    "sentence",
]

LONGEST_SENTENCE = 300
"""Characters of an error as a page gets it; what is in the middle of a longer one is left out."""

Reply = tuple[dict[str, Any], list[bytes]]
"""Fields and binary buffers."""


class RequestError(Exception):
    """A request that cannot be answered; `code` is for the program, the text for the person."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def error_code(error: Exception) -> str:
    """What a reply calls an error; ``'failed'`` is one that nobody expected."""
    if isinstance(error, RequestError):
        return error.code
    if isinstance(error, ValueError | TypeError | LookupError):
        return "invalid"
    if isinstance(error, OSError):
        return "io"
    if isinstance(error, ImportError):
        return "missing"
    return "failed"


def sentence(error: Exception) -> str:
    """What a person is told of an error; its type too where its text was written for nobody."""
    text = in_words(error)
    expected = isinstance(error, RequestError | ValueError | OSError | ImportError)
    said = text if text and expected else f"{type(error).__name__}: {text}".rstrip(": ")
    if len(said) <= LONGEST_SENTENCE:
        return said
    # The end is kept as well, where the remedy is.
    half = (LONGEST_SENTENCE - 5) // 2
    return f"{said[:half]} ... {said[-half:]}"


class Urgency(IntEnum):
    """The order in which waiting requests are answered; within one, first come first served."""

    INTERACTIVE = 0
    FETCH = 1


class Runs(Enum):
    """Where a request is answered."""

    WORKER = auto()
    """In its turn, on the thread to which the session and its engines belong."""

    AT_ONCE = auto()
    """On the thread that brought it, which must not wait."""

    ASIDE = auto()
    """On a thread for what takes long and changes nothing, one after the other. The worker hands
    it over in its turn, so that it sees the changes that were asked for before it."""

    QUICKLY = auto()
    """On a thread for what must not wait for the worker, of each view only the newest."""


@dataclass(eq=False)
class Request:
    """One message from the browser that gets one reply.

    Parameters
    ----------
    id : str or None
        Goes back with the reply; its part before the last colon is the view that asks.
    kind : str
    fields : Fields
        What came with it.
    buffers : list of bytes-like
    """

    id: str | None
    kind: str
    fields: Fields
    buffers: list[Any] = field(default_factory=list)

    @property
    def view(self) -> str:
        """Name of the view that asks."""
        return (self.id or "").rpartition(":")[0]


@dataclass(frozen=True)
class Handler:
    """How a widget answers one kind of request.

    Parameters
    ----------
    answer : callable
        Takes the `Request`, returns the `Reply`; None where there is none. What it raises
        is answered as an error.
    urgency : Urgency
    runs : Runs or callable
        Where, or what says it of a request.
    changes : bool
        It changes what the widget shows: refused where that is read-only, and never given
        up half-way.
    newest_only : bool
        One that waits gives way to a newer one of its view.
    """

    answer: Callable[[Request], Reply | None]
    urgency: Urgency = Urgency.INTERACTIVE
    runs: Runs | Callable[[Request], Runs] = Runs.WORKER
    changes: bool = False
    newest_only: bool = False

    def place(self, request: Request) -> Runs:
        """Where a request is answered."""
        return self.runs if isinstance(self.runs, Runs) else self.runs(request)


class RequestQueue:
    """Waiting requests by urgency. The caller brings the lock."""

    def __init__(self) -> None:
        self._waiting: dict[Urgency, list[Request]] = {u: [] for u in Urgency}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def add(self, request: Request, urgency: Urgency) -> None:
        """Put a request last among its equals."""
        self._waiting[urgency].append(request)

    def pop(self) -> Request | None:
        """Take the next request to answer, or None."""
        for waiting in self._waiting.values():
            if waiting:
                return waiting.pop(0)
        return None

    def remove(self, matches: Callable[[Request], bool]) -> list[Request]:
        """Take out and return every request for which `matches` is true."""
        removed = []
        for urgency, waiting in self._waiting.items():
            removed += filter(matches, waiting)
            self._waiting[urgency] = [r for r in waiting if not matches(r)]
        return removed

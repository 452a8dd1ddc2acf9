"""Giving up a computation in its middle, once nobody waits for its result.

Who asks for a result says how to find out whether it is still wanted; who computes it asks at
moments at which it can stop, such as between two clicks. Neither needs to know the other, and
what lies between them passes nothing on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["NotWantedError", "stop_unless_wanted", "while_wanted"]


class NotWantedError(Exception):
    """The result of a computation is not wanted any more; nothing is wrong."""


_wanted: ContextVar[Callable[[], bool] | None] = ContextVar("wanted", default=None)


@contextmanager
def while_wanted(wanted: Callable[[], bool]) -> Iterator[None]:
    """Let what is computed inside, on this thread, stop once `wanted()` is False."""
    token = _wanted.set(wanted)
    try:
        yield
    finally:
        _wanted.reset(token)


def stop_unless_wanted() -> None:
    """Raise `NotWantedError` where nobody waits for the result; for engines, between steps."""
    wanted = _wanted.get()
    if wanted is not None and not wanted():
        raise NotWantedError("the result is not wanted any more.")

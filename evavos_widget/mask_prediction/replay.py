"""Prompts one after the other, so that one more click costs one step and not all of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from evavos_widget.cache import ByteBoundedCache, Sized
from evavos_widget.interruption import stop_unless_wanted

__all__ = ["replayed"]

S = TypeVar("S", bound=Sized)
T = TypeVar("T")


def replayed(
    cache: ByteBoundedCache,
    key: Hashable | None,
    digests: Sequence[bytes],
    start: T,
    step: Callable[[int, S | T], S],
) -> S | T:
    """What all steps lead to, worked out from the last of them that was before.

    Between two steps it stops where the result is not wanted any more; what was worked out
    until then is kept.

    Parameters
    ----------
    cache : ByteBoundedCache
    key : hashable or None
        Names the image; None: nothing is kept.
    digests : sequence of bytes
        One for each step: of it and everything before it.
    start : T
        What is there before the first step.
    step : callable
        ``step(n, state)`` gives what step `n`, counted from 0, makes of a state.
    """
    done = 0
    state: S | T = start
    if key is not None:
        # From the last step back: a long row of clicks may not fit into the cache.
        for n in range(len(digests), 0, -1):
            known = cache.peek((key, digests[n - 1]))
            if known is not None:
                done, state = n, known
                cache.put((key, digests[n - 1]), known)
                break
    for n in range(done, len(digests)):
        stop_unless_wanted()
        state = reached = step(n, state)
        if key is not None:
            cache.put((key, digests[n]), reached)
    return state

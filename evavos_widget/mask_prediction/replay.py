"""Prompts one after the other, so that one more click costs one step and not all of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar, cast

from evavos_widget.cache import ByteBoundedCache, Sized
from evavos_widget.interruption import stop_unless_wanted

__all__ = ["replayed"]

S = TypeVar("S", bound=Sized)


def replayed(
    cache: ByteBoundedCache,
    key: Hashable | None,
    digests: Sequence[bytes],
    start: S | None,
    step: Callable[[int, Any], S],
) -> S:
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
    start : S or None
        What is there before the first step.
    step : callable
        ``step(n, state)`` gives what step `n`, counted from 0, makes of a state.
    """
    done, state = 0, cast("S", start)
    if key is not None:
        # From the last step back: a long row of clicks may not fit into the cache.
        for n in range(len(digests), 0, -1):
            known = cache.peek((key, digests[n - 1]))
            if known is not None:
                done, state = n, known
                cache.put((key, digests[n - 1]), state)
                break
    for n in range(done, len(digests)):
        stop_unless_wanted()
        state = step(n, state)
        if key is not None:
            cache.put((key, digests[n]), state)
    return state

"""Computed things, kept within a number of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Protocol, TypeVar

__all__ = ["ByteBoundedCache", "Sized"]


class Sized(Protocol):
    """What says its size in bytes."""

    @property
    def nbytes(self) -> int:
        """Bytes that it takes."""
        ...


T = TypeVar("T", bound=Sized)


class ByteBoundedCache:
    """Keeps what was used last, up to a number of bytes; the newest always stays.

    Sizes are looked up when something is added, so that what grew since is counted. Safe
    to use from several threads.

    Parameters
    ----------
    limit : int
        In bytes; it may be set to another one, which holds from the next thing added on.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._items: OrderedDict[Hashable, Sized] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """What is kept under `key`, or else what `make` returns, kept from now on."""
        with self._lock:
            if key in self._items:
                self._items.move_to_end(key)
                return self._items[key]  # type: ignore[return-value]
        # Made outside the lock: two threads may both make it, with equal results.
        value = make()
        self.put(key, value)
        return value

    def peek(self, key: Hashable) -> Any:
        """What is kept under `key`, or None; it does not count as used."""
        with self._lock:
            return self._items.get(key)

    def put(self, key: Hashable, value: Sized) -> None:
        """Keep `value`, and drop what was used longest ago if that is too much."""
        with self._lock:
            self._items[key] = value
            self._items.move_to_end(key)
            total = sum(item.nbytes for item in self._items.values())
            while total > self.limit and len(self._items) > 1:
                _, dropped = self._items.popitem(last=False)
                total -= dropped.nbytes

    def clear(self) -> None:
        """Keep nothing of what is there."""
        with self._lock:
            self._items.clear()

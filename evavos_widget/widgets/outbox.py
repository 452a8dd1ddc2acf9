"""What one view still has to be told, and how fast it may be told."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

__all__ = ["ITEMS_PER_PUSH", "LOG", "MAX_LOG", "PUSH_INTERVAL", "SILENCE", "Outbox", "Push"]

PUSH_INTERVAL = 0.05
"""Seconds between two pushes of one kind: 20 per second. A Jupyter server drops messages
without a word above 1,000 per second over all widgets, measured with 5,000 at once."""

ITEMS_PER_PUSH = 64
"""Frames, or other numbered things, that travel together; masks of so many take about 640 KB at
480p with three objects."""

MAX_LOG = 100
"""Log lines kept for a view that is slow to take them; older ones are left out."""

SILENCE = 30.0
"""Seconds without an acknowledgement after which a view with a full window is given up."""

LOG = "log"
"""The kind of push that carries lines; every other one carries the newest of something."""


class Push(NamedTuple):
    """One push that is due: its number, its kind, and what it is about.

    `subject` is the line for `LOG`, a list of numbers for a kind whose items were noted, and
    None for a kind that is one whole, of which always the newest is sent.
    """

    number: int
    kind: str
    subject: Any


class Outbox:
    """The pushes of one view, within a window of unacknowledged ones.

    Nothing is queued but log lines: an outbox remembers *what* changed, and the newest of
    it is sent once the view has credit again. So memory stays bounded however slow a view
    is. The caller brings the lock and the clock.

    Parameters
    ----------
    window : int
        How many pushes may be on the way without an acknowledgement.
    kinds : sequence of str
        The kinds of push, in the order in which they go out when several are due.
    sent : int
        The number of the last push, for a view that is taken up again.
    """

    def __init__(self, window: int, kinds: Sequence[str], sent: int = 0) -> None:
        self.window = window
        self.sent = sent
        self.acknowledged = sent
        self._kinds = tuple(kinds)
        self._changed: set[str] = set()
        self._items: dict[str, set[int]] = {}
        self._log: deque[dict[str, Any]] = deque(maxlen=MAX_LOG)
        self._last_sent: dict[str, float] = {}
        self._full_since: float | None = None

    @property
    def credit(self) -> int:
        """How many pushes may go out now."""
        return self.window - (self.sent - self.acknowledged)

    def note(self, kind: str, items: Iterable[int] | None = None) -> None:
        """Remember that something changed, or which of its items did."""
        if items is None:
            self._changed.add(kind)
        else:
            self._items.setdefault(kind, set()).update(items)

    def note_log(self, line: dict[str, Any]) -> None:
        """Keep a line for the view's log."""
        self._log.append(line)

    def acknowledge(self, number: int) -> None:
        """Give back the credit of every push up to `number`: the view handled them."""
        if self.acknowledged < number <= self.sent:
            self.acknowledged = number
            self._full_since = None

    def _waiting(self) -> list[str]:
        return [
            kind
            for kind in self._kinds
            if kind in self._changed or self._items.get(kind) or (kind == LOG and self._log)
        ]

    def take(self, now: float) -> list[Push]:
        """Take what goes out at the time `now` (seconds); it counts as sent."""
        pushes = []
        for kind in self._waiting():
            if self.credit <= 0:
                break
            if now - self._last_sent.get(kind, -PUSH_INTERVAL) < PUSH_INTERVAL:
                continue
            self.sent += 1
            self._last_sent[kind] = now
            pushes.append(Push(self.sent, kind, self._take(kind)))
        if self.credit <= 0 and self._full_since is None:
            self._full_since = now
        return pushes

    def _take(self, kind: str) -> Any:
        if kind == LOG:
            return self._log.popleft()
        if items := self._items.get(kind):
            some = sorted(items)[:ITEMS_PER_PUSH]
            items.difference_update(some)
            return some
        self._changed.discard(kind)
        return None

    def due_in(self, now: float) -> float | None:
        """Count the seconds until a push is due; 0: now, None: nothing to wait for."""
        if self.credit <= 0:
            return None
        due = [self._last_sent.get(k, -PUSH_INTERVAL) + PUSH_INTERVAL for k in self._waiting()]
        return max(0.0, min(due) - now) if due else None

    def silent(self, now: float) -> bool:
        """Tell whether the view has let its full window lie for `SILENCE` seconds."""
        return self._full_since is not None and now - self._full_since >= SILENCE

"""What undo takes back and redo brings back: the states before and after each change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from evavos_widget.session.state import State

__all__ = ["History", "Kept"]

HISTORY_LIMIT = 100
"""How many changes undo can take back; each keeps the masks it replaced, as runs."""


@dataclass(frozen=True, eq=False)
class Kept:
    """A state to go back to, and the change between it and the present.

    Parameters
    ----------
    line : int
        The line of the journal with that change.
    label : str
        The change in a few words.
    state : State
        As it was.
    since : tuple of callable
        What happened since then that no step takes back, and holds in the state as well.
    """

    line: int
    label: str
    state: State
    since: tuple[Callable[[State], State], ...] = ()


class History:
    """Two stacks of states around the present one.

    Parameters
    ----------
    limit : int
        How many changes undo can take back.
    """

    def __init__(self, limit: int = HISTORY_LIMIT) -> None:
        self._limit = limit
        self._undo: list[Kept] = []
        self._redo: list[Kept] = []

    @property
    def can_undo(self) -> Kept | None:
        """What `undo` would take back."""
        return self._undo[-1] if self._undo else None

    @property
    def can_redo(self) -> Kept | None:
        """What `redo` would bring back."""
        return self._redo[-1] if self._redo else None

    def holds(self, direction: str, line: int) -> bool:
        """Whether ``'undo'`` or ``'redo'`` can get to the change of a line, in some steps."""
        return any(k.line == line for k in (self._undo if direction == "undo" else self._redo))

    def add(self, line: int, label: str, before: State) -> None:
        """A change was made; there is nothing to bring back any more."""
        self._undo.append(Kept(line, label, before))
        del self._undo[: -self._limit]
        self._redo.clear()

    def step(self, direction: str, now: State) -> State:
        """The state that ``'undo'`` or ``'redo'`` leads to from the present one."""
        back = direction == "undo"
        source, target = (self._undo, self._redo) if back else (self._redo, self._undo)
        kept = source.pop()
        target.append(Kept(kept.line, kept.label, now))
        state = kept.state
        for change in kept.since:
            state = change(state)
        if state.annotations is not now.annotations:
            return state
        # K is the same: what was propagated in between still holds.
        return replace(
            now,
            objects=state.objects,
            quality={o: now.quality.get(o, q) for o, q in state.quality.items()},
            rounds=state.rounds,
            snoozed=state.snoozed,
            points=state.points,
        )

    def past(self) -> Iterator[State]:
        """The states that undo leads to, the oldest first."""
        return (kept.state for kept in self._undo)

    def states(self) -> Iterator[State]:
        """Every state in it: those to undo to, the oldest first, then those to redo to."""
        return (kept.state for kept in (*self._undo, *self._redo))

    def always(self, change: Callable[[State], State]) -> None:
        """Make a change in every state that a step leads to from now on."""
        for stack in (self._undo, self._redo):
            stack[:] = [replace(kept, since=(*kept.since, change)) for kept in stack]

    def map(self, change: Callable[[State], State]) -> None:
        """Change every state in it, in the order of `states`."""
        for stack in (self._undo, self._redo):
            stack[:] = [replace(kept, state=change(kept.state)) for kept in stack]

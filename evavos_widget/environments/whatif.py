"""What would be gained: an annotation is tried by the door that everybody takes, and taken back."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from evavos_widget.suggestion import Suggestion

if TYPE_CHECKING:
    from evavos_widget.session import Session
    from evavos_widget.session.turn import Answerer

__all__ = ["asked", "tried"]


def asked(session: Session, frame: int, obj: int, kind: str) -> Suggestion:
    """A suggestion to annotate an object on a frame in one way, which nobody weighed."""
    seconds = session.costs.seconds(kind)
    return Suggestion(frame, obj, kind, "to try it", None, 0.0, seconds)


@contextmanager
def tried(
    session: Session,
    answerer: Answerer,
    frame: int,
    obj: int,
    *kinds: str,
    frames: Collection[int] | None = None,
) -> Iterator[Session]:
    """The session as it would be after an annotation and a pass; at the end as it was before.

    Parameters
    ----------
    session : Session
        Nothing in it is stale.
    answerer : Answerer
        The robot, as a rule.
    frame, obj : int
    kinds : str
        Annotation types, one after the other, with a pass after each.
    frames : collection of int, optional
        What the passes are to reach; by default every frame that waits for one.
    """
    before = len(session.rounds)
    try:
        for kind in kinds:
            answerer.answer(session, asked(session, frame, obj, kind))
            session.propagate(frames=frames)
        yield session
    finally:
        while len(session.rounds) > before:
            session.undo()

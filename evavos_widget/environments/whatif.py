"""What would be gained: an annotation is tried by the door that everybody takes, and taken back."""

from __future__ import annotations

from collections.abc import Iterator
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
    session: Session, answerer: Answerer, frame: int, obj: int, kind: str
) -> Iterator[Session]:
    """The session as it would be after an annotation and a pass; at the end as it was before.

    Parameters
    ----------
    session : Session
        Nothing in it is stale.
    answerer : Answerer
        The robot, as a rule.
    frame, obj : int
    kind : str
        Annotation type.
    """
    before = len(session.rounds)
    answerer.answer(session, asked(session, frame, obj, kind))
    try:
        session.propagate()
        yield session
    finally:
        while len(session.rounds) > before:
            session.undo()

"""One turn of the loop on a session, and who answers what is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from evavos_widget.loop import PropagationStep
from evavos_widget.session.session import Session
from evavos_widget.suggestion import Suggestion

__all__ = ["Answerer", "turn"]


class Answerer(Protocol):
    """Who answers: a person behind the widget or the robot; the loop cannot tell them apart."""

    def answer(self, session: Session, suggestion: Suggestion) -> None:
        """Annotate what the suggestion asks for, or something else, and commit it."""
        ...


def turn(
    session: Session,
    answerer: Answerer,
    on_step: Callable[[PropagationStep], None] | None = None,
) -> Suggestion | None:
    """One turn of the loop: choose the frame and the type, annotate, propagate.

    Parameters
    ----------
    session : Session
    answerer : Answerer
    on_step : callable, optional
        Told of every step of the propagation.

    Returns
    -------
    Suggestion or None
        What was asked; None when nothing is left to ask.
    """
    suggestion = session.suggest()
    if suggestion is not None:
        answerer.answer(session, suggestion)
        session.propagate(on_step, progress=False)
    return suggestion

"""One video being annotated: what happened (events), what is (state), and the loop on it."""

from __future__ import annotations

from evavos_widget.loop import Round
from evavos_widget.session.session import Session
from evavos_widget.session.state import CurvePoint, ObjectInfo, State
from evavos_widget.session.turn import Answerer, turn

__all__ = ["Answerer", "CurvePoint", "ObjectInfo", "Round", "Session", "State", "turn"]

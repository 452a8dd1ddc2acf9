"""One video being annotated: what happened (events), what is (state), and the loop on it."""

from __future__ import annotations

from evavos_widget.session.session import Session
from evavos_widget.session.state import CurvePoint, ObjectInfo, Round, State

__all__ = ["CurvePoint", "ObjectInfo", "Round", "Session", "State"]

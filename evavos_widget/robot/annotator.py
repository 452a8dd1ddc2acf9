"""The robot annotator: answers from ground truth through the door a person uses.

EVA-VOS Sec. 3, "Human annotator simulation": three clicks one by one, each on the largest error
that is left and each prediction feeding the next. Drawn masks, boxes and scribbles come from the
truth too; how exact it all is, is up to the robot's hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from evavos_widget import engines
from evavos_widget.point_selection.proposals import (
    VERIFICATIONS,
    contradictions,
    propose_on_frame,
)
from evavos_widget.prompts import Click, Scribble
from evavos_widget.robot.clicks import Placement, corrective_click, largest_component
from evavos_widget.robot.hand import Hand
from evavos_widget.robot.verifier import Verifier

if TYPE_CHECKING:
    from evavos_widget.loop import PointSelector, Suggestion
    from evavos_widget.points import Candidate
    from evavos_widget.session import Session

__all__ = ["RobotAnnotator"]


class RobotAnnotator:
    """Answers a session's suggestions from ground truth.

    Parameters
    ----------
    ground_truth : mapping of frame -> (H, W) uint8 label map
    clicks : int
        Clicks per interaction; 3 (EVA-VOS Sec. 3).
    placement : {'distance', 'centroid'}
        See `evavos_widget.robot.clicks.corrective_click`.
    hand : Hand, optional
        An exact one by default.
    verifier : Verifier, optional
        Verifies proposed points; one that errs only by not telling at borders, by default.
    selector : str or PointSelector, optional
        Proposes them; by default those with the largest effect, `VERIFICATIONS` of them.
    """

    def __init__(
        self,
        ground_truth: Mapping[int, np.ndarray],
        *,
        clicks: int = 3,
        placement: Placement = "distance",
        hand: Hand | None = None,
        verifier: Verifier | None = None,
        selector: str | PointSelector = f"largest-effect:{VERIFICATIONS}",
    ) -> None:
        self.ground_truth = ground_truth
        self.clicks = clicks
        self.placement: Placement = placement
        self.hand = hand or Hand()
        self.verifier = verifier or Verifier(ground_truth)
        self.selector: PointSelector = engines.create("point_selector", selector)

    def answer(self, session: Session, suggestion: Suggestion) -> None:
        """Annotate what the suggestion asks for and commit it to the session."""
        frame, obj, kind = suggestion.frame, suggestion.object, suggestion.kind
        truth = self.ground_truth[frame] == obj
        clicks: list[Click] = []
        proposed = self._proposed(session, frame, obj) if kind == "points" else []
        if not truth.any():
            mask, kind = truth, "absent"
        elif proposed:
            self._verify(session, frame, obj, proposed)
            return
        elif kind in ("mask", "absent"):  # asked whether it is absent where it is not
            kind = "mask"
            mask = self.hand.draw(truth, frame, obj)
        elif kind in ("clicks", "points"):  # nothing is proposed where nothing was propagated
            kind = "clicks"
            mask, clicks = self.click(session, frame, obj)
        elif kind == "box":
            mask = session.predict(frame, obj, box=self.hand.box(truth, frame, obj)).mask
        elif kind == "scribble":
            mask = self._scribble(session, frame, obj)
        else:
            raise ValueError(
                f"the robot cannot give {kind!r}; it gives masks, clicks, boxes, scribbles "
                "and answers to proposed points."
            )
        made = [(c.x, c.y, c.positive) for c in clicks]
        session.annotate(frame, mask, objects=[obj], kind=kind, clicks=made)

    def click(self, session: Session, frame: int, obj: int) -> tuple[np.ndarray, list[Click]]:
        """Corrective clicks, one by one; the mask they lead to and the clicks made."""
        truth = self.ground_truth[frame] == obj
        mask = session.masks[frame] == obj
        clicks: list[Click] = []
        for n in range(self.clicks):
            click = corrective_click(mask, truth, self.placement)
            if click is None:
                break
            clicks.append(self.hand.click(click, truth.shape, frame, obj, n))
            mask = session.predict(frame, obj, clicks=clicks).mask
        return mask, clicks

    def _proposed(self, session: Session, frame: int, obj: int) -> list[Candidate]:
        return propose_on_frame(session, frame, obj, self.selector)

    def _verify(self, session: Session, frame: int, obj: int, proposed: list[Candidate]) -> None:
        """Label the points, and commit the mask that the answers lead to.

        Those that contradict the mask correct it as clicks; where none does, it is accepted.
        """
        self.verifier.answer(session, obj, proposed)
        mask = session.masks[frame] == obj
        clicks = contradictions(session.points[frame, obj], mask)
        kind = "verified"
        if clicks:
            mask, kind = session.predict(frame, obj, clicks=clicks).mask, "clicks"
        # The answers were paid for as they were given.
        session.annotate(frame, mask, objects=[obj], kind=kind, clicks=clicks, seconds=0)

    def _scribble(self, session: Session, frame: int, obj: int) -> np.ndarray:
        """A stroke through what is missed most, and one through what is wrong most."""
        truth, mask = self.ground_truth[frame] == obj, session.masks[frame] == obj
        strokes: list[Scribble] = []
        for error, positive in ((truth & ~mask, True), (mask & ~truth, False)):
            region, size = largest_component(error)
            if size:
                strokes.append(self.hand.scribble(region, positive))
        return session.predict(frame, obj, scribbles=strokes).mask if strokes else mask

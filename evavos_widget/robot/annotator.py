"""The robot annotator: answers from ground truth through the door a person uses.

EVA-VOS Sec. 3, "Human annotator simulation": three clicks one by one, each on the largest error
that is left and each prediction feeding the next. So it is by default; in the manner of a person
it looks at what each click does. Drawn masks, boxes and scribbles come from the truth too; how
exact it all is, is up to the robot's hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from evavos_widget import engines
from evavos_widget.loop import visits
from evavos_widget.metrics import VOID, jaccard
from evavos_widget.point_selection.proposals import contradictions, propose_on_frame
from evavos_widget.points import VERIFICATIONS
from evavos_widget.prompts import Click, Scribble
from evavos_widget.robot.clicks import Placement, corrective_click, largest_component
from evavos_widget.robot.hand import Hand
from evavos_widget.robot.verifier import Verifier
from evavos_widget.suggestion import FIRST_CLICKS, check_first

if TYPE_CHECKING:
    from evavos_widget.loop import PointSelector
    from evavos_widget.points import Candidate
    from evavos_widget.session import Session
    from evavos_widget.suggestion import Suggestion

__all__ = ["MANNERS", "Manner", "RobotAnnotator"]

Manner = Literal["paper", "person"]

MANNERS: tuple[Manner, ...] = get_args(Manner)
"""How it clicks: so many times whatever comes of it, as in the paper; or with its eyes open."""

LEAST_GAIN = 0.005
"""A person sees no use in a click that gains less IoU than this, and stops; our choice."""


class RobotAnnotator:
    """Answers a session's suggestions from ground truth.

    Parameters
    ----------
    ground_truth : mapping of frame -> (H, W) uint8 label map
    clicks : int
        Clicks per interaction; 3 (EVA-VOS Sec. 3). In the manner of a person the most it makes.
        Where objects begin with clicks, the first mask gets up to `suggestion.FIRST_CLICKS`.
    manner : {'paper', 'person'}
        A person takes a click back that made the mask worse, and stops there or where a click
        gains next to nothing; every click made is charged, also the one that was taken back.
    first : {'mask', 'clicks', 'agent'}
        What `begin` gives; with ``'agent'`` what the session's annotation selector says.
    placement : {'distance', 'centroid'}
        See `evavos_widget.robot.clicks.corrective_click`.
    hand : Hand, optional
        An exact one by default.
    verifier : Verifier, optional
        Verifies proposed points; one that errs only by not telling at borders, by default.
    selector : str or PointSelector, optional
        Proposes them; by default those with the largest effect, `VERIFICATIONS` of them.

    Examples
    --------
    >>> from evavos_widget import Session, embedded_clip
    >>> clip = embedded_clip()
    >>> with Session(clip.video, path=None) as session:
    ...     RobotAnnotator(clip.ground_truth).begin_all(session)
    ...     print(session.seconds, "seconds for", len(session.objects), "masks")
    160.0 seconds for 2 masks
    """

    def __init__(
        self,
        ground_truth: Mapping[int, np.ndarray],
        *,
        clicks: int = 3,
        manner: Manner = "paper",
        first: str = "mask",
        placement: Placement = "distance",
        hand: Hand | None = None,
        verifier: Verifier | None = None,
        selector: str | PointSelector = f"largest-effect:{VERIFICATIONS}",
    ) -> None:
        if manner not in MANNERS:
            raise ValueError(f"manner is {manner!r}; choose from {list(MANNERS)}.")
        check_first(first)
        self.ground_truth = ground_truth
        self.clicks, self.manner, self.first = clicks, manner, first
        self.placement: Placement = placement
        self.hand = hand or Hand()
        self.verifier = verifier or Verifier(ground_truth)
        self.selector: PointSelector = engines.create("point_selector", selector)

    def begin(self, session: Session, frame: int, obj: int) -> None:
        """Give an object its first annotation, on a frame that shows it."""
        first = session.first_type if self.first == "agent" else self.first
        self._annotate(session, frame, obj, first)

    def begin_all(self, session: Session) -> None:
        """Give all objects of the truth their first annotation, each where it is first seen.

        What somebody who was interrupted has begun already stays.

        Raises
        ------
        ValueError
            The ids of the truth are not those that a session gives, 1, 2, 3, ...
        """
        first: dict[int, int] = {}
        for frame in sorted(self.ground_truth):
            for obj in np.unique(self.ground_truth[frame]).tolist():
                first.setdefault(obj, frame)
        for nothing in (0, VOID):
            first.pop(nothing, None)
        there = {known.id for known in session.objects}
        for obj, frame in sorted(first.items()):
            if obj not in there and session.add_object() != obj:
                raise ValueError(
                    f"the truth has the objects {sorted(first)}, and a session numbers its own "
                    "from 1 on; number them so."
                )
            if not any(obj in known.present for known in session.annotations.values()):
                self.begin(session, frame, obj)

    def answer(self, session: Session, suggestion: Suggestion) -> None:
        """Annotate what the suggestion asks for and commit it to the session."""
        self._annotate(session, suggestion.frame, suggestion.object, suggestion.kind)

    def _annotate(self, session: Session, frame: int, obj: int, kind: str) -> None:
        if frame not in self.ground_truth:
            raise ValueError(
                f"the robot was asked to annotate frame {frame}, and its ground truth has "
                f"{len(self.ground_truth)} other frames; give it the truth of every frame, or a "
                "video of those that have one."
            )
        truth = self.ground_truth[frame] == obj
        clicks: list[Click] = []
        proposed = self._proposed(session, frame, obj) if kind == "points" else []
        if not truth.any():
            mask, kind = truth, "absent"
        elif proposed:
            self._verify(session, frame, obj, proposed)
            return
        elif kind == "mask" or (kind == "absent" and "clicks" not in session.predictor.accepts):
            kind = "mask"
            mask = self.draw(session, frame, obj)
        # Nothing is proposed where nothing was propagated; and whoever is asked whether an object
        # is absent, and sees it, clicks on it; or draws it, where no predictor takes clicks.
        elif kind in ("clicks", "points", "absent"):
            kind = "clicks"
            mask, clicks = self.click(session, frame, obj)
            if not clicks:  # there is nothing to correct
                kind = "verified"
        elif kind == "box":
            box = self.hand.box(truth, frame, obj, visits(session.state, obj)[frame])
            mask = session.predict(frame, obj, box=box).mask
        elif kind == "scribble":
            mask = self._scribble(session, frame, obj)
        else:
            raise ValueError(
                f"the robot cannot give {kind!r}; it gives masks, clicks, boxes, scribbles "
                "and answers to proposed points."
            )
        made = [(c.x, c.y, c.positive) for c in clicks]
        session.annotate(frame, mask, objects=[obj], kind=kind, clicks=made)

    def draw(self, session: Session, frame: int, obj: int) -> np.ndarray:
        """A drawn mask, (H, W) bool; another one where the frame is visited again."""
        truth = self.ground_truth[frame] == obj
        return self.hand.draw(truth, frame, obj, visits(session.state, obj)[frame])

    def click(self, session: Session, frame: int, obj: int) -> tuple[np.ndarray, list[Click]]:
        """Corrective clicks, one by one; the mask they lead to and all the clicks made."""
        truth = self.ground_truth[frame] == obj
        mask = session.masks[frame] == obj
        begun = any(obj in annotation.present for annotation in session.annotations.values())
        most = self.clicks if begun or self.first == "mask" else max(self.clicks, FIRST_CLICKS)
        clicks: list[Click] = []
        for n in range(most):
            click = corrective_click(mask, truth, self.placement)
            if click is None:
                break
            place = frame, obj, n, visits(session.state, obj)[frame]
            clicks.append(self.hand.click(click, truth.shape, *place))
            before, mask = mask, session.predict(frame, obj, clicks=clicks).mask
            if self.manner == "person":
                gain = jaccard(mask, truth) - jaccard(before, truth)
                if gain < 0:
                    # The same click would follow, so that there is nothing more to try.
                    mask = before
                    if n:
                        mask = session.predict(frame, obj, clicks=clicks[:-1]).mask
                if gain < LEAST_GAIN:
                    break
        return mask, clicks

    def _proposed(self, session: Session, frame: int, obj: int) -> list[Candidate]:
        return propose_on_frame(session, frame, obj, self.selector)

    def _verify(self, session: Session, frame: int, obj: int, proposed: list[Candidate]) -> None:
        """Label the points, and commit the mask that the answers lead to.

        Those that contradict the mask correct it as clicks; where none does, it is accepted, and
        where there is none to accept the object is clicked on.
        """
        self.verifier.answer(session, obj, proposed)
        mask = session.masks[frame] == obj
        clicks = contradictions(session.points[frame, obj], mask)
        kind = "verified"
        if clicks:
            mask, kind = session.predict(frame, obj, clicks=clicks).mask, "clicks"
        elif not mask.any():
            self._annotate(session, frame, obj, "clicks")
            return
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

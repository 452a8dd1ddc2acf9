"""The policy explorer in a notebook cell: what a policy went by, and what else could have been."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Unpack, get_args

import numpy as np
import traitlets

from evavos_widget.inspection import Branch, Inspection, compared
from evavos_widget.robot.annotator import RobotAnnotator
from evavos_widget.session import Session
from evavos_widget.widgets.bundle import page
from evavos_widget.widgets.frames import describe, valid_frame
from evavos_widget.widgets.hosted import HostedWidget
from evavos_widget.widgets.options import PolicyOptions, Theme, check_options
from evavos_widget.widgets.policy_controller import PolicyController

__all__ = ["PolicyExplorer"]


class PolicyExplorer(HostedWidget):
    """Look into the rounds of a session, live or recorded, in a notebook cell.

    Parameters
    ----------
    session : Session or path
        The folder of a session is opened to be looked at only.
    other : Session, path or (frame selector, annotation selector), optional
        A second policy: that of another session of the same video, or two names that are asked in
        the states of this one.
    ground_truth : mapping of frame -> (H, W) uint8 label map, optional
        For true quality, rewards and *what if*. Only what is given here is used: the session's own
        is not.
    robot : RobotAnnotator, optional
        Who makes what is tried; by default an exact one.
    encoder : str
        Of the map of frames, where the policy has no embeddings of its own.
    propagator, predictor : str, optional
        For branches, where those of the session were given as objects.
    **options
        Any of the traits below.

    Attributes
    ----------
    inspection : Inspection
        What is shown, as numbers; see also `table`.
    round : int
        Which is shown; the number of rounds is the one to come.
    object, frame : int
        Which are looked at; at first what was annotated in the round.
    theme : {'auto', 'light', 'dark'}
        ``'auto'`` follows the notebook.
    video : dict
        For the page.

    Raises
    ------
    TypeError
        A keyword that the explorer does not have.
    ValueError
        The second session is of another video.
    FileNotFoundError
        The page's code was not built, in a checkout without Node.

    Examples
    --------
    The last line of a cell shows it.

    >>> from evavos_widget import Session, embedded_clip
    >>> clip = embedded_clip()
    >>> with Session(clip.video, path="clip.evavos") as session:
    ...     _ = session.annotate(0, clip.ground_truth[0] == 1, objects=[session.add_object()])
    >>> explorer = PolicyExplorer("clip.evavos", ground_truth=clip.ground_truth)
    >>> [row["made_kind"] for row in explorer.table()]
    ['mask', None]
    >>> explorer.close()
    """

    video = traitlets.Dict().tag(sync=True)
    round = traitlets.Int(0, min=0).tag(sync=True, echo_update=False)
    object = traitlets.Int(0, min=0).tag(sync=True, echo_update=False)
    frame = traitlets.Int(0).tag(sync=True, echo_update=False)
    theme = traitlets.Enum(get_args(Theme), "auto").tag(sync=True)

    _opened: tuple[Session, ...] = ()

    def __init__(
        self,
        session: Session | str | os.PathLike[str],
        other: Session | str | os.PathLike[str] | Sequence[Any] | None = None,
        *,
        ground_truth: Mapping[int, np.ndarray] | None = None,
        robot: RobotAnnotator | None = None,
        encoder: str = "colour",
        propagator: str | None = None,
        predictor: str | None = None,
        **options: Unpack[PolicyOptions],
    ) -> None:
        check_options("PolicyExplorer", options, PolicyOptions.__optional_keys__)
        code = page("policy")
        given = {"propagator": propagator, "predictor": predictor}
        try:
            shown = self._session(session)
            about = {"ground_truth": ground_truth, "encoder": encoder}
            self.inspection = Inspection(shown, **about)
            self.second = self._second(shown, other, about)
            super().__init__(**code, video=describe(shown.video), **_opened_at(shown, options))
        except BaseException:
            self._close_opened()
            raise
        self._controller = PolicyController(
            self.inspection,
            self.send,
            second=self.second,
            names=_names(self.inspection, self.second),
            robot=robot,
            engines={stage: name for stage, name in given.items() if name is not None},
        )
        self._host = self._controller.host

    @traitlets.validate("frame")
    def _check_frame(self, proposal: dict[str, Any]) -> int:
        return valid_frame(proposal["value"], self.inspection.session.video)

    def table(self) -> list[dict[str, Any]]:
        """Every round in one flat row, ready for a data frame; see `Inspection.round`."""
        return self.inspection.table()

    def comparison(self) -> list[dict[str, Any]]:
        """The two policies round by round, see `evavos_widget.inspection.compared`.

        Raises
        ------
        ValueError
            There is one policy only.
        """
        if self.second is None:
            raise ValueError(
                "there is nothing to compare with; give PolicyExplorer(session, other)."
            )
        return compared(self.inspection, self.second)

    @property
    def branches(self) -> tuple[Branch, ...]:
        """What was tried, in the page or with `what_if`, in states that rounds still have.

        What was tried in a state that was undone is there again when that is brought back.
        """
        return self._controller.branches

    def what_if(self, round: int, frame: int, obj: int, kind: str) -> Branch:
        """Try something else in a round, and wait for it; see `evavos_widget.inspection.what_if`.

        Raises
        ------
        ValueError
            There is no ground truth, or no such frame, object or round.
        """
        branch = self._controller.what_if(round, frame, obj, kind)
        assert branch is not None  # nobody gives it up
        return branch

    def close(self) -> None:
        """Stop, remove the views, and close the sessions that the explorer opened itself."""
        if self._host is not None:
            self._controller.close()
        super().close()
        self._close_opened()

    def _session(self, given: Session | str | os.PathLike[str]) -> Session:
        if isinstance(given, Session):
            return given
        opened = Session.open(given, read_only=True)
        self._opened += (opened,)
        return opened

    def _second(self, shown: Session, other: Any, about: dict[str, Any]) -> Inspection | None:
        if other is None:
            return None
        if isinstance(other, Session | str | os.PathLike):
            second = Inspection(self._session(other), **about)
            if second.session.video.fingerprint() != shown.video.fingerprint():
                raise ValueError(
                    f"{second.session.video.name!r} is another video than {shown.video.name!r}; "
                    "compare policies on one."
                )
            return second
        if len(other) != 2:
            raise ValueError(
                f"other is {other!r}; give a session, its folder, or a pair of a frame selector "
                "and an annotation selector."
            )
        frame_selector, annotation_selector = other
        return Inspection(
            shown,
            frame_selector=frame_selector,
            annotation_selector=annotation_selector,
            **about,
        )

    def _close_opened(self) -> None:
        opened, self._opened = self._opened, ()
        for session in opened:
            session.close()


def _opened_at(session: Session, options: PolicyOptions) -> dict[str, Any]:
    """The last round, and what was annotated in it, where nothing else is asked for."""
    n = options.get("round", max(0, len(session.rounds) - 1))
    at: dict[str, Any] = {"round": n, "object": next((o.id for o in session.objects), 0)}
    if made := dict(enumerate(session.rounds)).get(n):
        at |= {"frame": made.frames[0], "object": made.objects[0]}
    return at | options


def _names(first: Inspection, second: Inspection | None) -> tuple[str, str]:
    """What the two policies are called; numbered where both are called alike."""
    names = [
        f"{each.frame_selector.name} + {each.annotation_selector.name}"
        for each in (first, second or first)
    ]
    if names[0] == names[1]:
        names = [f"{name} ({n})" for n, name in enumerate(names, start=1)]
    return names[0], names[1]

"""The point verifier in a notebook cell: yes or no about proposed pixels (Point-VOS Sec. 3.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack, get_args

import numpy as np
import traitlets

from evavos_widget.point_selection.proposals import localise
from evavos_widget.point_selection.verification import Agreement, Verification
from evavos_widget.session import Session
from evavos_widget.widgets.bundle import page
from evavos_widget.widgets.frames import describe
from evavos_widget.widgets.hosted import HostedWidget
from evavos_widget.widgets.options import (
    Theme,
    VerifierOptions,
    check_options,
    take_session_options,
)
from evavos_widget.widgets.verifier_controller import VerifierController

__all__ = ["Verifier"]

CROP = 2 / 15
"""Part of the picture's shorter side that is shown enlarged; our choice."""

_PROPOSALS = ("selector", "frames", "controls")


class Verifier(HostedWidget):
    """Verify proposed points by keyboard, in a notebook cell.

    Where an object is, is shown once; then one point after the other is asked about, in the
    order in which the selector proposes them. Each answer is a point label of the session, on
    disk before it counts as answered. Run the cell again after a restart, and it goes on where
    it was.

    Parameters
    ----------
    source : Session, Video, or anything `Video.open` takes
        Given a video, the verifier makes its own session.
    objects : int, str or a sequence of them, optional
        Ids or names; default every object that is annotated on some frame. A single name that
        is new becomes an object where a `localisation` comes with it.
    localisation : mapping, optional
        Where a single object is, if the session does not have it yet: ``frame``, and any of
        ``clicks``, ``box``, ``scribbles`` or ``mask`` as for
        `evavos_widget.point_selection.proposals.localise`.
    selector : str or PointSelector
        Proposes the points; ``'random'`` as in the paper, or ``'largest-effect'``.
    frames : int
        Points are on so many evenly spaced frames; 10 (Point-VOS Sec. 3.1).
    controls : mapping of (frame, object) -> points, optional
        Points with a known answer, mixed in without a sign; see `agreement`.
    **options
        Any of the traits below, and for a video any option of `Session`.

    Attributes
    ----------
    session : Session
    verification : Verification
        What is asked and what was answered.
    crop : int
        Image pixels across the enlarged part, 16 or more; 2/15 of the picture's shorter side,
        which is 64 at 480p.
    read_only : bool
        Show everything, take no answer.
    theme : {'auto', 'light', 'dark'}
        ``'auto'`` follows the notebook.
    video : dict
        For the page; read `session` instead.

    Raises
    ------
    TypeError
        A keyword that neither the verifier nor `Session` has.
    ValueError
        An object is not there, or on no frame and without a localisation.
    FileNotFoundError
        The page's code was not built, in a checkout without Node.

    Examples
    --------
    The last line of a cell shows it; the page then asks for the points to be proposed.

    >>> from evavos_widget import embedded_clip
    >>> clip = embedded_clip()
    >>> frames = np.stack([clip.video[i][::4, ::4] for i in range(8)])
    >>> where = {"frame": 0, "mask": clip.ground_truth[0][::4, ::4] == 1}
    >>> verifier = Verifier(
    ...     frames, "astronaut", localisation=where, path=None, propagator="flow", frames=4
    ... )
    >>> verifier.verification.propose()
    >>> said = verifier.verification.answers(1)
    >>> said.count(None) == len(said) > 0
    True
    >>> verifier.close()
    """

    video = traitlets.Dict().tag(sync=True)
    crop = traitlets.Int(64, min=16).tag(sync=True, echo_update=False)
    read_only = traitlets.Bool(False).tag(sync=True)
    theme = traitlets.Enum(get_args(Theme), "auto").tag(sync=True)

    _controller: VerifierController | None = None

    def __init__(
        self,
        source: Any,
        objects: int | str | Sequence[int | str] | None = None,
        *,
        localisation: Mapping[str, Any] | None = None,
        **options: Unpack[VerifierOptions],
    ) -> None:
        check_options("Verifier", options, VerifierOptions.__optional_keys__ | {"localisation"})
        own: dict[str, Any] = dict(options)
        proposals = {k: own.pop(k) for k in _PROPOSALS if k in own}
        session_options = take_session_options(source, own)
        code = page("verifier")
        self._owns_session = not isinstance(source, Session)
        self.session = Session(source, **session_options) if self._owns_session else source
        own["read_only"] = own.get("read_only", False) or self.session.read_only
        try:
            ids = _objects(self.session, objects, localisation)
            self.verification = Verification(self.session, ids, **proposals)
            video = self.session.video
            crop = max(16, round(min(video.height, video.width) * CROP))
            super().__init__(**code, video=describe(video), **{"crop": crop, **own})
        except BaseException:
            if self._owns_session:
                self.session.close()
            raise
        self._controller = VerifierController(self.verification, self.send)
        self._host = self._controller.host
        self._host.read_only = self.read_only

    @traitlets.observe("read_only")
    def _pass_on_read_only(self, change: dict[str, Any]) -> None:
        if self._host is not None:
            self._host.read_only = change["new"]

    def wait(self, timeout: float | None = None) -> Verification:
        """Wait until the points are proposed, which the widget does by itself.

        Parameters
        ----------
        timeout : float, optional
            Seconds; default for ever.

        Returns
        -------
        Verification
            What is asked.

        Raises
        ------
        TimeoutError
            They are not, after `timeout`.
        RuntimeError
            They could not be proposed, or the verifier was closed.
        """
        if self._controller is None:
            raise RuntimeError("the verifier was closed; run the cell again.")
        self._controller.wait(timeout)
        return self.verification

    @property
    def seconds_per_point(self) -> float | None:
        """What the annotator takes for a point: the median of the latest answers, or None."""
        return self.verification.seconds_per_point

    @property
    def agreement(self) -> Agreement:
        """How the control points were answered so far."""
        return self.verification.agreement

    def close(self) -> None:
        """Stop the worker and remove the views; an own session is saved and closed too."""
        controller, self._controller = self._controller, None
        if controller is not None:
            controller.close()
            if self._owns_session:
                self.session.close()
        super().close()


LOCALISATION = ["frame", "clicks", "box", "scribbles", "mask"]
"""What a localisation may say, see `evavos_widget.point_selection.proposals.localise`."""


def _objects(
    session: Session,
    given: int | str | Sequence[int | str] | None,
    localisation: Mapping[str, Any] | None,
) -> list[int]:
    """The ids of the objects to ask about; a new one is added and localised."""
    if given is None:
        given = [] if localisation else _annotated(session)
        if not given:
            raise ValueError(
                "no object is annotated yet; name one and say where it is, as in "
                "Verifier(video, 'dog', localisation={'frame': 0, 'clicks': [(420, 200, True)]})."
            )
    if isinstance(given, np.integer):
        given = int(given)
    several = [given] if isinstance(given, int | str) else list(given)
    if localisation is None:
        return [_id(session, obj) for obj in several]
    if len(several) != 1:
        raise ValueError(
            f"one localisation was given for {len(several)} objects; localise them one by one "
            "with evavos_widget.point_selection.proposals.localise."
        )
    if not isinstance(localisation, Mapping):
        raise TypeError(
            f"localisation is {localisation!r}; give a mapping, as in {{'frame': 0, 'clicks': "
            "[(420, 200, True)]}."
        )
    where = dict(localisation)
    if "frame" not in where:
        raise ValueError("the localisation names no frame; give {'frame': 0, ...}.")
    for name in where.keys() - LOCALISATION:
        raise ValueError(f"the localisation has {name!r}; choose from {LOCALISATION}.")
    (obj,) = several
    known = {o.name for o in session.objects}
    found = (
        session.add_object(obj) if isinstance(obj, str) and obj not in known else _id(session, obj)
    )
    if found not in _annotated(session):
        localise(session, where.pop("frame"), found, **where)
    return [found]


def _annotated(session: Session) -> list[int]:
    present = {obj for a in session.annotations.values() for obj in a.present}
    return [o.id for o in session.objects if o.id in present]


def _id(session: Session, obj: int | str) -> int:
    for o in session.objects:
        if obj in (o.id, o.name):
            return o.id
    named = {o.id: o.name for o in session.objects}
    raise ValueError(f"there is no object {obj!r}; choose from {named}.")

"""The annotator in a notebook cell: traits, and a wire from the comm to the controller."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Unpack, get_args

import traitlets

from evavos_widget.session import Session
from evavos_widget.session.view import PALETTES
from evavos_widget.widgets.annotator_controller import AnnotatorController
from evavos_widget.widgets.bundle import page
from evavos_widget.widgets.frames import describe, valid_frame
from evavos_widget.widgets.hosted import HostedWidget
from evavos_widget.widgets.options import (
    AnnotatorOptions,
    Display,
    Theme,
    Tool,
    check_options,
    take_session_options,
)

if TYPE_CHECKING:
    from PIL.Image import Image

    from evavos_widget.session import ObjectInfo, Round
    from evavos_widget.suggestion import Suggestion

__all__ = ["Annotator"]

_log = logging.getLogger(__name__)


_DISPLAY: dict[str, Any] = {
    "opacity": 0.5,
    "contour": True,
    "onion": False,
    "difference": False,
    "palette": "safe",
}


class Annotator(HostedWidget):
    """Annotate a video by mouse, in a notebook cell.

    The masks, the history and the journal belong to `session`, an ordinary
    `evavos_widget.Session`; what is done in the cell and what is done from Python are the
    same calls, and each shows the other's changes. Display one annotator as often as you
    like.

    Parameters
    ----------
    source : Session, Video, or anything `Video.open` takes
        What to annotate. Given a video, the annotator makes its own session.
    **options
        Any of the traits below, and for a video any option of `Session`.

    Attributes
    ----------
    session : Session
    frame : int
        The frame on the screen, 0 to N - 1; set it to go there.
    active_object : int
        Id of the object being outlined; 0 while there is none.
    tool : {'auto', 'clicks', 'scribble', 'box', 'brush', 'eraser', 'polygon', 'fill', 'pick'}
        ``'auto'``: the brush where no learned predictor is loaded, clicks otherwise. In place
        of clicks, scribbles and boxes that the predictor does not take, the page has the brush.
    display : dict
        ``opacity`` of the masks (0 to 1), whether they have a ``contour``, ``onion`` skin of
        the neighbouring frames, ``difference`` to the mask before, and the ``palette``:
        ``'safe'`` for colour-blind eyes or ``'davis'``. What is not given stays as it was.
    target : float or None
        J&F to reach, 0 to 1: a line in the curve, and how long it may still take.
    read_only : bool
        Show everything, change nothing; so it is where the session can only be looked at.
    theme : {'auto', 'light', 'dark'}
        ``'auto'`` follows the notebook.
    video : dict
        What is being annotated, for the page; read `session` instead.

    Raises
    ------
    TypeError
        A keyword that neither the annotator nor `Session` has.
    FileNotFoundError
        The page's code was not built, in a checkout without Node.

    Examples
    --------
    The last line of a cell shows it.

    >>> from evavos_widget import embedded_clip
    >>> clip = embedded_clip()
    >>> annotator = Annotator(clip.video, path=None)
    >>> annotator.frame = 12
    >>> forget = annotator.on_commit(lambda made: print(made.kind, "on", made.frames))
    >>> session = annotator.session
    >>> astronaut = session.add_object("astronaut")
    >>> _ = session.annotate(12, clip.ground_truth[12] == 1, objects=[astronaut])
    mask on (12,)
    >>> annotator.snapshot().save("frame-12.png")
    >>> session.export("davis", "masks").name
    'masks'
    >>> annotator.close()
    """

    video = traitlets.Dict().tag(sync=True)
    frame = traitlets.Int(0).tag(sync=True, echo_update=False)
    active_object = traitlets.Int(0, min=0, max=255).tag(sync=True, echo_update=False)
    tool = traitlets.Enum(get_args(Tool), "auto").tag(sync=True, echo_update=False)
    display = traitlets.Dict(default_value=_DISPLAY).tag(sync=True, echo_update=False)
    read_only = traitlets.Bool(False).tag(sync=True)
    target = traitlets.Float(None, allow_none=True, min=0.0, max=1.0).tag(sync=True)
    theme = traitlets.Enum(get_args(Theme), "auto").tag(sync=True)

    _controller: AnnotatorController | None = None

    def __init__(self, source: Any, **options: Unpack[AnnotatorOptions]) -> None:
        check_options("Annotator", options, AnnotatorOptions.__optional_keys__)
        own: dict[str, Any] = dict(options)
        session_options = take_session_options(source, own)
        code = page("annotator")
        self._owns_session = not isinstance(source, Session)
        self.session = Session(source, **session_options) if self._owns_session else source
        own["read_only"] = own.get("read_only", False) or self.session.read_only
        self._callbacks: dict[str, list[Callable[[Any], object]]] = {}
        try:
            super().__init__(
                **code,
                video=describe(self.session.video),
                **{"active_object": min(self._ids(), default=0), **own},
            )
        except BaseException:
            if self._owns_session:
                self.session.close()
            raise
        self._controller = AnnotatorController(
            self.session,
            self.send,
            suggested=lambda suggestion: self._tell("on_suggestion", suggestion),
        )
        self._unsubscribe = self.session.subscribe(self._follow_session)
        self._host = self._controller.host
        self._host.read_only = self.read_only

    def _ids(self) -> list[int]:
        return [o.id for o in self.session.objects]

    @property
    def objects(self) -> tuple[ObjectInfo, ...]:
        """The session's objects; no trait, since a notebook keeps those and they may be many."""
        return self.session.objects

    @traitlets.validate("frame")
    def _check_frame(self, proposal: dict[str, Any]) -> int:
        return valid_frame(proposal["value"], self.session.video)

    @traitlets.validate("active_object")
    def _check_active_object(self, proposal: dict[str, Any]) -> int:
        obj, ids = proposal["value"], self._ids()
        if obj and obj not in ids:
            raise traitlets.TraitError(f"there is no object {obj}; choose from {ids}, or 0.")
        return obj

    @traitlets.validate("display")
    def _complete_display(self, proposal: dict[str, Any]) -> dict[str, Any]:
        given, known = proposal["value"], Display.__optional_keys__
        if unknown := sorted(given.keys() - known):
            raise traitlets.TraitError(
                f"display has no {unknown[0]!r}; choose from {sorted(known)}."
            )
        complete = {**_DISPLAY, **self.display, **given}
        opacity = complete["opacity"]
        if not isinstance(opacity, int | float) or not 0 <= opacity <= 1:
            raise traitlets.TraitError(f"opacity is {opacity!r}; give 0 to 1.")
        for name in ("contour", "onion", "difference"):
            if not isinstance(complete[name], bool):
                raise traitlets.TraitError(f"{name} is {complete[name]!r}; give True or False.")
        if complete["palette"] not in PALETTES:
            raise traitlets.TraitError(
                f"there is no palette {complete['palette']!r}; choose from {PALETTES}."
            )
        return complete

    @traitlets.observe("frame")
    def _tell_frame(self, change: dict[str, Any]) -> None:
        self._tell("on_frame", change["new"])

    @traitlets.observe("read_only")
    def _pass_on_read_only(self, change: dict[str, Any]) -> None:
        if self._host is not None:
            self._host.read_only = change["new"]

    def _follow_session(self, event: str, payload: dict[str, Any]) -> None:
        if event == "changed":
            if self.active_object not in (0, *self._ids()):
                self.active_object = min(self._ids(), default=0)
            if payload["kind"] == "annotate":
                self._tell("on_commit", payload["round"])
        elif event == "propagated":
            self._tell("on_propagated", payload["finished"])

    # What Python hears -----------------------------------------------------------------
    #
    # A callback runs on the thread on which the thing happened, most often the annotator's
    # worker: what it prints goes to the server's log, so show it in a widget. What it
    # raises is shown in the annotator's messages and disturbs nothing.

    def on_commit(self, callback: Callable[[Round], object]) -> Callable[[], None]:
        """Call ``callback(round)`` after every annotation, once it is on disk.

        Parameters
        ----------
        callback : callable
            Takes a `Round`: frames, objects, kind, seconds and clicks.

        Returns
        -------
        callable
            Ends it.
        """
        return self._listen("on_commit", callback)

    def on_frame(self, callback: Callable[[int], object]) -> Callable[[], None]:
        """Call ``callback(frame)`` when another frame is shown; returns how to end it."""
        return self._listen("on_frame", callback)

    def on_suggestion(self, callback: Callable[[Suggestion | None], object]) -> Callable[[], None]:
        """Call ``callback(suggestion)`` for each new one, None for none; returns how to end it."""
        return self._listen("on_suggestion", callback)

    def on_propagated(self, callback: Callable[[bool], object]) -> Callable[[], None]:
        """Call ``callback(finished)`` after every pass; returns how to end it."""
        return self._listen("on_propagated", callback)

    @property
    def suggestion(self) -> Suggestion | None:
        """What the annotator shows as the next thing to do."""
        return self._controller.suggestion if self._controller is not None else None

    def snapshot(self, frame: int | None = None, *, legend: bool = True) -> Image:
        """A picture of a frame as it is shown, without a browser.

        Parameters
        ----------
        frame : int, optional
            Default: the one on the screen.
        legend : bool
            Number and name of the visible objects under it.

        Returns
        -------
        PIL.Image.Image
        """
        return self.session.snapshot(
            self.frame if frame is None else frame,
            opacity=float(self.display["opacity"]),
            contour=bool(self.display["contour"]),
            palette=str(self.display["palette"]),
            legend=legend,
        )

    def _listen(self, event: str, callback: Callable[[Any], object]) -> Callable[[], None]:
        listening = self._callbacks.setdefault(event, [])
        listening.append(callback)

        def stop() -> None:
            if callback in listening:
                listening.remove(callback)

        return stop

    def _tell(self, event: str, what: object) -> None:
        for callback in list(self._callbacks.get(event, ())):
            try:
                callback(what)
            except Exception as error:
                _log.exception("%s callback failed", event)
                if self._host is not None:
                    sentence = f"the {event} callback failed: {type(error).__name__}: {error}"
                    self._host.write_log("error", sentence)

    def close(self) -> None:
        """Stop the worker and remove the views; an own session is saved and closed too."""
        controller, self._controller = self._controller, None
        if controller is not None:
            self._unsubscribe()
            controller.close()
            if self._owns_session:
                self.session.close()
        super().close()

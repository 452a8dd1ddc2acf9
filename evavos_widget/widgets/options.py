"""The keyword arguments of the widgets, typed so that an editor completes them, and checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from evavos_widget.session import Session

if TYPE_CHECKING:
    import os

    import numpy as np

    from evavos_widget.loop import (
        AnnotationSelector,
        FrameSelector,
        MaskPredictor,
        PointSelector,
        Propagator,
    )
    from evavos_widget.point_selection.verification import Controls
    from evavos_widget.prompts import Costs

__all__ = [
    "AnnotatorOptions",
    "CurvesOptions",
    "Display",
    "PolicyOptions",
    "SessionOptions",
    "Theme",
    "Tool",
    "VerifierOptions",
    "check_options",
    "take_session_options",
]

Theme = Literal["auto", "light", "dark"]
Tool = Literal["auto", "clicks", "scribble", "box", "brush", "eraser", "polygon", "fill", "pick"]


class Display(TypedDict, total=False):
    """How masks are drawn; see `Annotator.display`."""

    opacity: float
    contour: bool
    onion: bool
    difference: bool
    palette: Literal["safe", "davis"]


class SessionOptions(TypedDict, total=False):
    """What `Session` takes beside the video; to be read-only is the annotator's own."""

    propagator: str | Propagator
    predictor: str | MaskPredictor
    frame_selector: str | FrameSelector
    annotation_selector: str | AnnotationSelector
    path: str | os.PathLike[str] | None
    ground_truth: Mapping[int, np.ndarray] | None
    costs: Costs | None
    budget: float | None
    device: str | None
    merge: Literal["trust", "nearest"]
    first: Literal["mask", "clicks", "agent"]


class SessionWidgetOptions(SessionOptions, total=False):
    """What a widget that may open its session takes beside its source, and the session's own.

    The last three are what every Jupyter widget has.
    """

    read_only: bool
    theme: Theme
    layout: Any
    tabbable: bool | None
    tooltip: str | None


class AnnotatorOptions(SessionWidgetOptions, total=False):
    """What `Annotator` takes beside its source: its traits, and what its session takes."""

    frame: int
    active_object: int
    tool: Tool
    display: Display
    target: float | None


class VerifierOptions(SessionWidgetOptions, total=False):
    """What `Verifier` takes beside its source.

    How points are proposed, its traits, and what its session takes.
    """

    selector: str | PointSelector
    frames: int
    controls: Controls | None
    crop: int


class CurvesOptions(TypedDict, total=False):
    """What every way to make `Curves` takes."""

    schedule: str
    target: float | None
    logarithmic: bool
    hidden: list[str]
    theme: Theme


class PolicyOptions(TypedDict, total=False):
    """The traits that `PolicyExplorer` takes."""

    round: int
    object: int
    frame: int
    theme: Theme


def check_options(widget: str, given: Collection[str], known: Collection[str]) -> None:
    """`TypeError` where a widget is given a keyword that it does not have."""
    if unknown := sorted(set(given) - set(known)):
        alike = get_close_matches(unknown[0], known, n=1)
        remedy = f"give {alike[0]!r}" if alike else f"choose from {sorted(known)}"
        raise TypeError(f"{widget} has no option {unknown[0]!r}; {remedy}.")


def take_session_options(source: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Take from a widget's options those of the session, which must not be there already."""
    taken = {name: options.pop(name) for name in SessionOptions.__optional_keys__ & options.keys()}
    if isinstance(source, Session) and taken:
        raise TypeError(
            f"{min(taken)!r} belongs to the session, which exists already; give it to Session(...)."
        )
    return taken

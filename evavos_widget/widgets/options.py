"""The keyword arguments of the widgets, typed so that an editor completes and checks them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypedDict

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
    first: Literal["mask", "clicks"]


class AnnotatorOptions(SessionOptions, total=False):
    """What `Annotator` takes beside its source: its traits, and what its session takes.

    The last three are what every Jupyter widget has.
    """

    frame: int
    active_object: int
    tool: Tool
    display: Display
    target: float | None
    read_only: bool
    theme: Theme
    layout: Any
    tabbable: bool | None
    tooltip: str | None


class VerifierOptions(SessionOptions, total=False):
    """What `Verifier` takes beside its source.

    How points are proposed, its traits, and what its session takes.
    """

    selector: str | PointSelector
    frames: int
    controls: Controls | None
    crop: int
    read_only: bool
    theme: Theme


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

"""What a selector went by, for whoever looks into a policy; nothing of it changes a choice.

A selector that has ``explain`` says it; none need have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from evavos_widget.loop import AnnotationSelector, FrameChoice, FrameSelector, LoopState

__all__ = [
    "ExplainsFrames",
    "ExplainsTypes",
    "FrameExplanation",
    "GainOf",
    "TypeExplanation",
    "explained_frames",
    "explained_types",
]

GainOf = Literal["frame", "video"]
"""What an expected gain is of: J&F of the annotated frame, or the mean over the video's frames."""


@dataclass(frozen=True, eq=False)
class FrameExplanation:
    """What a frame selector ranks frames by.

    Parameters
    ----------
    scores : (N, K) float array
        Per frame and object, in the order of `LoopState.objects`; the largest goes first. NaN
        where nothing would be asked, as on a frame that is annotated.
    meaning : str
        What a score is, in a few words.
    embeddings : mapping of object -> (N, D) float array
        What frames are compared by (EVA-VOS Eq. 1), where they are.
    quality : (N, K) float array, optional
        The selector's own prediction of J&F, 0 to 1, where it makes one; NaN where unknown.
    """

    scores: np.ndarray
    meaning: str
    embeddings: Mapping[int, np.ndarray] = field(default_factory=dict)
    quality: np.ndarray | None = None


@dataclass(frozen=True)
class TypeExplanation:
    """What an annotation selector thinks of each type on the chosen frame.

    Parameters
    ----------
    probabilities : mapping of type -> float
        Of the types that may be asked for; they sum to 1. A rule has 1 for its choice.
    gains : mapping of type -> float
        Expected rise of J&F, -1 to 1, of the types of which one is known.
    seconds : mapping of type -> float
        Expected cost.
    value : float, optional
        What is expected of the loop from here on, in the units of the policy's reward (EVA-VOS
        Sec. 2.3: gain per second); the paper ranks videos by it.
    gain_of : {'frame', 'video'}
        What `gains` are of.
    """

    probabilities: Mapping[str, float]
    gains: Mapping[str, float] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    value: float | None = None
    gain_of: GainOf = "frame"


@runtime_checkable
class ExplainsFrames(Protocol):
    """A frame selector that says what it goes by."""

    def explain(self, state: LoopState) -> FrameExplanation | None:
        """What `select` goes by in this state; the choice is among the largest of its scores."""
        ...


@runtime_checkable
class ExplainsTypes(Protocol):
    """An annotation selector that says what it goes by."""

    def explain(self, state: LoopState, choice: FrameChoice) -> TypeExplanation | None:
        """What `select` thinks of each type on the chosen frame."""
        ...


def explained_frames(selector: FrameSelector, state: LoopState) -> FrameExplanation | None:
    """What a frame selector says of its scores; None where it says nothing."""
    return selector.explain(state) if isinstance(selector, ExplainsFrames) else None


def explained_types(
    selector: AnnotationSelector, state: LoopState, choice: FrameChoice
) -> TypeExplanation | None:
    """What an annotation selector says of the types; None where it says nothing."""
    return selector.explain(state, choice) if isinstance(selector, ExplainsTypes) else None

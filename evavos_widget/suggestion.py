"""What is suggested next: the frame, the type of annotation, and what an object begins with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from evavos_widget.contract import frame_fault, naming, refuse, type_fault
from evavos_widget.loop import (
    AnnotationChoice,
    AnnotationSelector,
    FrameSelector,
    GainOf,
    LoopState,
    possible,
)
from evavos_widget.prompts import STATEMENTS

if TYPE_CHECKING:
    from evavos_widget.prompts import Costs

__all__ = [
    "FIRSTS",
    "FIRST_CLICKS",
    "FIRST_TYPES",
    "DecidesFirst",
    "Suggestion",
    "begun",
    "check_first",
    "first_choice",
    "first_seconds",
    "first_type",
    "suggest",
]

FIRST_TYPES = ("mask", "clicks")
"""Types of annotation that an object can begin with; the paper's is the mask (EVA-VOS Sec. 3)."""

FIRSTS = (*FIRST_TYPES, "agent")
"""What can be said of how objects begin. With ``agent`` the annotation selector decides it where it
can (`DecidesFirst`); of any other selector it is the paper's mask."""

FIRST_CLICKS = 10
"""Clicks that an object is expected to take that begins with clicks; our choice. On seven sequences
of DAVIS they cost 0.008 J&F on average against a drawn mask."""


@dataclass(frozen=True)
class Suggestion:
    """What the agent proposes to do next, and why.

    Parameters
    ----------
    frame, object : int
        Where.
    kind : str
        Annotation type, a key of `ANNOTATION_TYPES`, or absent.
    reason : str
        One line for a person.
    predicted : float or None
        Predicted J&F of the object on the frame, 0 to 1; None where unknown.
    expected_gain : float
        Expected rise of J&F, 0 to 1.
    seconds : float
        Expected cost.
    gain_of : {'frame', 'video'}
        Of what that J&F is.
    """

    frame: int
    object: int
    kind: str
    reason: str
    predicted: float | None
    expected_gain: float
    seconds: float
    gain_of: GainOf = "frame"


@runtime_checkable
class DecidesFirst(Protocol):
    """An annotation selector that also says what an object begins with."""

    def first_type(self, state: LoopState) -> str:
        """One of `FIRST_TYPES`, for an object of which there is nothing yet."""
        ...


def suggest(
    state: LoopState, frames: FrameSelector, annotations: AnnotationSelector
) -> Suggestion | None:
    """Choose the frame, then the annotation type (Sec. 2.2 and 2.3).

    Raises
    ------
    contract.SelectorError
        Names the selector, what it chose or raised, and what to do.
    """
    with naming(frames, "frame_selector"):
        choice = frames.select(state)
    refuse(frames, "frame_selector", frame_fault(choice, state))
    if choice is None:
        return None
    if begun(state, choice.object):
        with naming(annotations, "annotation_selector"):
            how = annotations.select(state, choice)
        refuse(annotations, "annotation_selector", type_fault(how))
    else:
        how = first_choice(state, annotations)
    if how.kind not in STATEMENTS:  # which need no predictor
        possible([how.kind], state)
    predicted = float(state.quality[choice.frame, state.objects.index(choice.object)])
    # Selectors may come with NumPy's numbers and texts, which JSON does not take.
    return Suggestion(
        frame=int(choice.frame),
        object=int(choice.object),
        kind=str(how.kind),
        reason=f"{choice.reason}; {how.reason}",
        predicted=None if np.isnan(predicted) else predicted,
        expected_gain=float(how.expected_gain),
        seconds=float(how.seconds),
        gain_of=how.gain_of,
    )


def first_type(state: LoopState, annotations: AnnotationSelector) -> str:
    """What an object begins with, one of `FIRST_TYPES`.

    Raises
    ------
    ValueError
        It cannot be asked for, see `loop.possible`.
    """
    if state.first != "agent":
        kind = state.first
    else:
        kind = annotations.first_type(state) if isinstance(annotations, DecidesFirst) else "mask"
    return possible([kind], state)[0]


def first_seconds(costs: Costs, kind: str, clicks: int = FIRST_CLICKS) -> float:
    """What an object costs that begins with annotations of a type, or with more clicks."""
    return costs.seconds(kind, max(clicks, FIRST_CLICKS) if kind == "clicks" else None)


def check_first(first: object) -> None:
    """Refuse with a ValueError what is none of `FIRSTS`."""
    if first not in FIRSTS:
        raise ValueError(f"first is {first!r}; choose from {list(FIRSTS)}.")


def begun(state: LoopState, obj: int) -> bool:
    """Whether anything of an object is annotated, so that the selector is asked how to go on."""
    return any(obj in a.present for a in state.annotations.values())


def first_choice(state: LoopState, annotations: AnnotationSelector) -> AnnotationChoice:
    """How an object begins: nothing can be corrected yet."""
    kind = first_type(state, annotations)
    return AnnotationChoice(kind, first_seconds(state.costs, kind), 1.0, "the first mask")

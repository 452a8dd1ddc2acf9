"""What a selector went by, for whoever looks into a policy; nothing of it changes a choice.

A selector that has ``explain`` says it; none need have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from evavos_widget.contract import naming, refuse
from evavos_widget.suggestion import begun, first_choice

if TYPE_CHECKING:
    from evavos_widget.loop import AnnotationSelector, FrameChoice, FrameSelector, GainOf, LoopState

__all__ = [
    "ExplainsFrames",
    "ExplainsTypes",
    "FrameExplanation",
    "TypeExplanation",
    "explained_frames",
    "explained_types",
]


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
    """What a frame selector says of its scores; None where it says nothing.

    Raises
    ------
    contract.SelectorError
        What it says is of another shape, or holds what is no number.
    """
    if not isinstance(selector, ExplainsFrames):
        return None
    stage = "frame_selector"
    with naming(selector, stage):
        told = selector.explain(state)
    if told is None:
        return None
    if not isinstance(told, FrameExplanation):
        refuse(selector, stage, (_PROMISE, f"explain returned a {type(told).__name__}"))
    shape = state.n_frames, len(state.objects)
    arrays = {"scores": told.scores, "quality": told.quality}
    for name, given in arrays.items():
        if given is None:
            continue
        array = arrays[name] = np.asarray(given)
        if array.shape != shape or not np.issubdtype(array.dtype, np.number):
            is_now = f"{array.dtype} of shape {array.shape}"
            fault = f"the {name} of explain are {is_now}, not numbers of {shape}, frames by objects"
            refuse(selector, stage, (_PROMISE, fault))
        if np.isinf(array).any():
            fault = f"the {name} of explain are infinite on a frame; NaN says that it is not asked"
            refuse(selector, stage, (_PROMISE, fault))
    embeddings = {obj: np.asarray(given) for obj, given in told.embeddings.items()}
    for obj, array in embeddings.items():
        if len(array) != state.n_frames or not np.isfinite(array).all():
            fault = f"the embeddings of object {obj} are of shape {array.shape}, not finite numbers"
            refuse(selector, stage, (_PROMISE, f"{fault} of the {state.n_frames} frames"))
    return replace(told, scores=arrays["scores"], quality=arrays["quality"], embeddings=embeddings)


def explained_types(
    selector: AnnotationSelector, state: LoopState, choice: FrameChoice
) -> TypeExplanation | None:
    """What an annotation selector says of the types; None where it says nothing.

    Of an object of which nothing is annotated it is not asked, see `suggestion.suggest`: then there
    is one type, which the object begins with.

    Raises
    ------
    contract.SelectorError
        Its probabilities do not sum to 1, or a gain, a cost or the value is no finite number.
    """
    if not begun(state, choice.object):
        how = first_choice(state, selector)
        kind = how.kind
        return TypeExplanation({kind: 1.0}, {kind: how.expected_gain}, {kind: how.seconds})
    if not isinstance(selector, ExplainsTypes):
        return None
    stage = "annotation_selector"
    with naming(selector, stage):
        told = selector.explain(state, choice)
    if told is None:
        return None
    if not isinstance(told, TypeExplanation):
        refuse(selector, stage, (_PROMISE, f"explain returned a {type(told).__name__}"))
    parts = {what: dict(getattr(told, what)) for what in ("probabilities", "gains", "seconds")}
    value = {} if told.value is None else {"the state": told.value}
    for what, by_type in {**parts, "value": value}.items():
        for kind, number in by_type.items():
            try:
                by_type[kind] = float(number)  # which may be NumPy's, and JSON takes none
            except (TypeError, ValueError):
                by_type[kind] = float("nan")
            if not np.isfinite(by_type[kind]):
                fault = f"of explain, the {what} of {kind} is {number!r}, no finite number"
                refuse(selector, stage, (_PROMISE, fault))
    probable = parts["probabilities"]
    if min(probable.values(), default=0) < 0 or not np.isclose(sum(probable.values()), 1):
        refuse(
            selector,
            stage,
            (_PROMISE, f"the probabilities of explain are {probable}, which do not sum to 1"),
        )
    return replace(told, **parts, value=value.get("the state"))


_PROMISE = "explains-its-choice"
"""Of ``docs/contract.md``, which an explanation that cannot be shown breaks."""

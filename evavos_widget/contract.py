"""What an engine has to offer, checked when it is handed in; docs/contract.md tells it all.

The members, their defaults and their signatures are read from the protocols of
`evavos_widget.loop`, so that they stand in one place. What an engine then does is checked by
`evavos_widget.testing`; of that, whether a selector's choice can be followed, and whether what a
propagator or predictor gave can be used, is said here, for who does so.
"""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from textwrap import shorten
from typing import Any, get_args

import numpy as np

from evavos_widget.loop import (
    Annotation,
    AnnotationChoice,
    AnnotationSelector,
    FrameChoice,
    FrameSelector,
    GainOf,
    LoopState,
    MaskPredictor,
    PointSelector,
    PropagationStep,
    Propagator,
    Stage,
    Steps,
)
from evavos_widget.prompts import ANNOTATION_TYPES, Prediction
from evavos_widget.sources import MERGES
from evavos_widget.video import Video

__all__ = [
    "BASES",
    "EngineError",
    "SelectorError",
    "frame_fault",
    "naming",
    "prediction_fault",
    "refuse",
    "require",
    "step_fault",
    "steps_of",
    "type_fault",
]

BASES: Mapping[str, type] = {
    "propagator": Propagator,
    "predictor": MaskPredictor,
    "frame_selector": FrameSelector,
    "annotation_selector": AnnotationSelector,
    "point_selector": PointSelector,
}
"""Stage -> its protocol, which is also the base to derive from."""

ROUNDING = 1e-3
"""By how much a probability may lie outside 0 to 1; half precision rounds to this."""


def require(stage: str, engine: object) -> None:
    """Refuse an object that does not offer what a stage needs.

    Parameters
    ----------
    stage : str
        A key of `BASES`.
    engine : object

    Raises
    ------
    TypeError
        One sentence that names all that is missing or of another kind, and the base that has
        defaults.
    """
    base, what = BASES[stage], stage.replace("_", " ")
    if isinstance(engine, type):
        raise TypeError(
            f"{engine.__name__} is a class, and a {what} is an object; give {engine.__name__}(...)."
        )
    members = _members(base)
    needed = [name for name in members if not _has_default(base, name)]
    lacking = [n for n in dict.fromkeys([*needed, *members]) if not hasattr(engine, n)]
    faults = [
        fault
        for name in members
        if name not in lacking and (fault := _fault(base, name, getattr(engine, name)))
    ]
    if lacking:
        faults.insert(0, f"it lacks {_and([_call(base, name) for name in lacking])}")
    if faults:
        raise TypeError(
            f"{type(engine).__name__} is no {what}: {', '.join(faults)}; derive it from "
            f"{base.__module__}.{base.__name__}, which has a default for everything but "
            f"{_and(needed)}."
        )


class EngineError(ValueError):
    """An engine gave what cannot be used."""


class SelectorError(EngineError):
    """A selector of somebody's own failed, or said what cannot be followed."""


@contextmanager
def naming(selector: Stage, stage: str) -> Iterator[None]:
    """Say which selector failed; those of the package say themselves what is wrong.

    Parameters
    ----------
    selector : Stage
    stage : str
        A key of `BASES`.
    """
    try:
        yield
    except Exception as error:
        if type(selector).__module__.partition(".")[0] == __name__.partition(".")[0]:
            raise
        raise _error(selector, stage, f"it raised {type(error).__name__}: {error}") from error


def refuse(engine: Stage, stage: str, fault: tuple[str, str] | None) -> None:
    """Raise an `EngineError` where there is a fault, such as `frame_fault` finds."""
    if fault is not None:
        raise _error(engine, stage, fault[1])


def _error(engine: Stage, stage: str, detail: str) -> EngineError:
    chooses = stage.endswith("selector")
    return (SelectorError if chooses else EngineError)(
        f"the {stage.replace('_', ' ')} {engine.name!r} cannot be "
        f"{'followed' if chooses else 'used'}: {detail}; mend it "
        f"(evavos_widget.testing.check_{stage} finds the rest) or give another {stage}."
    )


def steps_of(
    propagator: Propagator,
    video: Video,
    annotations: Mapping[int, Annotation],
    objects: Sequence[int],
    frames: Collection[int],
) -> Steps:
    """The steps of a pass, as `Propagator.propagate` gives them, each looked at.

    Raises
    ------
    EngineError
        One cannot be used.
    """
    steps = propagator.propagate(video, annotations, objects, frames)
    if not isinstance(steps, Generator):
        returned = f"propagate returned {_shown(steps)} ({type(steps).__name__})"
        refuse(propagator, "propagator", ("can-be-cancelled", f"{returned}, which is no generator"))
    wanted, shape = frozenset(frames), (len(objects) + 1, video.height, video.width)
    try:
        for step in steps:
            refuse(propagator, "propagator", step_fault(step, wanted, shape))
            yield step
    finally:
        steps.close()


def step_fault(
    step: object, frames: Collection[int], shape: tuple[int, int, int]
) -> tuple[str, str] | None:
    """Why a step of a pass cannot be used; see `frame_fault`.

    Parameters
    ----------
    step : object
        What ``propagate`` yielded.
    frames : collection of int
        Those asked for.
    shape : (K + 1, H, W)
        Of what comes with a frame.
    """
    if not isinstance(step, PropagationStep):
        what = f"it yielded {_shown(step)} ({type(step).__name__})"
        return "gives-steps", f"{what}, which is no PropagationStep"
    counts = (step.done, step.total)
    if not all(isinstance(n, int | np.integer) for n in counts) or not 1 <= step.done <= step.total:
        told = f"a step says {_shown(step.done)} of {_shown(step.total)}"
        return "gives-steps", f"{told}, and they are counted from 1 of 1 on"
    if step.frame is None:
        return None
    if step.frame not in frames:
        return "each-frame-once", f"it gave frame {_shown(step.frame)}, which nobody asked for"
    fault = _soft_fault(step.probabilities, shape)
    if fault:
        return "gives-probabilities", f"the probabilities of frame {step.frame} {fault}"
    return None


def prediction_fault(found: object, shape: tuple[int, int]) -> tuple[str, str] | None:
    """Why a prediction cannot be used; see `frame_fault`.

    Parameters
    ----------
    found : object
        What ``predict`` returned.
    shape : (H, W)
        Of the picture.
    """
    promise = "gives-a-prediction"
    if not isinstance(found, Prediction):
        return promise, f"it returned a {type(found).__name__}, which is no Prediction"
    mask = found.mask
    if not isinstance(mask, np.ndarray) or mask.shape != shape or mask.dtype != bool:
        return promise, f"its mask is {_array(mask)}, and {shape} of bool is needed"
    if fault := _soft_fault(found.probabilities, shape):
        return promise, f"its probabilities {fault}"
    if not _is_finite(found.score) or not 0 <= found.score <= 1:
        return promise, f"its score is {_shown(found.score)}, which is not from 0 to 1"
    return None


def _soft_fault(given: Any, shape: tuple[int, ...]) -> str | None:
    """What is wrong with probabilities; rounding may have taken them a little out of range."""
    if (
        not isinstance(given, np.ndarray)
        or given.shape != shape
        or not np.issubdtype(given.dtype, np.floating)
    ):
        return f"are {_array(given)}, and {shape} of float32 is needed"
    low, high = float(given.min()), float(given.max())
    if not (low >= -ROUNDING and high <= 1 + ROUNDING):
        return f"go from {low:.3g} to {high:.3g}, and not from 0 to 1"
    return None


def _array(value: Any) -> str:
    """An array as a sentence can have it."""
    if isinstance(value, np.ndarray):
        return f"{value.shape} of {value.dtype}"
    return f"{_shown(value)} ({type(value).__name__})"


def frame_fault(choice: object, state: LoopState) -> tuple[str, str] | None:
    """Why a frame selector's choice cannot be followed.

    Parameters
    ----------
    choice : object
        What ``select`` returned.
    state : LoopState
        In which it was asked.

    Returns
    -------
    (promise, detail) or None
        The promise of ``docs/contract.md`` that is broken, and what was chosen; None for a choice
        that can be followed.
    """
    if choice is None:
        return None
    if not isinstance(choice, FrameChoice):
        return (
            "gives-a-choice",
            f"it returned {_shown(choice)} ({type(choice).__name__}), which is no FrameChoice",
        )
    if fault := _reason_fault(choice.reason):
        return fault
    try:
        frame = operator.index(choice.frame)
    except TypeError:
        return "frame-of-the-video", f"it chose frame {_shown(choice.frame)}, no whole number"
    if not 0 <= frame < state.n_frames:
        return (
            "frame-of-the-video",
            f"it chose frame {frame} of {state.n_frames}, which are 0 to {state.n_frames - 1}",
        )
    if not any(choice.object is obj or choice.object == obj for obj in state.objects):
        return (
            "object-to-ask-for",
            f"it chose object {_shown(choice.object)}, and there are {state.objects} to ask for",
        )
    return None


def type_fault(choice: object) -> tuple[str, str] | None:
    """Why an annotation selector's choice cannot be followed; see `frame_fault`."""
    if not isinstance(choice, AnnotationChoice):
        return (
            "gives-a-choice",
            f"it returned {_shown(choice)} ({type(choice).__name__}), which is no AnnotationChoice",
        )
    if fault := _reason_fault(choice.reason):
        return fault
    kinds = [*ANNOTATION_TYPES, "absent"]
    if not isinstance(choice.kind, str) or choice.kind not in kinds:
        return "known-type", f"it chose {_shown(choice.kind)}, and the types are {', '.join(kinds)}"
    if not _is_finite(choice.seconds) or choice.seconds < 0:
        return (
            "costs-time",
            f"its seconds are {_shown(choice.seconds)}; they are finite, 0 or more",
        )
    if not _is_finite(choice.expected_gain) or abs(choice.expected_gain) > 1:
        return (
            "gain-is-a-difference",
            f"its expected gain is {_shown(choice.expected_gain)}; a difference of J&F is from "
            "-1 to 1",
        )
    if choice.gain_of not in get_args(GainOf):
        return (
            "gain-is-a-difference",
            f"its gain is of {_shown(choice.gain_of)}; it is of the frame or of the video",
        )
    return None


def _reason_fault(reason: object) -> tuple[str, str] | None:
    if isinstance(reason, str) and reason and "\n" not in reason:
        return None
    return "gives-a-choice", f"its reason is {_shown(reason)}, and one line of text is needed"


def _is_finite(value: object) -> bool:
    return isinstance(value, (int, float, np.number)) and bool(np.isfinite(value))


def _shown(value: object) -> str:
    """A value as a sentence can have it, however long it is."""
    return shorten(repr(value), 60, placeholder=" ...")


def _members(base: type) -> list[str]:
    """Names of what a protocol asks for, inherited ones first."""
    names: list[str] = []
    for part in reversed(base.__mro__):
        if Stage in part.__mro__:
            names += [*vars(part).get("__annotations__", {}), *vars(part)]
    return [name for name in dict.fromkeys(names) if not name.startswith("_")]


def _has_default(base: type, name: str) -> bool:
    return hasattr(base, name) and name not in getattr(base, "__abstractmethods__", ())


def _call(base: type, name: str) -> str:
    """A member as it is used: methods with their arguments."""
    member = getattr(base, name, None)
    if not callable(member):
        return name
    arguments = list(inspect.signature(member).parameters.values())[1:]
    return f"{name}({', '.join(_argument(a) for a in arguments)})"


def _argument(argument: inspect.Parameter) -> str:
    return f"{argument.name}=..." if argument.kind is argument.KEYWORD_ONLY else argument.name


def _fault(base: type, name: str, given: Any) -> str | None:
    """What is wrong with a member that is there."""
    expected = getattr(base, name, None)
    if not callable(expected):
        fits, kind = _VALUES[name]
        return None if fits(given) else f"its {name} is {given!r}, which is not {kind}"
    if not callable(given):
        return f"its {name} is {given!r}, which is not a method"
    if inspect.iscoroutinefunction(given) or inspect.isasyncgenfunction(given):
        return f"its {name} is async, which nobody would await"
    try:
        signature = inspect.signature(given)
    except (TypeError, ValueError):  # some built-in functions have none
        return None
    arguments = list(inspect.signature(expected).parameters.values())[1:]
    by_name = [a.name for a in arguments if a.kind is a.KEYWORD_ONLY]
    try:
        signature.bind(*[None] * (len(arguments) - len(by_name)), **dict.fromkeys(by_name))
    except TypeError:
        taken = ", ".join(str(p.replace(annotation=p.empty)) for p in signature.parameters.values())
        return f"its {name}({taken}) cannot be called as {_call(base, name)}"
    return None


def _and(parts: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def _are_numbers(n: int, value: Any) -> bool:
    return (
        isinstance(value, (tuple, list))
        and len(value) == n
        and all(isinstance(v, (int, float)) and math.isfinite(v) for v in value)
    )


_VALUES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "name": (lambda v: isinstance(v, str) and bool(v), "a text such as 'flow'"),
    "notice": (lambda v: v is None or isinstance(v, str), "a sentence or None"),
    "learned": (lambda v: isinstance(v, bool), "True or False"),
    "device": (lambda v: isinstance(v, str) and bool(v), "a text such as 'cpu'"),
    "repeatable": (lambda v: isinstance(v, bool), "True or False"),
    "quality_weights": (partial(_are_numbers, 3), "three finite numbers"),
    "merge": (lambda v: v in MERGES, f"one of {', '.join(map(repr, MERGES))}"),
    "together": (lambda v: isinstance(v, bool), "True or False"),
    "trust_weights": (partial(_are_numbers, 4), "four finite numbers"),
    "accepts": (
        lambda v: isinstance(v, (set, frozenset)) and bool(v) and v <= ANNOTATION_TYPES.keys(),
        f"a set of some of {', '.join(map(repr, ANNOTATION_TYPES))}",
    ),
}
"""Member -> whether a value fits, and what would."""

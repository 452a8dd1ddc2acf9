"""What an engine has to offer, checked when it is handed in; docs/contract.md tells it all.

The members, their defaults and their signatures are read from the protocols of
`evavos_widget.loop`, so that they stand in one place. What an engine then does is checked by
`evavos_widget.testing`.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from evavos_widget.loop import (
    AnnotationSelector,
    FrameSelector,
    MaskPredictor,
    PointSelector,
    Propagator,
    Stage,
)
from evavos_widget.prompts import ANNOTATION_TYPES
from evavos_widget.sources import MERGES

__all__ = ["BASES", "require"]

BASES: Mapping[str, type] = {
    "propagator": Propagator,
    "predictor": MaskPredictor,
    "frame_selector": FrameSelector,
    "annotation_selector": AnnotationSelector,
    "point_selector": PointSelector,
}
"""Stage -> its protocol, which is also the base to derive from."""


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

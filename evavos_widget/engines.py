"""Stages by name: the one place where a name becomes an engine.

Each stage keeps the table of its engines in its own room; this module only opens the
door when a name is asked for, so that the rooms stay above the loop and the session.
"""

from __future__ import annotations

from importlib import import_module
from inspect import signature
from typing import Any

from evavos_widget.checkpoints import WeightsError

__all__ = ["STAGES", "create", "create_or_fall_back"]

#: Stage -> the package that has its table ``ENGINES``: name -> ``"module:class"``.
STAGES = {
    "propagator": "evavos_widget.propagation",
    "predictor": "evavos_widget.mask_prediction",
    "frame_selector": "evavos_widget.frame_selection",
    "annotation_selector": "evavos_widget.annotation_selection",
}


def create(stage: str, engine: Any, **options: Any) -> Any:
    """The engine called `engine` of a stage; an object that is not a name is passed through.

    Parameters
    ----------
    stage : {'propagator', 'predictor', 'frame_selector', 'annotation_selector'}
    engine : str or object
        A name such as ``"flow"``, or an object that follows the stage's protocol. What
        follows a colon, as in ``"compact:mine.safetensors"``, is the first argument of the
        engine's class.
    **options
        Passed to the engine's class.

    Raises
    ------
    ValueError
        The stage does not know the name; the message lists the names it knows.
    """
    if not isinstance(engine, str):
        return engine
    engine_class, variant = _found(stage, engine)
    return engine_class(variant, **options) if variant else engine_class(**options)


def _found(stage: str, engine: str) -> tuple[type, str]:
    """The class that a name means, and what follows the colon."""
    room = import_module(STAGES[stage])
    name, _, variant = engine.partition(":")
    if name not in room.ENGINES:
        raise ValueError(
            f"there is no {stage.replace('_', ' ')} {name!r}; choose from {sorted(room.ENGINES)}."
        )
    module, _, class_name = room.ENGINES[name].partition(":")
    return getattr(import_module(f"{room.__name__}.{module}"), class_name), variant


def create_or_fall_back(
    stage: str, engine: Any, device: str | None = None
) -> tuple[Any, str | None]:
    """As `create`, but an engine without usable weights is replaced.

    Parameters
    ----------
    stage, engine : as for `create`
    device : str, optional
        Where it runs, if it is an engine that can choose.

    Returns
    -------
    engine : object
        The engine asked for, or the stage's fallback, which needs no weights.
    sentence : str or None
        Why the fallback does the work, if it does.
    """
    options = {}
    if device is not None and isinstance(engine, str):
        choices = signature(_found(stage, engine)[0]).parameters
        options = {"device": device} if "device" in choices else {}
    try:
        return create(stage, engine, **options), None
    except WeightsError as error:
        fallback = import_module(STAGES[stage]).FALLBACK
        what = stage.replace("_", " ")
        return create(stage, fallback), f"the {what} is {fallback!r}, not {engine!r}: {error}"

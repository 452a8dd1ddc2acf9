"""Stages by name: the one place where a name becomes an engine.

Each stage keeps the table of its engines in its own room; this module only opens the
door when a name is asked for, so that the rooms stay above the loop and the session.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from inspect import signature
from typing import Any

from evavos_widget.checkpoints import WeightsError

__all__ = ["EXTRAS", "STAGES", "MissingExtraError", "create", "create_or_fall_back"]

#: Stage -> the package that has its table ``ENGINES``: name -> ``"module:class"``.
STAGES = {
    "propagator": "evavos_widget.propagation",
    "predictor": "evavos_widget.mask_prediction",
    "frame_selector": "evavos_widget.frame_selection",
    "annotation_selector": "evavos_widget.annotation_selection",
}

#: Package that an engine imports -> the optional part of this one that brings it.
EXTRAS = {
    "cutie": "cutie",
    "huggingface_hub": "hub",
    "omegaconf": "cutie",
    "timm": "hub",
    "transformers": "hub",
}


class MissingExtraError(ImportError):
    """A package of an optional part is not installed; the message says how to install it."""


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
    MissingExtraError
        The engine is in an optional part that is not installed.
    """
    if not isinstance(engine, str):
        return engine
    engine_class, variant = _found(stage, engine)
    with _naming_the_extra(stage, engine):
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
    with _naming_the_extra(stage, engine):
        return getattr(import_module(f"{room.__name__}.{module}"), class_name), variant


@contextmanager
def _naming_the_extra(stage: str, engine: str) -> Iterator[None]:
    """Say which optional part brings a package that is missing."""
    try:
        yield
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        if not package:  # transformers tells the name of what it misses in words alone
            package = next((name for name in EXTRAS if name in str(error)), "")
        if package not in EXTRAS:
            raise
        missing = isinstance(error, ModuleNotFoundError)
        state = "not installed" if missing else "not installed or too old"
        how = "install" if missing else "install --upgrade"
        raise MissingExtraError(
            f"the {stage.replace('_', ' ')} {engine!r} needs the package {package!r}, which is "
            f"{state}; run: pip {how} 'evavos-widget[{EXTRAS[package]}]'"
        ) from error


def create_or_fall_back(
    stage: str, engine: Any, device: str | None = None
) -> tuple[Any, str | None]:
    """As `create`, but an engine that lacks usable weights or a package is replaced.

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
    try:
        options = {}
        if device is not None and isinstance(engine, str):
            choices = signature(_found(stage, engine)[0]).parameters
            options = {"device": device} if "device" in choices else {}
        return create(stage, engine, **options), None
    except (WeightsError, MissingExtraError) as error:
        fallback = import_module(STAGES[stage]).FALLBACK
        what = stage.replace("_", " ")
        return create(stage, fallback), f"the {what} is {fallback!r}, not {engine!r}: {error}"

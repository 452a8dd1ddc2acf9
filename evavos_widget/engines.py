"""Stages by name: the one place where a name becomes an engine.

Each stage keeps its own table of names in its own room; this module only opens the
door when a name is asked for, so that the rooms stay above the loop and the session.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["STAGES", "create"]

#: Stage -> the package that builds its engines with ``create(name, **options)``.
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
        A name such as ``"flow"``, or an object that follows the stage's protocol.
    **options
        Passed to the engine's constructor when `engine` is a name.

    Raises
    ------
    ValueError
        The stage does not know the name; the message lists the names it knows.
    """
    if not isinstance(engine, str):
        return engine
    return import_module(STAGES[stage]).create(engine, **options)

"""Methods to compare: who chooses the frame, and who chooses the type of annotation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evavos_widget import engines
from evavos_widget.experiments.oracles import GainPerSecond, LargestImpact, WorstFrame
from evavos_widget.robot.annotator import RobotAnnotator

__all__ = ["PRESETS", "Method", "selectors"]

ORACLE_FRAMES = {"oracle-worst": WorstFrame, "oracle-impact": LargestImpact}


@dataclass(frozen=True)
class Method:
    """One line of a plot.

    Parameters
    ----------
    name : str
    frame : str
        A frame selector, ``oracle-worst`` or ``oracle-impact``.
    annotation : str
        An annotation selector, or ``oracle``.
    """

    name: str
    frame: str
    annotation: str

    def __post_init__(self) -> None:
        for what in ("name", "frame", "annotation"):
            value = getattr(self, what)
            if not isinstance(value, str):
                raise ValueError(f"{what} of a method is {value!r}; give a name.")

    @property
    def random(self) -> bool:
        """Whether it has to be run with several seeds."""
        return "random" in (self.frame, self.annotation)

    @property
    def tries(self) -> bool:
        """Whether it tries what it may choose, which takes longer than choosing."""
        return self.frame == "oracle-impact" or self.annotation == "oracle"


def _on_masks(*frames: str) -> tuple[Method, ...]:
    return tuple(Method(frame, frame, "mask") for frame in frames)


PRESETS: Mapping[str, Sequence[Method]] = {
    "fig3a": _on_masks(
        "random", "uniform", "farthest-in-time", "l2", "oracle-worst", "oracle-impact"
    ),
    "fig3b": (
        Method("clicks", "oracle-worst", "clicks"),
        Method("mask", "oracle-worst", "mask"),
        Method("random", "oracle-worst", "random"),
        Method("oracle", "oracle-worst", "oracle"),
    ),
    "fig3c": (
        Method("mask-only", "random", "mask"),
        Method("clicks-only", "random", "clicks"),
        Method("random", "random", "random"),
        Method("farthest-rule", "farthest-in-time", "rule"),
        Method("oracle", "oracle-worst", "oracle"),
    ),
    "types": (
        Method("mask", "farthest-in-time", "mask"),
        Method("clicks", "farthest-in-time", "clicks"),
        Method("rule", "farthest-in-time", "rule"),
    ),
}
"""EVA-VOS Fig. 3: frame selection with drawn masks, annotation selection on the worst frame,
and both; and the types of annotation on the frames that the annotator asks for by default.
``farthest-rule`` is what it does by default."""


def selectors(method: Method, robot: RobotAnnotator, seed: int) -> tuple[Any, Any]:
    """The two selectors of a method, new ones; oracles still have to be bound to a session.

    Raises
    ------
    ValueError
        A stage does not know the name.
    """
    truth: Mapping[int, np.ndarray] = robot.ground_truth
    frame = (
        ORACLE_FRAMES[method.frame](truth)
        if method.frame in ORACLE_FRAMES
        else engines.create("frame_selector", _seeded(method.frame, seed))
    )
    annotation = (
        GainPerSecond(robot)
        if method.annotation == "oracle"
        else engines.create("annotation_selector", _seeded(method.annotation, seed))
    )
    return frame, annotation


def _seeded(name: str, seed: int) -> str:
    return f"random:{seed}" if name == "random" else name

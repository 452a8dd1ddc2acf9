"""Methods to compare: who chooses the frame, and who chooses the type of annotation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evavos_widget import engines
from evavos_widget.robot.annotator import RobotAnnotator
from evavos_widget.sources import check_merge
from evavos_widget.suggestion import check_first

__all__ = ["PRESETS", "Method", "baseline", "selectors"]


@dataclass(frozen=True)
class Method:
    """One line of a plot.

    Parameters
    ----------
    name : str
    frame : str
        A frame selector by name (`evavos_widget.engines`), oracles among them: ``oracle-worst``,
        ``oracle-impact``.
    annotation : str
        An annotation selector by name, oracles among them: ``oracle``.
    first : {'mask', 'clicks', 'agent'}
        How the object is annotated on its first frame: drawn, as in the paper, or clicked, or
        as the annotation selector says.
    merge : {'trust', 'nearest'}, optional
        How the propagator merges what arrives from several annotations, see
        `evavos_widget.sources`; by default as it does by itself.
    """

    name: str
    frame: str
    annotation: str
    first: str = "mask"
    merge: str | None = None

    def __post_init__(self) -> None:
        for what in ("name", "frame", "annotation"):
            value = getattr(self, what)
            if not isinstance(value, str):
                raise ValueError(f"{what} of a method is {value!r}; give a name.")
        check_first(self.first)
        if self.merge is not None:
            check_merge(self.merge)

    @property
    def engines(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """The selectors, as stage and name."""
        return ("frame_selector", self.frame), ("annotation_selector", self.annotation)

    @property
    def has_chance(self) -> bool:
        """Whether it has to be run with several seeds: one of its selectors takes a `seed`."""
        return any(engines.accepts(stage, name, "seed") for stage, name in self.engines)

    @property
    def tries(self) -> bool:
        """Whether it tries what it may choose, which takes longer than choosing."""
        classes = (engines.engine_class(stage, name) for stage, name in self.engines)
        return any(issubclass(each, engines.Oracle) and each.tries for each in classes)


def _on_masks(*frames: str) -> tuple[Method, ...]:
    return tuple(Method(frame, frame, "mask") for frame in frames)


PRESETS: Mapping[str, Sequence[Method]] = {
    "fig3a": _on_masks(
        "random",
        "uniform",
        "farthest-in-time",
        "l2",
        "ivosw",
        "qnet",
        "qnet-eq1",
        "oracle-worst",
        "oracle-impact",
    ),
    "fig3b": (
        Method("clicks", "oracle-worst", "clicks"),
        Method("mask", "oracle-worst", "mask"),
        Method("random", "oracle-worst", "random"),
        Method("policy", "oracle-worst", "policy"),
        Method("oracle", "oracle-worst", "oracle"),
    ),
    "fig3c": (
        Method("mask-only", "random", "mask"),
        Method("clicks-only", "random", "clicks"),
        Method("random", "random", "random"),
        Method("farthest-rule", "farthest-in-time", "rule"),
        Method("evavos", "qnet", "policy"),
        Method("evavos-eq1", "qnet-eq1", "policy"),
        Method("joint", "joint", "joint"),
        Method("oracle", "oracle-worst", "oracle"),
    ),
    "encoders": (
        Method("random", "random", "mask"),
        Method("farthest-in-time", "farthest-in-time", "mask"),
        Method("l2-colour", "l2:colour", "mask"),
        Method("l2-compact", "l2:compact", "mask"),
        Method("l2-lite0", "l2:lite0", "mask"),
    ),
    "first": tuple(
        Method(f"{name}, {first} first", frame, kind, first)
        for first in ("mask", "clicks")
        for name, frame, kind in (
            ("mask-only", "random", "mask"),
            ("clicks-only", "random", "clicks"),
            ("both", "farthest-in-time", "rule"),
        )
    ),
    "room": (
        Method("mask-only", "random", "mask"),
        Method("farthest-rule", "farthest-in-time", "rule"),
        Method("oracle", "oracle-worst", "oracle"),
        Method("oracle-video", "oracle-video", "oracle-video"),
    ),
    "types": (
        Method("mask", "farthest-in-time", "mask"),
        Method("clicks", "farthest-in-time", "clicks"),
        Method("rule", "farthest-in-time", "rule"),
    ),
    "points": (
        Method("mask", "farthest-in-time", "mask"),
        Method("clicks", "farthest-in-time", "clicks"),
        Method("points", "farthest-in-time", "points"),
    ),
}
"""EVA-VOS Fig. 3: frame selection with drawn masks, annotation selection on the worst frame,
and both; image encoders for Equation 1 (the "L2" of Fig. 3a); objects that begin with a drawn mask
or with clicks; the room that an oracle leaves; and the types of annotation on the frames that the
annotator asks for by default, verified points (Point-VOS) in ``points``.
``farthest-rule`` is what it does by default, ``evavos-eq1`` the paper's agent, QNet by Eq. 1 and
the policy, and ``evavos`` the same with the frames of ``qnet``, which weighs time and what shows;
``joint`` chooses frame and type together."""


def baseline(methods: Iterable[Method]) -> str | None:
    """The name of the method that draws masks on random frames, the first of them, if any.

    What the others are measured against (EVA-VOS Sec. 4).
    """
    for method in methods:
        if (method.frame, method.annotation, method.first) == ("random", "mask", "mask"):
            return method.name
    return None


def selectors(method: Method, robot: RobotAnnotator, seed: int) -> tuple[Any, Any]:
    """The two selectors of a method, new ones; oracles still have to be told the session.

    Parameters
    ----------
    method : Method
    robot : RobotAnnotator
        Knows the truth, for oracles.
    seed : int
        For selectors whose class takes one.

    Raises
    ------
    ValueError
        A stage does not know the name.
    """
    frame, annotation = (
        engines.create(
            stage,
            name,
            robot=robot,
            **({"seed": seed} if engines.accepts(stage, name, "seed") else {}),
        )
        for stage, name in method.engines
    )
    return frame, annotation

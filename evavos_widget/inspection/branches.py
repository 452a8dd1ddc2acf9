"""*What if*: another frame or type in some round, made by the robot in a branch beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evavos_widget.robot.annotator import RobotAnnotator
from evavos_widget.session.recording import branched, probabilities_again
from evavos_widget.suggestion import Suggestion

if TYPE_CHECKING:
    from evavos_widget.inspection.rounds import Inspection

__all__ = ["Branch", "what_if"]


@dataclass(frozen=True)
class Branch:
    """What came of another annotation in a round.

    Parameters
    ----------
    round, frame, object : int
    kind : str
        What the robot made, which may be another type than was asked for, such as absent.
    seconds : float
    predicted_before, predicted_after : float or None
        Mean predicted J&F of the object over the video, 0 to 1.
    true_before, true_after : float
        The true one.
    frame_before, frame_after : float or None
        True J&F on the frame; None where the truth lacks it.
    gain, per_second : float
        Rise of the true mean, and that for each second.
    predicted, true : list of float or None
        By frame, after the annotation.
    """

    round: int
    frame: int
    object: int
    kind: str
    seconds: float
    predicted_before: float | None
    predicted_after: float | None
    true_before: float
    true_after: float
    frame_before: float | None
    frame_after: float | None
    gain: float
    per_second: float
    predicted: list[float | None]
    true: list[float | None]

    def row(self) -> dict[str, Any]:
        """As a flat row of a table."""
        return {k: v for k, v in asdict(self).items() if not isinstance(v, list)}


def what_if(
    inspection: Inspection,
    n: int,
    frame: int,
    obj: int,
    kind: str,
    *,
    robot: RobotAnnotator | None = None,
    on_step: Callable[[int, int], bool] | None = None,
    **engines: Any,
) -> Branch | None:
    """Let the robot annotate something else in the state before round `n`, and carry it on.

    The session itself stays as it is: the robot works on a copy of that state in memory.

    Parameters
    ----------
    inspection : Inspection
        With ground truth.
    n : int
        Round, 0 to ``len(inspection)``.
    frame, obj : int
    kind : str
        Annotation type.
    robot : RobotAnnotator, optional
        By default an exact one with the inspection's truth.
    on_step : callable, optional
        ``on_step(done, total)`` after each step of the pass; False gives the branch up.
    **engines
        As for `evavos_widget.session.recording.branched`.

    Returns
    -------
    Branch or None
        None where it was given up.

    Raises
    ------
    ValueError
        There is no truth for the robot to answer from, or it or the round lacks the frame or the
        object.
    """
    truth = inspection.truth
    if truth is None:
        raise ValueError(
            "what would follow is found out by the robot, which answers from the truth, and there "
            "is none here; give ground_truth."
        )
    if frame not in truth.ground_truth:
        raise ValueError(f"the truth has no frame {frame}; choose one that it has.")
    state = inspection.recording.state_of_session(n)
    if obj not in state.ids:
        raise ValueError(f"there is no object {obj} in round {n}; choose from {list(state.ids)}.")
    if obj not in truth.objects:
        raise ValueError(
            f"the truth has no object {obj}, so that nothing can be said of what would follow; "
            f"choose from {sorted(truth.objects)}."
        )
    robot = robot or RobotAnnotator(truth.ground_truth)
    before = truth.of(state.masks, obj)
    with branched(inspection.session, state, **engines) as branch:
        for step in probabilities_again(branch, frame):
            if on_step is not None and not on_step(step.done, step.total):
                return None
        robot.answer(branch, Suggestion(frame, obj, kind, "what if", None, 0.0, 0.0))
        for step in branch.propagation():
            if on_step is not None and not on_step(step.done, step.total):
                return None
        paid = branch.rounds[len(state.rounds) :]
        after, quality = truth.of(branch.masks, obj), branch._state.quality[obj]
    seconds = float(sum(each.seconds for each in paid))
    gain = float(np.nanmean(after) - np.nanmean(before))
    return Branch(
        round=n,
        frame=frame,
        object=obj,
        kind=paid[-1].kind,
        seconds=seconds,
        predicted_before=_mean(state.quality[obj]),
        predicted_after=_mean(quality),
        true_before=float(np.nanmean(before)),
        true_after=float(np.nanmean(after)),
        frame_before=_known(before[frame]),
        frame_after=_known(after[frame]),
        gain=gain,
        per_second=gain / max(seconds, 1e-3),
        predicted=[_known(v) for v in quality],
        true=[_known(v) for v in after],
    )


def _mean(values: np.ndarray) -> float | None:
    return float(np.nanmean(values)) if np.isfinite(values).any() else None


def _known(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)

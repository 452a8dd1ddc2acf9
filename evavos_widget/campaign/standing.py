"""How one video stands, what its next annotation promises, and how sure it is of its target."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from evavos_widget.explanation import explained_types
from evavos_widget.loop import FrameChoice, nearest_annotated, objects_annotated
from evavos_widget.quantities import as_count, as_quantity, as_share
from evavos_widget.suggestion import begun, first_seconds

if TYPE_CHECKING:
    from evavos_widget.loop import LoopState
    from evavos_widget.prompts import Costs
    from evavos_widget.session import Session
    from evavos_widget.suggestion import Suggestion

__all__ = ["MEAN_ERROR", "MeanError", "Standing", "judged", "promise_of", "standing_of", "unbegun"]

Basis = Literal["value", "video", "frame", "first"]
"""What a promise rests on: the value that the policy gives the state (EVA-VOS, "Video ranking"),
its expected gain of the whole video, that of the one frame, or that nothing of the object is there
yet."""

FIRST_QUALITY = 0.7
"""Predicted J&F that a first mask is expected to bring, while no video of the campaign has one
(the embedded engine with free weights begins at 0.77 on DAVIS validation); our choice, a little
less, since what is to be annotated is harder than a benchmark."""


@dataclass(frozen=True)
class MeanError:
    """What the mean predicted J&F of a video is wrong by, true less predicted.

    Parameters
    ----------
    bias, deviation : float
        Mean and standard deviation over videos, in J&F from 0 to 1.
    n : int
        Videos that it was measured on.
    """

    bias: float
    deviation: float
    n: int

    def __post_init__(self) -> None:
        as_quantity("bias", self.bias, "J&F, -1 to 1", -1.0, 1.0)
        as_share("deviation", self.deviation)
        as_count("n", self.n)

    def reaches(self, predicted: float, target: float) -> float:
        """Probability that the true mean is at least `target`, of a normal distribution."""
        off = predicted + self.bias - target
        if self.deviation <= 0:
            return float(off >= 0)
        return 0.5 * (1 + math.erf(off / (self.deviation * math.sqrt(2))))


MEAN_ERROR = MeanError(bias=0.005, deviation=0.073, n=30)
"""Of the embedded engine with the weights ``free``, which saw no video, in 210 states of simulated
loops on the 30 sequences of DAVIS-2016 train, with drawn and clicked masks
(``python -m benchmarks.mean_error``, docs/loop.md)."""


@dataclass(frozen=True)
class Standing:
    """One video of a campaign.

    Parameters
    ----------
    video : str
    status : {'new', 'open', 'reached', 'finished', 'failed'}
        New: nothing is annotated. Reached: predicted to have its target, with the certainty that
        the campaign asks for. Finished: the annotator said so, or nothing is left to ask. Failed:
        the video is not there, its session cannot be opened, or a selector failed; see `reason`.
    seconds : float
        Spent on it; of one that failed, as far as it is known.
    rounds : int
        Annotations.
    predicted : float or None
        Mean predicted J&F over frames and objects, 0 to 1; None before a whole pass.
    sure : float or None
        Probability that the true mean is at least the target.
    frame, object, kind : int, int, str; or None
        What to do next.
    gain : float
        Expected rise of the mean J&F of the object in the video, 0 to 1.
    cost : float
        Expected seconds of it.
    rate : float
        By which videos are ranked: gain per second, or the policy's value.
    basis : {'value', 'video', 'frame', 'first'}
        What `rate` rests on.
    reason : str
        One line for a person.
    """

    video: str
    status: str
    seconds: float = 0.0
    rounds: int = 0
    predicted: float | None = None
    sure: float | None = None
    frame: int | None = None
    object: int | None = None
    kind: str | None = None
    gain: float = 0.0
    cost: float = 0.0
    rate: float = 0.0
    basis: Basis = "frame"
    reason: str = ""


@dataclass(frozen=True)
class Promise:
    """What one annotation is expected to bring; see `Standing`."""

    gain: float
    rate: float
    basis: Basis


def promise_of(session: Session, state: LoopState, suggestion: Suggestion) -> Promise:
    """What a suggestion, made of a state, promises for the mean J&F of its object over the video.

    A gain of the frame alone counts for the frames that would follow it, those nearer to it than to
    any annotated one, as if they were as bad and gained as much: an upper bound.
    """
    if not begun(state, suggestion.object):
        return Promise(FIRST_QUALITY, FIRST_QUALITY / max(suggestion.seconds, 1e-3), "first")
    choice = FrameChoice(suggestion.frame, suggestion.object, suggestion.reason)
    told = explained_types(session.annotation_selector, state, choice)
    gain, basis = suggestion.expected_gain, "video"
    if told is not None and told.gain_of == "video":
        gain = told.gains.get(suggestion.kind, gain)
    else:
        annotated = objects_annotated(state.annotations, suggestion.object)
        nearest = nearest_annotated(sorted({*annotated, suggestion.frame}), state.n_frames)
        gain *= float(np.mean(nearest == suggestion.frame))
        basis = "frame"
    if told is not None and told.value is not None:
        return Promise(float(gain), float(told.value), "value")
    return Promise(float(gain), gain / max(suggestion.seconds, 1e-3), basis)


def standing_of(name: str, session: Session) -> Standing:
    """How the video of a session stands, without a word on the campaign's target."""
    state = session.state
    about = {"seconds": state.seconds, "rounds": len(state.rounds)}
    if not state.annotations:
        return replace(unbegun(name, session.costs, session.first_type), **about)
    about["predicted"] = _mean(state.quality)
    suggestion = session.suggest()
    if suggestion is None:
        return Standing(name, "finished", **about, reason="nothing is left to ask")
    promise = promise_of(session, session._to_ask_about(session._state), suggestion)
    return Standing(
        name,
        "open",
        **about,
        frame=suggestion.frame,
        object=suggestion.object,
        kind=suggestion.kind,
        gain=promise.gain,
        cost=suggestion.seconds,
        rate=promise.rate,
        basis=promise.basis,
        reason=suggestion.reason,
    )


def unbegun(name: str, costs: Costs, kind: str = "mask") -> Standing:
    """A video of which nothing is annotated, and whose objects begin with a type."""
    reason = "nothing is annotated yet"
    cost = first_seconds(costs, kind)
    return judged(Standing(name, "new", kind=kind, cost=cost, basis="first", reason=reason))


def judged(
    standing: Standing,
    target: float = 1.0,
    certainty: float = 1.0,
    error: MeanError = MEAN_ERROR,
    first: float = FIRST_QUALITY,
) -> Standing:
    """A standing measured by a target, which may be another than when it was found.

    Parameters
    ----------
    standing : Standing
    target, certainty, error : as for `Campaign`
    first : float
        Predicted J&F that a first mask is expected to bring.
    """
    if standing.basis == "first":
        standing = replace(standing, gain=first, rate=first / max(standing.cost, 1e-3))
    if standing.predicted is None:
        return standing
    sure = error.reaches(standing.predicted, target)
    reached = standing.status == "open" and sure >= certainty
    return replace(standing, sure=sure, status="reached" if reached else standing.status)


def _mean(quality: np.ndarray) -> float | None:
    """Mean over frames and objects; None while a frame waits for its first pass."""
    return float(quality.mean()) if np.isfinite(quality).all() else None

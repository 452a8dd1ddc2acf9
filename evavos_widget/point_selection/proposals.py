"""From a rough localisation to points to verify, in a session (Point-VOS Sec. 3.2, Fig. 4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from evavos_widget import engines
from evavos_widget.loop import PointSelector, completed
from evavos_widget.point_selection.sampling import FRAMES, spaced_frames
from evavos_widget.points import VERIFICATIONS, Candidate, Point
from evavos_widget.prompts import Box, Click, Scribble
from evavos_widget.session import Session

__all__ = [
    "contradictions",
    "localise",
    "propagated_probabilities",
    "propose",
    "propose_on_frame",
]


def localise(
    session: Session,
    frame: int,
    obj: int,
    *,
    clicks: Sequence[Click | tuple[float, float, Any]] = (),
    box: Box | Sequence[float] | None = None,
    scribbles: Sequence[Scribble] = (),
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """Commit the pseudo-mask that a rough localisation leads to.

    Parameters
    ----------
    session : Session
    frame, obj : int
    clicks, box, scribbles
        Any of them, as for `Session.predict`; a trace of the mouse is a scribble.
    mask : (H, W) bool array, optional
        One that exists and was looked at, in place of all these.

    Returns
    -------
    (H, W) bool array
        The pseudo-mask.

    Raises
    ------
    ValueError
        Nothing is given, or a mask beside prompts, or the mask is empty.
    """
    prompted = bool(len(clicks) or len(scribbles) or box is not None)
    if prompted == (mask is not None):
        raise ValueError(
            "give clicks, a box or scribbles that say where the object is, or else its mask."
        )
    if mask is None:
        predicted = session.predict(frame, obj, clicks=clicks, box=box, scribbles=scribbles)
        mask, kind = (
            predicted.mask,
            "clicks" if len(clicks) else "scribble" if len(scribbles) else "box",
        )
    else:
        mask, kind = np.asarray(mask, bool), "verified"
    if not mask.any():
        raise ValueError(
            f"the localisation of object {obj} on frame {frame} leads to an empty mask; add a "
            "click on the object."
        )
    session.annotate(frame, mask, objects=[obj], kind=kind, clicks=clicks)
    return mask


def propagated_probabilities(
    session: Session, obj: int, frames: Sequence[int]
) -> dict[int, np.ndarray]:
    """What the session's propagator makes of its annotations, both ways in time.

    Parameters
    ----------
    session : Session
    obj : int
    frames : sequence of int

    Returns
    -------
    dict of int -> (H, W) float32 array in [0, 1]
        By frame, the object's probability; all objects of the session compete for the pixels.
    """
    objects = [o.id for o in session.objects]
    plane = 1 + objects.index(obj)
    steps = session.carry(session.annotations, objects, frames)
    return {frame: soft[plane].astype(np.float32) for frame, soft in completed(steps)}


def propose(
    session: Session,
    obj: int,
    *,
    selector: str | PointSelector = "random",
    frames: int = FRAMES,
) -> list[Candidate]:
    """Points to verify of an object that is annotated on some frame.

    Parameters
    ----------
    session : Session
    obj : int
    selector : str or PointSelector
    frames : int
        On so many evenly spaced frames.

    Returns
    -------
    list of Candidate
        In the order in which to ask.

    Raises
    ------
    ValueError
        The object is nowhere yet, or there is no such selector.
    """
    if not any(obj in a.present for a in session.annotations.values()):
        raise ValueError(f"object {obj} is on no frame yet; say where it is with localise(...).")
    engine: PointSelector = engines.create("point_selector", selector)
    chosen = spaced_frames(session.video.n_frames, frames)
    return engine.select(session.video, propagated_probabilities(session, obj, chosen))


def propose_on_frame(
    session: Session,
    frame: int,
    obj: int,
    selector: str | PointSelector = f"largest-effect:{VERIFICATIONS}",
) -> list[Candidate]:
    """Points to verify on one frame, in one annotation of type ``'points'``.

    Parameters
    ----------
    session : Session
    frame, obj : int
    selector : str or PointSelector
        By default those with the largest effect, `VERIFICATIONS` of them.

    Returns
    -------
    list of Candidate
        In the order in which to ask; none where no pass has been over the frame, or its
        probabilities were let go.
    """
    probabilities = session.probabilities(frame, obj)
    if probabilities is None:
        return []
    engine: PointSelector = engines.create("point_selector", selector)
    return engine.select(session.video, {frame: probabilities})


def contradictions(points: Iterable[Point], mask: np.ndarray) -> list[Click]:
    """The points that contradict a mask, as the clicks that correct it.

    Those that agree with it are no clicks: a predictor takes a click for a correction, and
    changes around it what was right.

    Parameters
    ----------
    points : iterable of Point
    mask : (H, W) bool array
    """
    told = [p for p in points if p.label != "unknown"]
    return [
        Click(p.x, p.y, p.label == "positive")
        for p in told
        if (p.label == "positive") != bool(mask[p.y, p.x])
    ]

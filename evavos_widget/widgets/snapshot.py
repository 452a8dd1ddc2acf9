"""What a view needs to know of a session, as JSON values (`State` in the catalogue)."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from evavos_widget.loop import types_taken
from evavos_widget.prompts import ANNOTATION_TYPES

if TYPE_CHECKING:
    from evavos_widget.session import Session
    from evavos_widget.suggestion import Suggestion

__all__ = ["capabilities", "ranges", "snapshot"]


def snapshot(
    session: Session,
    revisions: Sequence[int],
    present: Sequence[Collection[int]],
    suggestions: Sequence[Suggestion],
    job: dict[str, Any],
) -> dict[str, Any]:
    """Describe the session as one JSON object; no masks, which travel as runs.

    Parameters
    ----------
    session : Session
    revisions : sequence of int
        Per frame, a number that grows whenever its mask changes.
    present : sequence of collections of int
        Per frame, the objects that have a pixel there.
    suggestions : sequence of Suggestion
        What to do next, and what instead.
    job : dict
        ``Job`` in the catalogue.
    """
    state = session.state
    quality = state.quality
    return {
        "revision": session.revision,
        "objects": [asdict(o) for o in session.objects],
        "annotated": _annotated(session.marks),
        "revisions": list(revisions),
        "quality": _numbers_or_none(_worst(quality)),
        "object_quality": {
            str(obj): _numbers_or_none(quality[:, k]) for k, obj in enumerate(state.objects)
        },
        "stale": ranges(session.stale),
        "lost": _lost(session, present),
        "suggestion": _suggestion(suggestions[0]) if suggestions else None,
        "alternatives": [_suggestion(s) for s in suggestions[1:]],
        "seconds": session.seconds,
        "curve": [
            {
                "seconds": point.seconds,
                "predicted": _number_or_none(point.predicted),
                "true": _number_or_none(point.true),
            }
            for point in session.curve
        ],
        "undo": session.can_undo,
        "redo": session.can_redo,
        "saved": session.saved_at,
        "kept": session.path is not None,
        "job": job,
    }


def capabilities(session: Session) -> dict[str, Any]:
    """Say what the session's engines can do."""
    from evavos_widget.formats import FORMATS

    taken = types_taken(session.predictor)
    return {
        "predictor": session.predictor.name,
        "predictor_learned": session.predictor.learned,
        "together": session.predictor.together,
        "propagator": session.propagator.name,
        "exports": list(FORMATS),
        "types": [kind for kind in ANNOTATION_TYPES if kind in taken],
        "ground_truth": session.ground_truth is not None,
        "session": _name(session),
    }


def _name(session: Session) -> str:
    """Its folder, or what it is about where nothing is kept."""
    video = session.video
    about = f"{video.name}, {video.n_frames} frames of {video.width} x {video.height}"
    return about if session.path is None else str(session.path)


def ranges(frames: Iterable[int]) -> list[list[int]]:
    """Write frames as ascending inclusive ranges: ``{1, 2, 3, 7} -> [[1, 3], [7, 7]]``."""
    result: list[list[int]] = []
    for frame in sorted(frames):
        if result and frame == result[-1][1] + 1:
            result[-1][1] = frame
        else:
            result.append([frame, frame])
    return result


def _lost(session: Session, present: Sequence[Collection[int]]) -> dict[str, list[list[int]]]:
    """Frames to which an object was carried and has no pixel, and nobody said that it is absent.

    An empty mask is a state and no quality: it may be right, or the object was lost.
    """
    marks, stale = session.marks, session.stale
    drawn = {obj for (frame, obj), mark in marks.items() if mark != "absent"}
    carried = [frame for frame in range(len(present)) if frame not in stale]
    return {
        str(obj): ranges(f for f in carried if obj not in present[f] and (f, obj) not in marks)
        for obj in sorted(drawn)
    }


def _suggestion(suggestion: Suggestion) -> dict[str, Any]:
    fields = asdict(suggestion)
    fields["annotation_type"] = fields.pop("kind")
    return fields


def _annotated(marks: Mapping[tuple[int, int], str]) -> list[dict[str, Any]]:
    """What was said of which object on which frame; `Session.marks` by frame."""
    frames: dict[int, dict[str, Any]] = {}
    for (frame, obj), mark in sorted(marks.items()):
        here = frames.setdefault(
            frame, {"frame": frame, "objects": [], "absent": [], "corrected": [], "verified": []}
        )
        here["objects"].append(obj)
        if mark != "drawn":
            here[mark].append(obj)
    return list(frames.values())


def _worst(quality: np.ndarray) -> np.ndarray:
    """Per frame the lowest known quality of (N, K); NaN where none is known."""
    if quality.shape[1] == 0:
        return np.full(len(quality), np.nan)
    return np.fmin.reduce(quality, axis=1)


def _numbers_or_none(values: np.ndarray) -> list[float | None]:
    """Two digits are what a strip of colour can show, and keep a message small."""
    rounded = np.round(values.astype(np.float64), 2)
    return np.where(np.isnan(rounded), None, rounded).tolist()  # type: ignore[call-overload]


def _number_or_none(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(float(value), 4)

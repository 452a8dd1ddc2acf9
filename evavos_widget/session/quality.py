"""How good the masks are: predicted for a person, and the true figure where truth is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from evavos_widget.masks import ids_of_maps
from evavos_widget.metrics import SequenceScorer
from evavos_widget.probabilities import predicted_quality
from evavos_widget.session.state import CurvePoint, State
from evavos_widget.sources import QUALITY_OF_NOTHING, Known

__all__ = ["TrueQuality", "curve_point", "quality_of_frame"]


def quality_of_frame(
    state: State,
    frame: int,
    ids: Sequence[int],
    probabilities: np.ndarray,
    weights: tuple[float, float, float],
    merge: str,
) -> dict[int, np.ndarray]:
    """`State.quality` after a frame was propagated.

    Parameters
    ----------
    state : State
    frame : int
    ids : sequence of int
        The objects of `probabilities`, which has the background before them.
    probabilities : (K + 1, H, W) float array
    weights : three floats
        See `probabilities.QUALITY_WEIGHTS`.
    merge : str
        See `sources.MERGES`.
    """
    annotation = state.annotations.get(frame)
    spoken = annotation.objects if annotation else frozenset()
    quality = dict(state.quality)
    winners = probabilities.argmax(axis=0)
    for k, obj in enumerate(ids, start=1):
        quality[obj] = quality[obj].copy()
        known = Known(state.annotations, obj, merge)
        if obj in spoken:
            quality[obj][frame] = known.trust[frame]
        elif known.frames and not (winners == k).any():
            quality[obj][frame] = QUALITY_OF_NOTHING
        elif known.seen:
            # What is carried on is at best as good as where it comes from.
            distance = min(abs(frame - f) for f in known.seen)
            arrived = predicted_quality(probabilities[k], distance, weights)
            quality[obj][frame] = known.believed(frame) * arrived
        else:
            quality[obj][frame] = np.nan
    return quality


def curve_point(state: State, true: float | None) -> CurvePoint:
    """What is known of the masks after the seconds spent."""
    predicted = None
    if state.objects:
        values = np.stack([state.quality[o] for o in state.ids])
        if np.isfinite(values).any():
            predicted = float(np.nanmean(values))
    return CurvePoint(state.seconds, predicted, true)


class TrueQuality:
    """Mean J&F of the objects that ground truth knows, for the curve only.

    Parameters
    ----------
    ground_truth : mapping of frame -> (H, W) uint8 label map
    """

    def __init__(self, ground_truth: Mapping[int, np.ndarray]) -> None:
        self.ground_truth = ground_truth
        self._ids = ids_of_maps(ground_truth)
        self._scorer: SequenceScorer | None = None

    def of(self, state: State) -> float | None:
        """J&F, 0 to 1; None where ground truth knows none of the objects."""
        known = tuple(i for i in state.ids if i in self._ids)
        if not known:
            return None
        if self._scorer is None or self._scorer.objects != known:
            self._scorer = SequenceScorer(self.ground_truth, frames="all", objects=known)
        return self._scorer.score(state.masks).jf

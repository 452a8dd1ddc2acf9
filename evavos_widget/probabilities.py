"""Soft masks: what they say about quality, and keeping them within a byte bound."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evavos_widget.cache import ByteBoundedCache

__all__ = [
    "QUALITY_WEIGHTS",
    "TRUST_OF_POINTS",
    "TRUST_WEIGHTS",
    "ProbabilityCache",
    "expected_iou",
    "predicted_quality",
    "predicted_trust",
    "quality_of",
]

QUALITY_WEIGHTS = (1.57, 0.53, -0.34)
"""Weights of 1, logit of the expected IoU, and log(1 + frames to the nearest annotation) in the
logit of the predicted J&F, for a propagator without a ``quality_weights`` of its own. Fitted with
``evavos evaluate quality`` for the engine `flow` on every other sequence of DAVIS-2016 train
(docs/flow.md)."""

TRUST_WEIGHTS = (-0.04, 0.42, 0.46, 0.45)
"""Weights of 1, logit of the predictor's score, IoU of the masks before and after the last prompt,
and logit of the quality that was predicted of the mask before all prompts, in the logit of the IoU
with the truth that is expected of a mask made from prompts. Fitted with
``benchmarks.click_trust`` on sequences of DAVIS-2016 train (docs/loop.md)."""

TRUST_OF_POINTS = 0.6
"""IoU with the truth that is expected of the mask that a propagator makes of an object's points:
0.62 on 60 frames of 10 sequences of DAVIS-2016 train with ``compact`` after training on such
points, ten on the object and ten beside it (``benchmarks.point_trust``, docs/point_vos.md)."""


def expected_iou(probability: np.ndarray) -> float:
    """Expected IoU of a mask thresholded at 0.5, were its probabilities true.

    The ratio of the expected intersection to the expected union,
    ``sum(p[p > .5]) / (count(p > .5) + sum(p[p <= .5]))``; 1 where nothing is expected
    and nothing is there.

    Parameters
    ----------
    probability : (H, W) float array in [0, 1]
    """
    inside = probability > 0.5
    union = np.count_nonzero(inside) + float(probability[~inside].sum(dtype=np.float64))
    if union < 0.5:  # less than half a pixel is expected
        return 1.0
    return float(probability[inside].sum(dtype=np.float64)) / union


def predicted_quality(
    probability: np.ndarray,
    distance: int,
    weights: tuple[float, float, float] = QUALITY_WEIGHTS,
) -> float:
    """Predicted J&F of an object on a frame, without ground truth.

    Parameters
    ----------
    probability : (H, W) float array in [0, 1]
        Of the object, as propagated.
    distance : int
        Frames to the nearest one that is annotated for the object.
    weights : three floats
        See `QUALITY_WEIGHTS`; each propagator may have its own.

    Returns
    -------
    float in (0, 1)
    """
    return quality_of(expected_iou(probability), distance, weights)


def quality_of(
    expected: float,
    distance: int,
    weights: tuple[float, float, float] = QUALITY_WEIGHTS,
) -> float:
    """As `predicted_quality`, of a mask that expects an IoU of `expected` of itself."""
    constant, per_logit, per_distance = weights
    iou = min(max(expected, 0.02), 0.98)  # certainty is never that good
    logit = constant + per_logit * math.log(iou / (1 - iou)) + per_distance * math.log1p(distance)
    return 1 / (1 + math.exp(-logit))


def predicted_trust(
    score: float,
    stands: float,
    before: float | None = None,
    weights: tuple[float, float, float, float] = TRUST_WEIGHTS,
) -> float:
    """Expected IoU with the truth of a mask that a predictor made from prompts.

    Parameters
    ----------
    score : float in [0, 1]
        What the predictor said of it.
    stands : float in [0, 1]
        IoU of the masks before and after the last prompt: what one prompt changed much may
        change much with the next one.
    before : float in [0, 1], optional
        Quality that was predicted of the mask on the frame before all prompts; the score stands
        in for it where there was none.
    weights : four floats
        See `TRUST_WEIGHTS`; each predictor may have its own.

    Returns
    -------
    float in (0, 1)
    """
    constant, per_score, per_stands, per_before = weights
    logit = constant + per_score * _logit(score) + per_stands * stands
    logit += per_before * _logit(score if before is None else before)
    return 1 / (1 + math.exp(-logit))


def _logit(share: float) -> float:
    share = min(max(share, 0.02), 0.98)
    return math.log(share / (1 - share))


@dataclass(frozen=True)
class _SoftMasks:
    """Compressed probabilities of the objects of one frame."""

    coded: Mapping[int, bytes]
    shape: tuple[int, int]

    @property
    def nbytes(self) -> int:
        return sum(map(len, self.coded.values()))


class ProbabilityCache:
    """Propagated probabilities by frame and revision, as compressed bytes within a bound.

    Parameters
    ----------
    max_bytes : int
        The oldest go first when more is kept; the newest always stays.
    """

    def __init__(self, max_bytes: int) -> None:
        self._items = ByteBoundedCache(max_bytes)

    def put(self, frame: int, revision: int, ids: Sequence[int], probabilities: np.ndarray) -> None:
        """Keep ``(K + 1, H, W)`` probabilities of the objects `ids`, to 1/255."""
        coded = {
            obj: zlib.compress(np.round(probabilities[k] * 255).astype(np.uint8).tobytes(), 1)
            for k, obj in enumerate(ids, start=1)
        }
        height, width = probabilities.shape[1:]
        self._items.put((frame, revision), _SoftMasks(coded, (height, width)))

    def get(self, frame: int, revision: int, obj: int) -> np.ndarray | None:
        """``(H, W)`` float32 in [0, 1], or None when they were never kept or let go."""
        kept: _SoftMasks | None = self._items.peek((frame, revision))
        if kept is None or obj not in kept.coded:
            return None
        values = np.frombuffer(zlib.decompress(kept.coded[obj]), dtype=np.uint8)
        return (values.reshape(kept.shape) / 255).astype(np.float32)

    def take(self, other: ProbabilityCache, frame: int, revision: int) -> None:
        """Keep what another cache has of a frame, if it has it still."""
        kept: _SoftMasks | None = other._items.peek((frame, revision))
        if kept is not None:
            self._items.put((frame, revision), kept)

"""J, F and J&F of masks, as the DAVIS scorer defines them, and summaries of quality curves.

J is the intersection over union of two masks; F is the F-measure of their boundaries,
matched within a small radius (Perazzi et al., CVPR 2016, Sec. 5). The numbers equal those
of ``davis2017-evaluation`` and ``vos-benchmark``. Masks are compared 64 pixels at a time:
every row is packed into the bits of uint64 words, in which a boundary or a dilation is a
handful of shifts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evavos_widget.masks import LabelMaps, as_label_map, decode_runs, encode_runs

__all__ = [
    "BOUND_TH",
    "CONVENTIONS",
    "SequenceScore",
    "SequenceScorer",
    "area_under_curve",
    "boundary_f",
    "j_and_f",
    "jaccard",
    "score_frame",
    "score_sequence",
    "time_to_quality",
]

BOUND_TH = 0.008
"""Radius within which boundaries match, as a part of the picture's diagonal (DAVIS)."""

CONVENTIONS: dict[str, str] = {
    "davis": "all frames with ground truth but the first and the last",
    "after-first": "all frames with ground truth but the first",
    "all": "all frames with ground truth",
    "evavos": "all frames where the ground truth has the object",
}
"""Which frames count, by the name that `score_sequence` takes."""

_ONE, _REST = np.uint64(1), np.uint64(63)


# Two masks ------------------------------------------------------------------------------


def jaccard(pred: Any, gt: Any) -> float:
    """J: intersection over union of two binary masks, 1 if both are empty.

    Parameters
    ----------
    pred, gt : (H, W) arrays
        Non-zero where the object is.

    Returns
    -------
    float in [0, 1]
    """
    pred, gt = _same_size(pred, gt)
    union = np.count_nonzero(pred | gt)
    return np.count_nonzero(pred & gt) / union if union else 1.0


def boundary_f(pred: Any, gt: Any, bound_th: float = BOUND_TH) -> float:
    """F: F-measure of the boundaries of two binary masks.

    Precision is the part of the predicted boundary within a disk of the true one, recall
    the reverse. Where only one of the masks has a boundary F is 0, where none has it is 1.

    Parameters
    ----------
    pred, gt : (H, W) arrays
        Non-zero where the object is.
    bound_th : float
        Radius of the disk: below 1 a part of the diagonal, rounded up to pixels; from 1
        on whole pixels.

    Returns
    -------
    float in [0, 1]
    """
    return j_and_f(pred, gt, bound_th)[1]


def j_and_f(pred: Any, gt: Any, bound_th: float = BOUND_TH) -> tuple[float, float]:
    """J and F of two binary masks; see `jaccard` and `boundary_f`."""
    pred, gt = _same_size(pred, gt)
    return _score(_pack(pred, gt), pred.shape, bound_th)


def score_frame(
    pred: np.ndarray, gt: np.ndarray, objects: Sequence[int], bound_th: float = BOUND_TH
) -> np.ndarray:
    """J and F of every object of one frame.

    Parameters
    ----------
    pred, gt : (H, W) uint8 arrays
        Label maps.
    objects : sequence of K ids
    bound_th : float
        As in `boundary_f`.

    Returns
    -------
    (K, 2) float64 array in [0, 1]
        J and F; both are 1 for an object that neither map has.
    """
    return _score_frame(pred, gt, objects, bound_th)[:, :2]


def _score_frame(
    pred: np.ndarray, gt: np.ndarray, objects: Sequence[int], bound_th: float
) -> np.ndarray:
    """J, F, and whether prediction and ground truth have the object: ``(K, 4)`` float64."""
    if pred.shape != gt.shape:
        raise ValueError(_other_size(pred.shape, gt.shape))
    rows = []
    for obj in objects:
        bits = _pack(pred == obj, gt == obj)
        rows.append((*_score(bits, pred.shape, bound_th), bits[0].any(), bits[1].any()))
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def _same_size(pred: Any, gt: Any) -> tuple[np.ndarray, np.ndarray]:
    pred, gt = np.asarray(pred) != 0, np.asarray(gt) != 0
    if pred.shape != gt.shape or pred.ndim != 2:
        raise ValueError(_other_size(pred.shape, gt.shape))
    return pred, gt


def _other_size(pred: tuple[int, ...], gt: tuple[int, ...]) -> str:
    return (
        f"the prediction has shape {pred} and the ground truth {gt}; "
        "give two maps of the same height x width."
    )


def _radius(shape: tuple[int, ...], bound_th: float) -> int:
    if not 0 <= bound_th < math.inf:
        raise ValueError(f"bound_th is {bound_th}; give a part of the diagonal or pixels, >= 0.")
    return int(bound_th) if bound_th >= 1 else math.ceil(bound_th * math.hypot(*shape))


def _pack(pred: np.ndarray, gt: np.ndarray) -> np.ndarray:
    """Both masks as bits: ``(2, H, words)`` uint64, column ``64 i + k`` in bit k of word i."""
    height, width = pred.shape
    packed = np.zeros((2, height, 8 * -(-width // 64)), dtype=np.uint8)
    for mask, row_bytes in zip((pred, gt), packed[..., : -(-width // 8)], strict=True):
        row_bytes[:] = np.packbits(mask, axis=1, bitorder="little")
    return packed.view("<u8")


def _score(bits: np.ndarray, shape: tuple[int, ...], bound_th: float) -> tuple[float, float]:
    """J and F of two packed masks of a picture of `shape`."""
    radius = _radius(shape, bound_th)
    last_column = np.zeros(bits.shape[2], dtype=np.uint64)
    last_column[-1] = _ONE << np.uint64((shape[1] - 1) % 64)
    # A boundary lies at most one row above and one column left of the masks: work there.
    rows, words = np.flatnonzero(bits.any(axis=(0, 2))), np.flatnonzero(bits.any(axis=(0, 1)))
    if not rows.size:
        return 1.0, 1.0
    columns = slice(max(words[0] - 1, 0), words[-1] + 1)
    bits = bits[:, max(rows[0] - 1, 0) : rows[-1] + 2, columns]
    j = int(_count(bits[0] & bits[1])) / int(_count(bits[0] | bits[1]))

    boundaries = _boundaries(bits, last_column[columns])
    pixels = _count(boundaries)
    if not pixels.all():
        return j, float(not pixels.any())
    precision, recall = _count(boundaries & _dilated(boundaries, radius)[::-1]) / pixels
    f = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return j, float(f)


def _count(bits: np.ndarray) -> np.ndarray:
    return np.bitwise_count(bits).sum(axis=(-2, -1), dtype=np.int64)


def _boundaries(bits: np.ndarray, last_column: np.ndarray) -> np.ndarray:
    """Pixels that differ from the one to the right, below, or diagonally below.

    Beyond the edge the picture goes on unchanged, so that its edge is no boundary.
    """
    east = bits >> _ONE
    east[..., :-1] |= bits[..., 1:] << _REST
    east |= bits & last_column
    below = np.append(np.arange(1, bits.shape[1]), bits.shape[1] - 1)
    return bits ^ east | bits ^ bits[:, below] | bits ^ east[:, below]


def _dilated(bits: np.ndarray, radius: int) -> np.ndarray:
    """Pixels within `radius` of one that is set: dilation by a disk."""
    height = bits.shape[1]
    reaches = [math.isqrt(radius**2 - dy**2) for dy in range(radius + 1)]
    dilated, wide = np.zeros_like(bits), bits.copy()
    for reach in range(radius + 1):
        if reach:
            left, right = wide >> _ONE, wide << _ONE
            left[..., :-1] |= wide[..., 1:] << _REST
            right[..., 1:] |= wide[..., :-1] >> _REST
            wide |= left
            wide |= right
        for dy in range(min(radius + 1, height)):
            if reaches[dy] == reach:
                dilated[:, dy:] |= wide[:, : height - dy]
                dilated[:, : height - dy] |= wide[:, dy:]
    return dilated


# A sequence -----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class SequenceScore:
    """Scores of one sequence.

    Parameters
    ----------
    objects : tuple of K ids
    frames : (n,) int64 array
        The frames that were scored, ascending.
    j_per_frame, f_per_frame : (n, K) float64 arrays
        J and F in [0, 1]; NaN where the object does not count on the frame.
    convention : str
        Key of `CONVENTIONS`.
    """

    objects: tuple[int, ...]
    frames: np.ndarray
    j_per_frame: np.ndarray
    f_per_frame: np.ndarray
    convention: str

    @property
    def j_per_object(self) -> np.ndarray:
        """Mean J over frames: ``(K,)`` float64."""
        return np.nanmean(self.j_per_frame, axis=0)

    @property
    def f_per_object(self) -> np.ndarray:
        """Mean F over frames: ``(K,)`` float64."""
        return np.nanmean(self.f_per_frame, axis=0)

    @property
    def j(self) -> float:
        """Mean over objects of the mean J over frames."""
        return float(self.j_per_object.mean())

    @property
    def f(self) -> float:
        """Mean over objects of the mean F over frames."""
        return float(self.f_per_object.mean())

    @property
    def jf(self) -> float:
        """J&F: the mean of `j` and `f`."""
        return (self.j + self.f) / 2


class SequenceScorer:
    """Scores predictions for one sequence, and unchanged frames only once.

    An object counts from the first scored frame on which prediction or ground truth has
    it, as in ``vos-benchmark``; with ``frames="evavos"`` on the frames where the ground
    truth has it, as in EVA-VOS's released code.

    Parameters
    ----------
    gt : LabelMaps, (N, H, W) array, or mapping of frame -> (H, W) label map
        A mapping may leave frames out; they are not scored.
    frames : {'davis', 'after-first', 'all', 'evavos'}
        Which frames count; see `CONVENTIONS`.
    objects : sequence of ids, optional
        Default: those that the ground truth has on the frames that count.
    bound_th : float
        As in `boundary_f`.

    Raises
    ------
    ValueError
        If the name of the convention is unknown, or it leaves no frame, or an object
        has no frame that counts.
    """

    def __init__(
        self,
        gt: LabelMaps | Mapping[int, Any] | Any,
        *,
        frames: str = "davis",
        objects: Iterable[int] | None = None,
        bound_th: float = BOUND_TH,
    ) -> None:
        if frames not in CONVENTIONS:
            raise ValueError(
                f"unknown convention frames={frames!r}; choose from {list(CONVENTIONS)}."
            )
        self.convention = frames
        self.bound_th = bound_th
        indices = sorted(gt) if isinstance(gt, Mapping) else list(range(len(gt)))
        kept = {"davis": indices[1:-1], "after-first": indices[1:]}.get(frames, indices)
        if not kept:
            raise ValueError(
                f"frames={frames!r} leaves none of the {len(indices)} frames with ground truth "
                "to score; use frames='all'."
            )
        self._gt: dict[int, np.ndarray] = {}
        self._shape: tuple[int, int] | None = None
        for frame in kept:
            labels = np.asarray(gt[frame])
            self._shape = self._shape or labels.shape
            labels = as_label_map(labels, *self._shape, what=f"ground truth of frame {frame}")
            self._gt[frame] = encode_runs(labels)
        present = [set(np.unique(r >> np.uint32(24)).tolist()) for r in self._gt.values()]
        found = sorted(set().union(*present) - {0})
        self.objects = tuple(found if objects is None else (int(o) for o in objects))
        if not self.objects:
            raise ValueError(
                "the ground truth has no object on the frames to score; "
                "check its masks, or name the objects."
            )
        self._scored: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    @property
    def frames(self) -> np.ndarray:
        """Frames that are scored: ``(n,)`` int64, ascending."""
        return np.fromiter(self._gt, dtype=np.int64)

    def score(self, pred: LabelMaps | Mapping[int, Any] | Any) -> SequenceScore:
        """Score a prediction.

        Parameters
        ----------
        pred : LabelMaps, (N, H, W) array, or mapping of frame -> (H, W) label map
            Of `LabelMaps`, only frames that changed since the last call are scored.

        Returns
        -------
        SequenceScore
        """
        rows = np.stack([self._score_frame(pred, frame) for frame in self._gt])
        j, f, in_pred, in_gt = np.moveaxis(rows, -1, 0)
        counts = in_gt if self.convention == "evavos" else in_pred + in_gt
        counts = counts > 0 if self.convention == "evavos" else np.cumsum(counts, axis=0) > 0
        missing = [o for o, n in zip(self.objects, counts.sum(axis=0), strict=True) if not n]
        if missing:
            raise ValueError(
                f"object {missing[0]} is on none of the frames to score "
                f"(frames={self.convention!r}); leave it out of `objects`."
            )
        return SequenceScore(
            self.objects,
            self.frames,
            np.where(counts, j, np.nan),
            np.where(counts, f, np.nan),
            self.convention,
        )

    def _score_frame(self, pred: Any, frame: int) -> np.ndarray:
        try:
            runs = pred.runs(frame) if isinstance(pred, LabelMaps) else None
            labels = None if runs is not None else pred[frame]
        except (IndexError, KeyError):
            raise ValueError(
                f"the prediction has no mask for frame {frame}, which the ground truth has; "
                "give one for every frame with ground truth."
            ) from None
        if runs is not None and frame in self._scored:
            known, row = self._scored[frame]
            if runs is known or np.array_equal(runs, known):
                return row
        if labels is None:
            labels = pred[frame]
        labels = as_label_map(labels, *self._shape, what=f"prediction of frame {frame}")
        gt = decode_runs(self._gt[frame], self._shape)
        row = _score_frame(labels, gt, self.objects, self.bound_th)
        if runs is not None:
            self._scored[frame] = (runs, row)
        return row


def score_sequence(
    pred: LabelMaps | Mapping[int, Any] | Any,
    gt: LabelMaps | Mapping[int, Any] | Any,
    *,
    frames: str = "davis",
    objects: Iterable[int] | None = None,
    bound_th: float = BOUND_TH,
) -> SequenceScore:
    """Score one prediction of one sequence; the parameters are those of `SequenceScorer`."""
    return SequenceScorer(gt, frames=frames, objects=objects, bound_th=bound_th).score(pred)


# Quality over time ----------------------------------------------------------------------


def time_to_quality(seconds: Any, quality: Any, target: float) -> float | None:
    """When a quality curve first reaches `target`.

    Parameters
    ----------
    seconds : (M,) array-like
        Ascending times of the curve's points; any unit.
    quality : (M,) array-like
        Quality at these times; in between the curve is a straight line.
    target : float

    Returns
    -------
    float or None
        In the unit of `seconds`; None when the curve does not reach the target.
    """
    seconds, quality = _curve(seconds, quality)
    reached = np.flatnonzero(quality >= target)
    if not reached.size:
        return None
    i = int(reached[0])
    if i == 0 or quality[i] == target:
        return float(seconds[i])
    part = (target - quality[i - 1]) / (quality[i] - quality[i - 1])
    return float(seconds[i - 1] + part * (seconds[i] - seconds[i - 1]))


def area_under_curve(seconds: Any, quality: Any, until: float | None = None) -> float:
    """Mean quality over time: the area under the curve, divided by its duration.

    Parameters
    ----------
    seconds, quality : (M,) array-likes
        As in `time_to_quality`.
    until : float, optional
        Where to stop; past the last point the curve keeps its last value. Default: the
        last point. Give the same to curves that are compared.

    Returns
    -------
    float
        In the unit of `quality`; the quality itself for a curve of no duration.
    """
    seconds, quality = _curve(seconds, quality)
    end = seconds[-1] if until is None else float(until)
    if not end >= seconds[0]:
        raise ValueError(f"until is {end} and the curve starts at {seconds[0]}; give a later time.")
    value_at_end = np.interp(end, seconds, quality)
    before = seconds < end
    seconds = np.append(seconds[before], end)
    quality = np.append(quality[before], value_at_end)
    duration = end - seconds[0]
    return float(np.trapezoid(quality, seconds) / duration) if duration else float(quality[-1])


def _curve(seconds: Any, quality: Any) -> tuple[np.ndarray, np.ndarray]:
    seconds, quality = (np.asarray(a, dtype=np.float64) for a in (seconds, quality))
    if seconds.ndim != 1 or seconds.shape != quality.shape or not seconds.size:
        raise ValueError(
            f"the curve has {seconds.shape} times and {quality.shape} qualities; "
            "give two flat sequences of the same length, at least 1."
        )
    if not (np.isfinite(seconds).all() and np.isfinite(quality).all()):
        raise ValueError("the curve holds NaN or infinite values; leave those points out.")
    if (np.diff(seconds) < 0).any():
        raise ValueError("the times of the curve go backwards; sort its points by time.")
    return seconds, quality

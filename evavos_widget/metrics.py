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

from evavos_widget.masks import MAX_RUN, LabelMaps, as_label_map, encode_runs, ids_of_runs
from evavos_widget.quantities import as_quantity

__all__ = [
    "BOUND_TH",
    "CONVENTIONS",
    "VOID",
    "SequenceScore",
    "SequenceScorer",
    "area_under_curve",
    "boundary_f",
    "j_and_f",
    "jaccard",
    "score_frame",
    "score_sequence",
    "scored_frames",
    "time_to_quality",
]

BOUND_TH = 0.008
"""Radius within which boundaries match, as a part of the picture's diagonal (DAVIS)."""

VOID = 255
"""The label of pixels that ground truth does not judge, in DAVIS and PASCAL VOC.

``davis2017-evaluation`` takes them for background, and so they are here: a prediction that
covers them is wrong there, and 255 itself is no object.
"""

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
    """J and F of two binary masks.

    Parameters
    ----------
    pred, gt : (H, W) arrays
        Non-zero where the object is.
    bound_th : float
        As in `boundary_f`.

    Returns
    -------
    two floats in [0, 1]
        See `jaccard` and `boundary_f`.

    Examples
    --------
    >>> truth = np.zeros((100, 100), bool)
    >>> truth[20:60, 20:60] = True
    >>> shifted = np.roll(truth, 4, axis=1)
    >>> j, f = j_and_f(shifted, truth)
    >>> print(f"J {j:.3f}, F {f:.3f}")
    J 0.818, F 0.512
    """
    j, f = score_frame(*_same_size(pred, gt), [1], bound_th)[0]
    return float(j), float(f)


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
    if pred.shape != gt.shape:
        raise ValueError(_other_size(pred.shape, gt.shape))
    return _score_runs(encode_runs(pred), encode_runs(gt), gt.shape, objects, bound_th)[:, :2]


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


def _score_runs(
    pred: np.ndarray,
    gt: np.ndarray,
    shape: tuple[int, int],
    objects: Sequence[int],
    bound_th: float,
) -> np.ndarray:
    """J, F, and whether prediction and ground truth have the object: ``(K, 4)`` float64."""
    if not 0 <= bound_th < math.inf:
        raise ValueError(f"bound_th is {bound_th}; give a part of the diagonal or pixels, >= 0.")
    radius = math.ceil(bound_th * math.hypot(*shape)) if bound_th < 1 else int(bound_th)
    labels, edges = [], []
    for runs in (pred, gt):
        labels.append(runs >> np.uint32(24))
        edges.append(np.append(0, np.cumsum(runs & np.uint32(MAX_RUN), dtype=np.int64)))
    rows = np.ones((len(objects), 4))
    for row, obj in zip(rows, objects, strict=True):
        turns = [edge[_turns(label == obj)] for label, edge in zip(labels, edges, strict=True)]
        row[2:] = [len(t) > 0 for t in turns]
        if row[2:].any():
            row[:2] = _score(*_pack(turns, shape), radius)
    return rows


def _turns(inside: np.ndarray) -> np.ndarray:
    """Where runs of True begin and where they have just ended; one longer than `inside`."""
    turns = np.zeros(len(inside) + 1, dtype=bool)
    turns[:-1] = inside
    turns[1:] ^= inside
    return turns


def _pack(turns: Sequence[np.ndarray], shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Two masks as bits, cut to the part of the picture where their boundaries can be.

    Parameters
    ----------
    turns : two ascending arrays of pixels, counted row by row
        Where each mask begins and where it has just ended, in turn.
    shape : (height, width) of the picture

    Returns
    -------
    bits : (words, 2, rows) uint64 array
        Bit k of word i is column ``64 i + k`` of the part.
    last_column : (words, 1, 1) uint64 array
        The bits of the picture's last column.
    """
    height, width = shape
    places = [np.divmod(pixels, width) for pixels in turns]
    # A boundary lies at most one row above and one column left of its mask.
    top = max(min(int(row[0]) for row, _ in places if len(row)) - 1, 0)
    bottom = min((max(int(t[-1]) for t in turns if len(t)) - 1) // width + 2, height)
    left, right = 0, (width - 1) // 64
    if all((row[::2] == row[1::2]).all() for row, _ in places):  # no run goes on in a next row
        left = max(min(int(column.min()) for _, column in places if len(column)) - 1, 0) // 64
        right = max(int(column.max()) for _, column in places if len(column)) // 64
    rows, words = bottom - top, right + 1 - left

    # First a bit at every turn; an end may lie behind the last row, so there is one more.
    bits = np.zeros(2 * (rows + 1) * words, dtype=np.uint64)
    for mask, (row, column) in enumerate(places):
        word = (mask * (rows + 1) + row - top) * words + (column >> 6) - left
        np.add.at(bits, word, _ONE << (column & 63).astype(np.uint64))
    # Then the parity of all turns so far: within the words, and carried through them.
    for shift in (1, 2, 4, 8, 16, 32):
        bits ^= bits << np.uint64(shift)
    bits[1:] ^= np.negative(np.bitwise_xor.accumulate(bits >> _REST))[:-1]
    bits = np.ascontiguousarray(np.moveaxis(bits.reshape(2, rows + 1, words)[:, :rows], -1, 0))

    last_column = np.zeros((words, 1, 1), dtype=np.uint64)
    if right == (width - 1) // 64:
        last_column[-1] = _ONE << np.uint64((width - 1) % 64)
        bits[-1] &= ~np.uint64(0) >> np.uint64(63 - (width - 1) % 64)
    return bits, last_column


def _score(bits: np.ndarray, last_column: np.ndarray, radius: int) -> tuple[float, float]:
    """J and F of two packed masks that are not both empty."""
    intersection, union = _count(bits[:, 0] & bits[:, 1]), _count(bits[:, 0] | bits[:, 1])
    if intersection == union:
        return 1.0, 1.0
    boundaries = _boundaries(bits, last_column)
    pixels = [_count(boundaries[:, mask]) for mask in (0, 1)]
    if not all(pixels):
        return intersection / union, float(not any(pixels))
    matched = boundaries & _dilated(boundaries, radius)[:, ::-1]
    precision, recall = (_count(matched[:, mask]) / pixels[mask] for mask in (0, 1))
    f = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return intersection / union, f


def _count(bits: np.ndarray) -> int:
    return int(np.bitwise_count(bits).sum())


def _boundaries(bits: np.ndarray, last_column: np.ndarray) -> np.ndarray:
    """Pixels that differ from the one to the right, below, or diagonally below.

    Beyond the edge the picture goes on unchanged, so that its edge is no boundary.
    """
    east = bits >> _ONE
    east[:-1] |= bits[1:] << _REST
    east |= bits & last_column
    boundaries = bits ^ east
    boundaries[..., :-1] |= bits[..., :-1] ^ bits[..., 1:]
    boundaries[..., :-1] |= bits[..., :-1] ^ east[..., 1:]
    return boundaries


def _dilated(bits: np.ndarray, radius: int) -> np.ndarray:
    """Pixels within `radius` of one that is set: dilation by a disk."""
    height = bits.shape[-1]
    dilated, wide, reach = np.zeros_like(bits), bits.copy(), 0
    # From the poles of the disk to its equator its rows reach further and further.
    for dy in range(radius, -1, -1):
        needed = math.isqrt(radius**2 - dy**2)
        while reach < needed:
            step = min(needed - reach, 2 * reach + 1, 63)
            near, far = np.uint64(step), np.uint64(64 - step)
            left, right = wide >> near, wide << near
            left[:-1] |= wide[1:] << far
            right[1:] |= wide[:-1] >> far
            wide |= left
            wide |= right
            reach += step
        if dy < height:
            dilated[..., dy:] |= wide[..., : height - dy]
            dilated[..., : height - dy] |= wide[..., dy:]
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


def scored_frames(frames: Sequence[int], convention: str) -> Sequence[int]:
    """Which of the `frames` with ground truth, in order, count; see `CONVENTIONS`."""
    return {"davis": frames[1:-1], "after-first": frames[1:]}.get(convention, frames)


class SequenceScorer:
    """Scores predictions for one sequence, and unchanged frames only once.

    An object that the first frame with ground truth has counts on every scored frame, as in
    ``davis2017-evaluation``: where it is gone, an empty prediction is right and scores 1.
    One that comes later counts from the first scored frame on which prediction or ground
    truth has it, as in ``vos-benchmark``. With ``frames="evavos"`` all count on the frames
    where the ground truth has them, as in EVA-VOS's released code. Pixels that are `VOID`
    are background.

    Parameters
    ----------
    gt : LabelMaps, (N, H, W) array, or mapping of frame -> (H, W) label map
        A mapping may leave frames out; they are not scored.
    frames : {'davis', 'after-first', 'all', 'evavos'}
        Which frames count; see `CONVENTIONS`.
    objects : sequence of ids, optional
        Default: those that the ground truth has on the frames that count or on its first;
        never `VOID`, unless it is named.
    bound_th : float
        As in `boundary_f`.

    Raises
    ------
    ValueError
        If the name of the convention is unknown, or it leaves no frame, or there is no object.
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
        kept = scored_frames(indices, frames)
        if not kept:
            raise ValueError(
                f"frames={frames!r} leaves none of the {len(indices)} frames with ground truth "
                "to score; use frames='all'."
            )
        self._gt: dict[int, np.ndarray] = {}
        self._shape = gt.shape[1:] if isinstance(gt, LabelMaps) else np.shape(gt[kept[0]])
        for frame in kept:
            self._gt[frame] = self._runs(gt, frame, f"ground truth of frame {frame}")
        first = indices[0]
        self._at_first = ids_of_runs(
            self._gt[first]
            if first in self._gt
            else self._runs(gt, first, f"ground truth of frame {first}")
        )
        found = self._at_first.union(*map(ids_of_runs, self._gt.values())) - {VOID}
        self.objects = tuple(int(o) for o in (sorted(found) if objects is None else objects))
        self._unknown = set(self.objects) - found
        if self._unknown:  # one may be only on a frame that is not scored
            self._unknown -= set().union(*(np.unique(gt[i]).tolist() for i in indices))
        if not self.objects:
            raise ValueError(
                "the ground truth has no object on the frames to score (255 is void); "
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
            Only frames that changed since the last call are scored anew.

        Returns
        -------
        SequenceScore

        Raises
        ------
        ValueError
            An object has no frame that counts.
        """
        rows = np.stack([self._score_frame(pred, frame) for frame in self._gt])
        j, f, in_pred, in_gt = np.moveaxis(rows, -1, 0)
        if self.convention == "evavos":
            counts = in_gt > 0
            missing = [o for o, n in zip(self.objects, counts.sum(axis=0), strict=True) if not n]
        else:
            counts = np.cumsum(in_pred + in_gt, axis=0) > 0
            counts[:, [o in self._at_first for o in self.objects]] = True
            nowhere = np.logical_not(counts.any(axis=0))
            missing = [o for k, o in enumerate(self.objects) if nowhere[k] and o in self._unknown]
            counts[:, nowhere] = True  # rightly predicted as gone
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

    def _runs(self, masks: Any, frame: int, what: str) -> np.ndarray:
        if isinstance(masks, LabelMaps):
            if masks.shape[1:] != self._shape:
                raise ValueError(_other_size(masks.shape[1:], self._shape))
            return masks.runs(frame)
        return encode_runs(as_label_map(masks[frame], *self._shape, what=what, copy=False))

    def _score_frame(self, pred: Any, frame: int) -> np.ndarray:
        try:
            runs = self._runs(pred, frame, f"prediction of frame {frame}")
        except LookupError:
            raise ValueError(
                f"the prediction has no mask for frame {frame}, which the ground truth has; "
                "give one for every frame with ground truth."
            ) from None
        known = self._scored.get(frame)
        if known is None or not (known[0] is runs or np.array_equal(known[0], runs)):
            row = _score_runs(runs, self._gt[frame], self._shape, self.objects, self.bound_th)
            known = self._scored[frame] = (runs, row)
        return known[1]


def score_sequence(
    pred: LabelMaps | Mapping[int, Any] | Any,
    gt: LabelMaps | Mapping[int, Any] | Any,
    *,
    frames: str = "davis",
    objects: Iterable[int] | None = None,
    bound_th: float = BOUND_TH,
) -> SequenceScore:
    """Score one prediction of one sequence; the parameters are those of `SequenceScorer`.

    Examples
    --------
    >>> truth = np.zeros((5, 100, 100), np.uint8)
    >>> truth[:, 20:60, 20:60] = 1
    >>> score = score_sequence(np.roll(truth, 4, axis=2), truth)
    >>> score.frames.tolist()  # as DAVIS counts, without the first and the last
    [1, 2, 3]
    >>> print(f"{score.jf:.3f}")
    0.665
    """
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

    Examples
    --------
    >>> time_to_quality([80, 86, 92], [0.6, 0.8, 0.9], target=0.85)
    89.0
    """
    seconds, quality = _curve(seconds, quality)
    target = as_quantity("target", target, "a quality", -np.inf)
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

    Examples
    --------
    >>> area_under_curve([0, 10, 20], [0.5, 0.7, 0.9])
    0.7
    """
    seconds, quality = _curve(seconds, quality)
    end = seconds[-1] if until is None else as_quantity("until", until, "a time", -np.inf)
    if not end >= seconds[0]:
        raise ValueError(f"until is {end} and the curve starts at {seconds[0]}; give a later time.")
    value_at_end = np.interp(end, seconds, quality)
    until_then = seconds <= end
    seconds, quality = seconds[until_then], quality[until_then]
    if seconds[-1] < end:
        seconds, quality = np.append(seconds, end), np.append(quality, value_at_end)
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

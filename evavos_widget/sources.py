"""Which annotated frames an object's mask on a frame comes from, and how far each is believed.

Between two annotated frames masks arrive from both sides. What is believed of each is weighted
by the trust in the annotation that it comes from, by how far it came, and by the quality that is
predicted of the mask that arrived. Both rules, ``'trust'`` and ``'nearest'``, are here, for every
propagator and for the quality that is predicted of what they find.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from evavos_widget.loop import Annotation, objects_annotated
from evavos_widget.probabilities import expected_iou, quality_of

__all__ = [
    "MERGES",
    "QUALITY_OF_NOTHING",
    "Known",
    "Reached",
    "check_merge",
    "frames_affected",
    "is_wrong",
    "shares_of",
    "standing",
]

MERGES = ("trust", "nearest")
"""How masks from several annotations become one: all count that may matter, each as far as it is
believed; or the nearest takes all."""

ERROR_POWER = 2.0
"""A source counts by one over the error that is expected of what arrives, to this power,"""

DISTANCE_POWER = 0.25
"""and by one over its distance, to this power."""

LEAST_ERROR = 0.02
"""Nothing that arrives is expected to be better than this."""

LEAST = 0.4
"""A source that counts for less than this fraction of the one that counts most is not asked."""

WEIGHTS = (0.36, 1.02, -0.6)
"""What soft masks say of their J&F, see `probabilities.QUALITY_WEIGHTS`: those of ``compact`` for
every engine, with more doubt in what came from far, which costs least where a video is hard."""

TYPICAL = 0.95
"""IoU that a mask expects of itself, as long as it is not known."""

HALF_THE_DOUBT = 0.5
"""Behind a source another one counts too where it is doubted at most by this fraction of the first.
What is drawn is not doubted, so that it always stays in question."""

ABSENT_REACH = 8
"""Frames beyond which it is of no account that an object is absent from one. Of 8, 4, 2, 1 and 0
the one with which most is right, frames without the object counted too (docs/loop.md)."""

QUALITY_OF_NOTHING = 0.5
"""Predicted J&F of a mask without a pixel: the object is gone, and that is right, or it was lost,
and all is wrong. An empty mask does not say which."""


class Reached(NamedTuple):
    """One of the annotated frames that an object's mask on a frame comes from.

    Parameters
    ----------
    source : int
        The annotated frame.
    share : float in [0, 1]
        How far it is believed, before anything is known of the mask that arrives; those of a
        frame sum to 1. That of an absence near by is 0: it brings nothing, see `standing`.
    trust : float in [0, 1]
        Of the object's annotation there.
    absent : bool
        Whether the object is absent there, so that nothing arrives.
    """

    source: int
    share: float
    trust: float = 1.0
    absent: bool = False


class Known:
    """What is annotated of one object.

    Parameters
    ----------
    annotations : mapping of frame -> Annotation
    obj : int
    merge : str
        One of `MERGES`.
    through : bool
        Whether a mask may also arrive through an annotated frame from one behind it.
    """

    def __init__(
        self,
        annotations: Mapping[int, Annotation],
        obj: int,
        merge: str = "trust",
        *,
        through: bool = True,
    ) -> None:
        self.frames = objects_annotated(annotations, obj)
        self.trust = {f: annotations[f].trust(obj) for f in self.frames}
        self.seen = [f for f in self.frames if obj in annotations[f].present]
        self.least_doubt = min((1 - self.trust[f] for f in self.seen), default=0.0)
        self.shown = frozenset(self.seen)
        self._merge, self._through = merge, through

    def reached(self, frame: int) -> tuple[Reached, ...]:
        """Where the mask on a frame comes from, ascending; nothing for nowhere."""
        if not self.seen:
            return ()
        if frame in self.trust:
            return (self._one(frame),)
        if self._merge == "nearest":
            return (self._one(min(self.frames, key=lambda f: (abs(f - frame), f))),)
        counts = {
            source: _count(self.trust[source], TYPICAL, abs(frame - source))
            for source in self._in_question(frame)
        }
        least = LEAST * max(counts.values())
        counts = {source: count for source, count in counts.items() if count >= least}
        whole = sum(counts.values())
        counts |= dict.fromkeys(self._absent_around(frame), 0.0)
        return tuple(self._one(source, counts[source] / whole) for source in sorted(counts))

    def _one(self, source: int, share: float = 1.0) -> Reached:
        return Reached(source, share, self.trust[source], source not in self.shown)

    def believed(self, frame: int) -> float:
        """Trust in the annotations that a frame's mask comes from, 0 to 1."""
        return sum(r.share * r.trust for r in self.reached(frame))

    def _in_question(self, frame: int) -> list[int]:
        """The sources next to a frame on both sides, and behind each those less in doubt."""
        place = bisect_left(self.seen, frame)
        found = []
        for side in (range(place - 1, -1, -1), range(place, len(self.seen))):
            doubt = np.inf
            for source in map(self.seen.__getitem__, side):
                if 1 - self.trust[source] <= HALF_THE_DOUBT * doubt:
                    found.append(source)
                    doubt = 1 - self.trust[source]
                # Behind it all are doubted too much.
                if not self._through or not doubt or HALF_THE_DOUBT * doubt < self.least_doubt:
                    break
        return found

    def _absent_around(self, frame: int) -> list[int]:
        """The annotated frames next to one, near by, from which the object is absent."""
        found = []
        for step in (-1, 1):
            for source in range(frame + step, frame + step * (ABSENT_REACH + 1), step):
                if source in self.trust:
                    if source not in self.shown:
                        found.append(source)
                    break
        return found


def shares_of(
    frame: int, reached: Sequence[Reached], arrived: Mapping[int, np.ndarray]
) -> list[float]:
    """How far each source is believed once the masks that arrive are known.

    Parameters
    ----------
    frame : int
    reached : sequence of Reached
        Where the mask on the frame comes from.
    arrived : mapping of source -> (h, w) float array in [0, 1]
        Probabilities of the object, from each source from which it is not absent.

    Returns
    -------
    list of float
        In the order of `reached`; they sum to 1, and those of absences are 0.
    """
    counts = []
    for r in reached:
        count = 0.0
        if not r.absent:
            distance = abs(frame - r.source)
            expected = _expected(arrived[r.source])
            known = _count(r.trust, expected, distance) / _count(r.trust, TYPICAL, distance)
            count = r.share * known
        counts.append(count)
    whole = sum(counts)
    return [count / whole for count in counts]


def standing(
    frame: int, source: int, reached: Sequence[Reached], wrong: Callable[[int], bool]
) -> float:
    """How much of what arrives from a source stands against the absences near by.

    A pass that was wrong on a frame from which the object is absent is believed less near by: the
    less the nearer that frame is, and the farther the source. One that had found nothing there was
    right.

    Parameters
    ----------
    frame, source : int
    reached : sequence of Reached
        Where the mask on the frame comes from.
    wrong : callable of int -> bool
        Whether what the pass from the source brought to an absence `is_wrong`.

    Returns
    -------
    float in [0, 1]
    """
    stands = 1.0
    for r in reached:
        if r.absent and r.source != frame and wrong(r.source):
            distance = abs(frame - r.source)
            against = r.trust * (1 - distance / (ABSENT_REACH + 1)) ** 2
            against *= _count(1.0, TYPICAL, distance)
            stands *= 1 - against / (against + _count(1.0, TYPICAL, abs(frame - source)))
    return stands


def is_wrong(mask: np.ndarray, annotation: Annotation) -> bool:
    """Whether a mask that arrived where the object is absent shows what is not there.

    Not where most of it is hidden by what other objects hold by hand.

    Parameters
    ----------
    mask : (h, w) bool array
    annotation : Annotation
        Of that frame, (H, W).
    """
    found = np.count_nonzero(mask)
    if not found:
        return False
    others = (annotation.labels > 0).astype(np.uint8)
    hidden = cv2.resize(others, mask.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    return bool(np.count_nonzero(mask & ~hidden) > found / 2)


def _count(trust: float, expected: float | None, distance: int) -> float:
    """What a source counts for; `expected` is the IoU that the mask expects of itself, if any."""
    quality = QUALITY_OF_NOTHING
    if expected is not None:
        quality = quality_of(expected, distance, WEIGHTS)
    error = max(1 - trust * quality, LEAST_ERROR)
    return error**-ERROR_POWER * distance**-DISTANCE_POWER


def _expected(probability: np.ndarray) -> float | None:
    return expected_iou(probability) if (probability > 0.5).any() else None


def frames_affected(
    before: Mapping[int, Annotation],
    after: Mapping[int, Annotation],
    n_frames: int,
    merge: str = "trust",
    *,
    through: bool = True,
) -> set[int]:
    """Frames whose masks come from other annotations than before, or are otherwise believed.

    That a mask is the same and trusted otherwise changes nothing on its own frame.

    Parameters
    ----------
    before, after : mapping of frame -> Annotation
    n_frames : int
    merge, through
        As for `Known`.
    """
    affected: set[int] = set()
    other = {f for f in {*before, *after} if before.get(f) is not after.get(f)}
    for obj in {o for k in (before, after) for f in other if f in k for o in k[f].objects}:
        old, new = (Known(k, obj, merge, through=through) for k in (before, after))
        redrawn = {
            f
            for f in other
            if f in old.trust and f in new.trust and not before[f].says_alike(after[f], obj)
        }
        same = (old.trust.keys() & new.trust.keys()) - redrawn
        # What hides an absent object says whether a pass was wrong there, see `is_wrong`.
        hidden_anew = {
            f
            for f in other & same
            if f not in new.seen and not np.array_equal(before[f].labels, after[f].labels)
        }
        says_otherwise = redrawn | hidden_anew
        for frame in set(_around(other, old, new, n_frames)) - same:
            reached = new.reached(frame)
            if reached != old.reached(frame) or any(r.source in says_otherwise for r in reached):
                affected.add(frame)
    return affected


def _around(changed: Collection[int], old: Known, new: Known, n_frames: int) -> range:
    """The frames on this side of sources behind which nothing counts that changed.

    Behind a source, those count that are in less doubt.
    """
    doubts = [1 - known.trust[f] for known in (old, new) for f in known.shown.intersection(changed)]
    least = min(doubts, default=np.inf)
    kept = [f for f in old.seen if f not in changed and f in new.shown]
    ends = [f for f in kept if 1 - old.trust[f] <= least]
    first, last = bisect_left(ends, min(changed)), bisect_left(ends, max(changed))
    return range(ends[first - 1] if first else 0, ends[last] + 1 if last < len(ends) else n_frames)


def check_merge(merge: str) -> str:
    """A rule of `MERGES`, or `ValueError`."""
    if merge not in MERGES:
        raise ValueError(f"merge is {merge!r}; choose from {list(MERGES)}.")
    return merge

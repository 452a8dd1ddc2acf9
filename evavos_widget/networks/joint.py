"""Frame and type together: what each annotation would bring to the whole video, per second.

EVA-VOS chooses the frame and then the type. Where to click and where to draw are different
questions: of a frame that a pass is unsure about, a drawn mask may tell much and three clicks may
do harm. Here the gain of the *video's* J&F is predicted for every frame and type, by boosted trees
on what is known of a frame, its gap and the annotations around it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evavos_widget.checkpoints import WeightsError
from evavos_widget.loop import LoopState, in_doubt
from evavos_widget.networks.agent_weights import read_agent
from evavos_widget.networks.observation import (
    APPEARANCE,
    CHANNELS,
    COLUMNS,
    ENCODER,
    FRAME_NUMBERS,
    ROWS,
    ByFrame,
    KeyEncoder,
    frame_vector,
    mask_vector,
)
from evavos_widget.networks.trees import Trees

__all__ = ["FEATURES", "JointModel", "features_of_frames"]

FEATURES = (
    "predicted", "error around", "frames around", "mean predicted", "least predicted",
    "share of bad frames", "frames", "annotated share",
    "to the nearest", "gap", "left there", "right there",
    "trust of left", "trust of right", "left drawn", "right drawn",
    "looks unlike left", "looks unlike right", "looks unlike any",
    "object unlike left", "object unlike right", "object unlike any",
    "area", "area to left", "area to right", "thinness", "pieces", "largest piece", "at the edge",
    "empty", "contrast", "overlap before", "overlap after",
)  # fmt: skip
"""What is known of a frame, in the order of `features_of_frames`."""

BAD = 0.6
"""Predicted J&F below which a frame counts as bad; our choice."""

UNKNOWN = -1.0
"""Of a side on which nothing is annotated."""


def features_of_frames(
    frames: np.ndarray,
    masks: np.ndarray,
    predicted: np.ndarray,
    trust: np.ndarray,
    drawn: np.ndarray,
) -> np.ndarray:
    """What is known of every frame of a video, for one object.

    Parameters
    ----------
    frames : (N, FRAME_NUMBERS) array
    masks : (N, MASK_NUMBERS) array
        See `networks.observation`.
    predicted : (N,) array
        J&F; NaN where there is none.
    trust : (N,) array
        Of annotations; -1 where there is none.
    drawn : (N,) bool array
        Annotated by hand.

    Returns
    -------
    (N, len(FEATURES)) float32 array
    """
    n, here = len(frames), np.arange(len(frames))
    quality = np.nan_to_num(np.asarray(predicted, np.float64), nan=0.5)
    known = np.flatnonzero(trust >= 0)
    left, right = _sides(known, n)
    has_left, has_right = left >= 0, right >= 0
    to_left = np.where(has_left, here - left, n)
    to_right = np.where(has_right, right - here, n)
    looks = np.asarray(frames[:, :CHANNELS], np.float32)
    inside = np.asarray(masks[:, :CHANNELS], np.float32)
    shape = np.asarray(masks[:, APPEARANCE + ROWS * COLUMNS :], np.float32)
    covers = np.asarray(masks[:, APPEARANCE : APPEARANCE + ROWS * COLUMNS], np.float32)
    area = np.log(shape[:, 0] + 0.01)
    # Annotated, a frame takes over half of its gap on either side.
    first = np.where(has_left, (left + here + 1) // 2, 0)
    last = np.where(has_right, (here + right) // 2, n - 1)
    wrong = np.concatenate([[0.0], np.cumsum(1 - quality)])
    columns = [
        quality,
        (wrong[last + 1] - wrong[first]) / n,
        (last - first + 1) / n,
        np.full(n, quality.mean()),
        np.full(n, quality.min()),
        np.full(n, (quality < BAD).mean()),
        np.full(n, np.log(n)),
        np.full(n, len(known) / n),
        np.minimum(to_left, to_right) / n,
        np.minimum(to_left + to_right, n) / n,
        has_left,
        has_right,
        np.where(has_left, trust[left], UNKNOWN),
        np.where(has_right, trust[right], UNKNOWN),
        np.where(has_left, drawn[left], UNKNOWN),
        np.where(has_right, drawn[right], UNKNOWN),
        *_unlike(looks, known, left, right),
        *_unlike(inside, known, left, right),
        area,
        np.where(has_left, area - area[left], 0),
        np.where(has_right, area - area[right], 0),
        *shape[:, 5:10].T,
        np.linalg.norm(masks[:, 2 * CHANNELS : APPEARANCE].astype(np.float32), axis=1),
        _overlap(covers, np.maximum(here - 1, 0)),
        _overlap(covers, np.minimum(here + 1, n - 1)),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def _sides(known: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The annotated frames before and after each frame, itself included; -1 where none is."""
    if not len(known):
        return np.full(n, -1), np.full(n, -1)
    after = np.searchsorted(known, np.arange(n))
    before = np.searchsorted(known, np.arange(n), side="right") - 1
    left = np.where(before >= 0, known[np.maximum(before, 0)], -1)
    right = np.where(after < len(known), known[np.minimum(after, len(known) - 1)], -1)
    return left, right


def _unlike(
    vectors: np.ndarray, known: np.ndarray, left: np.ndarray, right: np.ndarray
) -> list[np.ndarray]:
    """How far each frame is from the annotated ones on its sides, and from the nearest of all."""
    far = np.linalg.norm(vectors - vectors.mean(axis=0), axis=1).mean() + 1e-3
    sides = [
        np.where(side >= 0, np.linalg.norm(vectors - vectors[side], axis=1) / far, UNKNOWN)
        for side in (left, right)
    ]
    if not len(known):
        return [*sides, np.full(len(vectors), UNKNOWN)]
    apart = np.linalg.norm(vectors[:, None] - vectors[known][None], axis=2)
    return [*sides, apart.min(axis=1) / far]


def _overlap(covers: np.ndarray, other: np.ndarray) -> np.ndarray:
    """IoU of what a mask covers with that of another frame."""
    both = np.minimum(covers, covers[other]).sum(axis=1)
    either = np.maximum(covers, covers[other]).sum(axis=1)
    return np.where(either > 1e-3, both / np.maximum(either, 1e-3), 1.0)


class JointModel:
    """Predicts the gain of the video's J&F for every frame and type.

    Parameters
    ----------
    weights : path
        Written by ``evavos train joint``; by default those that come with the package.

    Raises
    ------
    WeightsError
        There are no such weights, or they are for other features or another encoder.
    """

    def __init__(self, weights: str = "") -> None:
        file = read_agent("joint", weights)
        file.expect(encoder=ENCODER, features=FEATURES)
        self.types: tuple[str, ...] = tuple(file.about["types"])
        self.first: dict[str, float] = dict(file.about.get("first", {}))
        """J&F of the video after a first annotation of each type, as it was in the loops that
        the trees have learned from; nothing else is known of an object that has none."""
        try:
            self._trees = [Trees.of_arrays(file.arrays, kind) for kind in self.types]
        except KeyError as error:
            raise WeightsError(f"{file.path} lacks {error}; train it again.") from None
        self._vectors = ByFrame(_vectors)

    def gains(self, state: LoopState, obj: int) -> np.ndarray:
        """Gain of the mean J&F of the object over the video, (N, L), from -1 to 1.

        The trees know frames that were not annotated yet. On one that was, only what is in doubt
        there can be gained, the less the more often it was tried.
        """
        seen = self._vectors.of(state, obj)
        trust, drawn = np.full(state.n_frames, -1.0), np.zeros(state.n_frames, bool)
        for frame, annotation in state.annotations.items():
            if obj in annotation.objects:
                trust[frame] = annotation.trust(obj)
                drawn[frame] = annotation.sources[obj].kind in ("drawn", "absent")
        quality = state.quality[:, state.objects.index(obj)]
        known = features_of_frames(
            seen[:, :FRAME_NUMBERS], seen[:, FRAME_NUMBERS:], quality, trust, drawn
        )
        gains = np.stack([trees.predict(known) for trees in self._trees], axis=1).clip(-1, 1)
        for frame, doubt in in_doubt(state, obj).items():
            gains[frame] *= np.where(gains[frame] > 0, doubt, 1)
        return gains

    def gains_of(self, known: np.ndarray, kinds: np.ndarray) -> np.ndarray:
        """Gains, (S,), of frames as `features_of_frames` has them, each with a type by number."""
        every = np.stack([trees.predict(known) for trees in self._trees], axis=1)
        return every[np.arange(len(known)), kinds]


def _vectors(state: LoopState, obj: int, frames: Sequence[int]) -> list[np.ndarray]:
    column, made = state.objects.index(obj), []
    for frame in frames:
        keys = state.features.frame(state.video, frame, KeyEncoder())
        mask = state.masks[frame] == obj
        seen = mask_vector(keys, mask, float(state.quality[frame, column]))
        made.append(np.concatenate([frame_vector(keys), seen]))
    return made

"""Frame and type together: what each annotation would bring to the whole video, per second.

EVA-VOS chooses the frame and then the type. Where to click and where to draw are different
questions: of a frame that a pass is unsure about, a drawn mask may tell much and three clicks may
do harm. Here the gain of the *video's* J&F is predicted for every frame and type, in two parts that
are lines: what a type brings the video as it stands, and how far a frame is from the others.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evavos_widget.checkpoints import WeightsError
from evavos_widget.loop import LoopState, visits
from evavos_widget.networks.agent_weights import read_agent
from evavos_widget.networks.observation import (
    APPEARANCE,
    CHANNELS,
    COLUMNS,
    ENCODER,
    ROWS,
    ByFrame,
    KeyEncoder,
    mask_vector,
)

__all__ = ["OF_A_FRAME", "OF_THE_VIDEO", "JointModel", "known_of"]

OF_A_FRAME = ("predicted", "to the nearest", "object unlike any", "empty")
"""What is known of a frame, each as it differs from the mean of the frames that are open: predicted
J&F; how far the nearest annotation is, of the video's length; how unlike the object there looks;
whether its mask is empty."""

OF_THE_VIDEO = ("mean predicted", "annotated share")
"""What is known of the video."""

EMPTY = APPEARANCE + ROWS * COLUMNS + 9
"""Where a `mask_vector` says that the mask is empty."""


def known_of(
    masks: np.ndarray, predicted: np.ndarray, trust: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What is known of every frame of a video, and of the video, for one object.

    Parameters
    ----------
    masks : (N, MASK_NUMBERS) array
        See `networks.observation`.
    predicted : (N,) array
        J&F; NaN where there is none.
    trust : (N,) array
        Of annotations; -1 where there is none.

    Returns
    -------
    (N, 4) float64 array, (2,) float64 array
        `OF_A_FRAME` and `OF_THE_VIDEO`.
    """
    n, annotated = len(masks), np.flatnonzero(trust >= 0)
    quality = np.nan_to_num(np.asarray(predicted, np.float64), nan=0.5)
    inside = np.asarray(masks[:, :CHANNELS], np.float64)
    away, unlike = np.ones(n), np.zeros(n)
    if len(annotated):
        away = np.abs(np.arange(n)[:, None] - annotated).min(axis=1) / n
        apart = np.linalg.norm(inside[:, None] - inside[annotated], axis=2).min(axis=1)
        unlike = apart / (np.linalg.norm(inside - inside.mean(axis=0), axis=1).mean() + 1e-3)
    known = np.stack([quality, away, unlike, masks[:, EMPTY]], axis=1)
    open_ones = trust < 0
    mean = known[open_ones].mean(axis=0) if open_ones.any() else known.mean(axis=0)
    return known - mean, np.array([quality.mean(), len(annotated) / n])


class JointModel:
    """Predicts the gain of the video's J&F for every frame and type.

    Parameters
    ----------
    weights : path
        Written by ``evavos train joint``; by default those that come with the package.

    Attributes
    ----------
    types : tuple of str
    first : dict of str to float
        J&F of the video after a first annotation of each type, as it was in the loops that it
        learned from; nothing else is known of an object that has none.

    Raises
    ------
    WeightsError
        There are no such weights, or they are for other features or another encoder.
    """

    def __init__(self, weights: str = "") -> None:
        file = read_agent("joint", weights)
        file.expect(encoder=ENCODER, of_a_frame=OF_A_FRAME, of_the_video=OF_THE_VIDEO)
        self.types: tuple[str, ...] = tuple(file.about["types"])
        self.first: dict[str, float] = dict(file.about["first"])
        try:
            self.level, self.slope = file.arrays["level"], file.arrays["slope"]
        except KeyError as error:
            raise WeightsError(f"{file.path} lacks {error}; train it again.") from None
        self._vectors = ByFrame(_vectors)

    def gains(self, state: LoopState, obj: int) -> np.ndarray:
        """Gain of the mean J&F of the object over the video, (N, L), from -1 to 1.

        On a frame that was annotated there is the less to hope for the more often it was tried.
        """
        trust = np.full(state.n_frames, -1.0)
        for frame, annotation in state.annotations.items():
            if obj in annotation.objects:
                trust[frame] = annotation.trust(obj)
        quality = state.quality[:, state.objects.index(obj)]
        gains = self.of(*known_of(self._vectors.of(state, obj), quality, trust))
        for frame, times in visits(state, obj).items():
            gains[frame] = np.where(gains[frame] > 0, gains[frame] / (1 + times), gains[frame])
        return gains

    def of(self, frames: np.ndarray, video: np.ndarray) -> np.ndarray:
        """Gains, (S, L), of what `known_of` says; `video` of each frame or of them all."""
        level = self.level[:, 0] + video @ self.level[:, 1:].T
        return (level + frames @ self.slope.T).clip(-1, 1)


def _vectors(state: LoopState, obj: int, frames: Sequence[int]) -> list[np.ndarray]:
    column = state.objects.index(obj)
    keys = state.features.frames(state.video, KeyEncoder(), frames)
    return [
        mask_vector(key, state.masks[frame] == obj, float(state.quality[frame, column]))
        for key, frame in zip(keys, frames, strict=True)
    ]

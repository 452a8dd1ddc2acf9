"""QNet chooses the frame (EVA-VOS Sec. 2.2): least alike, in how it looks and how good it is.

`QNetEquation1` is Eq. 1 of the paper; `QNetSelector` goes two steps further.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import torch
from scipy.spatial.distance import pdist

from evavos_widget.explanation import FrameExplanation
from evavos_widget.frame_selection.asking import farthest, with_doubts
from evavos_widget.frame_selection.embeddings import distances
from evavos_widget.loop import FrameChoice, FrameSelector, LoopState
from evavos_widget.masks import LabelMaps
from evavos_widget.networks.agent_weights import agent_notice
from evavos_widget.networks.encoders_of_pairs import pictures
from evavos_widget.networks.observation import ByFrame, KeyEncoder, frame_vector, mask_vector
from evavos_widget.networks.qnet import load_qnet

__all__ = ["QNetEquation1", "QNetSelector", "relative_distances", "shown"]

AT_ONCE = 64
"""Frames that go through the network together."""

LEAST = 0.25
"""What a frame without anything of the object still counts: the object may be there, and lost."""


class QNetSelector(FrameSelector):
    """The frame farthest from what is annotated, in QNet's embedding and in time, where it shows.

    The distances of EVA-VOS Eq. 1, each to the closest annotated frame, plus those in time, both in
    units of their mean over all pairs of frames, times `shown`. Among embeddings alone the farthest
    frame is often one with hardly anything of the object on it, or beside an annotated one; see
    ``docs/agent.md`` for what that costs. A frame is embedded again only when its mask or its
    predicted quality changed. What is annotated and in doubt may be asked for again. Among objects
    the one whose frame is the farthest goes first; ties go to the earlier frame.

    Parameters
    ----------
    weights : path
        Written by ``evavos train qnet``; by default those that come with the package.
    """

    name = "qnet"
    _reason = "least like what you annotated, in looks and quality, and far from it"
    _measured = "distance to what is annotated, in embedding and time, where it shows"
    learned = True

    def __init__(self, weights: str = "") -> None:
        self._network = load_qnet(weights)
        self.notice = agent_notice("qnet", weights)
        self._embedded = ByFrame(self._embed)

    def select(self, state: LoopState) -> FrameChoice | None:
        """The next frame, of the object for which it is the farthest."""
        return farthest(state, self._scores, self._reason)

    def explain(self, state: LoopState) -> FrameExplanation | None:
        """How far every frame is, the embeddings, and the quality that QNet expects."""
        if not state.objects:
            return None
        scores = np.stack([self._scores(state, obj) for obj in state.objects], axis=1)
        if np.isnan(scores).all():
            return None
        return FrameExplanation(
            scores,
            self._measured,
            embeddings={obj: self.embeddings(state, obj) for obj in state.objects},
            quality=np.stack([self.quality(state, obj) for obj in state.objects], axis=1),
        )

    def _scores(self, state: LoopState, obj: int) -> np.ndarray:
        """How far every frame is from what is known, (N,) float64; NaN where none is asked."""

        def measure(known: list[int]) -> tuple[np.ndarray, float]:
            distance = self._apart(state, obj, known)
            # What is in doubt counts as a part of what is farthest. Where every frame is known,
            # nothing is far, and the doubts alone tell them apart.
            return distance, float(distance.max()) or 1.0

        return with_doubts(state, obj, measure)

    def _apart(self, state: LoopState, obj: int, known: list[int]) -> np.ndarray:
        """How far every frame is from the known ones, (N,) float64."""
        time = np.arange(state.n_frames, dtype=np.float64)[:, None]
        spaces = self.embeddings(state, obj), time
        return sum(relative_distances(points, known) for points in spaces) * shown(state.masks, obj)

    def embeddings(self, state: LoopState, obj: int) -> np.ndarray:
        """E, (N, D) float32: of every frame with the object's present mask."""
        return self._embedded.of(state, obj)

    def _embed(self, state: LoopState, obj: int, frames: Sequence[int]) -> list[np.ndarray]:
        made: list[np.ndarray] = []
        for start in range(0, len(frames), AT_ONCE):
            pairs = self._seen(state, frames[start : start + AT_ONCE], obj)
            seen, masks = (torch.from_numpy(np.stack(part)) for part in zip(*pairs, strict=True))
            with torch.inference_mode():
                made.extend(self._network.embed(seen, masks).numpy())
        return made

    def quality(self, state: LoopState, obj: int) -> np.ndarray:
        """Expected J&F of every frame, (N,) float32 in [0, 1], calibrated on held-out videos."""
        with torch.inference_mode():
            logits = self._network.classify(torch.from_numpy(self.embeddings(state, obj)))
            return self._network.expected(logits).numpy()

    def _seen(
        self, state: LoopState, frames: Sequence[int], obj: int
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        masks = [state.masks[frame] == obj for frame in frames]
        if self._network.encoders.preset == "paper":
            return [
                pictures(state.video.frame(frame), mask)
                for frame, mask in zip(frames, masks, strict=True)
            ]
        keys = state.features.frames(state.video, KeyEncoder(), frames)
        quality = state.quality[frames, state.objects.index(obj)]
        return [
            (frame_vector(key), mask_vector(key, mask, float(q)))
            for key, mask, q in zip(keys, masks, quality, strict=True)
        ]


class QNetEquation1(QNetSelector):
    """The frame with the largest distance to its closest annotated one, among embeddings of QNet.

    EVA-VOS Eq. 1 and nothing else: ``f* = arg max_i min_{j in K} d(E_i, E_j)``.

    Parameters
    ----------
    weights : path
        As of `QNetSelector`.
    """

    name = "qnet-eq1"
    _reason = "least like what you annotated, in looks and quality"
    _measured = "distance to the most alike annotated frame"

    def _apart(self, state: LoopState, obj: int, known: list[int]) -> np.ndarray:
        return distances(self.embeddings(state, obj), known)


def relative_distances(points: np.ndarray, known: Collection[int]) -> np.ndarray:
    """`distances` in units of the mean over all pairs of frames; all 0 where these are alike.

    Parameters
    ----------
    points : (N, D) float array
    known : collection of int

    Returns
    -------
    (N,) float64 array
    """
    spread = float(pdist(points).mean()) if len(points) > 1 else 0.0
    return distances(points, known) / (spread or 1.0)


def shown(masks: LabelMaps, obj: int, least: float = LEAST) -> np.ndarray:
    """How much of an object its masks show.

    Parameters
    ----------
    masks : LabelMaps
    obj : int
    least : float
        Of a frame that shows nothing of it.

    Returns
    -------
    (N,) float64 array
        From `least` to 1, with its pixels on each frame as a share of their median over the
        frames that have any.
    """
    pixels = masks.pixels(obj)
    usual = np.median(pixels[pixels > 0]) if pixels.any() else 1
    return least + (1 - least) * np.minimum(pixels / usual, 1)

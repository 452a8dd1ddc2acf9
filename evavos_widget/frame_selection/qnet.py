"""QNet chooses the frame (EVA-VOS Sec. 2.2): least alike, in how it looks and how good it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from evavos_widget.explanation import FrameExplanation
from evavos_widget.frame_selection.asking import farthest, with_doubts
from evavos_widget.frame_selection.embeddings import distances
from evavos_widget.loop import FrameChoice, FrameSelector, LoopState
from evavos_widget.networks.agent_weights import agent_notice
from evavos_widget.networks.encoders_of_pairs import pictures
from evavos_widget.networks.observation import ByFrame, KeyEncoder, frame_vector, mask_vector
from evavos_widget.networks.qnet import load_qnet

__all__ = ["QNetSelector"]

AT_ONCE = 64
"""Frames that go through the network together."""


class QNetSelector(FrameSelector):
    """The frame with the largest distance to its closest annotated one, among embeddings of QNet.

    EVA-VOS Eq. 1: ``f* = arg max_i min_{j in K} d(E_i, E_j)``. A frame is embedded again only when
    its mask or its predicted quality changed. What is annotated and in doubt may be asked for
    again. Among objects the one whose frame is the farthest goes first; ties go to the earlier
    frame.

    Parameters
    ----------
    weights : path
        Written by ``evavos train qnet``; by default those that come with the package.
    """

    name = "qnet"
    learned = True

    def __init__(self, weights: str = "") -> None:
        self._network = load_qnet(weights)
        self.notice = agent_notice("qnet", weights)
        self._embedded = ByFrame(self._embed)

    def select(self, state: LoopState) -> FrameChoice | None:
        """The next frame, of the object for which it is the farthest."""
        return farthest(state, self._scores, "least like what you annotated, in looks and quality")

    def explain(self, state: LoopState) -> FrameExplanation | None:
        """The distances of Eq. 1, the embeddings, and the quality that QNet expects."""
        if not state.objects:
            return None
        scores = np.stack([self._scores(state, obj) for obj in state.objects], axis=1)
        if np.isnan(scores).all():
            return None
        return FrameExplanation(
            scores,
            "distance to the most alike annotated frame",
            embeddings={obj: self.embeddings(state, obj) for obj in state.objects},
            quality=np.stack([self.quality(state, obj) for obj in state.objects], axis=1),
        )

    def _scores(self, state: LoopState, obj: int) -> np.ndarray:
        """How far every frame is from what is known, (N,) float64; NaN where none is asked."""

        def measure(known: list[int]) -> tuple[np.ndarray, float]:
            distance = distances(self.embeddings(state, obj), known)
            # As far as anything is, times the doubt, as of `farthest-in-time`.
            return distance, float(distance.max())

        return with_doubts(state, obj, measure)

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

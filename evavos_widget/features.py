"""What image encoders say of a video's frames: computed once, shared by the stages."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from uuid import UUID

    from evavos_widget.video import Video

__all__ = ["Encoder", "FeatureStore"]

FEATURE_BYTES = 128 * 2**20
"""Bound on kept features: 32,000 frames of a vector of 1,024."""


class Encoder(Protocol):
    """What turns a picture into numbers; `evavos_widget.networks.encoders` makes some."""

    @property
    def name(self) -> str:
        """Two encoders of one name give the same numbers."""
        ...

    def __call__(self, image: np.ndarray, /) -> np.ndarray:
        """``(H, W, 3)`` uint8 RGB to a float32 array, of the same shape for every frame."""
        ...


class FeatureStore:
    """Features of frames, by video and encoder, each computed when it is first asked for.

    What was used longest ago goes first where there is too much. All methods may be called
    from any thread; a frame is encoded once, however many ask for it, so that an encoder
    need not be safe to call from several.

    Parameters
    ----------
    max_bytes : int
        Bound on what is kept; the newest frame always stays.
    """

    def __init__(self, max_bytes: int = FEATURE_BYTES) -> None:
        self.max_bytes = max_bytes
        self._kept: OrderedDict[tuple[UUID, str, int], np.ndarray] = OrderedDict()
        self._nbytes = 0
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes of what is kept."""
        return self._nbytes

    def frame(self, video: Video, frame: int, encoder: Encoder) -> np.ndarray:
        """What an encoder says of one frame.

        Returns
        -------
        float32 array, read-only
            Of the encoder's shape.

        Raises
        ------
        IndexError
            There is no such frame.
        """
        key = video.token, encoder.name, frame
        with self._lock:  # taken frame by frame, so that nobody waits for a whole video
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            features = np.array(encoder(video.frame(frame)), np.float32)
            features.flags.writeable = False
            self._kept[key] = features
            self._nbytes += features.nbytes
            while self._nbytes > self.max_bytes and len(self._kept) > 1:
                self._nbytes -= self._kept.popitem(last=False)[1].nbytes
            return features

    def frames(self, video: Video, encoder: Encoder) -> np.ndarray:
        """What an encoder says of all frames, in their order.

        Returns
        -------
        (N, ...) float32 array
        """
        return np.stack([self.frame(video, i, encoder) for i in range(video.n_frames)])

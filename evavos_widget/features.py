"""What image encoders say of a video's frames: computed once, shared by the stages."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from uuid import UUID

    from evavos_widget.video import Video

__all__ = ["AT_ONCE", "Encoder", "FeatureStore"]

FEATURE_BYTES = 128 * 2**20
"""Bound on kept features: 32,000 frames of a vector of 1,024."""

AT_ONCE = 8
"""Frames that are encoded together: a small network is quicker by a third on each of eight, and
who asks for one frame meanwhile waits for no more than these."""


class Encoder(Protocol):
    """What turns a picture into numbers; `evavos_widget.networks.encoders` makes some."""

    @property
    def name(self) -> str:
        """Two encoders of one name give the same numbers."""
        ...

    def __call__(self, images: np.ndarray, /) -> np.ndarray:
        """``(B, H, W, 3)`` uint8 RGB to a ``(B, ...)`` float32 array, whatever B is."""
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
        return self._of(video, [frame], encoder)[0]

    def frames(
        self, video: Video, encoder: Encoder, frames: Sequence[int] | None = None
    ) -> np.ndarray:
        """What an encoder says of all frames, or of some, in their order.

        Returns
        -------
        (N, ...) float32 array
        """
        wanted = range(video.n_frames) if frames is None else frames
        groups = (wanted[start : start + AT_ONCE] for start in range(0, len(wanted), AT_ONCE))
        return np.stack([row for group in groups for row in self._of(video, group, encoder)])

    def _of(self, video: Video, frames: Sequence[int], encoder: Encoder) -> list[np.ndarray]:
        with self._lock:  # taken for a few frames, so that nobody waits for a whole video
            keys = [(video.token, encoder.name, frame) for frame in frames]
            found = {key: self._kept[key] for key in keys if key in self._kept}
            new = [key for key in dict.fromkeys(keys) if key not in found]
            if new:
                images = np.stack([video.frame(frame) for *_, frame in new])
                encoded = encoder(images)
                if len(encoded) != len(new):
                    raise ValueError(
                        f"the encoder {encoder.name!r} gave {len(encoded)} rows for {len(new)} "
                        "frames; give one for each, in their order."
                    )
                rows = zip(new, encoded, strict=True)
                # Each a copy, so that one that is kept does not keep the others with it.
                found |= {key: np.array(row, np.float32) for key, row in rows}
            for key in keys:
                self._keep(key, found[key])
            return [found[key] for key in keys]

    def _keep(self, key: tuple[UUID, str, int], features: np.ndarray) -> None:
        """Keep what was used just now, and let go of what was used longest ago."""
        features.flags.writeable = False
        if key not in self._kept:
            self._nbytes += features.nbytes
        self._kept[key] = features
        self._kept.move_to_end(key)
        while self._nbytes > self.max_bytes and len(self._kept) > 1:
            self._nbytes -= self._kept.popitem(last=False)[1].nbytes

"""Features and flow of a video's frames, computed once and kept within a byte bound."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from evavos_widget.propagation.features import (
    FrameFeatures,
    backward_positions,
    frame_features,
    principal_directions,
    work_size,
)

if TYPE_CHECKING:
    from evavos_widget.video import Video

__all__ = ["ByteBoundedCache", "Frames"]

FRAME_BYTES = 48 * 2**20
"""Bound on features, flow and descriptors kept: about a dozen frames."""


class _Sized(Protocol):
    @property
    def nbytes(self) -> int: ...


T = TypeVar("T", bound=_Sized)


class ByteBoundedCache:
    """Keeps what was used last, up to a number of bytes; the newest always stays.

    Sizes are looked up when something is added, so that what grew since is counted.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: OrderedDict[Hashable, _Sized] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """What is kept under `key`, or else what `make` returns, kept from now on."""
        if key not in self._items:
            self.put(key, make())
        self._items.move_to_end(key)
        return self._items[key]  # type: ignore[return-value]

    def put(self, key: Hashable, value: _Sized) -> None:
        """Keep `value`, and drop what was used longest ago if that is too much."""
        self._items[key] = value
        self._items.move_to_end(key)
        total = sum(item.nbytes for item in self._items.values())
        while total > self._limit and len(self._items) > 1:
            _, dropped = self._items.popitem(last=False)
            total -= dropped.nbytes


class Frames:
    """One video's frames at working resolution; objects share them."""

    def __init__(self, video: Video) -> None:
        self.video = video
        self.size = work_size(video.height, video.width)
        self._kept = ByteBoundedCache(FRAME_BYTES)

    def features(self, frame: int) -> FrameFeatures:
        """Features of a frame."""
        return self._kept.get(
            ("features", frame), lambda: frame_features(self.video.frame(frame), self.size)
        )

    def positions(self, source: int, target: int) -> np.ndarray:
        """Where each pixel of `target` was in `source`: (h, w, 2) float32, x and y."""
        return self._kept.get(
            ("positions", source, target),
            lambda: backward_positions(self.features(source), self.features(target)),
        )

    def descriptors(self, frame: int, reference: int) -> np.ndarray:
        """Descriptors of `frame` in the principal directions of frame `reference`.

        Returns
        -------
        (h', w', PRINCIPAL) float32 array
        """
        directions = self._kept.get(
            ("directions", reference),
            lambda: principal_directions(self.features(reference).cells),
        )
        return self._kept.get(
            ("descriptors", frame, reference), lambda: self.features(frame).cells @ directions
        )

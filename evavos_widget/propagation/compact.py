"""Propagation with the compact network: space-time memory in chains."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from evavos_widget.cache import ByteBoundedCache
from evavos_widget.networks.compact import CELL, CompactNet, Features, crop_cells
from evavos_widget.networks.memory import tokens
from evavos_widget.networks.ready import (
    compact_network,
    compact_notice,
    image_tensor,
    mask_tensor,
    work_size,
)
from evavos_widget.propagation.chained import ChainedPropagator, MaskChain

if TYPE_CHECKING:
    from evavos_widget.video import Video

__all__ = ["CompactPropagator"]

PIXELS = 320 * 568
"""Pixels of the pictures that are worked on."""

FEATURE_BYTES = 160 * 2**20
"""Bound on features kept across passes: about 150 frames of 16:9."""

RECENT_BYTES = 24 * 2**20
"""Bound on complete features, of the frames that are being worked on."""

MEMORY_STRIDE = 5
"""Remembered are the annotated frame and those whose distance is a multiple of this (STCN)."""

MEMORY_FRAMES = 3
"""How many of the latter, the latest."""

MARGIN = 6
"""Cells around the object in which it is looked for,"""

GROWTH = 0.3
"""and additional ones relative to its length."""

STEP = 8
"""Windows are so many cells high and wide, or a multiple: for every size of a picture the
arithmetic library prepares and keeps a plan, which costs time and memory."""

KEPT = torch.bfloat16
"""Type of the features that are kept."""

MASK_SCALE = CELL // 2
"""Pixels of a mask per cell."""


class CompactPropagator(ChainedPropagator):
    """Carries masks in chains, each frame read out of the memory of its chain.

    Parameters
    ----------
    weights : path or str, optional
        A file that ``python -m evavos_widget.training.compact`` wrote, or the name of weights
        that come with the package: ``davis`` (default) or ``free``.
    device : str, optional
        A GPU where there is one, by default.
    """

    name = "compact"
    learned = True
    quality_weights = (0.36, 1.02, -0.28)
    """See `evavos_widget.probabilities.QUALITY_WEIGHTS`. Fitted with the weights ``free``, which
    saw no video, on every other sequence of DAVIS-2016 train."""

    def __init__(
        self, weights: str | os.PathLike[str] | None = None, device: str | None = None
    ) -> None:
        super().__init__()
        self._network = compact_network(weights, device)
        self.notice = compact_notice(weights)
        self.device = str(self._network.to_key.weight.device)

    def _open(self, video: Video) -> _Frames:
        return _Frames(video, self._network)

    def _begin(self, source: int, direction: int, mask: np.ndarray) -> _Chain:
        return _Chain(source, direction, mask, self._frames.mask_size)


class _Window(NamedTuple):
    """Rows and columns of cells."""

    rows: slice
    columns: slice

    def of_mask(self, mask: Tensor) -> Tensor:
        return crop_cells(mask, self.rows, self.columns, MASK_SCALE)


class _Kept(NamedTuple):
    """Features that are kept, and their size."""

    parts: tuple[Tensor, ...]

    @property
    def nbytes(self) -> int:
        return sum(part.nbytes for part in self.parts)


class _Frames:
    """One video's frames as the network sees them; objects and passes share them."""

    def __init__(self, video: Video, network: CompactNet) -> None:
        self.video, self.network = video, network
        self.size = work_size(video.height, video.width, PIXELS)
        self.mask_size = self.size[0] // 2, self.size[1] // 2
        self.like = network.to_key.weight
        self._deep = ByteBoundedCache(FEATURE_BYTES)
        self._recent = ByteBoundedCache(RECENT_BYTES)

    def features(self, frame: int) -> Features:
        """All features of a frame."""
        return Features(*self._recent.get(frame, lambda: _Kept(self._features(frame))).parts)

    def _features(self, frame: int) -> Features:
        image = image_tensor(self.video.frame(frame), self.size, self.like)
        half, quarter = self.network.backbone.stem(image)

        def deep() -> _Kept:
            features = self.network.deepen(half, quarter)
            return _Kept((features.cells.to(KEPT), features.key.to(KEPT)))

        # The fine features are many and cheap, so that only the deep ones are kept for long.
        kept = self._deep.get(frame, deep).parts
        cells, key = (part.to(self.like) for part in kept)
        return Features(half, quarter, cells, key)


class _Chain(MaskChain):
    """Masks of one object from one annotation; parameters as for `MaskChain`."""

    def __init__(
        self, source: int, direction: int, mask: np.ndarray, size: tuple[int, int]
    ) -> None:
        super().__init__(source, direction, mask, size)
        self._remembered: dict[int, tuple[Tensor, Tensor]] = {}

    def rest(self) -> None:
        """Drop what can be computed again from the masks."""
        self._remembered.clear()

    @torch.inference_mode()
    def extend(self, frames: _Frames) -> None:
        """Compute the mask of the next frame."""
        network, last = frames.network, self.length - 1
        before = self.source + self.direction * last
        mask = self.mask(last)
        window = self._window(mask)
        previous = window.of_mask(mask_tensor(mask, frames.like))
        seen = frames.features(before).crop(*window)
        query = frames.features(before + self.direction).crop(*window)
        keys, values = self._memory(frames, last)
        value = network.remember(seen, previous)
        everywhere, near = network.read(keys, values, seen.key, value, query)
        logits = network.decode(query, everywhere, near, previous)
        result = np.zeros(self._size, np.float32)
        window.of_mask(torch.from_numpy(result))[:] = logits[0, 0].float().sigmoid().cpu()
        self._append(result)

    def _memory(self, frames: _Frames, last: int) -> tuple[Tensor, Tensor]:
        """Keys and values of what is remembered, (1, N, key) and (1, N, value + 4)."""
        latest = last - last % MEMORY_STRIDE
        distances = {0, *range(latest, 0, -MEMORY_STRIDE)[:MEMORY_FRAMES]}
        for gone in set(self._remembered) - distances:
            del self._remembered[gone]
        for distance in distances - set(self._remembered):
            self._remembered[distance] = self._remember(frames, distance)
        keys, values = zip(*(self._remembered[d] for d in sorted(distances)), strict=True)
        return torch.cat(keys, 1), torch.cat(values, 1)

    def _remember(self, frames: _Frames, distance: int) -> tuple[Tensor, Tensor]:
        frame = self.source + self.direction * distance
        mask = self.mask(distance)
        # What is far from the object matters where the mask is sure.
        window = self._window(mask) if distance else self._everywhere
        features = frames.features(frame).crop(*window)
        value = frames.network.remember(features, window.of_mask(mask_tensor(mask, frames.like)))
        return tokens(features.key), tokens(value)

    @property
    def _everywhere(self) -> _Window:
        height, width = (side // MASK_SCALE for side in self._size)
        return _Window(slice(0, height), slice(0, width))

    def _window(self, mask: np.ndarray) -> _Window:
        """Cells in which the object can be one frame after `mask`; all where it was hidden."""
        rows, columns = (np.flatnonzero((mask > 0.5).any(axis=a)) for a in (1, 0))
        if not len(rows):
            return self._everywhere
        margin = MARGIN + GROWTH * max(np.ptp(rows), np.ptp(columns)) / MASK_SCALE
        return _Window(
            *(
                _stretch(places[0] / MASK_SCALE - margin, places[-1] / MASK_SCALE + margin, n)
                for places, n in zip(
                    (rows, columns), (s // MASK_SCALE for s in self._size), strict=True
                )
            )
        )


def _stretch(first: float, last: float, side: int) -> slice:
    """Cells from `first` to `last` and some around them, of the `side` cells that there are."""
    first, last = max(0, int(first)), min(side, int(last) + 1)
    length = min(side, -(-(last - first) // STEP) * STEP)
    start = min(max(0, first - (length - (last - first)) // 2), side - length)
    return slice(start, start + length)

"""One object carried with the compact network, in a window around it at its own scale."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from evavos_widget.cache import ByteBoundedCache
from evavos_widget.networks.compact import (
    CELL,
    POINT_RADIUS,
    SIDE,
    CompactNet,
    Features,
    crop_cells,
)
from evavos_widget.networks.discs import on_grid, point_discs
from evavos_widget.networks.memory import tokens
from evavos_widget.networks.ready import image_tensor, mask_tensor, resized, work_size
from evavos_widget.propagation.chained import MaskChain

if TYPE_CHECKING:
    from evavos_widget.loop import Annotation
    from evavos_widget.video import Video

__all__ = ["CompactChain", "CompactFrames"]

PIXELS = 320 * 568
"""Pixels of the pictures that are worked on where objects are large, at level 1."""

LEVELS = (1.0, 1.25, 1.5, 2.0, 3.0, 4.0)
"""How many times larger pictures are where the object is small."""

LARGEST_ZOOM = 3.0
"""Pixels that are worked on per pixel of the video, at most, along a side."""

LENGTH = 150
"""Longer side that the object is to have, in pixels, about as in training."""

HYSTERESIS = 1.6
"""By how much the object's longer side may differ from that before the level changes."""

FEATURE_BYTES = 160 * 2**20
"""Bound on features kept across passes: about 150 frames of 16:9."""

RECENT_BYTES = 24 * 2**20
"""Bound on complete features, of the frames that are being worked on."""

PICTURE_BYTES = 24 * 2**20
"""Bound on frames at the sizes at which they are worked on."""

MEMORY_STRIDE = 10
"""Remembered are the annotated frame and those whose distance is a multiple of this."""

MEMORY_FRAMES = 2
"""How many of the latter, the latest."""

MARGIN = 4
"""Cells around the object in which it is looked for,"""

GROWTH = 0.2
"""and additional ones relative to its length."""

SURROUNDINGS = 1.0
"""Those that are remembered of the annotated frame, relative to the object's length."""

STEP = 8
"""Windows begin and end at multiples of so many cells: chains and passes then often share them, and
for every size of a picture the arithmetic library prepares and keeps a plan."""

WHOLE = 0.5
"""Windows of more than this fraction of the picture are cut out of the features of the whole."""

KEPT = torch.bfloat16
"""Type of the features that are kept."""

MASK_SCALE = CELL // 2
"""Pixels of a mask per cell."""


class _Window(NamedTuple):
    """Rows and columns of cells."""

    rows: slice
    columns: slice

    @property
    def corner(self) -> tuple[int, int]:
        return self.rows.start, self.columns.start

    @property
    def area(self) -> int:
        return (self.rows.stop - self.rows.start) * (self.columns.stop - self.columns.start)

    def pixels(self, scale: int) -> tuple[slice, slice]:
        """The same in a picture with so many pixels a cell."""
        return tuple(slice(s.start * scale, s.stop * scale) for s in self)  # type: ignore

    def of_mask(self, mask: Tensor) -> Tensor:
        return crop_cells(mask, self.rows, self.columns, MASK_SCALE)

    def within(self, other: _Window) -> _Window:
        """The same, counted from the first cells of a window that holds it."""
        return _Window(
            *(slice(s.start - o, s.stop - o) for s, o in zip(self, other.corner, strict=True))
        )


class _Grid(NamedTuple):
    """The video's picture at one level.

    Parameters
    ----------
    level : int
        Place in `LEVELS`.
    size : (int, int)
        Height and width in pixels.
    zoom : float
        Pixels per pixel of the picture at level 1.
    """

    level: int
    size: tuple[int, int]
    zoom: float

    @property
    def mask_size(self) -> tuple[int, int]:
        return self.size[0] // 2, self.size[1] // 2

    @property
    def cells(self) -> tuple[int, int]:
        return self.size[0] // CELL, self.size[1] // CELL

    @property
    def everywhere(self) -> _Window:
        return _Window(*(slice(0, n) for n in self.cells))


def _grids(height: int, width: int) -> tuple[_Grid, ...]:
    """Those of a video that are worth having."""
    base = work_size(height, width, PIXELS)
    zooms = [z for z in LEVELS if z == 1 or z * base[0] <= LARGEST_ZOOM * height]
    return tuple(
        _Grid(level, (round(base[0] * z / SIDE) * SIDE, round(base[1] * z / SIDE) * SIDE), z)
        for level, z in enumerate(zooms)
    )


class _Kept(NamedTuple):
    """Features that are kept, and their size."""

    parts: tuple[Tensor, ...]

    @property
    def nbytes(self) -> int:
        return sum(part.nbytes for part in self.parts)


class CompactFrames:
    """One video's frames as the network sees them; objects and passes share them."""

    def __init__(self, video: Video, network: CompactNet) -> None:
        self.video, self.network = video, network
        self.grids = _grids(video.height, video.width)
        self.like = network.to_key.weight
        self._deep = ByteBoundedCache(FEATURE_BYTES)
        self._recent = ByteBoundedCache(RECENT_BYTES)
        self._pictures = ByteBoundedCache(PICTURE_BYTES)

    def features(self, frame: int, grid: _Grid, window: _Window) -> Features:
        """All features of a window of a frame."""
        everywhere = grid.everywhere
        read = everywhere if window.area > WHOLE * everywhere.area else window
        bounds = tuple((side.start, side.stop) for side in read)
        key = (frame, grid.level, bounds)
        features = Features(
            *self._recent.get(key, lambda: _Kept(self._features(key, frame, grid, read))).parts
        )
        return features if read == window else features.crop(*window)

    def _features(self, key: Hashable, frame: int, grid: _Grid, window: _Window) -> Features:
        picture = self._pictures.get((frame, grid.level), lambda: self._picture(frame, grid))
        image = image_tensor(picture[window.pixels(CELL)], self.like)
        half, quarter = self.network.backbone.stem(image)

        def deep() -> _Kept:
            features = self.network.deepen(half, quarter)
            return _Kept((features.cells.to(KEPT), features.key.to(KEPT)))

        # The fine features are many and cheap, so that only the deep ones are kept for long.
        kept = self._deep.get(key, deep).parts
        cells, key_ = (part.to(self.like) for part in kept)
        return Features(half, quarter, cells, key_)

    def _picture(self, frame: int, grid: _Grid) -> np.ndarray:
        return resized(self.video.frame(frame), grid.size)

    @torch.inference_mode()
    def locate(self, frame: int, annotation: Annotation) -> dict[int, np.ndarray]:
        """Of the objects of an annotation that have points, (H, W) float32, each alone."""
        grid = self.grids[0]
        features = self.features(frame, grid, grid.everywhere)
        shape, found = annotation.shape, {}
        for obj, points in annotation.points.items():
            on_mask = on_grid(points, shape, grid.mask_size)
            discs = mask_tensor(point_discs(on_mask, grid.mask_size, POINT_RADIUS), self.like)
            alone = self.network.locate(features, discs)[0, 0].float().sigmoid().cpu().numpy()
            found[obj] = cv2.resize(alone, shape[::-1], interpolation=cv2.INTER_LINEAR)
        return found


class CompactChain(MaskChain):
    """Masks of one object from one annotation.

    Each is found in a window around the one before, at the level at which the object has about
    the size it had in training, and never closer than it was annotated: what looks smaller is
    mostly a part of it, which leaves, comes back or is hidden. Where the object is lost, the whole
    picture is searched.

    Parameters
    ----------
    source, direction, mask
        As for `MaskChain`.
    grids : sequence of _Grid
        The video at every level.
    """

    def __init__(
        self, source: int, direction: int, mask: np.ndarray, grids: Sequence[_Grid]
    ) -> None:
        rows, columns = np.nonzero(mask)
        pixels = grids[0].size[0] / mask.shape[0]
        # Points that lie on what is drawn of another object leave nothing of their own.
        length = max(np.ptp(rows), np.ptp(columns)) if len(rows) else 0
        grid = _fitting(grids, length * pixels)
        super().__init__(source, direction, mask, grid.mask_size)
        self._grids, self._levels = grids, [grid.level]
        self._remembered: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def rest(self) -> None:
        """Drop what can be computed again from the masks."""
        self._remembered.clear()

    @torch.inference_mode()
    def extend(self, frames: CompactFrames) -> None:
        """Compute the mask of the next frame."""
        network, last = frames.network, self.length - 1
        before = self.source + self.direction * last
        grid = self._next_grid(last)
        mask = self._mask_on(last, grid)
        window = _window(mask, grid, GROWTH)
        seen_in = self._found_in(last, grid)
        seen = frames.features(before, grid, seen_in)
        query = frames.features(before + self.direction, grid, window)
        whole = mask_tensor(mask, frames.like)
        value = network.remember(seen, seen_in.of_mask(whole))
        if last and last % MEMORY_STRIDE == 0:
            self._remembered[last, grid.level] = tokens(seen.key), tokens(value)
        keys, values = self._memory(frames, grid, last)
        offset = (
            window.rows.start - seen_in.rows.start,
            window.columns.start - seen_in.columns.start,
        )
        everywhere, near = network.read(keys, values, seen.key, value, query, offset)
        logits = network.decode(query, everywhere, near, window.of_mask(whole))
        result = np.zeros(grid.mask_size, np.float32)
        window.of_mask(torch.from_numpy(result))[:] = logits[0, 0].float().sigmoid().cpu()
        self._levels.append(grid.level)
        self._append(result)

    def _next_grid(self, last: int) -> _Grid:
        """Where to look for the object next: as before while its size fits."""
        grid = self._grids[self._levels[-1]]
        rows, columns = np.nonzero(self.mask(last) > 0.5)
        if not len(rows):
            return self._grids[0]
        length = 2 * max(np.ptp(rows), np.ptp(columns)) / grid.zoom
        fitting = _fitting(self._grids[: self._levels[0] + 1], length)
        apart = max(fitting.zoom / grid.zoom, grid.zoom / fitting.zoom)
        return fitting if apart > HYSTERESIS else grid

    def _found_in(self, distance: int, grid: _Grid) -> _Window:
        """The window in which a mask was found, the features of which are still there."""
        if not distance or self._levels[distance] != grid.level:
            return _window(self._mask_on(distance, grid), grid, GROWTH)
        return _window(self._mask_on(distance - 1, grid), grid, GROWTH)

    def _mask_on(self, distance: int, grid: _Grid) -> np.ndarray:
        """A mask at the size of a level's masks."""
        mask = self.mask(distance)
        if mask.shape == grid.mask_size:
            return mask
        return cv2.resize(mask, grid.mask_size[::-1], interpolation=cv2.INTER_LINEAR)

    def _memory(self, frames: CompactFrames, grid: _Grid, last: int) -> tuple[Tensor, Tensor]:
        """Keys and values of what is remembered, (1, N, key) and (1, N, value + 4)."""
        latest = last - last % MEMORY_STRIDE
        distances = {0, *range(latest, 0, -MEMORY_STRIDE)[:MEMORY_FRAMES]}
        wanted = {(distance, grid.level) for distance in distances}
        for gone in set(self._remembered) - wanted:
            del self._remembered[gone]
        for distance, level in wanted - set(self._remembered):
            self._remembered[distance, level] = self._remember(frames, grid, distance)
        keys, values = zip(*(self._remembered[w] for w in sorted(wanted)), strict=True)
        return torch.cat(keys, 1), torch.cat(values, 1)

    def _remember(self, frames: CompactFrames, grid: _Grid, distance: int) -> tuple[Tensor, Tensor]:
        if distance:
            if not (self.mask(distance) > 0.5).any():
                # Of a frame searched in vain, no closer look is needed than was taken then.
                grid = min(grid, self._grids[self._levels[distance]])
            return self._tokens(frames, grid, distance, self._found_in(distance, grid))
        if not grid.level:
            return self._tokens(frames, grid, 0, grid.everywhere)
        near = self._tokens(frames, grid, 0, _window(self._mask_on(0, grid), grid, SURROUNDINGS))
        # Of what is far from the object, a coarse look is enough; there the mask is sure.
        whole = self._grids[0]
        far = self._tokens(frames, whole, 0, whole.everywhere)
        return torch.cat([near[0], far[0]], 1), torch.cat([near[1], far[1]], 1)

    def _tokens(
        self, frames: CompactFrames, grid: _Grid, distance: int, window: _Window
    ) -> tuple[Tensor, Tensor]:
        """Keys and values of a window, (1, N, key) and (1, N, value + 4)."""
        mask = mask_tensor(self._mask_on(distance, grid), frames.like)
        features = frames.features(self.source + self.direction * distance, grid, window)
        value = frames.network.remember(features, window.of_mask(mask))
        return tokens(features.key), tokens(value)


def _fitting(grids: Sequence[_Grid], length: float) -> _Grid:
    """The level at which an object has about `LENGTH`, given its longer side at level 1."""
    return min(grids, key=lambda grid: abs(np.log(grid.zoom * max(length, 1) / LENGTH)))


def _window(mask: np.ndarray, grid: _Grid, growth: float) -> _Window:
    """Cells in which the object can be one frame after `mask`; all where it was hidden."""
    rows, columns = (np.flatnonzero((mask > 0.5).any(axis=a)) for a in (1, 0))
    if not len(rows):
        return grid.everywhere
    margin = MARGIN + growth * max(np.ptp(rows), np.ptp(columns)) / MASK_SCALE
    return _Window(
        *(
            _stretch(places[0] / MASK_SCALE - margin, places[-1] / MASK_SCALE + margin, n)
            for places, n in zip((rows, columns), grid.cells, strict=True)
        )
    )


def _stretch(first: float, last: float, side: int) -> slice:
    """Cells from `first` to `last` and some around them, of the `side` cells that there are."""
    start = max(0, int(first)) // STEP * STEP
    return slice(start, min(side, -(-(int(last) + 1) // STEP) * STEP))

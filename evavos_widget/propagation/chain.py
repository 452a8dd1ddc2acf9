"""One object carried from one annotated frame in one direction."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from evavos_widget.propagation.features import CELL, FrameFeatures
from evavos_widget.propagation.kernels import nearest_distances, relax

__all__ = ["Chain"]

PRIOR_WEIGHT = 0.6
PRIOR_SCALE = 8.0
PRIOR_LIMIT = 5.0
READOUT_WEIGHT = 1.5
READOUT_TAU = 0.05
POSITION_WEIGHT = 0.6
NEIGHBOURS = 4
BAND = 40
MEMORY_STRIDE = 5
DESCRIPTORS = 16
RELAX_WEIGHT = 1.0
SWEEPS = 4
RELAX_PROB = True


@dataclass(eq=False)
class _Memory:
    """Cells of one remembered frame: descriptors (M, D) and which belong to the object."""

    descriptors: np.ndarray
    inside: np.ndarray


class Chain:
    """Masks of one object on the frames that follow from one annotation.

    A chain can be continued from any point with the masks it has: whatever else a step
    needs is computed again from them, so that a mask never depends on where the chain
    was taken up.

    Parameters
    ----------
    source : int
        The annotated frame.
    direction : {-1, 1}
    mask : (H, W) bool array
        The object on `source`.
    size : (h, w)
        Working resolution.
    features : callable
        Frame index -> `FrameFeatures`.
    """

    def __init__(
        self,
        source: int,
        direction: int,
        mask: np.ndarray,
        size: tuple[int, int],
    ) -> None:
        self.source = source
        self.direction = direction
        self.size = size
        start = cv2.resize(mask.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
        self._masks = [_pack(start)]
        self._memory: dict[int, _Memory] = {}
        self._basis: np.ndarray | None = None

    @property
    def length(self) -> int:
        """Frames the chain has masks for, the annotated one included."""
        return len(self._masks)

    @property
    def nbytes(self) -> int:
        """Size of the masks in bytes."""
        return sum(len(m) for m in self._masks)

    def mask(self, distance: int) -> np.ndarray:
        """Probability, (h, w) float32, `distance` frames from the annotated one."""
        return _unpack(self._masks[distance], self.size)

    def forget(self) -> None:
        """Drop what can be computed again from the masks."""
        self._memory.clear()
        self._basis = None

    def extend(
        self,
        features: Callable[[int], FrameFeatures],
        flow: Callable[[int, int], np.ndarray],
    ) -> None:
        """Compute the mask of the next frame.

        Parameters
        ----------
        features : callable
            Frame -> `FrameFeatures`.
        flow : callable
            Frame, next frame -> where each pixel of the next one was, (h, w, 2).
        """
        last = self.length - 1
        before = self.source + self.direction * last
        now = before + self.direction
        previous = self.mask(last)
        if not previous.any():
            self._masks.append(_pack(previous))
            return
        target = features(now)
        warped = cv2.remap(
            previous, flow(before, now), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        inside = (warped > 0.5).astype(np.uint8)
        if not inside.any():
            self._masks.append(_pack(np.zeros(self.size, np.float32)))
            return
        outer = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 3)
        band = outer <= BAND
        signed = np.where(inside, cv2.distanceTransform(inside, cv2.DIST_L2, 3), -outer)
        logit = PRIOR_WEIGHT * np.clip(signed / PRIOR_SCALE, -PRIOR_LIMIT, PRIOR_LIMIT)
        rows, columns = _extent(band)
        window = (rows, columns)

        frames = {0, last - last % MEMORY_STRIDE}
        for gone in set(self._memory) - frames:
            del self._memory[gone]
        for distance in sorted(frames - set(self._memory)):
            self._memory[distance] = self._remember(
                features(self.source + self.direction * distance), self.mask(distance)
            )
        readout, valid = self._read(target, warped, band)
        up = cv2.resize(
            readout, None, fx=CELL, fy=CELL, interpolation=cv2.INTER_LINEAR
        )[: self.size[0], : self.size[1]]
        logit += READOUT_WEIGHT * up
        part = np.ascontiguousarray(logit[window])
        if RELAX_PROB:
            part = 1 / (1 + np.exp(-part))
        part = relax(
            part.astype(np.float32),
            np.ascontiguousarray(target.affinity[(slice(None), *window)]),
            np.float32(RELAX_WEIGHT),
            SWEEPS,
        )
        if not RELAX_PROB:
            part = 1 / (1 + np.exp(-part))
        result = np.zeros(self.size, np.float32)
        result[window] = np.where(band[window], part, 0)
        self._masks.append(_pack(result))

    def _remember(self, frame: FrameFeatures, mask: np.ndarray) -> _Memory:
        cells = _pool_mask(mask, frame.cells.shape[:2])
        near = cv2.dilate(
            (cells > 0.5).astype(np.uint8), np.ones((2 * BAND // CELL + 1,) * 2, np.uint8)
        )
        y, x = np.nonzero(near)
        return _Memory(self._describe(frame, mask, y, x), cells[y, x] > 0.5)

    def _describe(
        self, frame: FrameFeatures, mask: np.ndarray, y: np.ndarray, x: np.ndarray
    ) -> np.ndarray:
        found = frame.cells[y, x]
        if self._basis is None:
            centred = found - found.mean(axis=0)
            _, vectors = np.linalg.eigh(centred.T @ centred)
            self._basis = np.ascontiguousarray(vectors[:, ::-1][:, :DESCRIPTORS])
        hard = mask > 0.5
        rows, columns = np.nonzero(hard)
        if len(rows):
            cy, cx, spread = rows.mean(), columns.mean(), np.sqrt(len(rows))
        else:
            cy, cx, spread = 0.0, 0.0, 1.0
        position = np.stack([(y * CELL + 1.5 - cy) / spread, (x * CELL + 1.5 - cx) / spread], axis=1)
        return np.concatenate(
            [found @ self._basis, POSITION_WEIGHT * position], axis=1
        ).astype(np.float32)

    def _read(
        self, frame: FrameFeatures, warped: np.ndarray, band: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        shape = frame.cells.shape[:2]
        y, x = np.nonzero(_pool_mask(band.astype(np.float32), shape) > 0)
        queries = self._describe(frame, warped, y, x)
        descriptors = np.concatenate([m.descriptors for m in self._memory.values()])
        inside = np.concatenate([m.inside for m in self._memory.values()])
        order = np.argsort(~inside, kind="stable")
        memory = np.ascontiguousarray(descriptors[order].T)
        d = nearest_distances(queries, memory, int(inside.sum()), NEIGHBOURS)
        score = np.zeros(len(y), np.float32)
        if inside.any() and not inside.all():
            score = np.tanh((d[:, 1] - d[:, 0]) / READOUT_TAU / 2) * 2
        out = np.zeros(shape, np.float32)
        out[y, x] = score
        return out, band


def _pool_mask(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    h, w = mask.shape
    padded = cv2.copyMakeBorder(
        mask, 0, shape[0] * CELL - h, 0, shape[1] * CELL - w, cv2.BORDER_REPLICATE
    )
    return cv2.resize(padded, shape[::-1], interpolation=cv2.INTER_AREA)


def _extent(band: np.ndarray) -> tuple[slice, slice]:
    x, y, w, h = cv2.boundingRect(band.astype(np.uint8))
    return slice(y, y + h), slice(x, x + w)


def _pack(mask: np.ndarray) -> bytes:
    return zlib.compress((mask * 255 + 0.5).astype(np.uint8).tobytes(), 1)


def _unpack(packed: bytes, size: tuple[int, int]) -> np.ndarray:
    levels = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(size)
    return levels.astype(np.float32) / 255

"""What clicks need to know of a picture, and what depends on the picture alone.

A picture becomes about 1,600 superpixels with their colours, places and neighbours. All
reasoning about clicks happens on them; a guided filter carries it back to the pixels.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, fields

import cv2
import numpy as np
from numba import njit
from scipy import sparse
from scipy.sparse.csgraph import connected_components, dijkstra

__all__ = ["SuperpixelGraph"]

WORKING_AREA = 102_000
"""Working area in pixels (about 425 x 240): half of 854 x 480, as in the propagation."""

SEED_STEP = 8.0
"""Working pixels between superpixel seeds. This and `COMPACTNESS` were chosen on DAVIS train by the
best overlap that superpixels can reach with the ground truth."""

COMPACTNESS = 8.0
"""Weight of place against colour."""

LAB_WEIGHTS = np.array([0.7, 1.0, 1.0], np.float32)
"""Lightness counts less than chroma: shadows change it most."""

CONTEXT_WEIGHT = 0.4
"""Weight of texture (spread of Lab) and surroundings (Lab blurred by 6 px) in the descriptor."""

COLOR_SCALE = 6.0
"""Difference of descriptors, in weighted Lab units, over which superpixels stop being alike."""

SMOOTHING_CONTRAST = 4.0
"""Contrast, in Lab units, over which neighbours stop pulling at each other."""

LOCAL_REACH = 0.08
"""Reach of the local affinity as a share of the picture's diagonal."""

FILTER_RADIUS = 4
"""Radius of the guided filter (He et al. 2010) in working pixels."""

FILTER_EPSILON = 20.0
"""Regulariser of the guided filter, in squared Lab units."""

FAR = 1e4
"""Longer than any path through a picture, in Lab units."""


@dataclass(frozen=True, eq=False)
class SuperpixelGraph:
    """A picture as N superpixels.

    Parameters
    ----------
    labels : (h, w) int32 array
        Superpixel of every pixel at working resolution.
    area : (N,) float32 array
        Pixels per superpixel.
    position : (N, 2) float32 array
        Centre, ``(x, y)`` in working pixels.
    contrast : (N, N) sparse matrix
        Between neighbours: colour difference plus a little for the way.
    affinity, local_affinity : (N, N) float32 array
        How alike two superpixels look, times the area of the second; `local_affinity` fades
        with their distance too.
    border : (B,) int array
        Superpixels at the picture's border.
    smoothing : (N, N) sparse matrix
        Averages over a superpixel and the neighbours that look like it; rows sum to 1.
    lab, lab_mean : (h, w, 3) float32 array
    lab_precision : (h, w, 3, 3) float32 array
        Inverse covariance of colour around each pixel, for the guided filter.
    """

    labels: np.ndarray
    area: np.ndarray
    position: np.ndarray
    contrast: sparse.csr_matrix
    affinity: np.ndarray
    local_affinity: np.ndarray
    border: np.ndarray
    smoothing: sparse.csr_matrix
    lab: np.ndarray
    lab_mean: np.ndarray
    lab_precision: np.ndarray

    @classmethod
    def build(cls, image: np.ndarray) -> SuperpixelGraph:
        """Read a picture, (H, W, 3) uint8 RGB."""
        height, width = image.shape[:2]
        scale = min(1.0, (WORKING_AREA / (height * width)) ** 0.5)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        labels = _grow_superpixels(
            cv2.GaussianBlur(lab, (0, 0), 0.7).astype(np.float64), SEED_STEP, COMPACTNESS
        )
        n = int(labels.max()) + 1
        area = np.bincount(labels.ravel(), minlength=n).astype(np.float32)

        def mean(channels: np.ndarray) -> np.ndarray:
            return np.stack([_average(labels, c, area) for c in np.moveaxis(channels, -1, 0)], 1)

        color = mean(lab)
        spread = np.sqrt(np.maximum(mean(lab**2) - color**2, 0))
        around = mean(cv2.GaussianBlur(lab, (0, 0), 6.0))
        descriptor = np.concatenate(
            [
                color * LAB_WEIGHTS,
                CONTEXT_WEIGHT * spread,
                CONTEXT_WEIGHT * around * LAB_WEIGHTS,
            ],
            axis=1,
        )
        columns, rows = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
        position = mean(np.stack([columns, rows], -1).astype(np.float32))
        contrast = _contrast(labels, lab, color, position)
        affinity = np.exp(_squared_distances(descriptor) / (-2 * COLOR_SCALE**2)) * area
        reach = LOCAL_REACH * float(np.hypot(*size))
        nearness = np.exp(_squared_distances(position) / (-2 * reach**2))
        border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
        lab_mean, lab_precision = _color_statistics(lab)
        return cls(
            labels=labels,
            area=area,
            position=position,
            contrast=contrast,
            affinity=affinity,
            local_affinity=affinity * nearness,
            border=border,
            smoothing=_smoothing(contrast),
            lab=lab,
            lab_mean=lab_mean,
            lab_precision=lab_precision,
        )

    @property
    def n(self) -> int:
        """How many superpixels there are."""
        return len(self.area)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns at working resolution."""
        return self.labels.shape

    @property
    def nbytes(self) -> int:
        """Bytes held, for a cache's bound."""
        held = [getattr(self, f.name) for f in fields(self)]
        return sum(a.nbytes if isinstance(a, np.ndarray) else a.data.nbytes * 2 for a in held)

    def average(self, values: np.ndarray) -> np.ndarray:
        """Mean of an (h, w) array over every superpixel, (N,) float32."""
        return _average(self.labels, values, self.area)

    def geodesic(self, sources: Sequence[int] | np.ndarray, limit: float = FAR) -> np.ndarray:
        """Cheapest way to the nearest of `sources` in contrast, (N,) float32, at most `limit`."""
        if not len(sources):
            return np.full(self.n, limit, np.float32)
        distance = dijkstra(self.contrast, indices=sources, min_only=True)
        return np.minimum(distance, limit).astype(np.float32)

    def color_odds(self, belief: np.ndarray) -> np.ndarray:
        """Log odds, (N,), that look-alikes are believed in: half near by, half anywhere."""
        both = np.stack([belief, 1 - belief], axis=1).astype(np.float32)
        near = self.local_affinity @ both + 1
        anywhere = (self.affinity @ both + 1) / (both.sum(0) + 1)
        return 0.5 * np.log(near[:, 0] / near[:, 1] * anywhere[:, 0] / anywhere[:, 1])

    def connected(self, members: np.ndarray, sources: np.ndarray) -> np.ndarray:
        """Those of `members`, (N,) bool, that a chain of members joins to one of `sources`."""
        members = members.copy()
        members[sources] = True
        inside = sparse.diags(members.astype(np.float32))
        _, component = connected_components(inside @ self.contrast @ inside, directed=False)
        return members & np.isin(component, component[sources])

    def smooth(self, values: np.ndarray) -> np.ndarray:
        """Average (N,) values over look-alike neighbours, three rings far."""
        for _ in range(3):
            values = self.smoothing @ values
        return values

    def to_pixels(self, values: np.ndarray) -> np.ndarray:
        """Carry (N,) values to (h, w) pixels along the picture's edges: a guided filter."""
        flat = values.astype(np.float32)[self.labels]
        mean = _box(flat)
        covariance = _box(self.lab * flat[..., None]) - self.lab_mean * mean[..., None]
        slope = np.einsum("hwij,hwj->hwi", self.lab_precision, covariance)
        offset = mean - (slope * self.lab_mean).sum(-1)
        return (_box(slope) * self.lab).sum(-1) + _box(offset)


def _average(labels: np.ndarray, values: np.ndarray, area: np.ndarray) -> np.ndarray:
    total = np.bincount(labels.ravel(), values.ravel(), minlength=len(area))
    return (total / np.maximum(area, 1)).astype(np.float32)


def _squared_distances(points: np.ndarray) -> np.ndarray:
    squares = (points**2).sum(1)
    return np.maximum(squares[:, None] + squares - 2 * points @ points.T, 0)


def _contrast(
    labels: np.ndarray, lab: np.ndarray, color: np.ndarray, position: np.ndarray
) -> sparse.csr_matrix:
    pairs, steps = [], []
    for here, there in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        apart = labels[here] != labels[there]
        pairs.append(np.sort(np.stack([labels[here][apart], labels[there][apart]], 1), axis=1))
        steps.append(np.linalg.norm(lab[here] - lab[there], axis=-1)[apart])
    n = len(color)
    pair = np.concatenate(pairs).astype(np.int64)
    code, member, length = np.unique(
        pair[:, 0] * n + pair[:, 1], return_inverse=True, return_counts=True
    )
    i, j = code // n, code % n
    step = np.bincount(member, np.concatenate(steps), minlength=len(code)) / np.maximum(length, 1)
    between = np.sqrt(((color[i] - color[j]) ** 2 * np.array([0.5, 1, 1])).sum(1))
    way = np.linalg.norm(position[i] - position[j], axis=1)
    weight = 0.5 * between + 0.5 * step + 0.02 * way + 1e-3
    half = sparse.csr_matrix((weight.astype(np.float32), (i, j)), (n, n))
    return (half + half.T).tocsr()


def _smoothing(contrast: sparse.csr_matrix) -> sparse.csr_matrix:
    pull = contrast.copy()
    pull.data = np.exp(-pull.data / SMOOTHING_CONTRAST)
    total = np.asarray(pull.sum(1)).ravel() + 1
    return (sparse.diags(1 / total) @ (pull + sparse.eye(len(total)))).tocsr().astype(np.float32)


def _box(values: np.ndarray) -> np.ndarray:
    side = 2 * FILTER_RADIUS + 1
    return cv2.blur(values, (side, side))


def _color_statistics(lab: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean = _box(lab)
    outer = (lab[..., :, None] * lab[..., None, :]).reshape(*lab.shape[:2], 9)
    moments = np.dstack([_box(np.ascontiguousarray(outer[..., k])) for k in range(9)])
    covariance = moments.reshape(*lab.shape[:2], 3, 3) - mean[..., :, None] * mean[..., None, :]
    precision = np.linalg.inv(covariance + FILTER_EPSILON * np.eye(3, dtype=np.float32))
    return mean, precision.astype(np.float32)


@njit(cache=True)
def _grow_superpixels(lab: np.ndarray, step: float, compactness: float) -> np.ndarray:
    """Grow superpixels from a grid of seeds, nearest in colour and place first.

    Simple non-iterative clustering (Achanta and Suesstrunk, CVPR 2017): connected regions
    in one pass.
    """
    height, width, _ = lab.shape
    rows, columns = max(1, round(height / step)), max(1, round(width / step))
    labels = np.full(height * width, -1, np.int32)
    sums = np.zeros((rows * columns, 6))
    queue = [(0.0, 0, 0) for _ in range(0)]
    for row in range(rows):
        for column in range(columns):
            y, x = int((row + 0.5) * height / rows), int((column + 0.5) * width / columns)
            heapq.heappush(queue, (0.0, y * width + x, row * columns + column))
    place = (compactness / step) ** 2
    while len(queue) > 0:
        _, pixel, label = heapq.heappop(queue)
        if labels[pixel] >= 0:
            continue
        labels[pixel] = label
        y, x = pixel // width, pixel % width
        s = sums[label]
        s[0] += lab[y, x, 0]
        s[1] += lab[y, x, 1]
        s[2] += lab[y, x, 2]
        s[3] += y
        s[4] += x
        s[5] += 1
        n = s[5]
        for side in range(4):
            v, u = y + (side == 0) - (side == 1), x + (side == 2) - (side == 3)
            if v < 0 or u < 0 or v >= height or u >= width or labels[v * width + u] >= 0:
                continue
            color = (
                (lab[v, u, 0] - s[0] / n) ** 2
                + (lab[v, u, 1] - s[1] / n) ** 2
                + (lab[v, u, 2] - s[2] / n) ** 2
            )
            away = (v - s[3] / n) ** 2 + (u - s[4] / n) ** 2
            heapq.heappush(queue, (color + away * place, v * width + u, label))
    return labels.reshape(height, width)

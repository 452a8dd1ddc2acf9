"""What an agent sees of a frame and its mask, as two vectors of numbers.

EVA-VOS gives both of its networks the frame and the mask, each through an encoder of its own
(Sec. 2.2 and 2.3). A whole image encoder at every step is slow on a processor, so the `compact`
agents look at the keys of the embedded network: what the default propagator compares frames by.
They are computed once per frame (`features.FeatureStore`); the mask only says where to read them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING
from uuid import UUID
from zlib import crc32

import cv2
import numpy as np

if TYPE_CHECKING:
    from evavos_widget.loop import LoopState
    from evavos_widget.networks.compact import CompactNet

__all__ = [
    "APPEARANCE",
    "ENCODER",
    "FRAME_NUMBERS",
    "MASK_NUMBERS",
    "ByFrame",
    "KeyEncoder",
    "frame_vector",
    "mask_vector",
    "observation",
]

ENCODER = "compact-free-keys-1"
"""What agents were trained on; another name where the numbers of another encoder differ."""

WIDTH, HEIGHT = 192, 112
"""Of the picture that is encoded, in pixels, whatever the shape of the frame: at 12 ms on one core
it lets 100 frames be looked at in less than 1.5 s on two."""

ROWS, COLUMNS, CHANNELS = HEIGHT // 8, WIDTH // 8, 64
"""Of the keys."""

GRID = (2, 3)
"""Parts of the frame of which it is said apart what they look like."""

SHAPE = 13
"""Numbers that say how large a mask is, where, of what shape, and what its propagator thinks."""

FRAME_NUMBERS = CHANNELS * (2 + GRID[0] * GRID[1])
"""Length of `frame_vector`."""

MASK_NUMBERS = 3 * CHANNELS + ROWS * COLUMNS + SHAPE
"""Length of `mask_vector`: `APPEARANCE`, where it covers what (14 x 24), and its shape."""

APPEARANCE = 3 * CHANNELS
"""The first numbers of a `mask_vector`: the mean key inside, around, and how far apart they are."""

KEPT = 20_000
"""Frames of which numbers are kept; 80 MB where they are 1,000 each."""


class KeyEncoder:
    """The embedded network's keys of a picture, in single precision on the processor.

    A `features.Encoder`. The weights are those trained on free data, whatever engine the session
    has, since an agent knows only the features that it was trained on.
    """

    name = ENCODER

    def __call__(self, images: np.ndarray, /) -> np.ndarray:
        """``(B, H, W, 3)`` uint8 RGB to ``(B, 64, 14, 24)`` float32."""
        import torch

        from evavos_widget.networks.ready import image_tensor, resized

        network = _network()
        small = [resized(image, (HEIGHT, WIDTH)) for image in images]
        with torch.inference_mode():
            pixels = torch.cat([image_tensor(image, network.to_key.weight) for image in small])
            return network.encode(pixels).key.numpy()


@lru_cache(maxsize=1)
def _network() -> CompactNet:
    import torch

    from evavos_widget.checkpoints import find
    from evavos_widget.networks.weights import fold_normalisation, load_weights

    network = load_weights(find("free"))
    fold_normalisation(network)
    network.requires_grad_(False)
    return network.to(memory_format=torch.channels_last)


def frame_vector(keys: np.ndarray) -> np.ndarray:
    """What a frame looks like.

    Parameters
    ----------
    keys : (64, 14, 24) float32 array

    Returns
    -------
    (FRAME_NUMBERS,) float32 array
        Mean and deviation of the keys, and the means of `GRID` parts of the frame.
    """
    tiles = [
        tile.mean(axis=(1, 2))
        for band in np.array_split(keys, GRID[0], axis=1)
        for tile in np.array_split(band, GRID[1], axis=2)
    ]
    return np.concatenate([keys.mean(axis=(1, 2)), keys.std(axis=(1, 2)), *tiles])


def mask_vector(keys: np.ndarray, mask: np.ndarray, quality: float) -> np.ndarray:
    """What lies under a mask and around it, its shape, and what is thought of it.

    Parameters
    ----------
    keys : (64, 14, 24) float32 array
        Of the frame.
    mask : (H, W) bool array
    quality : float
        Predicted J&F of the mask, 0 to 1; NaN where there is none.

    Returns
    -------
    (MASK_NUMBERS,) float32 array
    """
    bits = np.ascontiguousarray(mask, np.uint8)
    covered = cv2.resize(bits.astype(np.float32), (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)
    ring = np.clip(cv2.dilate(covered, np.ones((3, 3), np.uint8)) - covered, 0, None)
    inside, around = _mean_under(keys, covered), _mean_under(keys, ring)
    about = _shape(bits, quality)
    return np.concatenate([inside, around, np.abs(inside - around), covered.ravel(), about])


def _mean_under(keys: np.ndarray, weight: np.ndarray) -> np.ndarray:
    total = float(weight.sum())
    if total < 1e-3:
        return np.zeros(len(keys), np.float32)
    return np.tensordot(keys, weight, axes=([1, 2], [0, 1])) / np.float32(total)


def _shape(bits: np.ndarray, quality: float) -> np.ndarray:
    known = quality == quality
    q = min(max(float(quality) if known else 0.5, 0.01), 0.99)
    said = [q, np.log(q / (1 - q)), float(known)]
    height, width = bits.shape
    area = int(np.count_nonzero(bits))
    if not area:
        return np.array([*[0.0] * (SHAPE - 4), 1.0, *said], np.float32)
    x, y, w, h = cv2.boundingRect(bits)
    # Nothing lies outside, and a picture is larger than its objects. A pixel more on each side,
    # since what touches the picture's edge is not thinned there, and what ends before it is.
    part = np.ascontiguousarray(bits[max(y - 1, 0) : y + h + 1, max(x - 1, 0) : x + w + 1])
    n, _, stats, _ = cv2.connectedComponentsWithStats(part, connectivity=8)
    eroded = cv2.erode(part, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT)
    outline = max(area - int(np.count_nonzero(eroded)), 1)  # none where it fills the picture
    edge = np.concatenate([bits[0], bits[-1], bits[:, 0], bits[:, -1]])
    numbers = [
        np.sqrt(area / bits.size),
        (x + w / 2) / width,
        (y + h / 2) / height,
        w / width,
        h / height,
        np.log(outline**2 / area),  # how thin it is
        np.log(n - 1),  # of how many pieces
        stats[1:, cv2.CC_STAT_AREA].max() / area,
        edge.mean(),
        0.0,  # it is there
        *said,
    ]
    return np.array(numbers, np.float32)


def observation(state: LoopState, frame: int, obj: int) -> np.ndarray:
    """What an agent sees of an object on a frame: its image and its mask (EVA-VOS Sec. 2.3).

    Parameters
    ----------
    state : LoopState
    frame, obj : int

    Returns
    -------
    (FRAME_NUMBERS + MASK_NUMBERS,) float32 array
        The observation of ``evavos_widget/Annotation-v0``.
    """
    keys = state.features.frame(state.video, frame, KeyEncoder())
    quality = float(state.quality[frame, state.objects.index(obj)])
    mask = state.masks[frame] == obj
    return np.concatenate([frame_vector(keys), mask_vector(keys, mask, quality)])


class ByFrame:
    """Numbers for each frame of an object, made anew only where its mask or quality changed.

    Parameters
    ----------
    make : callable
        Of a state, an object and some frames, an array for each frame.
    """

    def __init__(
        self, make: Callable[[LoopState, int, Sequence[int]], Sequence[np.ndarray]]
    ) -> None:
        self._make = make
        self._kept: OrderedDict[tuple[UUID, int, int, int, float], np.ndarray] = OrderedDict()

    def of(self, state: LoopState, obj: int) -> np.ndarray:
        """The numbers of all frames, (N, D)."""
        # A quality of NaN is not equal to itself, and no key.
        quality = np.nan_to_num(state.quality[:, state.objects.index(obj)], nan=-1.0)
        token = state.video.token
        keys = [
            (token, obj, frame, crc32(state.masks.runs(frame).tobytes()), float(quality[frame]))
            for frame in range(state.n_frames)
        ]
        new = [frame for frame, key in enumerate(keys) if key not in self._kept]
        if new:
            self._kept.update(zip((keys[f] for f in new), self._make(state, obj, new), strict=True))
        found = np.stack([self._kept[key] for key in keys])
        while len(self._kept) > max(KEPT, state.n_frames):
            self._kept.popitem(last=False)
        return found

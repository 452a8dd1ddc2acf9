"""The compact network ready for use: loaded once per process, folded, in the best precision."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from evavos_widget.networks.compact import SIDE, CompactNet
from evavos_widget.networks.deferred import DEFAULT, compact_file, compact_notice, tell
from evavos_widget.networks.devices import chosen_device, fastest_type
from evavos_widget.networks.weights import fold_normalisation, load_weights
from evavos_widget.networks.winograd import convolve_by_winograd

__all__ = [
    "compact_network",
    "folded",
    "image_tensor",
    "mask_tensor",
    "resized",
    "work_size",
]

SHORTEST = 2 * SIDE
"""Shortest side that images are brought to, in pixels."""


def compact_network(
    weights: str | os.PathLike[str] | None = None, device: str | None = None
) -> CompactNet:
    """The network, shared by everything in this process that asks for the same weights.

    Parameters
    ----------
    weights : path or str, optional
        A file that training wrote, or the name of weights that come with the package
        (`evavos_widget.checkpoints.CHECKPOINTS`); the default ones if nothing is given.
    device : str, optional
        A GPU where there is one, by default.

    Raises
    ------
    WeightsError
        There are no such weights, or the file is damaged or of something else.
    ValueError
        The device is not there.
    """
    weights = DEFAULT if weights is None else weights
    path = compact_file(weights)
    tell(compact_notice(weights), path)
    return _load(
        path.resolve(), path.stat().st_mtime_ns, chosen_device(device), torch.get_num_threads() == 1
    )


@lru_cache(maxsize=2)
def _load(path: Path, changed: int, device: str, alone: bool) -> CompactNet:
    network = folded(path, device)
    like = network.to_key.weight
    plain = like.device.type == "cpu" and like.dtype == torch.float32
    # Alone, a thread takes 0.8 to 0.9 of the time that it takes with the library's convolutions
    # (AVX2). Two take 0.9 to 1: what surrounds the multiplications shares out less well.
    if plain and alone:
        convolve_by_winograd(network)
    return network


def folded(path: Path, device: str) -> CompactNet:
    """The network of a file for use alone, with the library's convolutions; not shared."""
    network = load_weights(path)
    fold_normalisation(network)
    network.requires_grad_(False)
    network.to(device, fastest_type(device))
    return network.to(memory_format=torch.channels_last)


def work_size(height: int, width: int, pixels: int) -> tuple[int, int]:
    """Size at which a picture is worked on: multiples of 16, about `pixels` or the picture's.

    Returns
    -------
    (int, int)
        Height and width.
    """
    scale = min(1.0, (pixels / (height * width)) ** 0.5)
    sides = (max(SHORTEST, round(side * scale / SIDE) * SIDE) for side in (height, width))
    return next(sides), next(sides)


def resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture, (H, W, 3) uint8, at another size (h, w)."""
    if image.shape[:2] == size:
        return image
    shrinks = size[0] * size[1] < image.shape[0] * image.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(image), size[::-1], interpolation=how)


def image_tensor(image: np.ndarray, like: Tensor) -> Tensor:
    """A picture as the network takes it.

    Parameters
    ----------
    image : (h, w, 3) uint8 array, RGB
    like : Tensor
        Of whose device and type the result is.

    Returns
    -------
    (1, 3, h, w) tensor in [0, 1]
    """
    # PyTorch warns of arrays that cannot be written to, as frames are that had the size already.
    pixels = np.require(image, requirements=["C_CONTIGUOUS", "WRITEABLE"])
    # The transposed view of an (h, w, 3) array is channels-last memory already.
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].to(like) / 255


def mask_tensor(mask: np.ndarray, like: Tensor) -> Tensor:
    """A mask, (h, w) float32 in [0, 1], as a (1, 1, h, w) tensor."""
    writable = np.require(mask, requirements=["C_CONTIGUOUS", "WRITEABLE"])
    return torch.from_numpy(writable)[None, None].to(like)

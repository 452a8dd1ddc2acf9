"""MiVOS's network that fuses the masks of two passes (Cheng, Tai, Tang, CVPR 2021, Sec. 3.3).

It sees what the annotator changed on the frame annotated last, brought to the frame in question
by the affinity of keys, and from it learns where the older mask is out of date.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from evavos_widget import checkpoints
from evavos_widget.networks.memory import readout
from evavos_widget.networks.published import loading

__all__ = ["Fusion", "aligned_difference", "ready_fusion"]

WIDTH = 32


class Fusion(nn.Module):
    """Two masks of an object to one; names follow the published weights."""

    def __init__(self) -> None:
        super().__init__()
        # Picture, both masks, what was added and what was taken away, both distances.
        self.conv1 = nn.Sequential(_conv(3 + 2 + 2 + 2), nn.ReLU())
        self.conv2 = nn.Sequential(_conv(), nn.ReLU(), _conv())
        self.conv3 = nn.Sequential(_conv(), nn.ReLU(), _conv())
        self.final_conv = _conv(after=1)

    def forward(
        self,
        image: Tensor,
        older: Tensor,
        newer: Tensor,
        difference: Tensor,
        distances: Sequence[float],
    ) -> Tensor:
        """The probability of each object.

        Parameters
        ----------
        image : (1, 3, H, W) tensor
            RGB, normalised with the mean and deviation of ImageNet.
        older, newer : (K, 1, H, W) tensors in [0, 1]
            Masks of the pass that did not know of the annotation made last, and of the pass
            that comes from it.
        difference : (K, 2, H, W) tensor in [0, 1]
            See `aligned_difference`.
        distances : (float, float)
            From the frame that the older and that the newer pass come from, as shares of the
            distance between those two.

        Returns
        -------
        (K, 1, H, W) tensor in [0, 1]
        """
        k, _, height, width = older.shape
        far = image.new_tensor(distances)[None, :, None, None].expand(k, -1, height, width)
        x = torch.cat([image.expand(k, -1, -1, -1), older, newer, difference, far], 1)
        x = self.conv1(x)
        x = functional.relu(x + self.conv2(x))
        x = functional.relu(x + self.conv3(x))
        return self.final_conv(x).sigmoid()


def _conv(before: int = WIDTH, after: int = WIDTH) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, padding=1)


def aligned_difference(
    drawn: Tensor, predicted: Tensor, key: Tensor, query: Tensor, cells: tuple[int, int]
) -> Tensor:
    """What an annotation added and took away, where it is on another frame.

    Parameters
    ----------
    drawn, predicted : (K, H, W) tensors in [0, 1]
        Objects on the annotated frame, as annotated and as they were found before.
    key, query : (1, h * w, 64) tensors
        Keys of the annotated frame and of the other one, cell by cell.
    cells : (h, w)

    Returns
    -------
    (K, 2, H, W) tensor in [0, 1]
    """
    change = drawn - predicted
    both = torch.stack([change.clamp(0, 1), (-change).clamp(0, 1)], 1)
    small = functional.interpolate(both, size=cells, mode="area")
    there = readout(key, query, small.flatten(0, 1).flatten(1).T[None])
    there = there[0].T.reshape(*both.shape[:2], *cells)
    return functional.interpolate(there, size=both.shape[-2:], mode="bilinear", align_corners=False)


def ready_fusion(weights: str | os.PathLike[str], device: str) -> Fusion:
    """The network of a file, or of weights in ``evavos models list``, on a device.

    Raises
    ------
    WeightsError
        The weights cannot be had, or are damaged or of something else.
    """
    path = checkpoints.weights_file(weights)
    return _ready(path.resolve(), path.stat().st_mtime_ns, device)


@lru_cache(maxsize=1)
def _ready(path: Path, changed: int, device: str) -> Fusion:
    network = Fusion()
    wrong = f"{path} does not hold MiVOS's fusion weights; download them again (evavos models list)"
    with loading(path, wrong):
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    network.requires_grad_(False)
    return network.eval().to(device).to(memory_format=torch.channels_last)

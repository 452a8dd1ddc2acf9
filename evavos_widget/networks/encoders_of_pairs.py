"""The two encoders in parallel that QNet and the policy share (EVA-VOS Sec. 2.2 and 2.3).

One sees the frame and one the mask; what they say is put side by side. ``compact`` encodes the
vectors of `networks.observation`, ``paper`` the pictures themselves, with a ResNet-18 each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from evavos_widget.networks.observation import FRAME_NUMBERS, MASK_NUMBERS, SHAPE

__all__ = ["PRESETS", "SIDE", "Standardise", "TwoEncoders", "as_arrays", "load_arrays", "pictures"]

PRESETS = ("compact", "paper")
"""``paper``: two ResNet-18 (Sec. 3); ``compact``: what ships."""

SIDE = 224
"""Of the square pictures that ResNet-18 takes, in pixels."""

WIDTHS = {"compact": 64, "paper": 512}
"""Numbers that each encoder gives."""

DROPOUT = 0.3
"""In the compact encoders of QNet, which learn from few videos; our choice."""

SEEN_DROPOUT = 0.6
"""And of what they see: on held-out videos the rank correlation with the true J&F rose from 0.25 to
0.31."""


class Standardise(nn.Module):
    """Numbers less their mean, over their deviation, as they were in the training data.

    Parameters
    ----------
    size : int
        How many there are.
    dropout : float
        Share of them that is left out at each step of training.
    spared : int
        Of the last so many none is.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, size: int, dropout: float = 0.0, spared: int = 0) -> None:
        super().__init__()
        self.dropout, self.spared = dropout, spared
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("deviation", torch.ones(size))

    def fit(self, numbers: np.ndarray) -> None:
        """Take mean and deviation from (n, size) numbers."""
        self.mean.copy_(torch.from_numpy(numbers.mean(axis=0, dtype=np.float64)))
        deviation = numbers.std(axis=0, dtype=np.float64)
        self.deviation.copy_(torch.from_numpy(np.maximum(deviation, 1e-2)))

    def forward(self, x: Tensor) -> Tensor:
        """Five deviations from the mean at most."""
        scaled = ((x - self.mean) / self.deviation).clamp(-5, 5)
        at = scaled.shape[-1] - self.spared
        left = functional.dropout(scaled[..., :at], self.dropout, self.training)
        return torch.cat([left, scaled[..., at:]], -1)


class TwoEncoders(nn.Module):
    """Two encoders in parallel, one for the frame and one for the mask.

    Parameters
    ----------
    preset : {'compact', 'paper'}
    pretrained : bool
        Of ``paper``: begin with ImageNet weights, as the authors do; they are downloaded.
    dropout : float
        In the encoders of ``compact``.

    Attributes
    ----------
    width : int
        Numbers of an embedding: those of both encoders.
    """

    def __init__(
        self, preset: str = "compact", pretrained: bool = False, dropout: float = DROPOUT
    ) -> None:
        super().__init__()
        if preset not in PRESETS:
            raise ValueError(f"there is no preset {preset!r}; choose from {list(PRESETS)}.")
        self.preset, self.width = preset, 2 * WIDTHS[preset]
        if preset == "paper":
            self.frame, self.mask = _resnet18(pretrained), _resnet18(pretrained)
        else:
            self.frame = _perceptron(FRAME_NUMBERS, WIDTHS[preset], dropout)
            self.mask = _perceptron(MASK_NUMBERS, WIDTHS[preset], dropout, spared=SHAPE)

    def forward(self, frame: Tensor, mask: Tensor) -> Tensor:
        """Embeddings.

        Parameters
        ----------
        frame, mask : (B, FRAME_NUMBERS) and (B, MASK_NUMBERS) tensors
            Of ``paper``: both (B, 3, 224, 224), see `pictures`.

        Returns
        -------
        (B, width) tensor
            That of the frame before that of the mask.
        """
        return torch.cat([self.frame(frame), self.mask(mask)], 1)

    def fit(self, frames: np.ndarray, masks: np.ndarray) -> None:
        """Take scales from the training data, where the preset has any."""
        for encoder, numbers in ((self.frame, frames), (self.mask, masks)):
            scale = next(encoder.children())
            if isinstance(scale, Standardise):
                scale.fit(numbers)


def _perceptron(numbers: int, width: int, dropout: float, spared: int = 0) -> nn.Sequential:
    return nn.Sequential(
        Standardise(numbers, SEEN_DROPOUT if dropout else 0.0, spared),
        nn.Linear(numbers, 2 * width),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(2 * width, width),
    )


def _resnet18(pretrained: bool) -> nn.Module:
    from torchvision.models import resnet18

    try:
        network = resnet18(weights="DEFAULT" if pretrained else None)
    except OSError as error:  # there is no network, or no room
        raise OSError(
            f"the ImageNet weights of ResNet-18 cannot be had ({error}); load them where there is "
            f"a network, torchvision.models.resnet18(weights='DEFAULT'), and copy them to "
            f"{torch.hub.get_dir()}/checkpoints."
        ) from error
    network.fc = nn.Identity()  # pyright: ignore[reportAttributeAccessIssue]
    return network


MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the ImageNet pixels that ResNet-18 was trained on (torchvision)."""


def pictures(image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A frame and its mask as two ResNet-18 take them.

    Parameters
    ----------
    image : (H, W, 3) uint8 array, RGB
    mask : (H, W) bool array

    Returns
    -------
    two (3, 224, 224) float32 arrays
        The mask is there three times, as it is: 0 and 1.
    """
    small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA) / np.float32(255)
    scaled = (small - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
    frame = scaled.transpose(2, 0, 1)
    bits = cv2.resize(mask.astype(np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    return np.ascontiguousarray(frame), np.repeat(bits[None].astype(np.float32), 3, axis=0)


def as_arrays(network: nn.Module) -> dict[str, np.ndarray]:
    """The weights of a network, matrices in half precision."""
    return {
        name: value.detach().cpu().numpy().astype(np.float16 if value.ndim > 1 else np.float32)
        for name, value in network.state_dict().items()
    }


def load_arrays(network: nn.Module, arrays: Mapping[str, np.ndarray]) -> Any:
    """Put weights into a network, and make it ready for use."""
    state = network.state_dict()
    network.load_state_dict(
        {name: torch.from_numpy(array).to(state[name].dtype) for name, array in arrays.items()}
    )
    return network.eval().requires_grad_(False)

"""QNet: how good a mask is, as a class of quality (EVA-VOS Sec. 2.2)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from evavos_widget.checkpoints import WeightsError
from evavos_widget.networks.agent_weights import read_agent
from evavos_widget.networks.encoders_of_pairs import TwoEncoders, load_arrays
from evavos_widget.networks.observation import ENCODER

__all__ = ["BINS", "QNet", "load_qnet", "quality_bin"]

BINS = 20
"""B, the classes of quality (EVA-VOS Sec. 3)."""


def quality_bin(quality: np.ndarray, bins: int = BINS, *, released: bool = False) -> np.ndarray:
    """The class of a quality: 0 is the worst, ``bins - 1`` the best.

    Parameters
    ----------
    quality : float array in [0, 1]
    bins : int
        Of equal width.
    released : bool
        A quality between two bins goes to the lower one, as in the authors' code, and not to the
        upper one.
    """
    place = np.asarray(quality, np.float64) * bins
    number = np.ceil(place) - 1 if released else np.floor(place)
    return number.clip(0, bins - 1).astype(np.int64)


class QNet(nn.Module):
    """Two encoders in parallel, and a linear classifier of their embeddings.

    Parameters
    ----------
    preset : {'compact', 'paper'}
    bins : int
    pretrained : bool
        See `TwoEncoders`.
    """

    temperature: Tensor
    correction: Tensor

    def __init__(self, preset: str = "compact", bins: int = BINS, pretrained: bool = False) -> None:
        super().__init__()
        self.bins = bins
        self.encoders = TwoEncoders(preset, pretrained)
        self.dropout = nn.Dropout(0.5)  # as in the authors' code; the paper does not say
        self.classifier = nn.Linear(self.encoders.width, bins)
        self.register_buffer("temperature", torch.ones(()))
        self.register_buffer("correction", torch.tensor([0.0, 1.0]))

    def embed(self, frame: Tensor, mask: Tensor) -> Tensor:
        """E, (B, width): what Eq. 1 measures distances between."""
        return self.encoders(frame, mask)

    def forward(self, frame: Tensor, mask: Tensor) -> Tensor:
        """Logits of the classes, (B, bins)."""
        return self.classify(self.embed(frame, mask))

    def classify(self, embedding: Tensor) -> Tensor:
        """Logits of the classes from embeddings."""
        return self.classifier(self.dropout(embedding))

    def expected(self, logits: Tensor) -> Tensor:
        """Expected J&F, (B,): the mean of the classes' middles, as calibrated on other videos."""
        middles = (torch.arange(self.bins, device=logits.device) + 0.5) / self.bins
        mean = ((logits / self.temperature).softmax(1) * middles).sum(1)
        return (self.correction[0] + self.correction[1] * mean).clamp(0, 1)


def load_qnet(weights: str = "", bins: int = BINS) -> QNet:
    """QNet ready for use.

    Parameters
    ----------
    weights : path
        By default those that come with the package.
    bins : int
        What it has to be trained with.

    Raises
    ------
    WeightsError
        There are no such weights, or they are for other bins or another encoder.
    """
    file = read_agent("qnet", weights)
    preset = str(file.about.get("preset"))
    file.expect(bins=bins, **({"encoder": ENCODER} if preset == "compact" else {}))
    try:
        return load_arrays(QNet(preset, bins), file.arrays)
    except (ValueError, RuntimeError) as error:
        raise WeightsError(
            f"{file.path} does not hold this QNet ({str(error).splitlines()[0]}); train it again."
        ) from None

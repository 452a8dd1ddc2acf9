"""IVOS-W: which frame to annotate, from predicted quality and visits alone (Yin et al., CVPR 2021).

The learned frame selection that EVA-VOS compares with (Sec. 4.1).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from evavos_widget.checkpoints import WeightsError
from evavos_widget.networks.agent_weights import read_agent
from evavos_widget.networks.encoders_of_pairs import load_arrays

__all__ = ["IVOSW", "load_ivosw"]

UNITS = 128
"""Of the LSTM in each direction (the authors' code, svip-lab/IVOS-W)."""


class IVOSW(nn.Module):
    """A bidirectional LSTM over the frames, and a value for annotating each."""

    def __init__(self) -> None:
        super().__init__()
        self.frames = nn.LSTM(2, UNITS, batch_first=True, bidirectional=True)
        self.value = nn.Linear(2 * UNITS, 1)

    def forward(self, seen: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Q of every frame.

        Parameters
        ----------
        seen : (B, N, 2) tensor
            Predicted J&F, and 1 where the frame is annotated.
        lengths : (B,) tensor, optional
            Frames of each video, where the others are padding.

        Returns
        -------
        (B, N) tensor
        """
        if lengths is None:
            return self.value(self.frames(seen)[0])[..., 0]
        packed = pack_padded_sequence(seen, lengths.cpu(), batch_first=True, enforce_sorted=False)
        told, _ = pad_packed_sequence(
            self.frames(packed)[0], batch_first=True, total_length=seen.shape[1]
        )
        return self.value(told)[..., 0]


def load_ivosw(weights: str = "") -> IVOSW:
    """The network ready for use; errors as of `networks.qnet.load_qnet`."""
    file = read_agent("ivosw", weights)
    try:
        return load_arrays(IVOSW(), file.arrays)
    except RuntimeError as error:
        raise WeightsError(
            f"{file.path} does not hold IVOS-W ({str(error).splitlines()[0]}); train it again."
        ) from None


def seen_by(quality: Tensor, visits: Tensor) -> Tensor:
    """What the network sees: (..., N) predicted J&F, 1/2 where there is none, and visits."""
    return torch.stack([torch.nan_to_num(quality, nan=0.5), visits.to(quality)], -1)

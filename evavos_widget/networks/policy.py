"""The policy: which type of annotation a frame and its mask call for (EVA-VOS Sec. 2.3)."""

from __future__ import annotations

from torch import Tensor, nn

from evavos_widget.checkpoints import WeightsError
from evavos_widget.networks.agent_weights import read_agent
from evavos_widget.networks.encoders_of_pairs import TwoEncoders, load_arrays
from evavos_widget.networks.observation import ENCODER, FRAME_NUMBERS

__all__ = ["Policy", "load_policy"]


class Policy(nn.Module):
    """Two encoders in parallel, and two linear layers: one for the types, one for the value.

    Parameters
    ----------
    types : tuple of str
        A, L of them.
    scale : float
        By which rewards were multiplied in training; values are divided by it.
    """

    def __init__(self, types: tuple[str, ...], scale: float = 1.0) -> None:
        super().__init__()
        self.types, self.scale = types, scale
        # With dropout, the policy that learns would not be the one that acted.
        self.encoders = TwoEncoders("compact", dropout=0)
        self.to_types = nn.Linear(self.encoders.width, len(types))
        self.to_value = nn.Linear(self.encoders.width, 1)

    def forward(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the types, (B, L), and the value, (B,), in J&F per second.

        Parameters
        ----------
        observation : (B, FRAME_NUMBERS + MASK_NUMBERS) tensor
            See `observation.observation`.
        """
        seen = self.encoders(observation[:, :FRAME_NUMBERS], observation[:, FRAME_NUMBERS:])
        return self.to_types(seen), self.to_value(seen)[:, 0] / self.scale


def load_policy(weights: str = "", types: tuple[str, ...] | None = None) -> Policy:
    """The policy ready for use.

    Parameters
    ----------
    weights : path
        By default those that come with the package.
    types : tuple of str, optional
        What it has to choose from; by default whatever it was trained for.

    Raises
    ------
    WeightsError
        There are no such weights, or they are for other types or another encoder.
    """
    file = read_agent("policy", weights)
    file.expect(encoder=ENCODER, **({} if types is None else {"types": tuple(types)}))
    policy = Policy(tuple(file.about["types"]), float(file.about["scale"]))
    try:
        return load_arrays(policy, file.arrays)
    except RuntimeError as error:
        raise WeightsError(
            f"{file.path} does not hold this policy ({str(error).splitlines()[0]}); train it again."
        ) from None

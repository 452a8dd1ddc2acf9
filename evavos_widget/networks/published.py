"""Weights as others publish them, read with care: what is wrong is said in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from evavos_widget.checkpoints import WeightsError
from evavos_widget.networks.devices import out_of_memory

__all__ = ["loading", "tensors_of"]


@contextmanager
def loading(path: Path, wrong: str) -> Iterator[None]:
    """`WeightsError` where weights cannot be loaded: `wrong`, or that memory is short."""
    try:
        yield
    except ImportError:  # a package is missing, not the weights
        raise
    except Exception as error:  # whatever a damaged file makes the unpickler or a library raise
        if out_of_memory(error):
            wrong = (
                f"there is not enough memory for the weights {path}; close other programs, name a "
                "smaller model, or choose the engine 'compact'."
            )
            raise WeightsError(wrong) from error
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1].strip()[:120]
        raise WeightsError(f"{wrong} ({reason}).") from error


def tensors_of(path: Path, part: str) -> dict[str, Tensor]:
    """The tensors of a file by name, those of one `part` where the file has it."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    state = state.get(part, state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    ):
        raise ValueError("it is no table of tensors")
    return state

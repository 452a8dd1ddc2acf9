"""Learning by epochs that can be stopped, go on to the same weights, and end where numbers do."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from evavos_widget.files import replacing

__all__ = ["Stopped", "fit", "load_state", "save_state"]


class Stopped(RuntimeWarning):
    """Training ended early, at the last weights that were good."""


def fit(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Callable[[Tensor], Tensor],
    size: int,
    *,
    epochs: int,
    batch: int,
    seed: int,
    out: Path,
    of: int,
    score: Callable[[], float] | None = None,
) -> int:
    """Minimise a loss over epochs; the best epoch by `score` is what `network` holds at the end.

    The order of an epoch and what chance there is in it follow from the seed and its number, and
    `out` gets ``state.pt`` after each, so that a run that was killed goes on to the same weights.

    Parameters
    ----------
    network : Module
    optimizer : Optimizer
    loss : callable
        Of the numbers of some samples, an int64 tensor.
    size : int
        How many samples there are.
    epochs, batch, seed : int
    of : int
        The `records.fingerprint` of what it learns from.
    out : Path
    score : callable, optional
        The higher the better, on held-out videos; by default the last epoch is the best.

    Returns
    -------
    int
        The epoch that was taken, from 1.
    """
    begun, best, taken = 0, -float("inf"), 0
    kept: dict[str, Tensor] = {}
    file = out / "state.pt"
    if (state := load_state(file, seed, of)) is not None:
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        begun, best, taken, kept = (state[name] for name in ("epoch", "best", "taken", "kept"))
    for epoch in range(begun, epochs):
        torch.manual_seed(seed * 100_003 + epoch)
        network.train()
        for some in torch.randperm(size).split(batch):
            value = loss(some)
            optimizer.zero_grad()
            value.backward()
            if not (torch.isfinite(value) and _finite(network)):
                if not taken:
                    raise ValueError(
                        f"the loss was {float(value.detach())} in the first epoch; give a smaller "
                        "learning rate, or look for numbers in the data that are none."
                    )
                warnings.warn(
                    f"the loss was {float(value.detach())} in epoch {epoch + 1}; training ended "
                    f"with the weights of epoch {taken}.",
                    Stopped,
                    stacklevel=2,
                )
                network.load_state_dict(kept)
                return taken
            optimizer.step()
        network.eval()
        reached = float(epoch) if score is None else score()
        if math.isnan(reached):  # a correlation of nothing; no number would be more than that
            reached = -math.inf
        if reached > best or best == -math.inf:
            best, taken = reached, epoch + 1
            kept = {name: value.clone() for name, value in network.state_dict().items()}
        save_state(
            file,
            seed,
            of,
            network=network.state_dict(),
            optimizer=optimizer.state_dict(),
            epoch=epoch + 1,
            best=best,
            taken=taken,
            kept=kept,
        )
    network.load_state_dict(kept)
    return taken


def _finite(network: nn.Module) -> bool:
    """Whether every gradient is a number."""
    return all(
        bool(torch.isfinite(p.grad).all()) for p in network.parameters() if p.grad is not None
    )


def save_state(file: Path, seed: int, of: int, **state: Any) -> None:
    """Write what `load_state` reads, whole or not at all."""
    with replacing(file) as new:
        torch.save({"seed": seed, "of": of, **state}, new)


def load_state(file: Path, seed: int, of: int) -> dict[str, Any] | None:
    """What a run left behind; None where there was none.

    Raises
    ------
    ValueError
        It had another seed, learned from other loops, or was of another agent or preset.
    """
    if not file.exists():
        return None
    state = torch.load(file, map_location="cpu", weights_only=True)
    if state["seed"] != seed:
        raise ValueError(
            f"{file.parent} holds a run with seed {state['seed']}, not {seed}; give that seed, or "
            "another --out."
        )
    if state["of"] != of:
        raise ValueError(
            f"{file.parent} holds a run of another agent or preset, or on other loops than these; "
            "give another --out."
        )
    return state

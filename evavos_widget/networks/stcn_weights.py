"""Published weights of STCN, and the network ready to be used.

Read are ``stcn.pth`` of STCN and of MiVOS-STCN, which are alike; those of its first stage of
training, which knew one object and lack the channel for others; and checkpoints of the
authors' training, which hold the network below ``network``. Three things are put differently
here than in the file: a bias before a batch normalisation only moves the mean that is taken
off; the decoder's first convolutions are cut in two, readout and frame; and normalisations
end up in the convolutions before them.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

from evavos_widget.networks.published import loading, tensors_of
from evavos_widget.networks.stcn import STCN, VALUE
from evavos_widget.networks.weights import fold_normalisation
from evavos_widget.networks.winograd import convolve_by_winograd

__all__ = ["load_stcn", "published_state", "ready_stcn"]

FIRST = "value_encoder.conv1.weight"

SPLIT = ("decoder.compress.conv1", "decoder.compress.downsample")

STM = "kv_m_f16.Key.weight"
"""An entry of MiVOS's older weights, of STM."""


def ready_stcn(path: Path, device: str, kind: torch.dtype, *, compiled: bool = False) -> STCN:
    """The network on a device, shared by everything in this process that asks for the same.

    Where asked, its parts go through ``torch.compile``.

    Raises
    ------
    WeightsError
        The file is damaged, or of something else.
    """
    return _ready(path.resolve(), path.stat().st_mtime_ns, device, kind, compiled)


@lru_cache(maxsize=1)
def _ready(path: Path, changed: int, device: str, kind: torch.dtype, compiled: bool) -> STCN:
    network = load_stcn(path)
    fold_normalisation(network)
    network.requires_grad_(False)
    if torch.device(device).type == "cpu" and kind == torch.float32:
        # Where most of the work is; elsewhere their weights would take too much memory.
        for part in (network.decoder.up_16_8, network.decoder.up_8_4):
            convolve_by_winograd(part)
    network.to(device, kind)
    network.key_proj.float()
    network.to(memory_format=torch.channels_last)
    if compiled:
        for part in ("describe", "remember", "decode"):
            setattr(network, part, torch.compile(getattr(network, part)))
    return network


def load_stcn(path: Path) -> STCN:
    """The network of a file, in single precision and evaluation mode.

    Raises
    ------
    WeightsError
        The file is damaged, or of something else.
    """
    wrong = f"{path} does not hold weights of STCN; download them again (evavos models list)"
    with loading(path, wrong):
        state = tensors_of(path, "network")
        state = {name.removeprefix("module."): value for name, value in state.items()}
        if STM in state:
            raise ValueError("it is of STM, the network that MiVOS used before STCN")
        with torch.device("meta"):
            network = STCN()
        network.load_state_dict(_ours(state, network), assign=True)
    return network.eval()


def _ours(state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """A published state as `STCN` takes it."""
    state = {n: v.float() if v.is_floating_point() else v for n, v in state.items()}
    if FIRST in state and state[FIRST].shape[1] == 4:
        state[FIRST] = nn.functional.pad(state[FIRST], (0, 0, 0, 0, 0, 1))
    for name in SPLIT:
        whole = state.pop(f"{name}.weight")
        state[f"{name}.readout.weight"] = whole[:, :VALUE].clone()
        state[f"{name}.frame.weight"] = whole[:, VALUE:].clone()
        state[f"{name}.frame.bias"] = state.pop(f"{name}.bias")
    for name in [n for n in state if n.startswith("value_encoder.") and n.endswith(".bias")]:
        conv = name.removesuffix(".bias")
        norm = _normalisation_after(conv)
        if norm is not None and f"{norm}.running_mean" in state:
            state[f"{norm}.running_mean"] = state[f"{norm}.running_mean"] - state.pop(name)
    known = network.state_dict()
    return {
        **{n: torch.zeros_like(v, device="cpu") for n, v in known.items() if "num_batches" in n},
        **state,
    }


def published_state(network: STCN) -> dict[str, Tensor]:
    """The network as its authors write it, for `load_stcn` and for their own code."""
    state = {name: value.detach().cpu() for name, value in network.state_dict().items()}
    for name in SPLIT:
        parts = [state.pop(f"{name}.{part}.weight") for part in ("readout", "frame")]
        state[f"{name}.weight"] = torch.cat(parts, 1)
        state[f"{name}.bias"] = state.pop(f"{name}.frame.bias")
    return {name: value.contiguous() for name, value in state.items()}


def _normalisation_after(conv: str) -> str | None:
    """The name of the normalisation that follows a convolution of the value encoder, if any."""
    before, _, last = conv.rpartition(".")
    if last.startswith("conv"):
        return f"{before}.bn{last.removeprefix('conv')}"
    return f"{before}.1" if conv.endswith("downsample.0") else None

"""Weights of the compact networks in a file, and what makes a network ready to be used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from evavos_widget.checkpoints import WeightsError
from evavos_widget.files import replacing
from evavos_widget.networks.compact import WIDE, CompactConfig, CompactNet, DecoderSizes

__all__ = [
    "fold_normalisation",
    "load_weights",
    "read_state",
    "save_weights",
    "take_state",
    "write_state",
]

FORMAT = "evavos-compact-2"
"""Written into every file; another number where old files no longer fit the network."""


def save_weights(network: CompactNet, path: Path, notes: Mapping[str, str] | None = None) -> None:
    """Write a safetensors file: matrices in half precision, the rest in single.

    Parameters
    ----------
    network : CompactNet
    path : Path
    notes : mapping of str to str, optional
        Kept with the weights.
    """
    write_state(
        network, path, {**(notes or {}), "config": json.dumps(asdict(network.config))}, FORMAT
    )


def load_weights(path: Path) -> CompactNet:
    """The network of a file of `save_weights`, in single precision.

    Raises
    ------
    WeightsError
        The file is damaged, or of something else.
    """
    about, state = read_state(path, FORMAT, "the compact network")
    with torch.device("meta"):  # Numbers that are replaced at once need not be drawn first.
        network = CompactNet(_config(json.loads(about["config"])))
    take_state(network, state, path, "the compact network")
    return network


def _config(written: Mapping[str, Any]) -> CompactConfig:
    """Sizes as a file has them; of older files all parts are as wide as the map."""
    sizes = dict(written)
    if "deep" in sizes:
        width = sizes["width"]
        decoder = {"width": width, "deep": sizes.pop("deep"), "rise": WIDE.rise}
        sizes |= {"value_width": width, "decoder": decoder, "click_decoder": decoder}
    for name in ("decoder", "click_decoder"):
        sizes[name] = DecoderSizes(**{**sizes[name], "rise": tuple(sizes[name]["rise"])})
    return CompactConfig(**{**sizes, "stages": tuple(sizes["stages"])})


def write_state(network: nn.Module, path: Path, about: Mapping[str, str], form: str) -> None:
    """Write what a network learned: matrices in half precision, the rest in single.

    Parameters
    ----------
    network : Module
    path : Path
    about : mapping of str to str
        Kept with the weights.
    form : str
        Names the format.
    """
    from safetensors.torch import save

    state = {
        name: value.detach()
        .cpu()
        .to(torch.float16 if value.ndim > 1 else torch.float32)
        .contiguous()
        for name, value in network.state_dict().items()
        if value.is_floating_point()
    }
    with replacing(path) as new:
        new.write_bytes(save(state, {**about, "format": form}))


def read_state(path: Path, form: str, what: str) -> tuple[dict[str, str], dict[str, Tensor]]:
    """What `write_state` wrote: notes, and tensors in single precision.

    Parameters
    ----------
    path : Path
    form : str
        Names the format that the file must have.
    what : str
        What should be in it, for the message.

    Raises
    ------
    WeightsError
        The file is damaged, or of something else.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            state = {name: _single(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise WeightsError(f"{_wrong(path, what)} ({error}).") from error
    if about.get("format") != form:
        raise WeightsError(
            f"{_wrong(path, what)} (its format is {about.get('format')!r}, not {form!r})."
        )
    return about, state


def take_state(network: nn.Module, state: Mapping[str, Tensor], path: Path, what: str) -> None:
    """Put the tensors of a file into a network, and set it to evaluation.

    Raises
    ------
    WeightsError
        There are others than the network has.
    """
    own = {name for name, value in network.state_dict().items() if value.is_floating_point()}
    if own != set(state):
        raise WeightsError(
            f"{_wrong(path, what)} (it lacks or adds {sorted(own ^ set(state))[0]!r})."
        )
    counted = {name: torch.tensor(0) for name in network.state_dict().keys() - own}
    network.load_state_dict({**state, **counted}, assign=True)
    network.eval()


def _wrong(path: Path, what: str) -> str:
    return f"{path} does not hold {what}; train or download it again"


def _single(value: Tensor) -> Tensor:
    """In single precision, and laid out as processors convolve fastest: one copy for both."""
    layout = torch.channels_last if value.ndim == 4 else torch.contiguous_format
    return value.to(torch.float32, memory_format=layout)


@torch.no_grad()
def fold_normalisation(network: nn.Module) -> None:
    """Move every batch normalisation that is declared right after a convolution into it, in place.

    The network must be in evaluation mode, and cannot be trained afterwards.
    """
    for module in list(network.modules()):
        for name, following in pairwise(list(module._modules)):
            conv, norm = module._modules[name], module._modules[following]
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                _fold(conv, norm)
                module._modules[following] = nn.Identity()


def _fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    """As `torch.nn.utils.fuse_conv_bn_eval`, without the copies: they are a third of loading."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    bias = 0 if conv.bias is None else conv.bias
    conv.weight.mul_(scale[:, None, None, None])
    conv.bias = nn.Parameter((bias - norm.running_mean) * scale + norm.bias)

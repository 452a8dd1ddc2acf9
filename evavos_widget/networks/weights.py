"""Weights of the compact network in a file, and the network ready to be used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from evavos_widget.checkpoints import WeightsError
from evavos_widget.files import replacing
from evavos_widget.networks.compact import CompactConfig, CompactNet

__all__ = ["fold_normalisation", "load_weights", "save_weights"]

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
    from safetensors.torch import save

    state = {
        name: value.detach()
        .cpu()
        .to(torch.float16 if value.ndim > 1 else torch.float32)
        .contiguous()
        for name, value in network.state_dict().items()
        if value.is_floating_point()
    }
    about = {**(notes or {}), "format": FORMAT, "config": json.dumps(asdict(network.config))}
    with replacing(path) as new:
        new.write_bytes(save(state, about))


def load_weights(path: Path) -> CompactNet:
    """The network of a file of `save_weights`, in single precision.

    Raises
    ------
    WeightsError
        The file is damaged, or of something else.
    """
    from safetensors import SafetensorError, safe_open

    wrong = f"{path} does not hold the compact network; train or download it again"
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise WeightsError(f"{wrong} ({error}).") from error
    if about.get("format") != FORMAT:
        raise WeightsError(f"{wrong} (its format is {about.get('format')!r}, not {FORMAT!r}).")
    config = json.loads(about["config"])
    network = CompactNet(CompactConfig(**{**config, "stages": tuple(config["stages"])}))
    own = {name for name, value in network.state_dict().items() if value.is_floating_point()}
    if own != set(state):
        raise WeightsError(f"{wrong} (it lacks or adds {sorted(own ^ set(state))[0]!r}).")
    network.load_state_dict(state, strict=False)
    return network.eval()


def fold_normalisation(network: nn.Module) -> None:
    """Move every batch normalisation that is declared right after a convolution into it, in place.

    The network must be in evaluation mode, and cannot be trained afterwards.
    """
    for module in list(network.modules()):
        for name, following in pairwise(list(module._modules)):
            conv, norm = module._modules[name], module._modules[following]
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                module._modules[name] = fuse_conv_bn_eval(conv, norm)
                module._modules[following] = nn.Identity()

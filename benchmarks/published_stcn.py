"""STCN as its authors wrote it, by way of the package `stcnbuf`, to compare with.

`stcnbuf` is for tests and benchmarks; no engine needs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.missing import naming_what_is_missing

__all__ = ["published_network", "published_pass", "write_random_weights"]

MEMORY_STRIDE = 5
"""One of so many frames is remembered."""


def published_network(weights: Path | None = None) -> nn.Module:
    """The network of `stcnbuf`, with weights of a file or random ones.

    Raises
    ------
    ModuleNotFoundError
        `stcnbuf` or a package that it needs is not installed.
    """
    with naming_what_is_missing("the published code of STCN"):
        from stcnbuf.model import mod_resnet, modules
        from stcnbuf.model.eval_network import STCN
    from torchvision.models import resnet50

    # The constructor would download weights that are overwritten at once.
    with (
        patch.object(mod_resnet.model_zoo, "load_url", lambda url: {}),
        patch.object(modules.models, "resnet50", lambda weights: resnet50()),
    ):
        network = STCN().eval()
    if weights is not None:
        network.load_state_dict(torch.load(weights, weights_only=True))
    return network


def write_random_weights(path: Path, seed: int = 0) -> Path:
    """Random weights in the published format; returns the file."""
    torch.manual_seed(seed)
    network = published_network()
    with torch.no_grad():  # otherwise normalisations do nothing, and biases are zero
        for name, value in [*network.named_buffers(), *network.named_parameters()]:
            if name.endswith("running_var"):
                value.uniform_(0.8, 1.25)
            elif name.endswith(("running_mean", "bias")):
                value.uniform_(-0.1, 0.1)
    torch.save(network.state_dict(), path)
    return path


def published_pass(
    network: nn.Module, first: np.ndarray, masks: np.ndarray, rest: Iterable[np.ndarray], top_k: int
) -> Iterator[np.ndarray]:
    """Carry masks through a video with the published code.

    Parameters
    ----------
    network : Module
        See `published_network`.
    first : (H, W, 3) uint8 array
    masks : (K, H, W) bool array
        Of the objects on the first frame.
    rest : iterable of (H, W, 3) uint8 arrays
    top_k : int

    Yields
    ------
    (K + 1, H, W) float32 array
        Probabilities on the frames of `rest`, background first.
    """
    from stcnbuf.model.eval_network import STCNInference

    core = STCNInference(network, np.inf, 0, top_k, None)
    as_image: Any = core.im_transform
    with torch.inference_mode(), patch.object(Tensor, "cuda", lambda self: self):
        core.initialize(np.array(first), torch.from_numpy(masks).float())
    for distance, frame in enumerate(rest, start=1):
        with torch.inference_mode():
            image = as_image(np.array(frame))[None]
            found = core.predict_batch(image, distance % MEMORY_STRIDE == 0)
        yield found[:, 0].numpy()

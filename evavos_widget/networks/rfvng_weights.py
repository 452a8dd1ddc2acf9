"""Weights of RF-VNG in a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from evavos_widget.checkpoints import WeightsError
from evavos_widget.files import replacing
from evavos_widget.networks.rfvng import RfVng, RfVngConfig

__all__ = ["load_rfvng", "save_rfvng"]

FORMAT = "evavos-rfvng-1"
"""Written into every file; another number where old files no longer fit the network."""


def save_rfvng(network: RfVng, path: Path, notes: Mapping[str, str] | None = None) -> None:
    """Write a safetensors file, in half precision.

    Parameters
    ----------
    network : RfVng
        With the small text encoder.
    path : Path
    notes : mapping of str to str, optional
        Kept with the weights.
    """
    from safetensors.torch import save

    state = {
        name: value.detach().cpu().half().contiguous()
        for name, value in network.state_dict().items()
    }
    about = {**(notes or {}), "format": FORMAT, "config": json.dumps(asdict(network.config))}
    with replacing(path) as new:
        new.write_bytes(save(state, about))


def load_rfvng(path: Path) -> RfVng:
    """The network of a file of `save_rfvng`, in single precision.

    Raises
    ------
    WeightsError
        The file is not there, damaged, or of something else.
    """
    from safetensors import SafetensorError, safe_open

    wrong = f"{path} does not hold RF-VNG; train it again, or name another file"
    if not path.is_file():
        raise WeightsError(f"there are no weights at {path}; check the path.")
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise WeightsError(f"{wrong} ({error}).") from error
    if about.get("format") != FORMAT:
        raise WeightsError(f"{wrong} (its format is {about.get('format')!r}, not {FORMAT!r}).")
    network = RfVng(RfVngConfig(**json.loads(about["config"])))
    own = set(network.state_dict())
    if own != set(state):
        raise WeightsError(f"{wrong} (it lacks or adds {sorted(own ^ set(state))[0]!r}).")
    network.load_state_dict(state)
    return network.eval()

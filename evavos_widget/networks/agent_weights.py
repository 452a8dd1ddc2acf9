"""Weights of agents in a file: what they are of, and what they may be used with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evavos_widget import checkpoints
from evavos_widget.checkpoints import WeightsError
from evavos_widget.files import replacing

__all__ = ["AgentFile", "agent_file", "agent_notice", "read_agent", "write_agent"]

FORMAT = "evavos-agent-1"
"""Written into every file; another number where old files cannot be used any more."""


@dataclass(frozen=True, eq=False)
class AgentFile:
    """What a file of weights holds.

    Parameters
    ----------
    path : Path
    about : dict
        ``agent`` (qnet, policy, ivosw, joint), ``preset``, ``encoder``, ``types`` or ``bins``, and
        what training wrote down.
    arrays : mapping of str to array
    """

    path: Path
    about: dict[str, Any]
    arrays: dict[str, np.ndarray]

    def expect(self, **expected: Any) -> None:
        """Check what the weights are for.

        Raises
        ------
        WeightsError
            They are for something else; the sentence names the first difference.
        """
        for what, wanted in expected.items():
            found = self.about.get(what)
            wanted = list(wanted) if isinstance(wanted, tuple) else wanted
            if found != wanted:
                raise WeightsError(
                    f"the weights {self.path.name} are for {what} {found!r}, and here it is "
                    f"{wanted!r}; give others, or train with evavos train {self.about['agent']}."
                )


def write_agent(path: Path, about: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write a safetensors file."""
    from safetensors.numpy import save

    metadata = {"format": FORMAT, "about": json.dumps(dict(about), sort_keys=True)}
    ready = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    with replacing(path) as new:
        new.write_bytes(save(ready, metadata))


def agent_file(agent: str, weights: str) -> Path:
    """The file of an agent's weights: those that come with the package where none are named."""
    if not weights:
        return checkpoints.find(f"agent:{agent}")
    path = Path(weights).expanduser()
    if not path.is_file():
        raise WeightsError(
            f"there are no weights at {str(path)!r}; check the path, or leave it out for those "
            "that come with the package."
        )
    return path


def agent_notice(agent: str, weights: str) -> str | None:
    """What everybody has to be told who uses an agent that comes with the package."""
    return None if weights else checkpoints.AGENTS[f"agent:{agent}"].notice


def read_agent(agent: str, weights: str = "") -> AgentFile:
    """The weights of an agent.

    Parameters
    ----------
    agent : str
        What they have to be of: qnet, policy, ivosw or joint.
    weights : path
        By default those that come with the package.

    Raises
    ------
    WeightsError
        There are none, the file is damaged, or it is of something else.
    """
    from safetensors import SafetensorError, safe_open

    path = agent_file(agent, weights)
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise WeightsError(
            f"{path} holds no agent ({error}); train or download it again."
        ) from None
    if metadata.get("format") != FORMAT:
        raise WeightsError(
            f"{path} holds no agent of this version (its format is {metadata.get('format')!r}, not "
            f"{FORMAT!r}); train it again with evavos train {agent}."
        )
    read = AgentFile(path, json.loads(metadata["about"]), arrays)
    if read.about["agent"] != agent:
        raise WeightsError(
            f"the weights {path.name} are of {read.about['agent']!r}, not of {agent!r}; "
            "give others."
        )
    return read

"""Weights that come with the package: which file, its hash, its terms."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CHECKPOINTS", "Checkpoint", "WeightsError", "find"]

FOLDER = Path(__file__).parent / "weights"


class WeightsError(ValueError):
    """Weights are missing, damaged or of something else; the message says which, and the remedy."""


@dataclass(frozen=True)
class Checkpoint:
    """A file of weights.

    Parameters
    ----------
    file : str
        Its name in the package's folder of weights.
    sha256 : str
        Of the file, in hexadecimal.
    licence : str
        Under which terms the weights may be used.
    notice : str, optional
        What everybody who uses them is told.
    """

    file: str
    sha256: str
    licence: str
    notice: str | None = None


CHECKPOINTS: Mapping[str, Checkpoint] = {
    "free": Checkpoint(
        "compact-free.safetensors",
        "947af885990c6b8a0042aaed90f1959c06f1dab3dca96926251e70b7cc4c601f",
        "MIT; trained on Clothing Co-Parsing (Apache-2.0) and COCO photographs",
    ),
    "davis": Checkpoint(
        "compact-davis.safetensors",
        "0d0de270ed019460b94d4311945e600c2cdfa753e9f84dfdcbac1caa31279c5c",
        "CC BY-NC 4.0, as DAVIS-2016, on which they were trained beside the data of `free`",
        "the weights 'davis' were trained on DAVIS videos, whose terms are non-commercial; "
        "name the engine 'compact:free' for other uses (docs/model_card.md).",
    ),
}
"""By name."""


def find(name: str) -> Path:
    """The file of the weights called `name`, after its hash was checked.

    Raises
    ------
    WeightsError
        No such weights come with this release, or the file is gone or not the released one.
    """
    if name not in CHECKPOINTS:
        raise WeightsError(
            f"no weights called {name!r} come with this release; give a file with weights=PATH, "
            "or choose an engine that needs none."
        )
    checkpoint = CHECKPOINTS[name]
    path = FOLDER / checkpoint.file
    if not path.is_file():
        raise WeightsError(f"the weights {path} are missing; install the package again.")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != checkpoint.sha256:
        raise WeightsError(
            f"the weights {path} are damaged (SHA-256 {digest[:12]}..., not "
            f"{checkpoint.sha256[:12]}...); install the package again."
        )
    return path

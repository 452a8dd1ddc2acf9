"""The compact network of an engine by name, loaded when it is first needed.

Importing PyTorch takes several times as long as opening a video. An engine that is only made, and
asked nothing yet, does without it, so that a session is there at once.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from evavos_widget import checkpoints
from evavos_widget.notebook import note

if TYPE_CHECKING:
    from evavos_widget.networks.compact import CompactNet

__all__ = ["DEFAULT", "DeferredNetwork", "compact_file", "compact_notice", "tell"]

DEFAULT = "davis"
"""The weights that are used when none are named."""

GPU_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""Where Linux shows the drivers of GPUs that PyTorch can compute on: NVIDIA's, AMD's, WSL's."""

_told: set[Path] = set()
_loading = threading.Lock()


class DeferredNetwork:
    """The compact network with some weights on some device.

    Weights that come with the package are checked at once, by their hash, and read when `get` is
    first called. A file is read at once, since only that shows whether it fits; so is everything
    where there may be a GPU, since only PyTorch knows.

    Parameters
    ----------
    weights, device
        As for `evavos_widget.networks.ready.compact_network`.

    Attributes
    ----------
    device : str
        Where it computes.
    notice : str or None
        What a person has to be told who uses the weights; it was told now.

    Raises
    ------
    WeightsError
        There are no such weights, or the file is damaged or of something else.
    ValueError
        The device is not there.
    """

    def __init__(
        self, weights: str | os.PathLike[str] | None = None, device: str | None = None
    ) -> None:
        self._weights = DEFAULT if weights is None else weights
        self._network: CompactNet | None = None
        self.notice = compact_notice(self._weights)
        tell(self.notice, compact_file(self._weights))
        self.device = "cpu" if device is None else device
        deferred = self._weights in checkpoints.CHECKPOINTS and (
            device == "cpu" or (device is None and not _may_have_gpu())
        )
        if not deferred:
            from evavos_widget.networks.devices import chosen_device

            self.device = chosen_device(device)
            self.get()

    def get(self) -> CompactNet:
        """The network, which is shared by all that use the same; from any thread."""
        with _loading:
            if self._network is None:
                from evavos_widget.networks.ready import compact_network

                self._network = compact_network(self._weights, self.device)
            return self._network


def compact_file(weights: str | os.PathLike[str] = DEFAULT) -> Path:
    """The file of weights, by its path or by the name of some that come with the package.

    Raises
    ------
    WeightsError
        There are no such weights, or those of the package are damaged.
    """
    if isinstance(weights, str) and weights in checkpoints.CHECKPOINTS:
        return checkpoints.find(weights)
    path = Path(weights).expanduser()
    if not path.is_file():
        released = ", ".join(map(repr, sorted(checkpoints.CHECKPOINTS)))
        raise checkpoints.WeightsError(
            f"there are no weights at {str(path)!r}; check the path, or name some that come "
            f"with this release ({released or 'there are none'})."
        )
    return path


def compact_notice(weights: str | os.PathLike[str] = DEFAULT) -> str | None:
    """What a person has to be told who uses these weights; parameters as above."""
    checkpoint = checkpoints.CHECKPOINTS.get(str(weights))
    return None if checkpoint is None else checkpoint.notice


def tell(notice: str | None, file: Path) -> None:
    """Tell a person what `compact_notice` says of the weights in a file, once in a process."""
    if notice is not None and file not in _told:
        _told.add(file)
        note(notice)


def _may_have_gpu() -> bool:
    """Whether PyTorch might find a GPU here; False only where it cannot."""
    elsewhere = not sys.platform.startswith(("linux", "darwin"))
    return elsewhere or any(Path(driver).exists() for driver in GPU_DRIVERS)

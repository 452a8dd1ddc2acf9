"""Arrays by number: in memory up to a bound, then in a file up to another."""

from __future__ import annotations

import tempfile
from typing import IO

import numpy as np

from evavos_widget.files import cache_folder

__all__ = ["Spill"]


class Spill:
    """Keeps what was put first; what finds no room any more is not kept.

    A pass visits frames one after the other, and so will the next: dropping what was used
    longest ago would drop everything shortly before it is needed.

    Parameters
    ----------
    memory, disk : int
        Bounds, in bytes. The file has no name and goes with this object.
    """

    def __init__(self, memory: int, disk: int) -> None:
        self._memory, self._disk = memory, disk
        self._arrays: dict[int, np.ndarray] = {}
        self._places: dict[int, tuple[int, int]] = {}
        self._end = 0
        self._file: IO[bytes] | None = None

    def get(self, number: int) -> np.ndarray | None:
        """The bytes kept under `number`, one axis of uint8, or None."""
        if number in self._arrays:
            return self._arrays[number]
        if number not in self._places or self._file is None:
            return None
        start, size = self._places[number]
        # Read rather than mapped: mapped pages count as memory of the process.
        self._file.seek(start)
        return np.fromfile(self._file, np.uint8, size)

    def put(self, number: int, array: np.ndarray) -> None:
        """Keep bytes, one axis of uint8, if there is room."""
        if number in self._arrays or number in self._places:
            return
        if array.nbytes <= self._memory:
            self._memory -= array.nbytes
            self._arrays[number] = array
        elif self._end + array.nbytes <= self._disk:
            try:
                self._write(array)
            except OSError:  # the disk is full: what is not kept is computed again
                self._disk = 0
                return
            self._places[number] = (self._end, array.nbytes)
            self._end += array.nbytes

    def _write(self, array: np.ndarray) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=cache_folder(), buffering=0)  # noqa: SIM115
        self._file.seek(self._end)
        array.tofile(self._file)

"""The masks of a video in picture files, read when they are asked for."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from evavos_widget.label_ids import Convention, RawMask, decide, open_mask

__all__ = ["LabelFolder"]

_CACHED_LABELS = 32
"""Label maps that stay in memory; enough for what looks at neighbouring frames."""


class LabelFolder(Mapping[int, np.ndarray]):
    """Label maps in picture files, of one convention, the latest kept in memory.

    What the files' values mean is decided for all of them together when the first is asked
    for, and said in a warning where it does not go without saying.

    Parameters
    ----------
    files : mapping of int -> Path
        By frame.
    height, width : int
        The size all of them must have.
    ids : {'auto', 'values', 'binary'}
        See `evavos_widget.label_ids.IDS`.
    convention : Convention, optional
        By default it is decided from the files.
    paged : bool
        Each frame's mask is the page of its number in its file, from 0.
    """

    def __init__(
        self,
        files: Mapping[int, Path],
        height: int,
        width: int,
        ids: str = "auto",
        convention: Convention | None = None,
        paged: bool = False,
    ) -> None:
        self._files = dict(sorted(files.items()))
        self._size = height, width
        self._ids = ids
        self._convention = convention
        self._paged = paged
        self._cached = lru_cache(_CACHED_LABELS)(self._read)

    @property
    def convention(self) -> Convention:
        """What the values in the files mean; raises ValueError where that cannot be told."""
        if self._convention is None:
            self._convention = decide(self._readable(), self._ids)
        return self._convention

    def __getitem__(self, frame: int) -> np.ndarray:
        """(H, W) uint8 array, read-only."""
        return self._cached(frame)

    def __contains__(self, frame: object) -> bool:
        return frame in self._files

    def __iter__(self) -> Iterator[int]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def __reduce__(self) -> tuple[Any, ...]:
        return LabelFolder, (self._files, *self._size, self._ids, self._convention, self._paged)

    def _readable(self) -> Iterator[tuple[str, RawMask]]:
        """The masks that can be read; what is wrong with another is said when it is used."""
        for frame in self._files:
            try:
                yield self._name(frame), self._open(frame)
            except (OSError, ValueError):
                continue

    def _name(self, frame: int) -> str:
        path = self._files[frame]
        return f"page {frame + 1} of {path}" if self._paged else str(path)

    def _open(self, frame: int) -> RawMask:
        return open_mask(self._files[frame], self._size, frame if self._paged else None)

    def _read(self, frame: int) -> np.ndarray:
        if self._convention is None and self.convention.notice is not None:
            path = self._files[frame]
            where = path if self._paged else path.parent
            warnings.warn(f"{where}: {self.convention.notice}", stacklevel=3)
        labels = self.convention.apply(self._open(frame), self._name(frame))
        labels.flags.writeable = False
        return labels

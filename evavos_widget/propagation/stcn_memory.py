"""What STCN remembers in a pass."""

from __future__ import annotations

import torch
from torch import Tensor

from evavos_widget.networks.stcn import KEY, VALUE

__all__ = ["Memory"]


class Memory:
    """Keys and values in rows: those of annotated frames for good, others until they are many.

    Parameters
    ----------
    permanent, more : int
        How many frames stay, the first ones, and how many others there is room for.
    cells : (int, int)
        Rows and columns of a frame's cells; each cell has a row here.
    objects : int
        Their values lie side by side, since they share keys.
    like : Tensor
        Of whose device and type the values are.
    """

    def __init__(
        self, permanent: int, more: int, cells: tuple[int, int], objects: int, like: Tensor
    ) -> None:
        self._permanent, self._more, self._frames = permanent, more, 0
        self._cells = cells[0] * cells[1]
        rows = (permanent + more) * self._cells
        self._keys = like.new_empty((1, rows, KEY), dtype=torch.float32)
        self._values = like.new_empty((1, rows, objects * VALUE))

    def add(self, key: Tensor, value: Tensor) -> None:
        """Rows of one more frame, in place of the oldest where there is no room."""
        place = self._frames
        if place >= self._permanent + self._more:
            place = self._permanent + (place - self._permanent) % self._more
        rows = slice(place * self._cells, (place + 1) * self._cells)
        self._keys[:, rows], self._values[:, rows] = key, value
        self._frames += 1

    @property
    def parts(self) -> tuple[Tensor, Tensor]:
        """Keys, (1, N, 64), and values, (1, N, K * 512), of all that is remembered."""
        n = min(self._frames, self._permanent + self._more) * self._cells
        return self._keys[:, :n], self._values[:, :n]

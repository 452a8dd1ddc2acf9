"""A session's masks as views get them: numbered, and with what the last change replaced."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from evavos_widget.widgets.mask_runs import pack_masks
from evavos_widget.widgets.requests import Reply

if TYPE_CHECKING:
    from evavos_widget.session import Session

__all__ = ["SessionMasks"]


class SessionMasks:
    """Follows the masks of a session, on a host's worker.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    revisions : list of int
        Per frame, a number that grows whenever its mask changes.
    present : list of set of int
        Per frame, the objects that have a pixel there.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._seen = session.revisions
        self._masks = session.masks
        self._before: dict[int, tuple[int, np.ndarray]] = {}
        self.revisions = list(session.revisions)
        self.present = [self._masks.ids(i) for i in range(len(self._masks))]

    def catch_up(self) -> list[int]:
        """The frames whose masks changed since the last time."""
        # Numbers first: a mask may be newer than its number, never older.
        seen, self._seen = self._seen, self._session.revisions
        old, self._masks = self._masks, self._session.masks
        frames = [i for i, (a, b) in enumerate(zip(seen, self._seen, strict=True)) if a != b]
        for i in frames:
            if not np.array_equal(old.runs(i), self._masks.runs(i)):
                self._before[i] = self.revisions[i], old.runs(i)
                self.present[i] = self._masks.ids(i)
            # Undo brings a frame's old revision back; to a view numbers only ever grow.
            self.revisions[i] = max(self._session.revision, self.revisions[i] + 1)
        return frames

    def reply(self, frames: Iterable[int], *, with_before: bool = False) -> Reply:
        """The newest masks of `frames`; with `before`, each after the one it replaced."""
        masks = self._session.masks
        sent = []
        for f in frames:
            if with_before and f in self._before:
                sent.append((f, *self._before[f]))
            sent.append((f, self.revisions[f], masks.runs(f)))
        places, buffers = pack_masks(sent)
        return {"masks": places}, buffers

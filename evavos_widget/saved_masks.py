"""M^t on disk, so that opening a session need not propagate again.

Masks can always be computed again, so they are no events of the journal. They are saved
beside it together with the number of events they belong to.
"""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from evavos_widget.masks import LabelMaps, decode_runs
from evavos_widget.state import CurvePoint, State

__all__ = ["SavedMasks", "save_masks"]


def save_masks(folder: Path, state: State, events: int) -> None:
    """Write the masks of a state, and what belongs to them, in one atomic step.

    Parameters
    ----------
    folder : Path
        The session's.
    state : State
    events : int
        How many events of the journal led to the state.
    """
    runs = [state.masks.runs(i) for i in range(len(state.masks))]
    quality = [state.quality[o] for o in state.ids]
    curve = [[p.seconds, p.predicted, p.true] for p in state.curve]
    temporary = folder / f"masks.{os.getpid()}.tmp"
    with temporary.open("wb") as file:
        np.savez(
            file,
            events=events,
            runs=np.concatenate(runs),
            offsets=np.cumsum([0, *(len(r) for r in runs)]),
            ids=np.array(state.ids, dtype=np.int64),
            quality=np.stack(quality, axis=1) if quality else np.zeros((len(runs), 0)),
            stale=np.array(sorted(state.stale), dtype=np.int64),
            curve=np.array(curve, dtype=np.float64).reshape(-1, 3),
        )
    os.replace(temporary, folder / "masks.npz")


class SavedMasks:
    """What `save_masks` wrote in a folder, if anything.

    Parameters
    ----------
    folder : Path

    Attributes
    ----------
    events : int
        How many events led to the state it belongs to; -1 when there is nothing.
    """

    def __init__(self, folder: Path) -> None:
        self.events = -1
        self._arrays: dict[str, Any] = {}
        if (folder / "masks.npz").exists():
            with np.load(folder / "masks.npz", allow_pickle=False) as file:
                self._arrays = dict(file)
            self.events = int(self._arrays["events"])

    def adopt(self, state: State, revision: int) -> State:
        """The state with the saved masks, quality, stale frames and curve."""
        saved = self._arrays
        offsets, (_, height, width) = saved["offsets"], state.masks.shape
        masks = {
            i: decode_runs(saved["runs"][first:last], (height, width))
            for i, (first, last) in enumerate(pairwise(offsets))
        }
        adopted = replace(
            state,
            masks=LabelMaps.empty(len(masks), height, width),
            quality={o: saved["quality"][:, k].copy() for k, o in enumerate(saved["ids"].tolist())},
            stale=frozenset(saved["stale"].tolist()),
            curve=tuple(
                CurvePoint(float(seconds), _known(predicted), _known(true))
                for seconds, predicted, true in saved["curve"].tolist()
            ),
        )
        return adopted.with_masks(masks, revision)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)

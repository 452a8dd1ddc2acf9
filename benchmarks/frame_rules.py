"""How far frames are from what is annotated, and what of it counts: rules beside the shipped one.

    evavos experiment --config benchmarks/frame_rules.toml --data DATA/davis16 --every 4 \\
        --sequences @ImageSets/train.txt --out rules

``shipped`` in the table is what `evavos_widget.frame_selection.qnet.QNetSelector` does; what was
found stands in ``docs/agent.md``.
"""

from __future__ import annotations

import numpy as np

from evavos_widget.frame_selection.qnet import QNetSelector, relative_distances, shown
from evavos_widget.loop import LoopState

SPACES = {"embedding": ("embedding",), "time": ("time",), "both": ("embedding", "time")}
"""In what frames are far from each other."""

LEAST = {"all": 1.0, "half": 0.5, "quarter": 0.25, "share": 0.0}
"""What a frame counts that shows nothing of the object, by how it is called."""


class Rule(QNetSelector):
    """QNet's embeddings under a rule of ``SPACE,COUNTS``, as in ``both,quarter``."""

    name = "rule"

    def __init__(self, rule: str = "both,quarter") -> None:
        super().__init__()
        space, counts = rule.split(",")
        self._spaces, self._least = SPACES[space], LEAST[counts]

    def _apart(self, state: LoopState, obj: int, known: list[int]) -> np.ndarray:
        points = {
            "embedding": self.embeddings(state, obj),
            "time": np.arange(state.n_frames, dtype=np.float64)[:, None],
        }
        apart = sum(relative_distances(points[space], known) for space in self._spaces)
        return apart * shown(state.masks, obj, self._least)

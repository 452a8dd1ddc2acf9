"""Grow the trees of `networks.joint` on branches that were tried in simulated loops."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evavos_widget.networks.agent_weights import write_agent
from evavos_widget.networks.joint import FEATURES, features_of_frames
from evavos_widget.networks.observation import ENCODER
from evavos_widget.networks.trees import Trees
from evavos_widget.training.agents.records import LoopRecord, held_out

__all__ = ["Branches", "train_joint"]

TREES, DEPTH, RATE, SHARE, LEAST = 200, 3, 0.04, 0.6, 15
"""Of the boosting: trees, their depth, learning rate, share of the samples that each tree sees, and
samples in a leaf at least; our choice."""


def train_joint(
    records: Sequence[LoopRecord], out: Path, *, seed: int = 0, trees: int = TREES
) -> dict[str, Any]:
    """Train, and write ``joint.safetensors`` into `out`; what was measured on held-out videos.

    Parameters
    ----------
    records : sequence of LoopRecord
    out : Path
    seed : int
    trees : int
        At most; how many are kept for each type is chosen on the held-out videos.
    """
    from sklearn.ensemble import GradientBoostingRegressor

    begun = time.process_time()
    out.mkdir(parents=True, exist_ok=True)
    train, other = (Branches(side) for side in held_out(records))
    if not len(train.gain) or not len(other.gain):
        raise ValueError(
            f"there are {len(train.gain)} branches to learn from and {len(other.gain)} of held-out "
            "videos; collect loops of more videos."
        )
    types, arrays, kept = tuple(records[0].about["types"]), {}, {}
    predicted = np.zeros(len(other.gain))
    for number, kind in enumerate(types):
        mine, others = train.kind == number, other.kind == number
        grown = GradientBoostingRegressor(
            n_estimators=trees,
            max_depth=DEPTH,
            learning_rate=RATE,
            subsample=SHARE,
            min_samples_leaf=LEAST,
            random_state=seed,
        ).fit(train.known[mine], train.gain[mine])
        errors = [
            float(np.square(told - other.gain[others]).mean())
            for told in grown.staged_predict(other.known[others])
        ]
        n = kept[kind] = int(np.argmin(errors)) + 1
        model = _as_trees(grown, n)
        predicted[others] = model.predict(other.known[others])
        arrays |= model.arrays(kind)
    about = {
        "agent": "joint",
        "preset": "compact",
        "types": list(types),
        "features": list(FEATURES),
        "encoder": ENCODER,
        "seed": seed,
        "first": _after_first(train.records),
        "trees": kept,
        "samples": len(train.gain),
        "cpu_seconds": round(time.process_time() - begun),
        "held_out": other.measured(predicted, types),
    }
    write_agent(out / "joint.safetensors", about, arrays)
    return about


class Branches:
    """What was tried: what was known, the type, the gain of the video and the seconds."""

    def __init__(self, records: Sequence[LoopRecord]) -> None:
        self.records = tuple(records)
        known, kind, gain, seconds, state = [], [], [], [], []
        for number, record in enumerate(records):
            by_state = [
                features_of_frames(
                    record.frames, record.masks[t], record.predicted[t], record.trust[t],
                    record.drawn[t],
                )
                for t in range(len(record.masks))
            ]  # fmt: skip
            for b, t in enumerate(record.branch_state.tolist()):
                known.append(by_state[t][record.branch_frame[b]])
                state.append((number, t))
            kind.append(record.branch_kind)
            gain.append(record.branch_gain[:, 0])
            seconds.append(record.branch_seconds)
        nothing = np.zeros(0)
        self.known = np.array(known, np.float32).reshape(-1, len(FEATURES))
        self.kind = np.concatenate(kind) if kind else nothing
        self.gain = np.concatenate(gain) if gain else nothing
        self.seconds = np.concatenate(seconds) if seconds else nothing
        self.state = np.unique(np.array(state).reshape(-1, 2), axis=0, return_inverse=True)[1]

    def measured(self, predicted: np.ndarray, types: Sequence[str]) -> dict[str, float]:
        """Rank correlations by type, and the gain per second of the branch that is taken."""
        from scipy.stats import spearmanr

        found: dict[str, float] = {"n": len(self.gain)}
        for number, kind in enumerate(types):
            of_kind = self.kind == number
            rank: Any = spearmanr(predicted[of_kind], self.gain[of_kind])
            found[f"spearman_{kind}"] = float(rank[0])
        per_second, told = self.gain / self.seconds, predicted / self.seconds
        states = [np.flatnonzero(self.state.ravel() == s) for s in np.unique(self.state)]
        found["gain_per_minute"] = 60 * float(
            np.mean([per_second[s[told[s].argmax()]] for s in states])
        )
        found["gain_per_minute_random"] = 60 * float(
            np.mean([per_second[s].mean() for s in states])
        )
        found["gain_per_minute_best"] = 60 * float(np.mean([per_second[s].max() for s in states]))
        return found


def _after_first(records: Sequence[LoopRecord]) -> dict[str, float]:
    """Mean J&F of the videos after their first annotation, by what that was."""
    found: dict[str, list[float]] = {}
    for record in records:
        kind = "mask" if record.drawn[0].any() else "clicks"
        found.setdefault(kind, []).append(float(record.true[0, :, 0].mean()))
    return {kind: float(np.mean(values)) for kind, values in sorted(found.items())}


def _as_trees(grown: Any, n: int) -> Trees:
    """The first `n` trees of a `GradientBoostingRegressor`, as arrays."""
    found = [row[0].tree_ for row in grown.estimators_[:n]]
    most = max(tree.node_count for tree in found)
    own = np.tile(np.arange(most, dtype=np.int16), (n, 1))
    feature, left, right = np.full((n, most), -1, np.int16), own.copy(), own.copy()
    threshold, value = (np.zeros((n, most), np.float32) for _ in range(2))
    for t, tree in enumerate(found):
        inner = np.flatnonzero(tree.children_left >= 0)
        feature[t, inner] = tree.feature[inner]
        # Samples are single precision: rounded down, the same of them go left.
        rounded = tree.threshold[inner].astype(np.float32)
        below = np.nextafter(rounded, np.float32(-np.inf))
        threshold[t, inner] = np.where(rounded > tree.threshold[inner], below, rounded)
        left[t, inner], right[t, inner] = tree.children_left[inner], tree.children_right[inner]
        value[t, : tree.node_count] = grown.learning_rate * tree.value[:, 0, 0]
    return Trees(float(grown.init_.constant_.ravel()[0]), feature, threshold, left, right, value)

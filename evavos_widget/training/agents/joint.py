"""Fit the lines of `networks.joint` to branches that were tried in simulated loops."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evavos_widget.networks.agent_weights import write_agent
from evavos_widget.networks.joint import OF_A_FRAME, OF_THE_VIDEO, known_of
from evavos_widget.networks.observation import ENCODER
from evavos_widget.prompts import Costs
from evavos_widget.training.agents.figures import figures
from evavos_widget.training.agents.records import LoopRecord, scene_of

__all__ = ["Branches", "train_joint"]

SHRINK_SLOPE, SHRINK_LEVEL = 30.0, 3.0
"""Ridge penalties on standardised numbers. These, the numbers in `networks.joint`, and that there
are two parts, were chosen by leaving out each of 21 videos of DAVIS-2016 train in turn."""

LEAST_SPREAD = 0.002
"""J&F added to how far the gains of a state are apart, by which they are divided, so that videos in
which much can be gained do not own the slopes, and states in which nothing can do not either."""


def train_joint(records: Sequence[LoopRecord], out: Path, *, seed: int = 0) -> dict[str, Any]:
    """Fit, and write ``joint.safetensors`` into `out`; what was measured on videos left out.

    Parameters
    ----------
    records : sequence of LoopRecord
        Of two videos or more.
    out : Path
    seed : int
        Is noted; there is no chance in it.

    Raises
    ------
    ValueError
        There are too few videos, or a type that no state tries on two frames.
    """
    begun = time.process_time()
    out.mkdir(parents=True, exist_ok=True)
    branches = Branches(records)
    videos = np.unique(branches.video)
    if len(videos) < 2:
        raise ValueError(
            f"there are branches of {len(videos)} videos; collect loops of two or more, since each "
            "is left out in turn."
        )
    predicted = np.zeros(len(branches.gain))
    for video in videos:
        left_out = branches.video == video
        predicted[left_out] = branches.told(*branches.fitted(~left_out))[left_out]
    level, slope = branches.fitted(np.ones(len(branches.gain), bool))
    about = {
        "agent": "joint",
        "preset": "compact",
        "types": list(branches.types),
        "of_a_frame": list(OF_A_FRAME),
        "of_the_video": list(OF_THE_VIDEO),
        "encoder": ENCODER,
        "seed": seed,
        "first": _after_first(records),
        "samples": len(branches.gain),
        "videos": len(videos),
        "cpu_seconds": round(time.process_time() - begun),
        "held_out": branches.measured(predicted),
    }
    write_agent(out / "joint.safetensors", about, {"level": level, "slope": slope})
    return about


class Branches:
    """What was tried: what was known, the type, the gain of the video and the seconds.

    Attributes
    ----------
    frames, videos : (B, 4) and (B, 2) arrays
        See `networks.joint.known_of`.
    kind, gain, seconds : (B,) arrays
    state, video : (B,) arrays
        Branches of one number were tried from one state, and on one video.
    """

    def __init__(self, records: Sequence[LoopRecord]) -> None:
        self.types = tuple(records[0].about["types"]) if records else ()
        frames, videos, state = [], [], []
        for number, record in enumerate(records):
            known = [
                known_of(record.masks[t], record.predicted[t], record.trust[t])
                for t in range(len(record.masks))
            ]
            for t, f in zip(record.branch_state, record.branch_frame, strict=True):
                frames.append(known[t][0][f])
                videos.append(known[t][1])
                state.append((number, t))
        self.frames = np.array(frames).reshape(-1, len(OF_A_FRAME))
        self.videos = np.array(videos).reshape(-1, len(OF_THE_VIDEO))
        self.state = np.unique(np.array(state).reshape(-1, 2), axis=0, return_inverse=True)[1]
        self.state = self.state.ravel()
        sizes = [len(r.branch_kind) for r in records]
        self.video = np.repeat([scene_of(r) for r in records], sizes)
        nothing = [np.zeros(0)]
        self.kind = np.concatenate([r.branch_kind for r in records] or nothing).astype(int)
        self.gain = np.concatenate([r.branch_gain[:, 0] for r in records] or nothing)
        self.seconds = np.concatenate([r.branch_seconds for r in records] or nothing)

    def fitted(self, some: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Levels (L, 3) and slopes (L, 4) of some of them, (B,) bool."""
        lines = [self._line(some & (self.kind == k), t) for k, t in enumerate(self.types)]
        level, slope = zip(*lines, strict=True)
        return np.stack(level).astype(np.float32), np.stack(slope).astype(np.float32)

    def _line(self, some: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
        frames, gain = self.frames[some], self.gain[some].astype(np.float64)
        _, at, counts = np.unique(self.state[some], return_inverse=True, return_counts=True)
        if not (counts > 1).any():
            raise ValueError(
                f"{kind} was tried on two frames of no state; collect with --candidates 2 or more."
            )

        def mean(values: np.ndarray) -> np.ndarray:
            return np.stack([values[at == s].mean(axis=0) for s in range(len(counts))])

        # How frames of one state differ, in units of how much their gains do.
        spread = np.sqrt(mean((gain - mean(gain)[at]) ** 2)) + LEAST_SPREAD
        scale = frames.std(axis=0) + 1e-6
        within = (frames - mean(frames)[at]) / scale
        slope = _ridge(within, (gain - mean(gain)[at]) / spread[at], SHRINK_SLOPE)
        slope *= np.median(spread) / scale
        # What the type brings on a frame as most are, by how the video stands.
        videos, brings = mean(self.videos[some]), mean(gain - frames @ slope)
        middle, scale = videos.mean(axis=0), videos.std(axis=0) + 1e-6
        tilt = _ridge((videos - middle) / scale, brings - brings.mean(), SHRINK_LEVEL) / scale
        return np.array([brings.mean() - tilt @ middle, *tilt]), slope

    def told(self, level: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """The gain that lines predict of every branch."""
        each = np.arange(len(self.kind)), self.kind
        every = level[:, 0] + self.videos @ level[:, 1:].T + self.frames @ slope.T
        return every[each]

    def measured(self, predicted: np.ndarray) -> dict[str, float | None]:
        """Gain per minute of the branch that is taken, beside that of others, mean over videos.

        Returns
        -------
        dict
            ``n``; ``spearman_TYPE``, mean over states, None where it is of nothing;
            ``gain_per_minute`` and its standard error over videos, of any branch (``_random``), of
            the best, of clicks where the nearest annotation is farthest (``_farthest``), and where
            the lowest J&F is predicted (``_lowest``).
        """
        # What is told is divided by what an annotation usually costs, since that alone is known.
        usual = np.array([Costs().seconds(kind) for kind in self.types])[self.kind]
        clicks = self.kind == (self.types.index("clicks") if "clicks" in self.types else 0)
        choices = {
            "": predicted / usual,
            "_best": self.gain / self.seconds,
            "_farthest": np.where(clicks, self.frames[:, OF_A_FRAME.index("to the nearest")], -9),
            "_lowest": np.where(clicks, -self.frames[:, OF_A_FRAME.index("predicted")], -9),
        }
        found: dict[str, float] = {"n": len(self.gain)}
        for number, kind in enumerate(self.types):
            found[f"spearman_{kind}"] = self._within(predicted, self.kind == number)
        states = [np.flatnonzero(self.state == s) for s in np.unique(self.state)]
        per_minute = 60 * self.gain / self.seconds
        taken = {
            name: np.array([per_minute[s[score[s].argmax()]] for s in states])
            for name, score in choices.items()
        }
        taken["_random"] = np.array([per_minute[s].mean() for s in states])
        video = np.array([self.video[s[0]] for s in states])
        for name, values in taken.items():
            means = np.array([values[video == v].mean() for v in np.unique(video)])
            found[f"gain_per_minute{name}"] = float(means.mean())
            if not name and len(means) > 1:
                found["standard_error"] = float(means.std(ddof=1) / np.sqrt(len(means)))
        return figures(found)

    def _within(self, predicted: np.ndarray, some: np.ndarray) -> float:
        """Mean rank correlation within the states in which it is defined."""
        from scipy.stats import spearmanr

        found = []
        for state in np.unique(self.state):
            here = some & (self.state == state)
            if here.sum() > 2 and self.gain[here].std() > 0 and predicted[here].std() > 0:
                ranks: Any = spearmanr(predicted[here], self.gain[here])
                found.append(float(ranks[0]))
        return float(np.mean(found)) if found else float("nan")


def _ridge(x: np.ndarray, y: np.ndarray, shrink: float) -> np.ndarray:
    return np.linalg.solve(x.T @ x + shrink * np.eye(x.shape[1]), x.T @ y)


def _after_first(records: Sequence[LoopRecord]) -> dict[str, float]:
    """Mean J&F of the videos after their first annotation, by what that was."""
    found: dict[str, list[float]] = {}
    for record in records:
        kind = "mask" if record.drawn[0].any() else "clicks"
        found.setdefault(kind, []).append(float(record.true[0, :, 0].mean()))
    return {kind: float(np.mean(values)) for kind, values in sorted(found.items())}

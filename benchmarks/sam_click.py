"""What a click costs beside Segment Anything's own predictor (ViT-B, random weights).

Milliseconds of this thread's processor time.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from segment_anything import sam_model_registry

from benchmarks.side_by_side import Comparison, in_turns
from evavos_widget.datasets.embedded import embedded_clip
from evavos_widget.mask_prediction import sam
from evavos_widget.mask_prediction.compact import CompactPredictor
from evavos_widget.prompts import Click, Prompts

__all__ = ["compare_clicks"]

FIRST_CLICKS = 3
"""First clicks that are compared, each on a picture of its own: SAM takes seconds for each."""


def compare_clicks(repeats: int = 15) -> list[Comparison]:
    """A click whose picture is known, by the same network; a first and a later one by `compact`."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # The others' time would not be counted.
    try:
        return _compared(repeats)
    finally:
        torch.set_num_threads(threads)


def _compared(repeats: int) -> list[Comparison]:
    torch.manual_seed(0)
    model = sam_model_registry["vit_b"]().eval().requires_grad_(False)
    video = embedded_clip().video
    image = video.frame(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vit_b.pth"
        torch.save(model.state_dict(), path)
        engine = sam.SamPredictor(path, "cpu")
    engine.prepare(lambda: image, "frame")
    published: Any = engine._embeddings.get(image, "frame").predictor(engine._model)
    compact = CompactPredictor("free", "cpu")
    compact.predict(image, _click(100, 100), key="frame")  # What is prepared once is ready.
    places = count(1)

    def later(predict: Callable[[int, int], object]) -> Callable[[], float]:
        return lambda: _milliseconds(lambda: predict(40 + 20 * (next(places) % 15), 100))

    def theirs(x: int, y: int) -> object:
        return published.predict(np.array([[x, y]]), np.array([1]))

    def ours(x: int, y: int) -> object:
        return engine.predict(image, _click(x, y), key="frame")

    def small(x: int, y: int) -> object:
        return compact.predict(image, _click(100, 100, (x, y)), key="frame")

    pictures = iter(range(2 * FIRST_CLICKS))

    def first_of_compact() -> float:
        return _milliseconds(lambda: compact.predict(video.frame(next(pictures)), _click(100, 100)))

    def first_of_sam() -> float:
        def act() -> None:
            published.set_image(video.frame(next(pictures)))
            theirs(100, 100)

        return _milliseconds(act)

    for warm_up in (ours, theirs, small):
        warm_up(30, 30)
    other = "segment_anything.SamPredictor"
    return [
        Comparison(
            "a later click, `sam`", other, "ms", in_turns(later(ours), later(theirs), repeats)
        ),
        Comparison(
            "a later click, `compact`", other, "ms", in_turns(later(small), later(theirs), repeats)
        ),
        Comparison(
            "the first click on a picture, `compact`",
            other,
            "ms",
            in_turns(first_of_compact, first_of_sam, FIRST_CLICKS),
        ),
    ]


def _click(*places: Any) -> Prompts:
    """Prompts of one click at x, y, and of one at each further (x, y)."""
    x, y, *more = places
    return Prompts(clicks=(Click(x, y), *(Click(*place) for place in more)))


def _milliseconds(act: Callable[[], object]) -> float:
    start = time.thread_time()
    act()
    return 1e3 * (time.thread_time() - start)

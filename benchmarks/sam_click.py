"""What a click costs beside the published predictor: `python -m benchmarks.sam_click`.

Both have the embedding of the picture already; SAM's ViT-B has random weights. Prints medians
in milliseconds of this thread's CPU, and their ratio (limit 1.1).
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from segment_anything import sam_model_registry

from evavos_widget.mask_prediction import sam
from evavos_widget.prompts import Click, Prompts

CLICKS = 15


def cost(click: Callable[[int], object], n: int) -> float:
    """Milliseconds of one click."""
    start = time.thread_time()
    click(n)
    return 1e3 * (time.thread_time() - start)


def main() -> None:
    """Measure, one click of each after the other, and print."""
    torch.set_num_threads(1)  # the others' time would not be counted
    torch.manual_seed(0)
    model = sam_model_registry["vit_b"]().eval().requires_grad_(False)
    image = np.random.default_rng(0).integers(0, 255, (480, 854, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vit_b.pth"
        torch.save(model.state_dict(), path)
        engine = sam.SamPredictor(path, "cpu")
    engine.prepare(lambda: image, "frame")
    published = engine._embedding(image, "frame").predictor(engine._model)

    def ours(n: int) -> object:
        return engine.predict(image, Prompts(clicks=(Click(20 * n, 100),)), key="frame")

    def theirs(n: int) -> object:
        return published.predict(np.array([[20 * n, 100]]), np.array([1]))

    for warm_up in (ours, theirs):
        warm_up(CLICKS)
    pairs = [(cost(ours, n), cost(theirs, n)) for n in range(CLICKS)]
    a, b = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(f"Here {a:.1f} ms, segment_anything.SamPredictor.predict {b:.1f} ms, ratio {a / b:.3f}")


if __name__ == "__main__":
    main()

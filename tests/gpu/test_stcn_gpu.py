"""STCN on a GPU: the same masks as on the processor, and how fast."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from clips import Clip

from benchmarks.published_stcn import write_random_weights
from evavos_widget.propagation.stcn import StcnPropagator

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here"),
]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_weights(tmp_path_factory.mktemp("weights") / "stcn.pth")


def test_in_single_precision_a_gpu_finds_what_the_processor_finds(weights: Path) -> None:
    clip, found = Clip(8, 96, 128), []
    allowed = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        for device in ("cpu", "cuda"):
            engine = StcnPropagator(weights, device, precision="float32")
            steps = engine.propagate(clip, {0: clip.annotation(0, 1, 2)}, (1, 2), range(8))
            found.append({s.frame: s.probabilities for s in steps if s.frame is not None})
    finally:
        torch.backends.cudnn.allow_tf32 = allowed
    for frame in range(8):
        np.testing.assert_allclose(found[1][frame], found[0][frame], atol=1e-3)


@pytest.mark.parametrize("compiled", [False, True], ids=["as it is", "compiled"])
def test_frames_per_second_at_480p(
    weights: Path, compiled: bool, record_property: Callable[[str, object], None]
) -> None:
    clip = Clip(60, 480, 854)
    engine = StcnPropagator(weights, "cuda", compiled=compiled)
    for _ in engine.propagate(clip, {0: clip.annotation(0, 1)}, (1,), range(12)):
        pass  # kernels are chosen and compiled
    clip = Clip(60, 480, 854)
    begin = time.perf_counter()
    finished = [
        s.frame
        for s in engine.propagate(clip, {0: clip.annotation(0, 1)}, (1,), range(60))
        if s.frame is not None
    ]
    per_second = len(finished) / (time.perf_counter() - begin)
    record_property("frames_per_second", round(per_second, 1))
    print(f"{per_second:.1f} frames per second on {torch.cuda.get_device_name()}")
    assert sorted(finished) == list(range(60))

"""A pass over a video by the default engine, and by published ones as their packages run them.

All carry the mask of one object from the first frame over the next ones, on the processor. The
published networks have random weights: their masks mean nothing, and the work is the same.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.published_stcn import published_network, published_pass, write_random_weights
from benchmarks.side_by_side import Comparison
from evavos_widget.loop import Annotation
from evavos_widget.video import Video

__all__ = ["compare_passes"]

TOP_K = 50
"""Cells of the memory that STCN reads out (MiVOS)."""

Run = Callable[[np.ndarray, np.ndarray], Iterator[object]]
"""Frames, (N, H, W, 3) uint8, and the (H, W) bool mask on the first -> an item a later frame."""


def compare_passes(frames: np.ndarray, mask: np.ndarray, repeats: int = 3) -> list[Comparison]:
    """Milliseconds of the processor for a frame.

    Parameters
    ----------
    frames : (N, H, W, 3) uint8 array, RGB
    mask : (H, W) bool array
        Of an object on the first frame.
    repeats : int
        Runs of each, which take turns.
    """
    what = f"a pass, ms of the processor a frame of {frames.shape[2]} x {frames.shape[1]}"
    found = []
    for name, prepare in _PUBLISHED.items():
        run = prepare()
        pairs = [
            (_per_frame(_compact, frames, mask), _per_frame(run, frames, mask))
            for _ in range(repeats)
        ]
        found.append(Comparison(f"{what}, `compact`", name, "ms", pairs))
    return found


def _per_frame(run: Run, frames: np.ndarray, mask: np.ndarray) -> float:
    """Median over the frames after the first one, which may prepare things."""
    spent, begin = [], time.process_time()
    for _ in run(frames, mask):
        spent.append(time.process_time() - begin)
        begin = time.process_time()
    return 1000 * float(np.median(spent[1:]))


def _compact(frames: np.ndarray, mask: np.ndarray) -> Iterator[object]:
    from evavos_widget.propagation.compact import CompactPropagator

    engine = CompactPropagator("free", "cpu")
    given = {0: Annotation(mask.astype(np.uint8), {1})}
    steps = engine.propagate(Video.open(frames), given, [1], range(1, len(frames)))
    return (step for step in steps if step.frame is not None)


def _stcn() -> Run:
    with tempfile.TemporaryDirectory() as folder:
        network = published_network(write_random_weights(Path(folder) / "stcn.pth"))

    def run(frames: np.ndarray, mask: np.ndarray) -> Iterator[object]:
        return published_pass(network, frames[0], mask[None], iter(frames[1:]), TOP_K)

    return run


def _cutie() -> Run:
    from cutie.inference.inference_core import InferenceCore

    from evavos_widget.propagation.cutie import build_cutie, cutie_settings

    settings = cutie_settings("base")
    torch.manual_seed(0)
    network = build_cutie(settings).eval()

    def as_tensor(frame: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(frame.copy()).permute(2, 0, 1).float() / 255

    @torch.inference_mode()
    def run(frames: np.ndarray, mask: np.ndarray) -> Iterator[object]:
        core = InferenceCore(network, settings)
        core.step(as_tensor(frames[0]), torch.from_numpy(mask.astype(np.int64)), [1])
        for frame in frames[1:]:
            yield core.step(as_tensor(frame))

    return run


def _of_transformers(family: str) -> Run:
    import transformers

    model_class: Any = getattr(transformers, f"{family}VideoModel")
    config_class: Any = getattr(transformers, f"{family}VideoConfig")
    torch.manual_seed(0)
    model = model_class(config_class()).eval().requires_grad_(False)
    processor = transformers.Sam2VideoProcessor(
        image_processor=transformers.Sam2ImageProcessor(),
        video_processor=transformers.Sam2VideoVideoProcessor(),
    )

    @torch.inference_mode()
    def run(frames: np.ndarray, mask: np.ndarray) -> Iterator[object]:
        session = processor.init_video_session(video=list(frames), inference_device="cpu")
        processor.add_inputs_to_inference_session(
            inference_session=session, frame_idx=0, obj_ids=1, input_masks=mask
        )
        model(inference_session=session, frame_idx=0)
        yield from model.propagate_in_video_iterator(session, start_frame_idx=1)

    return run


_PUBLISHED: dict[str, Callable[[], Run]] = {
    "stcnbuf": _stcn,
    "rf-cutie": _cutie,
    "transformers SAM 2 tiny": lambda: _of_transformers("Sam2"),
    "transformers EdgeTAM": lambda: _of_transformers("EdgeTam"),
}
"""What is compared with -> how it is prepared."""

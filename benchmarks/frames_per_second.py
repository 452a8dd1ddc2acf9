"""Frames per second of every propagator on a device: ``python -m benchmarks.frames_per_second``.

A pass carries the mask of one object through the embedded clip. Networks whose weights are not in
the package are as large as the published ones and have random weights: their masks mean nothing,
and the work is the same.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.published_stcn import write_random_weights
from evavos_widget import embedded_clip
from evavos_widget.loop import Annotation, Propagator
from evavos_widget.networks.devices import chosen_device
from evavos_widget.video import Video

__all__ = ["ENGINES", "frames_per_second", "main"]

WARM_UP = 4
"""Frames of a pass that goes before the timed one, for what is done once on a device."""


def frames_per_second(
    engine: Propagator, frames: np.ndarray, mask: np.ndarray, device: str
) -> float:
    """Of a first pass, which knows nothing of the video yet.

    Parameters
    ----------
    engine : Propagator
    frames : (N, H, W, 3) uint8 array, RGB
    mask : (H, W) bool array
        Of an object on the first frame.
    device : str
        Where the engine works.
    """
    given = {0: Annotation(mask.astype(np.uint8), {1})}

    def carry(n: int) -> int:
        steps = engine.propagate(Video.open(frames[:n].copy()), given, [1], range(1, n))
        carried = sum(step.frame is not None for step in steps)
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)
        return carried

    carry(min(WARM_UP, len(frames)))
    begin = time.perf_counter()
    return carry(len(frames)) / (time.perf_counter() - begin)


def _flow(device: str, folder: Path) -> Propagator:
    from evavos_widget.propagation.flow import FlowPropagator

    return FlowPropagator()


def _compact(device: str, folder: Path) -> Propagator:
    from evavos_widget.propagation.compact import CompactPropagator

    return CompactPropagator("free", device)


def _stcn(device: str, folder: Path, **options: Any) -> Propagator:
    from evavos_widget.propagation.stcn import StcnPropagator

    return StcnPropagator(write_random_weights(folder / "stcn.pth"), device, **options)


def _cutie(device: str, folder: Path) -> Propagator:
    from evavos_widget.propagation.cutie import CutiePropagator, build_cutie, cutie_settings

    torch.manual_seed(0)
    torch.save(build_cutie(cutie_settings("base")).state_dict(), folder / "cutie.pth")
    return CutiePropagator(folder / "cutie.pth", device)


def _sam2(family: str, device: str, folder: Path) -> Propagator:
    import transformers

    from evavos_widget.propagation.sam2 import Sam2Propagator

    torch.manual_seed(0)
    config = getattr(transformers, f"{family}VideoConfig")()
    getattr(transformers, f"{family}VideoModel")(config).save_pretrained(folder / family)
    transformers.Sam2ImageProcessor().save_pretrained(folder / family)
    return Sam2Propagator(folder / family, device)


ENGINES: dict[str, Callable[[str, Path], Propagator]] = {
    "flow": _flow,
    "compact": _compact,
    "stcn": _stcn,
    "stcn compiled": partial(_stcn, compiled=True),
    "cutie": _cutie,
    "sam2:edgetam": partial(_sam2, "EdgeTam"),
    "sam2:tiny": partial(_sam2, "Sam2"),
}
"""Name -> makes the engine on a device, with its weights in a folder. ``flow`` is always on the
processor."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Frames per second of every propagator on a device."
    )
    parser.add_argument("--device", help="such as cuda:1 or cpu; a GPU where there is one")
    parser.add_argument("--frames", type=int, default=60, help="of the clip, 60 at most")
    parser.add_argument("--height", type=int, default=480, help="of the pictures")
    parser.add_argument("--only", nargs="+", choices=ENGINES, help="these engines")
    asked = parser.parse_args(arguments)
    device = str(chosen_device(asked.device))
    clip = embedded_clip()
    width = round(clip.video.width * asked.height / clip.video.height)
    frames = np.stack(
        [cv2.resize(clip.video[i], (width, asked.height)) for i in range(asked.frames)]
    )
    mask = cv2.resize((clip.ground_truth[0] == 1).astype(np.uint8), (width, asked.height)) > 0
    where = torch.cuda.get_device_name(device) if device.startswith("cuda") else "the processor"
    print(f"{asked.frames} frames of {width} x {asked.height} with one object, {where}", end="\n\n")
    print("| engine | frames per second |\n|---|---|")
    for name in asked.only or ENGINES:
        if name == "stcn compiled" and not device.startswith("cuda") and not asked.only:
            continue  # minutes of compiling, for nothing
        with tempfile.TemporaryDirectory() as folder:
            engine = ENGINES[name](device, Path(folder))
            print(
                f"| `{name}` | {frames_per_second(engine, frames, mask, device):.2f} |", flush=True
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())

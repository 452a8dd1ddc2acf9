"""What the settings of the compact engine are worth: `python -m benchmarks.ablation DATA`.

Propagates the first mask through sequences of DAVIS-2016 train with the weights `free`,
which have not seen them, once for each setting, and prints a table: J&F, its difference to
the setting that is shipped (paired over sequences), and processor time per frame.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.int8 import in_int8
from evavos_widget.evaluation.propagation import evaluate_propagation
from evavos_widget.networks import compact as network
from evavos_widget.networks import ready
from evavos_widget.networks.memory import readout
from evavos_widget.propagation import compact_chain as engine

SEQUENCES = ["bear", "car-turn", "dance-jump", "hike", "motorbike", "rhino", "stroller", "train"]


@lru_cache(maxsize=1)
def _in_int8(path: Path, changed: int, device: str, alone: bool) -> network.CompactNet:
    return in_int8(ready.folded(path, device))


@lru_cache(maxsize=1)
def _without_winograd(path: Path, changed: int, device: str, alone: bool) -> network.CompactNet:
    return ready.folded(path, device)


SETTINGS: dict[str, tuple[Any, str, Any]] = {
    "as shipped": (engine, "PIXELS", engine.PIXELS),
    "every object at 320 lines": (engine, "LEVELS", (1.0,)),
    "up to twice that": (engine, "LEVELS", (1.0, 1.25, 1.5, 2.0)),
    "objects of 110 pixels": (engine, "LENGTH", 110),
    "objects of 200 pixels": (engine, "LENGTH", 200),
    "240 lines": (engine, "PIXELS", 240 * 426),
    "400 lines": (engine, "PIXELS", 400 * 710),
    "no more pixels than the video has": (engine, "LARGEST_ZOOM", 1.0),
    "the library's convolutions alone": (ready, "_load", _without_winograd),
    "int8 in decoder and value encoder": (ready, "_load", _in_int8),
    "every 2nd frame": (engine, "MEMORY_STRIDE", 2),
    "every 5th frame": (engine, "MEMORY_STRIDE", 5),
    "1 of them": (engine, "MEMORY_FRAMES", 1),
    "6 of them": (engine, "MEMORY_FRAMES", 6),
    "20 of them": (engine, "MEMORY_FRAMES", 20),
    "the 50 best cells": (network, "readout", partial(readout, top_k=50)),
    "windows of 6 cells more": (engine, "MARGIN", 6),
    "windows a third larger than the object": (engine, "GROWTH", 0.33),
}


@contextmanager
def setting(module: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="has JPEGImages and Annotations")
    parser.add_argument("--annotated", type=int, default=1, help="frames with a mask")
    parser.add_argument("--weights", default="free")
    parser.add_argument("--sequences", nargs="+", default=SEQUENCES)
    parser.add_argument("--only", nargs="+", default=[], help="settings with one of these words")
    args = parser.parse_args()
    torch.set_num_threads(1)
    base: np.ndarray | None = None
    print("| setting | J&F | difference | CPU ms per frame |\n|---|---|---|---|")
    for name, change in SETTINGS.items():
        if base is not None and args.only and not any(word in name for word in args.only):
            continue
        with setting(*change):
            result = evaluate_propagation(
                args.data,
                args.sequences,
                f"compact:{args.weights}",
                annotated=args.annotated,
                frames="after-first",
                report=lambda line: None,
            )
        jf = np.array([s["jf"] for s in result["sequences"].values()])
        base = jf if base is None else base
        apart = jf - base
        error = apart.std(ddof=1) / np.sqrt(len(apart)) if len(apart) > 1 else np.nan
        print(
            f"| {name} | {jf.mean():.3f} | {apart.mean():+.3f} +- {error:.3f} "
            f"| {result['cpu_ms_per_frame']:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()

"""All comparisons with what people would use otherwise, in one run: `evavos benchmark all`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.frame_to_screen import FRAMES, compare_frames
from benchmarks.passes import compare_passes
from benchmarks.sam_click import compare_clicks
from benchmarks.scorer import compare_scorers
from benchmarks.side_by_side import Comparison, processor, table
from benchmarks.starting import compare_bundles, compare_imports, compare_pictures
from evavos_widget.datasets.embedded import embedded_clip

__all__ = ["PARTS", "benchmark_all"]

PASS_FRAMES = 4
"""Of a pass, the first of them annotated; SAM 2 takes ten seconds a frame on a laptop."""


def _frames() -> np.ndarray:
    clip = embedded_clip().video
    return np.stack([clip.frame(i) for i in range(FRAMES)])


def _passes(_: Path) -> list[Comparison]:
    sequence = embedded_clip()
    height, width = 480, 854
    frames = [cv2.resize(sequence.video.frame(i), (width, height)) for i in range(PASS_FRAMES)]
    truth = (sequence.ground_truth[0] == 1).astype(np.uint8)
    mask = cv2.resize(truth, (width, height), interpolation=cv2.INTER_NEAREST) > 0
    return compare_passes(np.stack(frames), mask)


PARTS: Mapping[str, Callable[[Path], list[Comparison]]] = {
    "import": lambda _: compare_imports(),
    "picture": lambda _: compare_pictures(_frames()),
    "bundle": lambda _: compare_bundles(),
    "frame": lambda _: compare_frames(_frames()),
    "scorer": compare_scorers,
    "click": lambda _: compare_clicks(),
    "pass": _passes,
}
"""What is compared -> how, given the folder of a dataset laid out as DAVIS."""


def benchmark_all(
    root: Path, parts: list[str] | None = None, report: Callable[[str], None] = print
) -> dict[str, Any]:
    """Run them one after the other, and tell the table.

    Parameters
    ----------
    root : Path
        A dataset laid out as DAVIS, whose masks are scored.
    parts : list of str, optional
        Some of `PARTS`; all by default.
    report : callable
        Told each row as soon as it is known, and the table.

    Returns
    -------
    dict
        ``processor`` and ``rows``; see `Comparison.as_json`.

    Raises
    ------
    ValueError
        There is no such part.
    ModuleNotFoundError
        A package to compare with is not installed.
    """
    unknown = [name for name in parts or () if name not in PARTS]
    if unknown:
        raise ValueError(f"there is no part {unknown[0]!r}; choose from {', '.join(PARTS)}.")
    found: list[Comparison] = []
    for name in parts or PARTS:
        report(f"{name} ...")
        found += PARTS[name](root)
    where = processor()
    report(f"{where}\n\n{table(found)}")
    return {"processor": where, "rows": [each.as_json() for each in found]}

"""How good predictors are on frames with several objects, clicked one by one and together."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from evavos_widget import engines
from evavos_widget.corrections import as_told
from evavos_widget.datasets.davis import open_sequence
from evavos_widget.evaluation.rows import EngineOption, Rows
from evavos_widget.evaluation.sequences import Report, all_masks, ids_of
from evavos_widget.loop import MaskPredictor
from evavos_widget.metrics import jaccard
from evavos_widget.prompts import Click, Prompts
from evavos_widget.robot.clicks import corrective_click

__all__ = ["LEAST_PIXELS", "NOC_IOU", "evaluate_together"]

NOC_IOU = 0.85
"""Of which the number of clicks is counted."""

LEAST_PIXELS = 300
"""Of an object, for a person to see it and click in its middle."""

TWO_SIDED_95 = 1.96
"""Standard errors on either side of a mean, for an interval of 95 %."""

Masks = Mapping[int, np.ndarray]


def evaluate_together(
    root: Path,
    names: Sequence[str],
    predictors: Sequence[str | MaskPredictor],
    *,
    clicks: int = 10,
    frames_per_sequence: int = 4,
    seed: int = 0,
    rows: Rows | None = None,
    report: Report = print,
) -> dict[str, Any]:
    """Click all objects of a frame from nothing, one after the other and together.

    In every round each object gets the click that corrects its largest error. One by one, an
    object knows its own clicks alone, and masks may overlap. Together, all clicks go in at once;
    where an error of an object is another object, the click is given to that one, as a person with
    both before the eyes would do. Predictors that only answer one by one are clicked one by one.

    Parameters
    ----------
    root, names : as for `evaluate_propagation`
    predictors : sequence of str or MaskPredictor
        The others are compared with the first, on the same frames.
    clicks : int
        Rounds.
    frames_per_sequence : int
        M frames, drawn at random among those that show two objects or more of `LEAST_PIXELS`.
    seed : int
    rows : Rows, optional
        What was measured before, and where it is kept.
    report : callable
        Told one line per sequence and predictor.

    Returns
    -------
    dict
        ``rows``: by predictor and manner, ``"NAME, one by one"`` or ``"NAME, together"``, the
        means over frames and their 95 % intervals (half their width): ``iou_after_clicks``, from 1
        on, ``noc`` (`NOC_IOU`, `clicks` where it is not reached) and ``ms_per_click``, with
        ``apart`` (the IoU after all clicks less that of the first row, paired by frame);
        ``frames``, ``objects``; and the options.

    Raises
    ------
    ValueError
        No frame shows two objects.
    """
    scenes = [
        (name, frame, image, masks)
        for name in names
        for frame, image, masks in _scenes(root, name, frames_per_sequence, seed)
    ]
    if not scenes:
        raise ValueError(
            f"no frame of {list(names)} has two objects of {LEAST_PIXELS} pixels; give sequences "
            "with several objects."
        )
    rows = Rows() if rows is None else rows
    found: dict[str, list[np.ndarray]] = {}
    seconds: dict[str, float] = {}
    for given in predictors:
        engine: MaskPredictor = engines.create("predictor", given)
        called = given if isinstance(given, str) else given.name
        for together in (False, True) if engine.together else (False,):
            row = f"{called}, {'together' if together else 'one by one'}"
            found[row], spent = [], []
            options = {
                "what": "together",
                "predictor": EngineOption("predictor", given),
                "together": together,
                "clicks": clicks,
                "frames_per_sequence": frames_per_sequence,
                "seed": seed,
            }
            for name in names:
                here = [(f, image, masks) for scene, f, image, masks in scenes if scene == name]
                if not here:
                    continue
                measure = partial(_measured, engine, name, here, clicks, together)
                kept = rows.measured(options, root, name, measure)
                ious = [np.array(of) for of in kept["ious"]]
                found[row] += ious
                spent += kept["seconds"]
                path = "  ".join(f"{v:.3f}" for v in np.mean([x.mean(0) for x in ious], 0))
                report(f"{name:24s} {row:32s} {path}")
            seconds[row] = float(np.median(spent))
    first = next(iter(found.values()))
    return {
        "rows": {row: _row(ious, first, seconds[row]) for row, ious in found.items()},
        "frames": len(scenes),
        "objects": sum(len(masks) for *_, masks in scenes),
        "clicks": clicks,
        "frames_per_sequence": frames_per_sequence,
        "seed": seed,
        "by_frame": {
            row: {f"{n}/{f}": x.tolist() for x, (n, f, *_) in zip(ious, scenes, strict=True)}
            for row, ious in found.items()
        },
    }


def _measured(
    engine: MaskPredictor,
    name: str,
    scenes: Sequence[tuple[int, np.ndarray, Masks]],
    clicks: int,
    together: bool,
) -> dict[str, Any]:
    """Of the frames of a sequence: IoUs by object and round, and the seconds of every click."""
    clicked = [
        _click_through(engine, image, masks, clicks, (name, frame), together)
        for frame, image, masks in scenes
    ]
    return {
        "ious": [ious.tolist() for ious, _ in clicked],
        "seconds": [took for _, each in clicked for took in each],
    }


def _scenes(
    root: Path, name: str, n: int, seed: int
) -> list[tuple[int, np.ndarray, dict[int, np.ndarray]]]:
    """Frames with several objects, their pictures and masks."""
    sequence = open_sequence(root, name)
    truth = all_masks(sequence.ground_truth, name)
    seen = {
        frame: {
            obj: mask
            for obj in ids_of({frame: labels})
            if np.count_nonzero(mask := labels == obj) >= LEAST_PIXELS
        }
        for frame, labels in truth.items()
    }
    several = [frame for frame, masks in seen.items() if len(masks) > 1]
    random = np.random.default_rng([seed, *name.encode()])
    chosen = sorted(int(f) for f in random.permutation(several)[:n])
    scenes = [(frame, sequence.video.frame(frame).copy(), seen[frame]) for frame in chosen]
    sequence.video.close()
    return scenes


def _click_through(
    engine: MaskPredictor,
    image: np.ndarray,
    truth: Masks,
    rounds: int,
    key: tuple[str, int],
    together: bool,
) -> tuple[np.ndarray, list[float]]:
    """IoU of each object after each round, (objects, rounds), and the seconds of each click."""
    clicks: dict[int, list[Click]] = {obj: [] for obj in truth}
    masks = {obj: np.zeros_like(mask) for obj, mask in truth.items()}
    ious, spent = np.zeros((len(truth), rounds)), []
    for made in range(rounds):
        new = 0
        for obj, mask in truth.items():
            click = corrective_click(masks[obj], mask)
            if click is None:
                continue
            new += 1
            whose = _owner(click, truth) if together and not click.positive else None
            if whose is None:
                clicks[obj].append(click)
            else:
                clicks[whose].append(Click(click.x, click.y))
        begin = time.perf_counter()
        prompts = {obj: Prompts(clicks=tuple(given)) for obj, given in clicks.items()}
        if not new:
            pass
        elif together:
            found = engine.predict_together(image, prompts, key=key)
            masks = {obj: as_told(found[obj], prompts[obj]).mask for obj in truth}
        else:
            masks = {
                obj: as_told(engine.predict(image, given, key=key), given).mask
                for obj, given in prompts.items()
            }
        if new:
            spent.append((time.perf_counter() - begin) / new)
        ious[:, made] = [jaccard(masks[obj], mask) for obj, mask in truth.items()]
    return ious, spent


def _owner(click: Click, truth: Masks) -> int | None:
    """The object that a click is on, if any."""
    at = round(click.y), round(click.x)
    return next((obj for obj, mask in truth.items() if mask[at]), None)


def _row(ious: Sequence[np.ndarray], first: Sequence[np.ndarray], seconds: float) -> dict[str, Any]:
    """Means over frames, each of which is the mean of its objects."""
    after = np.array([x.mean(0) for x in ious])
    counts = np.array([_counts(x).mean() for x in ious])
    apart = after[:, -1] - np.array([x.mean(0)[-1] for x in first])
    return {
        "iou_after_clicks": after.mean(0).tolist(),
        "iou_interval": [_half_width(column) for column in after.T],
        "noc": float(counts.mean()),
        "noc_interval": _half_width(counts),
        "apart": float(apart.mean()),
        "apart_interval": _half_width(apart),
        "ms_per_click": 1000 * seconds,
    }


def _counts(ious: np.ndarray) -> np.ndarray:
    """Clicks of each object until `NOC_IOU`; all of them where it is not reached."""
    reached = ious >= NOC_IOU
    return np.where(reached.any(1), reached.argmax(1) + 1, ious.shape[1])


def _half_width(values: np.ndarray) -> float | None:
    if len(values) < 2:
        return None
    return float(TWO_SIDED_95 * np.std(values, ddof=1) / np.sqrt(len(values)))

"""How good predictors are at what clicks ask for, on sequences with ground truth."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from evavos_widget import engines
from evavos_widget.contract import prediction_fault, refuse
from evavos_widget.corrections import as_told
from evavos_widget.datasets.davis import open_sequence
from evavos_widget.evaluation.rows import EngineOption, Rows
from evavos_widget.evaluation.sequences import (
    Report,
    all_masks,
    first_shown,
    given_masks,
    ids_of,
    propagated_masks,
    standard_error,
)
from evavos_widget.loop import MaskPredictor
from evavos_widget.metrics import jaccard
from evavos_widget.prompts import Prediction, Prompts
from evavos_widget.robot.clicks import corrective_click

__all__ = ["GOOD_START", "evaluate_clicks", "evaluate_second_object"]

GOOD_START = 0.75
"""A mask that starts at this IoU or above counts as already good."""

NOC_IOU = (0.85, 0.90)
"""The number of clicks to these IoUs is what interactive segmentation reports (RITM, Sec. 4)."""

NOC_CAP = 20
"""Clicks after which an IoU counts as not reached (RITM, Sec. 4)."""

LEAST_PIXELS = 300
"""Of an object, for a person to see it and click in its middle."""

SECOND_OBJECT_EVERY = 20
"""Frames from one to the next that is looked at for pairs of objects."""

REMOVED, KEPT = 0.95, 0.98
"""Shares of the wrong and the right object with which a correction did what the hand said."""


def evaluate_clicks(
    root: Path,
    names: Sequence[str],
    predictor: str | MaskPredictor,
    *,
    clicks: int = 10,
    start: str = "empty",
    frames_per_sequence: int = 10,
    seed: int = 0,
    propagator: str = "compact",
    alone: bool = False,
    rows: Rows | None = None,
    report: Report = print,
) -> dict[str, Any]:
    """Correct masks with simulated clicks and score them after each click.

    Parameters
    ----------
    root, names : as for `evaluate_propagation`
    predictor : str or MaskPredictor
    clicks : int
        N, clicks per object and frame.
    start : {'empty', 'propagated', 'second-object'}
        From nothing, from the mask propagated from its first frame, or, by one negative click,
        from a mask that wrongly holds a second object: see `evaluate_second_object`.
    frames_per_sequence : int
        M frames, drawn at random among those that show the object, without the first of them.
    seed : int
    propagator : str
        Makes the masks that ``start='propagated'`` starts from.
    alone : bool
        Score what the predictor says, without what a correction does for certain
        (`corrections.as_told`).
    rows : Rows, optional
        What was measured before, and where it is kept.
    report : callable
        Told one line per sequence.

    Returns
    -------
    dict
        ``iou_after_clicks``: N + 1 means, the first before any click; ``noc``: the number of
        clicks until an IoU of 0.85 and of 0.90 (keys ``'85'`` and ``'90'``), `NOC_CAP` where
        it is not reached;
        ``standard_error`` of each over sequences; the same for starts at or above
        `GOOD_START` (``good_start``) and below (``bad_start``) with their counts;
        ``ms_per_click`` (median wall clock; None where no mask needs a click); and the options.
    """
    if start not in ("empty", "propagated"):
        raise ValueError(
            f"unknown start {start!r}; choose 'empty', 'propagated' or 'second-object'."
        )
    engine: MaskPredictor = engines.create("predictor", predictor)
    told = _alone if alone else as_told

    def measure(name: str) -> dict[str, Any]:
        """IoUs and seconds of every click on the frames of a sequence."""
        sequence = open_sequence(root, name)
        truth = all_masks(sequence.ground_truth, name)
        ids = ids_of(truth)
        rng = np.random.default_rng([seed, *name.encode()])
        picked = {o: _some_frames(truth, o, frames_per_sequence, rng) for o in ids}
        if not any(picked.values()):
            raise ValueError(f"no object of {name!r} is shown on more than one frame.")
        masks = soft = None
        if start == "propagated":
            flow = engines.create("propagator", propagator)
            given = given_masks(truth, ids, [min(truth)])
            masks, soft = propagated_masks(
                flow,
                sequence.video,
                given,
                ids,
                keep={f for frames in picked.values() for f in frames},
            )
        ious, times = [], []
        for column, obj in enumerate(ids, start=1):
            for frame in picked[obj]:
                iou, spent = _click_through(
                    engine,
                    sequence.video.frame(frame),
                    truth[frame] == obj,
                    None if masks is None else masks[frame] == obj,
                    None if soft is None else soft[frame][column],
                    clicks,
                    (name, frame),
                    told,
                )
                ious.append(iou)
                times += spent
        sequence.video.close()
        return {"ious": ious, "seconds": times}

    options = {
        "what": "clicks",
        "predictor": EngineOption("predictor", predictor),
        "clicks": clicks,
        "start": start,
        "frames_per_sequence": frames_per_sequence,
        "seed": seed,
        "propagator": start == "propagated" and EngineOption("propagator", propagator),
        "alone": alone,
    }
    rows = Rows() if rows is None else rows
    ious: dict[str, np.ndarray] = {}
    needed: dict[str, list[int]] = {str(round(100 * iou)): [] for iou in NOC_IOU}
    times: list[float] = []
    for name in names:
        row = rows.measured(options, root, name, partial(measure, name))
        ious[name] = np.array([iou[: clicks + 1] for iou in row["ious"]])
        times += row["seconds"]
        for iou in row["ious"]:
            for wanted, counts in zip(NOC_IOU, needed.values(), strict=True):
                reached = (n for n, value in enumerate(iou[: NOC_CAP + 1]) if value >= wanted)
                counts.append(next(reached, NOC_CAP))
        path = "  ".join(f"{v:.3f}" for v in ious[name].mean(axis=0))
        report(f"{name:24s} {path}")
    every = np.concatenate(list(ious.values()))
    good = every[:, 0] >= GOOD_START
    return {
        "predictor": predictor if isinstance(predictor, str) else predictor.name,
        "start": start,
        "propagator": propagator if start == "propagated" else None,
        "clicks": clicks,
        "frames_per_sequence": frames_per_sequence,
        "seed": seed,
        "alone": alone,
        "n": len(every),
        "noc": {iou: float(np.mean(counts)) for iou, counts in needed.items()},
        "iou_after_clicks": every.mean(axis=0).tolist(),
        "standard_error": [
            standard_error([v.mean(axis=0)[i] for v in ious.values()]) for i in range(clicks + 1)
        ],
        "good_start": _part(every[good]),
        "bad_start": _part(every[~good]),
        "sequences": {name: v.mean(axis=0).tolist() for name, v in ious.items()},
        "ms_per_click": 1000 * float(np.median(times)) if times else None,
    }


def _some_frames(
    truth: Mapping[int, np.ndarray], obj: int, n: int, rng: np.random.Generator
) -> list[int]:
    """At most `n` frames that show the object, without the first of them, ascending."""
    shown = [f for f in sorted(truth) if f > first_shown(truth, obj) and (truth[f] == obj).any()]
    return sorted(int(f) for f in rng.permutation(shown)[:n])


def _click_through(
    engine: MaskPredictor,
    image: np.ndarray,
    truth: np.ndarray,
    previous: np.ndarray | None,
    probabilities: np.ndarray | None,
    n: int,
    key: tuple[str, int],
    told: Callable[[Prediction, Prompts], Prediction],
) -> tuple[list[float], list[float]]:
    """IoU before any click and after each, and the seconds of each.

    At least `n` clicks, and more until the best IoU of `NOC_IOU` or `NOC_CAP` of them.
    """
    if previous is not None and not previous.any():
        previous = probabilities = None
    mask = previous if previous is not None else np.zeros_like(truth)
    iou, spent, clicks = [jaccard(mask, truth)], [], []
    for made in range(max(n, NOC_CAP)):
        if made >= n and max(iou) >= max(NOC_IOU):
            break
        click = corrective_click(mask, truth)
        if click is not None:
            clicks.append(click)
            prompts = Prompts(
                clicks=tuple(clicks), previous_mask=previous, previous_probabilities=probabilities
            )
            begin = time.perf_counter()
            found = engine.predict(image, prompts, key=key)
            refuse(engine, "predictor", prediction_fault(found, truth.shape))
            mask = told(found, prompts).mask
            spent.append(time.perf_counter() - begin)
        iou.append(jaccard(mask, truth))
    return iou, spent


def _alone(prediction: Prediction, prompts: Prompts) -> Prediction:
    """What the predictor says, in the place of `as_told`."""
    return prediction


def _part(rows: np.ndarray) -> dict[str, Any]:
    means = rows.mean(axis=0).tolist() if len(rows) else None
    return {"n": len(rows), "iou_after_clicks": means}


def evaluate_second_object(
    root: Path,
    names: Sequence[str],
    predictor: str | MaskPredictor,
    *,
    frames: Sequence[int] | None = None,
    alone: bool = False,
    rows: Rows | None = None,
    report: Report = print,
) -> dict[str, Any]:
    """One negative click in the middle of a second object that a mask wrongly holds.

    Every ordered pair of objects of a frame that do not touch and have `LEAST_PIXELS` or more:
    the mask holds both, one is the object and the other is not.

    Parameters
    ----------
    root, names, predictor, alone, rows, report : as for `evaluate_clicks`
    frames : sequence of int, optional
        By default every twentieth.

    Returns
    -------
    dict
        ``pairs``: how many; medians of the share of the second object that is ``removed`` and
        of the first that is ``kept``; ``right``: the share of pairs with `REMOVED` and `KEPT`
        or more; and the options.
    """
    engine: MaskPredictor = engines.create("predictor", predictor)
    told = _alone if alone else as_told

    def measure(name: str) -> dict[str, Any]:
        """What is removed and kept of every pair of a sequence."""
        sequence = open_sequence(root, name)
        truth = all_masks(sequence.ground_truth, name)
        pairs: list[tuple[float, float]] = []
        for frame in truth if frames is None else frames:
            if frames is None and frame % SECOND_OBJECT_EVERY:
                continue
            masks = {o: truth[frame] == o for o in ids_of({frame: truth[frame]})}
            masks = {o: m for o, m in masks.items() if np.count_nonzero(m) >= LEAST_PIXELS}
            for first, second in permutations(masks.values(), 2):
                if cv2.dilate(first.astype(np.uint8), np.ones((3, 3), np.uint8))[second].any():
                    continue
                click = corrective_click(first | second, first)
                assert click is not None
                prompts = Prompts(clicks=(click,), previous_mask=first | second)
                predicted = engine.predict(sequence.video.frame(frame), prompts, key=(name, frame))
                mask = told(predicted, prompts).mask
                pairs.append((1 - float(mask[second].mean()), float(mask[first].mean())))
        sequence.video.close()
        return {"pairs": pairs}

    options = {
        "what": "second-object",
        "predictor": EngineOption("predictor", predictor),
        "frames": None if frames is None else list(frames),
        "alone": alone,
    }
    rows = Rows() if rows is None else rows
    every: list[list[float]] = []
    for name in names:
        pairs = rows.measured(options, root, name, partial(measure, name))["pairs"]
        if pairs:
            removed, kept = np.median(pairs, axis=0)
            report(f"{name:24s} {len(pairs)} pairs: {removed:.3f} removed, {kept:.3f} kept")
        every += pairs
    if not every:
        raise ValueError(
            f"no frame of {list(names)} has two objects of {LEAST_PIXELS} pixels apart; "
            "give sequences with several objects."
        )
    shares = np.array(every)
    return {
        "predictor": predictor if isinstance(predictor, str) else predictor.name,
        "start": "second-object",
        "alone": alone,
        "pairs": len(shares),
        "removed": float(np.median(shares[:, 0])),
        "kept": float(np.median(shares[:, 1])),
        "right": float(((shares[:, 0] >= REMOVED) & (shares[:, 1] >= KEPT)).mean()),
    }

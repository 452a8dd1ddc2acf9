"""How well quality is predicted without ground truth, and the weights that predict it best."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.stats import rankdata

from evavos_widget import engines
from evavos_widget.datasets.davis import open_sequence
from evavos_widget.evaluation.rows import EngineOption, Rows
from evavos_widget.evaluation.sequences import Report, all_masks, given_masks, ids_of, spread
from evavos_widget.loop import Annotation, completed
from evavos_widget.metrics import score_frame
from evavos_widget.probabilities import expected_iou, predicted_quality

__all__ = ["calibrate_quality", "mean_error"]

ANNOTATED = (1, 2, 4)
"""There is a pass for each of these numbers of annotated frames; objects that these do not show are
given where they are shown first."""

EVERY = 3
"""Every third frame is a sample: neighbours say the same."""


def calibrate_quality(
    root: Path,
    names: Sequence[str],
    propagator: str,
    *,
    rows: Rows | None = None,
    report: Report = print,
) -> dict[str, Any]:
    """Compare predicted with true J&F, and fit the weights of the prediction.

    Parameters
    ----------
    root : Path
        Holds ``JPEGImages`` and ``Annotations``.
    names : sequence of str
        Fit on training sequences only.
    propagator : str
    rows : Rows, optional
        What was measured before, and where it is kept.
    report : callable
        Told one line per pass.

    Returns
    -------
    dict
        ``n`` samples; ``mean_absolute_error`` of the prediction as it is;
        ``rank_correlation`` with the truth within a pass, mean over passes, of the
        prediction and of the expected IoU alone, None where no pass has enough frames;
        ``mean_error``, of the mean over a pass's frames, true less predicted: ``bias`` and
        standard ``deviation``, over sequences (`evavos_widget.campaign.MeanError`);
        ``fitted_weights``, the best
        `evavos_widget.probabilities.QUALITY_WEIGHTS` on these sequences.
    """
    options = {
        "what": "quality",
        "propagator": EngineOption("propagator", propagator),
    }
    rows = Rows() if rows is None else rows
    passes: list[np.ndarray] = []
    apart: dict[str, list[float]] = {}
    for name in names:
        row = rows.measured(options, root, name, partial(_measured, root, name, propagator))
        for k, samples in row["passes"]:
            passes.append(np.array(samples))
            _, _, predicted, true = passes[-1].mean(axis=0)
            apart.setdefault(name, []).append(float(true - predicted))
            report(f"{name:24s} K = {k}  predicted {predicted:.3f}  true {true:.3f}")
    if not passes:
        raise ValueError(
            f"no frame of {list(names)} is left to predict beside the annotated ones; give "
            "sequences with masks on more frames."
        )
    every = np.concatenate(passes)
    iou = np.clip(every[:, 0], 0.02, 0.98)
    cues = np.stack([np.ones(len(every)), np.log(iou / (1 - iou)), np.log1p(every[:, 1])], axis=1)

    def loss(weights: np.ndarray) -> float:
        return float(np.mean((1 / (1 + np.exp(-cues @ weights)) - every[:, 3]) ** 2))

    return {
        "propagator": propagator,
        "n": len(every),
        "mean_absolute_error": float(np.abs(every[:, 2] - every[:, 3]).mean()),
        "rank_correlation": {
            "predicted": _rank_correlation(passes, 2),
            "expected_iou": _rank_correlation(passes, 0),
        },
        "mean_error": mean_error(list(apart.values())),
        "fitted_weights": minimize(loss, np.array([0.0, 1.0, 0.0])).x.round(2).tolist(),
    }


def _measured(root: Path, name: str, propagator: str) -> dict[str, Any]:
    """Of each pass over a sequence K and its samples: expected IoU, distance, and both J&F."""
    sequence = open_sequence(root, name)
    masks = all_masks(sequence.ground_truth, name)
    ids = ids_of(masks)
    # All objects are one, which is given anew where some of it is shown for the first time.
    truth = {f: (labels > 0).astype(np.uint8) for f, labels in masks.items()}
    passes = []
    for k in ANNOTATED:
        given = given_masks(masks, ids, spread(sorted(masks), k))
        annotations = {f: Annotation(truth[f], frozenset({1})) for f in given}
        frames = [f for f in sorted(truth)[::EVERY] if f not in given]
        engine = engines.create("propagator", propagator)
        weights = engine.quality_weights
        samples = []
        steps = engine.propagate(sequence.video, annotations, [1], frames)
        for frame, probabilities in completed(steps):
            soft = probabilities[1]
            distance = min(abs(int(frame) - f) for f in given)
            mask = (probabilities.argmax(axis=0) == 1).astype(np.uint8)
            true = float(score_frame(mask, truth[frame], [1]).mean())
            predicted = float(predicted_quality(soft, distance, weights))
            samples.append((expected_iou(soft), distance, predicted, true))
        if samples:
            passes.append((k, samples))
    sequence.video.close()
    return {"passes": passes}


def _rank_correlation(passes: Sequence[np.ndarray], column: int) -> float | None:
    """Spearman correlation with the truth within each pass, mean over passes that say it."""
    values = [
        np.corrcoef(rankdata(rows[:, column]), rankdata(rows[:, 3]))[0, 1]
        for rows in passes
        if len(rows) > 5 and np.ptp(rows[:, column]) > 0 and np.ptp(rows[:, 3]) > 0
    ]
    return float(np.mean(values)) if values else None


def mean_error(apart: Sequence[Sequence[float]]) -> dict[str, float | int]:
    """Bias and standard deviation, 0 to 1, of all passes; passes of one sequence are no others."""
    every = np.concatenate([np.asarray(each) for each in apart])
    bias = float(every.mean())
    n = len(apart)
    # Each sequence counts once, however many passes it had.
    squares = np.mean([np.mean((np.asarray(each) - bias) ** 2) for each in apart])
    return {"bias": bias, "deviation": float(np.sqrt(squares * n / max(1, n - 1))), "n": n}

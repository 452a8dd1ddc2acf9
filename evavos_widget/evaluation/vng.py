"""Scores for Video Narrative Grounding: one mask sequence for each noun, each on its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from evavos_widget.evaluation.sequences import Report, standard_error
from evavos_widget.formats.vng import Expression, VngVideo, read
from evavos_widget.masks import read_label_png
from evavos_widget.metrics import j_and_f

__all__ = ["evaluate_vng"]


def evaluate_vng(truth: Path, predictions: Path, report: Report = print) -> dict[str, Any]:
    """J and F of predictions for a set.

    Of every expression the mean over all frames that have a mask, the first and the last too, and
    then the mean over expressions (the evaluation of Video Localized Narratives). A frame where
    neither truth nor prediction has a pixel counts as 1.

    Parameters
    ----------
    truth : Path
        A folder that `evavos_widget.formats.vng.write` wrote.
    predictions : Path
        Holds ``<video>/<expression>/<frame>.png``, the object where it is not 0.
    report : callable
        Told one line per video.

    Returns
    -------
    dict
        ``j``, ``f``, ``jf``: means over expressions, fractions of 1; ``standard_error`` of the
        last over videos; ``expressions``: the same three by ``"video/expression"``; ``frames``: how
        many were scored.

    Raises
    ------
    FileNotFoundError
        A prediction of a frame that has a mask is not there.
    ValueError
        The set has no expression with a mask, or a prediction has another size.
    """
    scores: dict[str, dict[str, float]] = {}
    per_video: list[float] = []
    n_frames = 0
    for video in read(truth):
        of_video = []
        for expression in video.expressions:
            frames = video.annotated(expression)
            if not frames:
                continue
            each = [_score(video, expression, f, predictions) for f in frames]
            j, f = np.mean(each, axis=0).tolist()
            scores[f"{video.name}/{expression.id}"] = {"j": j, "f": f, "jf": (j + f) / 2}
            of_video.append((j + f) / 2)
            n_frames += len(frames)
        if of_video:
            per_video.append(float(np.mean(of_video)))
            report(f"{video.name:24s} J&F {per_video[-1]:.3f} of {len(of_video)} nouns")
    if not scores:
        raise ValueError(f"{truth} has no expression with a mask; there is nothing to score.")
    return {
        **{k: float(np.mean([s[k] for s in scores.values()])) for k in ("j", "f", "jf")},
        "standard_error": standard_error(per_video),
        "expressions": scores,
        "frames": n_frames,
    }


def _score(
    video: VngVideo, expression: Expression, frame: int, predictions: Path
) -> tuple[float, float]:
    path = predictions / video.name / expression.id / f"{video.frames[frame]}.png"
    if not path.is_file():
        raise FileNotFoundError(
            f"the prediction {path} is missing, and no frame may be left out; write an empty mask "
            "where nothing was found."
        )
    expected, found = video.mask(expression, frame), read_label_png(path)
    assert expected is not None  # only annotated frames are scored
    if found.shape != expected.shape:
        raise ValueError(
            f"{path} is {found.shape[1]} x {found.shape[0]} and the mask "
            f"{expected.shape[1]} x {expected.shape[0]}; predict at the size of the set."
        )
    return j_and_f(found, expected)

"""What prompts say outright, whatever a predictor made of them (Sec. 2.4).

A predictor guesses; a click does not. So these rules belong to the stage and hold for every
predictor: a piece of the mask that a negative click points at goes, what is far from every
click stays as it was, nothing stays outside a box, and what others hold by hand is not this
object.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from evavos_widget.prompts import Click, Prediction, Prompts

__all__ = ["as_told"]

REACH = 0.25
"""How near negative clicks are to the pieces that they may change, in square roots of the area of
the mask they correct: a quarter of the side of a square as large."""

POSITIVE_REACH = 2.0
"""The same where one of the clicks is positive; 0.25 cost 0.014 IoU (docs/corrections.md)."""

LEAST_REACH = 16.0
"""Pixels that are near in any case, for small objects."""

MIDDLE = 0.6
"""A negative click means a whole piece where it lies in its middle: this share of the largest
distance to the border of the piece, or more. Of clicks on what juts out of an object, 19 of 20
are at 0.41 or less (docs/corrections.md)."""

LEAST_LEFT = 0.05
"""What stays has at least this share of what goes: beside a speck, a piece is the object."""

MOST_PIECES = 4
"""A mask in more pieces than this, specks aside, is no object beside another but in ruins; which
of them are meant is left to the predictor."""


def as_told(prediction: Prediction, prompts: Prompts) -> Prediction:
    """A prediction that agrees with the prompts it came from.

    Parameters
    ----------
    prediction : Prediction
    prompts : Prompts

    Returns
    -------
    Prediction
        Where a pixel was changed, its probability is 0 or 1.
    """
    mask = prediction.mask
    before = prompts.previous_mask
    if before is not None and prompts.clicks and not _in_ruins(before):
        meant = _pointed_at(before, mask, prompts.clicks)
        mask = _near_the_clicks(mask, before, prompts) & ~meant
    mask = _without_refused_pieces(mask, prompts.clicks)
    if prompts.box is not None:
        mask = mask & (_inside(prompts, mask.shape) | _accepted_pieces(mask, prompts.clicks))
    if prompts.held is not None:
        mask = mask & ~(prompts.held & ~_accepted_pieces(prompts.held, prompts.clicks))
    if mask is prediction.mask or np.array_equal(mask, prediction.mask):
        return prediction
    sure = np.where(mask == prediction.mask, prediction.probabilities, mask)
    return replace(prediction, mask=mask, probabilities=sure.astype(np.float32))


def _in_ruins(mask: np.ndarray) -> bool:
    _, pieces = _pieces(mask)
    sizes = np.bincount(pieces.ravel())[1:]
    return bool(np.count_nonzero(sizes >= LEAST_LEFT * sizes.sum()) > MOST_PIECES)


def _near_the_clicks(mask: np.ndarray, before: np.ndarray, prompts: Prompts) -> np.ndarray:
    """`mask` where a piece of it, or of what was before, is near a click; `before` elsewhere."""
    if prompts.scribbles or prompts.box is not None:
        return mask
    away = np.ones(mask.shape, np.uint8)
    for click in prompts.clicks:
        away[_pixel(click, mask.shape)] = 0
    distance = cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # A click on the object tells the predictor more about the rest than one beside it.
    side = float(np.sqrt(np.count_nonzero(before)))
    share = REACH if all(not click.positive for click in prompts.clicks) else POSITIVE_REACH
    reach = max(LEAST_REACH, share * side)
    n, pieces = _pieces(mask | before)
    near = np.zeros(n, bool)
    near[np.unique(pieces[distance <= reach])] = True
    return np.where(near[pieces], mask, before)


def _pointed_at(before: np.ndarray, predicted: np.ndarray, clicks: tuple[Click, ...]) -> np.ndarray:
    """What of the mask `before` the negative clicks mean as a whole.

    A piece that is not the only one, that no positive click is on, also through what was
    predicted, and that has the click in its middle; and with it smaller pieces that are nearer
    to it than to what stays, since what occludes an object parts it.
    """
    n, pieces = _pieces(before)
    _, joined = _pieces(before | predicted)
    accepted = [int(joined[_pixel(c, before.shape)]) for c in clicks if c.positive]
    wanted = set(np.unique(pieces[np.isin(joined, accepted)]).tolist()) if accepted else set()
    meant: set[int] = set()
    for click in clicks:
        number = int(pieces[_pixel(click, before.shape)])
        if click.positive or number in (0, *wanted) or n <= 2:
            continue
        piece = np.pad(pieces == number, 1).astype(np.uint8)
        depth = cv2.distanceTransform(piece, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
        if depth[_pixel(click, before.shape)] >= MIDDLE * depth.max():
            meant.add(number)
    sizes = np.bincount(pieces.ravel(), minlength=n)
    left = [k for k in range(1, n) if k not in meant]
    stays = wanted - {0} or {max(left, key=lambda k: sizes[k], default=0)}
    if not meant or sum(sizes[list(stays)]) < LEAST_LEFT * sum(sizes[list(meant)]) or 0 in stays:
        return np.zeros_like(before)
    largest = max(sizes[k] for k in meant)
    stays |= {k for k in left if sizes[k] > largest}
    return np.isin(pieces, list(_with_those_nearer(pieces, meant, stays, n)))


def _with_those_nearer(pieces: np.ndarray, meant: set[int], stays: set[int], n: int) -> set[int]:
    """The pieces that belong to `meant` when each joins the group that is nearest to it."""
    meant, stays = set(meant), set(stays)
    open_pieces = set(range(1, n)) - meant - stays
    while open_pieces:
        nearest: tuple[float, int, set[int]] | None = None
        for group in (meant, stays):
            away = cv2.distanceTransform(
                (~np.isin(pieces, list(group))).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5
            )
            for k in open_pieces:
                distance = float(away[pieces == k].min())
                if nearest is None or distance < nearest[0]:
                    nearest = (distance, k, group)
        assert nearest is not None
        nearest[2].add(nearest[1])
        open_pieces.discard(nearest[1])
    return meant


def _without_refused_pieces(mask: np.ndarray, clicks: tuple[Click, ...]) -> np.ndarray:
    """`mask` without the pieces that still hold a negative click and no positive one."""
    refused = [c for c in clicks if not c.positive and mask[_pixel(c, mask.shape)]]
    if not refused:
        return mask
    n, pieces = _pieces(mask)
    wanted = {int(pieces[_pixel(c, mask.shape)]) for c in clicks if c.positive}
    gone = {int(pieces[_pixel(c, mask.shape)]) for c in refused} - wanted
    if n - 1 == len(gone):  # nothing would be left, which is no correction but absence
        return mask
    return mask & ~np.isin(pieces, list(gone))


def _accepted_pieces(mask: np.ndarray, clicks: tuple[Click, ...]) -> np.ndarray:
    """The pieces of `mask` that a positive click points at."""
    _, pieces = _pieces(mask)
    wanted = {int(pieces[_pixel(c, mask.shape)]) for c in clicks if c.positive} - {0}
    return np.isin(pieces, list(wanted))


def _pieces(mask: np.ndarray) -> tuple[int, np.ndarray]:
    """How many 8-connected pieces there are, the background counted, and which each pixel is of."""
    n, pieces = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    return n, np.asarray(pieces, dtype=np.int32)


def _inside(prompts: Prompts, shape: tuple[int, ...]) -> np.ndarray:
    box = prompts.box
    assert box is not None
    y, x = np.ogrid[: shape[0], : shape[1]]
    return (x >= box.x0 - 0.5) & (x <= box.x1 + 0.5) & (y >= box.y0 - 0.5) & (y <= box.y1 + 0.5)


def _pixel(click: Click, shape: tuple[int, ...]) -> tuple[int, int]:
    row, column = round(click.y), round(click.x)
    return min(max(row, 0), shape[0] - 1), min(max(column, 0), shape[1] - 1)

"""What one stroke says about every superpixel: cues, and their weights.

A stroke (a click, or a scribble) claims a label for the place it touches. The cues measure,
per superpixel, how likely it shares that fate; a linear form of them is a log odds. Its
weights were fitted by logistic regression on simulated clicks on DAVIS-2016 train
(docs/classical_clicks.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from evavos_widget.mask_prediction.superpixels import SuperpixelGraph

__all__ = ["CUES", "WEIGHTS", "Stroke", "cues"]


@dataclass(frozen=True, eq=False)
class Stroke:
    """A place that was given a label.

    Parameters
    ----------
    points : (M, 2) float array
        ``(x, y)`` in working pixels.
    positive : bool
    """

    points: np.ndarray
    positive: bool

    def pixels(self, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of the touched pixels."""
        columns, rows = np.round(self.points).astype(int).T
        return np.clip(rows, 0, shape[0] - 1), np.clip(columns, 0, shape[1] - 1)


#: Cue -> its weight for the first click on nothing, for a positive and for a negative one.
WEIGHTS_BY_CUE = {
    "one": (0.061, 0.581, 9.031),
    "log geodesic": (-0.322, 0.233, -1.059),
    "geodesic": (0.097, 0.123, -0.030),
    "barrier": (0.149, 0.054, -0.199),
    "distance / room": (-0.180, 0.101, -0.226),
    "distance": (-0.166, -0.171, -0.085),
    "log distance": (-0.854, -1.066, -0.203),
    "color difference": (0.157, 0.022, -0.112),
    "color odds": (0.501, 0.296, 0.227),
    "local color odds": (0.233, 0.326, 0.174),
    "color support": (-0.139, -0.103, 0.110),
    "log geodesic to rivals": (0.000, 0.396, 0.599),
    "geodesic share": (1.979, -0.169, 0.182),
    "log geodesic to allies": (0.000, -0.413, -0.391),
    "depth": (0.148, -1.395, -1.995),
    "log odds before": (0.000, 0.068, -0.033),
    "border distance": (-0.046, 0.141, 0.122),
    "border likeness": (0.959, 0.079, -0.360),
    "border share": (5.980, 3.032, -5.514),
    "log room": (-0.230, 0.319, 0.287),
}
CUES = tuple(WEIGHTS_BY_CUE)
CASES = ("first", "positive", "negative")
WEIGHTS = {
    case: np.array([row[k] for row in WEIGHTS_BY_CUE.values()], np.float32)
    for k, case in enumerate(CASES)
}


def cues(
    graph: SuperpixelGraph, probability: np.ndarray, strokes: Sequence[Stroke]
) -> tuple[np.ndarray, str]:
    """Cues of the last of `strokes` for every superpixel, and the case it is.

    Parameters
    ----------
    graph : SuperpixelGraph
    probability : (h, w) float32 array in [0, 1]
        Foreground before the last stroke.
    strokes : sequence of Stroke
        At least one.

    Returns
    -------
    cues : (N, len(CUES)) float32 array
    case : str
        Key of `WEIGHTS`.
    """
    stroke, earlier = strokes[-1], strokes[:-1]
    rows, columns = stroke.pixels(graph.shape)
    foreground = probability > 0.5
    empty = not foreground.any()

    # Room: how far the stroke lies inside the region that it says is mislabelled. A click is
    # made in the middle of an error, so the error is about that large or smaller.
    depth = _inner_distance(foreground != stroke.positive)
    room = max(2.0, float(depth[rows, columns].max()))
    if empty:
        room = min(room, 0.25 * min(graph.shape))

    touched = np.unique(graph.labels[rows, columns])
    distance = _distance_to(graph.position, stroke.points)
    disc = np.union1d(np.flatnonzero(distance < max(3.0, 0.35 * room)), touched)
    same = graph.average(probability if stroke.positive else 1 - probability)
    other = 1 - same

    # Whom do look-alikes belong to? What surrounds the stroke is in doubt and has no say.
    doubt = np.exp(-(distance**2) / (2 * (0.5 * room) ** 2))
    allies = np.where(same > 0.5, same, 0).astype(np.float32)
    rivals = (np.where(other > 0.5, other, 0) * (1 - doubt)).astype(np.float32)
    allies[disc] = np.maximum(allies[disc], 1)
    if empty:
        rivals[:] = 0
        rivals[graph.border] = 1
    for before in earlier:
        side = allies if before.positive == stroke.positive else rivals
        side[_touched(graph, [before])] += 2
    likeness, unlikeness = graph.affinity @ allies + 1, graph.affinity @ rivals + 1
    color_odds = np.log(likeness / unlikeness * max(rivals.sum(), 1) / allies.sum())
    local_odds = np.log((graph.local_affinity @ allies + 1) / (graph.local_affinity @ rivals + 1))

    geodesic = graph.geodesic(touched)
    to_allies, to_rivals = (
        graph.geodesic(_touched(graph, [s for s in earlier if s.positive == sign]), limit=300.0)
        for sign in (stroke.positive, not stroke.positive)
    )
    log_odds = np.log(np.clip(same, 0.02, 0.98) / np.clip(other, 0.02, 0.98))
    columns_of_cues = [
        np.ones(graph.n),
        np.log1p(geodesic),
        geodesic / 20,
        np.minimum(graph.barrier(touched), 20) / 5,
        np.minimum(distance / room, 6),
        distance / np.hypot(*graph.shape) * 10,
        np.log1p(distance),
        np.minimum(_distance_to(graph.descriptor, graph.descriptor[_thin(disc)]), 60) / 10,
        np.clip(color_odds, -6, 6),
        np.clip(local_odds, -6, 6),
        np.log1p(graph.affinity[:, disc].mean(1)),
        np.log1p(to_rivals),
        geodesic / (geodesic + to_rivals + 1),
        np.log1p(to_allies),
        np.minimum(graph.average(depth) / room, 2),
        log_odds,
        np.minimum(graph.border_distance, 100) / 10,
        graph.border_likeness * 10,
        graph.border_distance / (geodesic + graph.border_distance + 1),
        np.full(graph.n, np.log(room)),
    ]
    case = "first" if empty else "positive" if stroke.positive else "negative"
    return np.stack(columns_of_cues, axis=1).astype(np.float32), case


def _touched(graph: SuperpixelGraph, strokes: Sequence[Stroke]) -> np.ndarray:
    hit = [graph.labels[s.pixels(graph.shape)] for s in strokes]
    return np.unique(np.concatenate(hit)) if hit else np.empty(0, int)


def _inner_distance(region: np.ndarray) -> np.ndarray:
    """Distance to the region's outside, the picture's border included."""
    padded = np.pad(region.astype(np.uint8), 1)
    return cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]


def _thin(members: np.ndarray) -> np.ndarray:
    return members[:: len(members) // 64 + 1]


def _distance_to(points: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Distance of every point to the nearest of some targets, at most 64 of which count."""
    differences = points[:, None] - _thin(np.asarray(targets, np.float32))[None]
    return np.sqrt((differences**2).sum(-1)).min(1)

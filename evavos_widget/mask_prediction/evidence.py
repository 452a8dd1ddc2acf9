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

__all__ = ["Evidence", "Stroke", "gather", "reconsider"]


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


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the last stroke meets.

    Parameters
    ----------
    case : {'first', 'positive', 'negative'}
        A stroke on nothing, or its sign.
    touched : (T,) int array
        Superpixels under the stroke.
    same : (N,) float32 array in [0, 1]
        How much of each superpixel has the stroke's label already.
    cues : (N, 12) float32 array
        In the order of the weights of the first look.
    allies, rivals : (N,) float32 array
        How much each superpixel speaks for the stroke's label, and for the other one.
    distance : (N,) float32 array
        Working pixels to the stroke.
    room : float
        How far the stroke lies inside the region that it says is mislabelled, working pixels.
    """

    case: str
    touched: np.ndarray
    same: np.ndarray
    cues: np.ndarray
    allies: np.ndarray
    rivals: np.ndarray
    distance: np.ndarray
    room: float

    def near(self, reach: float) -> np.ndarray:
        """Superpixels within `reach` times the room of the stroke, (N,) bool."""
        return self.distance < reach * self.room


def gather(graph: SuperpixelGraph, probability: np.ndarray, strokes: Sequence[Stroke]) -> Evidence:
    """Cues of the last of `strokes` for every superpixel.

    Parameters
    ----------
    graph : SuperpixelGraph
    probability : (h, w) float32 array in [0, 1]
        Foreground before the last stroke.
    strokes : sequence of Stroke
        At least one.
    """
    stroke, earlier = strokes[-1], strokes[:-1]
    rows, columns = stroke.pixels(graph.shape)
    foreground = probability > 0.5
    empty = not foreground.any()

    # A click is made in the middle of an error, so the error is about as large as the room.
    depth = _inner_distance(foreground != stroke.positive)
    room = max(2.0, float(depth[rows, columns].max()))
    if empty:
        room = min(room, 0.25 * min(graph.shape))

    touched = _touched(graph, [stroke])
    distance = _distance_to(graph.position, stroke.points)
    core = np.union1d(np.flatnonzero(distance < max(3.0, 0.35 * room)), touched)
    same = graph.average(probability if stroke.positive else 1 - probability)

    # Whom do look-alikes belong to? What surrounds the stroke is in doubt and has no say.
    doubt = np.exp(-(distance**2) / (2 * (0.5 * room) ** 2))
    allies = np.where(same > 0.5, same, 0).astype(np.float32)
    rivals = (np.where(same < 0.5, 1 - same, 0) * (1 - doubt)).astype(np.float32)
    allies[core] = 1
    if empty:
        rivals[:] = 0
        rivals[graph.border] = 1
    for before in earlier:
        side = allies if before.positive == stroke.positive else rivals
        side[_touched(graph, [before])] += 2
    color_odds = np.log((graph.affinity @ allies + 1) / (graph.affinity @ rivals + 1))
    color_odds += np.log(max(rivals.sum(), 1) / allies.sum())

    geodesic = graph.geodesic(touched)
    # With nothing to compete with yet, earlier strokes speak through their colours alone.
    rooted = [] if empty else earlier
    to_allies, to_rivals = (
        graph.geodesic(_touched(graph, [s for s in rooted if s.positive == sign]), limit=300.0)
        for sign in (stroke.positive, not stroke.positive)
    )
    cues = {
        "one": np.ones(graph.n),
        "log geodesic": np.log1p(geodesic),
        "distance / room": np.minimum(distance / room, 6),
        "distance / diagonal": distance / np.hypot(*graph.shape),
        "log distance": np.log1p(distance),
        "color odds": np.clip(color_odds, -6, 6),
        "local color odds": np.clip(_local_odds(graph, allies, rivals), -6, 6),
        "log geodesic to rivals": np.log1p(to_rivals),
        "geodesic share": geodesic / (geodesic + to_rivals + 1),
        "log geodesic to allies": np.log1p(to_allies),
        "depth / room": np.minimum(graph.average(depth) / room, 2),
        "log room": np.full(graph.n, np.log(room)),
    }
    return Evidence(
        case="first" if empty else "positive" if stroke.positive else "negative",
        touched=touched,
        same=same,
        cues=_stack(cues),
        allies=allies,
        rivals=rivals,
        distance=distance,
        room=room,
    )


def reconsider(graph: SuperpixelGraph, evidence: Evidence, odds: np.ndarray) -> np.ndarray:
    """Cues that follow from a first guess: what is claimed speaks for its look-alikes.

    Parameters
    ----------
    graph : SuperpixelGraph
    evidence : Evidence
    odds : (N,) float32 array
        Log odds of the first look.

    Returns
    -------
    (N, 17) float32 array
        The cues of the first look, then the new ones.
    """
    odds = np.clip(odds, -6, 6)
    claim = (1 / (1 + np.exp(-odds))).astype(np.float32)
    same, other = evidence.same, 1 - evidence.same
    kept = np.where(same > 0.5, same, 0).astype(np.float32)
    rest = other * (1 - claim)
    scale = 2 * np.log(evidence.room)
    size_of_claim = np.log1p(graph.area @ (claim * other)) - scale
    size_of_kept = np.log1p(graph.area @ kept) - scale
    cues = {
        "odds around": graph.smooth(odds),
        "local color odds again": _local_odds(graph, np.maximum(kept, claim), rest),
        "local claim odds": _local_odds(graph, claim * other, rest),
        "log claim / room": np.full(graph.n, size_of_claim),
        "log kept / room": np.full(graph.n, size_of_kept),
    }
    return np.concatenate([evidence.cues, _stack(cues)], axis=1)


def _stack(cues: dict[str, np.ndarray]) -> np.ndarray:
    return np.stack(list(cues.values()), axis=1).astype(np.float32)


def _local_odds(graph: SuperpixelGraph, allies: np.ndarray, rivals: np.ndarray) -> np.ndarray:
    both = graph.local_affinity @ np.stack([allies, rivals], axis=1) + 1
    return np.log(both[:, 0] / both[:, 1])


def _touched(graph: SuperpixelGraph, strokes: Sequence[Stroke]) -> np.ndarray:
    hit = [graph.labels[s.pixels(graph.shape)] for s in strokes]
    return np.unique(np.concatenate(hit)) if hit else np.empty(0, int)


def _inner_distance(region: np.ndarray) -> np.ndarray:
    """Distance to the region's outside, the picture's border included."""
    padded = np.pad(region.astype(np.uint8), 1)
    return cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]


def _distance_to(points: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Distance of every point to the nearest of some targets, of which some 64 count."""
    some = np.asarray(targets, np.float32)[:: len(targets) // 64 + 1]
    return np.sqrt(((points[:, None] - some) ** 2).sum(-1)).min(1)

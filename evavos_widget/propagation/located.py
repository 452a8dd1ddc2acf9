"""Annotations that consist of points: the masks that a network finds for them on their frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from evavos_widget.loop import Annotation

__all__ = ["located"]


def located(
    annotations: Mapping[int, Annotation],
    probabilities: Callable[[int, Annotation], Mapping[int, np.ndarray]],
) -> dict[int, Annotation]:
    """K in which every object has a mask, those of points as well, which they keep.

    A pixel that a point is on is what the point says; where masks overlap, what is drawn goes
    first, then the higher probability.

    Parameters
    ----------
    annotations : mapping of frame -> Annotation
    probabilities : callable
        Of the objects of an annotation that have points, (H, W) float arrays; called with the
        frame and the annotation.
    """
    whole = dict(annotations)
    for frame, annotation in annotations.items():
        if not annotation.points:
            continue
        labels = annotation.labels.copy()
        best = np.where(labels > 0, np.inf, 0.5)
        for obj, alone in probabilities(frame, annotation).items():
            said = alone.astype(np.float64)
            for p in annotation.points[obj]:
                if p.label != "unknown":
                    said[p.y, p.x] = 2.0 if p.label == "positive" else 0.0
            wins = said > best
            labels[wins], best[wins] = obj, said[wins]
        whole[frame] = Annotation(labels, annotation.objects, annotation.sources, annotation.points)
    return whole

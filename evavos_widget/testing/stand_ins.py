"""Small engines that follow the protocols, for tests that need no real ones."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence

import numpy as np

from evavos_widget.loop import (
    Annotation,
    MaskPredictor,
    PropagationStep,
    Propagator,
    Steps,
    nearest_annotated,
    objects_annotated,
)
from evavos_widget.prompts import Prediction, Prompts
from evavos_widget.video import Video

__all__ = ["Disks", "NearestCopy", "NearestSquares"]


class NearestCopy(Propagator):
    """Copies each object's mask from its nearest annotated frame.

    Attributes
    ----------
    frames_done : list of int
        The frames it gave, in their order.
    """

    name = "nearest-copy"
    repeatable = True

    def __init__(self) -> None:
        self.frames_done: list[int] = []

    def propagate(
        self,
        video: Video,
        annotations: Mapping[int, Annotation],
        objects: Sequence[int],
        frames: Collection[int],
    ) -> Steps:
        """Masks of `objects` on `frames`, ascending; where they overlap they share a pixel."""
        for done, frame in enumerate(sorted(frames), start=1):
            soft = np.zeros((len(objects) + 1, video.height, video.width), dtype=np.float32)
            for k, obj in enumerate(objects, start=1):
                source = nearest_annotated(objects_annotated(annotations, obj), video.n_frames)
                if source[frame] >= 0:
                    soft[k] = annotations[int(source[frame])].labels == obj
            soft[0] = 1 - soft[1:].max(axis=0, initial=0)
            self.frames_done.append(frame)
            yield PropagationStep(done, len(frames), frame, soft / soft.sum(axis=0))


class NearestSquares(NearestCopy):
    """Takes points: makes a square of them, five pixels wide, and copies it as any mask."""

    name = "nearest-squares"
    accepts = frozenset({"mask", "points"})

    def propagate(
        self,
        video: Video,
        annotations: Mapping[int, Annotation],
        objects: Sequence[int],
        frames: Collection[int],
    ) -> Steps:
        """As `NearestCopy`, from masks and from points; what is said of a pixel holds there."""
        whole = {}
        for frame, annotation in annotations.items():
            labels = annotation.labels.copy()
            for obj, points in annotation.points.items():
                squares = np.zeros(labels.shape, bool)
                for p in points:
                    if p.label == "positive":
                        squares[max(0, p.y - 2) : p.y + 3, max(0, p.x - 2) : p.x + 3] = True
                for p in points:
                    squares[p.y, p.x] = p.label == "positive"
                labels[squares & (labels == 0)] = obj
            whole[frame] = Annotation(labels, annotation.objects, annotation.sources)
        yield from super().propagate(video, whole, objects, frames)


class Disks(MaskPredictor):
    """Paints a disk at every click over the previous mask.

    Attributes
    ----------
    radius : float
        Of the disks, in pixels.
    """

    name = "disks"
    accepts = frozenset({"mask", "clicks"})
    radius = 3.0

    def predict(
        self, image: np.ndarray, prompts: Prompts, *, key: Hashable | None = None
    ) -> Prediction:
        """The previous mask with the disks, later ones over earlier ones."""
        previous = prompts.previous_mask
        mask = np.zeros(image.shape[:2], bool) if previous is None else previous.copy()
        y, x = np.indices(image.shape[:2])
        for click in prompts.clicks:
            mask[(x - click.x) ** 2 + (y - click.y) ** 2 <= self.radius**2] = click.positive
        return Prediction(mask, mask.astype(np.float32), 0.5)

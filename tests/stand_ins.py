"""Small engines that follow the protocols, so that tests of the loop need no real ones."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from evavos_widget.loop import (
    Annotation,
    PropagationStep,
    affected_frames,
    nearest_annotated,
    objects_annotated,
)
from evavos_widget.prompts import Prediction, Prompts
from evavos_widget.video import Video


class NearestCopy:
    """Copies each object's mask from its nearest annotated frame; records what it did."""

    name = "nearest-copy"

    def __init__(self) -> None:
        self.frames_done: list[int] = []

    def affected(
        self, before: Mapping[int, Annotation], after: Mapping[int, Annotation], n_frames: int
    ) -> set[int]:
        return affected_frames(before, after, n_frames)

    def propagate(
        self,
        video: Video,
        annotations: Mapping[int, Annotation],
        objects: Sequence[int],
        frames: Collection[int],
    ) -> Iterator[PropagationStep]:
        shape = (video.height, video.width)
        for done, frame in enumerate(sorted(frames), start=1):
            soft = np.zeros((len(objects) + 1, *shape), dtype=np.float32)
            for k, obj in enumerate(objects, start=1):
                source = nearest_annotated(objects_annotated(annotations, obj), video.n_frames)
                if source[frame] >= 0:
                    soft[k] = annotations[int(source[frame])].labels == obj
            soft[0] = 1 - soft[1:].max(axis=0, initial=0)
            self.frames_done.append(frame)
            yield PropagationStep(done, len(frames), frame, soft / soft.sum(axis=0))


class Disks:
    """Paints a disk of radius 3 at every click over the previous mask."""

    name = "disks"

    def predict(self, image: np.ndarray, prompts: Prompts, *, key: object = None) -> Prediction:
        previous = prompts.previous_mask
        mask = np.zeros(image.shape[:2], bool) if previous is None else previous.copy()
        y, x = np.mgrid[: mask.shape[0], : mask.shape[1]]
        for click in prompts.clicks:
            mask[(x - click.x) ** 2 + (y - click.y) ** 2 <= 9] = click.positive
        return Prediction(mask, mask.astype(np.float32), 0.5)

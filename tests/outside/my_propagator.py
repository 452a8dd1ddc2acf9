"""A propagator: every frame has the masks of the annotated frame that is nearest in time."""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping, Sequence

import numpy as np

from evavos_widget.loop import (
    Annotation,
    PropagationStep,
    Propagator,
    affected_frames,
    nearest_annotated,
    objects_annotated,
)
from evavos_widget.video import Video


class Hold(Propagator):
    """Masks stay where they are."""

    name = "hold"
    repeatable = True  # what it gives does not depend on what it was asked before

    def affected(
        self, before: Mapping[int, Annotation], after: Mapping[int, Annotation], n_frames: int
    ) -> set[int]:
        """The frames that get another mask when annotations change."""
        return affected_frames(before, after, n_frames)

    def propagate(
        self,
        video: Video,
        annotations: Mapping[int, Annotation],
        objects: Sequence[int],
        frames: Collection[int],
    ) -> Generator[PropagationStep, None, None]:
        """Probabilities of the background and of each object, frame by frame."""
        nearest = {
            obj: nearest_annotated(objects_annotated(annotations, obj), video.n_frames)
            for obj in objects
        }
        for done, frame in enumerate(sorted(frames), start=1):
            labels = np.zeros((video.height, video.width), np.uint8)
            # What was annotated on this very frame is painted last, over what is carried here.
            for obj in sorted(objects, key=lambda o: nearest[o][frame] == frame):
                if nearest[obj][frame] >= 0:  # -1: it is annotated nowhere
                    labels[annotations[int(nearest[obj][frame])].labels == obj] = obj
            each = np.array([0, *objects], np.uint8)[:, None, None]
            yield PropagationStep(done, len(frames), frame, (labels == each).astype(np.float32))

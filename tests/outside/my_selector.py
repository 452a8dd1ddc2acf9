"""A frame selector: the frame on which an object's mask changes most."""

from __future__ import annotations

import numpy as np

from evavos_widget.loop import FrameChoice, FrameSelector, LoopState, objects_annotated


class LargestChange(FrameSelector):
    """The frame whose mask is least like that of the frame before it.

    Parameters
    ----------
    apart : int or str
        Frames so near to an annotated one come last.
    """

    name = "largest-change"

    def __init__(self, apart: int | str = 1) -> None:
        self.apart = int(apart)

    def select(self, state: LoopState) -> FrameChoice | None:
        """The next frame to annotate, or None when nothing is left to ask."""
        best: tuple[tuple[bool, float], FrameChoice] | None = None
        for obj in state.objects:
            annotated = objects_annotated(state.annotations, obj)
            for frame, change in enumerate(changes(state, obj)):
                if frame in annotated or (frame, obj) in state.snoozed:
                    continue
                far = all(abs(frame - other) > self.apart for other in annotated)
                if best is None or (far, change) > best[0]:
                    why = f"{change:.0%} of the mask is other than on the frame before"
                    best = (far, change), FrameChoice(frame, obj, why, change)
        return None if best is None else best[1]


def changes(state: LoopState, obj: int) -> list[float]:
    """By frame, 1 - IoU of the object's mask with that on the frame before."""
    found, before = [], state.masks[0] == obj
    for frame in range(state.n_frames):
        mask = state.masks[frame] == obj
        either = np.count_nonzero(mask | before)
        found.append(np.count_nonzero(mask ^ before) / either if either else 0.0)
        before = mask
    return found

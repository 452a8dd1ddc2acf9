"""Frame selectors that need no model."""

from __future__ import annotations

import numpy as np

from evavos_widget.loop import FrameChoice, LoopState, nearest_annotated, objects_annotated

__all__ = ["FarthestInTime"]


class FarthestInTime:
    """The frame farthest in time from every annotated one.

    Equation 1 with the frame's index as its embedding. Among objects the one with the
    farthest frame goes first; ties go to the lower predicted quality, then to the
    earlier frame.
    """

    name = "farthest-in-time"

    def select(self, state: LoopState) -> FrameChoice | None:
        """The frame and object to annotate next, or None when every frame is annotated."""
        best: tuple[int, float, int] | None = None
        choice: FrameChoice | None = None
        for column, obj in enumerate(state.objects):
            annotated = objects_annotated(state.annotations, obj)
            if not annotated:
                continue
            nearest = nearest_annotated(annotated, state.n_frames)
            distance = np.abs(np.arange(state.n_frames) - nearest)
            for frame, snoozed in state.snoozed:
                if snoozed == obj:
                    distance[frame] = 0
            farthest = int(distance.max())
            if farthest == 0:
                continue
            quality = np.nan_to_num(state.quality[:, column], nan=0.0)
            candidates = np.flatnonzero(distance == farthest)
            frame = int(candidates[quality[candidates].argmin()])
            rank = (-farthest, float(quality[frame]), frame)
            if best is None or rank < best:
                best = rank
                unit = "frame" if farthest == 1 else "frames"
                reason = f"{farthest} {unit} from anything you annotated"
                choice = FrameChoice(frame, obj, reason, float(farthest))
        if best is None and state.objects and not state.annotations:
            return FrameChoice(0, state.objects[0], "nothing is annotated yet", 0.0)
        return choice

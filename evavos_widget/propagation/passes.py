"""Propagation in passes from annotated frame to annotated frame, all of which are remembered.

As MiVOS uses a network for propagation interactively (Cheng, Tai, Tang, CVPR 2021).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from evavos_widget.loop import Annotation, PropagationStep, objects_annotated
from evavos_widget.networks.devices import out_of_memory
from evavos_widget.propagation.between import Need, Seen, changed_frames, drawn, needs_of, reach_of
from evavos_widget.propagation.chained import check_request

if TYPE_CHECKING:
    from evavos_widget.video import Video

__all__ = ["Pass", "PassPropagator", "Walk"]

PASS_BYTES = 256 * 2**20
"""Bound on what passes found, kept between calls."""

LIVE = 4
"""Passes that can be continued: what the others remembered is dropped."""

MOST_CERTAIN = 1 - 1e-6
"""Probability at which odds are cut off."""

Walk = Iterator[np.ndarray | None]
"""None for each annotated frame that is remembered, then the log odds of objects against the
background, (K, h, w) float16, frame by frame."""


class Pass:
    """Objects on the frames after an annotated one, in one direction.

    Parameters
    ----------
    objects : tuple of int
        They are annotated on the same frames.
    source : int
        The annotated frame.
    direction : {-1, 1}
    marks : mapping of frame -> tuple of bytes
        How the objects are `drawn` on the frames that the pass remembers.
    """

    def __init__(
        self,
        objects: tuple[int, ...],
        source: int,
        direction: int,
        marks: Mapping[int, tuple[bytes, ...]],
    ) -> None:
        self.objects, self.source, self.direction = objects, source, direction
        self.walk: Walk | None = None
        self.nbytes = 0
        self.marks = marks
        self._unread, self._again = len(marks), 0
        self._found: list[np.ndarray] = []

    @property
    def length(self) -> int:
        """Frames found so far."""
        return len(self._found)

    def log_odds(self, obj: int, frame: int) -> np.ndarray:
        """Of an object against the background on a frame that was found."""
        return self._found[abs(frame - self.source) - 1][self.objects.index(obj)]

    def stands(self, obj: int, annotated: Mapping[int, bytes]) -> bool:
        """Whether all that the pass remembers of an object is still annotated so."""
        k = self.objects.index(obj)
        return all(annotated.get(frame) == marks[k] for frame, marks in self.marks.items())

    def left(self, length: int) -> int:
        """Steps until `length` frames are found."""
        return self._unread + self._again + length - self.length

    def begin(self, walk: Walk) -> None:
        """Take up a walk; what was found before stays, and is gone through again."""
        self.walk = walk
        self._unread, self._again = len(self.marks), self.length

    def extend(self) -> None:
        """Remember one annotated frame, or find one frame more."""
        assert self.walk is not None
        found = next(self.walk)
        if found is None:
            self._unread -= 1
        elif self._again:
            self._again -= 1
        else:
            self._found.append(found)
            self.nbytes += found.nbytes

    def rest(self) -> None:
        """Drop all but what was found."""
        self.walk = None


class PassPropagator(ABC):
    """Carries masks in passes from annotated frame to annotated frame.

    All frames annotated for an object are remembered with what they hold now, for the whole
    of a pass. A pass ends before the next annotated frame, and where two passes meet their
    masks are mixed, linearly by distance.

    Strictly, every annotation could change every frame, since all are remembered. As in
    MiVOS, one changes only the frames up to the next annotated ones; what was found elsewhere
    stays. A pass from a neighbour that did not know of a new annotation is kept too, and
    mixed with the new pass; one that remembered an annotation that was changed or taken back
    is done again.
    """

    name: str

    def __init__(self, device: str) -> None:
        self._device = device
        self._video: Video | None = None
        self._passes: list[Pass] = []

    @abstractmethod
    def _open(self, video: Video) -> None:
        """Another video than before is to be worked on."""

    @abstractmethod
    def _walk(
        self,
        objects: tuple[int, ...],
        source: int,
        direction: int,
        annotations: Mapping[int, Annotation],
    ) -> Walk:
        """Remember `annotations`, then go from `source` on, for ever."""

    @abstractmethod
    def _spread(self, log_odds: Tensor) -> Tensor:
        """What a walk found, (K, h, w) float32, at the resolution of the video."""

    def _take_less(self) -> bool:
        """Need less memory from now on; whether that is possible."""
        return False

    def affected(
        self,
        before: Mapping[int, Annotation],
        after: Mapping[int, Annotation],
        n_frames: int,
    ) -> set[int]:
        """Frames around a changed annotation, up to the next ones that stayed as they were."""
        return changed_frames(before, after, n_frames)

    def propagate(
        self,
        video: Video,
        annotations: Mapping[int, Annotation],
        objects: Sequence[int],
        frames: Collection[int],
    ) -> Iterator[PropagationStep]:
        """Masks of `objects` on `frames`; see `loop.Propagator.propagate`.

        A step is a frame that is remembered, objects carried over one frame, or one frame
        completed.

        Raises
        ------
        ValueError
            A frame lies outside the video, or an annotation has another size.
        RuntimeError
            There is not enough memory for a frame.
        """
        check_request(video, annotations, frames)
        if self._video is not video:
            self._video, self._passes = video, []
            self._open(video)
        marks = {
            o: {f: drawn(annotations[f], o) for f in objects_annotated(annotations, o)}
            for o in objects
        }
        seen = {o: m for o, m in marks.items() if any(m.values())}
        reach = reach_of(seen, frames)
        passes = self._assign(seen, reach)
        length: dict[Pass, int] = {}
        for need, run in passes.items():
            length[run] = max(length.get(run, 0), reach[need])
        runs = [run for run in length if run.length < length[run]]
        waiting = {
            frame: {
                passes[need]
                for need in needs_of(seen, frame)
                if passes[need].length < abs(frame - need.source)
            }
            for frame in sorted(set(frames))
        }
        total = len(waiting) + sum(run.left(length[run]) for run in runs)
        done = count(1)
        try:
            for frame in [frame for frame, left in waiting.items() if not left]:
                found = self._merged(annotations, objects, seen, passes, frame)
                yield PropagationStep(next(done), total, frame, found)
            for run in sorted(runs, key=lambda r: (r.source, -r.direction)):
                total += self._begin(run, annotations)
                while run.length < length[run]:
                    total += self._extend(run, annotations)
                    yield PropagationStep(next(done), total)
                    frame = run.source + run.direction * run.length
                    left = waiting.get(frame, set())
                    if run in left:
                        left.remove(run)
                        if not left:
                            found = self._merged(annotations, objects, seen, passes, frame)
                            yield PropagationStep(next(done), total, frame, found)
        finally:
            while len(self._passes) > 1 and sum(p.nbytes for p in self._passes) > PASS_BYTES:
                del self._passes[0]

    def _assign(self, seen: Seen, reach: Mapping[Need, int]) -> dict[Need, Pass]:
        """The passes that bring what is needed: kept ones, continued ones, new ones."""
        passes: dict[Need, Pass] = {}
        short: dict[tuple[int, int, tuple[int, ...]], list[int]] = {}
        for need, length in reach.items():
            kept = [p for p in self._standing((need.obj,), need, seen) if p.length >= length]
            if kept:
                passes[need] = kept[-1]
            else:
                # Objects that are annotated on the same frames go together.
                alike = need.source, need.direction, tuple(seen[need.obj])
                short.setdefault(alike, []).append(need.obj)
        for (source, direction, annotated), alike in short.items():
            objects = tuple(alike)
            need = Need(objects[0], source, direction)
            live = [
                p
                for p in self._standing(objects, need, seen)
                if p.objects == objects and p.walk is not None
            ]
            read = {f: tuple(seen[o][f] for o in objects) for f in annotated}
            run = live[-1] if live else Pass(objects, source, direction, read)
            passes.update({Need(o, source, direction): run for o in objects})
        used = list(dict.fromkeys(passes.values()))
        self._passes = [p for p in self._passes if p not in used] + used
        return passes

    def _standing(self, objects: tuple[int, ...], need: Need, seen: Seen) -> list[Pass]:
        """Passes of these objects, and perhaps others, that hold what they held; latest last."""
        return [
            p
            for p in self._passes
            if (p.source, p.direction) == (need.source, need.direction)
            and set(objects) <= set(p.objects)
            and all(p.stands(o, seen[o]) for o in objects)
        ]

    def _begin(self, run: Pass, annotations: Mapping[int, Annotation]) -> int:
        """Let a pass be walked, the others at most as many as can live; steps that this adds."""
        more = 0
        if run.walk is None:
            known = run.left(run.length)
            # What was annotated since is not among it, as where the walk goes on.
            remembered = {frame: annotations[frame] for frame in run.marks}
            run.begin(self._walk(run.objects, run.source, run.direction, remembered))
            more = run.left(run.length) - known
        self._passes.remove(run)
        self._passes.append(run)
        for other in self._passes[:-LIVE]:
            other.rest()
        return more

    def _extend(self, run: Pass, annotations: Mapping[int, Annotation]) -> int:
        """One step of a pass, in smaller portions where memory is short; steps that this adds."""
        more = 0
        while True:
            try:
                run.extend()
                return more
            except BaseException as error:
                run.rest()  # a walk that failed cannot go on
                if not out_of_memory(error):
                    raise
                if not self._take_less():
                    assert self._video is not None
                    raise RuntimeError(
                        f"there is not enough memory on {self._device} for {self.name!r} on "
                        f"pictures of {self._video.height} x {self._video.width} pixels; close "
                        "other programs, or choose the engine 'compact'."
                    ) from error
            for other in self._passes:
                other.rest()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            more += self._begin(run, annotations)

    @torch.inference_mode()
    def _merged(
        self,
        annotations: Mapping[int, Annotation],
        objects: Sequence[int],
        seen: Seen,
        passes: Mapping[Need, Pass],
        frame: int,
    ) -> np.ndarray:
        """Probabilities of all objects on one frame, (K + 1, H, W)."""
        assert self._video is not None
        out = np.zeros((len(objects) + 1, self._video.height, self._video.width), np.float32)
        out[0] = 1
        found = {
            o: self._mixed(needs_of({o: seen[o]}, frame), passes, frame)
            for o in objects
            if o in seen and frame not in seen[o]
        }
        if found:
            background = torch.zeros_like(next(iter(found.values())))
            together = torch.stack([background, *found.values()]).softmax(dim=0)
            out[[0, *(objects.index(o) + 1 for o in found)]] = together.cpu().numpy()
        for k, obj in enumerate(objects, 1):
            if frame in seen.get(obj, {}):
                mask = annotations[frame].labels == obj
                out[:, mask] = 0
                out[k] = mask
        return out

    def _mixed(self, needs: list[Need], passes: Mapping[Need, Pass], frame: int) -> Tensor:
        """Log odds of one object against the background, (H, W), from one pass or two."""
        found = [
            self._spread(
                torch.from_numpy(passes[n].log_odds(n.obj, frame)).to(self._device).float()[None]
            )[0]
            for n in needs
        ]
        if len(found) == 1:
            return found[0]
        before, after = (n.source for n in needs)
        share = (frame - before) / (after - before)
        mixed = torch.lerp(found[0].sigmoid(), found[1].sigmoid(), share)
        return mixed.clamp(1 - MOST_CERTAIN, MOST_CERTAIN).logit()

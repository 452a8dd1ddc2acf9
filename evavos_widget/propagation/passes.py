"""Propagation in passes from annotated frame to annotated frame, all of which are remembered.

As MiVOS uses a network for propagation interactively (Cheng, Tai, Tang, CVPR 2021).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch import Tensor

from evavos_widget.loop import Annotation, PropagationStep, Propagator, Steps
from evavos_widget.networks.devices import out_of_memory
from evavos_widget.propagation.between import (
    Need,
    Seen,
    Table,
    changed_frames,
    distances_of,
    drawn,
    needs_of,
    reach_of,
)
from evavos_widget.propagation.chained import check_request
from evavos_widget.sources import (
    Known,
    Reached,
    check_merge,
    frames_affected,
    is_wrong,
    shares_of,
    standing,
)

if TYPE_CHECKING:
    from evavos_widget.video import Video

__all__ = ["Pass", "PassPropagator", "Sides", "Walk"]

PASS_BYTES = 256 * 2**20
"""Bound on what passes found, kept between calls: 2,500 frames of an object with STCN at 480p."""

BLOCK = 64
"""Frames whose results lie together. Small arrays among the large ones that come and go would keep
those from being given back."""

MOST_CERTAIN = 1 - 1e-6
"""Probability at which odds are cut off."""

Walk = Iterator[np.ndarray | None]
"""None for each step in which nothing new is found, then the log odds of objects against the
background, (K, h, w) float array, frame by frame."""

Marks = Mapping[int, tuple[bytes, ...]]

Sides = Mapping[int, Sequence[Reached]]
"""Per object, the annotated frames that its mask on a frame comes from, before and after it."""

T = TypeVar("T")


class Pass:
    """Objects on the frames after an annotated one, in one direction.

    What was found stays. What is remembered lives in a walk, and goes with it.

    Parameters
    ----------
    objects : tuple of int
        They are annotated on the same frames.
    source : int
        The annotated frame.
    direction : {-1, 1}
    due : mapping of frame -> tuple of bytes
        The frames that are to be remembered where a walk begins, and how the objects are `drawn`
        on them.

    Attributes
    ----------
    marks : mapping of frame -> tuple of bytes
        As `due`, of the frames that are remembered, or were.
    length, reach : int
        How many frames are found, and how many are to be.
    walk : Walk or None
        Where the pass stands, while it can go on.
    unread : int
        Steps of the walk until it finds something new.
    """

    def __init__(
        self,
        objects: tuple[int, ...],
        source: int,
        direction: int,
        due: Marks,
    ) -> None:
        self.objects, self.source, self.direction = objects, source, direction
        self.due = due
        self.marks: Marks = {}
        self.length = self.reach = self.unread = self.nbytes = 0
        self.walk: Walk | None = None
        self._blocks: list[np.ndarray] = []

    def frame(self, distance: int) -> int:
        """The frame so many frames after the annotated one."""
        return self.source + self.direction * distance

    def found(self, distance: int) -> np.ndarray:
        """Log odds of the objects so far from the annotated frame, (K, h, w)."""
        assert 0 < distance <= self.length
        block, place = divmod(distance - 1, BLOCK)
        return self._blocks[block][place]

    def log_odds(self, obj: int, frame: int) -> np.ndarray:
        """Of an object against the background on a frame that was found, (h, w)."""
        return self.found(abs(frame - self.source))[self.objects.index(obj)]

    def stands(self, obj: int, annotated: Mapping[int, bytes]) -> bool:
        """Whether all that the pass remembers of an object is still annotated so."""
        k = self.objects.index(obj)
        return all(annotated.get(frame) == marks[k] for frame, marks in self.marks.items())

    def only(self, objects: tuple[int, ...]) -> Pass:
        """What was found of some of the objects, to be carried on without the others."""
        if objects == self.objects:
            return self
        rows = [self.objects.index(o) for o in objects]
        part = Pass(objects, self.source, self.direction, self.due)
        part.marks = {frame: tuple(m[k] for k in rows) for frame, m in self.marks.items()}
        for distance in range(1, self.length + 1):
            part._append(self.found(distance)[rows])
        return part

    def step(self) -> None:
        """Go one step on."""
        assert self.walk is not None
        found = next(self.walk)
        if found is None:
            self.unread -= 1
        else:
            self._append(found)

    def _append(self, found: np.ndarray) -> None:
        block, place = divmod(self.length, BLOCK)
        if block == len(self._blocks):
            self._blocks.append(np.empty((BLOCK, *found.shape), found.dtype))
        self._blocks[block][place] = found
        self.length += 1
        self.nbytes += found.nbytes

    def begin(self, walk: Walk, unread: int) -> None:
        """Take up a walk, which remembers what is due."""
        self.walk, self.unread, self.marks = walk, unread, self.due

    def rest(self) -> None:
        """Drop all but what was found."""
        self.walk = None


class PassPropagator(Propagator):
    """Carries masks in passes from annotated frame to annotated frame.

    All frames on which an object is annotated are remembered with what they hold now, for the
    whole of a pass; that it is absent from one is not. A pass ends before the next annotated
    frame, and where two passes meet their masks are mixed, each as far as it is believed
    (`evavos_widget.sources`).

    Strictly, every annotation could change every frame, since all are remembered. As in
    MiVOS, one changes only the frames up to the next annotated ones; what was found elsewhere
    stays. A pass from a neighbour that did not know of a new annotation is kept too, and
    mixed with the new pass; one that remembered an annotation that was changed or taken back
    is done again.

    Parameters
    ----------
    device : str
    merge : {'trust', 'nearest'}
        Whether the passes from both sides count, or only that from the nearer one.
    """

    learned = True

    live = 4
    """Passes that keep what they remember between calls, the latest."""

    def __init__(self, device: str, merge: str = "trust") -> None:
        self.device, self.merge = device, check_merge(merge)
        self._video: Video | None = None
        self._passes: list[Pass] = []
        self._level = 0

    @abstractmethod
    def _open(self, video: Video) -> None:
        """Another video than before is to be worked on."""

    @abstractmethod
    def _walk(self, run: Pass, annotations: Mapping[int, Annotation]) -> Walk:
        """Remember `annotations` and what else is needed, then carry a pass on, for ever."""

    def _unread(self, run: Pass) -> int:
        """Steps of a walk until it finds something new; by default it begins anew."""
        return len(run.due) + run.length

    def _continued(self, standing: Sequence[Pass], new: Pass) -> Pass:
        """Which pass is to be carried on.

        Parameters
        ----------
        standing : sequence of Pass
            Those from the same frame in the same direction, of the same objects and perhaps
            others, that remember nothing that was changed; the one used latest is the last.
        new : Pass
            One that found nothing so far.
        """
        live = [p for p in standing if p.objects == new.objects and p.walk is not None]
        return live[-1] if live else new

    @abstractmethod
    def _spread(self, log_odds: Tensor) -> Tensor:
        """What a walk found, (K, h, w) float32, at the resolution that `_together` takes."""

    def _found(
        self,
        sides: Sides,
        passes: Mapping[Need, Pass],
        annotations: Mapping[int, Annotation],
        frame: int,
    ) -> dict[int, Tensor]:
        """Log odds of objects against the background on one frame, as `_spread`, mixed."""
        return {
            obj: self._mixed(obj, reached, passes, annotations, frame)
            for obj, reached in sides.items()
        }

    def _together(self, log_odds: Tensor) -> Tensor:
        """Probabilities, (K + 1, H, W), from log odds, by default of the video's size too."""
        return torch.cat([torch.zeros_like(log_odds[:1]), log_odds]).softmax(0)

    def _spare(self, level: int) -> bool:
        """Work with less memory, the less the higher the level; at 0 with as much as is best.

        Returns
        -------
        bool
            Whether there is a way to work with so little.
        """
        return level == 0

    def affected(
        self,
        before: Mapping[int, Annotation],
        after: Mapping[int, Annotation],
        n_frames: int,
    ) -> set[int]:
        """Frames around a changed annotation, up to the next ones that stayed as they were.

        Also those where passes are otherwise believed, see `sources.frames_affected`.
        """
        changed = changed_frames(before, after, n_frames)
        return changed | frames_affected(before, after, n_frames, self.merge, through=False)

    def propagate(
        self,
        video: Video,
        annotations: Mapping[int, Annotation],
        objects: Sequence[int],
        frames: Collection[int],
    ) -> Steps:
        """Masks of `objects` on `frames`; see `loop.Propagator.propagate`.

        A step is a frame that is remembered, objects carried over one frame, or one frame
        completed.

        Raises
        ------
        IndexError
            There is no such frame.
        ValueError
            An annotation has another size than the video.
        RuntimeError
            There is not enough memory for a frame.
        """
        check_request(video, annotations, frames)
        self._watch(video)
        self._level = 0  # memory that was short before need not be any more
        self._spare(0)
        annotations = self._located(annotations)
        known = {o: Known(annotations, o, self.merge, through=False) for o in objects}
        table = {o: {f: known[o].reached(f) for f in sorted(set(frames))} for o in objects}
        seen = {o: {f: drawn(annotations[f], o) for f in known[o].seen} for o in objects}
        passes = self._assign(seen, reach_of(table))
        runs = [run for run in dict.fromkeys(passes.values()) if run.length < run.reach]
        waiting: dict[int, set[tuple[Pass, int]]] = {}
        due: dict[Pass, dict[int, list[int]]] = {}
        for frame in sorted(set(frames)):
            waiting[frame] = {
                (passes[need], distance)
                for o in objects
                for need, distance in distances_of(o, frame, table[o][frame]).items()
                if passes[need].length < distance
            }
            for run, distance in waiting[frame]:
                due.setdefault(run, {}).setdefault(distance, []).append(frame)
        done, unfinished = 0, len(waiting)

        def step(frame: int | None = None) -> PropagationStep:
            nonlocal done, unfinished
            found = None
            if frame is not None:
                found = self._within_memory(
                    lambda: self._merged(annotations, objects, table, passes, frame)
                )
                unfinished -= 1
            done += 1
            left = unfinished + sum(self._left(run) for run in runs)
            return PropagationStep(done, done + left, frame, found)

        try:
            for frame in [frame for frame, lacking in waiting.items() if not lacking]:
                yield step(frame)
            for run in sorted(runs, key=lambda r: (r.source, -r.direction)):
                for distance, complete in sorted(due[run].items()):
                    # Another request may have carried the pass on meanwhile.
                    while run.length < distance:
                        self._within_memory(lambda run=run: self._advance(run, annotations))
                        yield step()
                    for frame in complete:
                        waiting[frame].remove((run, distance))
                        if not waiting[frame]:
                            yield step(frame)
        finally:
            self._rest(self.live)
            while len(self._passes) > 1 and sum(p.nbytes for p in self._passes) > PASS_BYTES:
                self._passes.pop(0).rest()

    def _located(self, annotations: Mapping[int, Annotation]) -> Mapping[int, Annotation]:
        """K with a mask for every object; an engine that takes points finds theirs here."""
        return annotations

    def _watch(self, video: Video) -> None:
        """Turn to a video, and forget another one."""
        if self._video is not video:
            self._rest(0)
            self._open(video)
            self._video, self._passes = video, []

    def _left(self, run: Pass) -> int:
        """Steps until a pass reaches what it has to."""
        if run.length >= run.reach:
            return 0
        unread = self._unread(run) if run.walk is None else run.unread
        return unread + run.reach - run.length

    def _rest(self, live: int) -> None:
        """Let only so many passes, those used latest, keep what they remember."""
        walked = [run for run in self._passes if run.walk is not None]
        for run in walked[: max(0, len(walked) - live)]:
            run.rest()

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
            new = Pass(
                objects,
                source,
                direction,
                {f: tuple(seen[o][f] for o in objects) for f in annotated},
            )
            standing = self._standing(objects, Need(objects[0], source, direction), seen)
            run = self._continued(standing, new)
            passes.update({Need(o, source, direction): run for o in objects})
        used = list(dict.fromkeys(passes.values()))
        for run in used:
            run.reach = max(reach[need] for need, p in passes.items() if p is run)
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

    def _advance(self, run: Pass, annotations: Mapping[int, Annotation]) -> None:
        """One step of a pass, which becomes the one used latest."""
        self._passes.remove(run)
        self._passes.append(run)
        if run.walk is None:
            remembered = {frame: annotations[frame] for frame in run.due}
            run.begin(self._walk(run, remembered), self._unread(run))
            self._rest(max(self.live, 1))
        try:
            run.step()
        except BaseException:
            run.rest()  # a walk that failed cannot go on
            raise

    def _within_memory(self, work: Callable[[], T]) -> T:
        """Do something, where memory is short with less of it."""
        while True:
            try:
                return work()
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                self._rest(0)
                self._level += 1
                if not self._spare(self._level):
                    assert self._video is not None
                    raise RuntimeError(
                        f"there is not enough memory on {self.device} for {self.name!r} on "
                        f"pictures of {self._video.height} x {self._video.width} pixels; close "
                        "other programs, or choose the engine 'compact'."
                    ) from error
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    @torch.inference_mode()
    def _merged(
        self,
        annotations: Mapping[int, Annotation],
        objects: Sequence[int],
        table: Table,
        passes: Mapping[Need, Pass],
        frame: int,
    ) -> np.ndarray:
        """Probabilities of all objects on one frame, (K + 1, H, W)."""
        assert self._video is not None
        out = np.zeros((len(objects) + 1, self._video.height, self._video.width), np.float32)
        out[0] = 1
        sides = {o: table[o][frame] for o in objects if needs_of(o, frame, table[o][frame])}
        found = self._found(sides, passes, annotations, frame)
        if found:
            together = self._together(torch.stack(list(found.values())))
            out[[0, *(objects.index(o) + 1 for o in found)]] = together.cpu().numpy()
        for k, obj in enumerate(objects, 1):
            if any(r.source == frame for r in table[obj][frame]):
                mask = annotations[frame].labels == obj
                out[:, mask] = 0
                out[k] = mask
        return out

    def _alone(self, need: Need, passes: Mapping[Need, Pass], frame: int) -> Tensor:
        """Log odds of one object on a frame, as `_spread`, from one pass."""
        log_odds = torch.from_numpy(passes[need].log_odds(need.obj, frame))
        return self._spread(log_odds.to(self.device).float()[None])[0]

    def _mixed(
        self,
        obj: int,
        reached: Sequence[Reached],
        passes: Mapping[Need, Pass],
        annotations: Mapping[int, Annotation],
        frame: int,
    ) -> Tensor:
        """Log odds of one object on a frame, as `_spread`, from all passes that bring it."""
        needs = needs_of(obj, frame, reached)
        if len(reached) == 1:
            return self._alone(needs[0], passes, frame)
        shares = dict(
            zip((r.source for r in reached), _shares(reached, needs, passes, frame), strict=True)
        )
        for n in needs:
            wrong = partial(_is_wrong, passes[n], obj, annotations)
            shares[n.source] *= standing(frame, n.source, reached, wrong)
        mixed = sum(shares[n.source] * self._alone(n, passes, frame).sigmoid() for n in needs)
        assert isinstance(mixed, Tensor)
        return mixed.clamp(1 - MOST_CERTAIN, MOST_CERTAIN).logit()


def _is_wrong(run: Pass, obj: int, annotations: Mapping[int, Annotation], frame: int) -> bool:
    return is_wrong(run.log_odds(obj, frame) > 0, annotations[frame])


def _shares(
    reached: Sequence[Reached], needs: Sequence[Need], passes: Mapping[Need, Pass], frame: int
) -> list[float]:
    """How far each source is believed, given what its pass found."""
    arrived = {}
    for need in needs:
        log_odds = passes[need].log_odds(need.obj, frame).astype(np.float32)
        arrived[need.source] = 1 / (1 + np.exp(-log_odds.clip(-60, 60)))
    return shares_of(frame, reached, arrived)

"""Propagation with STCN, used interactively as in MiVOS (Cheng, Tai, Tang, CVPR 2021)."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from evavos_widget import checkpoints
from evavos_widget.loop import Annotation, PropagationStep, objects_annotated
from evavos_widget.networks.devices import chosen_device, fastest_type, out_of_memory
from evavos_widget.networks.fusion import Fusion, aligned_difference, ready_fusion
from evavos_widget.networks.memory import CHUNK_ELEMENTS, tokens
from evavos_widget.networks.stcn import aggregate
from evavos_widget.networks.stcn_weights import ready_stcn
from evavos_widget.propagation.between import Need, Seen, changed_frames, drawn, needs_of, reach_of
from evavos_widget.propagation.chained import check_request
from evavos_widget.propagation.stcn_frames import Frames
from evavos_widget.propagation.stcn_pass import SMALLEST_CHUNK, Pass

if TYPE_CHECKING:
    from evavos_widget.video import Video

__all__ = ["FusedStcnPropagator", "StcnPropagator"]

TOP_K = 50
"""Remembered cells that count for each query (MiVOS; STCN's own evaluation takes 20)."""

PASS_BYTES = 256 * 2**20
"""Bound on what passes found, kept between calls: 2,500 frames of an object at 480p."""

T = TypeVar("T")

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class StcnPropagator:
    """Carries masks in passes from annotated frame to annotated frame.

    All frames annotated for an object are permanent memory, with what they hold now; every
    fifth frame of a pass is remembered until its end. A pass ends before the next annotated
    frame, and where two passes meet their masks are mixed, linearly by distance or with
    MiVOS's fusion network.

    Strictly, every annotation could change every frame, since all are remembered. As in
    MiVOS, one changes only the frames up to the next annotated ones; what was found elsewhere
    stays. A pass from a neighbour that did not know of a new annotation is kept too, and
    mixed with the new pass; one that remembered an annotation that was changed or taken back
    is done again.

    Parameters
    ----------
    weights : path or str, optional
        A file, or the name of weights in ``evavos models list``; ``stcn`` by default.
    device : str, optional
        A GPU where there is one, by default.
    precision : {'float32', 'bfloat16', 'float16'}, optional
        Of the convolutions; by default the fastest on the device. Keys and distances are
        float32 always.
    top_k : int, optional
        Remembered cells that count for each query.
    fusion : path or str, optional
        Weights of MiVOS's fusion network: a file, or ``stcn:fusion``. It mixes two passes
        where one of them saw the other's frame before that was annotated, which tells what
        the annotation changed.
    compiled : bool, optional
        Whether ``torch.compile`` is used: minutes at first, faster then on a GPU.
    """

    name = "stcn"

    def __init__(
        self,
        weights: str | os.PathLike[str] | None = None,
        device: str | None = None,
        *,
        precision: str | None = None,
        top_k: int = TOP_K,
        fusion: str | os.PathLike[str] | None = None,
        compiled: bool = False,
    ) -> None:
        device = chosen_device(device)
        if precision is not None and precision not in PRECISIONS:
            raise ValueError(f"precision is {precision!r}; choose from {sorted(PRECISIONS)}.")
        kind = fastest_type(device) if precision is None else PRECISIONS[precision]
        path = checkpoints.weights_file(weights or "stcn")
        self._network = ready_stcn(path, device, kind, compiled=compiled)
        self._fusion = None if fusion is None else ready_fusion(fusion, device)
        self._top_k, self._chunk = top_k, CHUNK_ELEMENTS
        self._video: Video | None = None
        self._passes: list[Pass] = []

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
        self._chunk = CHUNK_ELEMENTS  # memory that was short before need not be any more
        if self._video is not video:
            self._video, self._frames, self._passes = video, Frames(video, self._network), []
        marks = {
            o: {f: drawn(annotations[f], o) for f in objects_annotated(annotations, o)}
            for o in objects
        }
        seen = {o: m for o, m in marks.items() if any(m.values())}
        reach = reach_of(seen, frames)
        passes = self._assign(seen, reach)
        runs: dict[Pass, int] = {}
        waiting: dict[int, set[Pass]] = {frame: set() for frame in sorted(set(frames))}
        for need, run in passes.items():
            runs[run] = max(runs.get(run, 0), reach[need])
        runs = {run: length for run, length in runs.items() if length > run.length}
        for frame, left in waiting.items():
            for need in needs_of(seen, frame):
                if abs(frame - need.source) > passes[need].length:
                    left.add(passes[need])
        total = len(waiting) + sum(
            length - run.length + len(run.to_remember(tuple(seen[run.objects[0]])))
            for run, length in runs.items()
        )
        done = count(1)

        def merged(frame: int) -> np.ndarray:
            return self._within_memory(
                lambda: self._merged(annotations, objects, seen, passes, frame)
            )

        try:
            for frame, left in waiting.items():
                if not left:
                    found = merged(frame)
                    yield PropagationStep(next(done), total, frame, found)
            for run in sorted(runs, key=lambda r: (r.source, -r.direction)):
                for reached in self._carried(
                    run, annotations, tuple(seen[run.objects[0]]), runs[run]
                ):
                    yield PropagationStep(next(done), total)
                    left = waiting.get(reached, set())
                    if run in left:
                        left.remove(run)
                        if not left:
                            found = merged(reached)
                            yield PropagationStep(next(done), total, reached, found)
        finally:
            for run in runs:
                run.rest()
            while len(self._passes) > 1 and sum(p.nbytes for p in self._passes) > PASS_BYTES:
                del self._passes[0]

    def _assign(self, seen: Seen, reach: Mapping[Need, int]) -> dict[Need, Pass]:
        """The passes that bring what is needed: kept ones, continued ones, new ones."""
        passes: dict[Need, Pass] = {}
        short: dict[tuple[int, int, tuple[int, ...]], list[int]] = {}
        for need, length in reach.items():
            kept = self._kept((need.obj,), need.source, need.direction, seen)
            if kept is not None and kept.length >= length:
                passes[need] = kept
            else:
                # Objects that are annotated on the same frames go together.
                alike = need.source, need.direction, tuple(seen[need.obj])
                short.setdefault(alike, []).append(need.obj)
        for (source, direction, _), objects in short.items():
            together = tuple(objects)
            kept = self._kept(together, source, direction, seen)
            run = Pass(together, source, direction) if kept is None else kept.only(together)
            passes.update({Need(o, source, direction): run for o in together})
        used = list(dict.fromkeys(passes.values()))
        self._passes = [p for p in self._passes if p not in used] + used
        return passes

    def _kept(
        self, objects: tuple[int, ...], source: int, direction: int, seen: Seen
    ) -> Pass | None:
        """The longest pass of these objects, and perhaps others, that still stands."""
        standing = [
            p
            for p in self._passes
            if (p.source, p.direction) == (source, direction)
            and set(objects) <= set(p.objects)
            and all(p.stands(o, seen[o]) for o in objects)
        ]
        return max(standing, key=lambda p: p.length, default=None)

    def _carried(
        self,
        run: Pass,
        annotations: Mapping[int, Annotation],
        annotated: tuple[int, ...],
        length: int,
    ) -> Iterator[int]:
        """Carry a pass on; yields the frame reached after each step."""
        self._within_memory(lambda: run.begin(self._frames, annotated, length))
        for frame in run.to_remember(annotated):
            given = annotations[frame] if frame in annotated else None
            self._within_memory(lambda f=frame, a=given: run.recall(self._frames, f, a))
            yield run.source
        while run.length < length:
            last = run.length + 1 == length
            self._within_memory(
                lambda last=last: run.extend(
                    self._frames, top_k=self._top_k, chunk=self._chunk, last=last
                )
            )
            yield run.source + run.direction * run.length
        run.rest()

    def _within_memory(self, step: Callable[[], T]) -> T:
        """Do a step, where memory is short with smaller chunks."""
        while True:
            try:
                return step()
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                if self._chunk <= SMALLEST_CHUNK:
                    raise RuntimeError(
                        f"there is not enough memory on {self._frames.like.device} for STCN on "
                        f"pictures of {self._frames.padded[0]} x {self._frames.padded[1]} pixels; "
                        "close other programs, or choose the engine 'compact'."
                    ) from error
            self._chunk //= 4
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    @torch.inference_mode()
    def _merged(
        self,
        annotations: Mapping[int, Annotation],
        objects: Sequence[int],
        seen: Seen,
        passes: Mapping[Need, Pass],
        frame: int,
    ) -> np.ndarray:
        """Probabilities of all objects on one frame, (K + 1, H, W), at full resolution."""
        shape = self._frames.video.height, self._frames.video.width
        out = np.zeros((len(objects) + 1, *shape), np.float32)
        out[0] = 1
        found = {
            o: self._alone(needs_of({o: seen[o]}, frame), passes, frame)
            for o in objects
            if o in seen and frame not in seen[o]
        }
        if found and self._fusion is not None:
            found.update(self._fused(self._fusion, list(found), annotations, seen, passes, frame))
        if found:
            together = self._frames.cropped(aggregate(torch.stack(list(found.values()))))
            if together.shape[1:] != shape:
                together = functional.interpolate(
                    together[None], size=shape, mode="bilinear", align_corners=False
                )[0]
            out[[0, *(objects.index(o) + 1 for o in found)]] = together.cpu().numpy()
        for k, obj in enumerate(objects, 1):
            if frame in seen.get(obj, {}):
                mask = annotations[frame].labels == obj
                out[:, mask] = 0
                out[k] = mask
        return out

    def _alone(self, needs: list[Need], passes: Mapping[Need, Pass], frame: int) -> Tensor:
        """Probability of one object against all else, (H, W) padded, from one pass or two."""
        found = [self._frames.spread(passes[n].log_odds(n.obj, frame)[None])[0] for n in needs]
        if len(found) == 1:
            return found[0]
        before, after = (n.source for n in needs)
        return torch.lerp(found[0], found[1], (frame - before) / (after - before))

    def _fused(
        self,
        fusion: Fusion,
        objects: Sequence[int],
        annotations: Mapping[int, Annotation],
        seen: Seen,
        passes: Mapping[Need, Pass],
        frame: int,
    ) -> dict[int, Tensor]:
        """Probabilities of the objects whose two passes the network can fuse, (H, W) padded."""
        needs = {o: needs_of({o: seen[o]}, frame) for o in objects}
        # Of each object its first and its last pass, which may be the same, objects together.
        sides = [
            aggregate(torch.stack([self._alone([needs[o][i]], passes, frame) for o in objects]))
            for i in (0, -1)
        ]
        image, features = self._frames.look(frame)
        fused = {}
        for k, obj in enumerate(objects, 1):
            older = _older(needs[obj], passes)
            if older is None:
                continue
            first, last = needs[obj]
            newer = last if older is first else first
            found = self._frames.spread(passes[older].log_odds(obj, newer.source)[None])
            difference = aligned_difference(
                self._frames.drawing((annotations[newer.source].labels == obj)[None])[:, 0].float(),
                aggregate(found)[1:],
                tokens(self._frames.features(newer.source).key),
                tokens(features.key),
                self._frames.cells,
            )
            gap = last.source - first.source
            masks = [sides[0 if need is first else 1][k][None, None] for need in (older, newer)]
            distances = [abs(frame - need.source) / gap for need in (older, newer)]
            fused[obj] = fusion(image.float(), *masks, difference, distances)[0, 0]
        return fused


class FusedStcnPropagator(StcnPropagator):
    """`StcnPropagator` with MiVOS's fusion network, whose weights are downloaded with its own."""

    name = "stcn-fusion"

    def __init__(
        self,
        weights: str | os.PathLike[str] | None = None,
        device: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(weights, device, **{"fusion": "stcn:fusion", **options})


def _older(needs: Sequence[Need], passes: Mapping[Need, Pass]) -> Need | None:
    """Which of two passes went over the frame of the other, before that was annotated."""
    if len(needs) < 2:
        return None
    gap = needs[1].source - needs[0].source
    return next((need for need in needs if passes[need].length >= gap), None)

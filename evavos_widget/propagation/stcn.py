"""Propagation with STCN, used interactively as in MiVOS (Cheng, Tai, Tang, CVPR 2021)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from evavos_widget import checkpoints
from evavos_widget.loop import Annotation
from evavos_widget.networks.devices import chosen_device, fastest_type
from evavos_widget.networks.fusion import Fusion, aligned_difference, ready_fusion
from evavos_widget.networks.memory import CHUNK_ELEMENTS, readout, tokens
from evavos_widget.networks.stcn import VALUE, aggregate
from evavos_widget.networks.stcn_weights import ready_stcn
from evavos_widget.propagation.between import Need, needs_of
from evavos_widget.propagation.located import located
from evavos_widget.propagation.passes import MOST_CERTAIN, Pass, PassPropagator, Sides, Walk
from evavos_widget.propagation.stcn_frames import Frames
from evavos_widget.propagation.stcn_memory import Memory

if TYPE_CHECKING:
    from evavos_widget.video import Video

__all__ = ["FusedStcnPropagator", "StcnPropagator"]

TOP_K = 50
"""Remembered cells that count for each query (MiVOS; STCN's own evaluation takes 20)."""

MEMORY_STRIDE = 5
"""Frames whose distance is a multiple of this are remembered until the pass ends (STCN, MiVOS)."""

MEMORY_FRAMES = 100
"""How many of them, the latest: memory must not grow with the video."""

SMALLEST_CHUNK = 2**15
"""Affinities held at once where memory is short; less would not help."""

LEAST_TRUST = 0.05
"""Annotations that are trusted less are as far away for the fusion as this makes them."""

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class StcnPropagator(PassPropagator):
    """Carries masks in passes, as `PassPropagator` says, with STCN.

    All frames annotated for an object are permanent memory; every fifth frame of a pass is
    remembered until its end. Where two passes meet their masks are mixed as far as each is
    believed, or with MiVOS's fusion network.

    Where an annotation consists of points, they go straight into the value encoder, as in
    Point-STCN (Point-VOS Sec. 4.1), and what is remembered of the frame is that; weights for it
    come of ``evavos train stcn-points``.

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
    merge : {'trust', 'nearest'}
        As for `PassPropagator`.
    """

    name = "stcn"
    accepts = frozenset({"mask", "points"})

    live = 0
    # What a pass remembers is large, soon computed again from what it found, and has room for
    # what is due now and no more.

    def __init__(
        self,
        weights: str | os.PathLike[str] | None = None,
        device: str | None = None,
        *,
        precision: str | None = None,
        top_k: int = TOP_K,
        fusion: str | os.PathLike[str] | None = None,
        compiled: bool = False,
        merge: str = "trust",
    ) -> None:
        super().__init__(chosen_device(device), merge)
        if precision is not None and precision not in PRECISIONS:
            raise ValueError(f"precision is {precision!r}; choose from {sorted(PRECISIONS)}.")
        kind = fastest_type(self.device) if precision is None else PRECISIONS[precision]
        path = checkpoints.weights_file(weights or "stcn")
        self._network = ready_stcn(path, self.device, kind, compiled=compiled)
        self._fusion = None if fusion is None else ready_fusion(fusion, self.device)
        self._top_k, self._chunk = top_k, CHUNK_ELEMENTS

    def _located(self, annotations: Mapping[int, Annotation]) -> Mapping[int, Annotation]:
        return located(annotations, self._probabilities)

    @torch.inference_mode()
    def _probabilities(self, frame: int, annotation: Annotation) -> dict[int, np.ndarray]:
        """Of the objects of an annotation that have points, (H, W), read out of their own frame."""
        objects = tuple(annotation.points)
        frames = self._frames
        memory = Memory(1, 0, frames.cells, len(objects), frames.like)
        memory.add(*frames.annotated_value(frame, annotation, objects))
        found = torch.from_numpy(self._read(memory, frame, len(objects))).to(self.device)
        together = self._together(self._spread(found)).cpu().numpy()
        return dict(zip(objects, together[1:], strict=True))

    def _open(self, video: Video) -> None:
        self._frames = Frames(video, self._network)

    def _spare(self, level: int) -> bool:
        """Hold fewer affinities at once."""
        self._chunk = CHUNK_ELEMENTS // 4**level
        return self._chunk >= SMALLEST_CHUNK

    def _continued(self, standing: Sequence[Pass], new: Pass) -> Pass:
        """The longest goes on, with all that is annotated now."""
        run = max(standing, key=lambda p: p.length, default=new).only(new.objects)
        run.due = new.due
        return run

    def _unread(self, run: Pass) -> int:
        return len(run.due) + len(_remembered(run))

    @torch.inference_mode()
    def _walk(self, run: Pass, annotations: Mapping[int, Annotation]) -> Walk:
        frames = self._frames
        more = min(MEMORY_FRAMES, run.reach // MEMORY_STRIDE)
        memory = Memory(len(annotations), more, frames.cells, len(run.objects), frames.like)
        for frame, annotation in annotations.items():
            memory.add(*frames.annotated_value(frame, annotation, run.objects))
            yield None
        for distance in _remembered(run):
            memory.add(*frames.found_value(run.frame(distance), run.found(distance)))
            yield None
        for distance in count(run.length + 1):
            found = self._read(memory, run.frame(distance), len(run.objects))
            if distance % MEMORY_STRIDE == 0 and distance < run.reach:
                memory.add(*frames.found_value(run.frame(distance), found))
            yield found

    def _read(self, memory: Memory, frame: int, k: int) -> np.ndarray:
        """Log odds of `k` objects on a frame, (K, H / 4, W / 4)."""
        features = self._frames.features(frame)
        keys, values = memory.parts
        query = tokens(features.key)
        read = readout(keys, query, values, top_k=self._top_k, chunk=self._chunk)
        read = read[0].view(*self._frames.cells, k, VALUE).permute(2, 3, 0, 1)
        return self._network.decode(read, features)[:, 0].float().cpu().numpy()

    def _spread(self, log_odds: Tensor) -> Tensor:
        return self._frames.spread(log_odds)

    def _together(self, log_odds: Tensor) -> Tensor:
        frames = self._frames
        together = frames.cropped(aggregate(log_odds.sigmoid()))
        shape = frames.video.height, frames.video.width
        if together.shape[1:] != shape:
            together = functional.interpolate(
                together[None], size=shape, mode="bilinear", align_corners=False
            )[0]
        return together

    def _found(
        self,
        sides: Sides,
        passes: Mapping[Need, Pass],
        annotations: Mapping[int, Annotation],
        frame: int,
    ) -> dict[int, Tensor]:
        found = super()._found(sides, passes, annotations, frame)
        if found and self._fusion is not None:
            found.update(self._fused(self._fusion, sides, passes, annotations, frame))
        return found

    def _fused(
        self,
        fusion: Fusion,
        sides: Sides,
        passes: Mapping[Need, Pass],
        annotations: Mapping[int, Annotation],
        frame: int,
    ) -> dict[int, Tensor]:
        """As `_found`, of the objects whose two passes the network can fuse."""
        needs = {obj: needs_of(obj, frame, reached) for obj, reached in sides.items()}
        # Of each object its first and its last pass, which may be the same, objects together.
        ends = [
            aggregate(
                torch.stack([self._alone(n[i], passes, frame) for n in needs.values()]).sigmoid()
            )
            for i in (0, -1)
        ]
        image, features = self._frames.look(frame)
        fused = {}
        for k, (obj, needed) in enumerate(needs.items(), 1):
            older = _older(needed, passes) if len(sides[obj]) == len(needed) else None
            if older is None:
                continue
            first, last = needed
            newer = last if older is first else first
            before = self._alone(older, passes, newer.source).sigmoid()
            difference = aligned_difference(
                self._frames.drawing((annotations[newer.source].labels == obj)[None])[:, 0].float(),
                aggregate(before[None])[1:],
                tokens(self._frames.features(newer.source).key),
                tokens(features.key),
                self._frames.cells,
            )
            masks = [ends[0 if need is first else 1][k][None, None] for need in (older, newer)]
            # The network was taught distances in parts of the gap; less trust is farther away.
            apart = {
                r.source: abs(frame - r.source) / max(r.trust, LEAST_TRUST) for r in sides[obj]
            }
            distances = [apart[need.source] / sum(apart.values()) for need in (older, newer)]
            alone = fusion(image.float(), *masks, difference, distances)[0, 0]
            fused[obj] = alone.clamp(1 - MOST_CERTAIN, MOST_CERTAIN).logit()
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


def _remembered(run: Pass) -> range:
    """Distances of the frames that a pass remembers of those it found."""
    return range(MEMORY_STRIDE, run.length + 1, MEMORY_STRIDE)[-MEMORY_FRAMES:]


def _older(needs: Sequence[Need], passes: Mapping[Need, Pass]) -> Need | None:
    """Which of two passes went over the frame of the other, before that was annotated."""
    if len(needs) < 2:
        return None
    gap = needs[1].source - needs[0].source
    return next((need for need in needs if passes[need].length >= gap), None)

"""Weight-free propagation: optical flow, nearest descriptors and edge-aware relaxation."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from evavos_widget.loop import (
    Annotation,
    PropagationStep,
    affected_frames,
    nearest_annotated,
    objects_annotated,
)
from evavos_widget.propagation.chain import Chain
from evavos_widget.propagation.features import backward_flow, frame_features, work_size

if TYPE_CHECKING:
    from evavos_widget.video import Video

__all__ = ["FlowPropagator"]

FRAME_BYTES = 48 * 2**20
"""Bound on features and flows kept."""

CHAIN_BYTES = 128 * 2**20
"""Bound on masks kept between calls."""


MOST_CERTAIN = 1 - 1e-6
"""Probability at which odds are cut off."""


class FlowPropagator:
    """Carries masks from the nearest annotated frame, step by step.

    Sec. 2.1 without learned weights. Every object follows its own nearest annotation, so
    a new annotation changes only the frames that are nearest to it. The masks of every
    step are kept, and taken up again where the annotation they come from is unchanged.
    """

    name = "flow"

    def __init__(self) -> None:
        self._frames = _ByteBoundedCache(FRAME_BYTES)
        self._chains = _ByteBoundedCache(CHAIN_BYTES)

    def affected(
        self,
        before: Mapping[int, Annotation],
        after: Mapping[int, Annotation],
        n_frames: int,
    ) -> set[int]:
        """Frames whose masks differ: see `loop.affected_frames`."""
        return affected_frames(before, after, n_frames)

    def propagate(
        self,
        video: Video,
        annotations: Mapping[int, Annotation],
        objects: Sequence[int],
        frames: Collection[int],
    ) -> Iterator[PropagationStep]:
        """Masks of `objects` on `frames`; see `loop.Propagator.propagate`.

        Frames come annotation by annotation, forwards and then backwards from each.
        """
        wanted = sorted(set(frames))
        sources = {
            o: nearest_annotated(objects_annotated(annotations, o), video.n_frames)
            for o in objects
        }
        needed = _reach(sources, wanted)
        chains = {
            (obj, source, direction): self._chain(video, annotations[source], obj, source, direction)
            for obj, source, direction in needed
        }
        total = len(wanted) + sum(
            max(0, reach + 1 - chains[key].length) for key, reach in needed.items()
        )
        waiting = {f: {o for o in objects if sources[o][f] >= 0} for f in wanted}
        done = 0
        features, flow = self._readers(video)

        def finish(frame: int) -> PropagationStep:
            return PropagationStep(
                done, total, frame, _merge(video, annotations, objects, sources, chains, frame)
            )

        for frame in [f for f in wanted if not waiting[f]]:
            done += 1
            yield finish(frame)
            waiting.pop(frame)
        fronts = sorted({(source, -direction) for _, source, direction in needed})
        for source, backwards in fronts:
            direction = -backwards
            members = [k for k in needed if k[1:] == (source, direction)]
            for distance in range(max(needed[k] for k in members) + 1):
                frame = source + direction * distance
                for key in members:
                    obj, chain = key[0], chains[key]
                    if distance > needed[key]:
                        continue
                    if distance >= chain.length:
                        chain.extend(features, flow)
                        done += 1
                        yield PropagationStep(done, total)
                    if frame in waiting and sources[obj][frame] == source:
                        waiting[frame].discard(obj)
                if frame in waiting and not waiting[frame]:
                    done += 1
                    yield finish(frame)
                    waiting.pop(frame)
            for key in members:
                chains[key].forget()
                self._keep(annotations[source], key, chains[key])

    def _readers(self, video: Video) -> tuple[Any, Any]:
        size = work_size(video.height, video.width)

        def features(frame: int) -> Any:
            return self._frames.get(
                frame, lambda: frame_features(video.frame(frame), size)
            )

        def flow(source: int, target: int) -> np.ndarray:
            return self._frames.get(
                (source, target), lambda: backward_flow(features(source), features(target))
            )

        return features, flow

    def _chain(
        self, video: Video, annotation: Annotation, obj: int, source: int, direction: int
    ) -> Chain:
        mask = annotation.labels == obj
        size = work_size(video.height, video.width)
        key = _chain_key(annotation, (obj, source, direction))
        return self._chains.get(key, lambda: Chain(source, direction, mask, size))

    def _keep(self, annotation: Annotation, key: tuple[int, int, int], chain: Chain) -> None:
        self._chains.put(_chain_key(annotation, key), chain)


def _chain_key(annotation: Annotation, key: tuple[int, int, int]) -> Hashable:
    obj, source, direction = key
    digest = blake2b(np.packbits(annotation.labels == obj).tobytes(), digest_size=16).digest()
    return source, direction, digest


def _reach(
    sources: Mapping[int, np.ndarray], wanted: Sequence[int]
) -> dict[tuple[int, int, int], int]:
    """(object, source, direction) -> how far its chain has to run."""
    reach: dict[tuple[int, int, int], int] = {}
    for obj, nearest in sources.items():
        for frame in wanted:
            source = int(nearest[frame])
            if source < 0:
                continue
            key = (obj, source, -1 if frame < source else 1)
            reach[key] = max(reach.get(key, 0), abs(frame - source))
    return reach


def _merge(
    video: Video,
    annotations: Mapping[int, Annotation],
    objects: Sequence[int],
    sources: Mapping[int, np.ndarray],
    chains: Mapping[tuple[int, int, int], Chain],
    frame: int,
) -> np.ndarray:
    """Probabilities of all objects on one frame, at full resolution.

    Each object's odds against everything else become its weight against a background of
    weight 1, which leaves a single object as it is; where the frame is annotated, the
    annotation stands.
    """
    shape = (video.height, video.width)
    out = np.zeros((len(objects) + 1, *shape), np.float32)
    out[0] = 1
    annotated = np.zeros(shape, bool)
    for index, obj in enumerate(objects, 1):
        source = int(sources[obj][frame])
        if source == frame:
            annotated |= annotations[frame].labels == obj
        elif source >= 0:
            chain = chains[obj, source, -1 if frame < source else 1]
            alone = cv2.resize(
                chain.mask(abs(frame - source)), shape[::-1], interpolation=cv2.INTER_LINEAR
            )
            np.clip(alone, 0, MOST_CERTAIN, out=alone)
            np.divide(alone, 1 - alone, out=out[index])
    out /= out.sum(axis=0)
    out[:, annotated] = 0
    for index, obj in enumerate(objects, 1):
        if sources[obj][frame] == frame:
            out[index] = annotations[frame].labels == obj
    return out


class _ByteBoundedCache:
    """Keeps what was used last, up to a number of bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable, make: Any) -> Any:
        if key not in self._items:
            self.put(key, make())
        self._items.move_to_end(key)
        return self._items[key]

    def put(self, key: Hashable, value: Any) -> None:
        self._items[key] = value
        self._items.move_to_end(key)
        total = sum(v.nbytes for v in self._items.values())
        while total > self._limit and len(self._items) > 1:
            _, dropped = self._items.popitem(last=False)
            total -= dropped.nbytes

"""Propagation in chains: each object is carried from its annotations, frame by frame."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from evavos_widget.cache import ByteBoundedCache
from evavos_widget.loop import Annotation, PropagationStep, Propagator, Steps
from evavos_widget.propagation.between import Need, Table, distances_of, needs_of, reach_of
from evavos_widget.sources import (
    Known,
    Reached,
    check_merge,
    frames_affected,
    is_wrong,
    shares_of,
    standing,
)
from evavos_widget.video import check_frame

if TYPE_CHECKING:
    from evavos_widget.video import Video

__all__ = ["ChainedPropagator", "MaskChain", "check_request"]

CHAIN_BYTES = 128 * 2**20
"""Bound on masks kept between calls, compressed."""

MOST_CERTAIN = 1 - 1e-6
"""Probability at which odds are cut off."""


class MaskChain(ABC):
    """Masks of one object on the frames that follow from one annotation.

    A chain can be continued from any point with the masks it has: whatever else a step
    needs is computed again from them and the video, so that a mask never depends on
    where the chain was taken up.

    Parameters
    ----------
    source : int
        The annotated frame.
    direction : {-1, 1}
    mask : (H, W) bool array
        The object on `source`; some pixel of it.
    size : (h, w)
        Resolution at which the mask is taken over; later masks may have another.
    """

    def __init__(
        self, source: int, direction: int, mask: np.ndarray, size: tuple[int, int]
    ) -> None:
        self.source = source
        self.direction = direction
        self.nbytes = 0
        self._size = size
        self._masks: list[tuple[bytes, tuple[int, ...]]] = []
        self._last_seen = 0
        self._append(_shrunk(mask, size))

    @property
    def length(self) -> int:
        """Frames the chain has masks for, the annotated one included."""
        return len(self._masks)

    def mask(self, distance: int) -> np.ndarray:
        """Probability, (h, w) float32, `distance` frames from the annotated one."""
        packed, shape = self._masks[distance]
        levels = np.frombuffer(zlib.decompress(packed), np.uint8)
        return levels.reshape(shape).astype(np.float32) / 255

    def _append(self, mask: np.ndarray) -> None:
        levels = (mask * 255 + 0.5).astype(np.uint8)
        if levels.max() > 127:
            self._last_seen = self.length
        packed = zlib.compress(levels.tobytes(), 1)
        self._masks.append((packed, levels.shape))
        self.nbytes += len(packed)

    @abstractmethod
    def extend(self, frames: Any) -> None:
        """Compute the mask of the next frame, from what the engine knows about frames."""

    @abstractmethod
    def rest(self) -> None:
        """Drop what can be computed again from the masks."""


def _shrunk(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A mask, (H, W) bool, at another resolution: (h, w) float32 in [0, 1].

    An object thinner than one of its pixels is made to reach 1, not to be lost at once.
    """
    small = cv2.resize(mask.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
    peak = small.max()
    return small / peak if 0 < peak <= 0.5 else small


class ChainedPropagator(Propagator):
    """Carries masks from annotated frames, step by step (Sec. 2.1).

    Every object has its own annotations. Where its mask arrives from several of them, they are
    mixed as far as each is believed (`evavos_widget.sources`). The masks of every step are kept,
    and taken up again where the annotation they come from is unchanged.

    Parameters
    ----------
    merge : {'trust', 'nearest'}
        Whether all annotations count that may matter, or the nearest takes all.
    """

    repeatable = True

    def __init__(self, *, merge: str = "trust") -> None:
        self.merge = check_merge(merge)
        self._video: Video | None = None
        self._frames: Any = None
        self._chains = ByteBoundedCache(CHAIN_BYTES)

    def affected(
        self,
        before: Mapping[int, Annotation],
        after: Mapping[int, Annotation],
        n_frames: int,
    ) -> set[int]:
        """Frames that follow other annotations than before; see `sources.frames_affected`."""
        return frames_affected(before, after, n_frames, self.merge)

    @abstractmethod
    def _open(self, video: Video) -> Any:
        """What the chains of a video share: passed to `MaskChain.extend`."""

    @abstractmethod
    def _begin(self, source: int, direction: int, mask: np.ndarray) -> MaskChain:
        """A chain with nothing but the annotated mask, for the video opened last."""

    def propagate(
        self,
        video: Video,
        annotations: Mapping[int, Annotation],
        objects: Sequence[int],
        frames: Collection[int],
    ) -> Steps:
        """Masks of `objects` on `frames`; see `loop.Propagator.propagate`.

        Frames come annotation by annotation, forwards and then backwards from each. A step
        is one object carried over one frame, or one frame completed.

        Raises
        ------
        IndexError
            There is no such frame.
        ValueError
            An annotation has another size than the video.
        """
        check_request(video, annotations, frames)
        self._watch(video)
        annotations = self._located(annotations)
        known = {o: Known(annotations, o, self.merge) for o in objects}
        table = {o: {f: known[o].reached(f) for f in set(frames)} for o in objects}
        reach = reach_of(table)
        chains = {need: self._chain(annotations, need) for need in reach}
        # Objects drawn alike share a chain, which runs as far as the farthest needs it.
        length = {chain: 0 for chain in chains.values()}
        for need, chain in chains.items():
            length[chain] = max(length[chain], reach[need] + 1)
        total = len(set(frames)) + sum(max(0, length[c] - c.length) for c in length)
        done = 0
        try:
            for frame, need in _schedule(table, reach, frames):
                if need is None:
                    done += 1
                    probabilities = _merge(video, annotations, objects, table, chains, frame)
                    yield PropagationStep(done, total, frame, probabilities)
                elif chains[need].length <= abs(frame - need.source):
                    chains[need].extend(self._frames)
                    done += 1
                    yield PropagationStep(done, total)
        finally:
            for chain in length:
                chain.rest()

    def _located(self, annotations: Mapping[int, Annotation]) -> Mapping[int, Annotation]:
        """K with a mask for every object; an engine that takes points finds theirs here."""
        return annotations

    def _watch(self, video: Video) -> None:
        """Turn to a video, and forget another one."""
        if self._video is not video:
            self._video, self._frames = video, self._open(video)
            self._chains = ByteBoundedCache(CHAIN_BYTES)

    def _chain(self, annotations: Mapping[int, Annotation], need: Need) -> MaskChain:
        """The chain of an object from an annotation, as far as it was computed before."""
        obj, source, direction = need
        mask = annotations[source].labels == obj
        # All that the masks of a chain depend on, the video aside.
        drawn = blake2b(np.packbits(mask).tobytes(), digest_size=16).digest()
        return self._chains.get(
            (source, direction, drawn), lambda: self._begin(source, direction, mask)
        )


def check_request(
    video: Video, annotations: Mapping[int, Annotation], frames: Collection[int]
) -> None:
    """Whether a propagator can answer at all.

    Raises
    ------
    IndexError
        There is no such frame.
    ValueError
        An annotation has another size than the video.
    """
    for frame in (*frames, *annotations):
        check_frame(frame, video.n_frames)
    for frame, annotation in annotations.items():
        if annotation.labels.shape != (video.height, video.width):
            raise ValueError(
                f"The annotation of frame {frame} has shape {annotation.labels.shape}; give it "
                f"the video's, {(video.height, video.width)}."
            )


def _schedule(
    table: Table, reach: Mapping[Need, int], frames: Collection[int]
) -> Iterator[tuple[int, Need | None]]:
    """Frames to carry chains to, and frames (with None) that are then complete.

    Chains that start at one annotation in one direction run side by side, so that their
    frames' features are computed once.
    """
    waiting: dict[int, set[Need]] = {}
    due: dict[tuple[Need, int], list[int]] = {}
    for frame in sorted(set(frames)):
        lacking = {n: d for o in table for n, d in distances_of(o, frame, table[o][frame]).items()}
        waiting[frame] = set(lacking)
        for at in lacking.items():
            due.setdefault(at, []).append(frame)
    yield from [(frame, None) for frame in waiting if not waiting[frame]]
    for source, backwards in sorted({(source, -direction) for _, source, direction in reach}):
        side_by_side = [k for k in reach if k[1:] == (source, -backwards)]
        for distance in range(1, max(reach[k] for k in side_by_side) + 1):
            frame = source - backwards * distance
            for need in side_by_side:
                if distance > reach[need]:
                    continue
                yield frame, need
                for complete in due.pop((need, distance), ()):
                    waiting[complete].remove(need)
                    if not waiting[complete]:
                        yield complete, None


def _merge(
    video: Video,
    annotations: Mapping[int, Annotation],
    objects: Sequence[int],
    table: Table,
    chains: Mapping[Need, MaskChain],
    frame: int,
) -> np.ndarray:
    """Probabilities of all objects on one frame, (K + 1, H, W), at full resolution.

    Each object's odds against everything else become its weight against a background of
    weight 1, which leaves a single object as it is; where the frame is annotated, the
    annotation stands.
    """
    shape = (video.height, video.width)
    out = np.zeros((len(objects) + 1, *shape), np.float32)
    out[0] = 1
    annotated = {
        k: annotations[frame].labels == obj
        for k, obj in enumerate(objects, 1)
        if any(r.source == frame for r in table[obj][frame])
    }
    for k, obj in enumerate(objects, 1):
        reached = table[obj][frame]
        needs = {need.source: chains[need] for need in needs_of(obj, frame, reached)}
        arrived = {source: chain.mask(abs(frame - source)) for source, chain in needs.items()}
        if arrived:
            stands = {
                source: standing(frame, source, reached, partial(_is_wrong, chain, annotations))
                for source, chain in needs.items()
            }
            alone = _mixed(frame, reached, arrived, stands, shape)
            np.minimum(alone, MOST_CERTAIN, out=alone)
            np.divide(alone, 1 - alone, out=out[k])
    out /= out.sum(axis=0)
    for k, mask in annotated.items():
        out[:, mask] = 0
        out[k] = mask
    return out


def _mixed(
    frame: int,
    reached: Sequence[Reached],
    arrived: Mapping[int, np.ndarray],
    stands: Mapping[int, float],
    shape: tuple[int, int],
) -> np.ndarray:
    """One mask of those that arrive, (H, W), each as far as it is believed and stands."""
    mixed = np.zeros(shape, np.float32)
    for r, share in zip(reached, shares_of(frame, reached, arrived), strict=True):
        if not r.absent:
            full = cv2.resize(arrived[r.source], shape[::-1], interpolation=cv2.INTER_LINEAR)
            mixed += np.float32(share * stands[r.source]) * full
    return mixed


def _is_wrong(chain: MaskChain, annotations: Mapping[int, Annotation], frame: int) -> bool:
    return is_wrong(chain.mask(abs(frame - chain.source)) > 0.5, annotations[frame])

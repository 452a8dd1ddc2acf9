"""Objects carried together through a video with STCN, from one annotated frame in one direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from evavos_widget.loop import Annotation
from evavos_widget.networks.memory import readout, tokens
from evavos_widget.networks.stcn import KEY, VALUE, aggregate
from evavos_widget.propagation.between import drawn
from evavos_widget.propagation.stcn_frames import Frames

__all__ = ["Pass"]

MEMORY_STRIDE = 5
"""Frames whose distance is a multiple of this are remembered until the pass ends (STCN, MiVOS)."""

MEMORY_FRAMES = 100
"""How many of them, the latest: memory must not grow with the video."""

BLOCK = 64
"""Frames whose results lie together. Small arrays among the large ones that come and go would keep
those from being given back."""

SMALLEST_CHUNK = 2**15
"""Affinities held at once where memory is short; less would not help."""


class Pass:
    """Masks of objects on the frames after an annotated one, in one direction.

    What a pass found stays; its memory is built where it is taken up (`begin`, and `recall` of
    every frame `to_remember`) and dropped where it rests.

    Parameters
    ----------
    objects : tuple of int
        They are annotated on the same frames.
    source : int
        The annotated frame.
    direction : {-1, 1}

    Attributes
    ----------
    length : int
        Frames found so far.
    """

    def __init__(self, objects: tuple[int, ...], source: int, direction: int) -> None:
        self.objects, self.source, self.direction = objects, source, direction
        self.nbytes = 0
        self.length = 0
        self._found: list[np.ndarray] = []
        self._read: dict[int, tuple[bytes, ...]] = {}
        self._memory: _Memory | None = None

    def log_odds(self, obj: int, frame: int) -> np.ndarray:
        """Of an object alone on a frame, (H / 4, W / 4) float32, padded."""
        return self._of(frame)[self.objects.index(obj)]

    def stands(self, obj: int, annotated: Mapping[int, bytes]) -> bool:
        """Whether everything that was remembered of an object is still annotated so.

        Parameters
        ----------
        obj : int
        annotated : mapping of frame -> `drawn`
        """
        k = self.objects.index(obj)
        return all(annotated.get(frame) == marks[k] for frame, marks in self._read.items())

    def only(self, objects: tuple[int, ...]) -> Pass:
        """What was found of some of the objects, to be carried on without the others."""
        if objects == self.objects:
            return self
        rows = [self.objects.index(o) for o in objects]
        part = Pass(objects, self.source, self.direction)
        part._read = {f: tuple(marks[k] for k in rows) for f, marks in self._read.items()}
        for distance in range(1, self.length + 1):
            part._append(self._of(self.source + self.direction * distance)[rows])
        return part

    def to_remember(self, annotated: Sequence[int]) -> list[int]:
        """The annotated frames, and the latest of those that were remembered on the way."""
        own = range(MEMORY_STRIDE, self.length + 1, MEMORY_STRIDE)[-MEMORY_FRAMES:]
        return [*annotated, *(self.source + self.direction * distance for distance in own)]

    @torch.inference_mode()
    def begin(self, frames: Frames, annotated: Sequence[int], reach: int) -> None:
        """Make room for what is remembered in a pass of `reach` frames."""
        more = min(MEMORY_FRAMES, reach // MEMORY_STRIDE)
        cells = frames.cells[0] * frames.cells[1]
        self._memory = _Memory(len(annotated), more, cells, len(self.objects), frames.like)

    @torch.inference_mode()
    def recall(self, frames: Frames, frame: int, annotation: Annotation | None) -> None:
        """Remember a frame of `to_remember`, with its annotation or as it was found."""
        assert self._memory is not None
        if annotation is None:
            self._add(frames, frame, self._of(frame))
        else:
            self._memory.add(*frames.annotated_value(frame, annotation, self.objects))
            self._read[frame] = tuple(drawn(annotation, o) for o in self.objects)

    def rest(self) -> None:
        """Drop what can be computed again."""
        self._memory = None

    @torch.inference_mode()
    def extend(self, frames: Frames, *, top_k: int, chunk: int, last: bool) -> None:
        """Find the objects on the next frame; if it is not the `last`, it may be remembered."""
        assert self._memory is not None
        frame = self.source + self.direction * (self.length + 1)
        features = frames.features(frame)
        keys, values = self._memory.parts
        query = tokens(features.key)
        read = readout(keys, query, values, top_k=top_k, chunk=chunk)
        read = read[0].view(*frames.cells, len(self.objects), VALUE).permute(2, 3, 0, 1)
        found = frames.network.decode(read, features)[:, 0].float().cpu().numpy()
        if not last and (self.length + 1) % MEMORY_STRIDE == 0:
            self._add(frames, frame, found)
        self._append(found)  # last, since a step that fails is done again

    def _of(self, frame: int) -> np.ndarray:
        """What was found on a frame, (K, H / 4, W / 4) float32."""
        block, place = divmod(abs(frame - self.source) - 1, BLOCK)
        return self._found[block][place]

    def _append(self, found: np.ndarray) -> None:
        block, place = divmod(self.length, BLOCK)
        if block == len(self._found):
            self._found.append(np.empty((BLOCK, *found.shape), found.dtype))
        self._found[block][place] = found
        self.length += 1
        self.nbytes += found.nbytes

    def _add(self, frames: Frames, frame: int, found: np.ndarray) -> None:
        """Remember a frame as it was found."""
        assert self._memory is not None
        masks = aggregate(frames.spread(found))[1:, None].to(frames.like)
        value = frames.value(frame, masks, masks.sum(0, keepdim=True) - masks)
        self._memory.add(tokens(frames.features(frame).key), value)


class _Memory:
    """Keys and values in rows: those of annotated frames for good, others until they are many.

    Parameters
    ----------
    permanent, more : int
        How many frames stay, and how many others there is room for.
    cells : int
        Rows of a frame.
    objects : int
        Their values lie side by side, since they share keys.
    like : Tensor
        Of whose device and type the values are.
    """

    def __init__(self, permanent: int, more: int, cells: int, objects: int, like: Tensor) -> None:
        self._permanent, self._more, self._cells, self._frames = permanent, more, cells, 0
        rows = (permanent + more) * cells
        self._keys = like.new_empty((1, rows, KEY), dtype=torch.float32)
        self._values = like.new_empty((1, rows, objects * VALUE))

    def add(self, key: Tensor, value: Tensor) -> None:
        """Rows of one more frame, in place of the oldest where there is no room."""
        place = self._frames
        if place >= self._permanent + self._more:
            place = self._permanent + (place - self._permanent) % self._more
        rows = slice(place * self._cells, (place + 1) * self._cells)
        self._keys[:, rows], self._values[:, rows] = key, value
        self._frames += 1

    @property
    def parts(self) -> tuple[Tensor, Tensor]:
        """Keys, (1, N, 64), and values, (1, N, K * 512), of all that is remembered."""
        n = min(self._frames, self._permanent + self._more) * self._cells
        return self._keys[:, :n], self._values[:, :n]

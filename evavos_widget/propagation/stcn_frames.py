"""What STCN knows of a video's frames, computed once and shared by objects and passes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from evavos_widget.cache import ByteBoundedCache
from evavos_widget.loop import Annotation
from evavos_widget.networks.devices import give_memory_back
from evavos_widget.networks.discs import on_grid, point_discs
from evavos_widget.networks.memory import tokens
from evavos_widget.networks.stcn import (
    CELL,
    DEEP,
    KEY,
    POINT_RADIUS,
    QUARTER,
    STCN,
    VALUE,
    FrameFeatures,
    aggregate,
)
from evavos_widget.propagation.between import drawn
from evavos_widget.propagation.spill import Spill

if TYPE_CHECKING:
    from evavos_widget.video import Video

__all__ = ["Frames"]

SHORT_SIDE = 480
"""Longer frames are brought to this short side, as the authors do; smaller ones stay."""

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
"""Of ImageNet's colours, by which frames are normalised."""

MEMORY_BYTES = 16 * 2**20
"""Bound on features kept in memory, which is enough for small clips,"""

DISK_BYTES = 8 * 2**30
"""and on those on disk: 300 frames of 480p, 27 MB each."""

VALUE_BYTES = 64 * 2**20
"""Bound on values of annotated frames; an object on a frame of 480p has 3.3 MB."""

HALF_MAX = 65504.0
"""The largest number of half precision."""


class _Value(NamedTuple):
    value: Tensor

    @property
    def nbytes(self) -> int:
        return self.value.nbytes


class Frames:
    """One video's frames as the network sees them.

    Parameters
    ----------
    video : Video
    network : STCN
    """

    def __init__(self, video: Video, network: STCN) -> None:
        self.video, self.network = video, network
        shrink = min(1.0, SHORT_SIDE / min(video.height, video.width))
        self.size = round(video.height * shrink), round(video.width * shrink)
        spare = [-side % CELL for side in self.size]
        self._before = spare[0] // 2, spare[1] // 2
        self.padded = self.size[0] + spare[0], self.size[1] + spare[1]
        self.like = network.key_comp.weight
        self._kept = Spill(MEMORY_BYTES, DISK_BYTES)
        self._values = ByteBoundedCache(VALUE_BYTES)
        self._latest: tuple[int, Tensor, FrameFeatures] | None = None

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return self.padded[0] // CELL, self.padded[1] // CELL

    def features(self, frame: int) -> FrameFeatures:
        """Features of a frame; in half precision where they were computed before."""
        return self.look(frame)[1]

    def look(self, frame: int) -> tuple[Tensor, FrameFeatures]:
        """A frame as the network takes it, and its features."""
        if self._latest is None or self._latest[0] != frame:
            self._latest = None  # two frames at once would take twice the memory
            image, kept = self._image(frame), self._kept.get(frame)
            if kept is None:
                give_memory_back(self.like.device)
                features = self.network.describe(image)
                self._kept.put(frame, _packed(features))
                give_memory_back(self.like.device)
            else:
                features = self._unpacked(kept)
            self._latest = frame, image, features
        return self._latest[1:]

    def _image(self, frame: int) -> Tensor:
        picture = self.video.frame(frame)
        if picture.shape[:2] != self.size:
            picture = cv2.resize(picture, self.size[::-1], interpolation=cv2.INTER_AREA)
        pixels = torch.from_numpy(picture.astype(np.float32)).to(self.like.device)
        image = pixels.permute(2, 0, 1)[None] / 255
        mean, deviation = (image.new_tensor(x)[:, None, None] for x in (MEAN, DEVIATION))
        return self._pad((image - mean) / deviation).to(self.like.dtype)

    def _pad(self, picture: Tensor) -> Tensor:
        """Zeros around a picture of `size`, to `padded`."""
        (above, left), (height, width) = self._before, picture.shape[-2:]
        below, right = self.padded[0] - above - height, self.padded[1] - left - width
        return functional.pad(picture, (left, right, above, below))

    def cropped(self, picture: Tensor) -> Tensor:
        """A picture of `padded` without what was padded."""
        (above, left), (height, width) = self._before, self.size
        return picture[..., above : above + height, left : left + width]

    def _unpacked(self, kept: np.ndarray) -> FrameFeatures:
        numbers = torch.from_numpy(kept).view(torch.float16).to(self.like.device)
        (h, w), parts, start = self.cells, [], 0
        for channels, scale in (
            (KEY, 1), (DEEP, 1), (VALUE, 1), (VALUE, 1), (VALUE, 2), (256, CELL // QUARTER)
        ):  # fmt: skip
            shape = 1, h * scale, w * scale, channels
            part = numbers[start : start + torch.Size(shape).numel()].view(shape)
            start += part.numel()
            kind = self.like.dtype if parts else torch.float32
            parts.append(part.to(kind).permute(0, 3, 1, 2))
        return FrameFeatures(*parts)

    def annotated_value(
        self, frame: int, annotation: Annotation, objects: Sequence[int]
    ) -> tuple[Tensor, Tensor]:
        """Key and value of an annotated frame, as `value` gives them."""
        marks = tuple(drawn(annotation, o) for o in sorted(annotation.present))

        def make() -> _Value:
            present = sorted({*annotation.present, *objects})
            each = {o: self._drawn(annotation, o) for o in present}
            masks = torch.stack([each[o] for o in objects])
            # An object that is annotated here but not carried along is still another one.
            others = (torch.stack(list(each.values())).sum(0) - masks).clamp(0, 1)
            return _Value(self.value(frame, masks, others))

        value = self._values.get((frame, tuple(objects), marks), make).value
        return tokens(self.features(frame).key), value

    def _drawn(self, annotation: Annotation, obj: int) -> Tensor:
        """The mask of an object, or its points as discs, as the value encoder takes them."""
        points = annotation.points.get(obj)
        if points is None:
            return self.drawing((annotation.labels == obj)[None].astype(np.float32))[0]
        discs = point_discs(on_grid(points, annotation.shape, self.size), self.size, POINT_RADIUS)
        return self.drawing(discs[None])[0]

    def drawing(self, masks: np.ndarray) -> Tensor:
        """Masks, (K, H, W), as the value encoder takes them."""
        if masks.shape[1:] != self.size:
            masks = np.stack(
                [cv2.resize(m, self.size[::-1], interpolation=cv2.INTER_AREA) for m in masks]
            )
        return self._pad(torch.from_numpy(masks).to(self.like))[:, None]

    def value(self, frame: int, masks: Tensor, others: Tensor) -> Tensor:
        """Values of objects on a frame, side by side.

        Parameters
        ----------
        frame : int
        masks, others : (K, 1, H, W) tensors in [0, 1]
            Padded; see `STCN.remember`.

        Returns
        -------
        (1, h * w, K * 512) tensor
        """
        image, features = self.look(frame)
        value = self.network.remember(image, features.deep, masks, others)
        return value.permute(2, 3, 0, 1).reshape(1, -1, len(masks) * VALUE)

    def found_value(self, frame: int, found: np.ndarray) -> tuple[Tensor, Tensor]:
        """Key and value, as `value` gives them, of a frame where objects were found.

        Parameters
        ----------
        frame : int
        found : (K, H / 4, W / 4) array
            Log odds.
        """
        alone = self.spread(torch.from_numpy(found).to(self.like.device)).sigmoid()
        masks = aggregate(alone)[1:, None].to(self.like)
        value = self.value(frame, masks, masks.sum(0, keepdim=True) - masks)
        return tokens(self.features(frame).key), value

    def spread(self, log_odds: Tensor) -> Tensor:
        """Log odds at the decoder's resolution, (K, H / 4, W / 4), at that of pictures, padded."""
        return functional.interpolate(
            log_odds[None], scale_factor=QUARTER, mode="bilinear", align_corners=False
        )[0]


def _packed(features: FrameFeatures) -> np.ndarray:
    parts = [
        part.permute(0, 2, 3, 1).reshape(-1).clamp(-HALF_MAX, HALF_MAX).to(torch.float16)
        for part in features
    ]
    return torch.cat(parts).cpu().view(torch.uint8).numpy()

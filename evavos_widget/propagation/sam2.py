"""Propagation with SAM 2 and EdgeTAM."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from evavos_widget.cache import ByteBoundedCache
from evavos_widget.loop import Annotation
from evavos_widget.networks.devices import lower_precision
from evavos_widget.networks.sam2 import DEFAULT, load_sam2, memory_of
from evavos_widget.propagation.passes import Pass, PassPropagator, Walk

if TYPE_CHECKING:
    from evavos_widget.video import Video

__all__ = ["Sam2Propagator"]

FEATURE_BYTES = 256 * 2**20
"""Bound on features kept across passes: 15 frames."""


class Sam2Propagator(PassPropagator):
    """Carries masks in passes, as `PassPropagator` says, with SAM 2 or EdgeTAM.

    Annotated frames are what the model calls conditioning frames, all of which it looks back
    at; of the frames on the way it remembers the latest, as published.

    Memory grows with what was found, 128 KiB for an object on a frame and for each of the two
    directions, and within a pass with the number of annotated frames, but not with the length
    of the video otherwise.

    Parameters
    ----------
    weights : str or path
        ``edgetam`` (default), ``tiny``, ``small``, ``base-plus`` or ``large`` (SAM 2.1),
        downloaded if they are not there, or a folder that ``save_pretrained`` wrote.
    device : str, optional
        A GPU where there is one, by default.
    merge : {'trust', 'nearest'}
        As for `PassPropagator`.

    Raises
    ------
    WeightsError
        The weights cannot be had, or are damaged or of something else.
    ValueError
        The device is not there.
    """

    name = "sam2"

    def __init__(
        self,
        weights: str | os.PathLike[str] = DEFAULT,
        device: str | None = None,
        *,
        merge: str = "trust",
    ) -> None:
        self._model, self._pictures = load_sam2(weights, device, "video")
        super().__init__(str(self._model.device), merge)
        self._features = ByteBoundedCache(FEATURE_BYTES)

    def _open(self, video: Video) -> None:
        self._features.clear()

    def _spare(self, level: int) -> bool:
        """Keep the features of one frame only; objects are gone through one by one anyway."""
        self._features.limit = 0 if level else FEATURE_BYTES
        if level:
            self._features.clear()
        return level <= 1

    @torch.inference_mode()
    def _walk(self, run: Pass, annotations: Mapping[int, Annotation]) -> Walk:
        assert self._video is not None
        video, objects, known = self._video, run.objects, run.length
        memory = memory_of(self._model)
        # Frames come as features; the model asks only how many there are.
        memory.processed_frames = dict.fromkeys(range(video.n_frames))
        places = [memory.obj_id_to_idx(obj) for obj in objects]
        for frame, annotation in annotations.items():
            for place, obj in zip(places, objects, strict=True):
                mask = self._mask(annotation.labels == obj)
                memory.add_mask_inputs(place, frame, mask)
            memory.obj_with_new_inputs = list(objects)
            self._step(video, memory, frame)
            yield None
        for distance in count(1):
            found = self._step(video, memory, run.frame(distance), reverse=run.direction < 0)
            found = found.flatten(0, -3).to(torch.float16).cpu().numpy()
            yield found if distance > known else None

    def _step(self, video: Video, memory: Any, frame: int, *, reverse: bool = False) -> Tensor:
        """Logits of the objects on a frame, low in resolution; it is remembered."""
        features = self._features.get(frame, lambda: self._described(video, frame))
        memory.cache.cache_vision_features(
            frame, {"vision_feats": [*features.maps], "vision_pos_embeds": [features.places]}
        )
        with lower_precision(self.device):
            found = self._model(memory, frame_idx=frame, reverse=reverse).pred_masks
        config = self._model.config
        looks_back = max(config.num_maskmem, config.max_object_pointers_in_encoder)
        for outputs in memory.output_dict_per_obj.values():
            for kind in outputs.values():
                if frame in kind:  # was needed to remember the frame, and is large
                    kind[frame].pop("high_res_masks", None)
            passed = outputs["non_cond_frame_outputs"]
            for old in [f for f in passed if abs(frame - f) >= looks_back]:
                del passed[old]
        return found

    def _described(self, video: Video, frame: int) -> _Features:
        with lower_precision(self.device):
            found = self._model.get_image_features(self._pictures(video.frame(frame)))
        return _Features(tuple(found.fpn_hidden_states), found.fpn_position_encoding[-1])

    def _mask(self, mask: np.ndarray) -> Tensor:
        """A mask as the model takes it, (1, 1, side, side) of 0 and 1.

        An object thinner than one of its pixels is made to be seen.
        """
        full = torch.from_numpy(mask).to(self.device, torch.float32)[None, None]
        small = functional.interpolate(
            full, size=(self._pictures.side,) * 2, mode="bilinear", antialias=True
        )
        return ((small > 0) & (small >= small.max().clamp(max=0.5))).float()

    def _spread(self, log_odds: Tensor) -> Tensor:
        assert self._video is not None
        size = self._video.height, self._video.width
        return functional.interpolate(
            log_odds[None], size=size, mode="bilinear", align_corners=False
        )[0]


@dataclass(frozen=True, eq=False)
class _Features:
    """A frame as the memory and the decoder see it: maps, the finest first, and positions."""

    maps: tuple[Tensor, ...]
    places: Tensor

    @property
    def nbytes(self) -> int:
        return sum(part.nbytes for part in (*self.maps, self.places))

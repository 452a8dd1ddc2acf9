"""DynaMITe (Rana et al., ICCV 2023): clicks of all objects of a frame to their masks, together."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from evavos_widget import checkpoints
from evavos_widget.cache import ByteBoundedCache
from evavos_widget.loop import MaskPredictor
from evavos_widget.mask_prediction.embeddings import Embeddings
from evavos_widget.mask_prediction.pixels import checked, clicks_along, prediction_of, start_of
from evavos_widget.networks.compact import Features
from evavos_widget.networks.devices import chosen_device
from evavos_widget.networks.dynamite import (
    BACKGROUND,
    STRIDE,
    Clicks,
    Interaction,
    InteractionConfig,
    Scene,
    lead,
    of_owners,
)
from evavos_widget.networks.dynamite_compact import ENCODER, CompactDynamite, load_compact
from evavos_widget.networks.ready import compact_network, image_tensor, resized
from evavos_widget.prompts import Click, Prediction, Prompts

__all__ = ["DynamitePredictor"]

CACHE_BYTES = 384 * 2**20
"""Bound of what is kept of pictures; a published network keeps up to 170 MB of one."""

SPACING = 32.0
"""A mouse trace counts as a click every so many pixels. Point-VOS samples points along traces
(Sec. 3.2) and does not say how many."""

MOST = 10
"""A mouse trace counts as so many clicks at most."""

PIXELS = 256 * 456
"""Pixels at which the compact configuration looks at a picture, about: as its training did."""

LARGEST_ZOOM = 3.0
"""Its pixels per pixel of the picture, at most, along a side."""


class DynamitePredictor(MaskPredictor):
    """Masks of several objects from clicks and scribbles.

    All clicks are answered anew each time, in the order in which they were made, as far as
    prompts say it: the first ones of all objects, then the second ones, and so on. A click on what
    is not an object is one on the background for all of them. A mask that is to be corrected joins
    as a click where it is deepest, far from what was clicked as not the object; the published
    design has no other way to start from a mask. No pixel belongs to two objects that were asked
    for together.

    Parameters
    ----------
    weights : path or str, optional
        ``swin-tiny`` (default) or ``resnet50``, the published ones, downloaded if they are not
        there; a file in their format; or one that ``evavos train dynamite`` wrote.
    device : str, optional
        A GPU where there is one, by default.
    cache_bytes : int
        Bound of what is kept between calls with a `key`.

    Raises
    ------
    WeightsError
        The weights cannot be had, or are damaged or of something else.
    ValueError
        The device is not there.
    """

    name = "dynamite"
    learned = True
    together = True
    accepts = frozenset({"mask", "clicks", "scribble"})

    def __init__(
        self,
        weights: str | os.PathLike[str] | None = None,
        device: str | None = None,
        *,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self.device = chosen_device(device)
        path = checkpoints.weights_file(DEFAULT if weights is None else weights, "dynamite")
        self._network = _ready(path.resolve(), path.stat().st_mtime_ns, self.device)
        self._embeddings = Embeddings(self.name, self._embed, ByteBoundedCache(cache_bytes))

    @torch.inference_mode()
    def _embed(self, image: np.ndarray) -> _Looked:
        return self._network.look(image)

    def prepare(self, image: Callable[[], np.ndarray], key: Hashable) -> None:
        """Look at an image in the background, so that the first click on it does not wait."""
        self._embeddings.prepare(image, key)

    def predict(
        self, image: np.ndarray, prompts: Prompts, *, key: Hashable | None = None
    ) -> Prediction:
        """The mask of one object, as `predict_together` gives it."""
        return self.predict_together(image, {0: prompts}, key=key)[0]

    @torch.inference_mode()
    def predict_together(
        self, image: np.ndarray, prompts: Mapping[int, Prompts], *, key: Hashable | None = None
    ) -> dict[int, Prediction]:
        """The masks of several objects.

        Parameters
        ----------
        image : (H, W, 3) uint8 array, RGB
        prompts : mapping of object -> Prompts
            All prompts so far of each; the result depends on nothing else.
        key : hashable, optional
            Names the image, so that what depends on it alone is kept.

        Returns
        -------
        dict of object -> Prediction
            Of an object without any prompt: the previous mask, or nothing; it takes no part in the
            rest. Nothing, too, of one of which only is known what it is not.

        Raises
        ------
        ValueError
            The image is not (H, W, 3) uint8, or a prompt does not fit it.
        RuntimeError
            There is not enough memory.
        """
        image = checked(image)
        size = image.shape[0], image.shape[1]
        for given in prompts.values():
            given.validate(*size)
        found = {obj: prediction_of(start_of(given, *size)) for obj, given in prompts.items()}
        told = {obj: _clicks(prompts[obj], found[obj].mask) for obj in sorted(prompts)}
        asked = [obj for obj, clicks in told.items() if any(c.positive for c in clicks)]
        for obj, clicks in told.items():
            if clicks and obj not in asked:
                found[obj] = prediction_of(np.zeros(size, np.float32))
        if not asked:
            return found
        looked = self._embeddings.get(image, key)
        clicks = looked.clicks(_in_turns(told, asked), self._network.config.times)
        masks, owners = self._network.interaction(looked.scene, clicks)
        odds = lead(of_owners(looked.in_full(masks[-1]), owners, len(asked)))[0, 1:]
        for obj, chance in zip(asked, odds.sigmoid().cpu().numpy(), strict=True):
            found[obj] = prediction_of(chance)
        return found


class _Network(Protocol):
    """Either network, ready to be used."""

    config: InteractionConfig
    interaction: Interaction

    def look(self, image: np.ndarray) -> _Looked:
        """What is known of an (H, W, 3) uint8 image before anybody clicks."""
        ...


@dataclass(frozen=True, eq=False)
class _Looked:
    """A picture that was looked at.

    Parameters
    ----------
    scene : Scene
    size : (int, int)
        Height and width of the picture.
    scaled : (int, int)
        To what it was scaled.
    filled : (int, int)
        To what it was filled up then, below and on the right.
    corner : float
        What is added to a row or column of the picture before it is scaled.
    """

    scene: Scene
    size: tuple[int, int]
    scaled: tuple[int, int]
    filled: tuple[int, int]
    corner: float

    @property
    def nbytes(self) -> int:
        return sum(x.nbytes for x in (*self.scene.levels, self.scene.mask_features))

    def clicks(self, told: Sequence[tuple[Click, int]], times: int) -> Clicks:
        """Clicks with their owners, in order, as the network takes them."""
        parts = np.divide(self.scaled, self.size) / self.filled
        last = max(times, len(told))
        places = [
            [(c.y + self.corner) * parts[0], (c.x + self.corner) * parts[1], time / last]
            for time, (c, _) in enumerate(told)
        ]
        like = self.scene.mask_features
        return Clicks(
            like.new_tensor(places)[None],
            torch.tensor([[owner for _, owner in told]], device=like.device),
        )

    def in_full(self, masks: Tensor) -> Tensor:
        """Masks in the size of the picture."""
        masks = _resized(masks.float(), self.filled)
        return _resized(masks[..., : self.scaled[0], : self.scaled[1]], self.size)


def _resized(masks: Tensor, size: tuple[int, int]) -> Tensor:
    if masks.shape[-2:] == size:
        return masks
    return functional.interpolate(masks, size=size, mode="bilinear", align_corners=False)


class _Published:
    """The published network, and pictures as it was trained on them."""

    def __init__(self, path: Path, device: str) -> None:
        from evavos_widget.networks.dynamite_published import load_published

        self._network = load_published(path).to(device)
        self.config, self.interaction = self._network.config, self._network.interaction

    def look(self, image: np.ndarray) -> _Looked:
        height, width = self._network.size(*image.shape[:2])
        scaled = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(scaled)).permute(2, 0, 1)[None]
        scene = self._network.encode(pixels.to(self._network.mean))
        filled = height + -height % STRIDE, width + -width % STRIDE
        # The authors give a pixel by its number, not by its middle.
        return _Looked(scene, image.shape[:2], (height, width), filled, 0.0)


class _Compact:
    """The compact configuration with its encoder."""

    def __init__(self, path: Path, device: str) -> None:
        self._encoder = compact_network(ENCODER, device)
        self._network: CompactDynamite = load_compact(path).to(device)
        self.config, self.interaction = self._network.config, self._network.interaction

    def look(self, image: np.ndarray) -> _Looked:
        size = _work_size(*image.shape[:2])
        pixels = image_tensor(resized(image, size), self._encoder.to_key.weight)
        features = self._encoder.encode(pixels)
        scene = self._network.scene(Features(*(level.float() for level in features)))
        return _Looked(scene, image.shape[:2], size, size, 0.5)


def _work_size(height: int, width: int) -> tuple[int, int]:
    """Multiples of 32 near to what makes `PIXELS` of them."""
    scale = min(LARGEST_ZOOM, (PIXELS / (height * width)) ** 0.5)
    rows, columns = (max(2, round(scale * side / STRIDE)) * STRIDE for side in (height, width))
    return rows, columns


DEFAULT = "swin-tiny"
"""The weights that are used when none are named."""


@lru_cache(maxsize=2)
def _ready(path: Path, changed: int, device: str) -> _Network:
    """A network, shared by everything in this process that asks for the same."""
    kind = _Compact if path.suffix == ".safetensors" else _Published
    return kind(path, device)


def _clicks(prompts: Prompts, before: np.ndarray) -> list[Click]:
    """Clicks of an object, those that stand for scribbles and for its previous mask first."""
    clicks = [
        Click(x, y, sign > 0)
        for scribble in prompts.scribbles
        for x, y, sign in clicks_along(scribble, SPACING, MOST)
    ]
    height, width = before.shape
    # A scribble may leave the picture.
    clicks = [c for c in clicks if 0 <= round(c.x) < width and 0 <= round(c.y) < height]
    clicks += prompts.clicks
    if clicks and before.any():
        clicks.insert(0, _deepest(before, clicks))
    return clicks


def _deepest(mask: np.ndarray, clicks: Sequence[Click]) -> Click:
    """A click in the middle of a mask, away from what was clicked as not the object."""
    free = mask.astype(np.uint8)
    for click in clicks:
        if not click.positive:
            free[round(click.y), round(click.x)] = 0
    depth = cv2.distanceTransform(np.pad(free, 1), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    row, column = np.unravel_index(depth.argmax(), depth.shape)
    return Click(float(column), float(row))


def _in_turns(told: Mapping[int, Sequence[Click]], asked: Sequence[int]) -> list[tuple[Click, int]]:
    """Clicks and their owners: the first ones of all objects, then the second ones, and so on."""
    turns = [
        (turn, click, owner)
        for owner, obj in enumerate(asked)
        for turn, click in enumerate(told[obj])
    ]
    turns.sort(key=lambda one: one[0])
    return [(c, owner if c.positive else BACKGROUND) for _, c, owner in turns]

"""DynaMITe (Rana et al., ICCV 2023): clicks of all objects of a picture, answered together.

A picture is looked at once: three levels of features, at strides 32, 16 and 8, and mask features at
stride 4 (`Scene`). Every click becomes a query: the features where it was made, and an encoding of
where and when. Some queries for the background are learned. The queries look at the levels in
turns, each only where it believes its mask to be, and at each other (the paper's interactive
encoder); then the mask features look at the queries (its interactive decoder). The mask of a query
is the product of the two. The log odds of an object are the largest of its queries, those of the
background likewise, which clicks on it share whichever object they were meant to correct.

What makes a `Scene` of a picture is in `dynamite_published` and `dynamite_compact`; what is here is
common to both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = [
    "BACKGROUND",
    "NOBODY",
    "STRIDE",
    "Clicks",
    "Interaction",
    "InteractionConfig",
    "Scene",
    "lead",
    "of_owners",
    "sine",
]

STRIDE = 32
"""Pictures have sides that are multiples of this; the coarsest level has a cell for each."""

LEVELS = 3
"""Of features that queries look at (Mask2Former, Sec. 3.2.1)."""

TEMPERATURE = 10000.0
"""Of the encodings of places (Vaswani et al. 2017), here in the manner of DETR."""

BACKGROUND, NOBODY = -1, -2
"""Owners of queries that belong to no object, and of those that only fill a batch."""


@dataclass(frozen=True)
class InteractionConfig:
    """Sizes; the defaults are the published ones (the authors' configurations of COCO+LVIS).

    Parameters
    ----------
    width : int
        Channels of queries, levels and mask features; a multiple of 4.
    heads : int
        Of every attention.
    layers : int
        In which queries look at a level and at each other; the levels take turns.
    hidden : int
        Channels between the two maps of a layer's feed-forward network.
    decoder_layers : int
        In which the mask features look at the queries.
    backgrounds : int
        Learned queries.
    times : int
        Clicks after which the scale of time ends; where there are more, the last is at its end.
    """

    width: int = 256
    heads: int = 8
    layers: int = 9
    hidden: int = 2048
    decoder_layers: int = 5
    backgrounds: int = 9
    times: int = 500


class Scene(NamedTuple):
    """What is known of pictures before anybody clicks.

    Parameters
    ----------
    levels : three (B, width, h, w) tensors
        Features, the coarsest first.
    mask_features : (B, width, H / 4, W / 4) tensor
    """

    levels: tuple[Tensor, ...]
    mask_features: Tensor


class Clicks(NamedTuple):
    """Clicks of pictures.

    Parameters
    ----------
    places : (B, Q, 3) float tensor
        Row and column relative to the picture's height and width, and the time, all 0 to 1.
    owners : (B, Q) int64 tensor
        The object that was clicked, from 0 on, or `BACKGROUND`, or `NOBODY` where a picture has
        fewer clicks than others.
    """

    places: Tensor
    owners: Tensor


class Interaction(nn.Module):
    """From a scene and clicks to the masks of the queries.

    Parameters
    ----------
    config : InteractionConfig
    """

    def __init__(self, config: InteractionConfig = InteractionConfig()) -> None:
        super().__init__()
        self.config = config
        width, heads = config.width, config.heads
        self.level = nn.Embedding(LEVELS, width)
        self.enter = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
        self.place = nn.Linear(3 * (width // 2), width)
        self.click_place = nn.Parameter(torch.randn(width))
        self.background = nn.Parameter(torch.empty(config.backgrounds, width))
        self.background_place = nn.Parameter(torch.randn(config.backgrounds, width))
        nn.init.xavier_uniform_(self.background)
        self.look = nn.ModuleList(_Attention(width, heads) for _ in range(config.layers))
        self.talk = nn.ModuleList(_Attention(width, heads) for _ in range(config.layers))
        self.think = nn.ModuleList(_FeedForward(width, config.hidden) for _ in range(config.layers))
        self.answer = nn.ModuleList(_Attention(width, heads) for _ in range(config.decoder_layers))
        self.settle = nn.ModuleList(
            _FeedForward(width, 2 * width) for _ in range(config.decoder_layers)
        )
        self.norm = nn.LayerNorm(width)
        self.to_mask = nn.Sequential(
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, width),
        )

    def forward(self, scene: Scene, clicks: Clicks) -> tuple[list[Tensor], Tensor]:
        """Masks of the queries: the clicks, then those of the background that are learned.

        Parameters
        ----------
        scene : Scene
        clicks : Clicks
            One at least.

        Returns
        -------
        masks : list of (B, Q + backgrounds, h, w) tensors
            Log odds: before each layer in the size of the level that it looks at, then those of the
            end, of a fourth of the picture's height and width.
        owners : (B, Q + backgrounds) int64 tensor
        """
        n, learned = len(clicks.places), len(self.background)
        owners = functional.pad(clicks.owners, (0, learned), value=BACKGROUND)
        # Those that fill the batch are neither looked at nor talked to.
        absent = owners == NOBODY if bool((owners == NOBODY).any()) else None
        encoded = sine(clicks.places, self.config.width // 2).to(self.background)
        where = self.click_place + self.place(encoded)
        where = torch.cat([where, self.background_place.expand(n, -1, -1)], 1)
        queries = torch.cat(
            [described(scene.levels, clicks.places), self.background.expand(n, -1, -1)], 1
        )
        queries = self.enter(queries)
        levels = [
            level.flatten(2).transpose(1, 2) + self.level.weight[i]
            for i, level in enumerate(scene.levels)
        ]
        grids = [_grid(level) for level in scene.levels]
        # Products of what was made smaller are the same as products that are made smaller.
        small = [_resized(scene.mask_features, level) for level in scene.levels]
        masks = []
        for i, (look, talk, think) in enumerate(zip(self.look, self.talk, self.think, strict=True)):
            k = i % LEVELS
            masks.append(self._masks(queries, small[k]))
            blocked = self._elsewhere(masks[-1])
            queries = look(queries, where, levels[k], grids[k], blocked=blocked)
            queries = talk(queries, where, queries, where, absent=absent)
            queries = think(queries)
        features, shape = scene.mask_features, scene.mask_features.shape[-2:]
        pixels, grid = features.flatten(2).transpose(1, 2), _grid(features)
        for answer, settle in zip(self.answer, self.settle, strict=True):
            pixels = settle(answer(pixels, grid, queries, where, absent=absent))
        masks.append(self._masks(queries, pixels.transpose(1, 2).unflatten(2, shape)))
        return masks, owners

    def _masks(self, queries: Tensor, mask_features: Tensor) -> Tensor:
        return torch.einsum("bqc,bchw->bqhw", self.to_mask(self.norm(queries)), mask_features)

    def _elsewhere(self, masks: Tensor) -> Tensor:
        """Where each query must not look: outside of its mask, unless that is empty.

        (B * heads, Q, h * w) bool.
        """
        outside = masks.detach().flatten(2) < 0
        outside &= ~outside.all(-1, keepdim=True)
        return outside.repeat_interleave(self.config.heads, 0)


def _resized(x: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)


class _Attention(nn.Module):
    """Attention with places, and a normalisation after it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm = nn.LayerNorm(width)

    def forward(
        self,
        x: Tensor,
        where: Tensor,
        seen: Tensor,
        seen_where: Tensor,
        *,
        blocked: Tensor | None = None,
        absent: Tensor | None = None,
    ) -> Tensor:
        """`x` after it looked at `seen`; places join queries and keys, not values."""
        found, _ = self.attention(
            x + where,
            seen + seen_where,
            seen,
            attn_mask=blocked,
            key_padding_mask=absent,
            need_weights=False,
        )
        return self.norm(x + found)


class _FeedForward(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.widen, self.narrow = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x + self.narrow(functional.relu(self.widen(x))))


def described(levels: Sequence[Tensor], places: Tensor) -> Tensor:
    """Features at places, the mean over levels: (B, Q, width).

    Parameters
    ----------
    levels : sequence of (B, width, h, w) tensors
    places : (B, Q, 2 or 3) tensor
        Row and column, 0 to 1.
    """
    grid = 2 * places[..., :2].flip(-1)[:, :, None] - 1
    at = [functional.grid_sample(x, grid.to(x), align_corners=False)[..., 0] for x in levels]
    return torch.stack(at).mean(0).transpose(1, 2)


def sine(values: Tensor, channels: int) -> Tensor:
    """Encodings of numbers 0 to 1, `channels` of each after the other: (..., n) to (..., n * c).

    Sines and cosines in turns, of angles from a full turn down to a ten-thousandth of it.
    """
    values = values.to(torch.promote_types(values.dtype, torch.float32))
    steps = torch.arange(0, channels, 2, device=values.device, dtype=values.dtype) / channels
    angles = 2 * math.pi * values[..., None] / TEMPERATURE**steps
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(-3)


def _grid(features: Tensor) -> Tensor:
    """Encodings of the places of a map, (1, h * w, width)."""
    height, width = features.shape[-2:]
    # In the manner of DETR: the last row and column are at 1, the first not at 0.
    rows, columns = (
        torch.arange(1, side + 1, device=features.device, dtype=features.dtype) / (side + 1e-6)
        for side in (height, width)
    )
    places = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), -1)
    return sine(places, features.shape[1] // 2).flatten(0, 1)[None].to(features)


def of_owners(masks: Tensor, owners: Tensor, objects: int) -> Tensor:
    """Log odds of the background and of each object: the largest of their queries.

    Parameters
    ----------
    masks : (B, Q, h, w) tensor
    owners : (B, Q) int64 tensor
    objects : int
        How many there are.

    Returns
    -------
    (B, 1 + objects, h, w) tensor
        The background first; minus infinity where an object has no query.
    """
    others = [owners != owner for owner in (BACKGROUND, *range(objects))]
    return torch.stack(
        [masks.masked_fill(other[..., None, None], -torch.inf).amax(1) for other in others], 1
    )


def lead(odds: Tensor) -> Tensor:
    """By how much each is above the largest of the others: (B, n, h, w), n being at least 2.

    Positive for one of them at most, that which an arg max would choose.
    """
    best, which = odds.topk(2, dim=1)
    first = which[:, :1] == torch.arange(odds.shape[1], device=odds.device)[:, None, None]
    return odds - torch.where(first, best[:, 1:], best[:, :1])

"""RF-VNG: masks of the noun that is marked in a caption (Point-VOS Sec. 4.3, after ReferFormer).

As in ReferFormer (Wu et al., CVPR 2022) the text decides what the queries of a decoder ask of the
frames, and each query writes the weights of a small convolutional head that makes its mask; a query
is the same object on all frames, which is how masks are linked over time. As in RF-VNG the query
is not the whole sentence but the words of one noun, read in their context.

What is simpler here than there: one query for a noun in place of five of which one is chosen; the
decoder attends to one map of cells (8 x 8 pixels) in place of a deformable pyramid; and motion is
seen by optical flow, which is given beside the picture, in place of a video backbone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from evavos_widget.networks.words import BUCKETS

__all__ = [
    "COMPACT",
    "FINE",
    "PAPER",
    "Found",
    "RfVng",
    "RfVngConfig",
    "WordEncoder",
    "dynamic_head",
]

FINE = 5
"""Channels of the fine map: RGB in [0, 1], and optical flow to the right and down, see `scene`."""


@dataclass(frozen=True)
class RfVngConfig:
    """Sizes of the network.

    Parameters
    ----------
    frame_channels : int
        Of the map of cells that the frame encoder makes; 128 is the compact network's.
    text_channels : int
        Of the text encoder's words.
    width : int
        Of queries and cells. ReferFormer has 256.
    heads : int
        Of the attention; ReferFormer has 8.
    layers : int
        Of the decoder; ReferFormer has 4.
    text_layers : int
        Of the small text encoder.
    mask_channels : int
        Of the map that the dynamic head reads, and of its layers; 8 in ReferFormer.
    head_layers : int
        Of the dynamic head; 3 in ReferFormer.
    """

    frame_channels: int = 128
    text_channels: int = 96
    width: int = 96
    heads: int = 4
    layers: int = 2
    text_layers: int = 2
    mask_channels: int = 12
    head_layers: int = 3


COMPACT = RfVngConfig()
"""On the features of the compact network, with the small text encoder."""

PAPER = RfVngConfig(
    frame_channels=512, text_channels=768, width=256, heads=8, layers=4, mask_channels=8
)
"""On ResNet-50's features at stride 8, with RoBERTa; see `evavos_widget.networks.rfvng_paper`."""


class Found(NamedTuple):
    """What the network says of nouns.

    Parameters
    ----------
    masks : (V, Q, T, 2 h, 2 w) tensor
        Of each of Q nouns of V videos, log odds; h x w being the cells.
    boxes : (V, Q, T, 4) tensor in [0, 1]
        Centre and size, x before y.
    shown : (V, Q, T) tensor
        Log odds that the frame shows the object.
    """

    masks: Tensor
    boxes: Tensor
    shown: Tensor


class WordEncoder(nn.Module):
    """A small transformer over the words of a caption, trained here from nothing.

    Attention knows how far words are apart, by a learned bias for each distance. Heads begin with
    words before or behind their own, near ones and farther ones: with no bias the same word in two
    places of a caption would be one, and learning would stand still.

    Parameters
    ----------
    width, heads, layers : int
    """

    FARTHEST = 8

    LOOKS = ((-1.0, 0.7), (1.5, 0.9), (3.0, 1.0), (-2.5, 1.5))
    """Where heads look at first: so many words behind their own, and how widely."""

    def __init__(self, width: int, heads: int, layers: int) -> None:
        super().__init__()
        self.width, self.heads = width, heads
        self.table = nn.EmbeddingBag(BUCKETS, width, mode="sum", padding_idx=0)
        nn.init.normal_(self.table.weight, std=0.5)
        with torch.no_grad():
            self.table.weight[0] = 0
        self.layers = nn.ModuleList(_TextLayer(width, heads) for _ in range(layers))
        apart = torch.arange(-self.FARTHEST, self.FARTHEST + 1)
        looks = torch.tensor([self.LOOKS[i % len(self.LOOKS)] for i in range(heads)])
        begin = -((apart - looks[:, :1]) / looks[:, 1:]).square()
        self.distance = nn.Parameter(begin.expand(layers, -1, -1).clone())
        self.norm = nn.LayerNorm(width)

    def forward(self, pieces: Tensor, marked: Tensor) -> Tensor:
        """Words in their context.

        Parameters
        ----------
        pieces : (B, N, P) int64 tensor
            See `words.caption_pieces`; words that fill up have no piece.
        marked : (B, N) bool tensor
            The noun's words; not used here, as RoBERTa does not.

        Returns
        -------
        (B, N, width) tensor
        """
        x = self.table(pieces.flatten(0, 1)).unflatten(0, pieces.shape[:2])
        n = pieces.shape[1]
        place = torch.arange(n, device=x.device)
        apart = (place[None] - place[:, None]).clamp(-self.FARTHEST, self.FARTHEST) + self.FARTHEST
        empty = (pieces == 0).all(2)
        closed = torch.zeros_like(x[:, None, None, :, 0]).masked_fill_(empty[:, None, None], -1e4)
        for layer, distance in zip(self.layers, self.distance, strict=True):
            bias = distance[:, apart][None] + closed
            x = layer(x, bias.flatten(0, 1))
        return self.norm(x)


class _TextLayer(nn.Module):
    """A transformer's layer, normalised first.

    That of PyTorch would do, but in evaluation it takes a shorter way on which a mask of numbers
    counts as one of yes and no.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.linear1, self.linear2 = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Of words (B, N, width), with what is added to attention, (B heads, N, N)."""
        y = self.norm1(x)
        x = x + self.self_attn(y, y, y, attn_mask=bias, need_weights=False)[0]
        return x + self.linear2(functional.gelu(self.linear1(self.norm2(x))))


class RfVng(nn.Module):
    """Masks of marked nouns from cells, fine maps and words.

    Parameters
    ----------
    config : RfVngConfig
    text : Module, optional
        Called as `WordEncoder` is and of ``text_channels``; by default a `WordEncoder`.
    """

    def __init__(self, config: RfVngConfig = COMPACT, text: nn.Module | None = None) -> None:
        super().__init__()
        self.config = config
        width, mask = config.width, config.mask_channels
        self.text = text or WordEncoder(config.text_channels, config.heads, config.text_layers)
        self.to_query = nn.Linear(config.text_channels, width)
        self.without_words = nn.Parameter(torch.zeros(width))
        self.cells = nn.Conv2d(config.frame_channels, width, 1)
        self.fine = _block(FINE, 32)
        self.coarse = nn.Conv2d(32, width, 3, 2, 1)
        self.place = nn.Conv2d(2, width, 1)
        self.far = nn.Sequential(_block(width, width, 2), _Residual(width))
        self.decoder = nn.ModuleList(_Layer(width, config.heads) for _ in range(config.layers))
        self.narrow = nn.Conv2d(width, 32, 1)
        self.rise = _block(32, 32)
        self.to_mask = nn.Conv2d(32, mask, 1)
        self.to_box = _mlp(width, 4)
        self.to_shown = nn.Linear(width, 1)
        self.sizes = _sizes(mask + 3, mask, config.head_layers)
        self.controller = _mlp(width, sum(a * b + b for a, b in self.sizes))
        self.likeness = nn.Linear(width, width)

    def query(self, pieces: Tensor, marked: Tensor) -> Tensor:
        """The query of each noun: the mean of its words in their context, (B, width).

        Parameters
        ----------
        pieces : (B, N, P) int64 tensor
        marked : (B, N) bool tensor
            Where nothing is marked the query is a learned one, which says nothing.
        """
        words = self.text(pieces, marked)
        weight = marked.to(words.dtype)[..., None]
        mean = (words * weight).sum(1) / weight.sum(1).clamp(min=1)
        none = ~marked.any(1, keepdim=True)
        return torch.where(none, self.without_words.expand(len(mean), -1), self.to_query(mean))

    def look(self, cells: Tensor, fine: Tensor) -> tuple[Tensor, Tensor]:
        """What frames show, whatever the nouns are.

        Parameters
        ----------
        cells : (F, frame_channels, h, w) tensor
        fine : (F, FINE, 2 h, 2 w) tensor

        Returns
        -------
        (F, width, h, w) tensor
            Cells.
        (F, mask_channels, 2 h, 2 w) tensor
            What the dynamic head reads.
        """
        detail = self.fine(fine)
        place = _grid(cells.shape[-2], cells.shape[-1], cells)
        x = self.cells(cells) + self.coarse(detail) + self.place(place[None])
        x = functional.relu(x)
        x = x + _resized(self.far(x), x)
        return x, self.to_mask(self.rise(detail + _resized(self.narrow(x), detail)))

    def forward(self, query: Tensor, cells: Tensor, maps: Tensor) -> Found:
        """Find nouns.

        Parameters
        ----------
        query : (V, Q, width) tensor
            Of Q nouns for each of V videos, see `query`; they do not know of each other.
        cells : (V, T, width, h, w) tensor
        maps : (V, T, mask_channels, 2 h, 2 w) tensor
            Of the frames, see `look`.
        """
        _, t, width, h, w = cells.shape
        place = self.place(_grid(h, w, cells)[None])
        memory = (cells.flatten(0, 1) + place).flatten(2).transpose(1, 2)
        asked = query[:, None].expand(-1, t, -1, -1)
        x = asked
        for layer in self.decoder:
            x = layer(x, asked, memory)
        boxes = self.to_box(x).sigmoid()
        alike = self.likeness(x).flatten(0, 1) @ memory.transpose(1, 2) * width**-0.5
        alike = functional.interpolate(alike.unflatten(2, (h, w)), scale_factor=2, mode="bilinear")
        centre = (2 * boxes[..., :2] - 1).flatten(0, 1)[..., None, None]
        relative = _grid(2 * h, 2 * w, cells) - centre
        own = maps.flatten(0, 1)[:, None].expand(-1, query.shape[1], -1, -1, -1)
        seen = torch.cat([own, relative, alike[:, :, None]], 2).flatten(0, 1)
        masks = dynamic_head(seen, self.controller(x).flatten(0, 2), self.sizes)
        masks = masks.unflatten(0, x.shape[:3]).transpose(1, 2)
        return Found(masks, boxes.transpose(1, 2), self.to_shown(x)[..., 0].transpose(1, 2))


def dynamic_head(maps: Tensor, weights: Tensor, sizes: Sequence[tuple[int, int]]) -> Tensor:
    """Convolutions of 1 x 1 whose weights are given for each map (Tian et al., ECCV 2020).

    Parameters
    ----------
    maps : (B, C, H, W) tensor
    weights : (B, n) tensor
        Of each layer the matrix, row by row, and then the bias.
    sizes : sequence of (int, int)
        Channels before and after each layer; between layers is a ReLU.

    Returns
    -------
    (B, H, W) tensor
        The one channel of the last layer.
    """
    x = maps.flatten(2)
    at = 0
    for number, (before, after) in enumerate(sizes):
        matrix = weights[:, at : at + before * after].unflatten(1, (after, before))
        at += before * after
        x = torch.baddbmm(weights[:, at : at + after, None], matrix, x)
        at += after
        if number < len(sizes) - 1:
            x = functional.relu(x)
    return x[:, 0].unflatten(1, maps.shape[-2:])


def _sizes(before: int, width: int, layers: int) -> list[tuple[int, int]]:
    ends = [before, *[width] * (layers - 1), 1]
    return list(pairwise(ends))


def _grid(height: int, width: int, like: Tensor) -> Tensor:
    """The place of each pixel, (2, height, width): -1 to 1 to the right, and down."""
    rows = torch.linspace(-1, 1, height, device=like.device, dtype=like.dtype)
    columns = torch.linspace(-1, 1, width, device=like.device, dtype=like.dtype)
    down, across = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([across, down])


def _resized(x: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)


def _mlp(width: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, after))


def _block(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride, 1, bias=False),
        nn.GroupNorm(8, after),
        nn.ReLU(),
    )


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _block(width, width),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.GroupNorm(8, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.body(x))


class _Layer(nn.Module):
    """A decoder layer: over time, into the frame, and a perceptron."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.over_time = nn.MultiheadAttention(width, heads, batch_first=True)
        self.into_frame = nn.MultiheadAttention(width, heads, batch_first=True)
        self.perceptron = nn.Sequential(
            nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))

    def forward(self, x: Tensor, query: Tensor, memory: Tensor) -> Tensor:
        """Of queries (V, T, Q, width), the nouns' (likewise) and cells (V T, n, width)."""
        v, _, q, _ = x.shape
        asked = (x + query).transpose(1, 2).flatten(0, 1)
        value = x.transpose(1, 2).flatten(0, 1)
        linked = self.over_time(asked, asked, value, need_weights=False)[0]
        x = self.norms[0](x + linked.unflatten(0, (v, q)).transpose(1, 2))
        asked = (x + query).flatten(0, 1)
        seen = self.into_frame(asked, memory, memory, need_weights=False)[0]
        x = self.norms[1](x + seen.unflatten(0, x.shape[:2]))
        return self.norms[2](x + self.perceptron(x))

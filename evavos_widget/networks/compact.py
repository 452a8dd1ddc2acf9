"""The compact network: masks through a video, and clicks to a mask, with one encoder.

A space-time memory network in the manner of STCN, small enough to run on a laptop's
processor. Every size is counted in cells of the encoder's map, one per 8 x 8 pixels; masks
go in and come out at half the resolution of the image (2 x 2 pixels).

Two readouts find the object in a new frame. One searches all remembered frames for look
alikes anywhere. The other searches only the frame before, and prefers what is near: an
additional distance in the image joins the distance of the keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from evavos_widget.networks.efficientnet_lite import LITE0_STAGES, LITE0_STEM, EfficientNetLite
from evavos_widget.networks.memory import readout, tokens

__all__ = [
    "CELL",
    "CERTAIN",
    "LEAN",
    "POINT_RADIUS",
    "SIDE",
    "WIDE",
    "CompactConfig",
    "CompactNet",
    "DecoderSizes",
    "Features",
]

CELL = 8
"""Side of a cell in pixels."""

SIDE = 2 * CELL
"""Images must have sides that are multiples of this."""

CERTAIN = 4.0
"""Log odds at which a mask that is to be corrected is cut off."""

NEAR = 5.0
"""Radius of the disc drawn at a click, in pixels of the mask; RITM uses 5 of the image."""

FAR = 16.0
"""Standard deviation of the blob drawn around a click, in pixels of the mask."""


POINT_RADIUS = 3.0
"""Radius of the disc in the place of a mask where only points are known, in pixels of the mask; our
choice."""


@dataclass(frozen=True)
class DecoderSizes:
    """Channels of a decoder.

    Parameters
    ----------
    width : int
        At the resolution of the encoder's map.
    deep : int
        At half that resolution.
    rise : two ints
        At two and at four times that resolution.
    """

    width: int
    deep: int
    rise: tuple[int, int]


WIDE = DecoderSizes(128, 160, (64, 32))
"""As wide as the encoder's map."""

LEAN = DecoderSizes(64, 96, (32, 16))
"""Half as wide, in about a third of the time."""


@dataclass(frozen=True)
class CompactConfig:
    """Sizes of the network.

    Parameters
    ----------
    stem : int
        Channels of the backbone's first convolution.
    stages : six ints
        Channels of the backbone's stages.
    width : int
        Channels of the encoder's map.
    key : int
        Channels of the keys; 64 (STCN).
    value : int
        Learned channels of the values, beside the four of the mask itself.
    value_width : int
        Channels of the value encoder within.
    decoder, click_decoder : DecoderSizes
        Of propagation and of clicks.
    """

    stem: int = LITE0_STEM
    stages: tuple[int, ...] = LITE0_STAGES
    width: int = 128
    key: int = 64
    value: int = 64
    value_width: int = 128
    decoder: DecoderSizes = WIDE
    click_decoder: DecoderSizes = WIDE


class Features(NamedTuple):
    """What the encoder makes of images, whatever the objects are.

    Parameters
    ----------
    half : (B, stem, H / 2, W / 2) tensor
    quarter : (B, stem, H / 4, W / 4) tensor
    cells : (B, width, H / 8, W / 8) tensor
    key : (B, key, H / 8, W / 8) tensor
    """

    half: Tensor
    quarter: Tensor
    cells: Tensor
    key: Tensor

    def crop(self, rows: slice, columns: slice) -> Features:
        """The same for a window, given in cells."""
        return Features(
            *(
                crop_cells(level, rows, columns, scale)
                for level, scale in zip(self, (4, 2, 1, 1), strict=True)
            )
        )


class Looked(NamedTuple):
    """What the click head makes of images alone, which later clicks find done.

    Parameters
    ----------
    cells : (B, width, H / 8, W / 8) tensor
    quarter : (B, rise[0], H / 4, W / 4) tensor
    half : (B, rise[1], H / 2, W / 2) tensor
        With the sizes of `CompactConfig.click_decoder`.
    key : (B, key, H / 8, W / 8) tensor
        As in `Features`.
    """

    cells: Tensor
    quarter: Tensor
    half: Tensor
    key: Tensor


def crop_cells(x: Tensor, rows: slice, columns: slice, scale: int) -> Tensor:
    """Window of a map with `scale` x `scale` pixels per cell; the window is given in cells."""
    return x[
        ...,
        rows.start * scale : rows.stop * scale,
        columns.start * scale : columns.stop * scale,
    ]


class CompactNet(nn.Module):
    """Encoder, memory values, propagation decoder and click decoder.

    Parameters
    ----------
    config : CompactConfig
    """

    def __init__(self, config: CompactConfig = CompactConfig()) -> None:
        super().__init__()
        self.config = config
        self.backbone = EfficientNetLite(config.stem, config.stages)
        self.pyramid = _Pyramid(self.backbone.channels[2:], config.width)
        self.to_key = nn.Conv2d(config.width, config.key, 3, padding=1)
        skips = self.backbone.channels[:2]
        self.value = _ValueEncoder(skips[0], config)
        read = config.value + 4
        self.decoder = _Decoder(2 * read + 4 + config.width, skips, config.decoder)
        # Log of the penalty on a squared distance of one cell, a prototype's 0.02 to start with.
        self.log_nearness = nn.Parameter(torch.tensor(-3.9))
        self.clicks = _ClickHead(skips, config)

    def encode(self, image: Tensor) -> Features:
        """Features of images.

        Parameters
        ----------
        image : (B, 3, H, W) float tensor in [0, 1], RGB
            H and W are multiples of 16.
        """
        if image.shape[-2] % SIDE or image.shape[-1] % SIDE:
            raise ValueError(
                f"the image is {tuple(image.shape[-2:])}; give sides that are multiples of {SIDE}."
            )
        half, quarter = self.backbone.stem(image)
        return self.deepen(half, quarter)

    def deepen(self, half: Tensor, quarter: Tensor) -> Features:
        """Features from what the backbone's stem makes of images, the cheap part of `encode`."""
        cells = self.pyramid(self.backbone.deep(half))
        return Features(half, quarter, cells, self.to_key(cells))

    def remember(self, features: Features, mask: Tensor, others: Tensor | None = None) -> Tensor:
        """Values of a frame with its mask.

        Parameters
        ----------
        features : Features
        mask : (B, 1, H / 2, W / 2) tensor in [0, 1]
        others : (B, 1, H / 2, W / 2) tensor in [0, 1], optional
            What belongs to other objects (STCN, Sec. 3.1); nothing by default.

        Returns
        -------
        (B, value + 4, H / 8, W / 8) tensor
            The last four channels are the mask, 2 x 2 to a cell.
        """
        return self.value(features, mask, torch.zeros_like(mask) if others is None else others)

    def read(
        self,
        memory_key: Tensor,
        memory_value: Tensor,
        previous_key: Tensor,
        previous_value: Tensor,
        query: Features,
        offset: tuple[int, int] = (0, 0),
    ) -> tuple[Tensor, Tensor]:
        """Both readouts.

        Parameters
        ----------
        memory_key : (B, N, key) tensor
        memory_value : (B, N, value + 4) tensor
        previous_key : (B, key, h, w) tensor
        previous_value : (B, value + 4, h, w) tensor
        query : Features
            Of the new frame or a window of it, h' x w' cells.
        offset : (int, int)
            Row and column of the window's first cell, minus those of the previous frame's.

        Returns
        -------
        two (B, value + 4, h', w') tensors
            From the memory and from the previous frame.
        """
        shape, scale = query.key.shape[-2:], query.key.shape[1] ** -0.5
        cells = tokens(query.key)
        everywhere = readout(memory_key, cells, memory_value, scale=scale)
        step = (self.log_nearness.exp() / scale).sqrt()
        near = readout(
            self._placed(previous_key, (0, 0), step),
            self._placed(query.key, offset, step),
            tokens(previous_value),
            scale=scale,
        )
        return (
            everywhere.transpose(1, 2).unflatten(2, shape),
            near.transpose(1, 2).unflatten(2, shape),
        )

    def _placed(self, key: Tensor, offset: tuple[int, int], step: Tensor) -> Tensor:
        """Keys with their place as two further channels, (B, N, key + 2)."""
        rows = torch.arange(key.shape[-2], device=key.device) + offset[0]
        columns = torch.arange(key.shape[-1], device=key.device) + offset[1]
        place = torch.stack(torch.meshgrid(rows, columns, indexing="ij")) * step
        place = place.to(key.dtype).expand(len(key), -1, -1, -1)
        return tokens(torch.cat([key, place], 1))

    def locate(self, features: Features, discs: Tensor) -> Tensor:
        """Mask of a frame of which only points are known, read out of the frame itself.

        Parameters
        ----------
        features : Features
            Of the frame.
        discs : (B, 1, H / 2, W / 2) tensor in [0, 1]
            The points as `evavos_widget.networks.discs.point_discs` draws them, of `POINT_RADIUS`.

        Returns
        -------
        (B, 1, H / 2, W / 2) tensor
            Log odds.
        """
        value = self.remember(features, discs)
        read = self.read(tokens(features.key), tokens(value), features.key, value, features)
        return self.decode(features, *read, discs)

    def decode(self, query: Features, everywhere: Tensor, near: Tensor, previous: Tensor) -> Tensor:
        """Mask of the new frame.

        Parameters
        ----------
        query : Features
        everywhere, near : (B, value + 4, h, w) tensors
            See `read`.
        previous : (B, 1, 4 h, 4 w) tensor in [0, 1]
            The mask of the previous frame.

        Returns
        -------
        (B, 1, 4 h, 4 w) tensor
            Log odds.
        """
        cells = torch.cat([everywhere, near, _subcells(previous), query.cells], 1)
        return self.decoder(cells, [query.quarter, query.half])

    def correct(
        self,
        features: Features,
        clicks: Tensor,
        previous: Tensor,
        started: Tensor,
        box: Tensor | None = None,
    ) -> Tensor:
        """Mask after a click, from the mask before it.

        Parameters
        ----------
        features : Features
        clicks : (B, n, 3) float tensor
            Row and column in pixels of the mask, and 1 (object), -1 (not) or 0 (no click).
        previous : (B, 1, H / 2, W / 2) tensor in [0, 1]
            The mask before; anything where there was none.
        started : (B,) bool tensor
            Whether there was one.
        box : (B, 1, H / 2, W / 2) tensor, optional
            1 inside of the box, -1 outside, 0 everywhere where there is none.

        Returns
        -------
        (B, 1, H / 2, W / 2) tensor
            Log odds: those of the mask before, and what the click changes.
        """
        before = torch.where(started[:, None, None, None], previous.clamp(0, 1), 0.5)
        change = self.change(self.look(features), clicks, before, started, box)
        return before.float().logit(eps=1e-6).clamp(-CERTAIN, CERTAIN) + change

    def look(self, features: Features) -> Looked:
        """What the click head makes of images alone."""
        return self.clicks.look(features)

    def change(
        self,
        looked: Looked,
        clicks: Tensor,
        before: Tensor,
        started: Tensor,
        box: Tensor | None = None,
    ) -> Tensor:
        """What a click changes, in log odds; as `correct`, but 1/2 where there was no mask."""
        return self.clicks(looked, clicks, before, started[:, None, None, None], box)


def _subcells(mask: Tensor) -> Tensor:
    """A mask at half resolution as four channels of the cells: (B, 1, 4h, 4w) to (B, 4, h, w)."""
    return functional.pixel_unshuffle(functional.avg_pool2d(mask, 2), 2)


def _conv(before: int, after: int, side: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, side, stride, side // 2, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )


class _Residual(nn.Module):
    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_conv(channels, channels),
            nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x).add_(x).relu_()


def _resized(x: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)


class _Pyramid(nn.Module):
    """Feature pyramid (Lin et al., CVPR 2017) of which the finest level, stride 8, is kept."""

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)
        self.middle = _conv(width, width)
        self.last = _conv(width, width)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        fine, middle, coarse = (layer(x) for layer, x in zip(self.lateral, features, strict=True))
        middle = self.middle(middle + _resized(coarse, middle))
        return self.last(fine + _resized(middle, fine))


class _ValueEncoder(nn.Module):
    def __init__(self, skip: int, config: CompactConfig) -> None:
        super().__init__()
        within = config.value_width
        self.fine = nn.Sequential(_conv(skip + 2, 32, stride=2), _conv(32, 64, stride=2))
        self.join = nn.Sequential(_conv(64 + config.width, within, side=1), _Residual(within))
        self.out = nn.Conv2d(within, config.value, 1)

    def forward(self, features: Features, mask: Tensor, others: Tensor) -> Tensor:
        mask, others = mask.to(features.cells), others.to(features.cells)
        fine = self.fine(torch.cat([features.half, mask, others], 1))
        joined = self.join(torch.cat([fine, features.cells], 1))
        return torch.cat([self.out(joined), _subcells(mask)], 1)


class _Decoder(nn.Module):
    """From cells to log odds at half resolution, with one step to coarser cells and back."""

    def __init__(self, channels: int, skips: Sequence[int], sizes: DecoderSizes) -> None:
        super().__init__()
        half, quarter = skips
        width, deep, (above, top) = sizes.width, sizes.deep, sizes.rise
        self.enter = nn.Sequential(_conv(channels, width, side=1), _Residual(width))
        self.context = nn.Sequential(
            _conv(width, deep, stride=2), _Residual(deep), _Residual(deep, dilation=2)
        )
        self.back = nn.Conv2d(deep, width, 1)
        self.join = _Residual(width)
        self.to_quarter = _Rise(width, quarter, above)
        self.to_half = _Rise(above, half, top)
        self.out = nn.Conv2d(top, 1, 3, padding=1)

    def forward(self, cells: Tensor, skips: Sequence[Tensor]) -> Tensor:
        return self.rise(
            *(conv(x) for conv, x in zip(self.entrances, (cells, *skips), strict=True))
        )

    @property
    def entrances(self) -> tuple[nn.Conv2d, nn.Conv2d, nn.Conv2d]:
        """The convolutions of 1 x 1 that meet cells, quarter and half resolution first."""
        first = cast("nn.Conv2d", self.enter.get_submodule("0.0"))
        return first, self.to_quarter.skip, self.to_half.skip

    def rise(self, cells: Tensor, quarter: Tensor, half: Tensor) -> Tensor:
        """The same from what `entrances` made of the inputs."""
        after_first = cast("nn.Sequential", self.enter[0])[1:]
        x = self.enter[1:](after_first(cells))
        x = self.join(_resized(self.back(self.context(x)), x).add_(x))
        return self.out(self.to_half(self.to_quarter(x, quarter), half))


class _Rise(nn.Module):
    """Twice the resolution, with a skip connection from the encoder."""

    def __init__(self, before: int, skip: int, after: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(before, after, 1)
        self.skip = nn.Conv2d(skip, after, 1)
        self.smooth = _Residual(after)

    def forward(self, x: Tensor, skipped: Tensor) -> Tensor:
        """What `skip` made of the encoder's map is added to `x`, twice as large."""
        return self.smooth(_resized(self.narrow(x), skipped).add_(skipped).relu_())


class _ClickHead(nn.Module):
    """What a click changes, in log odds."""

    MAPS = 7
    """Mask before, whether there was one, near and far of clicks of both signs, box."""

    def __init__(self, skips: Sequence[int], config: CompactConfig) -> None:
        super().__init__()
        half, quarter = skips
        self.fine = _conv(self.MAPS, 16, stride=2)
        self.coarse = _conv(16, 32, stride=2)
        self.decoder = _Decoder(
            config.width + 32 + 2, (half + self.MAPS, quarter + 16), config.click_decoder
        )

    def look(self, features: Features) -> Looked:
        """See `Looked`."""
        cells, quarter, half = self.decoder.entrances
        return Looked(
            _of_first(cells, features.cells),
            _of_first(quarter, features.quarter),
            _of_first(half, features.half),
            features.key,
        )

    def forward(
        self,
        looked: Looked,
        clicks: Tensor,
        before: Tensor,
        started: Tensor,
        box: Tensor | None,
    ) -> Tensor:
        kind = looked.key.dtype
        shape = before.shape[-2:]
        flag = started.to(kind).expand(-1, 1, *shape)
        box = torch.zeros_like(flag) if box is None else box.to(kind)
        drawn = _drawn(clicks, shape).to(kind)
        maps = torch.cat([before.to(kind), flag, box, drawn], 1)
        fine = self.fine(maps)
        cells = torch.cat([self.coarse(fine), _likeness(looked.key, clicks)], 1)
        pairs = zip(self.decoder.entrances, (cells, fine, maps), looked[:3], strict=True)
        return self.decoder.rise(*(_of_last(conv, x).add_(seen) for conv, x, seen in pairs))


def _of_first(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """What a convolution of 1 x 1 makes of its first channels, where the others are 0."""
    return functional.conv2d(x, conv.weight[:, : x.shape[1]], conv.bias)


def _of_last(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """What it adds for its last channels."""
    return functional.conv2d(x, conv.weight[:, -x.shape[1] :])


def _drawn(clicks: Tensor, shape: Sequence[int]) -> Tensor:
    """Near and far maps of the clicks of either sign, (B, 4, H / 2, W / 2)."""
    rows = torch.arange(shape[0], device=clicks.device, dtype=torch.float32)
    columns = torch.arange(shape[1], device=clicks.device, dtype=torch.float32)
    down = (rows - clicks[..., 0:1]).square()
    across = (columns - clicks[..., 1:2]).square()
    squared = down[..., :, None] + across[..., None, :]
    maps = []
    for sign in (1, -1):
        other = (clicks[..., 2] != sign)[..., None, None]
        nearest = squared.masked_fill(other, torch.inf).amin(1)
        maps += [(NEAR + 0.5 - nearest.sqrt()).clamp(0, 1), (-nearest / (2 * FAR**2)).exp()]
    return torch.stack(maps, 1)


def _likeness(key: Tensor, clicks: Tensor) -> Tensor:
    """How alike each cell is to the most alike clicked one, per sign: (B, 2, h, w) in [0, 1]."""
    height, width = key.shape[-2:]
    rows = (clicks[..., 0] // (CELL // 2)).clamp(0, height - 1).long()
    columns = (clicks[..., 1] // (CELL // 2)).clamp(0, width - 1).long()
    cells = tokens(key).float()
    index = (rows * width + columns)[..., None].expand(-1, -1, cells.shape[-1])
    squared = torch.cdist(cells.gather(1, index), cells).square() * key.shape[1] ** -0.5
    alike = 1 / (1 + squared)
    maps = [(alike * (clicks[..., 2] == sign)[..., None]).amax(1) for sign in (1, -1)]
    return torch.stack(maps, 1).unflatten(2, (height, width)).to(key.dtype)

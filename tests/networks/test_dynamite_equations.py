"""The published network against a reading of its equations that shares no code with it.

Deformable attention samples by hand, windows of Swin are pairs of pixels, attention is a sum, and
masks are resized before they are used, all in double precision on the published names.
"""

from __future__ import annotations

import math

import pytest
import torch
from tiny_dynamite import (
    BACKGROUNDS,
    DECODER_LAYERS,
    HEADS,
    LAYERS,
    PIXEL_LAYERS,
    PIXELS,
    POINTS,
    QUERIES,
    WIDTH,
    random_state,
    write_tiny,
)
from torch import Tensor
from torch.nn import functional as f

from evavos_widget.checkpoints import WeightsError
from evavos_widget.networks.dynamite import BACKGROUND, Clicks, lead, of_owners
from evavos_widget.networks.dynamite_published import load_published

HEIGHT, PICTURE_WIDTH = 64, 96

FOREGROUND = [[(20.0, 30.0, 0), (25.5, 41.0, 2)], [(50.0, 80.0, 1)]]
BEHIND = [(5.0, 90.0, 3), (60.0, 4.0, 4)]
"""Row and column in pixels of the padded picture, and time, as the authors write them."""


class Reading:
    """The equations, by the published names."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        self.s = {n: v.double() if v.is_floating_point() else v for n, v in state.items()}

    def linear(self, x: Tensor, name: str) -> Tensor:
        return x @ self.s[f"{name}.weight"].T + self.s[f"{name}.bias"]

    def layer_norm(self, x: Tensor, name: str) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        spread = (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        return centred / spread * self.s[f"{name}.weight"] + self.s[f"{name}.bias"]

    def group_norm(self, x: Tensor, name: str) -> Tensor:
        c, h, w = x.shape
        groups = x.reshape(32, -1)
        groups = groups - groups.mean(1, keepdim=True)
        groups = groups / (groups.square().mean(1, keepdim=True) + 1e-5).sqrt()
        weight, bias = (self.s[f"{name}.{k}"][:, None, None] for k in ("weight", "bias"))
        return groups.reshape(c, h, w) * weight + bias

    def conv(self, x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight, bias = self.s[f"{name}.weight"], self.s.get(f"{name}.bias")
        return f.conv2d(x[None], weight, bias, stride, weight.shape[-1] // 2)[0]

    # Backbones

    def frozen(self, x: Tensor, name: str, stride: int = 1) -> Tensor:
        """A convolution and its batch normalisation."""
        x = self.conv(x, name, stride)
        mean, var, weight, bias = (
            self.s[f"{name}.norm.{k}"][:, None, None]
            for k in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (var + 1e-5).sqrt() * weight + bias

    def resnet50(self, x: Tensor) -> list[Tensor]:
        x = self.frozen(x, "backbone.stem.conv1", 2).relu()
        x = f.max_pool2d(x[None], 3, 2, 1)[0]
        found = []
        for number, blocks in zip((2, 3, 4, 5), (3, 4, 6, 3), strict=True):
            for block in range(blocks):
                at = f"backbone.res{number}.{block}"
                stride = 2 if block == 0 and number > 2 else 1
                rest = self.frozen(x, f"{at}.shortcut", stride) if block == 0 else x
                y = self.frozen(x, f"{at}.conv1").relu()
                y = self.frozen(y, f"{at}.conv2", stride).relu()
                x = (self.frozen(y, f"{at}.conv3") + rest).relu()
            found.append(x)
        return found

    def swin_tiny(self, x: Tensor) -> list[Tensor]:
        weight, bias = (self.s[f"backbone.patch_embed.proj.{k}"] for k in ("weight", "bias"))
        x = f.conv2d(x[None], weight, bias, 4)[0].permute(1, 2, 0)
        x = self.layer_norm(x, "backbone.patch_embed.norm")
        found = []
        for i, (blocks, heads) in enumerate(zip((2, 2, 6, 2), (3, 6, 12, 24), strict=True)):
            for j in range(blocks):
                at = f"backbone.layers.{i}.blocks.{j}"
                inner = self.layer_norm(x, f"{at}.norm1")
                x = x + self.windows(inner, f"{at}.attn", heads, 3 if j % 2 else 0)
                inner = self.linear(self.layer_norm(x, f"{at}.norm2"), f"{at}.mlp.fc1")
                inner = inner * (1 + torch.erf(inner / math.sqrt(2))) / 2
                x = x + self.linear(inner, f"{at}.mlp.fc2")
            found.append(self.layer_norm(x, f"backbone.norm{i}").permute(2, 0, 1))
            if i < 3:
                even = f.pad(x, (0, 0, 0, x.shape[1] % 2, 0, x.shape[0] % 2))
                four = [even[r::2, c::2] for c in (0, 1) for r in (0, 1)]
                at = f"backbone.layers.{i}.downsample"
                merged = self.layer_norm(torch.cat(four, -1), f"{at}.norm")
                x = merged @ self.s[f"{at}.reduction.weight"].T
        return found

    def windows(self, x: Tensor, name: str, heads: int, shift: int) -> Tensor:
        """Attention between any two pixels of the same window, over the whole padded picture."""
        rows, columns, width = x.shape
        x = f.pad(x, (0, 0, 0, -columns % 7, 0, -rows % 7))
        h, w = x.shape[:2]
        at = torch.stack(torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij"), -1)
        place = at.reshape(-1, 2)
        moved = torch.stack([(place[:, 0] - shift) % h, (place[:, 1] - shift) % w], 1)
        # What wraps around shares a window with the other side, and is not seen from there.
        wrapped = place < shift
        window = torch.cat([moved // 7, wrapped.long()], 1)
        together = (window[:, None] == window[None]).all(-1)
        apart = moved[:, None] % 7 - moved[None] % 7 + 6
        table = self.s[f"{name}.relative_position_bias_table"]
        bias = table[apart[..., 0] * 13 + apart[..., 1]].permute(2, 0, 1)
        qkv = self.linear(x.reshape(-1, width), f"{name}.qkv").reshape(-1, 3, heads, width // heads)
        q, k, v = qkv.permute(1, 2, 0, 3)
        score = q @ k.mT * (width // heads) ** -0.5 + bias
        out = score.masked_fill(~together, -torch.inf).softmax(-1) @ v
        out = self.linear(out.permute(1, 0, 2).reshape(h * w, width), f"{name}.proj")
        return out.reshape(h, w, width)[:rows, :columns]

    # Pixel decoder

    def pixels(self, features: list[Tensor]) -> tuple[list[Tensor], Tensor]:
        coarse_first = features[:0:-1]
        maps = [
            self.group_norm(self.conv(x, f"{PIXELS}input_proj.{k}.0"), f"{PIXELS}input_proj.{k}.1")
            for k, x in enumerate(coarse_first)
        ]
        shapes = [x.shape[1:] for x in maps]
        tokens = torch.cat([x.flatten(1).T for x in maps])
        embed = self.s[f"{PIXELS}transformer.level_embed"]
        where = torch.cat([grid(s) + embed[k] for k, s in enumerate(shapes)])
        centres = torch.cat(
            [
                torch.stack(
                    torch.meshgrid(
                        (torch.arange(h, dtype=torch.float64) + 0.5) / h,
                        (torch.arange(w, dtype=torch.float64) + 0.5) / w,
                        indexing="ij",
                    ),
                    -1,
                ).reshape(-1, 2)
                for h, w in shapes
            ]
        )
        for k in range(PIXEL_LAYERS):
            at = f"{PIXELS}transformer.encoder.layers.{k}"
            seen = self.deformable(tokens, tokens + where, centres, shapes, f"{at}.self_attn")
            tokens = self.layer_norm(tokens + seen, f"{at}.norm1")
            inner = self.linear(self.linear(tokens, f"{at}.linear1").relu(), f"{at}.linear2")
            tokens = self.layer_norm(tokens + inner, f"{at}.norm2")
        parts = tokens.split([h * w for h, w in shapes])
        levels = [p.T.reshape(WIDTH, h, w) for p, (h, w) in zip(parts, shapes, strict=True)]
        top = self.group_norm(
            self.conv(features[0], f"{PIXELS}adapter_1"), f"{PIXELS}adapter_1.norm"
        )
        top = top + larger(levels[-1], top.shape[1:])
        top = self.group_norm(self.conv(top, f"{PIXELS}layer_1"), f"{PIXELS}layer_1.norm").relu()
        refined = self.conv(levels[2], f"{PIXELS}refine.0")
        for k, level in ((1, levels[1]), (2, levels[0])):
            refined = refined + larger(self.conv(level, f"{PIXELS}refine.{k}"), refined.shape[1:])
        top = top + larger(refined, top.shape[1:])
        return levels, self.conv(top, f"{PIXELS}mask_features")

    def deformable(
        self, tokens: Tensor, asking: Tensor, centres: Tensor, shapes: list, name: str
    ) -> Tensor:
        n = len(tokens)
        value = self.linear(tokens, f"{name}.value_proj").reshape(n, HEADS, WIDTH // HEADS)
        offsets = self.linear(asking, f"{name}.sampling_offsets").reshape(n, HEADS, 3, POINTS, 2)
        weight = self.linear(asking, f"{name}.attention_weights").reshape(n, HEADS, 3 * POINTS)
        weight = weight.softmax(-1).reshape(n, HEADS, 3, POINTS)
        out = torch.zeros(n, HEADS, WIDTH // HEADS, dtype=torch.float64)
        begin = 0
        for level, (h, w) in enumerate(shapes):
            of = value[begin : begin + h * w].reshape(h, w, HEADS, -1)
            begin += h * w
            # Offsets are columns and rows in cells of the level; a cell's centre is at a half.
            x = centres[:, None, None, 1] * w + offsets[:, :, level, :, 0] - 0.5
            y = centres[:, None, None, 0] * h + offsets[:, :, level, :, 1] - 0.5
            head = torch.arange(HEADS)[None, :, None].expand_as(x)
            for dy in (0, 1):
                for dx in (0, 1):
                    row, column = y.floor() + dy, x.floor() + dx
                    part = (1 - (y - row).abs()) * (1 - (x - column).abs())
                    inside = (row >= 0) & (row < h) & (column >= 0) & (column < w)
                    at = of[row.clamp(0, h - 1).long(), column.clamp(0, w - 1).long(), head]
                    out += ((part * inside * weight[:, :, level])[..., None] * at).sum(2)
        return self.linear(out.reshape(n, WIDTH), f"{name}.output_proj")

    # Interactive transformer

    def attention(
        self, q: Tensor, k: Tensor, v: Tensor, name: str, blocked: Tensor | None = None
    ) -> Tensor:
        weight, bias = self.s[f"{name}.in_proj_weight"], self.s[f"{name}.in_proj_bias"]
        q, k, v = (
            (x @ w.T + b).reshape(len(x), HEADS, -1).transpose(0, 1)
            for x, w, b in zip((q, k, v), weight.chunk(3), bias.chunk(3), strict=True)
        )
        score = q @ k.mT / math.sqrt(WIDTH // HEADS)
        if blocked is not None:
            score = score.masked_fill(blocked, -torch.inf)
        out = (score.softmax(-1) @ v).transpose(0, 1).reshape(-1, WIDTH)
        return self.linear(out, f"{name}.out_proj")

    def feed_forward(self, x: Tensor, name: str) -> Tensor:
        inner = self.linear(self.linear(x, f"{name}.linear1").relu(), f"{name}.linear2")
        return self.layer_norm(x + inner, f"{name}.norm")

    def masks(self, queries: Tensor, features: Tensor) -> Tensor:
        x = self.layer_norm(queries, f"{QUERIES}layer_norm")
        for k in range(3):
            x = self.linear(x, f"{QUERIES}mask_embed.layers.{k}")
            x = x.relu() if k < 2 else x
        return torch.einsum("qc,chw->qhw", x, features)

    def answer(self, levels: list[Tensor], features: Tensor) -> Tensor:
        """Masks of the queries: clicks of the objects, of the background, and learned ones."""
        told = [click for clicks in FOREGROUND for click in clicks] + BEHIND
        last = max(len(told), 500)
        places = torch.tensor(
            [[y / HEIGHT, x / PICTURE_WIDTH, t / last] for y, x, t in told], dtype=torch.float64
        )
        descriptors = torch.stack([sampled(level, places) for level in levels]).mean(0)
        queries = torch.cat([descriptors, self.s[f"{QUERIES}static_bg_query"]])
        inner = self.linear(queries, f"{QUERIES}queries_nonlinear_projection.0").relu()
        queries = self.linear(inner, f"{QUERIES}queries_nonlinear_projection.2")
        encoded = torch.cat([wave(places[:, k]) for k in range(3)], 1)
        where = (
            self.linear(encoded, f"{QUERIES}ca_qpos_sine_proj") + self.s[f"{QUERIES}query_embed"]
        )
        where = torch.cat([where, self.s[f"{QUERIES}static_bg_pe"]])
        for i in range(LAYERS):
            level = levels[i % 3]
            shown = larger(self.masks(queries, features), level.shape[1:]).flatten(1)
            blocked = shown.sigmoid() < 0.5
            blocked[blocked.all(1)] = False
            seen = level.flatten(1).T + self.s[f"{QUERIES}level_embed.weight"][i % 3]
            at = f"{QUERIES}encoder.cross_attention_layers.{i}"
            found = self.attention(
                queries + where,
                seen + grid(level.shape[1:]),
                seen,
                f"{at}.multihead_attn",
                blocked,
            )
            queries = self.layer_norm(queries + found, f"{at}.norm")
            at = f"{QUERIES}encoder.self_attention_layers.{i}"
            found = self.attention(queries + where, queries + where, queries, f"{at}.self_attn")
            queries = self.layer_norm(queries + found, f"{at}.norm")
            queries = self.feed_forward(queries, f"{QUERIES}encoder.ffn_layers.{i}")
        pixels = features.flatten(1).T
        for i in range(DECODER_LAYERS):
            at = f"{QUERIES}decoder.cross_attention_layers.{i}"
            found = self.attention(
                pixels + grid(features.shape[1:]), queries + where, queries, f"{at}.multihead_attn"
            )
            pixels = self.layer_norm(pixels + found, f"{at}.norm")
            pixels = self.feed_forward(pixels, f"{QUERIES}decoder.ffn_layers.{i}")
        return self.masks(queries, pixels.T.reshape(features.shape))


def larger(x: Tensor, shape: torch.Size) -> Tensor:
    return f.interpolate(x[None], tuple(shape), mode="bilinear", align_corners=False)[0]


def wave(values: Tensor, channels: int = WIDTH // 2) -> Tensor:
    """sin, cos, sin, cos ... of a turn times the values over 10000^(0, 0, 2, 2, ... / channels)."""
    columns = []
    for k in range(channels):
        angle = 2 * math.pi * values / 10000 ** (2 * (k // 2) / channels)
        columns.append(angle.cos() if k % 2 else angle.sin())
    return torch.stack(columns, 1)


def grid(shape: torch.Size) -> Tensor:
    """Rows, then columns, of a map, counted from one."""
    h, w = shape
    rows = torch.arange(1, h + 1, dtype=torch.float64) / (h + 1e-6)
    columns = torch.arange(1, w + 1, dtype=torch.float64) / (w + 1e-6)
    return torch.cat([wave(rows.repeat_interleave(w)), wave(columns.repeat(h))], 1)


def sampled(level: Tensor, places: Tensor) -> Tensor:
    """Between the four nearest cells; nothing is outside."""
    h, w = level.shape[1:]
    out = torch.zeros(len(places), len(level), dtype=torch.float64)
    for n, (y, x) in enumerate(places[:, :2].tolist()):
        row, column = y * h - 0.5, x * w - 0.5
        for i in (math.floor(row), math.floor(row) + 1):
            for j in (math.floor(column), math.floor(column) + 1):
                if 0 <= i < h and 0 <= j < w:
                    out[n] += (1 - abs(row - i)) * (1 - abs(column - j)) * level[:, i, j]
    return out


def our_clicks() -> Clicks:
    told = [(*click, o) for o, clicks in enumerate(FOREGROUND) for click in clicks]
    told += [(*click, BACKGROUND) for click in BEHIND]
    places = [[y / HEIGHT, x / PICTURE_WIDTH, t / 500] for y, x, t, _ in told]
    return Clicks(
        torch.tensor([places], dtype=torch.float64), torch.tensor([[o for *_, o in told]])
    )


@pytest.mark.parametrize("backbone", ["resnet50", "swin-tiny"])
@torch.inference_mode()
def test_masks_are_those_of_the_published_equations(backbone, tmp_path):
    state = random_state(backbone)
    network = load_published(write_tiny(tmp_path / "model_final.pth", backbone)).double()
    reading = Reading(state)
    image = torch.rand(3, HEIGHT, PICTURE_WIDTH, generator=torch.Generator().manual_seed(3)) * 255
    image = image.double()
    mean, deviation = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
    scaled = (image - torch.tensor(mean)[:, None, None]) / torch.tensor(deviation)[:, None, None]
    levels, features = reading.pixels(getattr(reading, backbone.replace("-", "_"))(scaled.double()))
    expected = reading.answer(levels, features)

    scene = network.encode(image[None])
    for ours, theirs in zip(scene.levels, levels, strict=True):
        torch.testing.assert_close(ours[0], theirs, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(scene.mask_features[0], features, atol=1e-5, rtol=1e-5)
    masks, owners = network.interaction(scene, our_clicks())
    torch.testing.assert_close(masks[-1][0], expected, atol=1e-5, rtol=1e-5)

    # An object has the largest of its queries, and a pixel belongs to whoever has the largest. With
    # random weights one query has it everywhere, unless all have the same mean.
    full, ours = (
        larger(x - x.mean((1, 2), keepdim=True), image.shape[1:]) for x in (expected, masks[-1][0])
    )
    of = torch.stack([full[:2].amax(0), full[2], full[3:].amax(0)])
    assert len(full) == 5 + BACKGROUNDS
    whose = of.argmax(0)
    assert set(whose.unique().tolist()) == {0, 1, 2}
    leads = lead(of_owners(ours[None], owners, 2))[0]
    for obj in range(2):
        assert torch.equal(leads[1 + obj] > 0, whose == obj)


def test_what_is_no_dynamite_is_told(tmp_path):
    damaged = tmp_path / "damaged.pth"
    damaged.write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="does not hold DynaMITe"):
        load_published(damaged)
    state = random_state("resnet50")
    for change in ("missing", "unknown", "shape"):
        other = dict(state)
        name = f"{QUERIES}encoder.ffn_layers.1.linear1.bias"
        if change == "missing":
            del other[name]
        elif change == "unknown":
            other["sem_seg_head.something.weight"] = torch.zeros(1)
        else:
            other[name] = torch.zeros(3)
        path = tmp_path / f"{change}.pth"
        torch.save(other, path)
        with pytest.raises(WeightsError, match="does not hold DynaMITe"):
            load_published(path)


def test_filling_a_batch_changes_nothing():
    from evavos_widget.networks.dynamite import NOBODY, Interaction, InteractionConfig, Scene

    torch.manual_seed(0)
    sizes = InteractionConfig(32, 4, 3, 48, 1, 2, 20)
    network = Interaction(sizes).eval()
    scene = Scene(tuple(torch.randn(1, 32, n, n) for n in (2, 4, 8)), torch.randn(1, 32, 16, 16))
    places, owners = torch.rand(1, 3, 3), torch.tensor([[0, 1, BACKGROUND]])
    alone, _ = network(scene, Clicks(places, owners))
    filled, whose = network(
        scene,
        Clicks(
            torch.cat([places, torch.rand(1, 2, 3)], 1),
            torch.cat([owners, torch.full((1, 2), NOBODY)], 1),
        ),
    )
    for a, b in zip(alone, filled, strict=True):
        torch.testing.assert_close(
            of_owners(a, torch.tensor([[0, 1, -1, -1, -1]]), 2),
            of_owners(b, whose, 2),
            atol=1e-5,
            rtol=1e-5,
        )

"""DynaMITe in small, with random weights under the names of the published files.

The names and shapes are written out here, not derived from the package.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

WIDTH, HEADS, LAYERS, HIDDEN, DECODER_LAYERS, BACKGROUNDS, PIXEL_LAYERS = 32, 8, 4, 48, 2, 3, 2
PIXEL_HIDDEN = 1024
POINTS = 4

PIXELS = "sem_seg_head.pixel_decoder."
QUERIES = "sem_seg_head.interactive_transformer."

Shapes = dict[str, tuple[int, ...]]


def linear(name: str, before: int, after: int) -> Shapes:
    return {f"{name}.weight": (after, before), f"{name}.bias": (after,)}


def norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def batch_norm(name: str, width: int) -> Shapes:
    return norm(name, width) | {f"{name}.running_{s}": (width,) for s in ("mean", "var")}


def resnet50() -> Shapes:
    shapes: Shapes = {"backbone.stem.conv1.weight": (64, 3, 7, 7)}
    shapes |= batch_norm("backbone.stem.conv1.norm", 64)
    before = 64
    for number, blocks in zip((2, 3, 4, 5), (3, 4, 6, 3), strict=True):
        inner = 64 * 2 ** (number - 2)
        for block in range(blocks):
            at = f"backbone.res{number}.{block}"
            sizes = {"conv1": (inner, before, 1), "conv2": (inner, inner, 3)}
            sizes |= {"conv3": (4 * inner, inner, 1)}
            if block == 0:
                sizes["shortcut"] = (4 * inner, before, 1)
            for conv, (after, of, side) in sizes.items():
                shapes[f"{at}.{conv}.weight"] = (after, of, side, side)
                shapes |= batch_norm(f"{at}.{conv}.norm", after)
            before = 4 * inner
    return shapes


def swin_tiny() -> Shapes:
    shapes: Shapes = {
        "backbone.patch_embed.proj.weight": (96, 3, 4, 4),
        "backbone.patch_embed.proj.bias": (96,),
    }
    shapes |= norm("backbone.patch_embed.norm", 96)
    for i, (blocks, heads) in enumerate(zip((2, 2, 6, 2), (3, 6, 12, 24), strict=True)):
        width = 96 * 2**i
        shapes |= norm(f"backbone.norm{i}", width)
        for j in range(blocks):
            at = f"backbone.layers.{i}.blocks.{j}"
            shapes |= norm(f"{at}.norm1", width) | norm(f"{at}.norm2", width)
            shapes |= linear(f"{at}.attn.qkv", width, 3 * width)
            shapes |= linear(f"{at}.attn.proj", width, width)
            shapes |= linear(f"{at}.mlp.fc1", width, 4 * width)
            shapes |= linear(f"{at}.mlp.fc2", 4 * width, width)
            shapes[f"{at}.attn.relative_position_bias_table"] = (13 * 13, heads)
            shapes[f"{at}.attn.relative_position_index"] = (49, 49)
        if i < 3:
            shapes[f"backbone.layers.{i}.downsample.reduction.weight"] = (2 * width, 4 * width)
            shapes |= norm(f"backbone.layers.{i}.downsample.norm", 4 * width)
    return shapes


def head(channels: tuple[int, ...]) -> Shapes:
    w = WIDTH
    shapes: Shapes = {f"{PIXELS}transformer.level_embed": (3, w)}
    for k, of in enumerate(reversed(channels[1:])):
        shapes[f"{PIXELS}input_proj.{k}.0.weight"] = (w, of, 1, 1)
        shapes[f"{PIXELS}input_proj.{k}.0.bias"] = (w,)
        shapes |= norm(f"{PIXELS}input_proj.{k}.1", w)
        shapes |= {f"{PIXELS}refine.{k}.weight": (w, w, 3, 3), f"{PIXELS}refine.{k}.bias": (w,)}
    for k in range(PIXEL_LAYERS):
        at = f"{PIXELS}transformer.encoder.layers.{k}"
        shapes |= linear(f"{at}.self_attn.sampling_offsets", w, HEADS * 3 * POINTS * 2)
        shapes |= linear(f"{at}.self_attn.attention_weights", w, HEADS * 3 * POINTS)
        shapes |= linear(f"{at}.self_attn.value_proj", w, w)
        shapes |= linear(f"{at}.self_attn.output_proj", w, w)
        shapes |= linear(f"{at}.linear1", w, PIXEL_HIDDEN)
        shapes |= linear(f"{at}.linear2", PIXEL_HIDDEN, w)
        shapes |= norm(f"{at}.norm1", w) | norm(f"{at}.norm2", w)
    shapes[f"{PIXELS}adapter_1.weight"] = (w, channels[0], 1, 1)
    shapes[f"{PIXELS}layer_1.weight"] = (w, w, 3, 3)
    shapes |= norm(f"{PIXELS}adapter_1.norm", w) | norm(f"{PIXELS}layer_1.norm", w)
    shapes |= {f"{PIXELS}mask_features.weight": (w, w, 1, 1), f"{PIXELS}mask_features.bias": (w,)}
    for part, layers, hidden in (("encoder", LAYERS, HIDDEN), ("decoder", DECODER_LAYERS, 2 * w)):
        attentions = {"cross_attention_layers": "multihead_attn"}
        if part == "encoder":
            attentions["self_attention_layers"] = "self_attn"
        for k in range(layers):
            for group, called in attentions.items():
                at = f"{QUERIES}{part}.{group}.{k}"
                shapes[f"{at}.{called}.in_proj_weight"] = (3 * w, w)
                shapes[f"{at}.{called}.in_proj_bias"] = (3 * w,)
                shapes |= linear(f"{at}.{called}.out_proj", w, w) | norm(f"{at}.norm", w)
            at = f"{QUERIES}{part}.ffn_layers.{k}"
            shapes |= linear(f"{at}.linear1", w, hidden) | linear(f"{at}.linear2", hidden, w)
            shapes |= norm(f"{at}.norm", w)
    shapes |= linear(f"{QUERIES}queries_nonlinear_projection.0", w, w)
    shapes |= linear(f"{QUERIES}queries_nonlinear_projection.2", w, w)
    shapes |= linear(f"{QUERIES}ca_qpos_sine_proj", 3 * (w // 2), w)
    shapes |= norm(f"{QUERIES}layer_norm", w)
    shapes |= {f"{QUERIES}query_embed": (w,), f"{QUERIES}bg_query": (w,)}
    shapes |= {f"{QUERIES}static_bg_{s}": (BACKGROUNDS, w) for s in ("pe", "query")}
    shapes[f"{QUERIES}level_embed.weight"] = (3, w)
    for k in range(3):
        shapes |= linear(f"{QUERIES}mask_embed.layers.{k}", w, w)
    return shapes


CHANNELS = {"resnet50": (256, 512, 1024, 2048), "swin-tiny": (96, 192, 384, 768)}


def random_state(backbone: str, seed: int = 0) -> dict[str, Tensor]:
    """A state as the authors' code saves it."""
    shapes = {"resnet50": resnet50, "swin-tiny": swin_tiny}[backbone]()
    shapes |= head(CHANNELS[backbone])
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in shapes.items():
        value = torch.randn(shape, generator=generator)
        last = name.rpartition(".")[2]
        if last == "relative_position_index":
            value = torch.zeros(shape, dtype=torch.int64)  # follows from the size of a window
        elif last == "running_var":
            value = value.square() + 0.5
        elif last == "weight" and len(shape) == 1:
            value = 1 + 0.2 * value
        elif last == "bg_query":
            value = torch.zeros(shape)
        elif len(shape) > 1 and "static_bg" not in name and "level_embed" not in name:
            # As wide as keeps the size of what goes through, and all offsets within a few cells.
            value = value * math.prod(shape[1:]) ** -0.5
        elif "bias" in last:
            value = 0.3 * value
        state[name] = value
    return state


def write_tiny(path: Path, backbone: str, seed: int = 0) -> Path:
    """A file as detectron2 writes it."""
    torch.save({"model": random_state(backbone, seed), "iteration": 7}, path)
    return path

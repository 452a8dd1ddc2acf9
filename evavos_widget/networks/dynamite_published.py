"""The published DynaMITe: ResNet-50 or Swin-T, Mask2Former's pixel decoder, and its weights.

The pixel decoder with its deformable attention and Swin are those of ``transformers``, in plain
PyTorch. What the authors added to the pixel decoder is here: its levels, each convolved, join the
mask features before the last convolution. Weights are read by a table of names: those of a file are
on the left, ours on the right. Nobody has published a description of the file; names and sizes were
read from the authors' code (docs/dynamite.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import starmap
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import Mask2FormerConfig, SwinBackbone, SwinConfig
from transformers.models.mask2former.modeling_mask2former import Mask2FormerPixelDecoder

from evavos_widget.networks.dynamite import STRIDE, Interaction, InteractionConfig, Scene
from evavos_widget.networks.published import loading, tensors_of
from evavos_widget.networks.resnet import Bottleneck, stage

__all__ = ["BACKBONES", "PublishedDynamite", "load_published"]

MEAN, DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
"""Of RGB values (the authors' configurations)."""

SHORT, LONG = 800, 1333
"""Sides to which a picture is scaled: the shorter to the first, but the longer to no more than the
second (detectron2's defaults, which the authors leave as they are)."""

SIZES = InteractionConfig()
"""As published, which are the defaults."""

Widths = tuple[int, int, int, int]


class _ResNet50(nn.Module):
    """Features of stride 4 to 32."""

    channels: Widths = (256, 512, 1024, 2048)

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = stage(Bottleneck, 64, 64, 3)
        self.layer2 = stage(Bottleneck, 256, 128, 4)
        self.layer3 = stage(Bottleneck, 512, 256, 6)
        self.layer4 = stage(Bottleneck, 1024, 512, 3)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = functional.max_pool2d(functional.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        found = []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            found.append(x)
        return found


class _SwinTiny(nn.Module):
    """The same of Swin-T, whose defaults are those of ``transformers``."""

    channels: Widths = (96, 192, 384, 768)

    def __init__(self) -> None:
        super().__init__()
        config = SwinConfig(drop_path_rate=0.0)
        config.out_features = ["stage1", "stage2", "stage3", "stage4"]
        self.swin = SwinBackbone(config)

    def forward(self, x: Tensor) -> list[Tensor]:
        return list(self.swin(x).feature_maps)


BACKBONES: Mapping[str, Callable[[], _ResNet50 | _SwinTiny]] = {
    "resnet50": _ResNet50,
    "swin-tiny": _SwinTiny,
}
"""By the name of the published weights."""


class PublishedDynamite(nn.Module):
    """The network.

    Parameters
    ----------
    backbone : str
        A key of `BACKBONES`.
    config : InteractionConfig
    pixel_layers : int
        Of deformable attention in the pixel decoder; 6 as published.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        backbone: str = "swin-tiny",
        config: InteractionConfig = SIZES,
        pixel_layers: int = 6,
    ) -> None:
        super().__init__()
        self.config = config
        self.backbone = BACKBONES[backbone]()
        sizes = Mask2FormerConfig(
            feature_size=config.width,
            mask_feature_size=config.width,
            hidden_dim=config.width,
            num_attention_heads=config.heads,
            encoder_feedforward_dim=1024,
            encoder_layers=pixel_layers,
        )
        self.pixels = Mask2FormerPixelDecoder(sizes, self.backbone.channels)
        self.refine = nn.ModuleList(
            nn.Conv2d(config.width, config.width, 3, padding=1) for _ in range(3)
        )
        self.interaction = Interaction(config)
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION)[:, None, None], persistent=False)

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width to which a picture is scaled before it is looked at."""
        scale = min(SHORT / min(height, width), LONG / max(height, width))
        return max(1, int(scale * height + 0.5)), max(1, int(scale * width + 0.5))

    def encode(self, image: Tensor) -> Scene:
        """What is known of pictures, filled up below and on the right to multiples of 32.

        Parameters
        ----------
        image : (B, 3, H, W) float tensor, RGB, 0 to 255
        """
        height, width = image.shape[-2:]
        x = (image - self.mean) / self.deviation
        features = self.backbone(functional.pad(x, (0, -width % STRIDE, 0, -height % STRIDE)))
        found = self.pixels(features, return_dict=True)
        levels = tuple(found.multi_scale_features)
        coarse, middle, fine = starmap(
            lambda layer, x: layer(x), zip(reversed(self.refine), levels, strict=True)
        )
        fused = fine + _larger(middle, fine) + _larger(coarse, fine)
        # The last convolution is linear, so that what is added before it may be added after it.
        added = functional.conv2d(
            _larger(fused, found.mask_features), self.pixels.mask_projection.weight
        )
        return Scene(levels, found.mask_features + added)


def _larger(x: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)


_HEAD = "sem_seg_head."
_PIXELS = _HEAD + "pixel_decoder."
_QUERIES = _HEAD + "interactive_transformer."

TABLE: Mapping[str, str] = {
    r"backbone\.stem\.conv1\.weight": "backbone.conv1.weight",
    r"backbone\.stem\.conv1\.norm\.": "backbone.bn1.",
    r"backbone\.res(\d)\.(\d+)\.conv(\d)\.norm\.": r"backbone.layer<\1-1>.\2.bn\3.",
    r"backbone\.res(\d)\.(\d+)\.conv(\d)\.weight": r"backbone.layer<\1-1>.\2.conv\3.weight",
    r"backbone\.res(\d)\.(\d+)\.shortcut\.norm\.": r"backbone.layer<\1-1>.\2.downsample.1.",
    r"backbone\.res(\d)\.(\d+)\.shortcut\.weight": r"backbone.layer<\1-1>.\2.downsample.0.weight",
    r"backbone\.patch_embed\.proj\.": "backbone.swin.swin.embeddings.patch_embeddings.projection.",
    r"backbone\.patch_embed\.norm\.": "backbone.swin.swin.embeddings.norm.",
    r"backbone\.norm(\d)\.": r"backbone.swin.hidden_states_norms.stage<\1+1>.",
    r"backbone\.layers\.(\d)\.downsample\.": r"backbone.swin.swin.encoder.layers.\1.downsample.",
    r"backbone\.layers\.(\d)\.blocks\.(\d+)\.": r"backbone.swin.swin.encoder.layers.\1.blocks.\2.",
    re.escape(_PIXELS) + r"input_proj\.": "pixels.input_projections.",
    re.escape(_PIXELS) + r"transformer\.level_embed": "pixels.level_embed",
    re.escape(_PIXELS) + r"transformer\.encoder\.layers\.(\d)\.": r"pixels.encoder.layers.\1.",
    re.escape(_PIXELS) + r"(adapter|layer)_1\.weight": r"pixels.\1_1.0.weight",
    re.escape(_PIXELS) + r"(adapter|layer)_1\.norm\.": r"pixels.\1_1.1.",
    re.escape(_PIXELS) + r"mask_features\.": "pixels.mask_projection.",
    re.escape(_PIXELS) + r"refine\.": "refine.",
    re.escape(_QUERIES) + r"encoder\.cross_attention_layers\.(\d)\.": r"interaction.look.\1.",
    re.escape(_QUERIES) + r"encoder\.self_attention_layers\.(\d)\.": r"interaction.talk.\1.",
    re.escape(_QUERIES) + r"encoder\.ffn_layers\.(\d)\.": r"interaction.think.\1.",
    re.escape(_QUERIES) + r"decoder\.cross_attention_layers\.(\d)\.": r"interaction.answer.\1.",
    re.escape(_QUERIES) + r"decoder\.ffn_layers\.(\d)\.": r"interaction.settle.\1.",
    re.escape(_QUERIES) + r"layer_norm\.": "interaction.norm.",
    re.escape(_QUERIES) + r"queries_nonlinear_projection\.": "interaction.enter.",
    re.escape(_QUERIES) + r"ca_qpos_sine_proj\.": "interaction.place.",
    re.escape(_QUERIES) + r"query_embed": "interaction.click_place",
    re.escape(_QUERIES) + r"static_bg_query": "interaction.background",
    re.escape(_QUERIES) + r"static_bg_pe": "interaction.background_place",
    re.escape(_QUERIES) + r"level_embed\.": "interaction.level.",
    re.escape(_QUERIES) + r"mask_embed\.layers\.(\d)\.": r"interaction.to_mask.<\1*2>.",
}
"""Beginnings of names in a file, as regular expressions, and here. Between ``<`` and ``>`` a number
is counted otherwise."""

WITHIN = {
    "interaction": {"multihead_attn.": "attention.", "self_attn.": "attention."}
    | {"linear1.": "widen.", "linear2.": "narrow."},
    "pixels": {"norm1.": "self_attn_layer_norm.", "norm2.": "final_layer_norm."}
    | {"linear1.": "fc1.", "linear2.": "fc2."},
    "backbone.swin": {"norm1.": "layernorm_before.", "norm2.": "layernorm_after."}
    | {"attn.proj.": "attention.o_proj."}
    | {
        "attn.relative_position_bias_table": "attention.relative_position_bias."
        "relative_position_bias_table"
    },
}
"""By part, what the layers are called within a block of it, in a file and here."""

UNUSED = ("relative_position_index", "num_batches_tracked", "bg_query", "empty_weight")
"""Last parts of names of what was not learned: tables that follow from sizes, a counter, a query of
zeros with which the authors fill up batches, and a weight of a loss."""

_OLD = {
    "attention.q_proj.": "attention.self.query.",
    "attention.k_proj.": "attention.self.key.",
    "attention.v_proj.": "attention.self.value.",
    "attention.o_proj.": "attention.output.dense.",
    "attention.relative_position_bias.": "attention.self.",
    "mlp.fc1.": "intermediate.dense.",
    "mlp.fc2.": "output.dense.",
    "backbone.swin.swin.": "backbone.swin.",
}
"""How ``transformers`` before version 5 called parts of Swin."""


def load_published(path: Path) -> PublishedDynamite:
    """The network of a published file, in single precision and evaluation mode.

    Raises
    ------
    WeightsError
        The file is damaged, or of something else.
    """
    wrong = f"{path} does not hold DynaMITe with ResNet-50 or Swin-T; get the weights again"
    with loading(path, wrong):
        state = tensors_of(path, "model")
        kind = "swin-tiny" if any("patch_embed" in name for name in state) else "resnet50"
        network = PublishedDynamite(kind, *_sizes(state))
        network.load_state_dict(_ours(state, network))
    return network.eval().requires_grad_(False)


def _sizes(state: Mapping[str, Tensor]) -> tuple[InteractionConfig, int]:
    """What the file's tensors say of the sizes of the network; heads are 8 or less."""
    width = state[_QUERIES + "query_embed"].shape[0]

    def count(part: str) -> int:
        found = {m[1] for name in state if (m := re.match(re.escape(part) + r"\.(\d+)\.", name))}
        return len(found)

    return InteractionConfig(
        width=width,
        layers=count(_QUERIES + "encoder.ffn_layers"),
        hidden=state[_QUERIES + "encoder.ffn_layers.0.linear1.weight"].shape[0],
        decoder_layers=count(_QUERIES + "decoder.ffn_layers"),
        backgrounds=len(state[_QUERIES + "static_bg_query"]),
    ), count(_PIXELS + "transformer.encoder.layers")


def _ours(state: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """A published state as `PublishedDynamite` takes it."""
    known = network.state_dict()
    taken = {n: torch.zeros_like(v) for n, v in known.items() if n.endswith("num_batches_tracked")}
    # Tables that follow from sizes, and a normalisation of Swin that no level goes through.
    fixed = {
        n: v for n, v in known.items() if n.endswith("position_index") or "swin.layernorm." in n
    }
    for name, value in state.items():
        if name.rpartition(".")[2] not in UNUSED:
            for ours, part in _parts(name, value.float()):
                taken[ours if ours in known else _older(ours)] = part
    return {**taken, **fixed}


def _parts(name: str, value: Tensor) -> list[tuple[str, Tensor]]:
    """Where a tensor of a file belongs; queries, keys and values of Swin lie in one there."""
    ours = _our_name(name)
    if "attn.qkv." not in ours:
        return [(ours, value)]
    return [
        (ours.replace("attn.qkv.", f"attention.{which}_proj."), part)
        for which, part in zip("qkv", value.chunk(3), strict=True)
    ]


@lru_cache(maxsize=4096)
def _our_name(name: str) -> str:
    for published, ours in TABLE.items():
        match = re.match(published, name)
        if match is None:
            continue
        begin = re.sub(r"<(\d)([-+*])(\d)>", _counted, match.expand(ours))
        rest = name[match.end() :]
        for part, table in WITHIN.items():
            if begin.startswith(part):
                for theirs, called in table.items():
                    rest = re.sub(rf"^{re.escape(theirs)}", called, rest)
        return begin + rest
    raise KeyError(f"{name!r} is unknown")


def _counted(match: re.Match[str]) -> str:
    first, second = int(match[1]), int(match[3])
    return str({"-": first - second, "+": first + second, "*": first * second}[match[2]])


def _older(name: str) -> str:
    for new, old in _OLD.items():
        name = name.replace(new, old)
    return name

"""Segment Anything in small: the published classes, with random weights."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from segment_anything.modeling import (
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)

SIDE, CHANNELS, WIDTH = 128, 32, 24


def tiny_sam() -> Any:
    cells = SIDE // 16
    return Sam(
        ImageEncoderViT(
            img_size=SIDE,
            embed_dim=WIDTH,
            depth=2,
            num_heads=2,
            out_chans=CHANNELS,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=4,
            global_attn_indexes=(1,),
        ),
        PromptEncoder(CHANNELS, (cells, cells), (SIDE, SIDE), 16),
        MaskDecoder(
            transformer_dim=CHANNELS,
            transformer=TwoWayTransformer(2, CHANNELS, 2, 64),
            num_multimask_outputs=3,
            iou_head_hidden_dim=32,
        ),
    )


def write_tiny(path: Path) -> Path:
    """A file in the published format."""
    torch.manual_seed(1)
    model = tiny_sam()
    for parameter in model.parameters():  # published ones are not as small as fresh ones
        torch.nn.init.normal_(parameter, std=0.3)
    torch.save(model.state_dict(), path)
    return path

"""SAM 2 and EdgeTAM in small, with random weights, saved as the published ones are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import (
    EdgeTamVideoConfig,
    EdgeTamVideoModel,
    Sam2ImageProcessor,
    Sam2VideoConfig,
    Sam2VideoModel,
)

SIDE, WIDTH, MEMORY, CELLS = 128, 128, 64, 8

STRENGTH = 0.25

NECK: dict[str, Any] = {
    "fpn_hidden_size": WIDTH,
    "backbone_feature_sizes": [[4 * CELLS] * 2, [2 * CELLS] * 2, [CELLS] * 2],
}

BOTH: dict[str, Any] = {
    "image_size": SIDE,
    "prompt_encoder_config": {
        "hidden_size": WIDTH,
        "image_size": SIDE,
        "mask_input_channels": 16,  # fewer, and the normalisation of one channel forgets the mask
    },
    "mask_decoder_config": {
        "hidden_size": WIDTH,
        "mlp_dim": WIDTH,
        "num_attention_heads": 2,
        "iou_head_hidden_dim": WIDTH,
    },
    "memory_attention_hidden_size": WIDTH,
    "memory_attention_num_layers": 1,
    "memory_attention_rope_feat_sizes": [CELLS, CELLS],
    "memory_encoder_hidden_size": WIDTH,
    "memory_encoder_output_channels": MEMORY,
    "mask_downsampler_embed_dim": WIDTH,
    "memory_fuser_embed_dim": WIDTH,
    "memory_fuser_intermediate_dim": WIDTH,
}


def _sam2() -> Any:
    hiera = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": 8,
        "image_size": [SIDE, SIDE],
        "embed_dim_per_stage": [8, 16, 32, 64],
        "blocks_per_stage": [1, 1, 2, 1],
        "num_attention_heads_per_stage": [1, 1, 2, 2],
        "window_size_per_stage": [4, 4, 4, 4],
        "global_attention_blocks": [3],
    }
    vision = {"model_type": "sam2_vision_model", "backbone_channel_list": [64, 32, 16, 8], **NECK}
    return Sam2VideoModel(
        Sam2VideoConfig(
            vision_config={**vision, "backbone_config": hiera},
            memory_attention_feed_forward_hidden_size=WIDTH,
            **BOTH,
        )
    )


def _edgetam() -> Any:
    repvit = {
        "model_type": "timm_wrapper",
        "architecture": "repvit_m0_9",
        "num_classes": 2,
        "model_args": {"in_chans": 3, "features_only": True, "out_indices": [0, 1, 2, 3]},
    }
    return EdgeTamVideoModel(
        EdgeTamVideoConfig(
            vision_config={
                "model_type": "edgetam_vision_model", "backbone_config": repvit, **NECK
            },
            memory_attention_rope_k_sizes=[4, 4],
            memory_attention_mlp_hidden_size=WIDTH,
            perceiver_resampler_num_latents=16,
            perceiver_resampler_num_latents_2d=16,
            perceiver_resampler_hidden_size=MEMORY,
            perceiver_resampler_mlp_intermediate_size=MEMORY,
            perceiver_resampler_attention_head_dim=MEMORY,
            **BOTH,
        )
    )  # fmt: skip


def write_tiny(folder: Path, family: str = "sam2") -> Path:
    """A folder with a small model of a family, 'sam2' or 'edgetam'."""
    torch.manual_seed(1)
    model = {"sam2": _sam2, "edgetam": _edgetam}[family]().eval()
    for name, parameter in model.named_parameters():
        if not name.startswith("vision_encoder"):  # published ones are not as small as fresh ones
            torch.nn.init.normal_(parameter, std=STRENGTH)
    score = model.mask_decoder.pred_obj_score_head.proj_out
    torch.nn.init.zeros_(score.weight)
    torch.nn.init.ones_(score.bias)  # the object is always thought to be there
    model.save_pretrained(folder)
    size = {"height": SIDE, "width": SIDE}
    Sam2ImageProcessor(size=size).save_pretrained(folder)
    return folder

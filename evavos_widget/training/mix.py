"""Means of weights: ``python -m evavos_widget.training.mix BEFORE AFTER --out FILE``.

Weights that went on from others, mixed with those, keep what the others could do (Wortsman et al.,
"Robust fine-tuning of zero-shot models", CVPR 2022).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from evavos_widget.networks.compact import CompactNet
from evavos_widget.networks.weights import load_weights, save_weights

__all__ = ["main", "mixed"]


@torch.no_grad()
def mixed(before: CompactNet, after: CompactNet, share: float) -> CompactNet:
    """A network whose weights and statistics lie between those of two, `share` being the second's.

    Raises
    ------
    ValueError
        The networks have different sizes.
    """
    if before.config != after.config:
        raise ValueError(
            f"the networks have different sizes ({before.config} and {after.config}); mix weights "
            "of which one went on from the other."
        )
    between = CompactNet(before.config).eval()
    states = before.state_dict(), after.state_dict()
    for name, value in between.state_dict().items():
        first, second = (state[name] for state in states)
        value.copy_(first.lerp(second, share) if value.is_floating_point() else second)
    return between


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m evavos_widget.training.mix", description="Mean of two files of weights."
    )
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--share", type=float, default=0.5, help="of the second (0.5)")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    try:
        network = mixed(load_weights(args.before), load_weights(args.after), args.share)
        notes = {"mixed": f"{args.before.name} and {args.after.name}, {args.share:g} of the latter"}
        save_weights(network, args.out, notes)
    except (ValueError, OSError) as error:
        print(f"mix: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

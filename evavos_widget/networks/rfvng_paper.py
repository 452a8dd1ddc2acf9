"""The parts of RF-VNG as the paper has them: RoBERTa for the words, ResNet-50 for the frames.

Both come from well-kept libraries, ``transformers`` and ``torchvision``, and bring
their published weights, which are downloaded at first use. The decoder and the head are
`RfVng` with the sizes of `rfvng.PAPER`. No weights of ReferFormer or RF-VNG can be put into it,
since those attend by deformable attention, see the documentation on language.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from evavos_widget.networks.encoders import DEVIATION, MEAN
from evavos_widget.networks.rfvng import PAPER, RfVng, RfVngConfig
from evavos_widget.networks.words import check_span

__all__ = ["ROBERTA", "FrameEncoder", "RobertaWords", "marked_tokens", "paper_network"]

ROBERTA = "roberta-base"
"""The language encoder of ReferFormer (Wu et al. 2022, Sec. 4.2), as the hub calls it."""


class RobertaWords(nn.Module):
    """A language encoder of ``transformers``, called as `rfvng.WordEncoder` is.

    Parameters
    ----------
    model : PreTrainedModel
        Such as ``transformers.RobertaModel``; it is frozen, as ReferFormer's is.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model.requires_grad_(False)
        self.width = int(model.config.hidden_size)

    def forward(self, tokens: Tensor, marked: Tensor) -> Tensor:
        """Tokens in their context.

        Parameters
        ----------
        tokens : (B, N, 1) int64 tensor
            The padding token of the model fills up.
        marked : (B, N) bool tensor
            Not used here.

        Returns
        -------
        (B, N, width) tensor
        """
        ids = tokens[..., 0]
        there = (ids != self.model.config.pad_token_id).long()
        return self.model(input_ids=ids, attention_mask=there).last_hidden_state


def marked_tokens(
    tokenizer: Any, caption: str, span: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """A caption and its noun as `RobertaWords` takes them.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerFast
        One that tells the characters of its tokens.
    caption : str
    span : (int, int)
        Of the noun.

    Returns
    -------
    tokens : (N, 1) int64 array
    marked : (N,) bool array
        The tokens that share a character with the noun.
    """
    start, stop = check_span(caption, span)
    told = tokenizer(caption, return_offsets_mapping=True, truncation=True)
    ids = np.array(told["input_ids"], np.int64)[:, None]
    marked = np.array([a < stop and b > start and a < b for a, b in told["offset_mapping"]], bool)
    if not marked.any():
        raise ValueError(
            f"the noun {caption[start:stop]!r} is beyond the longest text that the tokenizer "
            "takes; give a shorter caption."
        )
    return ids, marked


class FrameEncoder(nn.Module):
    """ResNet-50 up to its features at stride 8, (B, 512, h, w).

    Parameters
    ----------
    published : bool
        With the weights of ImageNet, which are downloaded; random ones else.
    """

    def __init__(self, published: bool = False) -> None:
        super().__init__()
        from torchvision.models import ResNet50_Weights, resnet50

        whole = resnet50(weights=ResNet50_Weights.DEFAULT if published else None)
        self.stem = nn.Sequential(whole.conv1, whole.bn1, whole.relu, whole.maxpool)
        self.layers = nn.Sequential(whole.layer1, whole.layer2)

    def forward(self, image: Tensor) -> Tensor:
        """Features of (B, 3, H, W) images in [0, 1], RGB."""
        from torchvision.transforms.functional import normalize

        return self.layers(self.stem(normalize(image, list(MEAN), list(DEVIATION))))


def paper_network(model: Any = None, config: RfVngConfig = PAPER) -> RfVng:
    """RF-VNG with the paper's language encoder.

    Parameters
    ----------
    model : PreTrainedModel, optional
        By default `ROBERTA` with its published weights, which are downloaded.
    config : RfVngConfig
        Its ``text_channels`` are those of the model.

    Raises
    ------
    ValueError
        The model has another width.
    """
    if model is None:
        from transformers import RobertaModel

        model = RobertaModel.from_pretrained(ROBERTA, add_pooling_layer=False)
    words = RobertaWords(model)
    if words.width != config.text_channels:
        raise ValueError(
            f"the language model is {words.width} wide and the network expects "
            f"{config.text_channels}; give a configuration with text_channels={words.width}."
        )
    return RfVng(config, words)

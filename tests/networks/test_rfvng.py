"""RF-VNG's network: its head against an independent reading, words and spans."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from evavos_widget.checkpoints import WeightsError
from evavos_widget.networks.rfvng import COMPACT, FINE, RfVng, dynamic_head
from evavos_widget.networks.rfvng_weights import load_rfvng, save_rfvng
from evavos_widget.networks.words import (
    BUCKETS,
    MOST_WORDS,
    caption_pieces,
    check_span,
    span_words,
    word_pieces,
    word_spans,
)

SAID = "The red dog's owner sees the blue dog, isn't he?"
SMALL = replace(COMPACT, frame_channels=6, text_channels=16, width=16, layers=2, mask_channels=4)


def test_the_dynamic_head_is_a_network_of_its_own_for_each_pixel():
    """As CondInst has it: per instance the weights of three layers of 1 x 1, ReLU between them."""
    torch.manual_seed(0)
    sizes = [(5, 4), (4, 4), (4, 1)]
    n = sum(a * b + b for a, b in sizes)
    maps, weights = torch.randn(3, 5, 6, 7), torch.randn(3, n)
    found = dynamic_head(maps, weights, sizes)
    for b in range(3):
        given = weights[b].tolist()
        layers = []
        for before, after in sizes:
            rows = [[given.pop(0) for _ in range(before)] for _ in range(after)]
            layers.append((rows, [given.pop(0) for _ in range(after)]))
        for y, x in ((0, 0), (5, 6), (2, 3)):
            value = maps[b, :, y, x].tolist()
            for number, (rows, biases) in enumerate(layers):
                value = [
                    sum(w * v for w, v in zip(row, value, strict=True)) + bias
                    for row, bias in zip(rows, biases, strict=True)
                ]
                if number < 2:
                    value = [max(0.0, v) for v in value]
            assert float(found[b, y, x]) == pytest.approx(value[0], abs=1e-4)


def test_words_have_the_places_that_they_have_in_the_caption():
    spans = word_spans(SAID)
    words = [SAID[a:b] for a, b in spans]
    assert words == ["The", "red", "dog's", "owner", "sees", "the", "blue", "dog", ",", "isn't",
                     "he", "?"]  # fmt: skip
    start = SAID.index("dog,")
    assert np.flatnonzero(span_words(spans, (start, start + 3))).tolist() == [7]
    # A noun of several words, and one of which only a part is marked.
    assert np.flatnonzero(span_words(spans, (4, 11))).tolist() == [1, 2]
    assert np.flatnonzero(span_words(spans, (9, 10))).tolist() == [2]


def test_the_marked_word_is_the_only_difference_between_two_nouns_of_a_caption():
    first, second = SAID.index("dog"), SAID.index("dog,")
    a, b = (caption_pieces(SAID, (at, at + 3)) for at in (first, second))
    assert np.array_equal(a[0], b[0])
    assert not (a[1] & b[1]).any()


def test_a_long_caption_keeps_the_words_around_the_noun():
    caption = " ".join(f"word{i}" for i in range(300))
    for which in (0, 150, 299):
        at = caption.index(f"word{which}")
        pieces, marked = caption_pieces(caption, (at, at + len(f"word{which}")))
        assert pieces.shape[0] == MOST_WORDS
        row = pieces[np.flatnonzero(marked)[0]]
        assert row[row > 0].tolist() == word_pieces(f"word{which}")


def test_any_word_has_pieces_and_those_spelled_alike_share_some():
    for word in ("dog", "Hündin", "犬", "🐕", "x" * 500):
        assert all(0 < piece < BUCKETS for piece in word_pieces(word))
    assert word_pieces("Dog") == word_pieces("dog")
    assert len(set(word_pieces("dogs")) & set(word_pieces("dog"))) >= 2


@pytest.mark.parametrize("span", [(-1, 3), (3, 3), (5, 2), (0, 99), (3, 4)])
def test_what_is_no_noun_is_refused(span: tuple[int, int]):
    with pytest.raises(ValueError, match=r"is no part|holds no word"):
        check_span("The dog", span)


def _query(network: RfVng, caption: str, span: tuple[int, int]) -> torch.Tensor:
    pieces, marked = (torch.from_numpy(a)[None] for a in caption_pieces(caption, span))
    return network.query(pieces, marked)


def test_a_noun_is_found_alone_as_beside_others_and_frames_as_they_come():
    torch.manual_seed(1)
    network = RfVng(SMALL).eval()
    cells, fine = torch.rand(5, 6, 4, 6), torch.rand(5, FINE, 8, 12)
    seen, maps = network.look(cells, fine)
    query = torch.cat([_query(network, SAID, (8, 11)), _query(network, SAID, (34, 37))])
    both = network(query[None], seen[None], maps[None])
    assert both.masks.shape == (1, 2, 5, 8, 12)
    assert not torch.allclose(both.masks[0, 0], both.masks[0, 1])
    alone = network(query[None, :1], seen[None], maps[None])
    assert torch.allclose(alone.masks[0, 0], both.masks[0, 0], atol=1e-5)
    # Its query is all that links a noun's masks over time, so that frames have no order.
    order = torch.tensor([3, 0, 4, 1, 2])
    again = network(query[None], seen[None, order], maps[None, order])
    assert torch.allclose(again.masks[0], both.masks[0][:, order], atol=1e-5)


def test_words_that_fill_up_do_not_matter():
    torch.manual_seed(2)
    network = RfVng(SMALL).eval()
    pieces, marked = caption_pieces(SAID, (8, 11))
    longer = np.pad(pieces, ((0, 9), (0, 0))), np.pad(marked, (0, 9))
    a = network.query(torch.from_numpy(pieces)[None], torch.from_numpy(marked)[None])
    b = network.query(*(torch.from_numpy(part)[None] for part in longer))
    assert torch.allclose(a, b, atol=1e-5)


def test_weights_come_back_and_others_are_refused(tmp_path: Path):
    torch.manual_seed(3)
    network = RfVng(SMALL).half().float().eval()
    save_rfvng(network, tmp_path / "a.safetensors", {"step": "7"})
    again = load_rfvng(tmp_path / "a.safetensors")
    assert again.config == SMALL
    for name, value in network.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    (tmp_path / "b.safetensors").write_bytes(b"not weights")
    for wrong in ("b.safetensors", "c.safetensors"):
        with pytest.raises(WeightsError, match=wrong):
            load_rfvng(tmp_path / wrong)


def test_the_paper_s_parts_fit_together():
    """A small RoBERTa with random weights, tokens by a tokenizer that cuts every other letter."""
    transformers = pytest.importorskip("transformers")
    from evavos_widget.networks.rfvng_paper import FrameEncoder, marked_tokens, paper_network

    def tokenizer(caption: str, **_: object) -> dict[str, list[object]]:
        cuts = [(i, min(i + 2, len(caption))) for i in range(0, len(caption), 2)]
        ids = [0, *(3 + ord(caption[a]) % 90 for a, _ in cuts), 2]
        return {"input_ids": ids, "offset_mapping": [(0, 0), *cuts, (0, 0)]}

    config = transformers.RobertaConfig(
        vocab_size=99, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=80,
    )  # fmt: skip
    torch.manual_seed(4)
    model = transformers.RobertaModel(config, add_pooling_layer=False)
    network = paper_network(model, replace(SMALL, frame_channels=512, text_channels=32)).eval()
    tokens, marked = marked_tokens(tokenizer, SAID, (8, 11))
    assert np.flatnonzero(marked).tolist() == [5, 6]
    query = network.query(torch.from_numpy(tokens)[None], torch.from_numpy(marked)[None])
    with torch.no_grad():
        cells = FrameEncoder().eval()(torch.rand(2, 3, 64, 96))
    assert cells.shape == (2, 512, 8, 12)
    seen, maps = network.look(cells, torch.rand(2, FINE, 16, 24))
    assert network(query[None], seen[None], maps[None]).masks.shape == (1, 1, 2, 16, 24)
    with pytest.raises(ValueError, match="text_channels=32"):
        paper_network(model, SMALL)

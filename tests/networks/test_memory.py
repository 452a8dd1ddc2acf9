from __future__ import annotations

import pytest
import torch

from evavos_widget.networks import memory
from evavos_widget.networks.memory import readout, tokens


def made(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def naive(
    memory_key: torch.Tensor, query_key: torch.Tensor, values: torch.Tensor, scale: float
) -> torch.Tensor:
    """One query at a time, from the definition."""
    out = []
    for b in range(len(values)):
        rows = []
        for query in query_key[b].double():
            distance = (memory_key[b].double() - query).square().sum(-1)
            rows.append((-scale * distance).softmax(0) @ values[b].double())
        out.append(torch.stack(rows))
    return torch.stack(out).float()


@pytest.fixture
def three() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return made(0, 2, 37, 20), made(1, 2, 11, 20), made(2, 2, 37, 12)


@pytest.mark.parametrize("width", [12, 50], ids=["attention", "several objects"])
def test_readout_is_the_softmax_of_negative_squared_distances(width: int) -> None:
    key, query, values = made(0, 2, 37, 20), made(1, 2, 11, 20), made(2, 2, 37, width)
    expected = naive(key, query, values, 20**-0.5)
    assert torch.allclose(readout(key, query, values), expected, atol=1e-5)


def test_scale_can_be_given(three: tuple[torch.Tensor, ...]) -> None:
    assert torch.allclose(readout(*three, scale=1.5), naive(*three, 1.5), atol=1e-5)


def test_distances_stay_exact_where_keys_are_bfloat16_and_long() -> None:
    # |k|^2 is about 2500 here: one bfloat16 would be off by up to 8.
    key = (made(0, 1, 64, 20) + 11).bfloat16()
    query, values = key[:, :9], made(2, 1, 64, 16)
    read = readout(key, query, values.bfloat16()).float()
    assert torch.allclose(read, naive(key, query, values, 20**-0.5), atol=0.03)


def test_with_top_k_only_the_most_alike_count(three: tuple[torch.Tensor, ...]) -> None:
    key, query, values = three
    distance = torch.cdist(query.double(), key.double()).square() * 20**-0.5
    best, where = (-distance).topk(5, dim=-1)
    picked = torch.stack([values[b][where[b]] for b in range(2)]).double()
    expected = (best.softmax(-1)[..., None] * picked).sum(2).float()
    assert torch.allclose(readout(*three, top_k=5), expected, atol=1e-5)
    assert torch.allclose(readout(*three, top_k=99), readout(*three), atol=1e-6)


@pytest.mark.parametrize("top_k", [None, 5])
def test_chunks_do_not_change_the_result(
    monkeypatch: pytest.MonkeyPatch, top_k: int | None
) -> None:
    key, query, values = made(0, 2, 37, 4), made(1, 2, 11, 4), made(2, 2, 37, 40)
    whole = readout(key, query, values, top_k=top_k)
    monkeypatch.setattr(memory, "CHUNK_ELEMENTS", 2 * 37 * 3)
    assert torch.allclose(readout(key, query, values, top_k=top_k), whole, atol=1e-6)


def test_gradients_reach_keys_and_values_of_every_path() -> None:
    for width, top_k in ((12, None), (50, None), (12, 5)):
        three = [
            made(i, 1, n, w).requires_grad_()
            for i, n, w in ((0, 37, 20), (1, 11, 20), (2, 37, width))
        ]
        readout(*three, top_k=top_k).square().sum().backward()
        assert all(x.grad is not None and x.grad.abs().sum() > 0 for x in three)
        ours = [x.grad.clone() for x in three]
        copies = [x.detach().clone().requires_grad_() for x in three]
        logits = memory.affinity(copies[0], copies[1])
        if top_k:
            kth = logits.topk(top_k).values[..., -1:]
            logits = logits.masked_fill(logits < kth, -torch.inf)
        (logits.softmax(-1) @ copies[2]).square().sum().backward()
        for mine, theirs in zip(ours, copies, strict=True):
            assert torch.allclose(mine, theirs.grad, atol=1e-4)


def test_tokens_are_rows_of_cells() -> None:
    cells = made(0, 2, 3, 4, 5)
    rows = tokens(cells)
    assert rows.shape == (2, 20, 3)
    assert torch.equal(rows[1, 7], cells[1, :, 1, 2])

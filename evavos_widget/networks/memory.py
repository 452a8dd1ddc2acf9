"""Space-time memory: the affinity of STCN and what is read out with it.

STCN (Cheng, Tai, Tang, NeurIPS 2021, Sec. 3.2) compares a query cell with every remembered
cell by negative squared distance, ``-|k - q|^2 / sqrt(C)``, and reads the softmax-weighted
mean of the remembered values. The term ``|q|^2`` is the same for all remembered cells, so
softmax does not see it; what is left, ``2 k.q - |k|^2``, is a dot product of keys that carry
``|k|^2`` as further channels. PyTorch's own attention then does the work without ever
holding the affinity.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["affinity", "readout", "tokens"]

NORM_PARTS = 3
"""Into how many numbers of the keys' type ``|k|^2`` is split; three bfloat16 make a float32."""

CHUNK_ELEMENTS = 2**23
"""How many affinities are held at once where they have to be: 32 MiB of float32."""


def tokens(cells: Tensor) -> Tensor:
    """Cells in rows: ``(B, C, ..., H, W)`` to ``(B, N, C)``; a view of channels-last memory."""
    return cells.flatten(2).transpose(1, 2)


def affinity(memory_key: Tensor, query_key: Tensor, scale: float | None = None) -> Tensor:
    """Logits of the readout, up to what is constant for each query.

    Parameters
    ----------
    memory_key : (B, N, C) tensor
    query_key : (B, M, C) tensor
    scale : float, optional
        ``1 / sqrt(C)`` (STCN) by default.

    Returns
    -------
    (B, M, N) float32 tensor
        ``scale * (2 k.q - |k|^2)``.
    """
    scale = float(query_key.shape[-1] ** -0.5) if scale is None else scale
    memory_key, query_key = memory_key.float(), query_key.float()
    norm = -scale * memory_key.square().sum(-1)
    return torch.baddbmm(norm[:, None], query_key, memory_key.transpose(1, 2), alpha=2 * scale)


def readout(
    memory_key: Tensor,
    query_key: Tensor,
    values: Tensor,
    *,
    scale: float | None = None,
    top_k: int | None = None,
    chunk: int | None = None,
) -> Tensor:
    """Mean of remembered values, weighted by the softmax of the affinity.

    Memory use does not grow with the product of memory and query size.

    Parameters
    ----------
    memory_key : (B, N, C) tensor
    query_key : (B, M, C) tensor
    values : (B, N, V) tensor
        For several objects that share keys, their values side by side.
    scale : float, optional
        ``1 / sqrt(C)`` (STCN) by default.
    top_k : int, optional
        Only so many remembered cells count for each query (MiVOS, Sec. 3.2.1).
    chunk : int, optional
        How many affinities may be held at once, `CHUNK_ELEMENTS` by default.

    Returns
    -------
    (B, M, V) tensor of the type of `values`
    """
    scale = float(query_key.shape[-1] ** -0.5) if scale is None else scale
    with torch.autocast(query_key.device.type, enabled=False):
        if top_k is not None and top_k < memory_key.shape[1]:
            return _read_best(memory_key, query_key, values, scale, top_k, chunk)
        if _width(memory_key.shape[-1]) >= values.shape[-1]:
            return _read_with_attention(memory_key, query_key, values, scale)
        return _read_in_chunks(memory_key, query_key, values, scale, chunk)


def _width(channels: int) -> int:
    """Channels of the augmented keys; attention kernels want a multiple of 8."""
    return -(-(channels + NORM_PARTS) // 8) * 8


def _read_with_attention(
    memory_key: Tensor, query_key: Tensor, values: Tensor, scale: float
) -> Tensor:
    kind = query_key.dtype
    memory_key, width = memory_key.to(kind), _width(query_key.shape[-1])
    rest = memory_key.float().square().sum(-1, keepdim=True)
    parts = []
    for _ in range(NORM_PARTS):
        parts.append(rest.to(kind))
        rest = rest - parts[-1].float()
    spare = width - query_key.shape[-1] - NORM_PARTS
    key = functional.pad(torch.cat([memory_key, *parts], -1), (0, spare))
    query = functional.pad(2 * query_key, (0, NORM_PARTS), value=-1.0)
    query = functional.pad(query, (0, spare))
    value = functional.pad(values.to(kind), (0, width - values.shape[-1]))
    # Kernels that never hold the affinity expect heads.
    read = functional.scaled_dot_product_attention(
        query[:, None], key[:, None], value[:, None], scale=scale
    )
    return read[:, 0, :, : values.shape[-1]].to(values.dtype)


def _chunks(query_key: Tensor, n_memory: int, chunk: int | None) -> tuple[Tensor, ...]:
    size = CHUNK_ELEMENTS if chunk is None else chunk
    return query_key.split(max(1, size // (n_memory * len(query_key))), dim=1)


def _read_in_chunks(
    memory_key: Tensor, query_key: Tensor, values: Tensor, scale: float, chunk: int | None
) -> Tensor:
    read = [
        affinity(memory_key, query, scale).softmax(-1).to(values.dtype) @ values
        for query in _chunks(query_key, memory_key.shape[1], chunk)
    ]
    return torch.cat(read, 1)


def _read_best(
    memory_key: Tensor,
    query_key: Tensor,
    values: Tensor,
    scale: float,
    top_k: int,
    chunk: int | None,
) -> Tensor:
    batch, n_memory, _ = values.shape
    first = torch.arange(batch, device=values.device)[:, None, None] * n_memory
    flat, read = values.reshape(batch * n_memory, -1), []
    for query in _chunks(query_key, n_memory, chunk):
        best, where = affinity(memory_key, query, scale).topk(top_k, dim=-1)
        mean = functional.embedding_bag(
            (where + first).flatten(0, 1),
            flat,
            mode="sum",
            per_sample_weights=best.softmax(-1).to(values.dtype).flatten(0, 1),
        )
        read.append(mean.unflatten(0, (batch, query.shape[1])))
    return torch.cat(read, 1)

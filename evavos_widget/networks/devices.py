"""Where networks run, in which precision, and what to do where memory is short."""

from __future__ import annotations

import ctypes
import sys

import torch

__all__ = [
    "chosen_device",
    "fastest_type",
    "give_memory_back",
    "lower_precision",
    "out_of_memory",
]

_malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None


def chosen_device(device: str | None = None) -> str:
    """The device asked for; a GPU where there is one, by default.

    Raises
    ------
    ValueError
        The device is not there.
    """
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        asked = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"{device!r} is no device; use 'cpu', 'cuda' or 'cuda:0'.") from error
    if asked.type == "cuda" and not (asked.index or 0) < torch.cuda.device_count():
        there = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
        raise ValueError(f"there is no device {device!r} here; choose from {['cpu', *there]}.")
    return device


def fastest_type(device: str) -> torch.dtype:
    """bfloat16 where the hardware multiplies it, which takes a half to two thirds of the time."""
    if torch.device(device).type == "cuda":
        with torch.cuda.device(device):
            multiplied = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if multiplied else torch.float16
    fast = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    # What PyTorch was told to do without (ATEN_CPU_CAPABILITY), the processor still reports.
    wide = torch.backends.cpu.get_cpu_capability() not in ("DEFAULT", "AVX2")
    multiplied = wide and any(getattr(torch.cpu, name, lambda: False)() for name in fast)
    return torch.bfloat16 if multiplied else torch.float32


def give_memory_back(device: torch.device) -> None:
    """Let the C library return what a network on the processor freed to the operating system.

    glibc keeps much of it, in pieces that do not fit what the network asks for next. Costs a few
    hundredths of a second each time; with other libraries and devices nothing happens.
    """
    if _malloc_trim is not None and device.type == "cpu":
        _malloc_trim(0)


def lower_precision(device: str) -> torch.autocast:
    """Within it, networks of others compute on a GPU in `fastest_type` where that is safe."""
    kind = torch.device(device).type
    return torch.autocast(kind, dtype=fastest_type(device), enabled=kind == "cuda")


def out_of_memory(error: BaseException) -> bool:
    """Whether an error of PyTorch says that memory is short."""
    # The allocator of the processor has no exception of its own; what it says depends on the
    # operating system.
    said = ("not enough memory", "can't allocate memory")
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in said)
    )

"""How many cores there are for this process, which on a shared machine are not all of them."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["usable_cores"]

QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Microseconds of the processor that a container may use in a period, and the period; or ``max``
(Linux control groups, version 2)."""


def usable_cores() -> int:
    """Cores that this process is bound to, and no more than its container has a share of."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        cores = os.cpu_count() or 1
    try:
        quota, period = map(int, QUOTA.read_text(encoding="utf-8").split())
    except (OSError, ValueError):  # no container, or one without a limit
        return cores
    return max(1, min(cores, quota // period))

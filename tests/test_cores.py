"""Work is shared among the cores that there are for this process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evavos_widget import cores


@pytest.mark.parametrize(
    ("bound", "quota", "expected"),
    [
        (64, None, 64),
        (64, "max 100000", 64),
        (64, "200000 100000", 2),
        (64, "150000 100000", 1),
        (64, "50000 100000", 1),
        (2, "800000 100000", 2),
        (3, "nonsense", 3),
    ],
)
def test_cores_are_those_it_may_use(
    bound: int, quota: str | None, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cpu.max"
    if quota is not None:
        file.write_text(quota + "\n")
    monkeypatch.setattr(cores, "QUOTA", file)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(bound)), raising=False)
    assert cores.usable_cores() == expected


def test_a_system_that_binds_no_process_tells_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    monkeypatch.setattr(cores, "QUOTA", tmp_path / "cpu.max")
    assert cores.usable_cores() == 5

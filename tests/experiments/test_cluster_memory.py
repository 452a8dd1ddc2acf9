"""Workers of a Dask cluster do not fetch the same memory from the system again and again."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
import numpy as np
from evavos_widget.experiments import workers
if "keep" in sys.argv:
    workers._keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.ones(2**20)  # 8 MiB, as the layer of a network
before = faults()
for _ in range(100):
    np.ones(2**20)
print(faults() - before)
"""


def faults(*how: str) -> int:
    trimmed = {**os.environ, "MALLOC_TRIM_THRESHOLD_": "65536"}  # as Dask's nanny sets it
    command = [sys.executable, "-c", PROGRAM, *how]
    return int(subprocess.run(command, env=trimmed, check=True, capture_output=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the threshold is of glibc")
def test_what_was_freed_is_used_again() -> None:
    assert faults("keep") < faults() / 20

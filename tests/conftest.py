from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples on every run, and no limit on time: machines differ.
settings.register_profile("evavos", deadline=None, derandomize=True)
settings.load_profile("evavos")


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of real data, next to the checkout or where EVAVOS_DATA points."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    root = Path(os.environ.get("EVAVOS_DATA", beside))
    if not root.is_dir():
        pytest.skip(f"no real data at {root}; set EVAVOS_DATA to test on it")
    return root


@pytest.fixture(scope="session")
def davis_root(data_root: Path) -> Path:
    """DAVIS-2016, as JPEGImages/480p and Annotations/480p."""
    root = data_root / "davis16"
    if not root.is_dir():
        pytest.skip(f"no DAVIS-2016 at {root}; set EVAVOS_DATA to test on it")
    return root

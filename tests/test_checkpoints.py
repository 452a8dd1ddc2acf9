from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from evavos_widget import checkpoints
from evavos_widget.checkpoints import CHECKPOINTS, Checkpoint, WeightsError, find


@pytest.fixture
def released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a release that has weights called ``small``."""
    file = tmp_path / "small.safetensors"
    file.write_bytes(b"weights" * 100)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setattr(checkpoints, "FOLDER", tmp_path)
    monkeypatch.setattr(checkpoints, "CHECKPOINTS", {"small": Checkpoint(file.name, digest, "MIT")})
    return file


def test_released_weights_are_found(released: Path) -> None:
    assert find("small") == released


def test_weights_that_were_changed_cut_or_lost_are_refused(released: Path) -> None:
    whole = released.read_bytes()
    for wrong in (whole[:-1], b"W" + whole[1:]):
        released.write_bytes(wrong)
        with pytest.raises(WeightsError, match=r"damaged.*install the package again"):
            find("small")
    released.unlink()
    with pytest.raises(WeightsError, match="missing"):
        find("small")


def test_weights_that_do_not_come_with_the_release_are_named() -> None:
    with pytest.raises(WeightsError, match=r"'large'.*weights=PATH"):
        find("large")


def test_every_released_file_is_the_one_in_the_table() -> None:
    for name in CHECKPOINTS:
        assert find(name).is_file()

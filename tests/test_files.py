"""What is written whole or not at all says which file it was to be."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from evavos_widget.files import in_words, replacing


@pytest.mark.parametrize("inside", ["", "/00000.png"])
def test_an_error_names_what_was_asked_for_and_not_the_sibling(tmp_path: Path, inside: str) -> None:
    with pytest.raises(PermissionError) as raised, replacing(tmp_path / "masks.json") as new:
        raise PermissionError(errno.EACCES, "Permission denied", f"{new}{inside}")
    assert in_words(raised.value).startswith(f"{str(tmp_path / 'masks.json')!r} is not open to you")


class WriterError(OSError):
    """As the errors of PyAV, whose name of a file cannot be set."""

    @property
    def filename(self) -> str:
        return str(self.args[0])


def test_an_error_whose_name_cannot_be_set_names_what_was_asked_for_too(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="mp4") as raised, replacing(tmp_path / "o.mp4") as new:
        raise WriterError(str(new))
    assert raised.value.filename == str(tmp_path / "o.mp4")


def test_a_full_disk_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space") as raised, replacing(tmp_path / "masks.json"):
        raise OSError(errno.ENOSPC, "No space left on device")  # as `write` says it
    told = in_words(raised.value)
    assert told.startswith(f"there is no room left for {str(tmp_path / 'masks.json')!r}")


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file or directory", "frame.jpg"),
        OSError("the connection was lost"),
        OSError(errno.EIO, "Input/output error"),
    ],
)
def test_what_is_said_of_another_file_stays(tmp_path: Path, error: OSError) -> None:
    with pytest.raises(type(error)) as raised, replacing(tmp_path / "masks.json"):
        raise error
    assert raised.value is error

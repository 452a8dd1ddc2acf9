"""Files and folders that appear complete or not at all, and the folder of what can be got again."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["cache_folder", "plain_name", "replacing"]


def cache_folder() -> Path:
    """Where weights and large temporary files go: ``EVAVOS_CACHE``, or the user's cache folder.

    It is made if it is not there.
    """
    from platformdirs import user_cache_path

    given = os.environ.get("EVAVOS_CACHE")
    folder = Path(given).expanduser() if given else user_cache_path("evavos-widget")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def plain_name(name: str) -> str:
    """A name as that of one file or folder: it leads nowhere else.

    What is a path is reduced to its last part, and what no file system takes to ``_``.
    """
    last = re.split(r"[/\\]", name.rstrip("/\\"))[-1]
    plain = re.sub(r'[\x00-\x1f<>:"|?*]', "_", last).strip(" ")
    return "video" if plain.strip(".") == "" else plain


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary sibling of `path` to write to, and move it to `path` at the end.

    The caller makes the sibling, as a file or as a folder. If the block raises, the
    sibling is removed and `path` is as it was. What `path` held before is replaced.

    Parameters
    ----------
    path : path-like
        Its folder must exist. The sibling keeps its suffix, by which many writers
        choose the format.

    Yields
    ------
    Path
    """
    path = Path(path)
    unique = uuid.uuid4().hex[:12]
    new = path.with_name(f".{path.stem}.{unique}.new{path.suffix}")
    old = path.with_name(f".{path.stem}.{unique}.old{path.suffix}")
    try:
        yield new
        if path.is_dir() and not path.is_symlink():  # a folder cannot be replaced in one step
            os.replace(path, old)
        os.replace(new, path)
    except BaseException:
        if old.exists() and not path.exists():
            os.replace(old, path)
        _remove(new)
        raise
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)

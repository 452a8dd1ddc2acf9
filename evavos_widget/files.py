"""Files and folders that appear complete or not at all, and names that stay in their folder."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = [
    "cache_folder",
    "check_empty",
    "exclusive",
    "in_words",
    "is_plain_name",
    "is_regular",
    "one_line",
    "plain_name",
    "replacing",
    "tidy",
]

_LEFT_BEHIND = re.compile(r"\.(?P<stem>.+)\.[0-9a-f]{12}\.(?P<state>new|old)(?P<suffix>\.[^.]*)?")
"""What `replacing` calls its siblings; see there."""

_NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
"""Characters that some file system does not allow, or reads as another folder."""

_LONGEST_NAME = 120
"""Bytes of a `plain_name`; file systems take 255, with suffixes."""


_IN_WORDS = {
    errno.ENOENT: "there is no {file}; check the path.",
    errno.EEXIST: "{file} is there already and is no folder; give another path.",
    errno.ENOTDIR: "{file} lies in a file, where a folder is needed; give another path.",
    errno.EISDIR: "{file} is a folder, where a file is needed; give the path of a file.",
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM, errno.EROFS),
        "{file} is not open to you ({said}); give another path, or change its permissions.",
    ),
    errno.ENOSPC: "there is no room left for {file}; free some, or give a path on another disk.",
}
"""What the system says of a file, by its number, with a remedy."""


def in_words(error: BaseException) -> str:
    """What an error says, in a sentence with a remedy also where only the system spoke.

    Examples
    --------
    >>> in_words(FileNotFoundError(2, "No such file or directory", "clip.toml"))
    "there is no 'clip.toml'; check the path."
    """
    if isinstance(error, KeyError) and error.args:  # which would put it in quotes
        return str(error.args[0])
    if not isinstance(error, OSError) or not error.filename or error.errno not in _IN_WORDS:
        return str(error)
    words = _IN_WORDS[error.errno]
    return words.format(file=repr(str(error.filename)), said=error.strerror)


def one_line(error: BaseException) -> str:
    """What an error says, for the middle of a sentence; its kind where it says nothing."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def cache_folder() -> Path:
    """Where weights and large temporary files go: ``EVAVOS_CACHE``, or the user's cache folder.

    It is made if it is not there.
    """
    from platformdirs import user_cache_path

    given = os.environ.get("EVAVOS_CACHE")
    folder = Path(given).expanduser() if given else user_cache_path("evavos-widget")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def is_regular(path: str | os.PathLike[str]) -> bool:
    """Whether a file with an end is there, and no pipe, device or folder; links are followed."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def plain_name(name: str) -> str:
    """`name` as the name of one file or folder, which stays in the folder it is put in.

    A path gives its last part; where nothing is left of a name, it is ``video``.
    """
    last = re.split(r"[/\\]", name.rstrip("/\\ "))[-1]
    short = _NOT_IN_NAMES.sub("_", last).strip(". ").encode(errors="replace")[:_LONGEST_NAME]
    return short.decode(errors="ignore") or "video"


def is_plain_name(name: object) -> bool:
    """Whether `name` is a file's name that leads to no other folder and is not hidden."""
    return isinstance(name, str) and bool(re.fullmatch(r"[^./\\\x00-\x1f][^/\\\x00-\x1f]*", name))


def check_empty(folder: str | os.PathLike[str]) -> None:
    """Raise FileExistsError where a folder that shall be new holds something already."""
    if os.path.exists(folder) and any(os.scandir(folder)):
        raise FileExistsError(f"{folder} is not empty; give a new folder.")


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary sibling of `path` to write to, and move it to `path` at the end.

    The caller makes the sibling, as a file or as a folder. If the block raises, the
    sibling is removed and `path` is as it was. What `path` held before is replaced. A
    process that is killed leaves siblings behind, for `tidy`.

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
    except BaseException as error:
        if old.exists() and not path.exists():
            os.replace(old, path)
        _remove(new)
        # Nobody asked for the sibling, and a write to a full disk names no file at all.
        if isinstance(error, OSError) and (
            str(error.filename).startswith(str(new))
            or (error.filename is None and error.errno == errno.ENOSPC)
        ):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    _remove(old)


def tidy(folder: str | os.PathLike[str], name: str | None = None) -> None:
    """Clear away what a killed process left of `replacing` in a folder.

    Where it was killed between the two steps of replacing a folder, the old one comes back.
    Nobody else may be writing there meanwhile: see `exclusive`.

    Parameters
    ----------
    folder : path-like
    name : str, optional
        Only what was to become this file or folder; by default, everything.
    """
    for path in sorted(Path(folder).iterdir()):
        found = _LEFT_BEHIND.fullmatch(path.name)
        if found is None:
            continue
        target = path.with_name(found["stem"] + (found["suffix"] or ""))
        if name is not None and target.name != name:
            continue
        if found["state"] == "old" and not target.exists():
            os.replace(path, target)
        else:
            _remove(path)


@contextmanager
def exclusive(path: str | os.PathLike[str]) -> Iterator[bool]:
    """Wait until nobody else on this machine writes to `path`, and keep others waiting.

    Yields
    ------
    bool
        Whether that is certain: where the cache folder cannot be written to, it is not.
    """
    from filelock import FileLock

    name = hashlib.blake2b(os.fsencode(Path(path).absolute()), digest_size=16).hexdigest()
    try:
        locks = cache_folder() / "locks"
        locks.mkdir(exist_ok=True)
        lock = FileLock(str(locks / f"{name}.lock"))
        lock.acquire()
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)

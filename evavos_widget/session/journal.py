"""Every committed change on disk before it is acknowledged.

A journal is a text file of one JSON object per line, ``<crc32> <json>``, only ever appended
to. A line is acknowledged after `fsync`, so a killed process loses nothing that was
acknowledged; what it may leave is one torn last line, which is dropped on opening.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from evavos_widget.files import is_regular
from evavos_widget.session_files import JOURNAL_FILE, LOCK_FILE

__all__ = ["Journal", "Line", "Lines", "read_events", "read_journal"]

LOCK_SECONDS = 2.0
"""How long to wait for another process that is just ending."""

LONGEST_LINE = 128 * 2**20
"""Bytes of one change, twice those of masks on each of 5,000 frames of 1080p at once. What is
longer was written by nobody, and is not read into memory."""


@dataclass(frozen=True)
class Line:
    """A line of a journal that can be read, and its number, counted from 1."""

    number: int
    content: dict[str, Any]


@dataclass(frozen=True)
class Lines:
    """What a journal file holds.

    Parameters
    ----------
    read : tuple of Line
        In order.
    damaged : tuple of int
        Numbers of the lines whose checksum is wrong.
    digests : tuple of bytes
        One for each line: of it and everything before it.
    end : int
        Where its last whole line ends, in bytes.
    unended : bool
        Whether that line lacks its line feed.
    """

    read: tuple[Line, ...] = ()
    damaged: tuple[int, ...] = ()
    digests: tuple[bytes, ...] = ()
    end: int = 0
    unended: bool = False

    @property
    def header(self) -> dict[str, Any] | None:
        """The first line, where it says what the journal is of."""
        first = self.read[0] if self.read else None
        whole = first is not None and first.number == 1 and first.content.get("kind") == "session"
        return first.content if first is not None and whole else None

    @property
    def changes(self) -> tuple[Line, ...]:
        """Every line that is not the header."""
        return self.read[1:] if self.header is not None else self.read


class Journal:
    """An append-only file of changes that one process at a time may write.

    Parameters
    ----------
    folder : path
        Created if needed; holds ``journal.jsonl`` and its lock.

    Attributes
    ----------
    lines : Lines
        What the file held when it was opened.
    n_lines : int
        Lines in the file now.
    digest : bytes
        Of everything in the file.

    Raises
    ------
    RuntimeError
        Another process has the journal open.
    OSError
        The folder cannot be written to.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder).absolute()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path = self.folder / JOURNAL_FILE
        self._lock = FileLock(str(self.folder / LOCK_FILE), thread_local=False)
        try:
            self._lock.acquire(timeout=LOCK_SECONDS)
        except Timeout:
            raise RuntimeError(
                f"the session {str(self.folder)!r} is open in another process; shut that kernel "
                "down, give another path, or look at it: Session.open(path, read_only=True)."
            ) from None
        try:
            self.lines = read_journal(self.path)
            self._file = self.path.open("a+b", buffering=0)
            _sync_folder(self.folder)
        except BaseException:
            self._lock.release()
            raise
        self.n_lines = len(self.lines.digests)
        self.digest = self.lines.digests[-1] if self.lines.digests else b""
        self._end = self.lines.end
        # A torn line is cut away with the next write, and a line feed that is missing put in.
        self._size: int | None = os.fstat(self._file.fileno()).st_size
        self._process = os.getpid()

    def append(self, content: dict[str, Any]) -> int:
        """Write one line and return its number once it is on disk.

        Raises
        ------
        OSError
            The disk refused, or the file is gone or was written to by somebody else; what was
            acknowledged is as it was before.
        """
        line = _coded(content)
        self.check()
        self._tidy()
        self._size = None  # until nothing of a line that is refused can be left
        if self._file.write(line) != len(line):
            self._tidy()
            raise OSError(f"{self.path} could not be written in full; is the disk full?")
        try:
            os.fsync(self._file.fileno())
        except OSError:
            self._tidy()
            raise
        self._end += len(line)
        self._size = self._end
        self.n_lines += 1
        self.digest = _digest(self.digest, line[:-1])
        return self.n_lines

    @property
    def there(self) -> bool:
        """Whether the file is still where it was, and no other has its place."""
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(self._file.fileno()))
        except FileNotFoundError:
            return False

    def check(self) -> None:
        """Check that the file is where it was, and as this process left it.

        The lock does not keep everybody out: a forked process has inherited it, a folder may be
        cleared of it, and on some network disks it does not reach other machines.

        Raises
        ------
        OSError
            It is not.
        """
        if os.getpid() != self._process:
            raise OSError(
                f"the session {str(self.folder)!r} was opened by the process {self._process}, of "
                f"which {os.getpid()} is a copy that may not write there; change it in that "
                "process, or go on elsewhere: session.save_as(path)."
            )
        if not self.there:
            raise FileNotFoundError(
                f"the session's folder {str(self.folder)!r} was moved or deleted, so nothing more "
                "can be saved there; put it back, or go on elsewhere: session.save_as(path)."
            )
        size = os.fstat(self._file.fileno()).st_size
        self._check_whole(size)
        if self._size is not None and size > self._size:
            raise OSError(
                f"another program has written to {str(self.path)!r}, which has {size} bytes, and "
                f"this session left {self._size}; end that program and open the session again, "
                f"Session.open({str(self.folder)!r}), or go on elsewhere: session.save_as(path)."
            )

    def content(self) -> bytes:
        """Everything that was acknowledged, also where the file has no name any more.

        Raises
        ------
        OSError
            Some of it is not there any more.
        """
        self._file.seek(0)
        content = self._file.read(self._end)
        self._check_whole(len(content))
        return content

    def fill(self, content: bytes) -> None:
        """Begin with the content of another journal."""
        if self._file.write(content) != len(content):
            self._file.truncate(0)
            raise OSError(f"{self.path} could not be written in full; is the disk full?")
        os.fsync(self._file.fileno())
        self.lines = read_journal(self.path)
        self._end = self.lines.end
        self._size = len(content)
        self.n_lines = len(self.lines.digests)
        self.digest = self.lines.digests[-1]

    def close(self) -> None:
        """Close the file and let another process open it, whatever the disk says."""
        try:
            self._file.close()
        finally:
            self._lock.release()

    def _check_whole(self, size: int) -> None:
        if size < self._end:
            raise OSError(
                f"another program has cut {str(self.path)!r}, which has {size} bytes of the "
                f"{self._end} that this session wrote; put back a copy of the file, or open what "
                f"is left: Session.open({str(self.folder)!r})."
            )

    def _tidy(self) -> None:
        """Cut away what a refused write may have left behind the last acknowledged line."""
        unended = self.lines.unended and self._end == self.lines.end
        if self._size == self._end and not unended:
            return
        self._size = None
        self._file.truncate(self._end)
        if unended:
            self._file.write(b"\n")
            self._end += 1
        self._size = self._end


def read_journal(path: str | os.PathLike[str]) -> Lines:
    """What a journal file holds; nothing where there is none. It may be open in a session."""
    path = Path(path)
    if not path.exists():
        return Lines()
    if not is_regular(path):
        raise ValueError(f"{str(path)!r} is a folder or a pipe, no journal; put the file back.")
    read: list[Line] = []
    damaged: list[int] = []
    digests: list[bytes] = []
    digest, end, unended = b"", 0, False
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE + 1), b""), start=1):
            if len(line) > LONGEST_LINE:
                raise ValueError(
                    f"line {number} of {str(path)!r} is longer than any that a session writes "
                    f"({LONGEST_LINE >> 20} MiB); put back a copy of the file, or cut it before "
                    "that line."
                )
            whole = line.endswith(b"\n")
            line = line.removesuffix(b"\n")
            content = _content(line)
            if not whole and content is None:
                break  # torn
            digest = _digest(digest, line)
            digests.append(digest)
            end, unended = file.tell(), not whole
            if content is None:
                damaged.append(number)
            else:
                read.append(Line(number, content))
    return Lines(tuple(read), tuple(damaged), tuple(digests), end, unended)


def read_events(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Lines of a journal file, in order; it may be open in a session."""
    return [line.content for line in read_journal(path).read]


def _coded(content: dict[str, Any]) -> bytes:
    text = json.dumps(content, separators=(",", ":"), allow_nan=False).encode()
    if len(text) > LONGEST_LINE - 10:
        raise ValueError(
            f"one change takes {len(text) >> 20} MiB, and the journal takes {LONGEST_LINE >> 20} "
            "MiB at most; make it in parts, such as some frames at a time."
        )
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _content(line: bytes) -> dict[str, Any] | None:
    """What a line says; None where it is not what was written."""
    checksum, _, text = line.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(text):
        return None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _digest(before: bytes, line: bytes) -> bytes:
    return hashlib.blake2b(line, key=before, digest_size=16).digest()


def _sync_folder(folder: Path) -> None:
    """Make sure that the names of a folder's files are on disk too, where that can be asked."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows does not open folders
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)

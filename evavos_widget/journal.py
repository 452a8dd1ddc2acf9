"""Every committed change on disk before it is acknowledged.

A journal is a text file of one event per line, ``<crc32> <json>``, only ever appended
to. An event is acknowledged after `fsync`, so a killed process loses nothing that was
acknowledged; what it may leave is one torn last line, which is dropped on opening.
"""

from __future__ import annotations

import json
import os
import warnings
import zlib
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

__all__ = ["Journal", "read_events"]

Event = dict[str, Any]

#: How long to wait for another process that is just ending, in seconds.
LOCK_SECONDS = 2.0


class Journal:
    """An append-only file of events that one process at a time may write.

    Parameters
    ----------
    folder : path
        Created if needed; holds ``journal.jsonl`` and its lock.

    Attributes
    ----------
    events : list of dict
        What the file held when it was opened, in order.
    damaged : bool
        Whether a line had to be left out.

    Raises
    ------
    RuntimeError
        Another process has the journal open.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path = self.folder / "journal.jsonl"
        self._lock = FileLock(str(self.folder / ".lock"), thread_local=False)
        try:
            self._lock.acquire(timeout=LOCK_SECONDS)
        except Timeout:
            raise RuntimeError(
                f"the session {str(self.folder)!r} is open in another process; "
                "shut that kernel down, or give another path."
            ) from None
        self.events, self.damaged, end = _read(self.path)
        self._file = self.path.open("ab", buffering=0)
        if self._file.tell() > end:
            self._file.truncate(end)

    def append(self, event: Event) -> None:
        """Write one event and return once it is on disk.

        Raises
        ------
        OSError
            The disk refused; the file is as it was before.
        """
        start, line = self._file.tell(), _line(event)
        try:
            if self._file.write(line) != len(line):
                raise OSError(f"{self.path} could not be written in full; is the disk full?")
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(start)
            raise

    def close(self) -> None:
        """Close the file and let another process open it."""
        self._file.close()
        self._lock.release()


def read_events(path: str | os.PathLike[str]) -> list[Event]:
    """Events of a journal file, in order; it may be open in a session."""
    return _read(Path(path))[0]


def _line(event: Event) -> bytes:
    text = json.dumps(event, separators=(",", ":"), allow_nan=False).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _read(path: Path) -> tuple[list[Event], bool, int]:
    """Events of the file, whether any line was damaged, and where its last whole line ends."""
    if not path.exists():
        return [], False, 0
    data = path.read_bytes()
    end = data.rfind(b"\n") + 1
    events, damaged = [], False
    for number, line in enumerate(data[:end].splitlines(), start=1):
        checksum, _, text = line.partition(b" ")
        if checksum != b"%08x" % zlib.crc32(text):
            warnings.warn(
                f"line {number} of {path} is damaged and was left out; "
                "look over the annotations made around it.",
                stacklevel=3,
            )
            damaged = True
            continue
        events.append(json.loads(text))
    return events, damaged, end

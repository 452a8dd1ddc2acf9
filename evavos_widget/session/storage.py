"""Where a session is kept: the folder with its journal and its saved masks, or nowhere."""

from __future__ import annotations

import errno
import os
import shutil
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from evavos_widget.files import plain_name, tidy
from evavos_widget.session.events import VERSION, check_version
from evavos_widget.session.journal import Journal, Lines, read_journal
from evavos_widget.session.saved_masks import (
    SavedMasks,
    read_saved_masks,
    remove_leftovers,
    save_masks,
)
from evavos_widget.session.timeline import Timeline, replay
from evavos_widget.session_files import JOURNAL_FILE, QUESTIONS_FILE

if TYPE_CHECKING:
    from evavos_widget.video import Video

__all__ = [
    "Storage",
    "default_folder",
    "folder_of",
    "let_go",
    "make_way",
    "read_header",
    "take_over",
]


class _Session(Protocol):
    def close(self) -> None: ...


_open_sessions: weakref.WeakValueDictionary[Path, _Session] = weakref.WeakValueDictionary()
"""Open sessions of this process by folder: opening one again takes it over."""

CANNOT_WRITE = (errno.EACCES, errno.EPERM, errno.EROFS)
"""What a system says of a place that may only be read."""


class Storage:
    """Keeps what a session is told to keep.

    Parameters
    ----------
    folder : Path or None
        Absolute; None: nothing goes to disk.
    video : Video
        Which the session must be of.
    header : dict
        The first line of a new journal.
    read_only : bool
        Only look at what is there.

    Attributes
    ----------
    path : Path or None
    read_only : bool
    saved_at : float or None
        When the last change was written, in seconds since the epoch.
    warnings : list of str
        What `load` found wrong.

    Raises
    ------
    RuntimeError
        The folder is open in another process.
    ValueError
        It holds the session of another video, or one of a later version.
    OSError
        Nothing can be written there, and there is nothing to look at.
    """

    def __init__(
        self,
        folder: Path | None,
        video: Video,
        header: dict[str, Any],
        *,
        read_only: bool = False,
    ) -> None:
        self.path = folder
        self.read_only = read_only
        self.saved_at: float | None = None
        self.warnings: list[str] = []
        self._journal: Journal | None = None
        self._lines = Lines()
        self._n_changes = 0  # where no journal counts lines
        self._end = 0  # of what was read, in bytes
        self._version = VERSION
        self._header = header
        self._video = video
        self._failed_to_save = False
        if folder is None:
            return
        if not read_only:
            self._open_to_write(folder)
        if self.read_only:
            self._lines = read_journal(folder / JOURNAL_FILE)
        try:
            check_same_video(folder, self._lines.header, self._video)
            if self._journal is not None and not self._lines.digests:
                self.write(self._header)
        except BaseException:
            self.close()
            raise
        if (folder / JOURNAL_FILE).exists():
            self.saved_at = (folder / JOURNAL_FILE).stat().st_mtime

    def _open_to_write(self, folder: Path) -> None:
        try:
            self._journal = Journal(folder)
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTDIR):
                raise NotADirectoryError(
                    f"{str(folder)!r} is a file, or lies in one, and a session is a folder; give "
                    "another path."
                ) from error
            if error.errno not in CANNOT_WRITE:
                raise
            if not (folder / JOURNAL_FILE).exists():
                raise OSError(
                    f"nothing can be written to {str(folder)!r} ({error.strerror}); give a path "
                    "that can, or path=None to keep nothing."
                ) from error
            self.read_only = True
            self.warnings.append(
                f"{str(folder)!r} may only be read, so this session can be looked at and exported "
                "but not changed; to go on elsewhere: session.save_as(path)."
            )
            return
        self._lines = self._journal.lines
        remove_leftovers(folder)
        tidy(folder, QUESTIONS_FILE)  # an export may be under way, and is cleared up by the next

    def load(self, timeline: Timeline) -> None:
        """Do again what the journal says; masks come from the last saved pass."""
        if self.path is None:
            return
        _, height, width = timeline.state.masks.shape
        saved: SavedMasks | None = None
        try:
            saved = read_saved_masks(self.path, height, width)
        except ValueError as error:
            self.warnings.append(
                f"the saved masks in {str(self.path)!r} cannot be used ({error}); every annotation "
                "is there, and propagating computes the masks again."
            )
        if self.read_only and saved is not None and saved.lines > len(self._lines.digests):
            # Another process has gone on since, and wrote these lines before it saved the masks.
            self._lines = read_journal(self.path / JOURNAL_FILE)
        self.warnings += replay(timeline, self._lines, saved, str(self.path / JOURNAL_FILE))
        versions = [
            line.content.get("version", 1)
            for line in self._lines.read
            if line.content.get("kind") in ("session", "version")
        ]
        self._version = max(versions, default=VERSION)
        self._end = self._lines.end
        self._lines = Lines()  # they are the timeline's now

    def write(self, content: Mapping[str, Any]) -> int:
        """Write one line and return its number once it is on disk.

        Raises
        ------
        OSError
            The disk refused, or the session may only be looked at; nothing has happened.
        """
        if self.read_only:
            raise PermissionError(
                f"the session in {str(self.path)!r} was opened to be looked at only; "
                "to go on elsewhere: session.save_as(path)."
            )
        if self._journal is None:
            self._n_changes += 1
            return self._n_changes
        now = time.time()
        if self._version < VERSION:
            self._journal.append({"kind": "version", "version": VERSION, "time": now})
            self._version = VERSION
        number = self._journal.append({**content, "time": now})
        self.saved_at = now
        return number

    def save_masks(self, timeline: Timeline) -> str | None:
        """Save masks; a sentence, once, where the disk refuses, since they are not lost."""
        if self._journal is None:
            return None
        try:
            self.check()
            states = timeline.states()
            save_masks(self._journal.folder, states, self._journal.n_lines, self._journal.digest)
        except OSError as error:
            told, self._failed_to_save = self._failed_to_save, True
            if told:
                return None
            return (
                f"the propagated masks could not be saved in {str(self.path)!r} "
                f"({str(error).rstrip('.')}); every annotation is, and the masks will be computed "
                "again after opening."
            )
        self._failed_to_save = False
        return None

    def check(self) -> None:
        """Check that what is at the path is this session, and this process the one to change it.

        Raises
        ------
        OSError
            It is not; as `Journal.check`.
        """
        if self._journal is not None:
            self._journal.check()

    def move_to(self, folder: Path) -> None:
        """Go on in another folder, with a copy of the journal."""
        if self.path is None:
            raise ValueError("this session keeps nothing on disk, so there is nothing to copy.")
        if (folder / JOURNAL_FILE).exists():
            raise FileExistsError(f"there is a session in {str(folder)!r}; give another path.")
        before = self._journal
        # Who only looks knows what was there then; another process may have gone on since.
        there = self.path / JOURNAL_FILE
        content = before.content() if before else there.read_bytes()[: self._end]
        journal = Journal(folder)
        try:
            journal.fill(content)
            own = before is None or before.there
            if own and (self.path / QUESTIONS_FILE).is_file():
                shutil.copyfile(self.path / QUESTIONS_FILE, folder / QUESTIONS_FILE)
        except BaseException:
            journal.path.unlink(missing_ok=True)  # half a journal is no session
            journal.close()
            raise
        self.close()
        self._journal, self.path, self.read_only = journal, folder, False

    def close(self) -> None:
        """Let the folder go, whatever the disk says."""
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.close()


def default_folder(video: Video) -> Path:
    """``<name>.evavos`` in the working directory.

    Arrays have no name of their own, so one that meets another's folder takes the next,
    ``<name>-2.evavos``.
    """
    name = plain_name(video.name)
    folder = Path(f"{name}.evavos").absolute()
    number = 1
    while video.source is None:
        header = read_journal(folder / JOURNAL_FILE).header
        if header is None or header["video"].get("fingerprint") == video.fingerprint():
            break
        number += 1
        folder = Path(f"{name}-{number}.evavos").absolute()
    return folder


def folder_of(path: str | os.PathLike[str]) -> Path:
    """The folder of a session as it is meant now, wherever the process goes later."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path is {path!r}; give the folder of a session.")
    return Path(path).expanduser().absolute()


def read_header(folder: Path) -> dict[str, Any] | None:
    """What a session's journal is of; None where its first line is damaged.

    Raises
    ------
    FileNotFoundError
        There is no session.
    """
    if not (folder / JOURNAL_FILE).is_file():
        raise FileNotFoundError(
            f"there is no session at {str(folder)!r}; give the folder that holds its "
            f"{JOURNAL_FILE}."
        )
    header = read_journal(folder / JOURNAL_FILE).header
    if header is not None:
        check_version(header, repr(str(folder)))
    return header


def check_same_video(folder: Path, header: Mapping[str, Any] | None, video: Video) -> None:
    """Check that a session whose journal begins with `header` is one of `video`.

    Raises
    ------
    ValueError
        It is one of another video, or of a later version.
    """
    if header is None:
        return
    check_version(header, repr(str(folder)))
    made = header.get("video", {})
    known = made.get("fingerprint")
    same = known == video.fingerprint() or (
        header.get("version", 1) == 1 and known == video.first_fingerprint()
    )
    if not same:
        source = made.get("source")
        which = source if isinstance(source, str) else made.get("name")
        raise ValueError(
            f"{str(folder)!r} holds the session of another video "
            f"({which!r}, {made.get('n_frames')} frames of "
            f"{made.get('width')} x {made.get('height')}); give another path."
        )


def make_way(folder: Path, video: Video) -> None:
    """Close a session of this process on the same folder, which a new one is to take over.

    One of another video stays as it is: `video` cannot be opened there, and who asked for it by
    mistake, as two videos of one name ask for one folder, loses nothing.

    Raises
    ------
    ValueError
        There is a session of another video.
    """
    if _open_sessions.get(folder.resolve()) is not None:
        check_same_video(folder, read_journal(folder / JOURNAL_FILE).header, video)
        take_over(folder)


def let_go(folder: Path, session: _Session) -> None:
    """A session is on this folder no longer: who opens it does not close the session."""
    if _open_sessions.get(folder.resolve()) is session:
        del _open_sessions[folder.resolve()]


def take_over(folder: Path, session: _Session | None = None) -> None:
    """Close a session of this process on the same folder: the later one has it."""
    earlier = _open_sessions.pop(folder.resolve(), None)
    if earlier is not None and earlier is not session:
        earlier.close()
    if session is not None:
        _open_sessions[folder.resolve()] = session

"""A campaign on disk: which videos, and what is known of each without opening its session.

A session is a folder of its own beside ``campaign.json``, with all that was said of its video, so
that what stands here is only the list and a copy that is used while it is of the same journal.
"""

from __future__ import annotations

import glob
import json
import os
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evavos_widget.campaign.standing import Standing
from evavos_widget.files import exclusive, plain_name, replacing, tidy
from evavos_widget.session_files import JOURNAL_FILE, MASKS_FILE
from evavos_widget.video import Video
from evavos_widget.video_sources import is_video

__all__ = ["CampaignFolder", "StampedStanding", "sources_of"]

VERSION = 1
"""Of ``campaign.json``."""

NAME = "campaign.json"

STANDINGS = "standings.json"


@dataclass(frozen=True)
class StampedStanding:
    """How a video stands, and `CampaignFolder.stamp` of the session that it was found in."""

    standing: Standing
    stamp: list[int]


class CampaignFolder:
    """Where a campaign is kept.

    Parameters
    ----------
    path : path
        Absolute from here on, wherever the process goes later.
    about : str
        What standings depend on beside the sessions: they are asked for anew where it changes.
    """

    def __init__(self, path: str | os.PathLike[str], about: str = "") -> None:
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"path is {path!r}; give the folder of the campaign.")
        self.path = Path(path).expanduser().absolute()
        self._about = zlib.crc32(about.encode())

    def session(self, video: str) -> Path:
        """The folder of a video's session."""
        return self.path / f"{plain_name(video)}.evavos"

    def begin(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Write what the campaign is, or read it where there is one; returns what holds.

        Raises
        ------
        ValueError
            The campaign there is of other videos.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise NotADirectoryError(
                f"{str(self.path)!r} is a file, or lies in one, and a campaign is a folder; give "
                "another path."
            ) from error
        with exclusive(self.path) as alone:
            if alone:  # else what looks left behind may be what somebody writes
                tidy(self.path)
            if not (self.path / NAME).exists():
                self._write(NAME, {"version": VERSION, **content})
                return dict(content)
        there = self.read()
        if list(there["videos"]) != list(content["videos"]):
            raise ValueError(
                f"{str(self.path)!r} holds a campaign of "
                f"{_other_videos(list(there['videos']), list(content['videos']))}; give another "
                "path, or go on with that one: Campaign.open(path)."
            )
        return there

    def read(self) -> dict[str, Any]:
        """What the campaign is.

        Raises
        ------
        FileNotFoundError
            There is none.
        ValueError
            It cannot be read, or is of a later version.
        """
        file = self.path / NAME
        if not file.is_file():
            raise FileNotFoundError(
                f"there is no campaign at {str(self.path)!r}; give the folder with its {NAME}."
            )
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            version = content["version"]
            content["videos"] = dict(content["videos"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{str(file)!r} cannot be read ({error}); the sessions beside it are whole: remove "
                "it, and make the campaign again with the same videos and path."
            ) from error
        if version > VERSION:
            raise ValueError(
                f"{str(file)!r} was written by a later version of evavos-widget; update the "
                "package to open it."
            )
        return content

    def change(self, content_of: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
        """Say what the campaign is, by what it was, which nobody else changes meanwhile."""
        with exclusive(self.path):
            there = self.read() if (self.path / NAME).is_file() else {}
            self._write(NAME, {"version": VERSION, **content_of(there)})

    def standings(self) -> dict[str, StampedStanding]:
        """What was kept of videos, which holds where the stamp is still the same."""
        try:
            kept = json.loads((self.path / STANDINGS).read_text(encoding="utf-8"))
            return {
                name: StampedStanding(Standing(**each["standing"]), each["stamp"])
                for name, each in kept.items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}  # it is only a copy

    def keep(self, known: Mapping[str, StampedStanding]) -> None:
        """Keep what is known of videos."""
        with exclusive(self.path):
            self._write(STANDINGS, {name: asdict(each) for name, each in known.items()})

    def has_session(self, video: str) -> bool:
        """Whether anything was said of a video."""
        return (self.session(video) / JOURNAL_FILE).exists()

    def stamp(self, video: str) -> list[int]:
        """A few numbers that differ when a session was changed, by whomever."""
        folder, stamp = self.session(video), [self._about]
        for name in (JOURNAL_FILE, MASKS_FILE):
            try:
                about = (folder / name).stat()
                stamp += [about.st_size, about.st_mtime_ns]
            except OSError:
                stamp += [0, 0]
        return stamp

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        with replacing(self.path / name) as new, new.open("w", encoding="utf-8") as file:
            json.dump(content, file, indent=1, allow_nan=False)
            file.flush()
            os.fsync(file.fileno())


def _other_videos(there: list[str], given: list[str]) -> str:
    """What of the videos of a campaign is not as given."""
    gone = [name for name in there if name not in given]
    new = [name for name in given if name not in there]
    if not gone and not new:
        return "the same videos in another order"
    if len(gone) == len(there):
        return f"{len(there)} other videos"
    told = [
        f"{what} {', '.join(map(repr, names[:3]))}{' ...' if len(names) > 3 else ''}"
        for what, names in (("is without", new), ("has also", gone))
        if names
    ]
    return f"other videos, which {' and '.join(told)}"


def sources_of(videos: Any) -> dict[str, Any]:
    """Name -> what `Video.open` takes, places of this machine absolute.

    Parameters
    ----------
    videos : mapping, sequence of paths, or a folder
        Of a folder, every folder and video file in it.

    Raises
    ------
    TypeError
        It is a single video, or none of these.
    ValueError
        There are no videos, or two have one name.
    """
    if isinstance(videos, str | os.PathLike):
        root = Path(videos).expanduser().absolute()
        if not root.is_dir():
            raise ValueError(f"{str(root)!r} is no folder; give a folder of videos, or a list.")
        videos = [
            path
            for path in sorted(root.iterdir())
            if not path.name.startswith(".")
            and (path.is_dir() or is_video(path))
            and path.suffix != ".evavos"
            and not (path / NAME).exists()
        ]
    if isinstance(videos, Video | np.ndarray) or not isinstance(videos, Iterable):
        raise TypeError(
            f"videos is {type(videos).__name__}; give a folder of videos, a list, or a mapping "
            "from names to videos."
        )
    pairs = (
        list(videos.items())
        if isinstance(videos, Mapping)
        else [(_name_of(video, n), video) for n, video in enumerate(videos)]
    )
    sources: dict[str, Any] = {}
    taken: set[str] = set()
    for name, video in pairs:
        folder = plain_name(str(name)).casefold()
        if folder in taken:
            raise ValueError(
                f"two videos are called {name!r}; give a mapping from names of your own to videos."
            )
        taken.add(folder)
        sources[str(name)] = _absolute(video)
    if not sources:
        raise ValueError("there are no videos; give a folder that has some, or a list.")
    return sources


def _name_of(video: Any, n: int) -> str:
    """What it is called once it is open, without opening it."""
    if isinstance(video, str | os.PathLike):
        path = Path(os.fspath(video)).expanduser()
        if path.is_dir():
            return plain_name(path.name)
        pattern = not path.exists() and glob.has_magic(path.name)
        return plain_name(path.parent.name if pattern else path.stem)
    return getattr(video, "name", None) or f"video-{n}"


def _absolute(video: Any) -> Any:
    if isinstance(video, list | tuple) and all(isinstance(v, str | os.PathLike) for v in video):
        return [_absolute(picture) for picture in video]
    if not isinstance(video, str | os.PathLike) or "://" in os.fspath(video):
        return video
    return str(Path(video).expanduser().absolute())

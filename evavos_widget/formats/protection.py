"""What an export may replace: an earlier export, and nothing else."""

from __future__ import annotations

import weakref
from pathlib import Path

from evavos_widget.masks import SOFTWARE
from evavos_widget.session_files import is_of_a_session
from evavos_widget.video import Video
from evavos_widget.video_pictures import UNREADABLE

__all__ = ["check_target", "remember_given"]

_OF_THE_SYSTEM = {
    ".DS_Store",
    ".directory",
    ".ipynb_checkpoints",
    ".localized",
    "@eaDir",
    "Thumbs.db",
    "desktop.ini",
    "ehthumbs.db",
}
"""What file managers and notebooks put into folders without being asked."""

_given: weakref.WeakKeyDictionary[Video, set[Path]] = weakref.WeakKeyDictionary()
"""Where masks of a video were read from, for as long as it is open."""


def remember_given(video: Video, path: Path) -> None:
    """Never let an export of the video replace `path`, which its masks were read from."""
    _given.setdefault(video, set()).add(path.resolve())


def check_target(path: Path, video: Video, *, is_folder: bool, overwrite: bool) -> None:
    """Refuse to write an export to `path` where that would cost anybody anything.

    Raises
    ------
    FileExistsError
        Saying what is in the way, or will be.
    """
    if is_of_a_session(path):
        raise FileExistsError(
            f"{path} is where the session in {path.parent} keeps its own {path.name}; choose "
            "another path."
        )
    if not path.exists() and not path.is_symlink():
        return
    if not overwrite:
        raise FileExistsError(
            f"{path} exists; pass overwrite=True (evavos: --overwrite) or choose another path."
        )
    if path.is_dir() != is_folder:
        kinds = "a folder" if path.is_dir() else "a file", "a folder" if is_folder else "a file"
        raise FileExistsError(
            f"{path} is {kinds[0]} and the export would be {kinds[1]}; choose another path."
        )
    target = path.resolve()
    for own in video.paths:
        own = own.resolve()
        if target == own or target in own.parents:
            raise FileExistsError(
                f"the video itself is read from {own}, so {path} is not replaced; "
                "choose another path."
            )
    for given in _given.get(video, ()):
        if target == given or target in given.parents or given in target.parents:
            raise FileExistsError(
                f"masks were imported from {given}, so {path} is not replaced; choose another path."
            )
    if is_folder and path.is_symlink():
        raise FileExistsError(
            f"{path} is a link, and no folder can take its place; give {target}, or choose "
            "another path."
        )
    if is_folder:
        _check_folder(path)


def _check_folder(folder: Path) -> None:
    for found in folder.rglob("*"):
        parts = found.relative_to(folder).parts
        if any(part in _OF_THE_SYSTEM or part.startswith("._") for part in parts):
            continue
        if found.is_dir() and not found.is_symlink():
            continue
        if found.suffix == ".png" and not found.is_symlink():
            if _is_exported(found):
                continue
            raise FileExistsError(
                f"{found} was not written by an export, so {folder} is not replaced; "
                "choose another path."
            )
        if found.name != "meta.json":
            raise FileExistsError(
                f"the folder {folder} holds more than masks ({found.name}), so it is not "
                "replaced; choose another path."
            )


def _is_exported(path: Path) -> bool:
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.info.get("Software") == SOFTWARE
    except UNREADABLE:
        return False

"""Sequences on disk in the layout of DAVIS, which YouTube-VOS, MOSE and others share."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path

from evavos_widget.datasets.annotated_video import AnnotatedVideo
from evavos_widget.label_folder import LabelFolder
from evavos_widget.masks import write_label_png
from evavos_widget.video import Video, list_pictures

__all__ = [
    "FRAMES",
    "LABELS",
    "open_sequence",
    "read_sequence_names",
    "sequence_folder",
    "sequence_names",
    "write_sequence",
]

FRAMES, LABELS = "JPEGImages", "Annotations"
"""Folders of the pictures and of the masks."""

RESOLUTION = "480p"
"""The resolution that is opened where a dataset comes in several; DAVIS is scored on it."""


def open_sequence(root: str | os.PathLike[str], name: str, every: int = 1) -> AnnotatedVideo:
    """Open sequence `name` of the dataset in folder `root`.

    Parameters
    ----------
    root : path
        Holds ``JPEGImages/<name>`` and ``Annotations/<name>``, each possibly below a
        folder for the resolution, such as ``JPEGImages/480p/<name>``. Where there are
        several, 480p is opened.
    name : str
    every : int
        Only every so many frames, from the first on; they are numbered from 0 again.

    Returns
    -------
    AnnotatedVideo
        The masks are matched to the frames by file name, so that frames may lack one;
        they are read when they are asked for.

    Raises
    ------
    FileNotFoundError
        There is no such folder.
    ValueError
        A mask belongs to no frame.

    Examples
    --------
    >>> from evavos_widget import embedded_clip
    >>> write_sequence("data", embedded_clip(), frames=range(0, 60, 10))
    >>> open_sequence("data", "coffee-break").video
    <Video 'coffee-break': 6 frames of 854 x 480>
    """
    root = Path(root)
    frames = sequence_folder(root, FRAMES, name)
    labels = sequence_folder(root, LABELS, name)
    video = Video.open(frames, name=name)
    known = [Path(file).stem for file in video.frame_files]
    if every > 1:
        taken = [frames / Path(file).name for file in video.frame_files[::every]]
        video.close()
        video = Video.open(taken, name=name)
    index = {stem: i for i, stem in enumerate(known)}
    files = {}
    for path in list_pictures(labels):
        if path.stem not in index:
            raise ValueError(
                f"the mask {path} belongs to no frame of {frames}; "
                "give every mask the name of its frame."
            )
        frame, between = divmod(index[path.stem], every)
        if not between:
            files[frame] = path
    return AnnotatedVideo(name, video, LabelFolder(files, video.height, video.width))


def write_sequence(
    root: str | os.PathLike[str], sequence: AnnotatedVideo, frames: Iterable[int] | None = None
) -> None:
    """Add a sequence to the dataset in folder `root`, for `open_sequence` and for others.

    One of the same name that was written before is replaced.

    Parameters
    ----------
    root : path
        Created if needed; the files go to ``JPEGImages/<name>`` and ``Annotations/<name>``.
    sequence : AnnotatedVideo
    frames : iterable of int, optional
        Only these; they are numbered from 0 again. Default: all.
    """
    folders = [Path(root) / kind / sequence.name for kind in (FRAMES, LABELS)]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    number = "[0-9]" * 5
    old = {*folders[0].glob(f"{number}.jpg"), *folders[1].glob(f"{number}.png")}
    for i, frame in enumerate(range(sequence.video.n_frames) if frames is None else frames):
        picture, labels = folders[0] / f"{i:05d}.jpg", folders[1] / f"{i:05d}.png"
        picture.write_bytes(sequence.video.jpeg(frame, quality=95))
        old.discard(picture)
        if frame in sequence.ground_truth:
            write_label_png(labels, sequence.ground_truth[frame])
            old.discard(labels)
    for path in old:  # what is left of a longer one would count as part of this one
        path.unlink()


def read_sequence_names(spec: str, root: str | os.PathLike[str]) -> list[str]:
    """Names of sequences, from what is given on the command line.

    Parameters
    ----------
    spec : str
        ``"A,B"``, or ``"@FILE"`` with one sequence a line: its name, or the paths of one
        of its frames and masks as in the lists of DAVIS-2016. FILE is looked for in the
        working folder, then in `root`.
    root : path
        The dataset; see `open_sequence`.

    Returns
    -------
    list of str
        In the order given, each once.

    Raises
    ------
    FileNotFoundError
        FILE or the dataset is not there.
    ValueError
        A name is not in the dataset, or there is none.
    """
    root = Path(root)
    if spec.startswith("@"):
        candidates = [Path(spec[1:]).expanduser(), root / spec[1:]]
        file = next((path for path in candidates if path.is_file()), None)
        if file is None:
            raise FileNotFoundError(
                f"there is no list of sequences {spec[1:]}, neither in the working folder nor "
                f"in {root}; check the path after @."
            )
        entries = file.read_text(encoding="utf-8-sig").splitlines()
    else:
        entries = spec.split(",")
    names = list(dict.fromkeys(_name(entry) for entry in entries if entry.strip()))
    if not names:
        raise ValueError(f"{spec!r} names no sequence; give names, as in bear,boat.")
    known = _known_names(root, FRAMES)
    for name in names:
        if name not in known:
            raise ValueError(_unknown(name, known, root / FRAMES))
    return names


def sequence_names(root: str | os.PathLike[str]) -> list[str]:
    """Names of all the sequences with masks in the dataset in folder `root`, sorted.

    Raises
    ------
    FileNotFoundError
        `root` has no ``Annotations``.
    """
    return _known_names(Path(root), LABELS)


def _name(entry: str) -> str:
    """``bear`` from ``bear`` or from ``/JPEGImages/480p/bear/00000.jpg /Annotations/...``."""
    name = entry.strip()
    return Path(name).parent.name if "/" in name else name


def sequence_folder(root: Path, kind: str, name: str) -> Path:
    """The folder with the pictures of a sequence; `kind` is FRAMES or LABELS."""
    known = _known_names(root, kind)
    top = root / kind
    for parent in (top / RESOLUTION, top, *_folders(top)):
        if name in known and (parent / name).is_dir() and list_pictures(parent / name):
            return parent / name
    if name in known:
        raise FileNotFoundError(
            f"the folder of sequence {name!r} in {top} holds no picture; leave the sequence out, "
            "or put them there."
        )
    raise FileNotFoundError(_unknown(name, known, top))


def _known_names(root: Path, kind: str) -> list[str]:
    """Names of the sequences in ``root/kind``, whatever their resolution."""
    top = root / kind
    if not top.is_dir():
        raise FileNotFoundError(
            f"there is no folder {top}; give the folder that holds {FRAMES} and {LABELS}."
        )
    names: set[str] = set()
    for folder in _folders(top):
        # A folder of folders is a resolution, one of pictures a sequence, whatever a file manager
        # or a notebook has put beside them.
        inside = _folders(folder)
        if not inside or list_pictures(folder):
            inside = [folder]
        names.update(path.name for path in inside)
    return sorted(names)


def _folders(parent: Path) -> list[Path]:
    with os.scandir(parent) as entries:
        return sorted(Path(e.path) for e in entries if e.is_dir() and e.name[0] != ".")


def _unknown(name: str, known: list[str], where: Path) -> str:
    near = difflib.get_close_matches(name, known, n=3) or known[:3]
    listed = f"there is {', '.join(near)}" if near else "it is empty"
    return f"there is no sequence {name!r} in {where}; {listed}."

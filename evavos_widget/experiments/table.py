"""The table of an experiment: a CSV file that grows while it runs, and its manifest."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from evavos_widget.files import replacing

__all__ = ["Row", "Table", "read_manifest", "read_rows", "short_names"]


@dataclass(frozen=True, order=True)
class Row:
    """One round of one loop.

    Parameters
    ----------
    method, video : str
    object, seed, round : int
        Round 0 is the first mask, drawn on the first frame that shows the object.
    frame : int
        That was annotated.
    type : str
        Of the annotation.
    seconds : float
        It cost.
    hours : float
        Spent on this object until here.
    j, f, jf : float
        Means over the frames that count, 0 to 1.
    expected_gain : float
        What the method expected of the next annotation, in J&F of the video, divided by its
        seconds: the gain of its frame, times the share of frames that follow it; 0 after the
        last.
    frames : str
        Which frames count, see `evavos_widget.metrics.CONVENTIONS`.
    budget : float
        Seconds of the annotator for this object; infinite where rounds end the loop.
    """

    method: str
    video: str
    object: int
    seed: int
    round: int
    frame: int
    type: str
    seconds: float
    hours: float
    j: float
    f: float
    jf: float
    expected_gain: float
    frames: str
    budget: float = math.inf

    @property
    def loop(self) -> tuple[str, str, int, int]:
        """Which loop it belongs to."""
        return self.method, self.video, self.object, self.seed


_KINDS = {
    field.name: {"str": str, "int": int, "float": float}[str(field.type)] for field in fields(Row)
}
"""Each column of the table holds values of this type."""


_WORDS = {
    "code": "other code of engines of your own",
    "hashes": "other pictures or masks",
    "packages": "other versions of packages",
    "weights": "other weights",
    "version": "another version of its rows",
}
"""What of a manifest no option says."""


class Table:
    """Rows in ``rows.csv`` and how they came about in ``manifest.json``, in one folder.

    Parameters
    ----------
    folder : Path
        Created if needed.
    manifest : dict
        Options, versions and hashes of the data.

    Raises
    ------
    ValueError
        The folder holds an experiment with another manifest.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "rows.csv"
        about = folder / "manifest.json"
        known = read_manifest(folder) if about.exists() else manifest
        # Objects are those of the hashes, and experiments from before they were listed go on.
        binding = (known.keys() | manifest) - {"objects"}
        changed = sorted(k for k in binding if known.get(k) != manifest.get(k))
        if changed and self.rows():  # a manifest without rows binds nobody
            other = ", ".join(_WORDS.get(name, f"another {name}") for name in changed)
            options = not _WORDS.keys() >= set(changed)
            again = ", or the same options to go on with it" if options else ""
            raise ValueError(
                f"{folder} holds an experiment with {other}; give another folder{again}."
            )
        with replacing(about) as path:
            path.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        if self.path.exists():  # without what a run that was killed has left unfinished
            self._write(self.rows())

    def rows(self) -> list[Row]:
        """All rows."""
        return read_rows(self.path.parent) if self.path.exists() else []

    def append(self, rows: Iterable[Row]) -> None:
        """Add the rows of whole loops; on disk when this returns."""
        if not self.path.exists():
            self._write([])
        with self.path.open("a", newline="", encoding="utf-8") as file:
            # The first round comes last: where it is there, so are the others.
            latest_first = sorted(rows, key=lambda row: -row.round)
            csv.writer(file, lineterminator="\n").writerows(map(_cells, latest_first))
            file.flush()
            os.fsync(file.fileno())

    def sort(self) -> None:
        """Bring the rows into order, which does not depend on how often a run was stopped."""
        self._write(sorted(self.rows()))

    def _write(self, rows: Iterable[Row]) -> None:
        with replacing(self.path) as path, path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(_KINDS)
            writer.writerows(map(_cells, rows))


def read_rows(folder: Path) -> list[Row]:
    """The rows of the finished loops in an experiment's folder.

    Raises
    ------
    FileNotFoundError
        There is no experiment in the folder.
    ValueError
        Its table is damaged.
    """
    path = folder / "rows.csv"
    if not path.exists():
        raise FileNotFoundError(f"there is no experiment in {folder}; give a folder with rows.csv.")
    with path.open(newline="", encoding="utf-8") as file:
        lines = [line for line in file if line.endswith("\n")]
    try:
        rows = [
            Row(**{name: _KINDS[name](value) for name, value in row.items()})
            for row in csv.DictReader(lines)
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is damaged ({error}); remove the line, or the folder to start anew."
        ) from error
    finished = {row.loop for row in rows if row.round == 0}
    return [row for row in rows if row.loop in finished]


def short_names(folders: Sequence[str | os.PathLike[str]]) -> list[str]:
    """What experiments are called where several are shown: their folders, shortly if they can."""
    names = [Path(folder).name for folder in folders]
    return names if len(set(names)) == len(names) else [str(folder) for folder in folders]


def read_manifest(folder: Path) -> dict[str, Any]:
    """How the rows in an experiment's folder came about.

    Raises
    ------
    FileNotFoundError
        There is no experiment in the folder.
    ValueError
        Its manifest is damaged.
    """
    path = folder / "manifest.json"
    if not path.exists():
        raise FileNotFoundError(
            f"there is no experiment in {folder}; give a folder with {path.name}."
        )
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is damaged ({error}); give another folder, or remove this one."
        ) from error


def _cells(row: Row) -> list[str]:
    """Numbers with all their digits, so that rows that are read again are the same."""
    return [
        repr(float(value)) if isinstance(value, float) else str(value)
        for value in (getattr(row, name) for name in _KINDS)
    ]

"""What was measured of each sequence, on disk until the result is, so that a run can go on."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from evavos_widget import engines
from evavos_widget.datasets.davis import FRAMES, LABELS, sequence_folder
from evavos_widget.files import is_regular
from evavos_widget.version import VERSION

__all__ = ["MADE", "EngineOption", "Rows", "kept_beside"]

MADE = "made"
"""In a row: files that measuring made, and without which it is measured again."""


@dataclass(frozen=True)
class EngineOption:
    """An engine among options; what tells it from others is found out where rows are kept.

    Parameters
    ----------
    stage : str
    engine : str or object
        As for `evavos_widget.engines.create`.
    """

    stage: str
    engine: Any

    @property
    def about(self) -> list[Any]:
        """What tells it from others, and from itself before its files were changed."""
        if not isinstance(self.engine, str):
            return [engines.identity(self.engine)]
        found: list[Any] = [self.engine]
        if (weights := engines.weights(self.stage, self.engine)) is not None:
            found.append(weights.stat().st_mtime_ns)
        if (own := engines.source(self.stage, self.engine)) is not None:
            found.append(_last_change(own))
        return found


class Rows:
    """What was measured of each sequence, under the options that it was measured with.

    Seconds in a row are those of the run that measured it.

    Parameters
    ----------
    file : Path, optional
        A line of JSON for each; one that is in it already is taken in place of measuring, once.
        Without a file nothing is kept.

    Attributes
    ----------
    new : int
        Rows that were measured now.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.file, self.new = file, 0
        self._left: dict[str, Any] = {}
        if file is not None and file.exists():
            for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    found = json.loads(line)
                    # What another version measured is of no use any more.
                    if json.loads(found["of"])[0] == _this_package():
                        self._left[found["of"]] = found["row"]
                except (ValueError, LookupError, TypeError):
                    continue  # a run was killed while it wrote this line

    @property
    def left(self) -> int:
        """How many were found and are not used yet, of whatever options."""
        return len(self._left)

    def found(self, options: Mapping[str, Any], root: Path, sequence: str) -> dict[str, Any] | None:
        """The row of a sequence with these options, if there is one that is not used yet."""
        row = self._left.get(_key(options, root, sequence)) if self._left else None
        gone = row is None or not all(Path(made).exists() for made in row.get(MADE, ()))
        return None if gone else row

    def measured(
        self,
        options: Mapping[str, Any],
        root: Path,
        sequence: str,
        measure: Callable[[], dict[str, Any]],
    ) -> dict[str, Any]:
        """The row of a sequence, measured now where it was not before; on disk when this returns.

        Parameters
        ----------
        options : mapping of str -> what JSON can hold, NumPy's numbers, or EngineOption
            All that a row depends on beside this package and the files of the sequence.
        root : Path
            Holds ``JPEGImages`` and ``Annotations``.
        sequence : str
        measure : callable
            Gives the row, a dict of what JSON can hold, or NumPy's numbers. Files that it lists as
            `MADE` have to be there for the row to be taken again.
        """
        row = self.found(options, root, sequence)
        key = "" if self.file is None else _key(options, root, sequence)
        self._left.pop(key, None)
        if row is not None:
            return row
        line = _json({"of": key, "row": measure()})
        self.new += 1
        if self.file is not None:
            # The line before may have been broken off.
            with self.file.open("a", encoding="utf-8") as kept:
                kept.write(f"\n{line}\n")
        # As it is read back, so that a run in one piece says what one in two says.
        return json.loads(line)["row"]

    def close(self) -> None:
        """The result is written: keep what was found and not used, which is of other options."""
        if self.file is None:
            return
        lines = [_json({"of": key, "row": row}) + "\n" for key, row in self._left.items()]
        if lines:
            self.file.write_text("".join(lines), encoding="utf-8")
        else:
            self.file.unlink(missing_ok=True)


def _json(found: Any) -> str:
    return json.dumps(found, default=lambda x: x.about if isinstance(x, EngineOption) else x.item())


def _key(options: Mapping[str, Any], root: Path, sequence: str) -> str:
    return _json([_this_package(), _about_sequence(Path(root), sequence), dict(options)])


def _this_package() -> list[Any]:
    return [VERSION, _last_change(Path(__file__).parents[1])]


def _about_sequence(root: Path, name: str) -> list[Any]:
    """What tells a sequence from others, and from itself before its files were changed."""
    about: list[Any] = [str(root.resolve()), name]
    for kind in (FRAMES, LABELS):
        try:
            with os.scandir(sequence_folder(root, kind, name)) as files:
                stats = [file.stat() for file in files]
        except FileNotFoundError:  # whoever measures says so
            continue
        about += [len(stats), sum(s.st_size for s in stats), max(s.st_mtime_ns for s in stats)]
    return about


@lru_cache(maxsize=8)
def _last_change(code: Path) -> int:
    """When a module, or a file of code or weights below a folder, was changed last, in ns."""
    return max((file.stat().st_mtime_ns for file in engines.source_files(code)), default=0)


@contextmanager
def kept_beside(result: Path | None) -> Iterator[Rows]:
    """Rows that lie beside a file or folder of results until these are written.

    Whoever stops the run is told where they are.

    Parameters
    ----------
    result : Path, optional
        ``NAME.rows`` is beside it. Nothing is kept where no result is, where it goes to a pipe, or
        where its folder cannot be written to.
    """
    file = _beside(result)
    rows = Rows(file)
    if rows.left:
        print(
            f"evavos: {file} has {_counted(rows.left)} of a run that was stopped; what was "
            "measured with the same options, on the same data, is taken from there",
            file=sys.stderr,
        )
    try:
        yield rows
    except BaseException as error:
        if rows.new and file is not None:
            stopped = isinstance(error, KeyboardInterrupt)
            print(
                f"evavos: {file} keeps {_counted(rows.new)} more; "
                f"{'' if stopped else 'without the error that follows, '}the same command goes on",
                file=sys.stderr,
            )
        raise
    rows.close()


def _beside(result: Path | None) -> Path | None:
    if result is None:
        return None
    result = Path(os.path.abspath(result))
    if result.exists() and not (result.is_dir() or is_regular(result)):
        return None
    result.parent.mkdir(parents=True, exist_ok=True)
    return result.with_name(f"{result.name}.rows") if os.access(result.parent, os.W_OK) else None


def _counted(n: int) -> str:
    return "1 row" if n == 1 else f"{n} rows"

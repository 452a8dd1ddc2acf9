"""What was measured of each sequence, on disk until the result is, so that a run can go on."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evavos_widget import engines
from evavos_widget.version import VERSION

__all__ = ["Rows", "about_engine", "kept_beside"]


class Rows:
    """What was measured of each sequence, under the options that it was measured with.

    Parameters
    ----------
    file : Path, optional
        A line of JSON for each; what is in it already is not measured again. Without one, rows are
        not kept.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.file = file
        self._known: dict[str, Any] = {}
        if file is not None and file.exists():
            for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    found = json.loads(line)
                    self._known[found["of"]] = found["row"]
                except (ValueError, LookupError, TypeError):
                    continue  # a run was killed while it wrote this line

    @property
    def n(self) -> int:
        """How many there are, of whatever options."""
        return len(self._known)

    def has(self, options: Mapping[str, Any], sequence: str) -> bool:
        """Whether a sequence was measured with these options."""
        return _key(options, sequence) in self._known

    def measured(
        self, options: Mapping[str, Any], sequence: str, measure: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """The row of a sequence, measured now where it was not before; on disk when this returns.

        Parameters
        ----------
        options : mapping of str -> what JSON can hold
            All that a row depends on beside its sequence and this version of the package.
        sequence : str
        measure : callable
            Gives the row, a dict of what JSON can hold.
        """
        key = _key(options, sequence)
        if key not in self._known:
            line = json.dumps({"of": key, "row": measure()})
            # As it is read back, so that a run in one piece says what one in two says.
            self._known[key] = json.loads(line)["row"]
            if self.file is not None:
                self.file.parent.mkdir(parents=True, exist_ok=True)
                # The line before may have been broken off.
                with self.file.open("a", encoding="utf-8") as kept:
                    kept.write(f"\n{line}\n")
        return self._known[key]


def _key(options: Mapping[str, Any], sequence: str) -> str:
    return json.dumps([VERSION, sequence, options], sort_keys=True)


def about_engine(stage: str, engine: Any) -> list[Any]:
    """What tells an engine from others, and from itself before its files were changed.

    Parameters
    ----------
    stage : str
    engine : str or object
        As for `evavos_widget.engines.create`.
    """
    if not isinstance(engine, str):
        return [engines.identity(engine)]
    files = [engines.source(stage, engine), Path(engines.argument(stage, engine))]
    return [engine, *(f.stat().st_mtime_ns for f in files if f is not None and f.is_file())]


@contextmanager
def kept_beside(result: Path | None) -> Iterator[Rows]:
    """Rows that lie beside a file or folder of results until these are written.

    Whoever stops the run is told where they are.

    Parameters
    ----------
    result : Path, optional
        ``NAME.rows`` is beside it. Nothing is kept where no result is.
    """
    file = result and result.with_name(f"{result.name}.rows")
    rows = Rows(file)
    if rows.n:
        those = "1 row" if rows.n == 1 else f"{rows.n} rows"
        print(
            f"evavos: a run that was stopped left {those} in {file}; what was measured with the "
            "same options is taken from there",
            file=sys.stderr,
        )
    try:
        yield rows
    except BaseException:
        if file is not None and file.exists():
            print(
                f"evavos: what was measured is kept in {file}; the same command goes on from there",
                file=sys.stderr,
            )
        raise
    if file is not None:
        file.unlink(missing_ok=True)

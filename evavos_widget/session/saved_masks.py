"""M^t on disk, so that opening a session need not propagate again.

Masks can always be computed again, so they are no events of the journal but a cache beside
it: of the present state, and of those that undo and redo lead to. They belong to one history,
named by a digest of the journal's lines, and are read from the file when they are looked at.
"""

from __future__ import annotations

import hashlib
import math
import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import numpy as np

from evavos_widget.files import is_regular
from evavos_widget.masks import MAX_RUN
from evavos_widget.session.state import CurvePoint, State
from evavos_widget.session_files import MASKS_FILE

__all__ = ["SavedMasks", "read_saved_masks", "remove_leftovers", "save_masks"]


def save_masks(folder: Path, states: Sequence[State], lines: int, digest: bytes) -> None:
    """Write the masks of states, and what belongs to them, in one atomic step.

    Parameters
    ----------
    folder : Path
        The session's.
    states : sequence of State
        The present one, then those of the history in their order.
    lines : int
        How many lines of the journal led there.
    digest : bytes
        Of those lines.

    Raises
    ------
    OSError
        The disk refused; what was saved before is as it was.
    """
    pool: dict[bytes, np.ndarray] = {}
    numbers: dict[bytes, int] = {}
    places: dict[int, int] = {}  # of arrays by identity, which spares looking into most of them
    where: list[list[int]] = []
    for state in states:
        row = [state.masks.runs(frame) for frame in range(len(state.masks))]
        for runs in {id(r): r for r in row}.values():
            if id(runs) not in places:
                content = hashlib.blake2b(runs.tobytes(), digest_size=16).digest()
                pool.setdefault(content, runs)
                places[id(runs)] = numbers.setdefault(content, len(numbers))
        where.append([places[id(runs)] for runs in row])
    arrays: dict[str, np.ndarray] = {
        "lines": np.array(lines),
        "digest": np.frombuffer(digest, np.uint8),
        "offsets": np.cumsum([0, *(len(runs) for runs in pool.values())]),
        "where": np.array(where, dtype=np.int64),
    }
    n = len(states[0].masks)
    for i, state in enumerate(states):
        quality = [state.quality[o] for o in state.ids]
        curve = [[p.seconds, p.predicted, p.true] for p in state.curve]
        arrays |= {
            f"ids{i}": np.array(state.ids, dtype=np.int64),
            f"quality{i}": np.array(quality, np.float32).reshape(len(quality), n).T,
            f"stale{i}": np.array(sorted(state.stale), dtype=np.int64),
            f"curve{i}": np.array(curve, dtype=np.float64).reshape(-1, 3),
        }
    temporary = folder / f"masks.{os.getpid()}.tmp"
    try:
        with temporary.open("wb") as file:
            _write(file, arrays, list(pool.values()))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, folder / MASKS_FILE)
    finally:
        temporary.unlink(missing_ok=True)


def _write(file: IO[bytes], arrays: dict[str, np.ndarray], pool: Sequence[np.ndarray]) -> None:
    """An ``.npz`` file; the runs, which may not fit in memory twice, piece by piece."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
        with archive.open("runs.npy", "w", force_zip64=True) as member:
            n = sum(len(runs) for runs in pool)
            kind = {"descr": "<u4", "fortran_order": False, "shape": (n,)}
            np.lib.format.write_array_header_1_0(member, kind)
            for runs in pool:
                member.write(np.ascontiguousarray(runs, "<u4").tobytes())


def remove_leftovers(folder: Path) -> None:
    """Remove what a process that was killed while it wrote has left behind."""
    for path in folder.glob("masks.*.tmp"):
        path.unlink(missing_ok=True)


@dataclass(frozen=True, eq=False)
class SavedMasks:
    """What `save_masks` wrote.

    Parameters
    ----------
    lines : int
        How many lines of the journal led to it; of a file of version 0.1, how many changes.
    digest : bytes or None
        Of those lines; None in a file of version 0.1, which did not say.
    """

    lines: int
    digest: bytes | None
    _arrays: dict[str, np.ndarray]
    _runs: np.ndarray

    @property
    def n_states(self) -> int:
        """How many states it has masks of."""
        return 1 if self.digest is None else len(self._arrays["where"])

    def fits(self, state: State) -> bool:
        """Whether it is of a video of this length."""
        return self._places(0).shape == (len(state.masks),)

    def adopt(self, number: int, state: State, revision: int) -> State:
        """The state with the masks, quality, stale frames and curve that were saved of it.

        Parameters
        ----------
        number : int
            Which of the states that were saved it is.
        state : State
        revision : int
            Frames are stamped with numbers from it to `last_revision` of it: the same mask with
            the same one, whatever state it is of, and another with another.
        """
        saved, suffix = self._arrays, "" if self.digest is None else str(number)
        ids, quality = saved[f"ids{suffix}"].tolist(), saved[f"quality{suffix}"]
        adopted = replace(
            state,
            quality={**state.quality} | {o: quality[:, k].copy() for k, o in enumerate(ids)},
            stale=frozenset(saved[f"stale{suffix}"].tolist()),
            curve=tuple(_curve(saved[f"curve{suffix}"])),
        )
        places = self._places(number).tolist()
        masks = {frame: self._views[place] for frame, place in enumerate(places)}
        revisions = tuple(revision + place for place in places)
        return replace(adopted, masks=adopted.masks.replace_runs(masks), revisions=revisions)

    def last_revision(self, revision: int) -> int:
        """The largest number that `adopt` gives to a frame."""
        return revision + len(self._views) - 1

    @cached_property
    def _views(self) -> list[np.ndarray]:
        """The runs of each mask: one object, however many states and frames share it."""
        ends = self._arrays["offsets"].tolist()
        return [self._runs[a:b] for a, b in pairwise(ends)]

    def _places(self, number: int) -> np.ndarray:
        """For each frame, which of the saved runs are its mask."""
        if self.digest is None:
            return np.arange(len(self._arrays["offsets"]) - 1)
        return self._arrays["where"][number]


def read_saved_masks(folder: Path, height: int, width: int) -> SavedMasks | None:
    """What was saved in a folder, where it is there, whole, and of pictures of this size.

    Raises
    ------
    ValueError
        It is damaged: it has to be computed again.
    """
    path = folder / MASKS_FILE
    if not path.exists():
        return None
    if not is_regular(path):
        raise ValueError("it is no file")
    try:
        # One file, whatever takes its place meanwhile.
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            if any(m.compress_type != zipfile.ZIP_STORED for m in archive.infolist()):
                raise ValueError("it is compressed")
            if damaged := archive.testzip():
                raise ValueError(f"{damaged} is damaged")
            arrays = {
                name.removesuffix(".npy"): _small_array(archive, name)
                for name in archive.namelist()
                if name != "runs.npy"
            }
            runs = _array_in_place(file, archive)
        offsets = arrays["offsets"]
        covered = np.add.reduceat(
            np.append(runs & np.uint32(MAX_RUN), np.uint32(0)), offsets[:-1], dtype=np.int64
        )
        if offsets[-1] != len(runs) or (covered != height * width).any():
            raise ValueError("it is of pictures of another size")
        if "digest" not in arrays:
            return SavedMasks(int(arrays["events"]), None, arrays, runs)
        if not _fit_together(arrays):
            raise ValueError("its parts do not fit together")
        return SavedMasks(int(arrays["lines"]), arrays["digest"].tobytes(), arrays, runs)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, LookupError, TypeError) as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _small_array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """An array, if there is as much of it as it says: memory is taken for what is there."""
    with archive.open(name) as member:
        np.lib.format.read_magic(member)
        shape, _, kind = np.lib.format.read_array_header_1_0(member)
        said = math.prod(shape) * kind.itemsize
        if kind.hasobject or said != archive.getinfo(name).file_size - member.tell():
            raise ValueError(f"{name} is not as long as it says")
    with archive.open(name) as member:
        return np.lib.format.read_array(member, allow_pickle=False)


def _fit_together(arrays: dict[str, np.ndarray]) -> bool:
    """Whether every state has its masks, and what belongs to them, of as many frames."""
    where, n_masks = arrays["where"], len(arrays["offsets"]) - 1
    if where.ndim != 2 or where.min() < 0 or where.max() >= n_masks:
        return False
    n_frames = where.shape[1]
    for i in range(len(where)):
        stale, ids = arrays[f"stale{i}"], arrays[f"ids{i}"]
        whole = arrays[f"quality{i}"].shape == (n_frames, len(ids))
        if not whole or arrays[f"curve{i}"].shape[1:] != (3,):
            return False
        if len(stale) and not 0 <= stale.min() <= stale.max() < n_frames:
            return False
    return True


def _array_in_place(file: IO[bytes], archive: zipfile.ZipFile) -> np.ndarray:
    """The runs, left in the file: memory is taken for what is looked at only."""
    member = archive.getinfo("runs.npy")
    file.seek(member.header_offset + 26)  # where a member says how long its name is
    name, extra = np.frombuffer(file.read(4), "<u2").tolist()
    file.seek(member.header_offset + 30 + name + extra)
    np.lib.format.read_magic(file)
    (n,), _, kind = np.lib.format.read_array_header_1_0(file)
    if kind != np.dtype("<u4"):
        raise ValueError(f"its runs are {kind}")
    if not n:
        return np.zeros(0, np.uint32)
    return np.asarray(np.memmap(file, kind, "r", file.tell(), (n,)))


def _curve(saved: np.ndarray) -> Iterator[CurvePoint]:
    for seconds, predicted, true in saved.tolist():
        yield CurvePoint(float(seconds), _known(predicted), _known(true))


def _known(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)

"""What was seen and tried in simulated loops: a file for each, written when the loop is done."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile
from zlib import crc32

import numpy as np

from evavos_widget.environments.outcomes import Recorded
from evavos_widget.files import replacing
from evavos_widget.networks.observation import ENCODER

__all__ = [
    "HELD_OUT",
    "LoopRecord",
    "fingerprint",
    "held_out",
    "read_about",
    "read_records",
    "record_file",
    "record_files",
    "scene_of",
    "write_record",
]

VERSION = 2
"""Of the files; another number where old ones cannot be read, or say something else."""

HELD_OUT = 5
"""One video of so many is kept from training, to choose by."""


@dataclass(frozen=True, eq=False)
class LoopRecord:
    """One loop of T states on a video of N frames, with B branches tried.

    Parameters
    ----------
    about : dict
        ``video``, ``object``, ``seed``, ``propagator``, ``predictor``, ``encoder``, ``types``,
        ``version``; the other options of a `Simulation` where it is not older than they are here.
    frames : (N, FRAME_NUMBERS) float16 array
    masks : (T, N, MASK_NUMBERS) float16 array
        What is seen of each frame and its mask, before the annotation.
    predicted : (T, N) float32 array
        Predicted J&F; NaN where there is none.
    true : (T, N, 2) float32 array
        J&F and J.
    trust : (T, N) float32 array
        Of what is annotated; -1 where nothing is.
    drawn : (T, N) bool array
        Annotated by hand and not from prompts.
    branch_state, branch_frame, branch_kind : (B,) int32 arrays
        What was tried: an index of the states, a frame, an index of the types.
    branch_seconds : (B,) float32 array
        What it cost; less than its type usually does where the object was absent.
    branch_gain : (B, 2) float32 array
        Of the video's mean J&F, and of the frame's.
    branch_after : (B, N) float32 array
        Predicted J&F after it.
    outcomes : Recorded
        Of the frames that were tried, step by step.
    picture_bytes, picture_ends : uint8 and int64 arrays
        The frames as JPEG of 224 x 224 pixels, one after the other, and where each ends; empty
        unless pictures were asked for.
    mask_bits : (T, N, 6272) uint8 array
        The masks at that size, eight pixels in a byte; empty likewise.
    """

    about: dict[str, Any]
    frames: np.ndarray
    masks: np.ndarray
    predicted: np.ndarray
    true: np.ndarray
    trust: np.ndarray
    drawn: np.ndarray
    branch_state: np.ndarray
    branch_frame: np.ndarray
    branch_kind: np.ndarray
    branch_seconds: np.ndarray
    branch_gain: np.ndarray
    branch_after: np.ndarray
    outcomes: Recorded
    picture_bytes: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint8))
    picture_ends: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    mask_bits: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint8))


def record_file(folder: Path, video: str, obj: int, seed: int) -> Path:
    """Where the record of a loop is."""
    return folder / f"{video}-{obj}-{seed}.npz"


def record_files(folder: Path) -> list[Path]:
    """Those of a folder, in the order of their names; a file that is being written is none yet."""
    return sorted(path for path in folder.glob("*.npz") if not path.name.startswith("."))


def write_record(record: LoopRecord, path: Path) -> None:
    """Write a record, whole or not at all."""
    arrays = {
        part.name: getattr(record, part.name)
        for part in fields(record)
        if part.name not in ("about", "outcomes")
    }
    arrays |= {
        f"outcomes_{part.name}": getattr(record.outcomes, part.name)
        for part in fields(Recorded)
        if part.name != "types"
    }
    about = {**record.about, "version": VERSION}
    with replacing(path) as new:
        np.savez_compressed(new, about=np.array(json.dumps(about)), **arrays)


def read_records(*folders: Path) -> list[LoopRecord]:
    """Every record of some folders, in the order of their names.

    Raises
    ------
    FileNotFoundError
        There is none in one of them.
    ValueError
        One cannot be read, or some are of another version, encoder, types, engines or height than
        the others.
    """
    records = []
    for folder in folders:
        paths = record_files(folder)
        if not paths:
            raise FileNotFoundError(
                f"there is no record of a loop in {folder}; make some with evavos train collect."
            )
        records += [_read(path) for path in paths]
    for what in ("types", "propagator", "predictor", "height"):
        kinds = sorted({str(r.about[what]) for r in records if what in r.about})
        if len(kinds) > 1:
            where = " and ".join(map(str, folders))
            raise ValueError(
                f"the records in {where} differ in {what}, {' and '.join(kinds)}; "
                "keep each in a folder of its own."
            )
    return records


@contextmanager
def _opened(path: Path) -> Iterator[tuple[dict[str, Any], Any]]:
    """What a record says of itself, and its arrays, which are read when they are asked for."""
    try:
        with np.load(path) as stored:
            yield json.loads(str(stored["about"])), stored
    except (BadZipFile, zlib.error, EOFError, LookupError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is no record of a loop, or is damaged; remove it and collect it again."
        ) from error


def read_about(path: Path) -> dict[str, Any]:
    """What a record says of itself, without its arrays.

    Raises
    ------
    ValueError
        It cannot be read.
    """
    with _opened(path) as (about, _):
        return dict(about)


def _read(path: Path) -> LoopRecord:
    with _opened(path) as (about, stored):
        made_with = about["version"], about["encoder"]
        arrays = {name: stored[name] for name in stored.files if name != "about"}
    if made_with != (VERSION, ENCODER):
        raise ValueError(
            f"{path} was made with version {made_with[0]} and encoder {made_with[1]!r}, and this "
            f"is {VERSION} and {ENCODER!r}; collect it again."
        )
    about["types"] = tuple(about["types"])
    outcomes = {
        name.removeprefix("outcomes_"): arrays.pop(name)
        for name in list(arrays)
        if name.startswith("outcomes_")
    }
    return LoopRecord(about=about, outcomes=Recorded(about["types"], **outcomes), **arrays)


def scene_of(record: LoopRecord) -> str:
    """What a loop shows: videos of `crowd` that differ in level alone are of one scene."""
    return re.sub("-(easy|middle|hard)-", "-", record.about["video"])


def held_out(records: Sequence[LoopRecord]) -> tuple[list[LoopRecord], list[LoopRecord]]:
    """To learn from, and to choose by: all loops of a video are on one side.

    One scene in `HELD_OUT` by the hash of its name, the same whatever else there is.
    """
    sides: tuple[list[LoopRecord], list[LoopRecord]] = ([], [])
    for record in records:
        kept = crc32(scene_of(record).encode()) % HELD_OUT == 0
        sides[kept].append(record)
    return sides


def fingerprint(records: Sequence[LoopRecord], *settings: object) -> int:
    """A number that other records, or other settings, do not have."""
    known = [repr(settings).encode()]
    for record in records:
        about = record.about
        known.append(f"{about['video']}-{about['object']}-{about['seed']}".encode())
        known.append(record.branch_gain.tobytes())
    return crc32(b"".join(known))

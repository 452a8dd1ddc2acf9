"""Verified points in the format in which Point-VOS was released.

An entry is one object, keyed by the hash of the question that it answers. PV-Oops is one JSON
object of such entries, PV-Kinetics JSON Lines of objects with one entry each (the README and
the loaders of the Point-VOS repository). Both are read entry by entry.
"""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from evavos_widget.files import replacing
from evavos_widget.formats.base import Format, Job

__all__ = [
    "FORMAT",
    "NAMESPACE",
    "STATUSES",
    "PointObject",
    "PointRecord",
    "read",
    "write",
]

STATUSES = {"positive": "ACCEPTED", "negative": "REJECTED", "unknown": "AMBIGUOUS"}
"""What a label of `evavos_widget.points` is called in the format."""

NAMESPACE = "evavos"
"""The one key under which an entry or a point holds what the format does not know."""

_POINT_FIELDS = ("x", "y", "frame_id", "status", "is_fg_candidate")

_OBJECT_FIELDS = ("question_hash", "question", "object_name", "video_name", "annotated_points")

_NEXT_ENTRY = re.compile(r'"[0-9a-f]{32}"\s*:\s*\{')
"""Where an entry begins, by which the reader finds its way again behind one that is no JSON."""

_SEPARATORS = re.compile(r"[\s,]*")
"""What is between two entries."""

_CHUNK = 2**18
"""So many characters are read at a time."""

_LONGEST_ENTRY = 2**26
"""An entry of more characters than this is none; those of PV-Oops have some 20,000."""

Report = Callable[[str], None]
"""Told one sentence per record that cannot be read, with its line and key."""


@dataclass(frozen=True, slots=True)
class PointRecord:
    """One verified point.

    Parameters
    ----------
    x, y : int
        Column and row in pixels of the original resolution, from 0.
    frame_id : str or None
        Stem of the frame's file. The released loaders pass over points without one.
    status : {'ACCEPTED', 'REJECTED', 'AMBIGUOUS'}
        Foreground, background, or one cannot tell; whatever was proposed.
    is_fg_candidate : bool
        Whether the tool proposed it as foreground.
    extra : mapping
        Whatever else the point has; what this package adds is under `NAMESPACE`.
    """

    x: int
    y: int
    frame_id: str | None
    status: str
    is_fg_candidate: bool
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PointObject:
    """One object and its points.

    Parameters
    ----------
    question_hash : str
        32 hexadecimal digits, the key of the entry.
    question, object_name : str
        Text that says which object is meant, and its noun.
    video_name : str or None
        With the split before it, as in ``train/NAME``.
    points : tuple of PointRecord
        Within a frame no pixel twice.
    extra : mapping
        Whatever else the entry has; what this package adds is under `NAMESPACE`.
    """

    question_hash: str
    question: str
    object_name: str
    video_name: str | None
    points: tuple[PointRecord, ...]
    extra: Mapping[str, Any] = field(default_factory=dict)


def read(path: str | Path, report: Report | None = None) -> Iterator[PointObject]:
    """Objects of a file, one after the other, in bounded memory.

    Parameters
    ----------
    path : path-like
        JSON Lines if it ends in ``.jsonl``, else one JSON object.
    report : callable, optional
        Told of every entry and point that is passed over; by default a warning.

    Yields
    ------
    PointObject
        Each key once, the first entry of it.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there are no points at {path}; check the path.")
    tell = report or (lambda sentence: warnings.warn(sentence, stacklevel=2))
    entries = _lines if path.suffix.lower() == ".jsonl" else _entries
    seen: set[str] = set()
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for line, key, value in entries(file, path, tell):
            where = f"{path}, line {line}, {key!r}"
            if key in seen:
                tell(f"{where} is there a second time; only the first is read.")
                continue
            seen.add(key)
            try:
                found = _as_object(key, value, lambda s, where=where: tell(f"{where}: {s}"))
            except ValueError as error:
                tell(f"{where} is passed over: {error}.")
            else:
                yield found


def write(objects: Iterable[PointObject], path: str | Path) -> int:
    """Write objects one after the other; the file appears complete or not at all.

    Parameters
    ----------
    objects : iterable of PointObject
    path : path-like
        JSON Lines if it ends in ``.jsonl``, else one JSON object.

    Returns
    -------
    int
        How many there were.
    """
    path = Path(path)
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        return _write_to(file, objects, lines=path.suffix.lower() == ".jsonl")


def _write_to(file: IO[str], objects: Iterable[PointObject], lines: bool) -> int:
    n = 0
    for n, found in enumerate(objects, 1):
        key, value = json.dumps(found.question_hash), json.dumps(_as_json(found))
        if lines:
            file.write(f"{{{key}: {value}}}\n")
        else:
            file.write(f"{'{' if n == 1 else ','}\n{key}: {value}")
    if not lines:
        file.write("\n}\n" if n else "{}\n")
    return n


def _as_json(found: PointObject) -> dict[str, Any]:
    return {
        "question_hash": found.question_hash,
        "question": found.question,
        "object_name": found.object_name,
        "video_name": found.video_name,
        "annotated_points": [
            {**{name: getattr(p, name) for name in _POINT_FIELDS}, **p.extra} for p in found.points
        ],
        **found.extra,
    }


def _lines(file: IO[str], path: Path, tell: Report) -> Iterator[tuple[int, str, Any]]:
    """Line, key and value of every line that has one."""
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            content = json.loads(line)
            if not isinstance(content, dict) or len(content) != 1:
                raise ValueError("it is no object with one key")
        except (ValueError, RecursionError) as error:
            key = _NEXT_ENTRY.search(line)
            named = f", {key[0][1:33]!r}" if key else ""
            tell(f"{path}, line {number}{named} is passed over: {error}.")
            continue
        ((key, value),) = content.items()
        yield number, key, value


def _entries(file: IO[str], path: Path, tell: Report) -> Iterator[tuple[int, str, Any]]:
    """Line, key and value of every entry of one JSON object."""
    text = file.read(_CHUNK)
    opening = re.match(r"\s*\{", text)
    if opening is None:
        tell(f"{path}, line 1: the file is no JSON object.")
        return
    decoder, line, done, ended = json.JSONDecoder(), 1, opening.end(), False
    while True:
        done = _SEPARATORS.match(text, done).end()  # type: ignore[union-attr]
        line += text.count("\n", 0, done)
        text, done = text[done:], 0
        if text.startswith("}"):
            return
        try:
            key, value, done = _entry(decoder, text)
        except (ValueError, RecursionError) as error:
            follows = _NEXT_ENTRY.search(text, 1)
            if follows is None and not ended and len(text) <= _LONGEST_ENTRY:
                more = file.read(_CHUNK)
                text, ended = text + more, not more
                continue
            begins = _NEXT_ENTRY.match(text)
            named = f", {begins[0][1:33]!r}" if begins else ""
            what = f"is passed over: {error}" if text else "is the end, and } is missing"
            tell(f"{path}, line {line}{named} {what}.")
            if follows is None:
                return
            done = follows.start()
        else:
            yield line, key, value


def _entry(decoder: json.JSONDecoder, text: str) -> tuple[str, Any, int]:
    """The key and value at the beginning of a text, and where they end."""
    key, end = decoder.raw_decode(text)
    colon = re.compile(r"\s*:\s*").match(text, end)
    if not isinstance(key, str) or colon is None:
        raise ValueError("there is no key and colon")
    value, end = decoder.raw_decode(text, colon.end())
    if end == len(text):  # a number may go on
        raise ValueError("it ends in the middle")
    return key, value, end


def _as_object(key: str, value: Any, tell: Report) -> PointObject:
    if not isinstance(value, dict):
        raise ValueError(f"the entry is {type(value).__name__}, not an object")
    missing = [name for name in _OBJECT_FIELDS if name not in value]
    if missing:
        raise ValueError(f"it has no {', '.join(missing)}")
    if value["question_hash"] != key:
        raise ValueError(f"its question_hash is {value['question_hash']!r}")
    for name in ("question", "object_name", "video_name"):
        if not isinstance(value[name], str) and not (name == "video_name" and value[name] is None):
            raise ValueError(f"its {name} is {value[name]!r}")
    if not isinstance(value["annotated_points"], list):
        raise ValueError("its annotated_points are no list")
    points: dict[tuple[Any, ...], PointRecord] = {}
    for i, given in enumerate(value["annotated_points"]):
        try:
            point = _as_point(given)
            if (point.frame_id, point.x, point.y) in points:
                raise ValueError(f"frame {point.frame_id!r} has ({point.x}, {point.y}) twice")
        except ValueError as error:
            tell(f"point {i} is passed over: {error}.")
        else:
            points[point.frame_id, point.x, point.y] = point
    extra = {name: v for name, v in value.items() if name not in _OBJECT_FIELDS}
    return PointObject(
        question_hash=key,
        question=value["question"],
        object_name=value["object_name"],
        video_name=value["video_name"],
        points=tuple(points.values()),
        extra=extra,
    )


def _as_point(given: Any) -> PointRecord:
    if not isinstance(given, dict):
        raise ValueError(f"it is {given!r}")
    missing = [name for name in _POINT_FIELDS if name not in given]
    if missing:
        raise ValueError(f"it has no {', '.join(missing)}")
    for name in ("x", "y"):
        if type(given[name]) is not int or given[name] < 0:
            raise ValueError(f"its {name} is {given[name]!r}, not a pixel")
    if given["frame_id"] is not None and not isinstance(given["frame_id"], str):
        raise ValueError(f"its frame_id is {given['frame_id']!r}")
    if given["status"] not in STATUSES.values():
        raise ValueError(f"its status is {given['status']!r}")
    if not isinstance(given["is_fg_candidate"], bool):
        raise ValueError(f"its is_fg_candidate is {given['is_fg_candidate']!r}")
    extra = {name: value for name, value in given.items() if name not in _POINT_FIELDS}
    return PointRecord(**{name: given[name] for name in _POINT_FIELDS}, extra=extra)


def objects_of(job: Job) -> Iterator[PointObject]:
    """The objects of an export that have points.

    The key is a hash of the video's name and the object's id, so that it stays the same. What
    nobody proposed counts as proposed for what it is.
    """
    video = job.video
    for o in job.objects:
        frames = sorted(frame for frame, obj in job.points if obj == o["id"])
        records = [
            PointRecord(
                p.x,
                p.y,
                video.frame_names[frame],
                STATUSES[p.label],
                p.region == "foreground" if p.region else p.label == "positive",
                {NAMESPACE: {"region": p.region}} if p.region else {},
            )
            for frame in frames
            for p in job.points[frame, o["id"]]
        ]
        if records:
            named = f"{video.name}\n{o['id']}".encode(errors="replace")
            key = hashlib.blake2b(named, digest_size=16).hexdigest()
            size = {"object": o["id"], "height": video.height, "width": video.width}
            yield PointObject(key, "", o["name"], video.name, tuple(records), {NAMESPACE: size})


def export(job: Job, file: Path) -> None:
    """Make the file."""
    with file.open("w", encoding="utf-8") as out:
        _write_to(out, objects_of(job), lines=False)
    for i in range(job.video.n_frames):
        job.step(i + 1)


FORMAT = Format(".json", "one JSON with the verified points, as Point-VOS was released", export)
"""Points, not masks."""

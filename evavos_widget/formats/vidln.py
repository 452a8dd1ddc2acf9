"""Video Localized Narratives: what was said of a video, and where the mouse was meanwhile.

A record is one video in a line of JSON. Of each actor there are a caption, the times of its
words, and the traces of the mouse over key frames. A noun is localised by the part of the trace
that was drawn while it was spoken, on the key frame where that part is largest (Point-VOS
Sec. 3.3).
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from evavos_widget.prompts import Scribble

__all__ = [
    "Localisation",
    "Narrative",
    "Narratives",
    "Word",
    "localisations",
    "localise",
    "read",
    "spacy_nouns",
    "trace_segments",
]

TRACE_WIDTH = 3
"""A trace is drawn so many pixels wide (the code of Video Localized Narratives)."""

Span = tuple[int, int]
"""Of a caption, from the first character to that after the last."""


@dataclass(frozen=True, slots=True)
class Word:
    """A spoken word: its span, and its milliseconds from the beginning of the recording."""

    span: Span
    start_ms: int
    end_ms: int


@dataclass(frozen=True, eq=False, slots=True)
class Narrative:
    """What was said of one actor.

    Parameters
    ----------
    actor : str
        ``'background'`` is one too.
    caption : str
    nouns : tuple of span
        As the file has them; they were tagged automatically.
    words : tuple of Word
    recording_start_ms : int
        Milliseconds since 1970.
    traces : tuple of (M, 4) float64 array
        Strokes: ``x``, ``y`` from 0 to 1, milliseconds since 1970, number of the key frame.
    """

    actor: str
    caption: str
    nouns: tuple[Span, ...]
    words: tuple[Word, ...]
    recording_start_ms: int
    traces: tuple[np.ndarray, ...]


@dataclass(frozen=True, slots=True)
class Narratives:
    """All that was said of one video.

    Parameters
    ----------
    vidln_id : int
    dataset_id, video_id : str
    keyframe_names : tuple of str
        Stems of the files of the key frames.
    actors : tuple of Narrative
    """

    vidln_id: int
    dataset_id: str
    video_id: str
    keyframe_names: tuple[str, ...]
    actors: tuple[Narrative, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Localisation:
    """Where a noun is, roughly.

    Parameters
    ----------
    noun : str
        As it is in the caption.
    span : (int, int)
    actor : int
        Number of the narrative.
    keyframe : int
        Number of the key frame.
    frame_name : str
        Stem of the key frame's file.
    strokes : tuple of (M, 2) float64 array
        ``x``, ``y`` from 0 to 1.
    area : float
        Of the picture, what the strokes enclose; see `localise`.
    """

    noun: str
    span: Span
    actor: int
    keyframe: int
    frame_name: str
    strokes: tuple[np.ndarray, ...]
    area: float

    def scribbles(self, height: int, width: int) -> tuple[Scribble, ...]:
        """The strokes as scribbles on a picture of `height` x `width` pixels."""
        size = np.array([width, height], dtype=np.float64)
        return tuple(
            Scribble(np.clip(s * size - 0.5, 0, size - 1), True, TRACE_WIDTH / 2)
            for s in self.strokes
        )


def read(path: str | Path, report: Callable[[str], None] | None = None) -> Iterator[Narratives]:
    """Records of a file, one after the other.

    Parameters
    ----------
    path : path-like
        JSON Lines.
    report : callable, optional
        Told of every record that is passed over; by default a warning.

    Yields
    ------
    Narratives

    Raises
    ------
    FileNotFoundError
        There is no such file.
    """
    tell = report or (lambda sentence: warnings.warn(sentence, stacklevel=2))
    with Path(path).open(encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                yield _narratives(json.loads(line))
            except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
                tell(f"{path}, line {number} is passed over: {type(error).__name__}: {error}.")


def _narratives(given: Any) -> Narratives:
    names = tuple(map(str, given["keyframe_names"]))
    actors = tuple(_narrative(actor, len(names)) for actor in given["actor_narratives"])
    ids = (str(given["dataset_id"]), str(given["video_id"]))
    return Narratives(int(given["vidln_id"]), *ids, names, actors)


def _narrative(given: Any, n_keyframes: int) -> Narrative:
    caption = str(given["caption"])
    nouns = tuple((int(a), int(b)) for a, b in given["noun_segments"])
    words = tuple(
        Word(
            (int(w["referenced_word_start_idx"]), int(w["referenced_word_end_idx"])),
            int(w["start_ms"]),
            int(w["end_ms"]),
        )
        for w in given["time_alignment"]
    )
    for a, b in (*nouns, *(w.span for w in words)):
        if not 0 <= a < b <= len(caption):
            raise ValueError(f"{a} to {b} is no part of {caption!r}")
    fields = ("x", "y", "time_ms_since_epoch", "kf_idx")
    traces = tuple(
        np.array([[p[name] for name in fields] for p in part], dtype=np.float64)
        for part in given["traces"]
        if part
    )
    for trace in traces:
        if not (
            np.isfinite(trace).all() and ((trace[:, 3] >= 0) & (trace[:, 3] < n_keyframes)).all()
        ):
            raise ValueError("a trace is not finite, or on no key frame")
    start = int(given["recording_start_time_ms_since_epoch"])
    return Narrative(str(given["actor_name"]), caption, nouns, words, start, traces)


def spacy_nouns(caption: str, model: str = "en_core_web_sm") -> tuple[Span, ...]:
    """Nouns of a caption by spaCy, as in Point-VOS (Sec. 3.3).

    Parameters
    ----------
    caption : str
    model : str
        A pipeline of spaCy that tags parts of speech, installed beside it.

    Raises
    ------
    ImportError
        spaCy or the pipeline is not installed.
    """
    try:
        pipeline = import_module("spacy").load(model)
    except (ImportError, OSError) as error:
        raise ImportError(
            f"nouns are found by spaCy and its pipeline {model!r}, which are not both installed; "
            "run: pip install 'evavos-widget[vidln]' and python -m spacy download "
            f"{model}, or use the nouns of the file."
        ) from error
    return tuple((t.idx, t.idx + len(t)) for t in pipeline(caption) if t.pos_ in ("NOUN", "PROPN"))


def trace_segments(narrative: Narrative, span: Span) -> dict[int, list[np.ndarray]]:
    """What was drawn while a part of the caption was spoken.

    From the beginning of its first word to that of the word that follows its last; after the
    last word of all, to the end. A stroke is cut where a part of it falls outside, and where it
    changes to another key frame.

    Parameters
    ----------
    narrative : Narrative
    span : (int, int)

    Returns
    -------
    dict of int -> list of (M, 2) float64 array
        By key frame, the strokes: ``x``, ``y`` from 0 to 1. Empty where no word of the span has
        a time, or nothing was drawn meanwhile.
    """
    a, b = span
    spoken = [i for i, w in enumerate(narrative.words) if w.span[0] < b and w.span[1] > a]
    if not spoken:
        return {}
    start = narrative.words[spoken[0]].start_ms
    after = spoken[-1] + 1
    end = narrative.words[after].start_ms if after < len(narrative.words) else np.inf
    found: dict[int, list[np.ndarray]] = {}
    for trace in narrative.traces:
        time = trace[:, 2] - narrative.recording_start_ms
        inside = (time >= start) & (time <= end)
        keyframe = np.where(inside, trace[:, 3], -1)
        cuts = np.flatnonzero(np.diff(keyframe)) + 1
        for part, where in zip(np.split(trace[:, :2], cuts), np.split(keyframe, cuts), strict=True):
            if where[0] >= 0:
                found.setdefault(int(where[0]), []).append(part)
    return found


def localise(narratives: Narratives, actor: int, span: Span) -> Localisation | None:
    """The rough place of a noun: its trace on the key frame where that has the largest area.

    The area is that of the convex hull of all its strokes there. The paper does not say which
    area it takes; ours does not depend on how densely the mouse was sampled.

    Parameters
    ----------
    narratives : Narratives
    actor : int
        Number of the narrative.
    span : (int, int)
        Of the noun in its caption.

    Returns
    -------
    Localisation or None
        None where nothing was drawn while the noun was spoken.
    """
    narrative = narratives.actors[actor]
    segments = trace_segments(narrative, span)
    if not segments:
        return None
    areas = {k: _hull_area(np.concatenate(strokes)) for k, strokes in sorted(segments.items())}
    length = {k: sum(map(len, strokes)) for k, strokes in segments.items()}
    best = max(areas, key=lambda k: (areas[k], length[k], -k))
    name, noun = narratives.keyframe_names[best], narrative.caption[span[0] : span[1]]
    return Localisation(noun, span, actor, best, name, tuple(segments[best]), areas[best])


def localisations(
    narratives: Narratives,
    *,
    background: bool = False,
    nouns: Callable[[str], Sequence[Span]] | None = None,
) -> Iterator[Localisation]:
    """Every noun of a record that has a trace.

    Parameters
    ----------
    narratives : Narratives
    background : bool
        Also those of the actor ``'background'``.
    nouns : callable, optional
        Gives the spans of the nouns of a caption, as `spacy_nouns` does; by default they are
        those of the file.

    Yields
    ------
    Localisation
    """
    for number, narrative in enumerate(narratives.actors):
        if background or narrative.actor != "background":
            for span in nouns(narrative.caption) if nouns else narrative.nouns:
                found = localise(narratives, number, span)
                if found is not None:
                    yield found


def _hull_area(points: np.ndarray) -> float:
    import cv2

    hull = cv2.convexHull(points.astype(np.float32)[:, None])
    return float(cv2.contourArea(hull))

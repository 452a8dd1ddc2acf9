"""What a session must be after what was acknowledged, worked out without a session."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evavos_widget.session import Session

N_FRAMES, HEIGHT, WIDTH = 12, 48, 64

UNDO_LIMIT = 100
"""How many changes a session promises to take back."""


@dataclass
class Said:
    """What undo takes back: objects by name, label maps with whom they speak for, points, and of
    whom anything was ever said."""

    names: dict[int, str] = field(default_factory=dict)
    k: dict[int, tuple[np.ndarray, frozenset[int]]] = field(default_factory=dict)
    points: dict[tuple[int, int], dict[tuple[int, int], str]] = field(default_factory=dict)
    past: set[int] = field(default_factory=set)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Said):
            return NotImplemented
        return (
            self.names == other.names
            and self.points == other.points
            and self.past == other.past
            and self.k.keys() == other.k.keys()
            and all(
                self.k[f][1] == other.k[f][1] and np.array_equal(self.k[f][0], other.k[f][0])
                for f in self.k
            )
        )

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def of(cls, session: Session) -> Said:
        return cls(
            {o.id: o.name for o in session.objects},
            {f: (a.labels, a.objects) for f, a in session.annotations.items()},
            {w: {(p.x, p.y): p.label for p in ps} for w, ps in session.points.items()},
            {o for r in session.rounds for o in r.objects},
        )

    def add(self, obj: int, name: str) -> None:
        self.names[obj] = name

    def annotate(self, frame: int, labels: np.ndarray, spoken: Iterable[int]) -> None:
        spoken = frozenset(spoken)
        under, before = self.k.get(frame, (np.zeros((HEIGHT, WIDTH), np.uint8), frozenset()))
        under = np.where(np.isin(under, list(spoken)), 0, under)
        painted = np.where(labels > 0, labels, under).astype(np.uint8)
        self.k[frame] = painted, before | spoken
        self.past |= spoken

    def take_back(self, frame: int, obj: int) -> None:
        labels, spoken = self.k.pop(frame)
        if left := spoken - {obj}:
            self.k[frame] = np.where(labels == obj, 0, labels).astype(np.uint8), left

    def remove(self, obj: int) -> None:
        del self.names[obj]
        for frame in [f for f, (_, spoken) in self.k.items() if obj in spoken]:
            self.take_back(frame, obj)
        self.points = {where: p for where, p in self.points.items() if where[1] != obj}

    def label(self, frame: int, obj: int, points: Iterable[tuple[int, int, str]]) -> None:
        here = self.points.setdefault((frame, obj), {})
        here.update({(x, y): label for x, y, label in points})
        self.past.add(obj)

    def unlabel(self, frame: int, obj: int) -> None:
        del self.points[frame, obj]

    def merge(self, obj: int, into: int, k: dict[int, tuple[np.ndarray, frozenset[int]]]) -> None:
        """Two objects become one; where masks came from a pass, `k` says what was taken in."""
        assert merged_rightly(self, obj, into, k)
        of_k = set().union(*(spoken for _, spoken in self.k.values()))
        known = [o for o in (obj, into) if o in of_k or any(o == whose for _, whose in self.points)]
        del self.names[obj]
        self.k = k
        for frame in range(N_FRAMES):
            one, two = (self.points.pop((frame, o), {}) for o in (obj, into))
            # Where nothing is known of one of the two, the other is what they are together.
            if together := both_labels(one, two) if len(known) == 2 else one or two:
                self.points[frame, into] = together


def both_labels(one: dict, two: dict) -> dict:
    """A pixel of either is one of both; what is not of one of them may be of the other."""
    together = {}
    for pixel in one.keys() | two.keys():
        labels = {one.get(pixel), two.get(pixel)}
        if "positive" in labels:
            together[pixel] = "positive"
        elif labels == {"negative"} or "unknown" in labels:
            together[pixel] = "negative" if "unknown" not in labels else "unknown"
    return together


def merged_rightly(said: Said, obj: int, into: int, k: dict) -> bool:
    """Whether label maps hold all that both objects had, and nothing was taken from others."""
    both = {obj, into}
    for frame, (labels, spoken) in said.k.items():
        now, speaks = k.get(frame, (np.zeros_like(labels), frozenset()))
        if speaks - {into} != spoken - both:
            return False
        if any(not np.array_equal(now == o, labels == o) for o in spoken - both):
            return False
        if (np.isin(labels, list(both)) & (now != into)).any():
            return False
    return k.keys() <= said.k.keys()


class Model:
    """`Said`, with what undo and redo lead to."""

    def __init__(self) -> None:
        self.now = Said()
        self.undo: list[Said] = []
        self.redo: list[Said] = []
        self.told: set[int] = set()
        """Ids of which something was ever said, also where that was undone."""

    def change(self, how: str, *arguments: Any) -> None:
        """Do one method of `Said`, as one change."""
        self.changes([(how, *arguments)])

    def changes(self, several: Iterable[tuple[Any, ...]]) -> None:
        """Do several methods of `Said`, as one change."""
        self.undo.append(copy.copy(self.now))
        del self.undo[:-UNDO_LIMIT]
        self.redo.clear()
        now = copy.deepcopy(self.now)
        for how, *arguments in several:
            getattr(now, how)(*arguments)
        self.now = now
        self.told |= now.past

    def step(self, direction: str) -> None:
        """Undo or redo, where there is something."""
        source, target = (self.undo, self.redo) if direction == "undo" else (self.redo, self.undo)
        if source:
            target.append(self.now)
            self.now = source.pop()

    def copy(self) -> Model:
        model = Model()
        model.now, model.undo, model.redo = self.now, list(self.undo), list(self.redo)
        model.told = set(self.told)
        return model

    def is_of(self, session: Session) -> bool:
        """Whether a session is in this state, as far as can be seen."""
        return (
            self.now == Said.of(session)
            and bool(self.undo) == (session.can_undo is not None)
            and bool(self.redo) == (session.can_redo is not None)
        )


def square(x: int, y: int, size: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[y : y + size, x : x + size] = True
    return mask


def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (N_FRAMES, HEIGHT, WIDTH, 3), np.uint8)

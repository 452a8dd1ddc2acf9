"""What can be said of a made video: narratives in which several nouns are the same word.

A narrative names every object once, by what sets it apart from the others: its colour, its place,
its motion or its size. The word that is marked is in the same place of a phrase for all of them, so
that only what is said around it tells which object is meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["COLOURS", "MOTIONS", "PLACES", "SIZES", "Said", "Subject", "narrate"]

COLOURS = ("red", "green", "blue", "yellow", "purple", "white", "black")
MOTIONS = ("left", "right", "up", "down", "still")
PLACES = ("left", "right", "middle", "top", "bottom")
SIZES = ("small", "middle-sized", "large")

PHRASES = {
    "colour": {
        colour: (f"the {colour} {{}}", f"a {colour} {{}}", f"the {{}} that is {colour}",
                 f"the {{}} in {colour}")
        for colour in COLOURS
    },
    "place": {
        "left": ("the {} on the left", "the left {}", "the {} at the left side"),
        "right": ("the {} on the right", "the right {}", "the {} at the right side"),
        "middle": ("the {} in the middle", "the middle {}", "the {} in the centre"),
        "top": ("the {} at the top", "the upper {}", "the {} above"),
        "bottom": ("the {} at the bottom", "the lower {}", "the {} below"),
    },
    "motion": {
        "left": ("the {} that moves to the left", "the {} moving left", "a {} going to the left"),
        "right": ("the {} that moves to the right", "the {} moving right",
                  "a {} going to the right"),
        "up": ("the {} that moves up", "the {} moving upwards", "a {} rising up"),
        "down": ("the {} that moves down", "the {} moving downwards", "a {} sinking down"),
        "still": ("the {} that stands still", "the {} standing still", "a {} that does not move"),
    },
    "size": {
        "small": ("the small {}", "the little {}", "the {} that is small"),
        "middle-sized": ("the middle-sized {}", "the {} of middle size"),
        "large": ("the large {}", "the big {}", "the {} that is large"),
    },
}  # fmt: skip
"""By what sets an object apart and by its value, the phrases; the noun goes where the braces are.

"the {} on the left" is a place, and "moving left" a motion: one word, two meanings.
"""

ALONE = ("{} is there", "{} can be seen", "there is {}", "we see {}")
PAIRS = (
    "{} is near {}",
    "beside {} there is {}",
    "{} is seen with {}",
    "next to {} is {}",
    "{} is not {}",
)
"""Clauses, with one subject and with two."""

JOINTS = (", while ", ", and ", "; ", ". ")
OPENINGS = ("", "in this video ", "here ")


@dataclass(frozen=True)
class Subject:
    """An object as a narrator sees it.

    Parameters
    ----------
    noun : str
    by : str
        What sets it apart: ``colour``, ``place``, ``motion`` or ``size``.
    value : str
        Its colour, place, motion or size, out of `COLOURS`, `PLACES`, `MOTIONS` or `SIZES`.
    """

    noun: str
    by: str
    value: str


@dataclass(frozen=True)
class Said:
    """A narrative, and where in it each subject's noun is.

    Parameters
    ----------
    text : str
    spans : tuple of (int, int)
        In the order of the subjects, from the noun's first character to that after its last.
    """

    text: str
    spans: tuple[tuple[int, int], ...]


def narrate(random: np.random.Generator, subjects: Sequence[Subject]) -> Said:
    """A narrative that names every subject once, in any order.

    Parameters
    ----------
    random : Generator
    subjects : sequence of Subject

    Raises
    ------
    ValueError
        There is no subject, or nothing can be said of one by what sets it apart.
    """
    if not subjects:
        raise ValueError("a narrative needs a subject; give at least one.")
    text = str(random.choice(OPENINGS))
    spans: dict[int, tuple[int, int]] = {}
    order = [int(i) for i in random.permutation(len(subjects))]
    while order:
        together = order[:2] if random.random() < 0.7 else order[:1]
        order = order[len(together) :]
        if spans:
            text += str(random.choice(JOINTS))
        first, *following = str(random.choice(PAIRS if len(together) == 2 else ALONE)).split("{}")
        text += first
        for which, after in zip(together, following, strict=True):
            before, behind = _phrase(random, subjects[which])
            start = len(text) + len(before)
            spans[which] = start, start + len(subjects[which].noun)
            text += before + subjects[which].noun + behind + after
    return Said(_capitals(text + "."), tuple(spans[i] for i in range(len(subjects))))


def _phrase(random: np.random.Generator, subject: Subject) -> tuple[str, str]:
    """What is said of a subject before its noun and after it."""
    phrases = PHRASES.get(subject.by, {}).get(subject.value)
    if phrases is None:
        raise ValueError(
            f"nothing can be said of {subject.noun!r} by its {subject.by} {subject.value!r}; "
            f"choose from {', '.join(PHRASES)} and their values."
        )
    before, behind = str(random.choice(phrases)).split("{}")
    return before, behind


def _capitals(text: str) -> str:
    """The text with a capital at the beginning of each sentence; no letter moves."""
    return ". ".join(part[:1].upper() + part[1:] for part in text.split(". "))

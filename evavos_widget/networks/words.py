"""Words of a caption as numbers, without a vocabulary: any word of any language has some.

A word is the sum of itself and of its runs of three letters, each hashed into a table (Bojanowski
et al., TACL 2017), so that a word never seen is near those that are spelled like it.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import numpy as np

__all__ = [
    "BUCKETS",
    "MOST_PIECES",
    "MOST_WORDS",
    "caption_pieces",
    "check_span",
    "span_words",
    "word_spans",
]

BUCKETS = 4096
"""Rows of the table; 0 is no piece."""

MOST_WORDS = 64
"""Of a caption as many words around the noun are read; the longest narratives have more."""

MOST_PIECES = 12
"""Of a word so many pieces count."""

_WORD = re.compile(r"\w+(?:['\u2019]\w+)*|[.;:!?,]")

Span = tuple[int, int]


def check_span(caption: str, span: Sequence[int]) -> Span:
    """The span of a noun, if it is one.

    Raises
    ------
    ValueError
        It is no part of the caption, or holds no word.
    """
    start, stop = (int(end) for end in span)
    if not 0 <= start < stop <= len(caption):
        raise ValueError(
            f"the span {start} to {stop} is no part of the caption of {len(caption)} characters; "
            "give the noun's first character and that after its last."
        )
    if not any(c.isalnum() for c in caption[start:stop]):
        raise ValueError(f"{caption[start:stop]!r} holds no word; mark a noun of the caption.")
    return start, stop


def word_spans(caption: str) -> list[Span]:
    """The words of a caption and its marks, from first character to that after the last."""
    return [m.span() for m in _WORD.finditer(caption)]


def span_words(words: Sequence[Span], span: Sequence[int]) -> np.ndarray:
    """Which words a span touches, (N,) bool."""
    return np.array([a < span[1] and b > span[0] for a, b in words], bool)


def word_pieces(word: str) -> list[int]:
    """Rows of the table that a word is the sum of."""
    word = word.lower()
    framed = f"<{word}>"
    pieces = [framed, *(framed[i : i + 3] for i in range(len(framed) - 2))]
    unique = list(dict.fromkeys(pieces))[:MOST_PIECES]
    return [1 + zlib.crc32(piece.encode()) % (BUCKETS - 1) for piece in unique]


def caption_pieces(caption: str, span: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """A caption and its marked noun as a network takes them.

    Parameters
    ----------
    caption : str
    span : (int, int)
        Of the noun, see `check_span`.

    Returns
    -------
    pieces : (N, MOST_PIECES) int64 array
        Of each word the rows of the table; 0 fills up.
    marked : (N,) bool array
        The noun's words.
    """
    span = check_span(caption, span)
    words = word_spans(caption)
    marked = span_words(words, span)
    if len(words) > MOST_WORDS:
        middle = int(np.flatnonzero(marked).mean())
        first = int(np.clip(middle - MOST_WORDS // 2, 0, len(words) - MOST_WORDS))
        words, marked = words[first : first + MOST_WORDS], marked[first : first + MOST_WORDS]
    pieces = np.zeros((len(words), MOST_PIECES), np.int64)
    for row, (a, b) in zip(pieces, words, strict=True):
        found = word_pieces(caption[a:b])
        row[: len(found)] = found
    return pieces, marked

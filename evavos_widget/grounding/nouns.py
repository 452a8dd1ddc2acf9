"""Which word of a caption is meant."""

from __future__ import annotations

import re

from evavos_widget.networks.words import check_span

__all__ = ["as_span"]


def as_span(caption: str, noun: str) -> tuple[int, int]:
    """The place of a noun in a caption.

    Parameters
    ----------
    caption : str
    noun : str
        Words of the caption; ``WORD#2`` is the second time that they occur; or ``FIRST-LAST``, the
        numbers of the first character and of that after the last.

    Raises
    ------
    ValueError
        The caption does not hold them, or holds them several times and none is named.
    """
    if numbers := re.fullmatch(r"(\d+)-(\d+)", noun):
        return check_span(caption, [int(n) for n in numbers.groups()])
    words, _, which = noun.partition("#")
    found = [m.span() for m in re.finditer(rf"\b{re.escape(words)}\b", caption, re.IGNORECASE)]
    if which.isdigit() and 0 < int(which) <= len(found):
        return check_span(caption, found[int(which) - 1])
    if len(found) == 1 and not which:
        return check_span(caption, found[0])
    raise ValueError(
        f"the caption has {words!r} {len(found)} times; mark one as {words}#1, or give its "
        "characters as FIRST-LAST."
    )

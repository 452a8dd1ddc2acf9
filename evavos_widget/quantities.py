"""Numbers that somebody gives, refused in one sentence where they are none; and said in one."""

from __future__ import annotations

import math
import operator
from typing import Any

__all__ = ["as_count", "as_quantity", "as_share", "counted"]


def as_quantity(
    what: str,
    value: Any,
    wanted: str,
    least: float = 0.0,
    most: float = math.inf,
    *,
    above: bool = False,
) -> float:
    """A finite number in a range, as Python's own.

    A text is none, even where it could be read as one: who gives ``"0.8"`` read it from a file or
    a form, where the next one may be ``"0,8"``.

    Parameters
    ----------
    what : str
        How the sentence calls it, such as ``target``.
    value : number
        NumPy's numbers are as good; texts and booleans are not.
    wanted : str
        What to give instead, such as ``seconds, 0 or more``.
    least, most : float
        Both included.
    above : bool
        Whether it has to be more than `least`.

    Raises
    ------
    ValueError
        It is none.

    Examples
    --------
    >>> as_quantity("budget", 3600, "seconds, 0 or more")
    3600.0
    >>> as_quantity("budget", "3600", "seconds, 0 or more")
    Traceback (most recent call last):
    ValueError: budget is '3600'; give seconds, 0 or more.
    """
    number = math.nan
    if not (isinstance(value, str | bytes) or _is_truth(value)):
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
    if not (least <= number <= most and math.isfinite(number)) or (above and number == least):
        raise ValueError(f"{what} is {_shown(value)}; give {wanted}.")
    return number


def as_share(what: str, value: Any, wanted: str = "0 to 1") -> float:
    """A number from 0 to 1; see `as_quantity`."""
    return as_quantity(what, value, wanted, most=1.0)


def as_count(what: str, value: Any, least: int = 1) -> int:
    """A whole number, `least` or more, as Python's own.

    Raises
    ------
    ValueError
        It is none; 2.0 is none either.

    Examples
    --------
    >>> as_count("workers", 0)
    Traceback (most recent call last):
    ValueError: workers is 0; give a whole number, 1 or more.
    """
    try:
        number = least - 1 if _is_truth(value) else operator.index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise ValueError(f"{what} is {_shown(value)}; give a whole number, {least} or more.")
    return number


def counted(number: int, what: str) -> str:
    """A number of things in words.

    Examples
    --------
    >>> counted(1, "frame"), counted(2, "frame")
    ('1 frame', '2 frames')
    """
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _is_truth(value: Any) -> bool:
    """Whether it is true or false, NumPy's included, which Python counts as 1 and 0."""
    return isinstance(value, bool) or getattr(getattr(value, "dtype", None), "kind", "") == "b"


def _shown(value: Any) -> str:
    """A value as a sentence can have it."""
    shown = " ".join((repr(value) if isinstance(value, str | bytes) else str(value)).split())
    return shown if len(shown) <= 60 else f"{shown[:57]}..."

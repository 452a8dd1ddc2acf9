"""What a page sends, checked: every field has a type, a size and a range before it is used."""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Mapping
from typing import Any, NoReturn

from evavos_widget.prompts import Box, Click, Scribble
from evavos_widget.widgets.requests import RequestError

__all__ = ["MAX_ITEMS", "MAX_TEXT", "Fields", "shortened"]

MAX_TEXT = 4096
"""Characters of the longest text that is taken: as long as a path may be on Linux."""

MAX_ITEMS = 100_000
"""Items of the longest list that is taken: frames of nearly an hour of video, or the corners of any
stroke, and little enough that checking it keeps nobody waiting."""

MAX_INTEGER = 2**53 - 1
"""The largest whole number that JavaScript tells from the next one."""

_NOT_WRITTEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
"""What no name, path or kind has in it: no file system or encoding takes all of these."""

_SHOWN = 60
"""Characters of a wrong value that its error shows."""


class _Shortened(reprlib.Repr):
    """What a value looks like without looking at all of it, however long or deep it is."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 4
        self.maxstring = self.maxother = self.maxlong = _SHOWN

    def repr_int(self, x: int, level: int) -> str:
        """Python itself refuses to write numbers of more than 4,300 digits."""
        return repr(x) if x.bit_length() <= 10_000 else f"<a number of {x.bit_length()} bits>"


_shortened = _Shortened()


def shortened(value: object) -> str:
    """A value as an error shows it: in one line that can be read."""
    text = _shortened.repr(value)
    return text if len(text) <= _SHOWN + 2 else f"{text[:_SHOWN]}..."


class Fields:
    """The fields of one request.

    Every method takes a field's name and gives its value, or raises a `RequestError` that
    names the field, what came, and what to send.

    Parameters
    ----------
    message : mapping
        The request as it came.
    """

    def __init__(self, message: Mapping[str, Any]) -> None:
        self._message = message

    def has(self, name: str) -> bool:
        """Whether a field came, and not as null."""
        return self._message.get(name) is not None

    def text(self, name: str) -> str:
        """A text of at most `MAX_TEXT` characters, all of which can be written and sent."""
        value = self._required(name)
        if not isinstance(value, str) or len(value) > MAX_TEXT:
            _refuse(f"{name} is", value, f"a text of at most {MAX_TEXT} characters")
        if _NOT_WRITTEN.search(value):
            _refuse(f"{name} is", value, "a text without control characters or lone surrogates")
        return value

    def text_or_none(self, name: str) -> str | None:
        """A text, or None where it did not come."""
        return self.text(name) if self.has(name) else None

    def integer(self, name: str) -> int:
        """A whole number of at most `MAX_INTEGER`, or at least its negative."""
        value = _integer(name, self._required(name))
        if abs(value) > MAX_INTEGER:
            _refuse(f"{name} is", value, f"an integer of at most {MAX_INTEGER}")
        return value

    def number(self, name: str) -> float:
        """A finite number."""
        value = self._required(name)
        if isinstance(value, bool) or not _is_number(value) or not math.isfinite(value):
            _refuse(f"{name} is", value, "a finite number")
        return float(value)

    def flag(self, name: str) -> bool:
        """Yes or no; no where it did not come."""
        value = self._message.get(name)
        if value is not None and not isinstance(value, bool):
            _refuse(f"{name} is", value, "true or false")
        return bool(value)

    def frame(self, name: str, n_frames: int) -> int:
        """The index of one of `n_frames` frames."""
        return _frame(name, self._required(name), n_frames)

    def frames(self, name: str, n_frames: int) -> list[int]:
        """Indices of frames."""
        self._required(name)
        return [_frame(name, f, n_frames) for f in self._items(f"{name} is", name, "frame indices")]

    def frame_range(self, name: str, n_frames: int) -> range | None:
        """The frames from a first to a last one, or None where none came."""
        if not self.has(name):
            return None
        value = self._message[name]
        if not isinstance(value, list) or len(value) != 2:
            _refuse(f"{name} is", value, "[first, last] or null")
        first, last = (_frame(name, f, n_frames) for f in value)
        if first > last:
            raise RequestError("invalid", f"{name} {value} run backwards; send [first, last].")
        return range(first, last + 1)

    def clicks(self, name: str) -> tuple[Click, ...]:
        """Clicks, from ``[x, y, 0 or 1]`` each."""
        items = self._items(f"{name} are", name, "[x, y, 0 or 1]")
        for item in items:
            if not (_is_row(item, 3) and item[2] in (0, 1)):
                _refuse(f"{name} are", items, "a list of [x, y, 0 or 1]")
        return tuple(Click(float(x), float(y), bool(positive)) for x, y, positive in items)

    def box(self, name: str) -> Box | None:
        """A box, from ``[x0, y0, x1, y1]``, or None where none came."""
        value = self._message.get(name)
        if value is None:
            return None
        if not _is_row(value, 4):
            _refuse(f"{name} is", value, "[x0, y0, x1, y1]")
        return Box(*(float(v) for v in value))

    def scribbles(self, name: str) -> tuple[Scribble, ...]:
        """Scribbles, from ``{points: [[x, y], ...], positive: bool}`` each."""
        form = "{points: [[x, y], ...], positive: bool}"
        items = self._items(f"{name} are", name, form)
        for item in items:
            points = item.get("points") if isinstance(item, dict) else None
            good = (
                isinstance(points, list)
                and 0 < len(points) <= MAX_ITEMS
                and all(_is_row(point, 2) for point in points)
                and isinstance(item.get("positive"), bool)
            )
            if not good:
                _refuse(f"{name} are", items, f"a list of {form}")
        return tuple(Scribble(item["points"], item["positive"]) for item in items)

    def _required(self, name: str) -> Any:
        if not self.has(name):
            kind = self._message.get("kind")
            who = kind[:_SHOWN] if isinstance(kind, str) else "a request"
            raise RequestError("malformed", f"{who} needs the field {name!r}.")
        return self._message[name]

    def _items(self, what: str, name: str, of: str) -> list[Any]:
        """A list; empty where it did not come."""
        value = self._message.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > MAX_ITEMS:
            _refuse(what, value, f"a list of {of}, at most {MAX_ITEMS}")
        return value


def _refuse(what: str, value: object, remedy: str) -> NoReturn:
    raise RequestError("malformed", f"{what} {shortened(value)}; send {remedy}.")


def _is_number(value: object) -> bool:
    """Whether a value is a number that a float can hold; a bool counts as one."""
    try:
        float(value) if isinstance(value, int) else None
    except OverflowError:
        return False
    return isinstance(value, int | float)


def _is_row(value: object, length: int) -> bool:
    """Whether a value is a list of so many numbers."""
    return isinstance(value, list) and len(value) == length and all(map(_is_number, value))


def _integer(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        _refuse(f"{name} is", value, "an integer")
    return value


def _frame(name: str, value: object, n_frames: int) -> int:
    frame = _integer(name, value)
    if not 0 <= frame < n_frames:
        raise RequestError(
            "invalid",
            f"there is no frame {shortened(frame)}; the video has frames 0 to {n_frames - 1}.",
        )
    return frame

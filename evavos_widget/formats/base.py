"""What every format is given to write, and to read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evavos_widget.files import plain_name
from evavos_widget.masks import LabelMaps
from evavos_widget.points import Point
from evavos_widget.video import Video

__all__ = ["Format", "Job", "MaskSource", "UnfitError"]


class UnfitError(ValueError):
    """A file of the right kind does not fit the video; the message says why and what to do."""


@dataclass(frozen=True, eq=False)
class Job:
    """What there is to export.

    Parameters
    ----------
    video : Video
    masks : LabelMaps
    objects : sequence of mappings with 'id', 'name' and 'color'
    annotated : sequence of int
        Ascending.
    step : callable
        Called with the number of frames that are written, after each.
    points : mapping of (frame, object) -> points
        What was said of single pixels.
    """

    video: Video
    masks: LabelMaps
    objects: Sequence[Mapping[str, Any]]
    annotated: Sequence[int]
    step: Callable[[int], None]
    points: Mapping[tuple[int, int], Sequence[Point]] = field(default_factory=dict)

    @property
    def video_name(self) -> str:
        """The video's name as that of a folder."""
        return plain_name(self.video.name)

    def categories(self) -> dict[str, int]:
        """Ids from 1 on by the name of an object; objects of one name are of one category."""
        return {name: i for i, name in enumerate(dict.fromkeys(o["name"] for o in self.objects), 1)}


@dataclass(eq=False)
class MaskSource:
    """For which video masks are read, and what was found to say about them.

    Parameters
    ----------
    video : Video
    ids : str
        Key of `evavos_widget.label_ids.IDS`.
    notices : list of str
        Grows as masks are read.
    """

    video: Video
    ids: str
    notices: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Format:
    """A way to write masks or points.

    Parameters
    ----------
    suffix : str
        Of the file it makes; empty when it makes a folder.
    description : str
        What it makes, for menus and help texts.
    write : callable
        Called with the job and the path to make.
    """

    suffix: str
    description: str
    write: Callable[[Job, Path], None]

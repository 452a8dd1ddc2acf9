"""What is in a session, to look at and to take away; nothing here changes it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evavos_widget import formats
from evavos_widget.loop import Annotation, Round
from evavos_widget.masks import LabelMaps, davis_palette
from evavos_widget.points import Point
from evavos_widget.quantities import counted
from evavos_widget.session.core import SessionCore
from evavos_widget.session.state import CurvePoint, ObjectInfo

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

__all__ = ["PALETTES", "SessionView"]

PALETTES = ("safe", "davis")
"""Colours of the objects: their own, or those of DAVIS's label files."""


class SessionView(SessionCore):
    """The objects, K, M^t and what they cost."""

    @property
    def objects(self) -> tuple[ObjectInfo, ...]:
        """The objects, by ascending id."""
        return self._state.objects

    @property
    def annotations(self) -> Mapping[int, Annotation]:
        """K: frame -> what the annotator stands behind there."""
        return self._state.annotations

    @property
    def masks(self) -> LabelMaps:
        """M^t: one label map per frame."""
        return self._state.masks

    @property
    def revisions(self) -> tuple[int, ...]:
        """Per frame, the revision at which its mask last changed."""
        return self._state.revisions

    @property
    def stale(self) -> frozenset[int]:
        """Frames that wait for a propagation pass."""
        return self._state.stale

    @property
    def marks(self) -> Mapping[tuple[int, int], str]:
        """How each annotation came about, by frame and object: see `State.marks`."""
        return self._state.marks

    @property
    def points(self) -> Mapping[tuple[int, int], tuple[Point, ...]]:
        """What was said of single pixels, by frame and object; see `label_points`."""
        return self._state.points

    @property
    def rounds(self) -> tuple[Round, ...]:
        """Every annotation and what it cost."""
        return self._state.rounds

    @property
    def seconds(self) -> float:
        """What the annotator has spent, in seconds."""
        return self._state.seconds

    @property
    def curve(self) -> tuple[CurvePoint, ...]:
        """Quality against the annotator's seconds, one point per finished pass."""
        return self._state.curve

    @property
    def can_undo(self) -> str | None:
        """What `undo` would take back, or None."""
        kept = self._timeline.history.can_undo
        return kept.label if kept else None

    @property
    def can_redo(self) -> str | None:
        """What `redo` would bring back, or None."""
        kept = self._timeline.history.can_redo
        return kept.label if kept else None

    def probabilities(self, frame: int, obj: int) -> np.ndarray | None:
        """Foreground probability of an object behind the current mask of a frame.

        Returns
        -------
        (H, W) float32 array in [0, 1] or None
            None where the mask was not propagated, or so long ago that it was let go.
        """
        frame = self._as_frame(frame)
        return self._probabilities.get(frame, self._state.revisions[frame], obj)

    def __repr__(self) -> str:
        return (
            f"<Session of {self.video.name!r}: {counted(self.video.n_frames, 'frame')}, "
            f"{counted(len(self.objects), 'object')}, "
            f"{counted(len(self.annotations), 'annotated frame')}, "
            f"{self.seconds:.0f} s>"
        )

    def snapshot(
        self,
        frame: int,
        *,
        opacity: float = 0.5,
        contour: bool = True,
        palette: str = "safe",
        legend: bool = True,
    ) -> Image:
        """A picture of a frame with its masks, for a report.

        Parameters
        ----------
        frame : int
        opacity : float in [0, 1]
            Weight of the objects' colours against the frame.
        contour, legend : bool
            Outline the masks; number and name of the visible objects under the frame.
        palette : {'safe', 'davis'}
            See `PALETTES`.

        Returns
        -------
        PIL.Image.Image
            RGB, as wide as the video.
        """
        from evavos_widget.picture import annotated_picture

        frame = self._as_frame(frame)
        if palette not in PALETTES:
            raise ValueError(f"there is no palette {palette!r}; choose from {PALETTES}.")
        state = self._state
        objects = state.objects
        if palette == "davis":
            table = davis_palette()
            objects = tuple(replace(o, color=f"#{table[o.id].tobytes().hex()}") for o in objects)
        return annotated_picture(
            self.video.frame(frame),
            state.masks[frame],
            objects,
            opacity=opacity,
            contour=contour,
            legend=legend,
        )

    def export(
        self, format: str, path: str | os.PathLike[str] | None = None, **options: Any
    ) -> Path:
        """Write the masks, or the points, in a format people train with.

        Parameters
        ----------
        format : str
            A key of `evavos_widget.formats.FORMATS`.
        path : path, optional
            Default: ``<video name>-<format>`` in the session's folder, where it replaces the
            export before; in the working folder where nothing can be kept, and what others have
            put there is not replaced.
        **options
            ``overwrite`` and ``progress`` of `evavos_widget.formats.export`.

        Returns
        -------
        Path
            What was written.

        Raises
        ------
        ValueError
            There is no such format, or nothing that it could hold.
        """
        state = self._state
        if format == "pointvos" and not state.points:
            raise ValueError("there are no points to export; verify some, or export the masks.")
        if path is None:
            folder = self.path
            if folder and self.read_only and not os.access(folder, os.W_OK):
                folder = None
            path = (folder or Path()) / formats.export_name(self.video, format)
            options.setdefault("overwrite", folder is not None or path.absolute() in self._exported)
        written = formats.export(
            self.video,
            state.masks,
            [asdict(o) for o in state.objects],
            sorted(state.annotations),
            format,
            path,
            points=state.points,
            **options,
        )
        self._exported.add(Path(path).absolute())
        return written

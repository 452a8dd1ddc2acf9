"""Masklets of SA-V, read as masks of a video.

A file of the training set, ``<video>_manual.json`` or ``<video>_auto.json``, holds
``masklet[frame][object]`` as COCO RLE at 6 frames a second of a video with 24 (the dataset's
description).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evavos_widget.masks import from_coco

__all__ = ["FRAME_STEP", "Masklets", "read"]

FRAME_STEP = 4
"""Every fourth frame of the video has masks: 24 frames a second, 6 with masks."""

_MOST_BYTES = 2**30
"""A file larger than this, 1 GiB, is not read."""


@dataclass(frozen=True, eq=False)
class Masklets(Mapping[int, np.ndarray]):
    """Frame of the video -> (K, H, W) bool array, decoded when it is asked for.

    The objects may overlap, so they are no label map.

    Parameters
    ----------
    video_id : str
    ids : tuple of int
        Of the K objects, in the file's numbers from 0.
    height, width : int
    segments : sequence of sequences of COCO RLE
        By frame with masks, then object.
    """

    video_id: str
    ids: tuple[int, ...]
    height: int
    width: int
    segments: list[list[Any]]

    def __getitem__(self, frame: int) -> np.ndarray:
        step, rest = divmod(frame, FRAME_STEP)
        if rest or not 0 <= step < len(self.segments):
            raise KeyError(frame)
        return np.stack([self._decoded(s, frame) for s in self.segments[step]])

    def __iter__(self) -> Iterator[int]:
        return iter(range(0, FRAME_STEP * len(self.segments), FRAME_STEP))

    def __len__(self) -> int:
        return len(self.segments)

    def labels(self, frame: int) -> np.ndarray:
        """One label map: object k is k + 1, and the smaller of two that overlap is seen.

        Parameters
        ----------
        frame : int
            A frame that has masks.

        Returns
        -------
        (H, W) uint8 array
        """
        masks = self[frame]
        labels = np.zeros((self.height, self.width), np.uint8)
        for k in np.argsort(-masks.sum(axis=(1, 2)), kind="stable"):
            labels[masks[k]] = self.ids[k] + 1
        return labels

    def _decoded(self, segment: Any, frame: int) -> np.ndarray:
        if list(segment["size"]) != [self.height, self.width]:
            raise ValueError(
                f"a mask of frame {frame} of {self.video_id} is {segment['size']}, and the video "
                f"{[self.height, self.width]}; the file is damaged."
            )
        return from_coco(segment)


def read(path: str | Path) -> Masklets:
    """Read the masklets of one video.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It holds no masklets.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"it has {path.stat().st_size} bytes")
        content = json.loads(path.read_bytes())
        ids = tuple(int(i) for i in content["masklet_id"])
        segments = content["masklet"]
        for number, of_frame in enumerate(segments):
            if len(of_frame) != len(ids):
                raise ValueError(f"entry {number} has {len(of_frame)} of {len(ids)} objects")
        if not 0 < len(ids) <= 255 or min(ids) < 0 or max(ids) > 254:
            raise ValueError(f"its objects are {ids}")
        size = (int(content["video_height"]), int(content["video_width"]))
        return Masklets(str(content["video_id"]), ids, *size, segments)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} holds no masklets of SA-V ({type(error).__name__}: {error}); give "
            "<video>_manual.json or <video>_auto.json."
        ) from error

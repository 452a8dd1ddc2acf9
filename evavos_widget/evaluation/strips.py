"""Pictures of what an engine did on a sequence, beside the truth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from evavos_widget.masks import LabelMaps
from evavos_widget.overlay import overlay
from evavos_widget.video import Video

__all__ = ["save_strip"]

COLUMNS = 5
WIDTH = 320
"""Each frame of a picture is so many pixels wide."""

TRUTH = (255, 255, 255)
"""The true outline has this colour, in RGB."""


def save_strip(video: Video, masks: LabelMaps, truth: Mapping[int, np.ndarray], path: Path) -> None:
    """Frames spread over a video, their masks in colour and the truth as a white outline.

    Parameters
    ----------
    video : Video
    masks : LabelMaps
    truth : mapping of frame -> (H, W) uint8 label map
        Frames without truth are not shown.
    path : Path
        JPEG or PNG, by its name.
    """
    known = sorted(truth)
    last = len(known) - 1
    picked = [known[round(last * i / COLUMNS)] for i in range(1, COLUMNS + 1)]
    height = round(WIDTH * video.height / video.width)
    tiles = []
    for frame in dict.fromkeys(picked):
        painted = overlay(video.frame(frame), masks[frame], contour=False)
        tile = cv2.resize(painted, (WIDTH, height), interpolation=cv2.INTER_AREA)
        for obj in np.unique(truth[frame])[1:]:
            mask = (truth[frame] == obj).astype(np.uint8)
            small = cv2.resize(mask, (WIDTH, height), interpolation=cv2.INTER_AREA)
            outlines, _ = cv2.findContours(small, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(tile, outlines, -1, TRUTH, 1)
        tiles.append(tile)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.hstack(tiles)).save(path, quality=85)

"""What RF-VNG looks at: cells of the compact network, colours, and how things move.

The encoder of the compact network is used as it is, so that what it says of a frame can be kept.
Colours are given beside it at half its cells, since features trained to tell objects apart hold
little of them; and optical flow, from which the mean motion of the frame is taken away, which is
the camera's.
"""

from __future__ import annotations

import os
from typing import NamedTuple

import cv2
import numpy as np
import torch

from evavos_widget.networks.ready import compact_network, image_tensor, resized, work_size

__all__ = ["ENCODER", "PIXELS", "Scene", "fine_map", "look_at"]

ENCODER = "free"
"""Weights of the compact network whose encoder it is; the others are for research only."""

PIXELS = 160 * 288
"""About so many pixels a frame is brought to; cells and masks follow from it."""

STEP = 8.0
"""Flow is counted in cells of so many pixels of the frame that is worked on."""

MOST = 4.0
"""Flow beyond so many cells is cut off."""


class Scene(NamedTuple):
    """Frames as the network takes them.

    Parameters
    ----------
    cells : (T, 128, h, w) float16 array
    fine : (T, FINE, 2 h, 2 w) float16 array
    """

    cells: np.ndarray
    fine: np.ndarray


def fine_map(frame: np.ndarray, before: np.ndarray | None, after: np.ndarray | None) -> np.ndarray:
    """Colours and motion of a frame, (5, h / 4, w / 4) float16.

    Parameters
    ----------
    frame : (h, w, 3) uint8 array, RGB
    before, after : the same, or None
        Its neighbours. Motion is from the one before to the one after, halved; from or to the
        frame itself where one of them is missing; nothing where both are.
    """
    size = frame.shape[1] // 4, frame.shape[0] // 4
    colours = cv2.resize(frame, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    motion = np.zeros((*frame.shape[:2], 2), np.float32)
    for start, end in ((before, frame), (frame, after)):
        if start is not None and end is not None:
            motion += _flow(frame, end if end is not frame else start, backwards=end is frame)
    steps = (before is not None) + (after is not None)
    motion /= max(1, steps)
    motion -= np.median(motion.reshape(-1, 2), axis=0)
    motion = cv2.resize(motion, size, interpolation=cv2.INTER_AREA) / STEP
    both = np.dstack([colours, np.clip(motion, -MOST, MOST)])
    return np.ascontiguousarray(both.transpose(2, 0, 1)).astype(np.float16)


def _flow(frame: np.ndarray, other: np.ndarray, *, backwards: bool) -> np.ndarray:
    """Motion per frame at each pixel of `frame`, (h, w, 2), found in its neighbour."""
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (frame, other)]
    found = method.calc(grey[0], grey[1], None)  # pyright: ignore[reportCallIssue, reportArgumentType]
    return -found if backwards else found


@torch.inference_mode()
def look_at(
    frames: np.ndarray | list[np.ndarray],
    *,
    size: tuple[int, int] | None = None,
    weights: str | os.PathLike[str] = ENCODER,
    device: str | None = None,
) -> Scene:
    """A scene of consecutive frames.

    Parameters
    ----------
    frames : (T, H, W, 3) uint8 array or list of (H, W, 3), RGB
        Of one size. Motion is from one to the next.
    size : (int, int), optional
        Height and width that frames are brought to, multiples of 16; by default about `PIXELS`.
    weights, device
        Of the compact network.
    """
    network = compact_network(weights, device)
    like = next(network.parameters())
    size = size or work_size(frames[0].shape[0], frames[0].shape[1], PIXELS)
    small = [resized(frame, size) for frame in frames]
    cells, fine = [], []
    for i, frame in enumerate(small):
        before = small[i - 1] if i > 0 else None
        after = small[i + 1] if i + 1 < len(small) else None
        cells.append(network.encode(image_tensor(frame, like)).cells[0].half().cpu().numpy())
        fine.append(fine_map(frame, before, after))
    return Scene(np.stack(cells), np.stack(fine))

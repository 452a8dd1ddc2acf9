"""Masks as they travel: runs in binary buffers, as ``protocol/annotator.json`` says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from evavos_widget.masks import decode_runs
from evavos_widget.widgets.catalogue import MAX_UPLOAD_BYTES
from evavos_widget.widgets.requests import RequestError

__all__ = ["pack_masks", "unpack_mask"]


def pack_masks(
    masks: Iterable[tuple[int, int, np.ndarray]],
) -> tuple[list[dict[str, int]], list[bytes]]:
    """Put runs of several frames in one binary buffer, and say where each is.

    Parameters
    ----------
    masks : iterable of (frame, revision, runs)
        `runs` as `evavos_widget.masks.encode_runs` gives them.

    Returns
    -------
    list of {frame, revision, offset, length}
        Offsets and lengths count uint32 values.
    list of one bytes object
        Little-endian uint32.
    """
    places, parts, offset = [], [], 0
    for frame, revision, runs in masks:
        places.append({"frame": frame, "revision": revision, "offset": offset, "length": len(runs)})
        parts.append(np.asarray(runs, dtype="<u4").tobytes())
        offset += len(runs)
    return places, [b"".join(parts)]


def unpack_mask(buffers: list[Any], height: int, width: int) -> np.ndarray:
    """Read the (H, W) bool mask that came as the one buffer of a request.

    Raises
    ------
    RequestError
        No buffer, too large a buffer, or runs that do not add up to H x W pixels.
    """
    if len(buffers) != 1:
        raise RequestError(
            "malformed", f"the request came with {len(buffers)} buffers; send one with the runs."
        )
    size, limit = memoryview(buffers[0]).nbytes, MAX_UPLOAD_BYTES
    if size > limit:
        raise RequestError(
            "too_large", f"the mask takes {size} bytes; {limit} is the most that can be sent."
        )
    if size % 4:
        raise RequestError(
            "malformed", f"the mask takes {size} bytes; send whole uint32 values, 4 bytes each."
        )
    runs = np.frombuffer(buffers[0], dtype="<u4")
    pixels = int((runs & 0xFFFFFF).sum(dtype=np.int64))
    if pixels != height * width:
        raise RequestError(
            "invalid",
            f"the mask covers {pixels} pixels, but the video is {width} x {height} "
            f"({height * width} pixels); send runs for the whole frame.",
        )
    return decode_runs(runs, (height, width)) > 0

"""The message catalogue, and masks packed the way it says they travel."""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

import numpy as np

__all__ = ["PROTOCOL", "RequestError", "pack_masks", "unpack_mask"]

#: ``protocol.json``, the one catalogue of everything that crosses to the browser.
PROTOCOL: dict[str, Any] = json.loads(
    files("evavos_widget.widgets").joinpath("protocol.json").read_text(encoding="utf-8")
)


class RequestError(Exception):
    """A request that cannot be answered; `code` is for the program, the text for the person."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


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
    from evavos_widget.masks import decode_runs

    if len(buffers) != 1:
        raise RequestError(
            "malformed", f"the request came with {len(buffers)} buffers; send one with the runs."
        )
    size, limit = memoryview(buffers[0]).nbytes, PROTOCOL["max_upload_bytes"]
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

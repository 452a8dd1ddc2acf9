"""Small pictures of frames, for the timeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evavos_widget.video import Video

__all__ = ["thumbnail"]

#: JPEG quality; at 160 pixels a thumbnail takes 3 to 6 KB.
_QUALITY = 75


def thumbnail(video: Video, frame: int, width: int) -> bytes:
    """A frame as a JPEG file at most `width` pixels wide, at least one.

    Parameters
    ----------
    video : Video
    frame : int
    width : int
        In pixels; the height follows. A video that is narrower keeps its size.
    """
    import cv2

    image = video.frame(frame)
    width = min(max(1, width), video.width)
    size = width, max(1, round(video.height * width / video.width))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()

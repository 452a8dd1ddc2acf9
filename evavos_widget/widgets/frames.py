"""A video as a page gets it: a few words, then each frame as a picture when it asks for one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evavos_widget.widgets.requests import Reply, Request, RequestError

if TYPE_CHECKING:
    from evavos_widget.video import Video

__all__ = ["describe", "serve_frame"]

_QUALITY = 75
"""JPEG quality of thumbnails; at 160 pixels one takes 3 to 6 KB."""


def describe(video: Video) -> dict[str, Any]:
    """``Video`` in the catalogue."""
    return {
        "name": video.name,
        "n_frames": video.n_frames,
        "height": video.height,
        "width": video.width,
        "fps": float(video.fps),
    }


def serve_frame(video: Video | None, request: Request) -> Reply:
    """Answer ``frame.get``: the frame as it is, or small where a width came.

    Raises
    ------
    RequestError
        There is no video, or no such frame in it.
    """
    if video is None:
        raise RequestError("invalid", "this widget shows no video, so it has no frames to send.")
    frame = request.fields.frame("frame", video.n_frames)
    if request.fields.has("width"):
        picture = _thumbnail(video, frame, request.fields.integer("width"))
    else:
        picture = video.jpeg(frame)
    return {"frame": frame, "mime": "image/jpeg"}, [picture]


def _thumbnail(video: Video, frame: int, width: int) -> bytes:
    """A frame as a JPEG file at most `width` pixels wide and at least one; height follows."""
    import cv2

    image = video.frame(frame)
    width = min(max(1, width), video.width)
    size = width, max(1, round(video.height * width / video.width))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()

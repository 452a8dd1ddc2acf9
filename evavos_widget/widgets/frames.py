"""A video as a page gets it: a few words, then each frame as a picture when it asks for one."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets

from evavos_widget.previews import Previews
from evavos_widget.video import check_frame
from evavos_widget.widgets.requests import Handler, Reply, Request, RequestError, Runs, Urgency

if TYPE_CHECKING:
    from collections.abc import Callable

    from evavos_widget.video import Video

__all__ = ["Frames", "describe", "thumbnail", "valid_frame"]

IDLE_SECONDS = 2.0
"""So long nobody must have asked for anything before pictures are made in advance, so that a
pause between two clicks is left alone."""

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


def valid_frame(frame: int, video: Video) -> int:
    """`check_frame` for a trait, whose error is a `traitlets.TraitError`."""
    try:
        return check_frame(frame, video.n_frames)
    except IndexError as error:
        raise traitlets.TraitError(str(error)) from None


class Frames:
    """Answers ``frame.get``, and makes small pictures of a video file while nobody asks.

    Parameters
    ----------
    video : Video or None
        None: there is nothing to show.
    busy : callable
        Whether the widget has something else to do.
    """

    def __init__(self, video: Video | None, busy: Callable[[], bool]) -> None:
        self._video = video
        self._busy = busy
        self._asked_at = time.monotonic()
        self._around = 0
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._previews: Previews | None = None
        self._filling: threading.Thread | None = None
        self.handler = Handler(self._answer, Urgency.FETCH, runs=self._runs)

    def start(self) -> None:
        """Begin to make pictures; those in a folder are read one by one anyway."""
        video = self._video
        if video is not None and len(video.paths) == 1 and video.n_frames > 1:
            self._filling = threading.Thread(target=self._fill, name="evavos-previews", daemon=True)
            self._filling.start()

    def stop(self) -> None:
        """Make no more pictures."""
        self._closing.set()

    def close(self) -> None:
        """Make no more pictures, and wait for the one that is being made."""
        self.stop()
        if self._filling is not None:
            self._filling.join()

    def _runs(self, request: Request) -> Runs:
        return Runs.QUICKLY if request.fields.flag("quick") else Runs.WORKER

    def _answer(self, request: Request) -> Reply:
        """The frame as it is; small where a width came; at once where it is to be quick.

        What is quick is a picture of something of the same moment: it says of which frame.
        """
        if self._video is None:
            raise RequestError(
                "invalid", "this widget shows no video, so it has no frames to send."
            )
        frame = index = request.fields.frame("frame", self._video.n_frames)
        self._asked_at, self._around = time.monotonic(), frame
        quick = request.fields.flag("quick")
        if quick:
            index, picture = self._pictures().quick(frame)
        elif request.fields.has("width"):
            # A picture that was made before is larger than a thumbnail, and there much sooner.
            made = self._pictures().get(frame)
            width = request.fields.integer("width")
            picture = thumbnail(self._video, frame, width, made)
        else:
            picture = self._video.jpeg(frame)
        reply = {"frame": frame, "mime": "image/jpeg", "exact": not quick, "index": index}
        return reply, [picture]

    def _pictures(self) -> Previews:
        assert self._video is not None
        with self._lock:
            if self._previews is None:
                self._previews = Previews(self._video)
            return self._previews

    def _idle(self) -> bool:
        resting = time.monotonic() - self._asked_at >= IDLE_SECONDS
        return resting and not self._closing.is_set() and not self._busy()

    def _fill(self) -> None:
        """On a thread of its own, until all pictures are there."""
        while not self._closing.wait(IDLE_SECONDS / 4):
            try:
                if self._idle() and self._pictures().fill(self._idle, around=self._around):
                    return
            except (OSError, ValueError):  # the video or the cache is gone: it is only a help
                return


def thumbnail(video: Video, frame: int, width: int, made: bytes | None = None) -> bytes:
    """A frame as a JPEG file at most `width` pixels wide and at least one; height follows.

    Parameters
    ----------
    made : bytes, optional
        A larger picture of the frame, which saves reading the frame itself.
    """
    import cv2

    image = None
    if made is not None:
        image = cv2.imdecode(np.frombuffer(made, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        image = cv2.cvtColor(video.frame(frame), cv2.COLOR_RGB2BGR)
    width = min(max(1, width), image.shape[1])
    size = width, max(1, round(video.height * width / video.width))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()

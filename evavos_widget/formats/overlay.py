"""An H.264 video with the masks painted over it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from evavos_widget.formats.base import Format, Job
from evavos_widget.overlay import overlay

__all__ = ["FORMAT", "write"]


def write(job: Job, file: Path) -> None:
    """Make the file."""
    import av

    colors = {o["id"]: o["color"] for o in job.objects}
    with av.open(str(file), "w", format="mp4") as container:
        rate = Fraction(job.video.fps).limit_denominator(1001)
        stream = container.add_stream(
            "libx264", rate=rate, options={"crf": "18", "preset": "veryfast"}
        )
        # Colour is stored for blocks of 2 x 2 pixels, so odd sizes repeat their last line.
        padding = (job.video.height % 2, job.video.width % 2)
        stream.height, stream.width = job.video.height + padding[0], job.video.width + padding[1]
        stream.pix_fmt = "yuv420p"
        for i, frame in enumerate(job.video):
            picture = overlay(frame, job.masks[i], colors)
            picture = np.pad(picture, ((0, padding[0]), (0, padding[1]), (0, 0)), mode="edge")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            job.step(i + 1)
        container.mux(stream.encode(None))


FORMAT = Format(".mp4", "an H.264 video with the masks painted over it", write)
"""To be looked at, not to be read."""

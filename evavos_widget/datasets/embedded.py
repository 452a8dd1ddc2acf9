"""The clip that comes with the package: a video with ground truth that always works.

It is rendered by `evavos_widget.datasets.synthetic` from photographs that ship with
scikit-image, and stored as an H.264 file and runs of labels in ``datasets/data``.
``python -m evavos_widget.datasets.embedded`` renders it again and writes both files.
"""

from __future__ import annotations

import atexit
from contextlib import ExitStack
from importlib import resources
from pathlib import Path

import numpy as np

from evavos_widget.datasets.annotated_video import AnnotatedVideo
from evavos_widget.datasets.synthetic import Clip, render_clip
from evavos_widget.masks import LabelMaps
from evavos_widget.video import Video

__all__ = ["embedded_clip"]

NAME = "coffee-break"
SEED = 108
FPS = 24

CONSTANT_RATE_FACTOR = 20
"""Quality of the H.264 file: about 35 dB, which is mostly sensor noise, in 0.6 MB."""

KEY_FRAME_EVERY = 12
"""Frames from one key frame to the next, so that any frame is near one."""

_files = ExitStack()  # holds copies of the files while the package is imported from an archive
atexit.register(_files.close)


def embedded_clip() -> AnnotatedVideo:
    """Open the embedded clip; needs neither scikit-image nor a network.

    An astronaut (object 1) and a cup of coffee (object 2) on a launch pad at dusk, 60 frames
    of 854 x 480 with ground truth on each.

    Returns
    -------
    AnnotatedVideo

    Examples
    --------
    >>> clip = embedded_clip()
    >>> clip
    <AnnotatedVideo 'coffee-break': 60 frames of 854 x 480, 60 with ground truth>
    >>> clip.ground_truth[0].max()
    np.uint8(2)
    """
    video = Video.open(_file("mp4"), name=NAME)
    with np.load(_file("npz")) as stored:
        height, width = stored["size"].tolist()
        runs = np.split(stored["runs"], np.cumsum(stored["lengths"])[:-1])
    masks = LabelMaps(runs, height, width)
    return AnnotatedVideo(NAME, video, dict(enumerate(masks)))


def render() -> Clip:
    """Render the embedded clip again; needs scikit-image."""
    return render_clip(SEED)


def write(clip: Clip, folder: Path) -> None:
    """Write the two files that `embedded_clip` reads."""
    import av

    with av.open(str(folder / f"{NAME}.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.height, stream.width = clip.frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.options = {
            "crf": str(CONSTANT_RATE_FACTOR),
            "g": str(KEY_FRAME_EVERY),
            "preset": "veryslow",
            "threads": "1",  # so that the same frames give the same file
        }
        for picture in clip.frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())

    masks = LabelMaps.from_array(clip.labels)
    runs = [masks.runs(index) for index in range(len(masks))]
    np.savez_compressed(
        folder / f"{NAME}.npz",
        runs=np.concatenate(runs),
        lengths=np.array([len(part) for part in runs], np.uint32),
        size=np.array(masks.shape[1:], np.uint32),
    )


def _file(suffix: str) -> Path:
    inside = resources.files("evavos_widget.datasets").joinpath(f"data/{NAME}.{suffix}")
    return _files.enter_context(resources.as_file(inside))


if __name__ == "__main__":
    write(render(), Path(__file__).parent / "data")

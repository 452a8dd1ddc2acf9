"""What has to happen before there is something to see: import, a picture, the script for the page.

Each measurement is a process of its own; seconds are of the wall clock, since starting is mostly
reading files.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from benchmarks.missing import naming_what_is_missing
from benchmarks.side_by_side import Comparison, in_turns

__all__ = ["compare_bundles", "compare_imports", "compare_pictures"]

_IMPORTS = "import evavos_widget", "import jupyter_bbox_widget"

_PICTURES = (
    """
from evavos_widget import Annotator
annotator = Annotator({video!r}, path={folder!r})
annotator.session.video.jpeg(0)
""",
    """
from jupyter_bbox_widget import BBoxWidget
BBoxWidget(image={picture!r}).image_bytes
""",
)
"""From the import to a picture that a page can show: ours is a frame of a session that can be
annotated, the engines of which are loaded behind it; theirs is one picture from a file."""


def compare_imports(repeats: int = 5) -> list[Comparison]:
    """Seconds of an import."""
    _installed()
    pairs = in_turns(lambda: _seconds(_IMPORTS[0]), lambda: _seconds(_IMPORTS[1]), repeats)
    return [Comparison("the import", "jupyter-bbox-widget", "s", pairs)]


def compare_pictures(frames: np.ndarray, repeats: int = 5) -> list[Comparison]:
    """Seconds from the import to the first picture.

    Parameters
    ----------
    frames : (N, H, W, 3) uint8 array, RGB
    repeats : int
    """
    _installed()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "frames"
        folder.mkdir()
        for i, frame in enumerate(frames):
            picture = folder / f"{i:05d}.jpg"
            cv2.imwrite(str(picture), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        sessions = iter(range(repeats))

        def ours() -> float:
            session = str(Path(place) / f"session-{next(sessions)}")
            return _seconds(_PICTURES[0].format(video=str(folder), folder=session))

        def theirs() -> float:
            return _seconds(_PICTURES[1].format(picture=str(folder / "00000.jpg")))

        pairs = in_turns(ours, theirs, repeats)
    return [Comparison("import to first picture", "jupyter-bbox-widget", "s", pairs)]


def compare_bundles() -> list[Comparison]:
    """Kilobytes that a page is given with the widget: script and style."""
    _installed()
    import jupyter_bbox_widget

    from evavos_widget.widgets.bundle import page

    static = Path(jupyter_bbox_widget.__file__).parent / "static"
    theirs = sum(len((static / name).read_bytes()) for name in ("main.mjs", "style.css"))
    ours = sum(len(part.encode()) for part in page("annotator").values())
    return [
        Comparison("script and style", "jupyter-bbox-widget", "kB", [(ours / 1e3, theirs / 1e3)])
    ]


def _installed() -> None:
    with naming_what_is_missing("the comparison with jupyter-bbox-widget"):
        import jupyter_bbox_widget  # noqa: F401


def _seconds(code: str) -> float:
    """Seconds of a program in a process of its own, Python started."""
    timed = f"import time\nbegin = time.perf_counter()\n{code}\nprint(time.perf_counter() - begin)"
    out = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", timed], check=True, capture_output=True, text=True
    )
    return float(out.stdout.splitlines()[-1])

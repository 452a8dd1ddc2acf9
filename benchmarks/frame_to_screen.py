"""From a key to the next frame on the screen, in JupyterLab, beside other ways to show one.

The annotator gets its next frame by its own key. `ipywidgets.Image` and jupyter-bbox-widget get
theirs as their documentation has it: a slider, and in the kernel a function that sets the picture.
All show the same JPEG files. The clock is the page's, from the key to the frame after the picture
is decoded; bytes are all that come over the kernel's web socket but script and style, a frame.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.missing import naming_what_is_missing
from benchmarks.side_by_side import Comparison
from benchmarks.starting import compare_bundles

__all__ = ["compare_frames"]

HEIGHTS = 480, 720, 1080

FRAMES = 14
"""Of each video; the first two are not counted."""

_SETUP = """
from pathlib import Path
import ipywidgets
from jupyter_bbox_widget import BBoxWidget
from evavos_widget import Annotator
folder = Path({folder!r})
files = sorted(folder.glob("*.jpg"))

def slider(show):
    control = ipywidgets.IntSlider(0, 0, len(files) - 1, readout=False)
    control.observe(lambda change: show(change.new), "value")
    return control
"""

_SHOW = {
    "annotator": "Annotator(str(folder), path={session!r})",
    "ipywidgets.Image": """image = ipywidgets.Image(value=files[0].read_bytes(), format="jpeg")
control = slider(lambda i: setattr(image, "value", files[i].read_bytes()))
ipywidgets.VBox([control, image])""",
    "jupyter-bbox-widget": """image = BBoxWidget(image=str(files[0]), view_only=True)
control = slider(lambda i: setattr(image, "image", str(files[i])))
ipywidgets.VBox([control, image])""",
}

_OURS = """async (frame) => {
  const root = document.querySelector(".evavos");
  const shown = () => root.dataset.frame === String(frame);
  while (!shown()) await new Promise(requestAnimationFrame);
  return performance.now() - window.pressed;
}"""

_THEIRS = """async (before) => {
  const picture = () => document.querySelector(".jp-OutputArea-output img");
  while (picture().src === before) await new Promise(requestAnimationFrame);
  await picture().decode();
  await new Promise(requestAnimationFrame);
  return performance.now() - window.pressed;
}"""


def compare_frames(frames: np.ndarray) -> list[Comparison]:
    """Milliseconds and kilobytes of a frame, at three sizes.

    Parameters
    ----------
    frames : (N, H, W, 3) uint8 array, RGB
        Brought to each of the sizes; `FRAMES` of them at least.
    """
    with naming_what_is_missing("the comparison in JupyterLab"):
        from playwright.sync_api import sync_playwright

    scripts = {"ipywidgets.Image": 0.0}  # It comes with the page.
    [bundles] = compare_bundles()
    scripts["annotator"], scripts["jupyter-bbox-widget"] = bundles.here, bundles.there

    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "e2e"))
    from conftest import jupyter
    from lab import Notebook

    found = []
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        home = Path(place) / "home"
        home.mkdir()
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu"],
        )
        with jupyter(home, "jupyterlab") as lab:
            for height in HEIGHTS:
                folder = _written(frames, Path(place) / str(height), height)
                times: dict[str, list[float]] = {}
                sizes: dict[str, float] = {}
                for name, show in _SHOW.items():
                    session = str(Path(place) / f"session-{height}")
                    cells = [_SETUP.format(folder=str(folder)), show.format(session=session)]
                    notebook = Notebook(lab, browser, f"{name}-{height}", cells, 1600, 1300)
                    times[name], received = _measured(notebook, ours=name == "annotator")
                    sizes[name] = (received - scripts[name]) / FRAMES
                    notebook.close()
                ours, size = times.pop("annotator"), sizes.pop("annotator")
                for name, theirs in times.items():
                    both = list(zip(ours, theirs, strict=True))
                    found += [
                        Comparison(f"key to the next frame, {height}p", name, "ms", both),
                        Comparison(
                            f"a frame on the wire, {height}p", name, "kB", [(size, sizes[name])]
                        ),
                    ]
        browser.close()
    return found


def _written(frames: np.ndarray, folder: Path, height: int) -> Path:
    """The frames as JPEG files of a height."""
    folder.mkdir()
    width = round(frames.shape[2] * height / frames.shape[1] / 2) * 2
    for i, frame in enumerate(frames[:FRAMES]):
        picture = cv2.resize(frame, (width, height), interpolation=cv2.INTER_CUBIC)
        path = str(folder / f"{i:05d}.jpg")
        cv2.imwrite(path, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 90])
    return folder


def _measured(notebook: Any, *, ours: bool) -> tuple[list[float], float]:
    """Milliseconds of each frame but the first two, and kilobytes that came with all of them."""
    received = 0
    page = notebook.page

    def count(payload: bytes | str) -> None:
        nonlocal received
        received += len(payload)

    page.on("websocket", lambda socket: socket.on("framereceived", count))
    page.reload()
    notebook.wait_until_idle()
    notebook.run_cell(0)
    received = 0
    notebook.run_cell(1)
    page.evaluate("addEventListener('keydown', () => { window.pressed = performance.now() }, true)")
    if ours:
        notebook.annotator().ready().on_frame(0)
        target = page.locator(".ev-stage")
    else:
        page.locator(".jp-OutputArea-output img").wait_for()
        target = page.locator(".jp-OutputArea-output .noUi-handle")
    target.focus()
    spent = []
    for frame in range(1, FRAMES):
        before = "" if ours else page.locator(".jp-OutputArea-output img").get_attribute("src")
        page.wait_for_timeout(300)  # A person looks before pressing again.
        page.keyboard.press("ArrowRight")
        spent.append(page.evaluate(_OURS, frame) if ours else page.evaluate(_THEIRS, before))
    page.wait_for_timeout(300)
    return spent[1:], received / 1e3

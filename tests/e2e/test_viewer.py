"""A small widget on the host, written as anybody would: it shows frames in a real notebook."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from harness import JS

HERE = Path(__file__).parent / "viewer"

CELL = """\
import sys
from pathlib import Path
import numpy as np
sys.path.insert(0, {folder!r})
from viewer import Viewer
frames = np.zeros((9, 48, 64, 3), np.uint8)
frames[...] = [[[[30 * i, 240 - 30 * i, 90]]] for i in range(9)]
viewer = Viewer(frames, Path({page!r}))
viewer"""

#: Mean colour of the picture as it is painted.
PAINTED = """stage => {
    const canvas = stage.querySelector("canvas");
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(width / 2, height / 2, 1, 1);
    return [...data];
}"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the viewer's page, bundled with the package's own parts."""
    if not (JS / "node_modules").is_dir():
        pytest.skip("the page needs `npm --prefix js ci`")
    folder = tmp_path_factory.mktemp("page")
    command = ["node", "build.mjs", "--bundle", str(HERE / "viewer.ts"), str(folder)]
    subprocess.run(command, cwd=JS, check=True, capture_output=True)
    return folder


def test_a_viewer_of_frames_takes_less_than_eighty_lines():
    lines = [len((HERE / name).read_text().splitlines()) for name in ("viewer.py", "viewer.ts")]
    assert sum(lines) < 80


def test_a_small_widget_shows_frames_in_every_view(open_notebook, page):
    from playwright.sync_api import expect

    notebook = open_notebook(CELL.format(folder=str(HERE), page=str(page)), "viewer")
    notebook.run_cell(0)
    notebook.run_cell(1)
    views = [notebook.page.locator("[data-frame]").nth(i) for i in range(2)]

    def shows(frame: int) -> None:
        for view in views:
            view.scroll_into_view_if_needed()
            expect(view).to_have_attribute("data-frame", str(frame))
            colour = view.evaluate(PAINTED)
            assert colour == pytest.approx([30 * frame, 240 - 30 * frame, 90, 255], abs=6)

    shows(0)
    notebook.python("viewer.frame = 7")
    shows(7)
    notebook.python("viewer.frame = 99")
    notebook.python("viewer.frame = 3")
    shows(3)
    notebook.python("viewer.close()")
    expect(notebook.page.locator("[data-frame]")).to_have_count(0)
    assert not notebook.errors

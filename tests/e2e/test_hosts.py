"""The annotator where it was not made: in Notebook 7 and in marimo, as a person uses it there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import jupyter, served
from lab import PATIENCE_MS, Annotator, Lab, Notebook

FRAMES = """\
import numpy as np

frames = np.full((8, 120, 160, 3), 60, np.uint8)
for i, frame in enumerate(frames):
    frame[40:80, 20 + 6 * i : 60 + 6 * i] = 230, 200, 40
"""

SETUP = f"""\
{FRAMES}
from evavos_widget import Annotator

annotator = Annotator(frames, path={{path!r}}, propagator="flow", predictor="classical")
"""

SQUARE = np.zeros((120, 160), np.uint8)
SQUARE[40:80, 20:60] = 1

MARIMO = """\
import marimo

app = marimo.App()


@app.cell
def _():
{cell}
    annotator
    return (annotator,)


if __name__ == "__main__":
    app.run()
"""


class ClassicNotebook(Notebook):
    """A notebook in Notebook 7."""

    def open(self) -> None:
        self.page.goto(f"{self.lab.url}/notebooks/{self.name}")
        self.wait_until_idle()

    def wait_until_idle(self) -> None:
        self.page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
        self.page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for()

    def run_cell(self, index: int) -> None:
        """As often as it takes: a page that looks ready may not hear its keys yet."""
        for attempt in range(20):
            # Now and then a dialog of the host's lies over the notebook.
            offered = self.page.locator(".jp-Dialog button.jp-mod-accept")
            if offered.count():
                offered.first.click()
            cell = self.page.locator(".jp-Notebook .jp-CodeCell").nth(index)
            cell.locator(".jp-InputArea-editor").click()
            self.page.keyboard.press("Shift+Enter")
            self.page.wait_for_timeout(1000 + 500 * attempt)
            if cell.locator(".jp-InputArea-prompt").inner_text().strip() != "[ ]:":
                return
        raise AssertionError("the cell does not run")


@pytest.fixture(scope="module")
def classic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    pytest.importorskip("notebook")
    with jupyter(tmp_path_factory.mktemp("classic"), "notebook") as server:
        yield server


def outline_and_propagate(annotator: Annotator, path: Path) -> None:
    """Paint the square, commit and propagate; what is on disk is what was painted."""
    annotator.ready()
    annotator.press("tool.brush")
    annotator.paint(SQUARE)
    annotator.draft("brush")
    annotator.commit(propagate=True)
    annotator.phase("idle")
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while not carried(path):
        assert time.monotonic() < deadline, "the masks were not carried to the last frame"
        time.sleep(0.3)


def carried(path: Path) -> bool:
    from evavos_widget import Session

    if not (path / "masks.npz").is_file():
        return False
    names: dict[str, Any] = {}
    exec(FRAMES, names)
    with Session.open(path, video=names["frames"], read_only=True) as session:
        return bool((session.masks[7][45:75, 66:98] == 1).mean() > 0.8)


def test_notebook_7(classic: Lab, browser: Any) -> None:
    path = classic.work / "classic.evavos"
    cell = SETUP.format(path=str(path)) + "annotator"
    notebook = ClassicNotebook(classic, browser, "classic", [cell], 1280, 900)
    try:
        notebook.run_cell(0)
        outline_and_propagate(notebook.annotator(), path)
        # Z is a key of the host too, which must not get it from the annotator.
        before = notebook.value("annotator.session.revision")
        notebook.page.keyboard.press("Control+z")
        notebook.annotator().at_revision(before + 1)
        assert notebook.value("sorted(annotator.session.annotations)") == []
        assert notebook.page.locator(".jp-Notebook .jp-CodeCell").count() == 2
        notebook.page.keyboard.press("Control+Shift+z")
        notebook.annotator().at_revision(before + 2)
        # Notebook 7 asks for settings of an extension of JupyterLab's that it does not have.
        assert [error for error in notebook.errors if "'schema'" not in error] == []
    finally:
        notebook.close()


def test_marimo(browser: Any, tmp_path: Path) -> None:
    pytest.importorskip("marimo")
    path = tmp_path / "marimo.evavos"
    cell = SETUP.format(path=str(path))
    source = tmp_path / "annotate.py"
    source.write_text(MARIMO.format(cell="".join(f"    {x}\n" for x in cell.splitlines())))
    arguments = ["marimo", "run", str(source), "--headless", "--no-token", "--port={port}"]
    arguments += ["--host=127.0.0.1"]
    home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    with served(tmp_path, arguments, home, "health") as url:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(url)
        try:
            outline_and_propagate(Annotator(page, 0), path)
            annotator = Annotator(page, 0)
            annotator.show(7)
            assert annotator.phase_when_painted() == "idle"
            assert not errors
        finally:
            context.close()

"""Every notebook under examples/ runs top to bottom, in an empty folder, without a front end."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "examples").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path: Path, tmp_path: Path):
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()  # raises with the cell's own traceback
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source]
    assert code
    assert all(cell.execution_count for cell in code)


def test_the_notebook_that_make_lab_opens_is_there():
    assert "01_annotate" in [path.stem for path in NOTEBOOKS]

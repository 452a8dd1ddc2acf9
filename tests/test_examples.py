"""Every notebook under examples/ runs top to bottom, in an empty folder, without a front end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[1] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path: Path, tmp_path: Path):
    """Twice, as after a restart of the kernel: what the first run left is in the folder."""
    for _ in range(2):
        notebook = nbformat.read(path, as_version=4)
        where = {"metadata": {"path": str(tmp_path)}}
        client = NotebookClient(notebook, timeout=600, resources=where)
        client.execute()  # raises with the cell's own traceback
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source]
    assert code
    assert all(cell.execution_count for cell in code)
    for cell in code:
        if "solution" in cell.metadata.get("tags", ()) and "check(" in cell.source:
            assert ": right" in cell.outputs[0].text


def test_the_notebook_that_make_lab_opens_is_there():
    assert "01_annotate" in [path.stem for path in NOTEBOOKS]


@pytest.fixture(scope="module")
def exercises() -> dict[str, Any]:
    """What the first two cells of code of the notebook with the exercises define."""
    notebook = nbformat.read(EXAMPLES / "06_loop_step_by_step.ipynb", as_version=4)
    names: dict[str, Any] = {}
    for cell in [cell for cell in notebook.cells if cell.cell_type == "code"][:2]:
        exec(cell.source, names)
    masks = [np.eye(4, dtype=bool), np.zeros((4, 4), bool)]
    names["cases"] |= {
        "iou": [(masks[0], masks[0]), (masks[0], masks[1]), (masks[1], masks[1])],
        "label_map": [(np.eye(3, dtype=np.float32).reshape(3, 1, 3), [3, 7])],
        "farthest": [([0], 20), ([3, 10], 20)],
        "how": [(0.9, 0.8), (0.2, 0.8)],
    }
    return names


WRONG = {
    "nothing": lambda *case: None,
    "NaN": lambda *case: np.nan,
    "a word": lambda *case: "mask",
    "a ragged list": lambda *case: [[1, 2], [3]],
    "an object": lambda *case: object(),
    "another number": lambda *case: -1,
    "other arguments": lambda: 0,
    "no function": 3,
}


@pytest.mark.parametrize("exercise", ["iou", "label_map", "farthest", "how"])
@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_an_exercise_survives_any_answer(exercises, exercise: str, wrong: Any, capsys):
    exercises["check"](exercise, wrong)
    assert capsys.readouterr().out.startswith(f"{exercise}: not yet, ")
    assert exercises["pieces"][exercise] is exercises["right"][exercise]


@pytest.mark.parametrize("exercise", ["iou", "label_map", "farthest", "how"])
def test_an_exercise_takes_a_right_answer(exercises, exercise: str, capsys):
    def answer(*case: Any) -> Any:
        found = exercises["right"][exercise](*case)
        return found.tolist() if isinstance(found, np.ndarray) else found

    exercises["check"](exercise, answer)
    assert capsys.readouterr().out.startswith(f"{exercise}: right")
    assert exercises["pieces"][exercise] is answer


def test_an_answer_of_another_shape_is_not_right_where_its_values_are(exercises, capsys):
    exercises["check"]("label_map", lambda p, ids: exercises["right_label_map"](p, ids)[None])
    assert "shape (1, 1, 3) where (1, 3) is right" in capsys.readouterr().out


def test_an_answer_that_changes_what_it_was_given_changes_no_case(exercises, capsys):
    def answer(p: np.ndarray, objects: list[int]) -> np.ndarray:
        found = exercises["right_label_map"](p, objects)
        p[:] = 0
        objects.clear()
        return found

    for _ in range(2):
        exercises["check"]("label_map", answer)
        assert ": right" in capsys.readouterr().out

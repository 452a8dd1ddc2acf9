from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evavos_widget.training.curve import main, read_log, smoothed
from evavos_widget.training.objective import Objective
from evavos_widget.training.point_objective import PointObjective
from evavos_widget.training.run import COLUMNS


@pytest.mark.parametrize("objective", [Objective, PointObjective])
def test_a_log_becomes_a_picture(
    objective: type[Objective | PointObjective],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    log, picture = tmp_path / "log.csv", tmp_path / "curve.png"
    columns = (*COLUMNS, *objective.LOGGED)
    log.write_text(",".join(columns) + "\n")
    assert main([str(log), "--out", str(picture)]) == 1
    assert "no rows yet" in capsys.readouterr().err
    with log.open("a") as file:
        file.writelines(",".join([str(i)] * len(columns)) + "\n" for i in (1, 2, 3))
    assert main([str(log), "--out", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert read_log(log)["iou"].tolist() == [1, 2, 3]


def test_smoothing_looks_back() -> None:
    np.testing.assert_allclose(smoothed(np.array([1.0, 3, 5, 7]), 2), [1, 2, 4, 6])

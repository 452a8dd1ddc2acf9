"""What annotations of hidden objects bring, told apart from those of objects that show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import shown
from evavos_widget.datasets.annotated_video import AnnotatedVideo
from evavos_widget.datasets.davis import write_sequence
from evavos_widget.experiments.table import Row, Table
from evavos_widget.video import Video

SIDES = {1: (20, 20, 10, 20, 0), 2: (4, 4, 4, 4, 4)}
"""Of two square objects, on five frames: one is half hidden in depth on the third, gone on the
last; a small one always shows."""


def data(root: Path) -> Path:
    labels = np.zeros((5, 48, 96), np.uint8)
    for obj, sides in SIDES.items():
        for frame, side in enumerate(sides):
            labels[frame, 2 : 2 + side, 40 * (obj - 1) : 40 * (obj - 1) + side] = obj
    frames = np.stack([np.full((48, 96, 3), 50 + 20 * i, np.uint8) for i in range(5)])
    video = Video.open(frames, name="squares")
    write_sequence(root, AnnotatedVideo("squares", video, dict(enumerate(labels))))
    return root


def rows(obj: int, frames: list[int], jf: list[float]) -> list[Row]:
    return [
        Row("worst", "squares", obj, 0, n, f, "mask", 80, 0.02 * n, q, q, q, 0, "evavos", 320)
        for n, (f, q) in enumerate(zip(frames, jf, strict=True))
    ]


def test_gains_are_told_by_how_much_of_each_object_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = Table(tmp_path / "loop", {})
    table.append(rows(1, [0, 2, 4, 3], [0.5, 0.4, 0.3, 0.6]))
    table.append(rows(2, [0, 4], [0.5, 0.8]))
    folder = data(tmp_path / "data")
    monkeypatch.setattr("sys.argv", ["shown", str(tmp_path / "loop"), str(folder)])
    shown.main()
    method, n, gone, mostly, partly, all_of_it = (
        cell.strip() for cell in capsys.readouterr().out.splitlines()[-1].strip("|").split("|")
    )
    assert (method, n) == ("worst", "4")
    assert gone.startswith("25 %: -0.100")
    assert mostly.startswith("25 %: -0.100")  # a quarter of its pixels
    assert partly == "0 %"
    # The small object shows on the frame on which the large one is gone.
    assert all_of_it.startswith("50 %: +0.300")


def test_only_the_methods_asked_for_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = Table(tmp_path / "loop", {})
    table.append(rows(1, [0, 1], [0.5, 0.6]))
    arguments = [str(tmp_path / "loop"), str(data(tmp_path / "data")), "--methods", "joint"]
    monkeypatch.setattr("sys.argv", ["shown", *arguments])
    shown.main()
    assert len(capsys.readouterr().out.splitlines()) == 2  # the head of the table alone

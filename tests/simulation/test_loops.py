from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evavos_widget.datasets.sequence import Sequence
from evavos_widget.simulation import loops
from evavos_widget.simulation.loops import Row, picture, read_rows, run_loop, run_loops, summary
from evavos_widget.video import Video

OPTIONS = {"rounds": 3, "propagator": "flow", "predictor": "classical"}


@pytest.fixture(scope="module")
def sequence() -> Sequence:
    """A bright square that moves over a dark, textured ground."""
    random = np.random.default_rng(0)
    frames = np.tile(random.integers(0, 80, (64, 96, 3), np.uint8), (8, 1, 1, 1))
    truth = {}
    for i, frame in enumerate(frames):
        frame[20:40, 10 + 5 * i : 30 + 5 * i] = (200, 180, 60)
        truth[i] = np.zeros((64, 96), np.uint8)
        truth[i][20:40, 10 + 5 * i : 30 + 5 * i] = 1
    return Sequence("square", Video.open(frames), truth)


def test_rows_are_rounds_of_the_session_and_cost_what_the_robot_did(sequence: Sequence) -> None:
    rows = list(run_loop(sequence, "m", annotation="mask", **OPTIONS))
    assert [row.round for row in rows] == [0, 1, 2, 3]
    assert [row.seconds for row in rows] == [80, 160, 240, 320]
    assert (rows[0].frame, rows[0].type) == (0, "mask")
    assert len({row.frame for row in rows}) == 4
    assert rows[-1].jf > 0.9


def test_a_table_is_taken_up_where_it_was_left(
    sequence: Sequence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def open_sequence(root: Path, name: str) -> Sequence:
        opened.append(name)
        if opened == ["a", "b"]:
            raise KeyboardInterrupt
        return Sequence(name, Video.open(np.asarray(list(sequence.video))), sequence.ground_truth)

    monkeypatch.setattr(loops, "open_sequence", open_sequence)
    table = tmp_path / "new" / "table.csv"
    options = {**OPTIONS, "annotation": "clicks", "report": lambda line: None}
    with pytest.raises(KeyboardInterrupt):
        run_loops(tmp_path, ["a", "b"], table, "m", **options)
    run_loops(tmp_path, ["a", "b"], table, "m", **options)
    assert opened == ["a", "b", "b"]
    rows = read_rows(table)
    assert [(row.video, row.round) for row in rows] == [(v, n) for v in "ab" for n in range(4)]
    assert [r.jf for r in rows if r.video == "a"] == [r.jf for r in rows if r.video == "b"]
    picture(rows, tmp_path / "loop.png")
    assert (tmp_path / "loop.png").stat().st_size > 10_000


def test_a_loop_that_ended_early_keeps_its_last_values_in_the_mean() -> None:
    rows = [Row("m", "a", n, 0, "mask", 10.0 * n, 0.5 + 0.1 * n) for n in range(3)]
    rows += [Row("m", "b", 0, 0, "mask", 10.0, 0.9)]
    seconds, jf, error = summary(rows)["m"].T
    assert seconds == pytest.approx([5, 10, 15])
    assert jf == pytest.approx([0.7, 0.75, 0.8])
    assert error[0] == pytest.approx(0.2)

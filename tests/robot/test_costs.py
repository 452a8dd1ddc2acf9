from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evavos_widget.cli import main
from evavos_widget.prompts import Costs
from evavos_widget.robot.costs import measured_costs, read_costs, write_costs
from evavos_widget.session import Session
from evavos_widget.testing import Disks, NearestCopy

H, W = 24, 32


@pytest.fixture
def worked(tmp_path: Path) -> Path:
    """A session in which a mask took 40 s for each object, and n clicks 2 + 3 n."""
    path = tmp_path / "worked.evavos"
    frames = np.zeros((40, H, W, 3), np.uint8)
    both = np.ones((H, W), np.uint8)
    both[:, 9:] = 2
    with Session(frames, propagator=NearestCopy(), predictor=Disks(), path=path) as session:
        for _ in range(2):
            session.add_object()
        for frame in range(6):
            session.annotate(frame, both, seconds=80)
        for frame in range(6, 14):
            clicks = [(5, 5, True)] * (1 + frame % 4)
            seconds = 600 if frame == 9 else 2 + 3 * len(clicks)  # once, coffee
            session.annotate(
                frame, both == 1, objects=[1], kind="clicks", clicks=clicks, seconds=seconds
            )
        session.annotate(20, both == 1, objects=[1], kind="box", seconds=99)
        session.undo()
        session.import_masks({30: both})
    return path


def test_costs_are_those_of_the_journal(worked: Path) -> None:
    costs, counts = measured_costs([worked])
    assert costs.mask == 40
    assert costs.click == pytest.approx(3, abs=0.5)
    assert costs.locate == pytest.approx(2, abs=1.5)
    assert costs.box == Costs().box  # once is too few
    assert {k: n for k, n in counts.items() if n} == {"mask": 6, "clicks": 8, "box": 1}
    assert measured_costs([worked], least=1)[0].box == 99


def test_pauses_that_an_older_session_took_for_work_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "older.evavos"
    frames = np.zeros((40, H, W, 3), np.uint8)
    mask = np.ones((H, W), bool)
    with Session(frames, propagator=NearestCopy(), predictor=Disks(), path=path) as session:
        session.add_object()
        for frame in range(24):
            clicks = [(5, 5, True)] * (1 + frame % 3)
            paused = frame % 2 == 0  # every other time somebody read for minutes
            seconds = 100 + 16.8 * len(clicks) if paused else 2 + 3 * len(clicks)
            args = {"objects": [1], "clicks": clicks, "seconds": seconds}
            session.annotate(frame, mask, kind="clicks", **args)
        for frame in range(24, 30):
            session.annotate(frame, mask, objects=[1], kind="verified", seconds=[3, 276][frame % 2])
    costs, counts = measured_costs([path], least=3)
    assert costs.click == pytest.approx(3)
    assert costs.locate == pytest.approx(2)
    assert costs.verified == 3
    assert (counts["clicks"], counts["verified"]) == (24, 6)


def test_a_file_says_what_was_written(tmp_path: Path) -> None:
    costs = Costs(mask=31.5, absent=0)
    write_costs(costs, tmp_path / "mine.toml")
    assert read_costs(tmp_path / "mine.toml") == costs


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("masks = 3", "'masks'"),
        ("mask = -3", r"^mask of .*mine\.toml is -3"),
        ("mask = true", r"^mask of .*mine\.toml is True"),
        ("mask = '3'", "is '3'; give seconds"),
        ("mask: 3", "not a TOML file"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(ValueError, match=said):
        read_costs(tmp_path / "mine.toml")


def test_the_command_tells_and_writes(
    worked: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "costs.toml"
    assert main(["costs", str(worked), "--out", str(out)]) == 0
    assert "40.00 s  (was 80)" in capsys.readouterr().out
    assert read_costs(out).mask == 40
    assert main(["costs", str(tmp_path)]) == 1
    assert "not a session" in capsys.readouterr().err

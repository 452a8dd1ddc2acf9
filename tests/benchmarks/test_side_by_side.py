"""The table of comparisons: pairs that were measured together stay together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.side_by_side import Comparison, in_turns, table
from evavos_widget.cli import main


def test_ratios_are_of_pairs_and_not_of_medians() -> None:
    """A slow moment of the machine is in both numbers of its pair."""
    both = Comparison("a frame", "other", "ms", [(1.0, 2.0), (10.0, 20.0), (4.0, 12.0)])
    assert both.ratios == (2.0, 2.0, 3.0)
    assert (both.here, both.there) == (4.0, 12.0)
    assert both.as_json()["ratio"] == 2.0


def test_measurements_take_turns() -> None:
    order: list[str] = []

    def note(name: str) -> float:
        order.append(name)
        return len(order)

    assert in_turns(lambda: note("a"), lambda: note("b"), 2) == [(1, 2), (3, 4)]
    assert order == ["a", "b", "a", "b"]


def test_a_row_says_its_spread_where_there_is_one() -> None:
    rows = table(
        [
            Comparison("one", "x", "ms", [(2.0, 1.0), (2.0, 4.0)]),
            Comparison("two", "y", "kB", [(250.4, 125.2)]),
        ]
    ).splitlines()
    assert rows[2] == "| one | 2 ms | 2.5 ms | `x` | 1.25 (0.50 to 2.00) |"
    assert rows[3] == "| two | 250 kB | 125 kB | `y` | 0.50 |"


def test_the_command_measures_what_it_is_asked_for(tmp_path: Path) -> None:
    pytest.importorskip("jupyter_bbox_widget")
    out = tmp_path / "all.json"
    main(["benchmark", "all", "--data", str(tmp_path), "--only", "bundle", "--json", str(out)])
    found = json.loads(out.read_text())
    assert [row["what"] for row in found["rows"]] == ["script and style"]
    assert found["rows"][0]["here"] > 0
    assert found["processor"]


def test_a_part_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["benchmark", "all", "--data", str(tmp_path), "--only", "speed"])
    assert "no part 'speed'" in capsys.readouterr().err

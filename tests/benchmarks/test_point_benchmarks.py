"""The commands that measure points: what is kept, and what is told of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import error_removed, point_chain
from benchmarks.point_training import interval


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two sequences laid out as DAVIS, with a square that moves."""
    rng = np.random.default_rng(0)
    root = tmp_path / "data"
    for name in ("one", "two"):
        for kind in ("JPEGImages", "Annotations"):
            (root / kind / "480p" / name).mkdir(parents=True)
        for i in range(5):
            frame = rng.integers(0, 90, (96, 160, 3), dtype=np.uint8)
            mask = np.zeros((96, 160), np.uint8)
            mask[24:64, 16 + 8 * i : 56 + 8 * i] = 255
            frame[mask > 0] += 150
            cv2.imwrite(str(root / f"JPEGImages/480p/{name}/{i:05d}.jpg"), frame)
            cv2.imwrite(str(root / f"Annotations/480p/{name}/{i:05d}.png"), mask)
    (root / "ImageSets").mkdir()
    for split in ("train", "val"):
        (root / "ImageSets" / f"{split}.txt").write_text("one\ntwo\n")
    return root


def run(monkeypatch: pytest.MonkeyPatch, main: object, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["command", *arguments])
    main()  # type: ignore[operator]


def test_the_share_of_the_error_weighs_frames_by_their_error() -> None:
    rows = {
        "one": [{"before": 0.6, "clicks": 0.8}, {"before": 0.9, "clicks": 0.9}],
        "two": [{"before": 0.5, "clicks": 0.4}],
    }
    share, low, high = error_removed.removed(rows, "clicks")
    assert share == pytest.approx(0.1 / 1.0)
    assert low == pytest.approx(-0.1 / 0.5)  # of the second sequence alone
    assert high == pytest.approx(0.2 / 0.5)


def test_an_interval_holds_the_mean_and_that_of_equal_values_is_a_point() -> None:
    low, high = interval(np.array([1.0, 2.0, 4.0]))
    assert 1 <= low < 7 / 3 < high <= 4
    assert interval(np.full(3, 5.0)) == (5, 5)


def test_error_removed_goes_on_with_what_its_file_lacks(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rows.jsonl"
    kept = {"before": 0.5, "clicks": 1.0, "points 0": 0.75}
    file.write_text(json.dumps({"sequence": "two", "rows": [kept]}) + "\n")
    options = ("--frames", "2", "--error-rates", "0")
    run(monkeypatch, error_removed.main, str(data), str(file), *options)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["sequence"] for line in lines] == ["two", "one"]
    assert lines[0]["rows"] == [kept]
    for row in lines[1]["rows"]:
        assert row.keys() == {"before", "clicks", "points 0", "contradictions 0"}
        assert all(0 <= row[kind] <= 1 for kind in ("before", "clicks", "points 0"))
        if not row["contradictions 0"]:  # where no answer contradicts the mask it stays
            assert row["points 0"] == row["before"]
    assert "3 frames of 2 sequences" in capsys.readouterr().out


def test_the_chain_tells_of_every_region_and_is_not_done_twice(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = (str(data), "--out", str(tmp_path / "out"), "--stride", "2")
    run(monkeypatch, point_chain.main, *options)
    told = capsys.readouterr().out
    for row in ("foreground", "background", "uncertain", "all", "pseudo-mask-free", "points-free"):
        assert f"\n| {row} | " in told
    monkeypatch.setattr(point_chain, "evaluate_points", None)
    monkeypatch.setattr(point_chain, "evaluate_benchmark", None)
    run(monkeypatch, point_chain.main, *options)
    assert capsys.readouterr().out == told

"""Two annotators' files, compared point by point."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from evavos_widget.cli import main
from evavos_widget.formats.agreement import compare
from evavos_widget.formats.pointvos import NAMESPACE, PointObject, PointRecord, write

STATUSES = ("ACCEPTED", "REJECTED", "AMBIGUOUS")
KEY = "0123456789abcdef0123456789abcdef"


def annotator(path: Path, statuses: list[str], frames: list[str] | None = None) -> Path:
    """A file with a point for each status, of the three regions in turn."""
    regions = ("foreground", "background", "uncertain")
    points = tuple(
        PointRecord(
            i,
            5,
            (frames or ["00000"])[0],
            status,
            i % 3 == 0,
            {NAMESPACE: {"region": regions[i % 3]}},
        )
        for i, status in enumerate(statuses)
    )
    write([PointObject(KEY, "", "dog", "clip", points)], path)
    return path


def test_agreement_and_kappa_are_those_of_an_independent_computation(tmp_path: Path):
    rng = np.random.default_rng(0)
    first = [STATUSES[i] for i in rng.choice(3, 90, p=(0.4, 0.5, 0.1))]
    second = [s if rng.random() < 0.8 else STATUSES[rng.integers(3)] for s in first]
    found = compare(annotator(tmp_path / "a.json", first), annotator(tmp_path / "b.json", second))
    assert set(found) == {"all", "foreground", "background", "uncertain"}
    for name, part in (("all", slice(None)), ("background", slice(1, None, 3))):
        a, b = first[part], second[part]
        assert found[name].both == len(a)
        assert found[name].agreement == pytest.approx(
            np.mean([x == y for x, y in zip(a, b, strict=True)])
        )
        assert found[name].kappa == pytest.approx(cohen_kappa_score(a, b))
        assert found[name].table["ACCEPTED", "REJECTED"] == sum(
            (x, y) == ("ACCEPTED", "REJECTED") for x, y in zip(a, b, strict=True)
        )


def test_points_of_one_alone_are_counted_and_agreed_by_nobody(tmp_path: Path):
    a = annotator(tmp_path / "a.json", ["ACCEPTED"] * 5)
    b = annotator(tmp_path / "b.jsonl", ["ACCEPTED"] * 3)
    found = compare(a, b)["all"]
    assert (found.both, found.only_a, found.only_b, found.agreement) == (3, 2, 0, 1.0)
    assert found.kappa is None  # both say the same of every point
    other = annotator(tmp_path / "c.json", ["ACCEPTED"], frames=["00001"])
    apart = compare(other, b)["all"]
    assert (apart.both, apart.only_a, apart.only_b, apart.agreement) == (0, 1, 3, None)


def test_the_command_tells_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture):
    a = annotator(tmp_path / "a.json", ["ACCEPTED", "REJECTED", "AMBIGUOUS", "ACCEPTED"])
    b = annotator(tmp_path / "b.json", ["ACCEPTED", "REJECTED", "REJECTED", "REJECTED"])
    out = tmp_path / "agreement.json"
    assert main(["pointvos", "compare", str(a), str(b), "--json", str(out)]) == 0
    assert "4 points of both: 50.0% the same" in capsys.readouterr().out
    assert json.loads(out.read_text())["all"]["table"]["ACCEPTED REJECTED"] == 1
    assert main(["pointvos", "compare", str(a), str(tmp_path / "nobody.json")]) == 1

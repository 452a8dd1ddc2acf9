"""The examples in docstrings run, each in an empty folder, and print what they say."""

from __future__ import annotations

import doctest
import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import evavos_widget

PACKAGE = Path(evavos_widget.__file__).parent
MODULES = sorted(
    ".".join(("evavos_widget", *path.relative_to(PACKAGE).with_suffix("").parts))
    for path in PACKAGE.rglob("*.py")
    if re.search(r"^\s*>>> ", path.read_text(), re.MULTILINE)
)
EXAMPLES = [
    pytest.param(example, id=example.name)
    for module in MODULES
    for example in doctest.DocTestFinder().find(import_module(module), extraglobs={"np": np})
    if example.examples
]

FIRST_MET = [
    *("Annotator", "Campaign", "CampaignView", "Curves", "Experiment", "PolicyExplorer"),
    *("RobotAnnotator", "Session", "Verifier", "embedded_clip", "open_sequence"),
    *("engines.create", "engines.register", "metrics.j_and_f", "metrics.score_sequence"),
]
"""Names of the package, of which each shows how it is used."""


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_prints_what_it_says(
    example: doctest.DocTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=told.append)
    assert not told, "".join(told)


@pytest.mark.parametrize("name", FIRST_MET)
def test_what_a_stranger_meets_first_has_an_example(name: str) -> None:
    module, _, last = name.rpartition(".")
    met = getattr(import_module(f"evavos_widget.{module}".rstrip(".")), last)
    assert f"{met.__module__}.{met.__qualname__}" in {each.values[0].name for each in EXAMPLES}


def test_no_example_is_skipped() -> None:
    assert not [path for path in PACKAGE.rglob("*.py") if "+SKIP" in path.read_text()]

"""The code in docs/contract.md runs, one block after the other, and prints what is said of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evavos_widget.testing.point_selectors import POINT_PROMISES
from evavos_widget.testing.predictors import PROMISES as PREDICTOR
from evavos_widget.testing.propagators import PROMISES as PROPAGATOR
from evavos_widget.testing.selectors import ANNOTATION_PROMISES, FRAME_PROMISES

CONTRACT = (Path(__file__).parents[1] / "docs" / "contract.md").read_text()


def test_the_code_runs(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", CONTRACT, re.DOTALL | re.MULTILINE)
    assert len(blocks) > 3
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "docs/contract.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "TooLittle is no frame selector" in printed
    assert "its select() cannot be called as select(state)" in printed
    assert "\nframe-of-the-video\n" in printed


def test_every_promise_is_there_and_no_other() -> None:
    table = CONTRACT.partition("## What is promised")[2]
    told = set(re.findall(r"`([a-z]+(?:-[a-z]+)+|repeatable|deterministic)`", table))
    stages = (PROPAGATOR, PREDICTOR, FRAME_PROMISES, ANNOTATION_PROMISES, POINT_PROMISES)
    assert told == {name for stage in stages for name in stage.sentences}

"""The script that prints frames per second runs through on the processor."""

from __future__ import annotations

import re

import pytest

from benchmarks.frames_per_second import main


# The others always work on pictures of 1024 x 1024, or compile for minutes.
@pytest.mark.parametrize("name", ["flow", "compact", "stcn", "cutie"])
def test_an_engine_is_timed_on_the_processor(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--device", "cpu", "--frames", "3", "--height", "96", "--only", name])
    told = capsys.readouterr().out
    assert "3 frames of 171 x 96" in told
    (rate,) = re.findall(rf"\| `{re.escape(name)}` \| ([\d.]+) \|", told)
    assert float(rate) > 0

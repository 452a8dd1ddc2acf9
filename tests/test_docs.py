"""The code on pages that tell how runs, one block after the other, in an empty folder."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from evavos_widget.cli import main

DOCS = Path(__file__).parents[1] / "docs"
PAGES = ["tutorial.md", *sorted(f"how_to/{p.name}" for p in (DOCS / "how_to").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES)
def test_the_code_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for language, block in blocks(page):
        if language == "python":
            exec(compile(block, f"docs/{page}", "exec"), names)
        elif runs_here(block):
            assert main(shlex.split(block)[1:]) == 0


@pytest.mark.parametrize("page", PAGES)
def test_names_of_the_command_line_are_right(page: str) -> None:
    """Whatever it needs to run elsewhere, the words of a command are those of its parser."""
    from evavos_widget.cli import _parser

    for language, block in blocks(page):
        for line in block.splitlines() if not language else ():
            if line.startswith("evavos "):
                _parser().parse_args(shlex.split(line, comments=True)[1:])


def test_the_lines_of_the_equations_are_there() -> None:
    named = re.findall(r"`([a-z_.]+):(\w+)`", (DOCS / "equations.md").read_text())
    assert len(named) > 30
    for module, name in named:
        assert hasattr(import_module(f"evavos_widget.{module}"), name), f"{module}:{name}"


def blocks(page: str) -> list[tuple[str, str]]:
    return re.findall(r"^```(\w*)\n(.*?)^```", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)


def runs_here(block: str) -> bool:
    """A single command on what the page has made."""
    return block.startswith("evavos experiment") and block.count("\n") == 1

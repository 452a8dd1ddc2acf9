"""The style sheets of the widgets, which lie on one page where a notebook shows several."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "js" / "src"
SHARED = {"chart", "masks", "ui", "video", "wire"}
WIDGETS = sorted({f.parent.name for f in SOURCE.glob("*/widget.tsx")})


def named_in(folder: str) -> set[str]:
    """What a folder calls elements, or speaks of."""
    files = [f for f in (SOURCE / folder).rglob("*") if f.suffix in {".css", ".ts", ".tsx"}]
    return {name for f in files for name in re.findall(r"\bev[a-z]*(?:-[a-z\d]+)*", f.read_text())}


def selectors(sheet: str) -> list[str]:
    """All selectors of a sheet, those of a list one by one."""
    sheet = re.sub(r"/\*.*?\*/", "", sheet, flags=re.DOTALL)
    rules = [rule.strip() for rule in re.findall(r"([^{};]+)\{", sheet)]
    lists = [rule for rule in rules if not re.match(r"@|\d|from\b|to\b", rule)]
    return [one.strip() for rule in lists for one in re.split(r",(?![^(]*\))", rule)]


@pytest.mark.parametrize("widget", WIDGETS)
def test_every_rule_of_a_widget_is_about_what_no_other_has(widget):
    others = set().union(*(named_in(folder) for folder in {*SHARED, *WIDGETS} - {widget}))
    rules = [s for f in (SOURCE / widget).rglob("*.css") for s in selectors(f.read_text())]
    assert len(rules) > 10
    assert [s for s in rules if not set(re.findall(r"\.(ev[\w-]*)", s)) - others] == []


def test_a_rule_that_would_reach_further_is_found():
    assert selectors("/* a */ .ev-a, :is(.b, .c) d { x: y } @media (z) { .e { x: y } }") == [
        ".ev-a",
        ":is(.b, .c) d",
        ".e",
    ]

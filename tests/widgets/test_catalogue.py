"""The catalogue: one part for every widget, one for each, and no name in both."""

from __future__ import annotations

from typing import get_args

import pytest

from evavos_widget.widgets.catalogue import catalogue
from evavos_widget.widgets.options import Display, Theme, Tool


@pytest.mark.parametrize("widget", ["annotator", "campaign", "curves", "policy", "verifier"])
def test_a_widget_speaks_the_common_part_and_its_own(widget):
    common, both = catalogue(), catalogue(widget)
    assert common.requests.items() < both.requests.items()
    assert common.pushes.items() <= both.pushes.items()
    assert {"State", "Capabilities"} <= both.types.keys()


def test_the_options_of_python_are_those_of_the_page():
    types = catalogue("annotator").types
    assert set(types["Display"]) == Display.__optional_keys__
    for listed, known in ((types["Tool"], Tool), (types["Theme"], Theme)):
        assert tuple(listed.split(";")[0].split(" | ")) == get_args(known)


@pytest.mark.parametrize(
    ("section", "name"), [("requests", "hello"), ("pushes", "log"), ("types", "Video")]
)
def test_what_every_widget_has_cannot_be_had_again(section, name):
    with pytest.raises(ValueError, match=f"'{name}' is among the {section} of every widget"):
        catalogue({section: {name: {}}})

"""The selectors of the package keep the promises that are asked of others."""

from __future__ import annotations

import pytest

from evavos_widget import annotation_selection, engines, frame_selection
from evavos_widget.testing import check_annotation_selector, check_frame_selector


@pytest.mark.parametrize("name", [*frame_selection.ENGINES, "random:7"])
def test_frame_selectors(name: str) -> None:
    check_frame_selector(name)
    check_frame_selector(engines.create("frame_selector", name))


@pytest.mark.parametrize("name", [*annotation_selection.ENGINES, "random:7"])
def test_annotation_selectors(name: str) -> None:
    check_annotation_selector(name)
    check_annotation_selector(engines.create("annotation_selector", name))

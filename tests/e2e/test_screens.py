"""The annotator and the curves on screens of every size: nothing overflows, all is reached."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from harness import CROWDED, axe_violations, in_mid_pass, open_page
from lab import PATIENCE_MS, Annotator

PHONE = (390, 844)
LAPTOP = (1366, 768)
FOUR_K = (3840, 2160)

#: Names of the controls that lie beside the widget, or on whose centre something else lies once
#: they are scrolled to.
UNREACHED = """root => {
    const wider = document.documentElement.scrollWidth - innerWidth;
    if (wider > 0) return [`the page is ${wider} px wider than the screen`];
    const edge = root.getBoundingClientRect();
    const controls = [...root.querySelectorAll("button, input, select, [role=slider], summary")];
    return controls.filter((control) => control.checkVisibility()).filter((control) => {
        control.scrollIntoView({ block: "center" });
        const box = control.getBoundingClientRect();
        if (box.width < 2) return false; // said, not shown
        if (box.left < edge.left || box.right > edge.right) return true;
        const there = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
        const label = control.closest("label") ?? control;
        return !(control.contains(there) || label.contains(there) || there?.contains(label));
    }).map((control) => control.dataset.action ?? control.title ?? control.className);
}"""


@pytest.fixture(params=[PHONE, FOUR_K], ids=["phone", "4K"])
def screen(request: pytest.FixtureRequest) -> tuple[int, int]:
    return request.param


@pytest.fixture
def open_on(browser: Any, address: str, screen: tuple[int, int]) -> Iterator[Callable[..., Any]]:
    """Open a page of the harness that has the whole screen."""
    context = browser.new_context(
        locale="en-US",
        reduced_motion="reduce",
        viewport={"width": screen[0], "height": screen[1]},
        device_scale_factor=1,
        has_touch=screen == PHONE,
    )
    context.set_default_timeout(PATIENCE_MS)
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    yield lambda name="", **options: open_page(context, address, name, **options)
    context.close()
    assert not errors


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_annotator_is_reached_on_every_part_of_the_loop(open_on, screen, theme):
    annotator = Annotator(open_on(theme=theme, objects=2), 0).ready()
    page, root = annotator.page, annotator.root
    found = {"start": root.evaluate(UNREACHED) + root.evaluate(CROWDED)}
    picture = annotator.stage.bounding_box()
    assert picture["width"] > 0.55 * screen[0]
    assert picture["height"] < screen[1]

    annotator.press("tool.brush")
    annotator.stage.scroll_into_view_if_needed()
    box = annotator.stage.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    annotator.draft("brush")
    found["draft"] = root.evaluate(UNREACHED) + root.evaluate(CROWDED)
    with in_mid_pass(page, lambda: annotator.commit(propagate=True)):
        found["pass"] = root.evaluate(UNREACHED) + root.evaluate(CROWDED)
    annotator.expect(root.locator(".ev-chart svg")).to_have_count(1)
    found["suggestion"] = root.evaluate(UNREACHED) + root.evaluate(CROWDED)
    found["serious"] = axe_violations(page)

    annotator.stage.focus()
    for key, opened in (("x", ".ev-menu"), ("Shift+t", ".ev-menu"), ("?", "[role=dialog]")):
        page.keyboard.press(key)
        layer = root.locator(opened).last
        annotator.expect(layer).to_be_visible()
        place = layer.bounding_box()
        assert place["x"] >= 0
        assert place["x"] + place["width"] <= screen[0]
        found[f"behind {key}"] = layer.evaluate(UNREACHED)
        page.keyboard.press("Escape")
        annotator.expect(root.locator(opened)).to_have_count(0)
        annotator.stage.focus()
    assert found == {where: [] for where in found}


@pytest.mark.parametrize("screen", [LAPTOP], ids=["laptop"])
def test_the_row_under_the_picture_is_read_at_every_width(open_on, screen):
    """Beside the folders of JupyterLab say, where a laptop leaves a cell 900 px or fewer."""
    annotator = Annotator(open_on(objects=2), 0).ready()
    page, root = annotator.page, annotator.root
    names = root.locator(".ev-object")
    crowded: dict[tuple[str, int], list[str]] = {}
    heights: dict[int, set[float]] = {}

    def narrower(part: str) -> None:
        for width in range(screen[0], 560, -20):
            page.set_viewport_size({"width": width, "height": screen[1]})
            page.wait_for_function("width => innerWidth === width", arg=width)
            crowded[part, width] = root.evaluate(CROWDED)
            row = root.locator(".ev-transport").bounding_box()
            heights.setdefault(width, set()).add(round(row["height"]))
        page.set_viewport_size({"width": screen[0], "height": screen[1]})

    def dab(obj: int) -> None:
        names.nth(obj).click()
        annotator.press("tool.brush")
        annotator.stage.scroll_into_view_if_needed()
        box = annotator.stage.bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        annotator.draft("brush")

    dab(0)
    narrower("draft")
    with in_mid_pass(page, lambda: annotator.commit(propagate=True)):
        annotator.expect(root.locator(".ev-left")).to_have_text(re.compile(r"\d s left$"))
        narrower("pass")
        page.set_viewport_size({"width": 900, "height": screen[1]})
        annotator.expect(root.locator(".ev-left")).to_be_visible()
    narrower("committed")
    dab(1)
    annotator.press("commit")
    asked = root.locator(".ev-asked")
    annotator.expect(asked).to_have_text(re.compile(r"^Takes [\d,]+ pixels from "))
    narrower("question")
    # From whom is what the answer depends on.
    page.set_viewport_size({"width": 900, "height": screen[1]})
    assert asked.evaluate("e => e.scrollWidth <= e.clientWidth && e.scrollHeight <= e.clientHeight")
    assert crowded == {key: [] for key in crowded}
    # The timeline stays where it is.
    assert {width for width, seen in heights.items() if len(seen) > 1} == set()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_curves_are_reached(open_on, screen, theme):
    page = open_on("curves.html", theme=theme)
    root = page.locator(".evavos")
    assert root.evaluate(UNREACHED) == []
    assert axe_violations(page) == []
    plot = page.locator(".evc-plot").bounding_box()
    assert plot["width"] > 0.5 * screen[0]
    assert plot["height"] < screen[1]

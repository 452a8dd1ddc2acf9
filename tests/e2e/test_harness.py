"""What needs a browser but no notebook: accessibility, keys, the picture, and no leaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from harness import axe_violations, open_page
from lab import Annotator


@pytest.fixture
def open_annotator(browser: Any, address: str) -> Iterator[Callable[..., Annotator]]:
    """Open the page in a browser that knows nothing yet."""
    context = browser.new_context(locale="en-US", reduced_motion="reduce")
    context.set_default_timeout(30_000)
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))

    def open_annotator(**options: Any) -> Annotator:
        annotator = Annotator(open_page(context, address, **options), 0).ready()
        annotator.stage.focus()
        return annotator

    yield open_annotator
    context.close()
    assert not errors


def press(annotator: Annotator, *keys: str) -> None:
    for key in keys:
        annotator.page.keyboard.press(key)


def dab(annotator: Annotator) -> None:
    """One dab of the brush by keyboard; the crosshair is put away again."""
    press(annotator, "b", "k", "Enter")
    annotator.draft("brush")
    press(annotator, "Escape")


def wait_for_mask(annotator: Annotator, x: float, y: float, covered: bool = True) -> None:
    """Wait until a mask covers, or leaves free, a place given as parts of the picture's size."""
    annotator.page.wait_for_function(
        """([canvas, x, y, covered]) => {
            const { width, height } = canvas;
            const image = canvas.getContext("2d").getImageData(x * width, y * height, 1, 1);
            return image.data[3] > 0 === covered;
        }""",
        arg=[
            annotator.root.locator("canvas.ev-canvas-masks").element_handle(),
            *(x, y, covered),
        ],
    )


@pytest.mark.parametrize(("theme", "width"), [("light", 960), ("dark", 420)])
def test_nothing_serious_for_those_who_see_or_point_differently(open_annotator, theme, width):
    annotator = open_annotator(theme=theme, width=width)
    found = {"start": axe_violations(annotator.page)}
    dab(annotator)
    found["draft"] = axe_violations(annotator.page)
    revision = annotator.revision()
    press(annotator, "Enter")
    annotator.draft("none")
    annotator.after_revision(revision)  # until the page knows of it there is nothing to carry
    press(annotator, "t")
    annotator.phase("running")
    found["pass"] = axe_violations(annotator.page)
    annotator.phase("idle")
    press(annotator, "Shift+d", "Shift+o", "l", "k")
    found["suggestion"] = axe_violations(annotator.page)
    press(annotator, "?")
    annotator.root.locator('[data-row="tool.brush"] .ev-key-button').click()
    press(annotator, "e")
    found["keys"] = axe_violations(annotator.page)
    assert found == {where: [] for where in found}


def test_the_focus_goes_through_the_screen_in_reading_order(open_annotator):
    annotator = open_annotator()
    annotator.root.evaluate("root => root.focus()")
    areas = []
    for _ in range(60):
        press(annotator, "Tab")
        area = annotator.page.evaluate(
            """() => document.activeElement.closest(
                ".ev-toolbar, .ev-stage, .ev-transport, .ev-timeline, .ev-side, .ev-status"
            )?.className.split(" ").find((name) => name !== "ev-layout") ?? null"""
        )
        if area is None:
            break
        if [area] != areas[-1:]:
            areas.append(area)
    order = ["ev-toolbar", "ev-stage", "ev-transport", "ev-timeline", "ev-side", "ev-status"]
    assert areas == order


def test_a_changed_key_lasts_and_a_taken_one_is_named(open_annotator):
    annotator = open_annotator()
    press(annotator, "?")
    brush = annotator.root.locator('[data-row="tool.brush"]')
    brush.locator(".ev-key-button").click()
    press(annotator, "e")
    annotator.expect(brush.get_by_role("alert")).to_contain_text("E is “Eraser”.")
    brush.locator('[data-keys="take"]').click()
    annotator.expect(brush.locator(".ev-key")).to_have_text("E")
    eraser = annotator.root.locator('[data-row="tool.eraser"] .ev-key')
    annotator.expect(eraser).to_have_text("none")
    annotator.page.reload()
    annotator.ready()
    annotator.stage.focus()
    press(annotator, "e")
    annotator.expect().to_have_attribute("data-tool", "brush")
    annotator.expect(annotator.action("tool.brush")).to_have_attribute("title", "Brush  (E)")
    press(annotator, "?")
    annotator.root.locator('[data-keys="reset"]').click()
    annotator.expect(brush.locator(".ev-key")).to_have_text("B")
    press(annotator, "Escape", "e")
    annotator.expect().to_have_attribute("data-tool", "eraser")


def test_a_polygon_is_unwound_vertex_by_vertex_and_then_the_session(open_annotator):
    annotator = open_annotator()
    dab(annotator)
    press(annotator, "Enter")
    annotator.draft("none")
    press(annotator, "p", "k")
    for key in ("Shift+ArrowRight", "Shift+ArrowDown", "Shift+ArrowLeft"):
        press(annotator, "Enter", key)
    annotator.draft("polygon")
    undo = annotator.action("undo")
    annotator.expect(undo).to_have_attribute("aria-label", "Undo: vertex")
    press(annotator, "Control+z", "Control+z", "Control+z")
    annotator.draft("none")
    annotator.expect(undo).to_have_attribute("aria-label", "Undo: mask on frame 0")
    press(annotator, "Control+Shift+z", "Control+Shift+z", "Control+Shift+z")
    annotator.draft("polygon")
    press(annotator, "Enter", "Enter")
    annotator.expect(undo).to_have_attribute("aria-label", "Undo: polygon")


def test_vertices_are_dragged_until_the_commit_and_a_hole_is_filled(open_annotator):
    annotator = open_annotator()
    press(annotator, "p")
    mouse = annotator.page.mouse

    def at(x: float, y: float) -> tuple[float, float]:
        box = annotator.stage.bounding_box()
        assert box is not None
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    for corner in ((0.2, 0.2), (0.4, 0.2), (0.4, 0.5), (0.2, 0.5), (0.2, 0.2)):
        mouse.click(*at(*corner))
    annotator.expect(annotator.action("undo")).to_have_attribute("aria-label", "Undo: polygon")
    wait_for_mask(annotator, 0.5, 0.25, covered=False)
    mouse.move(*at(0.4, 0.2))
    mouse.down()
    mouse.move(*at(0.6, 0.2), steps=4)
    mouse.up()
    annotator.expect(annotator.action("undo")).to_have_attribute("aria-label", "Undo: moved vertex")
    wait_for_mask(annotator, 0.5, 0.25)
    press(annotator, "e")
    mouse.click(*at(0.3, 0.35))
    wait_for_mask(annotator, 0.3, 0.35, covered=False)
    press(annotator, "g")
    mouse.click(*at(0.8, 0.8))
    annotator.expect(annotator.root.locator(".ev-announcement")).to_contain_text("nothing")
    mouse.click(*at(0.3, 0.35))
    annotator.expect(annotator.action("undo")).to_have_attribute("aria-label", "Undo: fill")
    wait_for_mask(annotator, 0.3, 0.35)


def test_the_mask_before_is_seen_while_the_key_is_held(open_annotator):
    annotator = open_annotator()
    dab(annotator)
    wait_for_mask(annotator, 0.5, 0.5)
    annotator.page.keyboard.down("q")
    wait_for_mask(annotator, 0.5, 0.5, covered=False)
    annotator.page.keyboard.up("q")
    wait_for_mask(annotator, 0.5, 0.5)
    press(annotator, "Enter")
    annotator.draft("none")
    annotator.page.keyboard.down("q")
    wait_for_mask(annotator, 0.5, 0.5, covered=False)
    annotator.page.keyboard.up("q")
    wait_for_mask(annotator, 0.5, 0.5)


def test_a_scribble_and_a_picked_object(open_annotator):
    annotator = open_annotator()
    dab(annotator)
    press(annotator, "a")
    annotator.expect(annotator.root.locator(".ev-object")).to_have_count(2)
    press(annotator, "i", "k", "Enter", "Shift+ArrowRight", "Shift+ArrowRight", "Enter")
    annotator.draft("scribble")
    annotator.expect(annotator.root.locator(".ev-unfinished")).to_contain_text("% right")
    press(annotator, "Shift+ArrowLeft", "Shift+ArrowLeft", "Shift+ArrowLeft", "Shift+v")
    active = annotator.root.locator(".ev-object-active")
    annotator.expect(active).to_have_attribute("data-object", "2")


def test_mounting_and_unmounting_leaves_nothing_behind(open_annotator):
    annotator = open_annotator()
    listening = annotator.page.evaluate("harness.model.listening")
    annotator.page.evaluate("for (let i = 0; i < 50; i++) harness.mount()()")
    assert annotator.page.evaluate("harness.model.listening") == listening
    annotator.expect(annotator.page.locator(".evavos")).to_have_count(1)

"""What needs a browser but no notebook: accessibility, keys, the picture, and no leaks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from harness import CROWDED, WATCH, after_pass, axe_violations, in_mid_pass, open_page
from lab import PATIENCE_MS, Annotator


@pytest.fixture
def open_annotator(
    browser: Any, address: str, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Annotator]]:
    """Open the page in a browser that knows nothing yet; the parameter is its pixel ratio."""
    context = browser.new_context(
        locale="en-US", reduced_motion="reduce", device_scale_factor=getattr(request, "param", 1)
    )
    context.set_default_timeout(PATIENCE_MS)
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


def press_at_once(annotator: Annotator, *keys: str, late: int = 0) -> None:
    """Press keys with no time between them, however long that takes this process.

    The page hears of each key's end `late` milliseconds after its beginning, as a busy one does.
    """
    annotator.stage.evaluate(
        """(stage, [keys, late]) => {
            for (const key of keys) {
                const code = key === " " ? "Space" : key;
                const how = { key, code, bubbles: true, cancelable: true, composed: true };
                const events = ["keydown", "keyup"].map((type) => new KeyboardEvent(type, how));
                stage.dispatchEvent(events[0]);
                for (const begun = performance.now(); performance.now() - begun < late; );
                stage.dispatchEvent(events[1]);
            }
        }""",
        [keys, late],
    )


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


def at(annotator: Annotator, x: float, y: float) -> tuple[float, float]:
    """Where on the page a place is that is given as parts of the picture's size."""
    box = annotator.stage.bounding_box()
    assert box is not None
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def click(annotator: Annotator, x: float, y: float) -> None:
    annotator.page.mouse.click(*at(annotator, x, y))


def dab_and_commit(annotator: Annotator) -> None:
    dab(annotator)
    revision = annotator.revision()
    press(annotator, "Enter")
    annotator.draft("none")
    annotator.after_revision(revision)


def look_only(annotator: Annotator) -> None:
    """From now on the view is one for looking only, and its kernel refuses changes."""
    annotator.page.evaluate("harness.kernel.readOnly = true; harness.model.set('read_only', true)")
    annotator.expect(annotator.action("tool.brush")).to_have_count(0)


def says(annotator: Annotator, words: str) -> None:
    annotator.expect(annotator.root.locator(".ev-announcement")).to_contain_text(words)


@pytest.mark.parametrize(("theme", "width"), [("light", 960), ("dark", 420)])
def test_nothing_serious_for_those_who_see_or_point_differently(open_annotator, theme, width):
    annotator = open_annotator(theme=theme, width=width)
    found = {"start": axe_violations(annotator.page)}
    dab(annotator)
    found["draft"] = axe_violations(annotator.page)
    with in_mid_pass(annotator.page, lambda: press(annotator, "Enter", "t")):
        found["pass"] = axe_violations(annotator.page)
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

    for corner in ((0.2, 0.2), (0.4, 0.2), (0.4, 0.5), (0.2, 0.5), (0.2, 0.2)):
        mouse.click(*at(annotator, *corner))
    annotator.expect(annotator.action("undo")).to_have_attribute("aria-label", "Undo: polygon")
    wait_for_mask(annotator, 0.5, 0.25, covered=False)
    mouse.move(*at(annotator, 0.4, 0.2))
    mouse.down()
    mouse.move(*at(annotator, 0.6, 0.2), steps=4)
    mouse.up()
    annotator.expect(annotator.action("undo")).to_have_attribute("aria-label", "Undo: moved vertex")
    wait_for_mask(annotator, 0.5, 0.25)
    press(annotator, "e")
    mouse.click(*at(annotator, 0.3, 0.35))
    wait_for_mask(annotator, 0.3, 0.35, covered=False)
    press(annotator, "g")
    mouse.click(*at(annotator, 0.8, 0.8))
    annotator.expect(annotator.root.locator(".ev-announcement")).to_contain_text("nothing")
    mouse.click(*at(annotator, 0.3, 0.35))
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


def test_a_commit_is_kept_when_the_person_goes_on_at_once(open_annotator):
    annotator = open_annotator()
    annotator.page.evaluate("harness.kernel.thinking = 500")
    press(annotator, "c")
    click(annotator, 0.5, 0.5)
    annotator.draft("clicks")
    press(annotator, "Enter", "ArrowRight")
    annotator.on_frame(1)
    says(annotator, "Frame 0 saved")
    wait_for_mask(annotator, 0.5, 0.5, covered=False)
    press(annotator, "ArrowLeft")
    annotator.on_frame(0)
    annotator.draft("none")
    wait_for_mask(annotator, 0.5, 0.5)


def test_a_view_for_looking_only_offers_nothing_that_fails(open_annotator):
    annotator = open_annotator()
    dab_and_commit(annotator)
    press(annotator, "a")
    annotator.expect(annotator.root.locator(".ev-object")).to_have_count(2)
    with after_pass(annotator.page):
        press(annotator, "1", "t")
    look_only(annotator)
    press(annotator, "Shift+h")
    wait_for_mask(annotator, 0.5, 0.5, covered=False)
    press(annotator, "Shift+h")
    wait_for_mask(annotator, 0.5, 0.5)
    click(annotator, 0.5, 0.5)
    says(annotator, "looking only")
    pressed = annotator.root.evaluate(
        """root => [...root.querySelectorAll("button:enabled")]
            .filter(({ dataset }) => !["export", "help", "view.whole"].includes(dataset.action))
            .map((button) => (button.click(), button.title)).length"""
    )
    assert pressed > 10
    press(annotator, "x")
    annotator.root.locator('[data-export="coco"]').click()
    says(annotator, "Exported to clip-coco")
    annotator.expect(annotator.root.locator("[role=alert]")).to_have_text("")


def test_a_locked_object_shows_a_pointer_and_says_that_it_is_locked(open_annotator):
    annotator = open_annotator()
    dab_and_commit(annotator)
    annotator.expect(annotator.stage).to_have_css("cursor", "none")
    annotator.root.get_by_role("button", name="Lock object 1").click()
    annotator.expect(annotator.stage).to_have_css("cursor", "not-allowed")
    annotator.expect(annotator.action("annotation.remove")).to_have_count(0)
    for tool in "beripcg":
        says(annotator, "object 1 locked")
        press(annotator, tool)
        click(annotator, 0.3, 0.3)
        says(annotator, "object 1 is locked")
        press(annotator, "Shift+l")
        says(annotator, "object 1 unlocked")
        press(annotator, "Shift+l")
    says(annotator, "object 1 locked")  # a key changes what the kernel has told the page
    annotator.draft("none")
    press(annotator, "b", "Shift+l")
    annotator.expect(annotator.stage).to_have_css("cursor", "none")
    look_only(annotator)
    annotator.expect(annotator.stage).to_have_css("cursor", "default")


def test_keys_do_nothing_under_the_open_sheet(open_annotator):
    annotator = open_annotator()
    press(annotator, "b", "?")
    sheet = annotator.root.get_by_role("dialog")
    annotator.expect(sheet).to_be_visible()
    press(annotator, "e", "k", ".", "a", "l", "?")
    annotator.expect(sheet).to_have_count(0)
    press(annotator, ".")
    annotator.on_frame(1)
    annotator.expect().to_have_attribute("data-tool", "brush")
    annotator.expect(annotator.action("crosshair")).to_have_attribute("aria-pressed", "false")
    annotator.expect(annotator.action("log")).to_have_attribute("aria-pressed", "false")
    annotator.expect(annotator.root.locator(".ev-object")).to_have_count(0)


def test_the_same_error_again_is_told_by_its_number(open_annotator):
    annotator = open_annotator()
    alert = annotator.root.locator(".ev-status [role=alert]")
    annotator.page.evaluate("harness.kernel.log('error', 'the disk is full.')")
    annotator.expect(alert).to_have_text("the disk is full.")
    annotator.page.evaluate("harness.kernel.log('error', 'the disk is full.')")
    annotator.expect(alert).to_have_text("the disk is full. (2 times)")


def test_a_difference_to_nothing_says_so(open_annotator):
    annotator = open_annotator()
    press(annotator, "Shift+d")
    annotator.expect(annotator.action("view.difference")).to_have_attribute("aria-pressed", "true")
    says(annotator, "No mask before this one is known")


def test_what_is_on_is_told_by_more_than_colour(open_annotator):
    annotator = open_annotator(width=420)
    press(annotator, "a", "Shift+d", "Shift+o")
    for part in (
        annotator.action("view.onion"),
        annotator.action("tool.brush"),
        annotator.root.locator(".ev-object-active"),
    ):
        annotator.expect(part).to_have_css("box-shadow", re.compile("inset"))
    for sign in ("added", "removed", "before", "after"):
        annotator.expect(annotator.root.locator(f".ev-legend-{sign}")).to_be_visible()
    look_only(annotator)
    annotator.expect(annotator.root.locator(".ev-legend-added")).to_be_visible()


def test_objects_are_hidden_locked_named_merged_and_removed_by_keys(open_annotator):
    annotator = open_annotator()
    objects = annotator.root.locator(".ev-object")
    dab_and_commit(annotator)
    press(annotator, "a")
    annotator.expect(objects).to_have_count(2)
    press(annotator, "1", "Shift+h")
    says(annotator, "object 1 hidden")
    wait_for_mask(annotator, 0.5, 0.5, covered=False)
    show = annotator.root.get_by_role("button", name="Show object 1")
    annotator.expect(show).to_have_attribute("title", "Show object 1  (Shift+H)")
    show.click()
    wait_for_mask(annotator, 0.5, 0.5)
    annotator.stage.focus()
    press(annotator, "F2")
    annotator.page.keyboard.type("swan")
    press(annotator, "Enter")
    annotator.expect(objects.first).to_contain_text("swan")
    press(annotator, "Shift+l")
    says(annotator, "swan locked")
    press(annotator, "Shift+m", "Shift+Delete", "Delete")  # none of them for a locked object
    press(annotator, "Shift+l")
    says(annotator, "swan unlocked")
    annotator.expect(annotator.root.locator(".ev-object-details")).to_have_count(0)
    into = annotator.root.get_by_role("combobox", name="Merge swan into")
    for _ in range(5):
        press(annotator, "Shift+m")
        annotator.expect(into).to_be_focused()
        press(annotator, "Escape")
        annotator.expect(into).to_have_count(0)
    press(annotator, "Shift+m")
    annotator.expect(into).to_be_focused()
    press(annotator, "ArrowDown")
    annotator.expect(into).to_have_value("2")
    merge = annotator.root.get_by_role("button", name="Merge", exact=True)
    annotator.expect(merge).to_be_enabled()
    annotator.expect(objects).to_have_count(2)  # on the way through the list nothing is merged
    press(annotator, "Tab", "Enter")
    annotator.expect(objects).to_have_count(1)
    wait_for_mask(annotator, 0.5, 0.5)
    annotator.stage.focus()
    press(annotator, "Shift+Delete")
    annotator.expect(objects).to_have_count(0)
    wait_for_mask(annotator, 0.5, 0.5, covered=False)
    press(annotator, "Control+z")
    annotator.expect(objects).to_have_count(1)


@pytest.mark.parametrize("goes", ["merged", "removed"])
def test_an_object_that_undo_brings_back_does_not_take_the_keys(open_annotator, goes):
    annotator = open_annotator(objects=2)
    objects = annotator.root.locator(".ev-object")
    press(annotator, "2", "F2")
    if goes == "merged":
        annotator.root.get_by_role("combobox").select_option(label="1 object 1")
        annotator.root.get_by_role("button", name="Merge", exact=True).click()
    else:
        annotator.root.get_by_role("button", name="Remove object 2").click()
    annotator.expect(objects).to_have_count(1)
    annotator.expect(annotator.stage).to_be_focused()
    press(annotator, "Control+z")
    annotator.expect(objects).to_have_count(2)
    press(annotator, "2", "Shift+l")
    says(annotator, "object 2 locked")
    annotator.expect(annotator.root.locator(".ev-object-details")).to_have_count(0)


def test_opacity_and_place_of_the_picture_by_keys(open_annotator):
    annotator = open_annotator()
    opacity = annotator.root.get_by_role("slider", name="Opacity of the masks")
    press(annotator, "{", "{")
    annotator.expect(opacity).to_have_value("30")
    press(annotator, "}")
    annotator.expect(opacity).to_have_value("40")
    dab(annotator)
    wait_for_mask(annotator, 0.5, 0.5)
    press(annotator, "Control+ArrowRight", "Control+ArrowUp")
    wait_for_mask(annotator, 0.35, 0.65)
    wait_for_mask(annotator, 0.5, 0.5, covered=False)


def test_a_polygon_of_close_corners_is_committed_and_moved_after_that(open_annotator):
    annotator = open_annotator()
    dab_and_commit(annotator)
    with after_pass(annotator.page):
        press(annotator, "t")
    annotator.expect(annotator.action("suggestion.go")).to_be_enabled()
    press(annotator, "p")
    left, top = at(annotator, 0.1, 0.1)
    mouse = annotator.page.mouse
    ring = [(left + 5 * i, top) for i in range(20)]
    ring += [(left + 95 - 5 * i, top + 60) for i in range(20)]
    for corner in ring:
        mouse.click(*corner)
    annotator.expect(annotator.root.locator(".ev-tool-hint")).to_contain_text("adds to the mask")
    assert annotator.action("undo").get_attribute("aria-label") == "Undo: vertex"
    press(annotator, "Enter")
    annotator.expect(annotator.action("undo")).to_have_attribute("aria-label", "Undo: polygon")
    press_at_once(annotator, "Enter", "Enter", "Enter")
    annotator.draft("none")
    says(annotator, "saved")
    annotator.expect().to_have_attribute("data-frame", "0")
    annotator.expect().to_have_attribute("data-tool", "polygon")
    mouse.move(*ring[19])
    mouse.down()
    mouse.move(left + 300, top, steps=4)
    mouse.up()
    annotator.draft("polygon")


def test_a_commit_that_takes_from_another_object_is_decided_by_one_key(open_annotator):
    annotator = open_annotator()
    dab_and_commit(annotator)
    press(annotator, "a")
    annotator.expect(annotator.root.locator(".ev-object")).to_have_count(2)
    for answer, not_yet in (
        ("Enter", lambda: press(annotator, "Escape")),
        ("Shift+Enter", lambda: annotator.press("question.drop")),
    ):
        dab(annotator)
        press(annotator, "Enter")
        asked = annotator.root.locator(".ev-asked")
        annotator.expect(asked).to_have_text(re.compile(r"^Takes \d+ pixels from object 1$"))
        keys = annotator.root.locator(".ev-asked ~ .ev-button .ev-key:visible")
        annotator.expect(keys).to_have_text(["Enter", "Shift+Enter"])
        assert axe_violations(annotator.page) == []
        not_yet()
        annotator.expect(asked).to_have_count(0)
        annotator.expect(annotator.stage).to_be_focused()
        annotator.draft("brush")
        press(annotator, "b", "k", "Shift+ArrowRight", "Enter", "Escape", "Enter")
        annotator.expect(asked).to_contain_text("from object 1")
        revision = annotator.revision()
        press(annotator, answer)
        annotator.draft("none")
        annotator.after_revision(revision)


def test_a_kernel_that_dies_in_mid_pass_is_told_at_once_and_the_place_is_kept(open_annotator):
    annotator = open_annotator()
    dab_and_commit(annotator)
    press(annotator, *["ArrowRight"] * 7, "e")
    annotator.expect().to_have_attribute("data-frame", "7")
    annotator.page.evaluate("harness.kernel.pace = 1000")
    press(annotator, "t")
    annotator.phase("running")
    annotator.page.evaluate(WATCH)
    died = annotator.page.evaluate("harness.kernel.dead = true, Date.now()")
    notice = annotator.root.locator("[data-notice]")
    annotator.expect(notice).to_have_attribute("data-notice", "silent")
    told = annotator.page.evaluate("told")
    assert told["at"] - died - told["late"] < 2_500
    gone = annotator.page.evaluate(
        """async () => {
            harness.model.disconnect();
            for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
            return document.querySelector('[data-notice="gone"]') !== null;
        }"""
    )
    assert gone
    annotator.phase("idle")
    annotator.expect(notice).to_be_in_viewport()
    assert axe_violations(annotator.page) == []
    annotator.page.reload()
    annotator.ready()
    annotator.expect().to_have_attribute("data-frame", "7")
    annotator.expect().to_have_attribute("data-tool", "eraser")
    annotator.expect(notice).to_have_count(0)


def test_a_draft_is_there_after_a_reload_unless_its_frame_is_another(open_annotator):
    annotator = open_annotator(objects=1)
    press(annotator, "ArrowRight")
    annotator.on_frame(1)
    dab(annotator)
    # The page's kernel begins anew with every load, with empty masks.
    annotator.page.reload()
    annotator.ready()
    annotator.on_frame(1)
    annotator.draft("brush")
    wait_for_mask(annotator, 0.5, 0.5)
    says(annotator, "Unfinished work is back, on frame 1")
    annotator.page.evaluate("void harness.mount()")
    annotator.expect(annotator.page.locator(".evavos")).to_have_count(2)
    annotator.draft("brush")
    annotator.page.goto(f"{annotator.page.url}&drawn=1")
    annotator.ready()
    annotator.on_frame(1)
    wait_for_mask(annotator, 0.5, 0.1)
    annotator.draft("none")
    annotator.action("log").click()
    annotator.expect(annotator.root.locator(".ev-log")).to_contain_text("draft on frame 1 is gone")


def test_the_picture_is_few_tabs_away_and_the_arrows_go_through_the_tools(open_annotator):
    annotator = open_annotator()
    annotator.root.evaluate("root => root.focus()")
    press(annotator, "Tab")
    annotator.expect(annotator.action("tool.clicks")).to_be_focused()
    press(annotator, "ArrowRight", "ArrowRight")
    annotator.expect(annotator.action("tool.box")).to_be_focused()
    annotator.expect().to_have_attribute("data-frame", "0")
    press(annotator, "Tab")
    annotator.expect(annotator.stage).to_be_focused()
    press(annotator, "Shift+Tab")
    annotator.expect(annotator.action("tool.box")).to_be_focused()
    press(annotator, "Home", "ArrowLeft")
    annotator.expect(annotator.action("view.whole")).to_be_focused()


def test_the_arrows_go_past_a_slider_and_up_and_down_move_it(open_annotator):
    annotator = open_annotator()
    opacity = annotator.root.get_by_label("Opacity of the masks")
    annotator.action("view.outline").focus()
    press(annotator, "ArrowLeft")
    annotator.expect(opacity).to_be_focused()
    press(annotator, "ArrowUp")
    annotator.expect(opacity).to_have_value("55")
    press(annotator, "ArrowLeft")
    annotator.expect(opacity).not_to_be_focused()
    press(annotator, "ArrowRight", "ArrowRight")
    annotator.expect(annotator.action("view.outline")).to_be_focused()
    press(annotator, "ArrowLeft", "Home")
    annotator.expect(annotator.action("tool.clicks")).to_be_focused()
    annotator.expect(opacity).to_have_value("55")


def test_the_export_menu_is_gone_through_by_arrows(open_annotator):
    annotator = open_annotator()
    entries = annotator.root.locator("[data-export]")
    press(annotator, "x")
    annotator.expect(entries.first).to_be_focused()
    press(annotator, "ArrowDown")
    annotator.expect(entries.nth(1)).to_be_focused()
    press(annotator, "End", "ArrowDown", "ArrowUp")
    annotator.expect(entries.last).to_be_focused()
    annotator.expect().to_have_attribute("data-frame", "0")
    press(annotator, "Escape")
    annotator.expect(entries).to_have_count(0)
    annotator.expect(annotator.stage).to_be_focused()


def test_a_name_is_asked_for_once_and_mended_where_it_was_refused(open_annotator):
    annotator = open_annotator(objects=2)
    annotator.page.evaluate(
        """() => {
            const { kernel } = harness;
            const receive = kernel.receive.bind(kernel);
            window.asked = 0;
            kernel.receive = (content, buffers) => {
                asked += content.kind === "object.update";
                return receive(content, buffers);
            };
        }"""
    )
    name = annotator.root.locator(".ev-object-details .ev-field").first
    for refused, typed in ((True, "swan"), (False, "goose")):
        annotator.page.evaluate("refused => { harness.kernel.readOnly = refused }", refused)
        press(annotator, "F2")
        annotator.page.keyboard.type(typed)
        press(annotator, "Enter")
        if refused:
            annotator.expect(name).to_be_focused()
            annotator.expect(name).to_have_value(typed)
            press(annotator, "Escape")
        annotator.expect(name).to_have_count(0)
        annotator.expect(annotator.stage).to_be_focused()
    annotator.expect(annotator.root.locator(".ev-object-active")).to_contain_text("goose")
    assert annotator.page.evaluate("asked") == 2


def test_a_frame_number_that_is_cleared_goes_nowhere(open_annotator):
    annotator = open_annotator()
    number = annotator.root.locator(".ev-frame input")
    for typed in ("23", ""):
        number.fill(typed)
        press(annotator, "Enter")
        annotator.expect().to_have_attribute("data-frame", "23")
        annotator.expect(number).to_have_value("23")
        annotator.expect(annotator.stage).to_be_focused()


def test_enter_commits_after_an_object_was_picked_with_the_mouse_and_picks_by_keys(open_annotator):
    annotator = open_annotator(objects=2)
    names = annotator.root.locator(".ev-object-name")
    active = annotator.root.locator(".ev-object-active")
    names.last.click()
    dab(annotator)
    names.last.click()
    press(annotator, "Enter")
    annotator.draft("none")
    names.first.focus()
    press(annotator, "Enter")
    annotator.expect(active).to_have_attribute("data-object", "1")


@pytest.mark.parametrize("width", [1240, 960, 620, 420])
def test_the_row_under_the_picture_keeps_its_height(open_annotator, width):
    annotator = open_annotator(width=width, objects=2)
    height = "() => document.querySelector('.ev-transport').getBoundingClientRect().height"
    overflow = """() => {
        const row = document.querySelector('.ev-transport');
        return row.scrollWidth - row.clientWidth;
    }"""
    seen = {"start": annotator.page.evaluate(height)}
    dab(annotator)
    seen["draft"] = annotator.page.evaluate(height)
    press(annotator, "Enter")
    annotator.draft("none")
    press(annotator, "2", "ArrowRight")
    annotator.page.evaluate("harness.kernel.pace = 400")
    press(annotator, "t")
    annotator.phase("running")
    seen["pass"] = annotator.page.evaluate(height)
    dab(annotator)
    seen["both"] = annotator.page.evaluate(height)
    # The longest that it has to say: percents of two digits.
    annotator.page.evaluate("harness.kernel.pace = 20")
    annotator.page.wait_for_function(
        "document.querySelector('.ev-progress').value > 0.5 && (harness.kernel.pace = 400)"
    )
    seen["half"] = annotator.page.evaluate(height)
    assert len(set(seen.values())) == 1, seen
    assert annotator.page.evaluate(overflow) <= 0


@pytest.mark.parametrize("width", [620, 700, 820, 960])
def test_how_a_tool_is_used_is_read_whole_and_moves_nothing(open_annotator, width):
    annotator = open_annotator(width=width, objects=2, learned=1)
    hint = annotator.root.locator(".ev-tool-hint")
    cut = "e => Math.max(e.scrollHeight - e.clientHeight, e.scrollWidth - e.clientWidth)"
    top = annotator.stage.bounding_box()["y"]
    for tool in ("clicks", "scribble", "box", "brush", "eraser", "polygon", "fill", "pick"):
        annotator.press(f"tool.{tool}")
        for crosshair in (False, True):
            annotator.stage.focus()
            assert hint.evaluate(cut) <= 0, (tool, crosshair, hint.inner_text())
            assert annotator.stage.bounding_box()["y"] == top
            press(annotator, "k")
            said = annotator.root.locator(".ev-tool-hint > kbd")
            annotator.expect(said.first).to_be_visible(visible=not crosshair)


@pytest.mark.parametrize("width", [1240, 960, 720, 600, 480])
def test_of_how_many_frames_is_told_beside_a_draft(open_annotator, width):
    annotator = open_annotator(width=width, objects=2)
    count = annotator.root.locator(".ev-frame .ev-quiet")
    annotator.expect(count).to_be_visible()
    dab(annotator)
    annotator.expect(count).to_be_visible()
    assert annotator.root.evaluate(CROWDED) == []


def test_a_pass_can_be_asked_for_while_the_first_annotation_is_on_its_way(open_annotator):
    annotator = open_annotator()
    annotator.page.evaluate("harness.kernel.latency = 300, harness.kernel.pace = 400")
    dab(annotator)
    press(annotator, "t")  # nothing is annotated, and nothing is being saved
    annotator.phase("idle")
    press(annotator, "Enter", "t")
    annotator.phase("running")
    annotator.draft("none")


def test_a_pass_can_be_asked_for_while_a_commit_waits_for_its_preview(open_annotator):
    annotator = open_annotator()
    annotator.page.evaluate("harness.kernel.thinking = 500, harness.kernel.pace = 400")
    press(annotator, "c")
    click(annotator, 0.5, 0.5)
    annotator.draft("clicks")
    press(annotator, "Enter", "t")
    annotator.phase("running")
    annotator.draft("none")


def test_a_stroke_is_for_the_object_and_the_frame_that_it_was_begun_for(open_annotator):
    annotator = open_annotator()
    mouse = annotator.page.mouse
    annotator.page.evaluate("harness.kernel.latency = 300")
    press(annotator, "b")
    mouse.move(*at(annotator, 0.3, 0.5))
    mouse.down()
    annotator.draft("brush")  # the first object has come
    mouse.move(*at(annotator, 0.5, 0.5), steps=5)
    wait_for_mask(annotator, 0.5, 0.5)
    press(annotator, "ArrowRight")
    annotator.on_frame(1)
    mouse.move(*at(annotator, 0.7, 0.5), steps=5)
    mouse.up()
    annotator.draft("none")
    press(annotator, "ArrowLeft")
    annotator.on_frame(0)
    annotator.draft("brush")
    wait_for_mask(annotator, 0.5, 0.5)
    wait_for_mask(annotator, 0.7, 0.5, covered=False)


def draw_a_curve(annotator: Annotator, reason: str = "") -> None:
    """A round, so that there is a curve, and what is suggested next for a `reason`."""
    if reason:
        annotator.page.evaluate(
            """(reason) => {
                const { kernel } = harness;
                const suggest = kernel.suggest.bind(kernel);
                kernel.suggest = (rank) => {
                    const suggestion = suggest(rank);
                    return suggestion && { ...suggestion, reason };
                };
            }""",
            reason,
        )
    dab_and_commit(annotator)
    with after_pass(annotator.page):
        press(annotator, "t")
    annotator.expect(annotator.root.locator(".ev-chart svg")).to_have_count(1)


def activate(annotator: Annotator, obj: int) -> None:
    """Take an object in hand by its key, and find it in the part of the list that is seen."""
    press(annotator, str(obj))
    active = annotator.root.locator(".ev-object-active")
    annotator.expect(active).to_have_attribute("data-object", str(obj))
    annotator.page.wait_for_function(
        """row => {
            const [of, seen] = [row, row.parentElement].map((e) => e.getBoundingClientRect());
            return of.top >= seen.top - 1 && of.bottom <= seen.bottom + 1;
        }""",
        arg=active.element_handle(),
    )


@pytest.mark.parametrize(
    ("width", "objects", "size"),
    [
        (940, 1, (854, 480)),
        (940, 9, (854, 480)),
        (1200, 2, (854, 480)),
        (800, 2, (854, 480)),
        (843, 1, (432, 240)),
        (800, 2, (1920, 800)),
        (900, 2, (480, 854)),
    ],
)
def test_the_curve_is_in_sight_without_scrolling(open_annotator, width, objects, size):
    annotator = open_annotator(width=width, objects=objects, w=size[0], h=size[1])
    annotator.page.set_viewport_size({"width": 1280, "height": 900})
    draw_a_curve(
        annotator, reason="30 frames from anything you annotated; clicks gain most per second"
    )
    annotator.expect(annotator.root.locator(".ev-next")).to_contain_text("gain most per second")
    side = annotator.root.locator(".ev-side")
    for part in (".ev-chart", ".ev-legend-predicted"):
        annotator.expect(annotator.root.locator(part)).to_be_in_viewport(ratio=1)
    assert side.evaluate("e => e.scrollHeight - e.clientHeight") <= 4
    activate(annotator, objects)
    annotator.expect(annotator.root.locator(".ev-object-active")).to_be_in_viewport(ratio=0.98)


@pytest.mark.parametrize(("width", "objects"), [(600, 9), (840, 2), (840, 9)])
def test_an_object_is_changed_in_sight(open_annotator, width, objects):
    annotator = open_annotator(width=width, objects=objects)
    annotator.page.set_viewport_size({"width": 1280, "height": 900})
    draw_a_curve(annotator, reason="30 frames from anything that you annotated; " * 3)
    details = annotator.root.locator(".ev-object-details")
    for obj in (objects, 1):
        press(annotator, str(obj), "F2")
        annotator.expect(details.locator("select")).to_be_in_viewport(ratio=1)
        annotator.expect(details.locator("input").first).to_be_in_viewport(ratio=1)
        press(annotator, "Escape")
        annotator.expect(details).to_have_count(0)


@pytest.mark.parametrize("width", [420, 500, 600, 700, 780])
@pytest.mark.parametrize("objects", [1, 9])
def test_the_curve_has_room_where_the_cell_is_narrow(open_annotator, width, objects):
    annotator = open_annotator(width=width, objects=objects)
    annotator.page.set_viewport_size({"width": 1280, "height": 900})
    draw_a_curve(annotator)
    place = {
        name: annotator.root.locator(part).bounding_box()
        for name, part in (("curve", ".ev-curve"), ("chart", ".ev-chart"), ("next", ".ev-next"))
    }
    beside = place["curve"]["y"] == pytest.approx(place["next"]["y"], abs=1)
    assert beside == (width > 540)
    assert place["chart"]["width"] >= 240
    assert place["chart"]["height"] >= 100
    # Its letters keep their size, and none of them is cut.
    cut, smallest = annotator.root.locator(".ev-chart").evaluate(
        """chart => {
            const whole = chart.getBoundingClientRect();
            const texts = [...chart.querySelectorAll("text")];
            const cut = texts.filter((text) => {
                const box = text.getBoundingClientRect();
                return box.left < whole.left - 1 || box.right > whole.right + 1
                    || box.top < whole.top - 1 || box.bottom > whole.bottom + 1;
            });
            const sizes = texts.map((text) => parseFloat(getComputedStyle(text).fontSize));
            return [cut.map((text) => text.textContent), Math.min(...sizes)];
        }"""
    )
    assert cut == []
    assert smallest >= 9
    activate(annotator, objects)


def test_a_frame_that_takes_long_is_awaited_with_something_of_its_moment(open_annotator):
    annotator = open_annotator(objects=1)
    awaited = annotator.root.locator(".ev-awaited")
    annotator.page.evaluate("harness.kernel.decoding = 60_000")
    press(annotator, "End")
    annotator.on_frame(50)  # of those that are there at once, the nearest before it
    annotator.expect(awaited).to_contain_text("frame 50, near 59")
    assert axe_violations(annotator.page) == []
    # What is done now is not meant for frame 50.
    press(annotator, "b")
    annotator.expect(annotator.stage).to_have_css("cursor", "not-allowed")
    click(annotator, 0.5, 0.5)
    annotator.draft("none")
    says(annotator, "on its way")
    annotator.expect(annotator.action("mark.absent")).to_be_disabled()
    track = annotator.root.locator(".ev-track")
    box = track.bounding_box()
    track.hover(position={"x": box["width"] * 33.5 / 60, "y": 8})
    annotator.expect(annotator.root.locator(".ev-thumb")).to_contain_text("(frame 30 is shown)")
    annotator.page.evaluate("harness.kernel.decoding = 0")
    press(annotator, "ArrowLeft")
    annotator.on_frame(58)
    annotator.expect(awaited).to_have_count(0)
    annotator.expect(annotator.action("mark.absent")).to_be_enabled()


@pytest.mark.parametrize(("scheme", "theme"), [("dark", "light"), ("light", "dark")])
def test_colours_that_say_something_are_seen_where_the_system_forces_others(
    open_annotator, scheme, theme
):
    annotator = open_annotator(objects=2, theme=theme)
    signs = """root => [".ev-swatch", ".ev-playhead", ".ev-legend-lost"].map((each) => {
        const { borderTopColor, backgroundColor, backgroundImage } =
            getComputedStyle(root.querySelector(each));
        return [borderTopColor, backgroundColor, backgroundImage];
    })"""
    annotator.page.emulate_media(color_scheme=scheme)
    host = "theme => { document.body.dataset.jpThemeLight = String(theme === 'light') }"
    annotator.page.evaluate(host, scheme)
    annotator.expect(annotator.root).to_have_attribute("data-theme", scheme)
    own = annotator.root.evaluate(signs)
    annotator.page.evaluate(host, theme)
    annotator.page.emulate_media(color_scheme=scheme, forced_colors="active")
    annotator.expect(annotator.root).to_have_attribute("data-theme", scheme)
    assert annotator.root.evaluate(signs) == own


@pytest.mark.parametrize(
    ("video", "preview"),
    [((40, 2000), (2.4, 120)), ((480, 854), (67.4, 120)), ((854, 480), (160, 90))],
)
def test_a_preview_over_the_timeline_is_small_whatever_the_video(open_annotator, video, preview):
    annotator = open_annotator(w=video[0], h=video[1])
    annotator.root.locator(".ev-track").hover()
    box = annotator.root.locator(".ev-thumb canvas").bounding_box()
    assert (box["width"], box["height"]) == pytest.approx(preview, abs=0.5)


@pytest.mark.parametrize("width", [1240, 480])
def test_names_of_any_length_leave_the_alternatives_in_the_widget(open_annotator, width):
    annotator = open_annotator(objects=3, drawn=0, width=width)
    annotator.page.evaluate(
        """() => {
            const { kernel } = harness;
            const name = "somebody wrote down what it is ".repeat(8);
            kernel.now.objects = kernel.now.objects.map((o) => ({ ...o, name: name + o.id }));
            kernel.publish([]);
        }"""
    )
    with after_pass(annotator.page):
        press(annotator, "t")
    press(annotator, "y")
    others = annotator.root.locator("[data-instead]")
    annotator.expect(others.first).to_be_visible()
    beyond, frames = annotator.root.evaluate(
        """root => {
            const { right } = root.querySelector(".ev-next").getBoundingClientRect();
            const all = [...root.querySelectorAll("[data-instead]")];
            const { length } = all.filter((each) => each.getBoundingClientRect().right > right);
            // What stands before the name has its room.
            const whole = ({ firstChild, dataset }) => firstChild.data === `${dataset.instead}, `;
            return [length, all.every(whole)];
        }"""
    )
    assert (beyond, frames) == (0, True)


@pytest.mark.parametrize("composing", ["{ isComposing: true }", "{ keyCode: 229 }"])
def test_what_an_input_method_is_told_by_keys_leaves_its_field_open(open_annotator, composing):
    annotator = open_annotator(objects=1)
    tell = f"""(field, key) => field.dispatchEvent(
        new KeyboardEvent("keydown", {{ key, bubbles: true, ...{composing} }}))"""
    press(annotator, "F2")
    name = annotator.root.get_by_label("Name of object 1")
    annotator.expect(name).to_be_focused()
    name.fill("赤")
    for key in ("Enter", "Escape"):
        name.evaluate(tell, key)
        annotator.expect(name).to_be_focused()
        annotator.expect(name).to_have_value("赤")
    press(annotator, "Enter")
    annotator.expect(annotator.root.locator(".ev-name")).to_have_text("赤")
    number = annotator.root.locator(".ev-frame input")
    number.focus()
    number.evaluate(tell, "Enter")
    annotator.expect(number).to_be_focused()


@pytest.mark.parametrize("key", ["m", "y", "Delete"])
def test_what_is_said_right_after_a_step_is_not_said_of_the_frame_before(open_annotator, key):
    annotator = open_annotator(objects=1)
    dab_and_commit(annotator)
    annotator.page.evaluate("harness.kernel.decoding = 60_000")
    annotator.page.evaluate("harness.model.set('frame', 40)")
    annotator.expect(annotator.root.locator(".ev-frame input")).to_have_value("40")
    press(annotator, "Home")
    annotator.on_frame(0)
    revision = annotator.revision()
    press(annotator, "End", key)
    says(annotator, "on its way")
    assert annotator.revision() == revision


def test_a_press_to_draw_ends_playing_at_the_frame_that_it_is_on(open_annotator):
    annotator = open_annotator(objects=1)
    press(annotator, "b", "Space")
    annotator.page.wait_for_function("+document.querySelector('.evavos').dataset.frame > 2")
    annotator.page.mouse.move(*at(annotator, 0.3, 0.3))
    annotator.page.mouse.down()
    frame = annotator.root.get_attribute("data-frame")
    annotator.page.mouse.move(*at(annotator, 0.6, 0.6), steps=10)
    annotator.page.mouse.up()
    annotator.expect(annotator.action("play")).to_have_attribute("aria-pressed", "false")
    annotator.draft("brush")
    annotator.on_frame(int(frame))


@pytest.mark.parametrize("width", [900, 1100])
def test_a_portrait_video_and_its_commit_fit_on_the_screen_together(open_annotator, width):
    annotator = open_annotator(w=480, h=854, width=width)
    annotator.page.set_viewport_size({"width": 1200, "height": 900})
    dab(annotator)
    for part in (annotator.stage, annotator.action("commit"), annotator.root.get_by_role("slider")):
        box = part.last.bounding_box()
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 900 - 110  # what a notebook has above a cell
    field = annotator.root.locator(".ev-frame .ev-field")
    box = annotator.root.locator(".ev-track").bounding_box()
    annotator.page.mouse.move(box["x"] + 5, box["y"] + 10)
    thumb = annotator.root.locator(".ev-thumb").bounding_box()
    below = field.bounding_box()
    assert thumb["y"] + thumb["height"] <= below["y"]


def test_the_annotator_alone_on_the_screen(open_annotator):
    annotator = open_annotator()
    before = annotator.stage.bounding_box()["width"]
    press(annotator, "w")
    annotator.expect(annotator.action("view.whole")).to_have_attribute("aria-pressed", "true")
    annotator.page.wait_for_function("document.fullscreenElement?.matches('.evavos')")
    assert annotator.stage.bounding_box()["width"] > before
    assert axe_violations(annotator.page) == []
    press(annotator, "w")
    annotator.expect(annotator.action("view.whole")).to_have_attribute("aria-pressed", "false")


def test_a_lost_object_is_seen_told_and_gone_to(open_annotator):
    annotator = open_annotator(objects=1)
    dab_and_commit(annotator)
    with after_pass(annotator.page):
        press(annotator, "t")
    lost = annotator.root.locator(".ev-lane .ev-lost")
    annotator.expect(lost).to_have_count(0)
    annotator.page.evaluate(
        """() => {
            const { kernel } = harness;
            for (const frame of [40, 41]) kernel.now.masks[frame].fill(0);
            kernel.suggest = (rank) => rank > 0 ? null : {
                frame: 41, object: 1, annotation_type: "absent", reason: "nothing of it is left",
                predicted: null, expected_gain: 0.1, seconds: 2,
            };
            kernel.publish([40, 41]);
        }"""
    )
    annotator.expect(lost).to_have_count(2)
    press(annotator, "u")
    annotator.on_frame(40)
    words = annotator.root.get_by_role("slider", name="Frame").get_attribute("aria-valuetext")
    assert "empty, lost or absent: object 1" in words
    assert "predicted" not in words
    card = annotator.root.locator(".ev-next")
    annotator.expect(card).to_contain_text("say that it is absent")
    tool = annotator.root.get_attribute("data-tool")
    press(annotator, "Enter")
    annotator.on_frame(41)
    annotator.expect().to_have_attribute("data-tool", tool)
    card.locator('[data-action="mark.absent"]').click()
    annotator.expect(annotator.root.locator(".ev-lane .ev-mark-absent")).to_have_count(1)
    annotator.expect(lost).to_have_count(0)  # the frames beside it wait for a pass
    assert axe_violations(annotator.page) == []


def test_the_card_gives_way_to_the_hand(open_annotator):
    annotator = open_annotator()
    dab_and_commit(annotator)
    card = annotator.root.locator(".ev-next")
    now = annotator.root.locator(".ev-now")
    annotator.expect(now).to_contain_text("\u2013")
    with after_pass(annotator.page):
        press(annotator, "t")
    annotator.expect(card).to_contain_text("three clicks")
    annotator.expect(now).to_contain_text("0.")
    for place in (card, now):
        explained = place.get_by_text("predicted J&F")
        annotator.expect(explained).to_have_attribute("title", re.compile("overlaps.*outlines"))
    dab(annotator)
    annotator.expect(card).to_contain_text("not saved yet")
    annotator.expect(card).not_to_contain_text("three clicks")


def test_a_straight_stroke_and_a_moved_vertex_by_keys(open_annotator):
    annotator = open_annotator()
    undo = annotator.action("undo")
    far = ["Shift+ArrowRight"] * 8
    press(annotator, "b", "k", "Enter", *far, "d")
    annotator.expect(undo).to_have_attribute("aria-label", "Undo: stroke")
    wait_for_mask(annotator, 0.6, 0.5)
    press(annotator, "Control+z")
    wait_for_mask(annotator, 0.6, 0.5, covered=False)
    wait_for_mask(annotator, 0.5, 0.5)
    press(annotator, "p", "Enter", "Shift+ArrowDown", "Enter", "Shift+ArrowLeft", "Enter", "Enter")
    annotator.expect(undo).to_have_attribute("aria-label", "Undo: polygon")
    press(annotator, "Enter")
    says(annotator, "Vertex in hand")
    press(annotator, *far, "Enter")
    annotator.expect(undo).to_have_attribute("aria-label", "Undo: moved vertex")


def test_the_wheel_keeps_the_pixel_under_the_pointer(open_annotator):
    annotator = open_annotator()
    annotator.page.set_viewport_size({"width": 1280, "height": 1100})  # the picture fills its place
    press(annotator, "b")
    click(annotator, 0.25, 0.25)
    annotator.draft("brush")
    wait_for_mask(annotator, 0.25, 0.25)
    annotator.page.mouse.wheel(0, -600)  # four times as large
    radius = 4 * 12
    for part, covered in ((0.9, True), (1.15, False)):
        for side in (-part, part):
            wait_for_mask(annotator, 0.25 + side * radius / 854, 0.25, covered)
            wait_for_mask(annotator, 0.25, 0.25 + side * radius / 480, covered)


def test_masks_are_hidden_while_the_key_is_held(open_annotator):
    annotator = open_annotator()
    dab(annotator)
    masks = annotator.root.locator("canvas.ev-canvas-masks")
    annotator.page.keyboard.down("h")
    annotator.expect(masks).to_be_hidden()
    annotator.page.keyboard.up("h")
    annotator.expect(masks).to_be_visible()


def test_a_box_asks_for_a_mask(open_annotator):
    annotator = open_annotator()
    press(annotator, "r")
    mouse = annotator.page.mouse
    mouse.move(*at(annotator, 0.2, 0.2))
    mouse.down()
    mouse.move(*at(annotator, 0.6, 0.8), steps=4)
    mouse.up()
    annotator.draft("box")
    annotator.expect(annotator.action("undo")).to_have_attribute("aria-label", "Undo: box")
    wait_for_mask(annotator, 0.4, 0.5)
    wait_for_mask(annotator, 0.22, 0.22, covered=False)


def test_prompts_that_the_predictor_does_not_take_are_told_before_they_are_tried(open_annotator):
    annotator = open_annotator(objects=1, drawn=0, types="mask,box", learned=1)
    page = annotator.page
    refusals = {
        "clicks": "The predictor 'sam' takes no clicks",
        "scribble": "The predictor 'sam' takes no scribbles",
    }
    for tool, words in refusals.items():
        button = annotator.action(f"tool.{tool}")
        annotator.expect(button).to_have_attribute("aria-disabled", "true")
        annotator.expect(button).to_have_attribute("title", words)
    assert axe_violations(page) == []
    # A learned predictor begins with clicks; this one takes none.
    annotator.expect(annotator.root).to_have_attribute("data-tool", "brush")
    press(annotator, "r", "c")
    says(annotator, refusals["clicks"])
    press(annotator, "i")
    says(annotator, refusals["scribble"])
    annotator.action("tool.clicks").click(force=True)
    says(annotator, refusals["clicks"])
    annotator.expect(annotator.root).to_have_attribute("data-tool", "box")
    # An answer that contradicts the mask would be a click.
    press(annotator, "Shift+C")
    says(annotator, "which correct the mask where an answer contradicts it")
    assert page.evaluate("harness.kernel.received.includes('points.propose')") is False
    for key, tool in {"b": "brush", "e": "eraser", "p": "polygon", "g": "fill"}.items():
        press(annotator, key)
        annotator.expect(annotator.root).to_have_attribute("data-tool", tool)


def test_the_timeline_shows_the_frame_under_the_pointer(open_annotator):
    annotator = open_annotator()
    dab_and_commit(annotator)
    annotator.root.locator(".ev-track").hover(position={"x": 3, "y": 8})
    thumb = annotator.root.locator(".ev-thumb")
    annotator.expect(thumb).to_contain_text("Frame 0, drawn: object 1")
    annotator.page.wait_for_function(
        """canvas => {
            const pixel = canvas.getContext("2d").getImageData(0.5 * canvas.width, 0, 1, 1).data;
            return pixel[3] === 255;
        }""",
        arg=thumb.locator("canvas").element_handle(),
    )
    annotator.page.mouse.move(0, 0)
    annotator.expect(thumb).to_have_count(0)


def test_keys_of_the_browser_stay_its_own(open_annotator):
    annotator = open_annotator()
    prevented = annotator.stage.evaluate(
        """stage => [
            { key: "b" },
            { key: "f", ctrlKey: true },
            { key: "r", ctrlKey: true },
            { key: "F5" },
            { key: "F12" },
            { key: "Tab" },
            { key: "Tab", shiftKey: true },
            { key: "ArrowLeft", altKey: true },
            { key: "ArrowUp" },
        ].map((press) => {
            const options = { bubbles: true, cancelable: true, composed: true, ...press };
            return !stage.dispatchEvent(new KeyboardEvent("keydown", options));
        })"""
    )
    assert prevented == [True] + [False] * 8


@pytest.mark.parametrize("open_annotator", [2], indirect=True)
def test_a_dense_screen_has_a_canvas_of_its_own_pixels(open_annotator):
    annotator = open_annotator()
    sizes = annotator.root.locator("canvas.ev-canvas").evaluate_all(
        """all => all.map((canvas) => [
            canvas.width / canvas.clientWidth, canvas.height / canvas.clientHeight,
        ])"""
    )
    assert sizes == [[2, 2]] * 3


def test_a_pass_goes_from_here_to_the_end_and_to_the_start(open_annotator):
    annotator = open_annotator(count=20)
    annotator.show(10)
    dab_and_commit(annotator)
    with after_pass(annotator.page):
        press(annotator, "Shift+End")
    annotator.show(19)
    wait_for_mask(annotator, 0.5 + 27 / 854, 0.5)
    annotator.show(6)
    wait_for_mask(annotator, 0.5 - 12 / 854, 0.5, covered=False)
    annotator.show(10)
    press(annotator, "Shift+Home")
    annotator.show(6)
    wait_for_mask(annotator, 0.5 - 12 / 854, 0.5)


def test_playing_ends_at_the_last_frame_and_begins_again_at_the_first(open_annotator):
    annotator = open_annotator(count=40)
    play = annotator.action("play")
    press_at_once(annotator, " ", late=500)  # a longer press would be for moving the picture
    annotator.on_frame(39)
    annotator.expect(play).to_have_attribute("aria-pressed", "false")
    annotator.root.evaluate(
        """root => {
            window.shown = [];
            const note = () => shown.push(Number(root.dataset.frame));
            new MutationObserver(note).observe(root, { attributeFilter: ["data-frame"] });
        }"""
    )
    press_at_once(annotator, " ")
    annotator.page.wait_for_function("shown.at(-1) === 39")
    shown = annotator.page.evaluate("shown")
    assert shown[0] < 20
    assert shown == sorted(shown)
    annotator.expect(play).to_have_attribute("aria-pressed", "false")
    press(annotator, "Home")
    annotator.on_frame(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_serious_in_menus_in_details_and_where_one_only_looks(open_annotator, theme):
    annotator = open_annotator(theme=theme)
    dab_and_commit(annotator)
    press(annotator, "a")
    annotator.expect(annotator.root.locator(".ev-object")).to_have_count(2)
    found = {}
    for name, key, opened in (
        ("details", "F2", ".ev-object-details"),
        ("export", "x", "[data-export]"),
        ("pass", "Shift+t", ".ev-menu-form"),
    ):
        press(annotator, key)
        annotator.expect(annotator.root.locator(opened).first).to_be_visible()
        found[name] = axe_violations(annotator.page)
        press(annotator, "Escape")
        annotator.expect(annotator.root.locator(opened)).to_have_count(0)
        annotator.stage.focus()
    press(annotator, "Shift+l", "Shift+h")
    says(annotator, "object 2 hidden")
    found["locked and hidden"] = axe_violations(annotator.page)
    look_only(annotator)
    found["looking only"] = axe_violations(annotator.page)
    assert found == {where: [] for where in found}


def outside_or_cut(annotator: Annotator) -> dict[int, list[str]]:
    """The controls that leave the cell or lose a part of their words, by the width of the cell."""
    return annotator.root.evaluate(
        """root => {
            const found = {};
            const layout = root.querySelector(".ev-layout");
            const before = root.parentElement.style.width;
            for (let width = 280; width <= 1100; width += 10) {
                root.parentElement.style.width = `${width}px`;
                const { left, right } = layout.getBoundingClientRect();
                const names = [...root.querySelectorAll("button, input, select")]
                    .filter((control) => {
                        const box = control.getBoundingClientRect();
                        const cut = control.closest(".ev-transport") !== null
                            && control.scrollWidth > control.clientWidth + 1;
                        return box.width > 0 && (box.left < left || box.right > right || cut);
                    })
                    .map((control) => control.dataset.action ?? control.title);
                if (names.length > 0) found[width] = names;
            }
            root.parentElement.style.width = before;
            return found;
        }"""
    )


def test_a_long_name_takes_no_room_from_anything_else(open_annotator):
    annotator = open_annotator(width=600, objects=2)
    draw_a_curve(annotator)
    press(annotator, "1", "F2")
    annotator.page.keyboard.insert_text("a woman in a blue coat, she carries a bag; " * 3)
    press(annotator, "Enter", "2", "F2")
    annotator.expect(annotator.root.locator(".ev-merge")).to_be_visible()
    assert outside_or_cut(annotator) == {}
    curve = annotator.root.locator(".ev-curve").bounding_box()
    layout = annotator.root.locator(".ev-layout").bounding_box()
    assert curve["width"] == pytest.approx(layout["width"] / 2, abs=3)


def test_every_control_lies_within_the_cell_however_wide_it_is(open_annotator):
    annotator = open_annotator(width=960)
    dab_and_commit(annotator)
    found = {"committed": outside_or_cut(annotator)}
    dab(annotator)
    found["draft"] = outside_or_cut(annotator)
    with in_mid_pass(annotator.page, lambda: press(annotator, "Control+Enter")):
        found["pass"] = outside_or_cut(annotator)
        dab(annotator)
        found["pass and draft"] = outside_or_cut(annotator)
        annotator.press("discard")
    press(annotator, "k", "F2", "Shift+d", "Shift+o")
    annotator.expect(annotator.root.locator(".ev-object-details")).to_be_visible()
    found["suggestion"] = outside_or_cut(annotator)
    # The number is read whole: no arrows take its room.
    number = annotator.root.locator(".ev-frame input")
    number.fill("59")
    for width in (280, 390, 420):
        annotator.root.evaluate(
            "(root, px) => { root.parentElement.style.width = px }", f"{width}px"
        )
        assert number.evaluate("field => field.scrollWidth <= field.clientWidth")
    assert found == {where: {} for where in found}


def test_ten_points_are_verified_from_the_keyboard_and_the_wrong_ones_correct_the_mask(
    open_annotator,
):
    annotator = open_annotator(objects=1, drawn=0, width=1000)
    page, root = annotator.page, annotator.root
    with after_pass(annotator.page):
        annotator.press("job.start")
    annotator.show(3)
    card = root.locator(".ev-next")
    annotator.phase_when_painted()
    annotator.stage.focus()
    press(annotator, "Shift+C")
    annotator.expect(card).to_contain_text("Is the marked pixel on")
    annotator.expect(card).to_contain_text("1 of 10, proposed as part of it")
    assert axe_violations(page) == []
    # The keys of tools and views are those of the answers now.
    press(annotator, "f", "d", "s")
    annotator.expect(card).to_contain_text("4 of 10")
    press(annotator, *"dddddd")
    annotator.expect(card).to_contain_text("10 of 10")
    press(annotator, "d")
    annotator.expect(card).not_to_contain_text("Is the marked pixel on")
    page.wait_for_function("harness.kernel.labelled.length === 10")
    labelled = page.evaluate("harness.kernel.labelled.map(({ label }) => label)")
    assert labelled == ["positive", "negative", "unknown", *["negative"] * 7]
    # The answers that contradicted the mask are clicks by now, which are committed as ever.
    annotator.draft("clicks")
    assert len({(p["x"], p["y"]) for p in page.evaluate("harness.kernel.labelled")}) == 10
    annotator.commit()
    # Escape asks no more; another frame too.
    for leave in ("Escape", "ArrowRight"):
        press(annotator, "Shift+C")
        annotator.expect(card).to_contain_text("Is the marked pixel on")
        press(annotator, leave)
        annotator.expect(card).not_to_contain_text("Is the marked pixel on")
    assert page.evaluate("harness.kernel.labelled.length") == 10


def fingers(annotator: Annotator) -> Callable[..., None]:
    """Fingers at places given as parts of the picture's size; none where they are lifted."""
    devtools = annotator.page.context.new_cdp_session(annotator.page)

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [dict(zip("xy", at(annotator, *place), strict=True)) for place in places]
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    return touch


#: The part of what is seen of the picture that masks cover.
COVERED = """() => {
    const canvas = document.querySelector("canvas.ev-canvas-masks");
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    let covered = 0;
    for (let i = 3; i < data.length; i += 4) covered += data[i] > 0;
    return covered / (width * height);
}"""


def test_a_finger_draws_and_two_of_them_zoom(open_annotator):
    annotator = open_annotator(width=960)
    touch = fingers(annotator)
    press(annotator, "b")
    touch("touchStart", (0.3, 0.4))
    for x in (0.35, 0.4, 0.5):
        touch("touchMove", (x, 0.4))
    touch("touchEnd")
    annotator.draft("brush")
    wait_for_mask(annotator, 0.4, 0.4)

    press(annotator, "Control+z")
    annotator.draft("none")
    before = annotator.page.evaluate("scrollY")
    touch("touchStart", (0.4, 0.5))
    touch("touchStart", (0.4, 0.5), (0.6, 0.5))
    for spread in (0.12, 0.2, 0.3):
        touch("touchMove", (0.5 - spread, 0.5), (0.5 + spread, 0.5))
    touch("touchEnd")
    annotator.draft("none")  # the first finger has drawn nothing
    assert annotator.page.evaluate("scrollY") == before
    # Three times as large about the middle: what was near the edge is out of sight.
    press(annotator, "k", "Enter")
    annotator.draft("brush")
    wait_for_mask(annotator, 0.5, 0.5)
    large = annotator.page.evaluate(COVERED)
    press(annotator, "Control+z", "f", "Enter")
    annotator.draft("brush")
    # The draft of before is taken off, and the new one is painted.
    annotator.page.wait_for_function(
        f"large => {{ const now = ({COVERED})(); return 0 < now && now < large / 5 }}", arg=large
    )


def test_a_tap_places_one_point_and_a_pinch_none(open_annotator):
    annotator = open_annotator(width=960)
    touch = fingers(annotator)
    press(annotator, "c")
    touch("touchStart", (0.4, 0.5))
    touch("touchStart", (0.4, 0.5), (0.6, 0.5))
    touch("touchMove", (0.35, 0.5), (0.65, 0.5))
    touch("touchEnd")
    annotator.draft("none")
    press(annotator, "f")
    touch("touchStart", (0.4, 0.5))
    touch("touchMove", (0.403, 0.502))  # a finger is not still
    touch("touchEnd")
    annotator.draft("clicks")
    annotator.expect(annotator.root.locator(".ev-unfinished").first).to_contain_text("% right")
    press(annotator, "Control+z")
    annotator.draft("none")  # it was one point


def test_a_finger_that_rests_means_the_second_button(open_annotator):
    annotator = open_annotator(width=960)
    touch = fingers(annotator)
    press(annotator, "c")
    touch("touchStart", (0.3, 0.5))
    touch("touchEnd")
    wait_for_mask(annotator, 0.34, 0.5)
    touch("touchStart", (0.36, 0.5))
    wait_for_mask(annotator, 0.34, 0.5, covered=False)  # with the finger still down
    touch("touchEnd")
    press(annotator, "Control+z")
    wait_for_mask(annotator, 0.34, 0.5)  # it was one point

    # So it is with the brush, whose stroke goes on from there.
    press(annotator, "b")
    touch("touchStart", (0.25, 0.5))
    wait_for_mask(annotator, 0.25, 0.5, covered=False)
    touch("touchMove", (0.34, 0.5))
    touch("touchEnd")
    wait_for_mask(annotator, 0.34, 0.5, covered=False)

    # Two fingers that rest zoom, and do nothing else.
    press(annotator, "Control+z", "Control+z")
    annotator.draft("none")
    touch("touchStart", (0.4, 0.5))
    touch("touchStart", (0.4, 0.5), (0.6, 0.5))
    annotator.page.wait_for_timeout(700)
    touch("touchEnd")
    annotator.draft("none")


def test_an_outline_is_closed_by_two_taps_of_a_finger(open_annotator):
    annotator = open_annotator(width=960)
    touch = fingers(annotator)
    press(annotator, "p")
    for place in ((0.2, 0.3), (0.4, 0.3), (0.4, 0.6), (0.2, 0.6), (0.206, 0.605)):
        touch("touchStart", place)
        touch("touchEnd")
    annotator.draft("polygon")
    annotator.expect(annotator.action("undo")).to_have_attribute("aria-label", "Undo: polygon")
    wait_for_mask(annotator, 0.3, 0.5)


def test_a_pen_draws_as_a_mouse_does(open_annotator):
    annotator = open_annotator(width=960)
    press(annotator, "b")
    devtools = annotator.page.context.new_cdp_session(annotator.page)
    for kind, place in (
        ("mousePressed", (0.3, 0.4)),
        ("mouseMoved", (0.4, 0.4)),
        ("mouseReleased", (0.5, 0.4)),
    ):
        x, y = at(annotator, *place)
        pen = {"pointerType": "pen", "button": "left", "buttons": 1, "clickCount": 1}
        devtools.send("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, **pen})
    annotator.draft("brush")
    wait_for_mask(annotator, 0.4, 0.4)

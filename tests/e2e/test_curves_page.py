"""The curves in a browser: read, switched and saved, by mouse, by keys, and without either."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from harness import axe_violations, open_page

#: Counts how often each canvas is drawn anew.
COUNT_DRAWINGS = """
const clear = CanvasRenderingContext2D.prototype.clearRect;
CanvasRenderingContext2D.prototype.clearRect = function (...args) {
  this.canvas.dataset.drawings = Number(this.canvas.dataset.drawings ?? 0) + 1;
  clear.apply(this, args);
};
"""


@pytest.fixture
def open_curves(browser: Any, address: str) -> Iterator[Callable[..., Any]]:
    context = browser.new_context(locale="en-US", reduced_motion="reduce")
    context.add_init_script(COUNT_DRAWINGS)
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    yield lambda **options: open_page(context, address, "curves.html", **options)
    context.close()
    assert not errors


def expect(locator: Any) -> Any:
    from playwright.sync_api import expect

    return expect(locator)


def row(page: Any, name: str) -> Any:
    return page.locator(".evc-legend tbody tr").filter(has_text=name).first


def drawings(page: Any, canvas: int) -> int:
    return int(page.locator(".evc-plot canvas").nth(canvas).get_attribute("data-drawings"))


@pytest.mark.parametrize(
    "options",
    [
        {"theme": "light", "width": 960, "phase": "running"},
        {"theme": "dark", "width": 360, "phase": "failed"},
        {"theme": "dark", "width": 600, "session": 1},
    ],
)
def test_nothing_serious_for_those_who_see_or_point_differently(open_curves, options):
    page = open_curves(**options)
    found = {"start": axe_violations(page)}
    page.get_by_role("button", name="Table").click()
    page.locator(".evc-name").first.click()
    page.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    found["all"] = axe_violations(page)
    assert found == {where: [] for where in found}


def test_the_keyboard_stays_in_the_widget_when_a_button_goes(open_curves):
    page = open_curves(width=960, phase="running")
    progress = "harness.model.set('progress', { ...harness.model.get('progress'), phase: %r })"
    stop = page.locator(".evc-run button")
    focused = page.locator(".evavos :focus")
    for phase in ("stopping", "done"):  # the button is disabled, or is there no longer
        page.evaluate(progress % "running")
        stop.focus()
        page.evaluate(progress % phase)
        expect(page.locator(".evc-run button:enabled")).to_have_count(0)
        page.wait_for_function("document.activeElement.matches('.evavos :enabled, .evavos div')")
    # Who has left the widget is not called back.
    page.evaluate(progress % "running")
    stop.focus()
    page.mouse.click(5, 5)
    page.evaluate(progress % "stopping")
    page.evaluate("new Promise((drawn) => setTimeout(drawn, 300))")
    expect(focused).to_have_count(0)


def test_the_lines_are_read_by_mouse_and_by_keys_without_drawing_them_again(open_curves):
    page = open_curves(width=960)
    heading = page.locator(".evc-legend thead .evc-reading")
    expect(heading).to_have_text("J&F at the end")
    expect(row(page, "oracle")).to_contain_text("0.604 h")
    before = drawings(page, 0)
    box = page.locator(".evc-plot").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 90, steps=8)
    expect(heading).to_have_text(re.compile(r"^J&F at 0\.53\d? h$"))
    expect(row(page, "mask-only")).to_contain_text("0.70")
    page.mouse.move(0, 0)
    expect(heading).to_have_text("J&F at the end")
    slider = page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", "0.311 h")
    page.keyboard.press("ArrowRight")
    expect(slider).not_to_have_attribute("aria-valuetext", "0.311 h")
    page.keyboard.press("End")
    expect(slider).to_have_attribute("aria-valuetext", "2.1 h")
    expect(row(page, "oracle")).to_contain_text("\N{EN DASH}")
    page.keyboard.press("Escape")
    expect(heading).to_have_text("J&F at the end")
    assert drawings(page, 0) == before
    assert drawings(page, 1) > 5


def test_methods_are_switched_and_the_target_set_in_every_view(open_curves):
    page = open_curves(width=960)
    before = drawings(page, 0)
    page.evaluate("void harness.mount()")
    random = page.get_by_role("button", name="random")
    random.first.focus()
    page.keyboard.press("Space")
    for view in range(2):
        expect(random.nth(view)).to_have_attribute("aria-pressed", "false")
    assert page.evaluate("harness.model.get('hidden')") == ["random"]
    assert drawings(page, 0) > before
    table = page.locator("table").filter(has_text="J&F after").first
    expect(table.get_by_role("columnheader", name="random")).to_have_count(0)
    target = page.get_by_label("target")
    target.first.fill("0.9")
    target.first.press("Enter")
    expect(target.nth(1)).to_have_value("0.9")
    expect(row(page, "mask-only")).to_contain_text("not reached")
    expect(row(page, "oracle")).to_contain_text("1.06 h")
    target.first.fill("")
    target.first.press("Enter")
    expect(row(page, "oracle").locator("td")).to_have_count(1)


def test_what_is_shown_is_saved(open_curves, tmp_path: Path):
    page = open_curves(width=700)

    def saved(kind: str) -> bytes:
        with page.expect_download() as download:
            page.get_by_role("button", name=kind, exact=True).click()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        return path.read_bytes()

    assert saved("PNG").startswith(b"\x89PNG")
    svg = saved("SVG").decode()
    assert svg.startswith("<svg")
    assert "oracle" in svg
    assert "0.604 h" in svg
    rows = list(csv.DictReader(saved("CSV").decode().splitlines()))
    assert len(rows) == 5 * 200
    assert rows[0] == {
        "line": "mask-only",
        "hours": "0.311",
        "jf": rows[0]["jf"],
        "low": rows[0]["low"],
        "high": rows[0]["high"],
    }
    assert float(rows[0]["low"]) < float(rows[0]["jf"]) < float(rows[0]["high"])


def test_what_is_finished_shows_no_progress_and_nothing_to_stop(open_curves):
    page = open_curves()
    expect(page.locator(".evc-name")).to_have_count(5)
    expect(page.locator(".evc-run, .ev-progress")).to_have_count(0)
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)


def test_a_run_is_shown_stopped_and_taken_up(open_curves):
    page = open_curves(phase="running")
    run = page.locator(".evc-run")
    expect(run).to_contain_text("27 of 70 loops, about 6 min left")
    page.get_by_role("button", name="Stop").click()
    page.evaluate(
        "harness.model.set('progress', {...harness.model.get('progress'), phase: 'stopped'})"
    )
    expect(run.get_by_role("status")).to_contain_text("Stopped after 27 of 70 loops")
    page.get_by_role("button", name="Go on").click()
    sent = page.evaluate("harness.model.sent.map(({ kind }) => kind)")
    assert [kind for kind in sent if kind not in ("ping", "cancel")] == ["hello", "stop", "resume"]


def test_a_run_says_that_its_kernel_does_not_answer(open_curves):
    page = open_curves(phase="running")  # nobody is at the other end
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The kernel does not answer")


def test_mounting_and_unmounting_leaves_nothing_behind(open_curves):
    page = open_curves()
    listening = page.evaluate("harness.model.listening")
    page.evaluate("for (let i = 0; i < 50; i++) harness.mount()()")
    assert page.evaluate("harness.model.listening") == listening
    expect(page.locator(".evavos")).to_have_count(1)


def test_the_tutorial_runs_in_jupyterlab(open_notebook):
    path = Path(__file__).parents[2] / "examples" / "02_experiments.ipynb"
    cells = nbformat.read(path, as_version=4).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    notebook = open_notebook(*code, height=1100)
    for i in range(len(code)):
        notebook.run_cell(i)
    page = notebook.page
    prompts = page.locator(".jp-Notebook .jp-CodeCell .jp-InputArea-prompt")
    expect(prompts.nth(len(code) - 1)).to_have_text(f"[{len(code)}]:", timeout=400_000)
    expect(page.locator('[data-mime-type="application/vnd.jupyter.error"]')).to_have_count(0)
    session, run, finished = (page.locator(".evavos").nth(i) for i in range(3))
    for shown, lines in ((session, 2), (run, 3), (finished, 3)):
        shown.scroll_into_view_if_needed()
        expect(shown).to_have_attribute("data-evavos-ready", "true")
        expect(shown.locator(".evc-name")).to_have_count(lines)
    expect(run.locator(".evc-run")).to_contain_text("Finished, 8 loops")
    expect(finished.locator(".evc-run")).to_have_count(0)
    expect(run.get_by_label("target")).to_have_value("0.9")
    run.scroll_into_view_if_needed()
    box = run.locator(".evc-plot").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 60)
    expect(run.locator(".evc-legend thead .evc-reading")).to_contain_text("J&F at 0.")
    assert not notebook.errors

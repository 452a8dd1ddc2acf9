"""Notebooks and the annotator in them, as a person handles them: by mouse and by sight."""

from __future__ import annotations

import json
import re
import time
import urllib.request
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import numpy as np

PATIENCE_MS = 120_000

#: What the cell of a clip calls its video.
VIDEO = "video"


@dataclass(frozen=True)
class Clip:
    """A video, the cell that opens it, and the true masks of its object 1, by frame."""

    source: Path
    setup: str
    truth: Mapping[int, np.ndarray]

    def cell(self, path: str, options: str = "") -> str:
        """A cell that shows an annotator whose session is in the folder `path`."""
        return f"{self.setup}\nannotator = Annotator({VIDEO}, path={path!r}{options})\nannotator"


@dataclass(frozen=True)
class Lab:
    url: str
    work: Path
    runtime: Path

    def set_windowing(self, mode: str) -> None:
        """How pages opened from now on keep cells that are out of sight."""
        self._set("notebook-extension:tracker", windowingMode=mode)

    def set_subshells(self, use: str) -> None:
        """Whether pages opened from now on reach a kernel that runs a cell."""
        self._set("apputils-extension:kernels-settings", commsOverSubshells=use)

    def _set(self, plugin: str, **settings: str) -> None:
        raw = json.dumps({"raw": json.dumps(settings)}).encode()
        address = f"{self.url}/lab/api/settings/@jupyterlab/{plugin}"
        request = urllib.request.Request(
            address, data=raw, method="PUT", headers={"Content-Type": "application/json"}
        )
        urllib.request.urlopen(request, timeout=PATIENCE_MS / 1000).close()

    def kernel_of(self, notebook: str) -> str:
        with urllib.request.urlopen(
            f"{self.url}/api/sessions", timeout=PATIENCE_MS / 1000
        ) as response:
            sessions = json.load(response)
        return next(s["kernel"]["id"] for s in sessions if s["path"] == notebook)


class Notebook:
    """One notebook in its own browser page and with its own kernel."""

    def __init__(
        self, lab: Lab, browser: Any, name: str, cells: Sequence[str], width: int, height: int
    ) -> None:
        self.lab, self.name = lab, f"{name}.ipynb"
        self.path = lab.work / self.name
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source) for source in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        nbformat.write(notebook, self.path)
        self._context = browser.new_context(
            locale="en-US",
            color_scheme="light",
            reduced_motion="reduce",
            viewport={"width": width, "height": height},
            device_scale_factor=2,
        )
        self._context.set_default_timeout(PATIENCE_MS)
        self.page = self._context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self._client: Any = None
        self.open()

    def open(self) -> None:
        """Open the page, in a workspace of its own."""
        self.page.goto(f"{self.lab.url}/lab/workspaces/{uuid.uuid4().hex}/tree/{self.name}?reset")
        self.wait_until_idle()

    def wait_until_idle(self) -> None:
        self.page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]')
        self.page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for()

    def run_cell(self, index: int) -> None:
        """Run one cell by keyboard, as a person does, until its views are those of this run.

        Views are found by their place on the page: where a cell had some, those before may still
        stand there, and then those of the cells below it, before the new ones come.
        """
        from playwright.sync_api import expect

        cell = self.page.locator(".jp-Notebook .jp-CodeCell").nth(index)
        views = cell.locator(".evavos")
        before = views.count()
        views.evaluate_all("views => { for (const view of views) view.dataset.before = '' }")
        cell.locator(".jp-InputArea-editor").click()
        self.page.keyboard.press("Shift+Enter")
        prompt = cell.locator(".jp-InputArea-prompt")
        expect(prompt).not_to_have_text("[ ]:")
        expect(cell.locator(".evavos[data-before]")).to_have_count(0)
        if before:  # of which some may come later, when they are asked for
            expect(views).not_to_have_count(0)

    def annotator(self, index: int = 0) -> Annotator:
        return Annotator(self.page, index)

    def python(self, code: str) -> str:
        """Run `code` in the notebook's kernel, beside the page; what it prints."""
        client = self._connect()
        printed: list[str] = []

        def take(message: Mapping[str, Any]) -> None:
            if message["msg_type"] == "stream":
                printed.append(message["content"]["text"])

        reply = client.execute_interactive(code, output_hook=take, timeout=PATIENCE_MS / 1000)
        content = reply["content"]
        assert content["status"] == "ok", "\n".join(content.get("traceback", [str(content)]))
        return "".join(printed).strip()

    def value(self, expression: str) -> Any:
        """A JSON value computed in the kernel."""
        return json.loads(self.python(f"import json; print(json.dumps({expression}))"))

    def until(self, condition: str) -> None:
        """Wait until an expression is true in the kernel."""
        deadline = time.monotonic() + PATIENCE_MS / 1000
        while not self.value(f"bool({condition})"):
            assert time.monotonic() < deadline, f"not so: {condition}"
            time.sleep(0.2)  # the kernel has better to do than to say it all the time

    def after_pass(self, annotator: Annotator, waiting: int = 0) -> None:
        """Wait until only so many frames wait for a pass, and the page shows the outcome.

        That the page says idle is not enough: it may not have heard of the pass yet. Nor is a pass
        to be waited for that the page says is running: it may be over before somebody looks.
        """
        self.until(f"len(annotator.session.stale) <= {waiting}")
        annotator.at_revision(self.value("annotator.session.revision"))
        annotator.phase("idle")

    def _connect(self) -> Any:
        if self._client is None:
            from jupyter_client import BlockingKernelClient

            kernel = self.lab.kernel_of(self.name)
            client = BlockingKernelClient(
                connection_file=str(self.lab.runtime / f"kernel-{kernel}.json")
            )
            client.load_connection_file()
            client.start_channels()
            client.wait_for_ready(timeout=PATIENCE_MS / 1000)
            self._client = client
        return self._client

    def restart_kernel(self) -> None:
        """As a person does: by the menu, and yes to the question."""
        self.forget_kernel()
        self.page.get_by_role("menuitem", name="Kernel", exact=True).click()
        self.page.get_by_text("Restart Kernel…", exact=True).click()
        self.page.locator(".jp-Dialog button.jp-mod-warn").click()
        self.page.locator(".jp-Dialog").wait_for(state="detached")
        self.wait_until_idle()

    def forget_kernel(self) -> None:
        """Let go of a kernel that is no more."""
        if self._client is not None:
            self._client.stop_channels()
            self._client = None

    def save(self) -> None:
        self.page.keyboard.press("Escape")
        self.page.get_by_role("menuitem", name="File", exact=True).click()
        self.page.get_by_text("Save Notebook", exact=True).click()

    def close(self) -> None:
        self.forget_kernel()
        self._context.close()
        try:
            kernel = self.lab.kernel_of(self.name)
        except StopIteration:
            return
        request = urllib.request.Request(f"{self.lab.url}/api/kernels/{kernel}", method="DELETE")
        urllib.request.urlopen(request, timeout=PATIENCE_MS / 1000).close()


class Annotator:
    """One view of the annotator on the page, found by what it shows."""

    def __init__(self, page: Any, index: int) -> None:
        from playwright.sync_api import expect

        self.page = page
        self.root = page.locator(".evavos").nth(index)
        self.stage = self.root.locator(".ev-stage")
        self._expect = lambda what=self.root: expect(what)

    def expect(self, part: Any = None) -> Any:
        return self._expect(self.root if part is None else part)

    def ready(self) -> Annotator:
        self.expect().to_have_attribute("data-evavos-ready", "true")
        return self

    def action(self, name: str) -> Any:
        """The button of an action of the front end's table."""
        return self.root.locator(f'[data-action="{name}"]').first

    def press(self, name: str) -> None:
        self.action(name).click(timeout=PATIENCE_MS)

    def show(self, frame: int) -> None:
        """Go to a frame with the number field, and wait until its picture is painted."""
        field = self.root.locator(".ev-frame input")
        field.fill(str(frame))
        field.press("Enter")
        self.on_frame(frame)

    def on_frame(self, frame: int) -> None:
        self.expect().to_have_attribute("data-frame", str(frame))

    def phase(self, phase: str) -> None:
        self.expect().to_have_attribute("data-phase", phase)

    def draft(self, kind: str) -> None:
        self.expect().to_have_attribute("data-draft", kind)

    def revision(self) -> int:
        return int(self.root.get_attribute("data-revision"))

    def after_revision(self, revision: int) -> None:
        """Wait until the page has heard of a change after `revision`."""
        self.at_revision(revision + 1)

    def at_revision(self, revision: int) -> None:
        """Wait until the page has heard of `revision`, or of a later one."""
        self.page.wait_for_function(
            "([root, revision]) => Number(root.dataset.revision) >= revision",
            arg=[self.root.element_handle(), revision],
        )

    def commit(self, propagate: bool = False) -> None:
        """Commit the draft and wait until the page knows that it is saved."""
        revision = self.revision()
        self.press("commit.propagate" if propagate else "commit")
        self.draft("none")
        self.after_revision(revision)

    # The hand -------------------------------------------------------------------------

    def _place(self, x: float, y: float, size: tuple[int, int]) -> tuple[float, float]:
        """Where an image pixel of a fitted picture of `size` (width, height) is on the page."""
        box = self.stage.evaluate(
            "e => { const r = e.getBoundingClientRect();"
            " return [r.left + e.clientLeft, r.top + e.clientTop, e.clientWidth, e.clientHeight] }"
        )
        left, top, width, height = box
        scale = min(width / size[0], height / size[1])
        return (
            left + (width - size[0] * scale) / 2 + (x + 0.5) * scale,
            top + (height - size[1] * scale) / 2 + (y + 0.5) * scale,
        )

    def click(self, x: float, y: float, like: np.ndarray, positive: bool = True) -> None:
        size = like.shape[1], like.shape[0]
        self.page.mouse.click(*self._place(x, y, size), button="left" if positive else "right")

    def drag(self, points: Sequence[tuple[float, float]], like: np.ndarray) -> None:
        size = like.shape[1], like.shape[0]
        self.page.mouse.move(*self._place(*points[0], size))
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*self._place(*point, size), steps=3)
        self.page.mouse.up()

    def steer(self, x: int, y: int) -> None:
        """Move the crosshair to an image pixel with the arrow keys."""
        told = self.root.locator("[aria-live='polite']").filter(has_text="column")
        here = re.search(r"column (\d+), row (\d+)", told.inner_text())
        assert here is not None
        stride = max(2, round(max(self._picture_size()) / 40))
        for at, to, back, on in (
            (int(here[1]), x, "ArrowLeft", "ArrowRight"),
            (int(here[2]), y, "ArrowUp", "ArrowDown"),
        ):
            key = on if to > at else back
            far, near = divmod(abs(to - at), stride)
            for press in ["Shift+" + key] * far + [key] * near:
                self.page.keyboard.press(press)
        self.expect(told).to_contain_text(f"column {x}, row {y}")

    def _picture_size(self) -> tuple[int, int]:
        ratio = self.stage.evaluate("e => e.style.getPropertyValue('--ev-aspect')")
        width, height = ratio.split("/")
        return int(width), int(height)

    def paint(self, mask: np.ndarray) -> None:
        """Fill `mask` with strokes of the brush, as large as it is, that stay within it."""
        diameter = int(self.root.get_by_label("Brush size in pixels").input_value())
        self.stage.scroll_into_view_if_needed()
        for stroke in strokes_within(mask, diameter):
            self.drag(stroke, mask)

    def phase_when_painted(self) -> str:
        """Wait until the masks cover a part of the stage; the phase of the job just then."""
        from playwright.sync_api import TimeoutError

        root = self.root.element_handle()
        try:
            return self.page.wait_for_function(
                """root => {
                    const canvas = root.querySelector("canvas.ev-canvas-masks");
                    const { width, height } = canvas;
                    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
                    const painted = data.some((value, i) => i % 4 === 3 && value > 0);
                    return painted ? root.dataset.phase : null;
                }""",
                arg=root,
            ).json_value()
        except TimeoutError as error:
            shown = root.evaluate("root => JSON.stringify(root.dataset) + root.innerText")
            raise AssertionError(f"no mask was painted; the page shows:\n{shown}") from error


def strokes_within(mask: np.ndarray, diameter: int) -> list[list[tuple[float, float]]]:
    """Horizontal strokes of a round brush that cover most of a mask and leave it nowhere."""
    from scipy.ndimage import distance_transform_edt

    inside = distance_transform_edt(np.pad(mask > 0, 1))[1:-1, 1:-1] > diameter / 2
    strokes = []
    for y in range(0, mask.shape[0], diameter // 2):
        columns = np.flatnonzero(inside[y])
        for run in np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1):
            if len(run):
                strokes.append([(float(run[0]), float(y)), (float(run[-1]), float(y))])
    return strokes


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))

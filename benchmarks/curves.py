"""How smooth the curves are: 20 lines of 500 points while somebody points and switches.

    PYTHONPATH=tests/e2e python -m benchmarks.curves

The page of `npm --prefix js run harness` in Chromium, headless and without a GPU. Prints a Markdown
table. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import os
import shutil
from typing import Any

import numpy as np
from harness import open_page, serve

LINES = 20
POINTS = 500
SWEEPS = 6
SWITCHES = 40

INSTRUMENTS = """
window.bench = { work: [], frames: [] };
let start = 0, last = 0, pending = 0;
for (const kind of ["pointermove", "click"]) {
  addEventListener(kind, () => { start = performance.now() }, { capture: true });
  addEventListener(kind, () => { pending += performance.now() - start });
}
const request = requestAnimationFrame.bind(window);
window.requestAnimationFrame = (callback) => request((time) => {
  const start = performance.now();
  callback(time);
  pending += performance.now() - start;
});
const frame = (time) => {
  bench.frames.push(time - last);
  last = time;
  if (pending > 0) bench.work.push(pending);
  pending = 0;
  request(frame);
};
request(frame);
"""
"""Notes how long the handlers of each frame take, and how long it is from frame to frame."""


def point(page: Any) -> tuple[list[float], list[float]]:
    """Milliseconds of work for each frame with work, and from frame to frame, while pointing."""
    box = page.locator(".evc-plot").bounding_box()
    page.evaluate("bench.work.length = bench.frames.length = 0")
    for sweep in range(SWEEPS):
        ends = (0.05, 0.95) if sweep % 2 else (0.95, 0.05)
        for x in np.linspace(*ends, 60):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + 0.5 * box["height"])
    return page.evaluate("bench.work"), page.evaluate("bench.frames")


def switch(page: Any) -> tuple[list[float], list[float]]:
    """The same while lines are switched off and on."""
    page.evaluate("bench.work.length = bench.frames.length = 0")
    page.evaluate(
        """async (switches) => {
            const names = document.querySelectorAll(".evc-name");
            for (let i = 0; i < switches; i++) {
                names[i % names.length].click();
                await new Promise((resolve) => requestAnimationFrame(resolve));
            }
        }""",
        SWITCHES,
    )
    return page.evaluate("bench.work"), page.evaluate("bench.frames")


def main() -> None:
    from playwright.sync_api import sync_playwright

    print("| what | measured | target |\n|---|---|---|")

    def quantiles(name: str, values: list[float], target: str) -> None:
        p50, p95 = np.percentile(values, [50, 95])
        print(f"| {name} | p50 {p50:.1f} ms, p95 {p95:.1f} ms (n={len(values)}) | {target} |")

    with serve() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu"],
        )
        context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 900})
        context.add_init_script(INSTRUMENTS)
        page = open_page(context, address, "curves.html", lines=LINES, points=POINTS)
        for name, measure in (("pointing", point), ("switching", switch)):
            work, frames = measure(page)
            quantiles(f"{name}: work per frame", work, "16.7 ms")
            quantiles(f"{name}: frame to frame", frames, "16.7 ms")
        browser.close()


if __name__ == "__main__":
    main()

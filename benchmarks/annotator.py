"""How long a person waits in the annotator: clicks, strokes, scrubbing, and what stays behind.

    PYTHONPATH=tests/e2e python -m benchmarks.annotator

The page of `npm --prefix js run harness` in Chromium, headless and without a GPU; previews come
from the embedded predictor and pictures from the embedded clip, both over HTTP on this machine.
Prints a Markdown table. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from harness import open_page, serve

from evavos_widget import Session
from evavos_widget.datasets.embedded import embedded_clip
from evavos_widget.masks import encode_runs

CLICKS = 20
STROKES = 12
MOUNTS = 50

INSTRUMENTS = """
window.bench = { work: [], frames: [], pressed: 0, bitmaps: 0 };
let now = 0, last = 0, pending = 0;
addEventListener("pointerdown", () => { bench.pressed = performance.now() }, { capture: true });
addEventListener("pointermove", () => { now = performance.now() }, { capture: true });
addEventListener("pointermove", () => { pending += performance.now() - now });
const request = requestAnimationFrame.bind(window);
window.requestAnimationFrame = (callback) => request((time) => {
  const start = performance.now();
  callback(time);
  bench.work.push(pending + performance.now() - start);
  pending = 0;
  if (last && time > last) bench.frames.push(time - last);
  last = time;
});
const create = createImageBitmap.bind(window);
window.createImageBitmap = async (...args) => {
  const bitmap = await create(...args);
  bench.bitmaps++;
  return bitmap;
};
const close = ImageBitmap.prototype.close;
ImageBitmap.prototype.close = function () { bench.bitmaps--; close.call(this) };
bench.painted = (true_) => new Promise((resolve) => {
  const look = () => {
    if (true_()) request(() => resolve(performance.now()));
    else request(look);
  };
  look();
});
"""
"""Notes how long each frame's handlers and drawing take, and which pictures are let go."""


@contextmanager
def clip_server(session: Session) -> Iterator[str]:
    """Frames of a session's video, and its previews, for a page that lives elsewhere."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply(session.video.jpeg(int(self.path.strip("/").removesuffix(".jpg"))))

        def do_POST(self) -> None:
            prompts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            prediction = session.predict(
                prompts["frame"], prompts["object"], clicks=prompts["clicks"]
            )
            self.reply(encode_runs(prediction.mask.astype(np.uint8)).astype("<u4").tobytes())

        def reply(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Access-Control-Allow-Origin", "*")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def place(page: Any, x: float, y: float) -> tuple[float, float]:
    box = page.locator(".ev-stage").bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def clicks(page: Any) -> list[float]:
    """Milliseconds from the button going down to the frame after the preview is drawn."""
    page.locator(".ev-stage").focus()
    page.keyboard.press("c")
    rng = np.random.default_rng(0)
    times = []
    for _ in range(CLICKS):
        page.mouse.click(*place(page, *rng.uniform(0.2, 0.8, 2)))
        times.append(
            page.evaluate(
                """async () => {
                    const status = () => document.querySelector(".ev-unfinished")?.innerText ?? "";
                    return await bench.painted(() => status().includes("right")) - bench.pressed;
                }"""
            )
        )
        page.keyboard.press("Escape")
        page.wait_for_selector(".evavos[data-draft='none']")
    return times


def strokes(page: Any) -> tuple[list[float], list[float]]:
    """Milliseconds of work for each painted frame of a stroke, and from frame to frame."""
    page.locator(".ev-stage").focus()
    page.keyboard.press("b")
    while int(page.locator(".ev-toolbar output").inner_text()) < 100:
        page.keyboard.press("]")
    page.evaluate("bench.work.length = bench.frames.length = 0")
    for row in np.linspace(0.15, 0.85, STROKES):
        page.mouse.move(*place(page, 0.1, row))
        page.mouse.down()
        page.mouse.move(*place(page, 0.9, row), steps=30)
        page.mouse.up()
    return page.evaluate("bench.work"), page.evaluate("bench.frames")


def scrub(page: Any, count: int) -> float:
    """Frames per second, each on the screen before the next is asked for."""
    milliseconds = page.evaluate(
        """async (count) => {
            const root = document.querySelector(".evavos");
            harness.model.set("frame", 0);
            await bench.painted(() => root.dataset.frame === "0");
            const start = performance.now();
            for (let frame = 1; frame < count; frame++) {
                harness.model.set("frame", frame);
                await bench.painted(() => root.dataset.frame === String(frame));
            }
            return performance.now() - start;
        }""",
        count,
    )
    return 1000 * (count - 1) / milliseconds


def left_behind(page: Any) -> dict[str, float]:
    """What `MOUNTS` displays that are gone again leave: nodes, listeners, pictures, bytes."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable")

    def state() -> dict[str, float]:
        devtools.send("HeapProfiler.collectGarbage")
        metrics = {
            m["name"]: m["value"] for m in devtools.send("Performance.getMetrics")["metrics"]
        }
        return {
            "nodes": metrics["Nodes"],
            "listeners": metrics["JSEventListeners"],
            "model listeners": page.evaluate("harness.model.listening"),
            "pictures": page.evaluate("bench.bitmaps"),
            "workers": len(page.workers),
            "heap kB": metrics["JSHeapUsedSize"] / 1024,
        }

    cycle = """async (mounts) => {
        for (let i = 0; i < mounts; i++) {
            const unmount = harness.mount();
            const views = document.querySelectorAll(".evavos");
            const ready = () => views[views.length - 1].dataset.evavosReady === "true";
            await bench.painted(ready);
            unmount();
        }
    }"""
    page.evaluate(cycle, 3)
    before = state()
    page.evaluate(cycle, MOUNTS)
    page.evaluate("bench.painted(() => true)")
    after = state()
    return {name: after[name] - before[name] for name in before}


def main() -> None:
    from playwright.sync_api import sync_playwright

    rows: list[tuple[str, str, str]] = []

    def quantiles(name: str, values: list[float], target: str) -> None:
        p50, p95 = np.percentile(values, [50, 95])
        rows.append((name, f"p50 {p50:.1f} ms, p95 {p95:.1f} ms (n={len(values)})", target))

    sequence = embedded_clip()
    session = Session(sequence.video)
    session.add_object()
    height, width = sequence.video.height, sequence.video.width
    session.predict(0, 1, clicks=[(width / 2, height / 2, True)])
    with (
        serve() as address,
        clip_server(session) as clip,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu"],
        )
        context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 900})
        context.add_init_script(INSTRUMENTS)
        count = sequence.video.n_frames
        real = {"frames": f"{clip}/{{}}.jpg", "count": count, "w": width, "h": height}

        page = open_page(context, address, predictor=f"{clip}/predict", **real)
        name = f"click to painted preview, {height}p, {session.predictor.name}"
        quantiles(name, clicks(page), "250 ms")
        page = open_page(context, address, w=1920, h=1080, count=2)
        work, frames = strokes(page)
        quantiles("stroke of 100 px, 1080p: work per frame", work, "16 ms")
        quantiles("stroke of 100 px, 1080p: frame to frame", frames, "")
        page = open_page(context, address, **real)
        rows.append((f"scrubbing, {height}p, uncached", f"{scrub(page, count):.0f} fps", "30 fps"))
        rows.append((f"scrubbing, {height}p, cached", f"{scrub(page, count):.0f} fps", "60 fps"))
        left = ", ".join(f"{name} {value:+.0f}" for name, value in left_behind(page).items())
        rows.append((f"{MOUNTS} mounts and unmounts leave", left, "nothing"))
        browser.close()
    session.close()
    print("| what | measured | target |\n|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()

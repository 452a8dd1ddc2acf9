"""The widgets in a plain page, with a kernel that lives in the browser: served, opened, read."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

JS = Path(__file__).parents[2] / "js"
AXE = JS / "node_modules" / "axe-core" / "axe.min.js"


class UnavailableError(RuntimeError):
    """The page cannot be served here; the message says what is missing."""


@contextmanager
def serve() -> Iterator[str]:
    """Serve the page while the context is open; its address, ending in a slash."""
    node = shutil.which("node")
    if node is None or not AXE.is_file():
        raise UnavailableError("the page needs Node and `npm --prefix js ci`")
    # Node may be a wrapper around another process, hence the group; and should this process be
    # killed, the server notices that its input is closed.
    server = subprocess.Popen(
        [node, "build.mjs", "--serve"],
        cwd=JS,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        assert server.stdout is not None
        for line in server.stdout:
            if found := re.fullmatch(r"(http://localhost:\d+/)\s*", line.decode()):
                yield found[1]
                break
        else:
            raise UnavailableError("`node build.mjs --serve` ended without an address")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        for pipe in (server.stdin, server.stdout):
            if pipe is not None:
                pipe.close()


def open_page(context: Any, address: str, name: str = "", **options: Any) -> Any:
    """Open a page with its options (see `js/harness/*.ts`), and wait for the picture."""
    page = context.new_page()
    page.goto(f"{address}{name}?{urlencode(options)}")
    page.wait_for_selector('[data-evavos-ready="true"]')
    return page


@contextmanager
def after_pass(page: Any) -> Iterator[None]:
    """Wait at the end of the block until a pass that it has begun is over, however quick it was."""
    before = page.evaluate("harness.kernel.passes")
    yield
    page.wait_for_function("before => harness.kernel.passes > before", arg=before)
    page.wait_for_selector('[data-phase="idle"]')


@contextmanager
def in_mid_pass(page: Any, begin: Callable[[], object]) -> Iterator[None]:
    """A pass that goes on as long as the block does, and is over after it."""
    pace = page.evaluate("harness.kernel.pace")
    page.evaluate("harness.kernel.pace = 400")
    with after_pass(page):
        begin()
        page.wait_for_selector('[data-phase="running"]')
        yield
        page.evaluate("harness.kernel.pace = 0")
    page.evaluate("pace => { harness.kernel.pace = pace }", pace)


#: Notes when the page first says that something is wrong with its kernel, and for how long the
#: machine kept the page from working until then; milliseconds.
WATCH = """() => {
    const told = (window.told = { at: null, late: 0 });
    let last = Date.now();
    const watching = setInterval(() => {
        const now = Date.now();
        told.late += now - last - 20;
        last = now;
    }, 20);
    new MutationObserver((_, observer) => {
        if (!document.querySelector("[data-notice]")) return;
        told.at = Date.now();
        clearInterval(watching);
        observer.disconnect();
    }).observe(document.body, { childList: true, subtree: true });
}"""


#: What is written or pressed in the row under the picture, two and two that lie on each other, and
#: buttons that are too small for what is on them.
CROWDED = """root => {
    const row = ".ev-transport :is(button, input, .ev-quiet, .ev-asked)";
    const parts = [...root.querySelectorAll(row)]
        .map((part) => [part, part.getBoundingClientRect()])
        .filter(([, box]) => box.width > 1);
    const small = parts.filter(([part]) => part.matches("button"))
        .filter(([part]) => part.scrollWidth > part.clientWidth)
        .map(([part]) => `${part.textContent} is cut`);
    return small.concat(parts.flatMap(([a, left], i) => parts.slice(i + 1)
        .filter(([, right]) => left.right > right.left + 1 && right.right > left.left + 1)
        .map(([b]) => `${a.textContent || a.className} on ${b.textContent || b.className}`)));
}"""


def axe_violations(page: Any) -> list[str]:
    """What axe-core calls serious or critical on the page, a line each."""
    if not page.evaluate("'axe' in window"):
        page.add_script_tag(path=AXE)
    return page.evaluate(
        """async () => (await axe.run(".evavos")).violations
            .filter(({ impact }) => impact === "serious" || impact === "critical")
            .flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}`))"""
    )

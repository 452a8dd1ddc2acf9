"""A real JupyterLab in a real Chromium, and what a person and a test do with them."""

from __future__ import annotations

import io
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness import UnavailableError, serve
from lab import PATIENCE_MS, Clip, Lab, Notebook
from PIL import Image, ImageOps

ROOT = Path(__file__).parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)


def unavailable(reason: str) -> None:
    """Skip on a developer's machine; fail where the tests must run."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        unavailable("no Chromium; install Debian's chromium or point CHROMIUM to one")
    sync_api.expect.set_options(timeout=PATIENCE_MS)  # a machine may do other work too
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Of the pages that show the widgets without a notebook."""
    try:
        with serve() as address:
            yield address
    except UnavailableError as reason:
        unavailable(str(reason))


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab server that knows nothing of this machine's settings."""
    with jupyter(tmp_path_factory.mktemp("lab"), "jupyterlab") as lab:
        yield lab


@contextmanager
def jupyter(home: Path, application: str) -> Iterator[Lab]:
    """A server of a Jupyter application, ``jupyterlab`` or ``notebook``, with a home of its own."""
    if not (ROOT / "evavos_widget/widgets/static/annotator.js").is_file():
        unavailable("the front end is not built; run `npm --prefix js run build`")
    folders = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    for folder in (*folders.values(), "work"):
        (home / folder).mkdir()
    notifications = (
        home / "settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    )
    notifications.parent.mkdir(parents=True)
    notifications.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    environment = {name: str(home / folder) for name, folder in folders.items()}
    options = (
        *("--no-browser", "--allow-root", "--port={port}", "--ServerApp.port_retries=0"),
        *("--ServerApp.ip=127.0.0.1", "--IdentityProvider.token="),
        *(f"--ServerApp.root_dir={home / 'work'}", "--ServerApp.disable_check_xsrf=True"),
    )
    with served(home, [application, *options], environment, "api/status") as url:
        yield Lab(url, home / "work", home / "runtime")


@contextmanager
def served(
    home: Path, command: Sequence[str], environment: Mapping[str, str], ready: str
) -> Iterator[str]:
    """The address of a server: a module and its arguments, in which ``{port}`` is a free one."""
    port = _free_port()
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    url, log = f"http://127.0.0.1:{port}", home / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", *(part.format(port=port) for part in command)],
            env={**os.environ, **environment, "PYTHONPATH": paths},
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd=home,
        )
        try:
            _wait_for(server, f"{url}/{ready}", log)
            yield url
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(PATIENCE_MS / 1000)


def _free_port() -> int:
    """A port that no connection is given by chance before the server takes it.

    Linux gives those from 32768 on.
    """
    for port in random.SystemRandom().sample(range(20_000, 32_768), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("there is no free port from 20000 to 32767; end what listens there.")


def _wait_for(server: subprocess.Popen, url: str, log: Path) -> None:
    deadline = time.monotonic() + 2 * PATIENCE_MS / 1000
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=30):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the server did not start:\n{log.read_text()[-4000:]}")


@pytest.fixture
def open_notebook(lab: Lab, browser: Any, request: pytest.FixtureRequest) -> Iterator[Callable]:
    """Write a notebook of the given cells, open it, and run what is asked for."""
    opened: list[Notebook] = []

    def open_notebook(*cells: str, width: int = 1280, height: int = 900) -> Notebook:
        name = f"{request.node.name.replace('[', '-').rstrip(']')}-{len(opened)}"
        notebook = Notebook(lab, browser, name, cells, width, height)
        opened.append(notebook)
        return notebook

    yield open_notebook
    for notebook in opened:
        notebook.close()


class Pictures:
    """Pictures of the annotator for the README, where EVAVOS_SCREENSHOTS asks for them.

    Each is a file of its own, and with those of `film` a frame of the capture.
    """

    WIDTH = 960
    SECONDS = 1.4
    FOLDER = ROOT / "docs" / "images"

    def __init__(self) -> None:
        self.wanted = os.environ.get("EVAVOS_SCREENSHOTS") == "1"
        self._film: list[Image.Image] = []

    def __call__(self, name: str, part: Any) -> None:
        """Keep a picture as `name`, and in the film."""
        if self.wanted:
            self.FOLDER.mkdir(parents=True, exist_ok=True)
            part.screenshot(path=self.FOLDER / f"{name}.jpg", type="jpeg", quality=85)
            self.film(part)

    def film(self, part: Any) -> None:
        """Keep a picture in the film only."""
        if self.wanted:
            frame = Image.open(io.BytesIO(part.screenshot())).convert("RGB")
            height = round(frame.height * self.WIDTH / frame.width)
            self._film.append(frame.resize((self.WIDTH, height), Image.Resampling.LANCZOS))

    def save_film(self, name: str) -> None:
        """Write the film, an animated WebP."""
        if self._film:
            height = max(frame.height for frame in self._film)
            # The notebook's cell grows and shrinks with what it shows; a film does not.
            whole = [
                ImageOps.pad(frame, (self.WIDTH, height), color="white", centering=(0, 0))
                for frame in self._film
            ]
            whole[0].save(
                self.FOLDER / f"{name}.webp",
                save_all=True,
                append_images=whole[1:],
                duration=round(1000 * self.SECONDS),
                loop=0,
                quality=70,
            )


@pytest.fixture
def picture() -> Pictures:
    """Takes pictures where they are wanted."""
    return Pictures()


@pytest.fixture(scope="session")
def clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """A real sequence: DAVIS where the data is, else an H.264 file of the embedded clip."""
    try:
        root = request.getfixturevalue("davis_root")
    except pytest.skip.Exception:
        return _embedded(tmp_path_factory.mktemp("video") / "embedded.mp4")
    from evavos_widget.masks import read_label_png

    pictures = root / "JPEGImages" / "480p" / "blackswan"
    truth = {
        i: read_label_png(path)
        for i, path in enumerate(sorted((root / "Annotations/480p/blackswan").glob("*.png")))
    }
    setup = (
        "from evavos_widget import Annotator, open_sequence\n"
        f"sequence = open_sequence({str(root)!r}, 'blackswan')\n"
        "video, truth = sequence.video, sequence.ground_truth"
    )
    return Clip(pictures, setup, truth)


def _embedded(path: Path) -> Clip:
    import av

    from evavos_widget.datasets.embedded import embedded_clip

    sequence = embedded_clip()
    video = sequence.video
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = video.width, video.height, "yuv420p"
        for frame in video:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    setup = (
        "from evavos_widget import Annotator, embedded_clip\n"
        f"video, truth = {str(path)!r}, embedded_clip().ground_truth"
    )
    truth = {i: (m == 1).astype(np.uint8) for i, m in sequence.ground_truth.items()}
    return Clip(path, setup, truth)

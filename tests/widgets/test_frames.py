"""Looking around in a long video: something at once, the exact frame after it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from fake_page import Page
from PIL import Image
from small_engines import PATIENCE

from evavos_widget.previews import Previews
from evavos_widget.video import Video
from evavos_widget.widgets.catalogue import catalogue
from evavos_widget.widgets.host import Host

N = 40


@pytest.fixture
def video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Video:
    """A video file with a key frame every 10; frame i is about 6 * i grey."""
    import av

    monkeypatch.setenv("EVAVOS_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25, options={"g": "10", "bf": "0"})
        stream.width, stream.height = 64, 48
        for i in range(N):
            picture = np.full((48, 64, 3), 6 * i, np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        file.mux(stream.encode())
    return Video.open(path)


@pytest.fixture(params=[3600.0], ids=["never idle"])
def page(
    video: Video, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Page]:
    """A page on the video; the parameter is after how many seconds nobody is taken to ask."""
    monkeypatch.setattr("evavos_widget.widgets.frames.IDLE_SECONDS", request.param)
    page = Page()
    host = Host(catalogue(), page.receive, video=video).start()
    page.handle = host.handle
    yield page
    host.close()


def grey(buffers: list[bytes]) -> float:
    return float(np.asarray(Image.open(BytesIO(buffers[0]))).mean())


def test_something_of_the_moment_comes_while_the_worker_decodes(page, video, monkeypatch):
    entered, release = threading.Event(), threading.Event()
    decode = video.jpeg

    def slowly(*arguments):
        entered.set()
        assert release.wait(PATIENCE)
        return decode(*arguments)

    monkeypatch.setattr(video, "jpeg", slowly)
    exact = page.post("frame.get", frame=27)
    assert entered.wait(PATIENCE)
    quick, picture = page.reply(page.post("frame.get", frame=27, quick=True))
    assert quick["exact"] is False
    assert (quick["frame"], quick["index"]) == (27, 30)
    assert grey(picture) == pytest.approx(6 * quick["index"], abs=5)
    assert exact not in page.replies
    release.set()
    reply, picture = page.reply(exact)
    assert reply["exact"] is True
    assert reply["index"] == 27
    assert grey(picture) == pytest.approx(6 * 27, abs=5)


def test_of_quick_ones_that_wait_the_newest_is_answered(page, monkeypatch):
    entered, release = threading.Event(), threading.Event()
    quick = Previews.quick

    def slowly(self, frame):
        entered.set()
        assert release.wait(PATIENCE)
        return quick(self, frame)

    monkeypatch.setattr(Previews, "quick", slowly)
    asked = [page.post("frame.get", frame=1, quick=True)]
    assert entered.wait(PATIENCE)
    asked += [page.post("frame.get", frame=f, quick=True) for f in (8, 22, 35)]
    release.set()
    replies = [page.reply(request)[0] for request in asked]
    assert [r["ok"] for r in replies] == [True, False, False, True]
    assert replies[2]["error"]["code"] == "superseded"


@pytest.mark.parametrize("page", [0.2], indirect=True)
def test_pictures_are_made_while_nobody_asks(page, tmp_path):
    page.ask("frame.get", frame=30)
    deadline = time.monotonic() + PATIENCE
    while len(list((tmp_path / "cache").rglob("*.jpg"))) < N:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    reply, picture = page.reply(page.post("frame.get", frame=27, quick=True))
    assert reply["index"] == 27
    assert grey(picture) == pytest.approx(6 * 27, abs=5)


@pytest.mark.parametrize("quick", [1, "yes", [True]])
def test_quick_is_yes_or_no(page, quick):
    assert page.error("frame.get", frame=3, quick=quick)["code"] == "malformed"

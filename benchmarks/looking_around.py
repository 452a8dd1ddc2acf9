"""Looking around in a long video: `python -m benchmarks.looking_around [VIDEO]`.

Without a file it writes one, of 5,000 frames of 1920 x 1080 in H.264 with a key frame every 250:
the embedded clip back and forth, with grain. Then it opens a session with the default engines and
does what the page does when somebody drags along the timeline: for a frame at random, something of
its moment is asked for, and the frame itself. Last come clicks, and a piece of a pass.

Prints milliseconds of the wall clock, also those that the processor worked, and resident memory.
Run it on a machine that does nothing else.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import av
import cv2
import numpy as np
import psutil

from evavos_widget import embedded_clip
from evavos_widget.previews import Previews
from evavos_widget.session import Session
from evavos_widget.widgets.annotator_controller import AnnotatorController

N_FRAMES, HEIGHT, WIDTH = 5000, 1080, 1920
JUMPS = 60
PREPARED = 200


def write_video(path: Path) -> None:
    """Sharp pictures and grain, so that decoding costs what it does for a camera's."""
    chance = np.random.default_rng(0)
    clip = [
        np.asarray(cv2.cvtColor(cv2.resize(frame, (WIDTH, HEIGHT)), cv2.COLOR_RGB2YUV_I420))
        for frame in embedded_clip().video
    ]
    grain = [chance.normal(0, 2.5, (HEIGHT, WIDTH)).astype(np.int16) for _ in range(12)]
    order = [*range(len(clip)), *range(len(clip) - 1, -1, -1)]
    options = {"g": "250", "keyint_min": "250", "sc_threshold": "0", "preset": "veryfast"}
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for i in range(N_FRAMES):
            picture = clip[order[i % len(order)]].astype(np.uint8)
            luma = picture[:HEIGHT]
            luma[:] = np.clip(luma + grain[7 * i % len(grain)], 16, 235).astype(np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="yuv420p")))
        file.mux(stream.encode())


class Page:
    """What a page asks, and when the answers come."""

    def __init__(self, session: Session) -> None:
        self._came: dict[str, tuple[float, dict[str, Any]]] = {}
        self._news = threading.Condition()
        self._asked = 0
        self.controller = AnnotatorController(session, self._receive)
        self.host = self.controller.host

    def _receive(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        with self._news:
            self._came[content.get("id", "")] = time.perf_counter(), content
            self._news.notify_all()

    def ask(self, **fields: Any) -> str:
        """Send one request; its id."""
        self._asked += 1
        name = f"page:{self._asked}"
        self.host.handle({"v": 1, "id": name, **fields})
        return name

    def answer(self, name: str) -> tuple[float, dict[str, Any]]:
        """When the answer came, and what it was."""
        with self._news:
            assert self._news.wait_for(lambda: name in self._came, 120), "no answer"
            return self._came[name]


class Jump(NamedTuple):
    """Milliseconds to the glimpse and to the frame, and of the processor; frames it was off."""

    glimpse: float
    exact: float
    worked: float
    off: int


def jump(page: Page, frame: int) -> Jump:
    """Ask for a frame and for a glimpse of it, and wait for both."""
    begin, worked = time.perf_counter(), time.process_time()
    exact = page.ask(kind="frame.get", frame=frame)
    quick = page.ask(kind="frame.get", frame=frame, quick=True)
    came, glimpse = page.answer(quick)
    there, _ = page.answer(exact)
    worked = time.process_time() - worked
    off = abs(glimpse["index"] - frame)
    return Jump(1000 * (came - begin), 1000 * (there - begin), 1000 * worked, off)


def say(what: str, values: list[float]) -> None:
    """One row: the median, 95 of 100, and the most."""
    low, high = np.percentile(values, [50, 95])
    print(f"| {what} | {low:.0f} | {high:.0f} | {max(values):.0f} |", flush=True)


def timed(what: str, act: Callable[[], Any]) -> Any:
    """Do it, and say how long it took."""
    begin = time.perf_counter()
    done = act()
    print(f"{what}: {time.perf_counter() - begin:.2f} s", flush=True)
    return done


def memory(what: str) -> None:
    """Say how much is resident, and was at most."""
    process = psutil.Process()
    print(f"memory after {what}: {process.memory_info().rss / 2**20:.0f} MiB", flush=True)


def main(path: Path, folder: Path) -> None:
    """Run it and print what was measured."""
    memory("the imports")
    session = timed("a new session", lambda: Session(path, path=folder / "session"))
    page = Page(session)
    page.answer(page.ask(kind="hello", view="page"))
    chance = np.random.default_rng(1)
    frames = chance.integers(session.video.n_frames, size=JUMPS).tolist()
    print("| milliseconds | median | 95 % | most |\n|---|---|---|---|")
    jumps = [jump(page, frame) for frame in frames]
    say("something of the moment", [each.glimpse for each in jumps])
    say("the exact frame", [each.exact for each in jumps])
    say("the processor, for both", [each.worked for each in jumps])
    say("frames that the first was off", [each.off for each in jumps])

    prepared = Previews(session.video)
    first = session.video.n_frames // 2
    last = min(first + PREPARED, session.video.n_frames)
    prepared.fill(lambda: not set(range(first, last)) <= set(prepared.frames), around=first)
    page.controller.close()
    page = Page(session)
    jumps = [jump(page, frame) for frame in chance.integers(first, last, size=JUMPS).tolist()]
    assert not any(each.off for each in jumps)
    say("the frame itself, where it was prepared", [each.glimpse for each in jumps])
    memory("looking around")

    obj = session.add_object()
    truth = embedded_clip().ground_truth[0] == 1
    y, x = (int(v * HEIGHT / truth.shape[0]) for v in np.argwhere(truth).mean(axis=0))
    clicks = [(x + 20 * k, y, True) for k in range(3)]
    for n in (1, 2, 3):
        session.predict(0, obj, clicks=clicks[:n])
    mask = session.predict(0, obj, clicks=clicks).mask
    memory("three clicks")
    session.annotate(0, mask, objects=[obj], seconds=5.0)
    for _, _ in zip(range(60), session.propagation(), strict=False):
        pass
    memory("60 frames of a pass")
    page.controller.close()
    session.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        os.environ["EVAVOS_CACHE"] = f"{place}/cache"
        given = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(place) / "long.mp4"
        if not given.exists():  # By a process of its own, whose memory is not the session's.
            writer = multiprocessing.get_context("spawn").Process(target=write_video, args=(given,))
            writer.start()
            writer.join()
        main(given, Path(place))

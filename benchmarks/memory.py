"""Memory of a long session: `python -m benchmarks.memory [FRAMES]`.

Writes an H.264 video of the embedded clip played back and forth, annotates three objects,
propagates through the whole of it, annotates again in the middle, and prints resident
memory beyond the imports.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from pathlib import Path

import av
import numpy as np
import psutil

from evavos_widget import embedded_clip
from evavos_widget.session import Session


def write_video(path: Path, n: int) -> None:
    """The embedded clip back and forth, `n` frames of 854 x 480."""
    clip = embedded_clip().video
    order = [*range(clip.n_frames), *range(clip.n_frames - 1, -1, -1)]
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = clip.width, clip.height, "yuv420p"
        for i in range(n):
            picture = av.VideoFrame.from_ndarray(clip.frame(order[i % len(order)]))
            file.mux(stream.encode(picture))
        file.mux(stream.encode())


def main(n: int) -> None:
    """Run it and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        write_video(Path(folder) / "long.mp4", n)
        truth = embedded_clip().ground_truth[0]
        third = np.zeros(truth.shape, bool)
        third[:80, 380:520] = True  # the other cup
        Session(np.zeros((2, 32, 32, 3), np.uint8), path=None)  # imports what a session imports
        process = psutil.Process()
        imports, peak, done = process.memory_info().rss, 0, threading.Event()

        def watch() -> None:
            nonlocal peak
            while not done.wait(0.1):
                peak = max(peak, process.memory_info().rss)

        watcher = threading.Thread(target=watch)
        watcher.start()
        with Session(Path(folder) / "long.mp4", path=Path(folder) / "s") as session:
            masks = [truth == 1, truth == 2, third & (truth == 0)]
            ids = [session.add_object() for _ in masks]
            for obj, mask in zip(ids, masks, strict=True):
                session.annotate(0, mask, objects=[obj])
            begin = time.perf_counter()
            session.propagate()
            seconds = time.perf_counter() - begin
            for obj in ids:
                session.annotate(n // 2, session.masks[n // 2] == obj, objects=[obj])
            session.propagate()
        done.set()
        watcher.join()
    print(f"{n} frames of 854 x 480, 3 objects: first pass {1000 * seconds / n:.0f} ms per frame")
    print(f"imports {imports / 2**20:.0f} MiB, peak beyond them {(peak - imports) / 2**20:.0f} MiB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)

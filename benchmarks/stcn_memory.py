"""Memory of STCN on a long video: ``python -m benchmarks.stcn_memory [FRAMES] [EVERY]``.

Carries one object through the embedded clip, played back and forth as an H.264 video of
854 x 480, with random weights (which do the same work), on the processor. Prints the resident
memory of the process, imports and all, every so many frames.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.memory import write_video
from benchmarks.published_stcn import write_random_weights
from evavos_widget import embedded_clip
from evavos_widget.loop import PropagationStep
from evavos_widget.session import Session


def main(n: int, every: int) -> None:
    """Run it and print a row every `every` frames."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_video(folder / "long.mp4", n)
        weights = write_random_weights(folder / "stcn.pth")
        process, begin = psutil.Process(), time.perf_counter()
        done = peak = 0

        def watch(step: PropagationStep) -> None:
            nonlocal done, peak
            peak = max(peak, process.memory_info().rss)
            done += step.frame is not None
            # The annotated frame is not among those that are done.
            if step.frame is not None and (done % every == 0 or done == n - 1):
                took = time.perf_counter() - begin
                print(f"| {done} | {peak / 2**20:.0f} MiB | {took / done:.2f} s |", flush=True)

        print("| frames | peak resident memory | per frame |\n|---|---|---|", flush=True)
        with Session(
            folder / "long.mp4",
            path=folder / "session",
            propagator=f"stcn:{weights}",
            predictor="classical",
            device="cpu",
        ) as session:
            obj = session.add_object()
            session.annotate(0, embedded_clip().ground_truth[0] == 1, objects=[obj])
            session.propagate(watch)


if __name__ == "__main__":
    main(*(int(given) for given in (*sys.argv[1:], *("2000", "100")[len(sys.argv) - 1 :])))

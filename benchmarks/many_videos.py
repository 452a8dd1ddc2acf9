"""First passes over many short videos, by one process and by a local Dask cluster of two.

    python -m benchmarks.many_videos DATA SEQUENCES [--frames 12]

Prints seconds on the clock and of the processor for all of it: start, reading, passes, scores.
What `docs/performance.md` works out for a thousand videos is checked by it.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evavos_widget.datasets.davis import open_sequence, read_sequence_names, write_sequence
from evavos_widget.experiments.experiment import Experiment
from evavos_widget.experiments.methods import Method
from evavos_widget.experiments.run import run_experiment

WORKERS = 2


def spent(run: Callable[[], int]) -> tuple[int, float, float]:
    """Objects that were carried, seconds on the clock, and those of the processor."""

    def processor() -> float:
        every = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(each.ru_utime + each.ru_stime for each in every)

    clock, work = time.perf_counter(), processor()
    objects = run()
    return objects, time.perf_counter() - clock, processor() - work


def main() -> None:
    parser = argparse.ArgumentParser(description="First passes over many short videos.")
    parser.add_argument("data", help="folder with JPEGImages and Annotations")
    parser.add_argument("sequences", help="A,B or @FILE")
    parser.add_argument("--frames", type=int, default=12, help="of each, the first ones")
    asked = parser.parse_args()
    names = read_sequence_names(asked.sequences, asked.data)
    with tempfile.TemporaryDirectory() as home:
        clips, folder = Path(home, "clips"), Path(home, "runs")
        for name in names:
            write_sequence(clips, open_sequence(asked.data, name), range(asked.frames))
        experiment = Experiment(
            "first-passes",
            [Method("first", "farthest-in-time", "mask")],
            str(clips),
            names,
            rounds=0,
        )

        def here() -> int:
            return len(run_experiment(experiment, folder / "here").rows())

        def on_a_cluster() -> int:
            from distributed import LocalCluster

            start: Any = LocalCluster  # whose types know only of its asynchronous use

            with start(n_workers=WORKERS, threads_per_worker=1, dashboard_address=None) as cluster:
                address = cluster.scheduler_address
                return len(run_experiment(experiment, folder / "dask", scheduler=address).rows())

        print(f"{len(names)} videos of {asked.frames} frames\n")
        print("| by | objects | seconds | seconds of the processor | of it for a carried frame |")
        print("|---|---|---|---|---|", flush=True)
        for by, run in (("one process", here), (f"Dask, {WORKERS} processes", on_a_cluster)):
            objects, clock, work = spent(run)
            each = 1000 * work / (objects * (asked.frames - 1))
            print(f"| {by} | {objects} | {clock:.0f} | {work:.0f} | {each:.0f} ms |", flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()

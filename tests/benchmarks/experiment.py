"""How the time of an experiment grows: with processes, with videos, with rounds.

    python tests/benchmarks/experiment.py DATA @SEQUENCES [preset]

Prints a Markdown table. Runs the methods of a preset (``fig3c``) with one seed, and takes about
half an hour on two cores; run it on a machine that does nothing else.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

from evavos_widget.datasets.davis import open_sequence, read_sequence_names
from evavos_widget.simulation.experiment import Experiment, run_experiment

VIDEOS = (4, 8, 14)
ROUNDS = (2, 4, 8)


def seconds(preset: str, data: str, names: Sequence[str], rounds: int, workers: int) -> float:
    """On the clock, for everything: reading the data, starting the workers, all loops."""
    experiment = Experiment.preset(preset, data=data, sequences=names, rounds=rounds, seeds=1)
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        run_experiment(experiment, Path(folder), workers=workers)
        return time.perf_counter() - begin


def main() -> None:
    data, sequences, *rest = sys.argv[1:]
    preset = rest[0] if rest else "fig3c"
    names = read_sequence_names(sequences, data)
    frames = {name: open_sequence(data, name).video.n_frames for name in names}
    short = sorted(names, key=frames.__getitem__)[: VIDEOS[0]]
    print("| videos | frames | rounds | processes | seconds | per frame and round |")
    print("|---|---|---|---|---|---|", flush=True)

    def row(chosen: Sequence[str], rounds: int, workers: int) -> float:
        n, took = sum(frames[c] for c in chosen), seconds(preset, data, chosen, rounds, workers)
        print(
            f"| {len(chosen)} | {n} | {rounds} | {workers} | {took:.0f} | "
            f"{1000 * took / n / (rounds + 1):.0f} ms |",
            flush=True,
        )
        return took

    one, two = (row(short, ROUNDS[1], workers) for workers in (1, 2))
    print(f"two processes: {one / two:.2f} times as fast as one", flush=True)
    for n in VIDEOS:
        row(names[:n], ROUNDS[0], 2)
    for rounds in ROUNDS[1:]:
        row(short, rounds, 2)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()

"""How the time of an experiment grows: with processes, with videos, with rounds.

    python -m benchmarks.experiment DATA @SEQUENCES

Prints a Markdown table. Processes are compared with all methods of ``fig3c``, videos and rounds
with its first one, masks on random frames, and the engine ``flow``. Takes about nine minutes on
two cores; run it on a machine that does nothing else.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

from evavos_widget.datasets.davis import open_sequence, read_sequence_names
from evavos_widget.experiments.experiment import Experiment
from evavos_widget.experiments.methods import PRESETS, Method
from evavos_widget.experiments.run import run_experiment

VIDEOS = (4, 8, 14)
ROUNDS = (2, 4, 8)


def seconds(
    methods: Sequence[Method],
    data: str,
    names: Sequence[str],
    rounds: int,
    workers: int,
    propagator: str,
) -> float:
    """On the clock, for everything: reading the data, starting the workers, all loops."""
    experiment = Experiment(
        "scaling", methods, data, names, propagator=propagator, rounds=rounds, seeds=1
    )
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        run_experiment(experiment, Path(folder), workers=workers)
        return time.perf_counter() - begin


def main() -> None:
    data, sequences = sys.argv[1:]
    names = read_sequence_names(sequences, data)
    frames = {name: open_sequence(data, name).video.n_frames for name in names}
    short = sorted(names, key=frames.__getitem__)[: VIDEOS[0]]
    print("| engine | methods | videos | frames | rounds | processes | seconds | per frame |")
    print("|---|---|---|---|---|---|---|---|", flush=True)

    def row(
        methods: Sequence[Method],
        chosen: Sequence[str],
        rounds: int,
        workers: int,
        propagator: str = "flow",
    ) -> float:
        n = sum(frames[c] for c in chosen)
        took = seconds(methods, data, chosen, rounds, workers, propagator)
        print(
            f"| `{propagator}` | {len(methods)} | {len(chosen)} | {n} | {rounds} | {workers} | "
            f"{took:.0f} | {1000 * took / n:.0f} ms |",
            flush=True,
        )
        return took

    every = PRESETS["fig3c"]
    one, two = (row(every, short, ROUNDS[-1], workers, "compact") for workers in (1, 2))
    for n in VIDEOS:
        row(every[:1], names[:n], ROUNDS[0], 2)
    for rounds in ROUNDS:
        row(every[:1], short, rounds, 2)
    print(f"\nTwo processes are {one / two:.2f} times as fast as one.")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()

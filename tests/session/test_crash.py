"""Kill -9 at any moment: what was acknowledged is there, whole, and nothing else is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from evavos_widget.session import Session

N_FRAMES, HEIGHT, WIDTH = 30, 36, 48

#: Annotates frame after frame, says so, and propagates in between; never stops by itself.
WORK = f"""
import itertools, sys
import numpy as np
from evavos_widget.session import Session

frames = np.load(sys.argv[1])
session = Session(frames, path=sys.argv[2])
session.add_object("bird")
print("ready", flush=True)
for step in itertools.count():
    mask = np.zeros(({HEIGHT}, {WIDTH}), bool)
    mask[step % 20 : step % 20 + 9, step % 30 : step % 30 + 11] = True
    session.annotate(step % {N_FRAMES}, mask, objects=[1], seconds=1.0)
    print(step, flush=True)
    if step % 5 == 4:
        session.undo()
        print(f"undo {{step}}", flush=True)
    if step % 7 == 6:
        for _ in zip(range(2), session.propagation()):
            pass
"""


def expected_mask(step: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[step % 20 : step % 20 + 9, step % 30 : step % 30 + 11] = True
    return mask


def replay(lines: list[str]) -> dict[int, int]:
    """Frame -> step of its annotation, after the acknowledgements in `lines`."""
    history: list[tuple[int, int | None]] = []
    annotated: dict[int, int] = {}
    for line in lines:
        if line.startswith("undo"):
            frame, before = history.pop()
            if before is None:
                del annotated[frame]
            else:
                annotated[frame] = before
        else:
            step = int(line)
            history.append((step % N_FRAMES, annotated.get(step % N_FRAMES)))
            annotated[step % N_FRAMES] = step
    return annotated


@pytest.mark.parametrize("acknowledged", [1, 5, 14, 40])
def test_everything_acknowledged_is_there_after_a_kill(tmp_path: Path, acknowledged: int):
    frames = np.random.default_rng(acknowledged).integers(
        0, 255, (N_FRAMES, HEIGHT, WIDTH, 3), np.uint8
    )
    np.save(tmp_path / "frames.npy", frames)
    folder = tmp_path / "clip.evavos"
    worker = subprocess.Popen(
        [sys.executable, "-c", WORK, tmp_path / "frames.npy", folder],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout.readline().strip() == "ready"
    lines = [worker.stdout.readline().strip() for _ in range(acknowledged)]
    worker.kill()
    lines += worker.stdout.read().split("\n")[:-1]
    worker.wait()

    with Session.open(folder, video=frames) as session:
        found = {f: a.labels == 1 for f, a in session.annotations.items()}
        # The kill may fall between the disk and the word: then one more change is there.
        steps = [int(line) for line in lines if not line.startswith("undo")]
        following = (
            f"undo {steps[-1]}"
            if lines[-1] == str(steps[-1]) and steps[-1] % 5 == 4
            else str(steps[-1] + 1)
        )
        possible = [replay(lines), replay([*lines, following])]
        assert any(
            found.keys() == masks.keys()
            and all(np.array_equal(found[f], expected_mask(step)) for f, step in masks.items())
            for masks in possible
        )
        # And work goes on.
        session.annotate(3, expected_mask(99), objects=[1])
        session.propagate()
        assert not session.stale

"""Kill -9 at random moments: nothing acknowledged lost, nothing unacknowledged there."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from acts import follow, open_session, packed, read_log, unpacked
from model import Model, Said, merged_rightly, pictures

from evavos_widget.session import Session

KILLS = int(os.environ.get("EVAVOS_KILLS", "6"))
"""How often a process is killed; ``make torture`` does it 200 times."""

SEED = int(os.environ.get("EVAVOS_SEED", "1"))

KILLS_PER_SESSION = 5
"""After so many a session has a long history, and the next one begins."""

LONGEST = 0.5
"""Seconds from a process's first act to the latest moment at which it is killed."""


@pytest.fixture
def nursery() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).parent / "nursery.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    yield process
    process.stdin.close()
    process.wait(120)


def killed(nursery: subprocess.Popen[str], folder: Path, log: Path, chance: random.Random) -> None:
    """Let a process work on a session for a while, and kill it."""
    ready = log.read_text().count("ready")
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    nursery.stdin.write(json.dumps([str(folder), str(log), chance.randrange(2**32)]) + "\n")
    nursery.stdin.flush()
    child = int(nursery.stdout.readline())
    deadline = time.monotonic() + 300
    while log.read_text().count("ready") == ready:
        assert time.monotonic() < deadline, "the process did not begin"
        time.sleep(0.005)
    time.sleep(chance.random() * LONGEST)
    os.kill(child, signal.SIGKILL)
    deadline = time.monotonic() + 120
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        time.sleep(0.005)


def also_done(model: Model, act: dict, session: Session) -> dict | None:
    """What was begun, as a line of the log, where it explains the state that was found."""
    outcome = {"k": packed(session)} if act["do"] == "merge" else {}
    if act["do"] == "merge":
        k = unpacked(outcome["k"])
        if act["object"] in Said.of(session).names or not merged_rightly(
            model.now, act["object"], act["into"], k
        ):
            return None
    after = model.copy()
    follow(after, act, outcome)
    return {"done": act, "outcome": outcome} if after.is_of(session) else None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are started by fork")
def test_nothing_is_lost_and_nothing_is_extra(nursery, tmp_path: Path):
    chance = random.Random(SEED)
    frames = pictures()
    acts: Counter[str] = Counter()
    unspoken = 0
    for kill in range(KILLS):
        number = kill // KILLS_PER_SESSION
        folder, log = tmp_path / f"{number}.evavos", tmp_path / f"{number}.log"
        if kill % KILLS_PER_SESSION == 0:
            log.write_text("")
        before = len(log.read_text().splitlines())
        killed(nursery, folder, log, chance)
        *whole, torn = log.read_text().split("\n")
        model, begun = read_log(whole)
        log.write_text("\n".join([*whole, ""]))
        assert not torn, "a line of the log is one write"
        with open_session(frames, folder) as session:
            line = None
            if not model.is_of(session):
                where = f"kill {kill} of seed {SEED}, while {begun}"
                assert begun is not None, f"{where}: not what was acknowledged"
                line = also_done(model, begun, session)
                assert line is not None, f"{where}: neither before nor after it"
                unspoken += 1
            assert not list(folder.glob("*.tmp")), "a killed process leaves nothing behind"
        with log.open("a") as file:
            file.write(json.dumps(line or {"void": begun}) + "\n")
        acts.update(
            json.loads(text)["done"]["do"] for text in whole[before:] if '"done"' in text[:8]
        )
    print(f"\n{KILLS} kills, seed {SEED}; {unspoken} between disk and word; {dict(acts)}")
    assert sum(acts.values()) > 2 * KILLS

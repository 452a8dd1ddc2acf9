"""Starts processes that work on sessions and wait to be killed; imports once, forks often.

For each line ``<folder> <log> <seed>`` on its standard input it starts one, and says its id.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from acts import choose, do, follow, open_session, read_log
from model import pictures


def work(folder: str, log: str, seed: int) -> None:
    """Do one thing after the other, and write down each before and after; never ends."""
    chance = random.Random(seed)
    model, _ = read_log(Path(log).read_text().splitlines())
    with open(log, "ab", buffering=0) as file, open_session(pictures(), folder) as session:
        file.write(b'{"ready": 1}\n')
        for _ in count():
            act = choose(chance, model)
            file.write(json.dumps({"begin": act}).encode() + b"\n")
            outcome = do(session, act)
            file.write(json.dumps({"done": act, "outcome": outcome}).encode() + b"\n")
            follow(model, act, outcome)


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how they ended
    for line in sys.stdin:
        folder, log, seed = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                work(folder, log, seed)
            finally:
                os._exit(1)
        print(child, flush=True)

"""What a preview costs as clicks are added one by one.

python tests/torture/previews.py [ENGINE ...]
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from evavos_widget import engines
from evavos_widget.prompts import Click, Prompts

CLICKS = 50


def measure(name: str) -> dict[str, float]:
    """Milliseconds of the previews with 2 to 11, and with 41 to 50 clicks, at 854 x 480."""
    chance = np.random.default_rng(0)
    image = np.kron(chance.integers(0, 255, (12, 14, 3)), np.ones((40, 61, 1))).astype(np.uint8)
    places = chance.integers(5, 470, (CLICKS, 2)).tolist()
    clicks = [Click(x, y, bool(i % 3)) for i, (x, y) in enumerate(places)]
    predictor = engines.create("predictor", name)
    times = []
    for n in range(1, CLICKS + 1):
        started = time.perf_counter()
        predictor.predict(image, Prompts(tuple(clicks[:n])), key="image")
        times.append((time.perf_counter() - started) * 1000)
    early, late = float(np.median(times[1:11])), float(np.median(times[-10:]))
    return {"clicks 2 to 11": round(early, 1), "clicks 41 to 50": round(late, 1)}


if __name__ == "__main__":
    for name in sys.argv[1:] or ["classical", "compact"]:
        print(name, json.dumps(measure(name)))

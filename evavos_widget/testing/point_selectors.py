"""The promises of a point selector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from evavos_widget.loop import PointSelector
from evavos_widget.points import REGIONS, Candidate
from evavos_widget.testing.promises import Make, Promises, drawing_lots, fail
from evavos_widget.testing.scenes import Scene

__all__ = ["check_point_selector"]

POINT_PROMISES = Promises(
    "point_selector",
    {
        "gives-candidates": "select returns a list of Candidate, of a known region, with a finite "
        "effect",
        "inside-the-picture": "every point is a whole pixel of the picture",
        "frames-that-were-given": "every point is on a frame that came with probabilities",
        "no-pixel-twice": "on a frame no pixel is asked about twice",
        "any-probabilities": "it selects from any: all 0, all 1, a single pixel, no frame at all",
        "deterministic": "the same input gives the same points, whoever else draws lots",
    },
)


def check_point_selector(engine: Any) -> None:
    """Whether a point selector keeps its promises.

    Parameters
    ----------
    engine : PointSelector, callable or str
        An engine; or what makes one as new; or a name that `evavos_widget.engines.create` knows.

    Raises
    ------
    BrokenPromiseError
        Names the promise and how it is broken.
    """
    POINT_PROMISES.check(engine)


def _inputs() -> Iterator[tuple[str, Scene, dict[int, np.ndarray]]]:
    """Probabilities of all kinds, and what they are."""
    scene = Scene(9, 48, 80, (3, 200))
    inside = {f: (scene.labels[f] == 3).astype(np.float32) for f in (0, 4, 8)}
    rows = np.linspace(0, 1, 80, dtype=np.float32)
    pixel = np.zeros((48, 80), np.float32)
    pixel[47, 79] = 1
    yield "a certain mask", scene, inside
    yield "soft probabilities", scene, {f: 0.8 * p + 0.1 for f, p in inside.items()}
    yield "a slope", scene, {2: np.tile(rows, (48, 1))}
    yield "a single pixel", scene, {8: pixel}
    yield "nothing but background", scene, {3: np.zeros((48, 80), np.float32)}
    yield "nothing but the object", scene, {3: np.ones((48, 80), np.float32)}
    yield "one half everywhere", scene, {3: np.full((48, 80), 0.5, np.float32)}
    yield "no frame", scene, {}


def _select(
    engine: PointSelector, scene: Scene, given: Mapping[int, np.ndarray], where: str
) -> list[Candidate]:
    """Points, after what holds for all of them was checked."""
    before = {frame: p.tobytes() for frame, p in given.items()}
    found = engine.select(scene.video, given)
    if {frame: p.tobytes() for frame, p in given.items()} != before:
        fail("leaves-input-alone", f"the probabilities are others now ({where}).")
    if not isinstance(found, list) or not all(isinstance(c, Candidate) for c in found):
        fail("gives-candidates", f"it returned {type(found).__name__} ({where}).")
    for c in found:
        if c.region not in REGIONS or not np.isfinite(c.effect):
            fail("gives-candidates", f"one is {c} ({where}).")
        if c.frame not in given:
            fail("frames-that-were-given", f"one is on frame {c.frame} of {sorted(given)}.")
        height, width = given[c.frame].shape
        whole = all(isinstance(v, (int, np.integer)) for v in (c.x, c.y))
        if not whole or not (0 <= c.x < width and 0 <= c.y < height):
            fail("inside-the-picture", f"one is at ({c.x}, {c.y}) of {width} x {height} ({where}).")
    if len({(c.frame, c.x, c.y) for c in found}) < len(found):
        fail("no-pixel-twice", f"{len(found)} points have a pixel in common ({where}).")
    return found


@POINT_PROMISES.scene("any-probabilities")
def _any_probabilities(make: Make) -> None:
    engine = make()
    for where, scene, given in _inputs():
        for p in given.values():
            p.flags.writeable = False
        _select(engine, scene, given, where)


@POINT_PROMISES.scene("deterministic")
def _same_points(make: Make) -> None:
    engine = make()
    for where, scene, given in _inputs():
        chosen = []
        for seed in (0, 1):
            with drawing_lots(seed):
                chosen += [
                    _select(engine, scene, given, where),
                    _select(make(), scene, given, where),
                ]
        if any(points != chosen[0] for points in chosen):
            fail("deterministic", f"with {where} it chose other points the second time.")

"""The promises of a propagator."""

from __future__ import annotations

import operator
from collections.abc import Collection, Generator, Mapping, Sequence
from typing import Any

import numpy as np

from evavos_widget.loop import Annotation, PropagationStep, Propagator, objects_annotated
from evavos_widget.points import Point
from evavos_widget.testing.promises import Make, Promises, drawing_lots, fail
from evavos_widget.testing.scenes import Scene

__all__ = ["check_propagator"]

SUM_TOLERANCE = 1e-5
"""By so much the probabilities of a pixel may miss 1: some hundred roundings of float32."""

AGREES = 0.02
"""By so much probabilities may differ where an engine took up what it kept, perhaps coarsely."""

MOST_STEPS = 10_000
"""A pass over a few frames that takes more steps has no end."""

AHEAD = 2
"""Frames that may be read between two steps: at first the annotated one and the next."""

SIZES = ((479, 853), (37, 29), (16, 200), (61, 33))
"""Heights and widths that no network's stride divides, the first about what people have."""

PROMISES = Promises(
    "propagator",
    {
        "can-be-cancelled": "propagate is a generator, and a pass that was closed can be taken up",
        "gives-steps": "what it yields is a PropagationStep, which says how far the pass is",
        "each-frame-once": "each frame asked for comes once, and no other",
        "gives-probabilities": "with a frame come (K + 1, H, W) float32 probabilities, "
        "background first, finite and from 0 to 1",
        "sums-to-one": "the probabilities of each pixel sum to 1",
        "keeps-annotations": "on a frame that is annotated for an object, its probabilities are "
        "the annotation",
        "invents-nothing": "an object that nobody annotated, or only as absent, is nowhere",
        "gives-for-keeps": "what was yielded is not changed afterwards",
        "carries-masks": "masks are carried to the frames before and after an annotated one",
        "takes-points": "where it accepts points, an object is where they say, and is carried "
        "from there; what is drawn beside it stays as it is",
        "any-video": "it works on videos of any length and size, and on objects of one pixel",
        "any-ids": "results follow the order of `objects`, whatever their ids",
        "any-request": "a mask is the same whichever objects and frames are asked for with it",
        "forgets-what-was-replaced": "an annotation that was replaced leaves no trace",
        "says-what-is-affected": "`affected` names every frame whose mask changes, and none "
        "where no annotation does",
        "works-frame-by-frame": f"no more than {AHEAD} frames are read between two steps",
        "deterministic": "the same request gives the same masks to the bit",
        "repeatable": "where `repeatable` is True, masks do not depend on what was asked before",
    },
)


def check_propagator(engine: Any) -> None:
    """Whether a propagator keeps its promises.

    Parameters
    ----------
    engine : Propagator, callable or str
        An engine; or better what makes one as new, such as its class, since then more can be
        checked; or a name that `evavos_widget.engines.create` knows.

    Raises
    ------
    BrokenPromiseError
        Names the promise and how it is broken.
    """
    PROMISES.check(engine)


def _pass(
    engine: Propagator,
    scene: Scene,
    annotations: Mapping[int, Annotation],
    objects: Sequence[int] = (1, 2),
    frames: Collection[int] | None = None,
) -> dict[int, np.ndarray]:
    """Probabilities by frame, after what holds for every pass was checked."""
    frames = range(scene.n_frames) if frames is None else frames
    before = _copied(annotations)
    asked, wanted = list(objects), list(frames)
    steps = engine.propagate(scene.video, annotations, asked, wanted)
    if not isinstance(steps, Generator):
        fail("can-be-cancelled", f"propagate returned a {type(steps).__name__}.")
    given: dict[int, np.ndarray] = {}
    found: dict[int, np.ndarray] = {}
    done = total = 0
    for n, step in enumerate(steps):
        if n == MOST_STEPS:
            fail("gives-steps", f"after {MOST_STEPS} steps there is no end.")
        done, total = _progress(step, done)
        if step.frame is None:
            if step.probabilities is not None:
                fail("each-frame-once", "a step has probabilities and no frame.")
            continue
        frame = _index(step.frame)
        if frame in found:
            fail("each-frame-once", f"frame {frame} came twice.")
        if frame not in frames:
            fail("each-frame-once", f"frame {frame} came, and only {sorted(frames)} were wanted.")
        probabilities = _checked(step.probabilities, scene, frame, len(objects))
        given[frame], found[frame] = probabilities, probabilities.copy()
    if missing := sorted(set(frames) - set(found)):
        fail("each-frame-once", f"frame {missing[0]} did not come.")
    if done != total:
        fail("gives-steps", f"the last step says {done} of {total}.")
    for frame, probabilities in given.items():
        if not np.array_equal(probabilities, found[frame]):
            fail("gives-for-keeps", f"the array given for frame {frame} was changed later.")
    if asked != list(objects) or wanted != list(frames) or not _same(before, annotations):
        fail("leaves-input-alone", "the annotations, the objects or the frames are others now.")
    _check_annotated(found, annotations, objects)
    return found


def _progress(step: object, before: int) -> tuple[int, int]:
    if not isinstance(step, PropagationStep):
        fail("gives-steps", f"it yielded a {type(step).__name__}.")
    if not before <= step.done <= step.total or step.done < 1:
        fail(
            "gives-steps", f"a step says {step.done} of {step.total} after one that said {before}."
        )
    return step.done, step.total


def _index(frame: object) -> int:
    try:
        return operator.index(frame)  # type: ignore[arg-type]
    except TypeError:
        fail("each-frame-once", f"the frame of a step is {frame!r}, which is no whole number.")


def _checked(given: object, scene: Scene, frame: int, k: int) -> np.ndarray:
    """What came with a frame, if it is what it has to be."""
    if not isinstance(given, np.ndarray) or given.dtype != np.float32:
        what = f"of {given.dtype}" if isinstance(given, np.ndarray) else type(given).__name__
        fail("gives-probabilities", f"with frame {frame} came an array {what}.")
    shape = (k + 1, scene.video.height, scene.video.width)
    if given.shape != shape:
        fail("gives-probabilities", f"with frame {frame} came {given.shape}, which is not {shape}.")
    if not np.isfinite(given).all() or given.min() < 0 or given.max() > 1:
        fail(
            "gives-probabilities", f"on frame {frame} they go from {given.min()} to {given.max()}."
        )
    sums = given.sum(axis=0)
    worst = float(sums.flat[np.abs(sums - 1).argmax()])
    if abs(worst - 1) > SUM_TOLERANCE:
        fail("sums-to-one", f"on frame {frame} those of a pixel sum to {worst:.6g}.")
    return given


def _check_annotated(
    found: Mapping[int, np.ndarray],
    annotations: Mapping[int, Annotation],
    objects: Sequence[int],
) -> None:
    for k, obj in enumerate(objects, start=1):
        annotated = objects_annotated(annotations, obj)
        drawn = any(obj in annotations[f].present for f in annotated)
        for frame, probabilities in found.items():
            if frame in annotated and obj in annotations[frame].points:
                _check_points(probabilities[k] > 0.5, annotations[frame].points[obj], obj, frame)
            elif frame in annotated:
                if not np.array_equal(probabilities[k], annotations[frame].labels == obj):
                    fail("keeps-annotations", f"object {obj} on frame {frame} is another.")
            elif not drawn and probabilities[k].any():
                fail("invents-nothing", f"object {obj} is on frame {frame}, and nobody drew it.")


def _check_points(mask: np.ndarray, points: Sequence[Point], obj: int, frame: int) -> None:
    for p in points:
        if mask[p.y, p.x] != (p.label == "positive"):
            said = "on" if p.label == "positive" else "not on"
            where = f"({p.x}, {p.y}) of frame {frame}"
            fail("takes-points", f"{where} is said to be {said} object {obj}, and is not so.")


def _copied(annotations: Mapping[int, Annotation]) -> dict[int, Annotation]:
    return {
        f: Annotation(a.labels.copy(), a.objects, points=a.points) for f, a in annotations.items()
    }


def _same(before: Mapping[int, Annotation], after: Mapping[int, Annotation]) -> bool:
    return before.keys() == after.keys() and all(
        before[f].objects == after[f].objects
        and before[f].points == after[f].points
        and np.array_equal(before[f].labels, after[f].labels)
        for f in before
    )


def _differ(a: Mapping[int, np.ndarray], b: Mapping[int, np.ndarray]) -> list[int]:
    """Frames on which two results differ by more than `AGREES`."""
    return sorted(f for f in a.keys() & b.keys() if np.abs(a[f] - b[f]).max() > AGREES)


@PROMISES.scene("carries-masks")
def _several_objects(make: Make) -> None:
    scene = Scene()
    given = {0: scene.annotation(0, 1, 2), 4: scene.annotation(4, 1)}
    found = _pass(make(), scene, given, (1, 2, 3))
    for k in (1, 2):
        if not found[2][k].any():
            fail("carries-masks", f"object {k} is on frames 0 and 4, and nowhere on frame 2.")
    found = _pass(make(), scene, {5: scene.annotation(5, 1, 2)})
    if not found[0][1].any():
        fail("carries-masks", "of a mask on the last frame nothing reaches the first.")


@PROMISES.scene("takes-points")
def _points(make: Make) -> None:
    if "points" not in make().accepts:
        return
    scene = Scene()
    drawn, rows, columns = scene.annotation(2, 1), *np.nonzero(scene.labels[2] == 2)
    on_it = [Point(int(x), int(y)) for x, y in zip(columns[::40], rows[::40], strict=True)]
    beside = Point(0, 0, "negative")
    told = Annotation(drawn.labels, {1, 2}, points={2: (*on_it, beside)})
    found = _pass(make(), scene, {2: told})
    for frame in (0, 5):
        if not found[frame][2].any():
            fail("takes-points", f"an object that is on points of frame 2 is not on frame {frame}.")
    less = Annotation(drawn.labels, {1, 2}, points={2: (*on_it[1:], beside)})
    if make().affected({2: told}, {2: less}, scene.n_frames) != set(range(scene.n_frames)):
        fail("says-what-is-affected", "another point of the only frame does not affect every one.")


@PROMISES.scene("invents-nothing")
def _absent_objects(make: Make) -> None:
    scene = Scene()
    absent = Annotation(scene.annotation(0, 1).labels, frozenset({1, 2}))
    found = _pass(make(), scene, {0: absent, 5: scene.annotation(5, 1, 2)})
    if not found[4][2].any():
        fail("carries-masks", "an object that is absent at first is not carried to frame 4.")
    _pass(make(), scene, {0: absent})
    _pass(make(), scene, {}, frames=[0, 5])


@PROMISES.scene("any-video")
def _any_video(make: Make) -> None:
    one = Scene(1)
    _pass(make(), one, {0: one.annotation(0, 1, 2)})
    for size in SIZES:
        labels = np.zeros(size, np.uint8)
        labels[2:12, 3:20] = 1
        labels[-1, -1] = 2
        _pass(make(), Scene(2, *size), {0: Annotation(labels, frozenset({1, 2}))})


@PROMISES.scene("any-ids")
def _any_ids(make: Make) -> None:
    scene = Scene(4)
    found = _pass(make(), scene, {0: scene.annotation(0, 1, 2)})
    turned = _pass(make(), scene, {0: scene.annotation(0, 1, 2)}, (2, 1))
    if wrong := _differ(found, {f: p[[0, 2, 1]] for f, p in turned.items()}):
        fail("any-ids", f"objects=[2, 1] gives others on frame {wrong[0]} than objects=[1, 2].")
    other = Scene(4, ids=(200, 7))
    renamed = _pass(make(), other, {0: other.annotation(0, 7, 200)}, (200, 7))
    if wrong := _differ(found, renamed):
        fail("any-ids", f"on frame {wrong[0]} objects 200 and 7 differ from the same as 1 and 2.")


@PROMISES.scene("any-request")
def _any_request(make: Make) -> None:
    scene = Scene()
    given = {0: scene.annotation(0, 1, 2), 5: scene.annotation(5, 1, 2)}
    whole = _pass(make(), scene, given)
    if wrong := _differ(whole, _pass(make(), scene, given, frames={4, 1})):
        fail("any-request", f"frame {wrong[0]} is another where only 1 and 4 are wanted.")
    _pass(make(), scene, given, (2,))
    _pass(make(), scene, given, frames=[])


@PROMISES.scene("forgets-what-was-replaced")
def _annotated_again(make: Make) -> None:
    scene = Scene()
    right = {0: scene.annotation(0, 1)}
    moved = {0: Annotation(np.roll(right[0].labels, 40, axis=1), frozenset({1}))}
    engine = make()
    fresh = _pass(make(), scene, right, (1,)) if make() is not engine else None
    _pass(engine, scene, moved, (1,))
    again = _pass(engine, scene, right, (1,))
    if fresh is not None and (wrong := _differ(again, fresh)):
        fail("forgets-what-was-replaced", f"on frame {wrong[0]} the mask is not as if drawn first.")
    if engine.affected(moved, right, scene.n_frames) != set(range(scene.n_frames)):
        fail("says-what-is-affected", "another only annotation does not affect every frame.")


@PROMISES.scene("says-what-is-affected")
def _affected(make: Make) -> None:
    scene, engine = Scene(9), make()
    every = set(range(scene.n_frames))
    given = {f: scene.annotation(f, 1) for f in (0, 5)}
    if affected := engine.affected(given, _copied(given), scene.n_frames):
        fail("says-what-is-affected", f"equal annotations are said to affect {sorted(affected)}.")
    more = {**given, 8: scene.annotation(8, 1, 2)}
    for before, after in (({}, given), (given, {}), (given, more), (more, given)):
        affected = set(engine.affected(before, after, scene.n_frames))
        if not affected <= every:
            fail("says-what-is-affected", f"{sorted(affected - every)} are not in the video.")
        if missing := sorted((before.keys() ^ after.keys()) - affected):
            fail(
                "says-what-is-affected", f"frame {missing[0]} is annotated or not, and is missing."
            )
        masks = [
            {f: p.argmax(axis=0) for f, p in _pass(engine, scene, k).items()}
            for k in (before, after)
        ]
        changed = {f for f in every if not np.array_equal(masks[0][f], masks[1][f])}
        if missing := sorted(changed - affected):
            fail(
                "says-what-is-affected", f"the mask of frame {missing[0]} changes, and is missing."
            )


@PROMISES.scene("works-frame-by-frame")
def _frame_by_frame(make: Make) -> None:
    scene = Scene()
    given = {0: scene.annotation(0, 1, 2), 5: scene.annotation(5, 1, 2)}
    known = 0
    for _ in make().propagate(scene.video, given, [1, 2], range(scene.n_frames)):
        new, known = len(set(scene.read)) - known, len(set(scene.read))
        if new > AHEAD:
            fail("works-frame-by-frame", f"{new} frames were read for one step.")


@PROMISES.scene("can-be-cancelled")
def _cancelled(make: Make) -> None:
    scene = Scene()
    given = {0: scene.annotation(0, 1, 2)}
    whole, engine = _pass(make(), scene, given), make()
    steps = engine.propagate(scene.video, given, [1, 2], range(scene.n_frames))
    for step in steps:
        if step.frame == 3:
            break
    steps.close()
    if wrong := _differ(whole, _pass(engine, scene, given, frames=[4, 5])):
        fail("can-be-cancelled", f"taken up again, frame {wrong[0]} is another.")


@PROMISES.scene("deterministic")
def _deterministic(make: Make) -> None:
    found = []
    for seed in (0, 1):
        scene = Scene()
        with drawing_lots(seed):
            found.append(_pass(make(), scene, {2: scene.annotation(2, 1, 2)}))
    for frame in found[0]:
        if not np.array_equal(found[0][frame], found[1][frame]):
            fail("deterministic", f"frame {frame} is another the second time.")


@PROMISES.scene("repeatable")
def _repeatable(make: Make) -> None:
    engine = make()
    if not engine.repeatable:
        return
    scene = Scene()
    given = {2: scene.annotation(2, 1, 2)}
    fresh = _pass(make(), scene, given)
    _pass(engine, scene, {0: scene.annotation(0, 1), 4: scene.annotation(4, 2)}, frames=[1, 3])
    again = _pass(engine, scene, given)
    for frame in fresh:
        if not np.array_equal(fresh[frame], again[frame]):
            fail("repeatable", f"frame {frame} is another after other requests.")

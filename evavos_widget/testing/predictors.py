"""The promises of a mask predictor."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import combinations
from typing import Any

import numpy as np

from evavos_widget.loop import MaskPredictor
from evavos_widget.prompts import Box, Click, Prediction, Prompts, Scribble
from evavos_widget.testing.promises import Make, Promises, drawing_lots, fail
from evavos_widget.testing.scenes import Scene

__all__ = ["check_predictor"]

AGREES = 1e-5
"""By so much probabilities may differ where something was kept: some roundings of float32."""

SIZES = ((480, 854), (37, 29), (16, 200), (61, 33))
"""Heights and widths that no network's stride divides, the first about what people have."""

PROMISES = Promises(
    "predictor",
    {
        "gives-a-prediction": "predict returns a Prediction: (H, W) bool mask, (H, W) float32 "
        "probabilities from 0 to 1, score from 0 to 1",
        "mask-is-where-probable": "the mask is where the probability exceeds 0.5",
        "without-prompts-nothing-new": "without any prompt the mask is the previous one, or empty",
        "uses-what-it-accepts": "every kind of prompt in `accepts` changes the result",
        "any-picture": "it works on pictures of any size, and with prompts up to their edges",
        "no-memory": "the result depends on the image and the prompts alone, not on earlier calls",
        "keys-name-images": "with a key the result is the same as without",
        "preparing-changes-nothing": "after prepare the result is the same as without",
        "answers-together": "predict_together answers for the objects it is asked for, in any "
        "order, and for one alone as predict does",
        "together-means-together": "where `together` is true, no pixel is in two masks, and what "
        "is said of one object matters to another",
        "gives-for-keeps": "what was returned is not changed afterwards",
        "deterministic": "the same image and prompts give the same mask to the bit",
    },
)


def check_predictor(engine: Any) -> None:
    """Whether a predictor keeps its promises.

    Parameters
    ----------
    engine : MaskPredictor, callable or str
        An engine; or better what makes one as new, such as its class, since then more can be
        checked; or a name that `evavos_widget.engines.create` knows.

    Raises
    ------
    BrokenPromiseError
        Names the promise and how it is broken.
    """
    PROMISES.check(engine)


def _predict(
    engine: MaskPredictor, image: np.ndarray, prompts: Prompts, key: Hashable | None = None
) -> Prediction:
    """A prediction, after what holds for every one was checked."""
    arrays = [scribble.points for scribble in prompts.scribbles]
    arrays += [a for a in (prompts.previous_mask, prompts.previous_probabilities) if a is not None]
    before = [a.copy() for a in arrays]
    found = engine.predict(image, prompts, key=key)
    if not all(map(np.array_equal, arrays, before)):
        fail("leaves-input-alone", "the previous mask or a scribble is another now.")
    _sound(found, image)
    return found


def _sound(found: Any, image: np.ndarray) -> None:
    """What holds for every prediction."""
    if not isinstance(found, Prediction):
        fail("gives-a-prediction", f"it returned a {type(found).__name__}.")
    shape = image.shape[:2]
    for what, dtype in (("mask", bool), ("probabilities", np.float32)):
        array = found.mask if what == "mask" else found.probabilities
        if not isinstance(array, np.ndarray):
            fail("gives-a-prediction", f"its {what} is a {type(array).__name__}, not an array.")
        if array.shape != shape or array.dtype != dtype:
            fail(
                "gives-a-prediction",
                f"its {what} is {array.shape} of {array.dtype}; the picture has {shape}.",
            )
    soft = found.probabilities
    if not np.isfinite(soft).all() or soft.min() < 0 or soft.max() > 1:
        fail("gives-a-prediction", f"its probabilities go from {soft.min()} to {soft.max()}.")
    if not np.isfinite(found.score) or not 0 <= found.score <= 1:
        fail("gives-a-prediction", f"its score is {found.score}.")
    if (found.mask != (soft > 0.5))[soft != 0.5].any():
        fail("mask-is-where-probable", "they disagree on a pixel.")


def _image(scene: Scene, frame: int = 0) -> np.ndarray:
    return scene.video.frame(frame)


def _variants(engine: MaskPredictor, scene: Scene) -> list[tuple[str, Prompts]]:
    """Prompts that say different things, of the kinds that a predictor accepts."""
    inside, left = _middle(scene), 3.0
    height = scene.video.height
    click = Click(*inside)
    variants = {
        "clicks": [
            ("a positive click", Prompts((click,))),
            ("a click elsewhere", Prompts((Click(left, height / 2),))),
            ("a second click", Prompts((click, Click(left, height / 2)))),
        ],
        "box": [
            ("a box", Prompts(box=Box(inside[0] - 9, inside[1] - 9, inside[0] + 9, inside[1] + 9))),
            ("a box elsewhere", Prompts(box=Box(0, 0, left + 3, height / 2))),
        ],
        "scribble": [
            ("a scribble", Prompts(scribbles=(_scribble(inside),))),
            ("a scribble elsewhere", Prompts(scribbles=(_scribble((left + 4, height / 2)),))),
        ],
    }
    chosen = [pair for kind, pairs in variants.items() if kind in engine.accepts for pair in pairs]
    if not chosen:
        fail("uses-what-it-accepts", f"accepts is {sorted(engine.accepts)}, which has no prompt.")
    return chosen


def _one_of_each(engine: MaskPredictor, scene: Scene) -> list[Prompts]:
    """A prompt of each kind that a predictor accepts, or several clicks."""
    return [prompts for what, prompts in _variants(engine, scene) if "elsewhere" not in what]


def _middle(scene: Scene) -> tuple[float, float]:
    """Column and row of the middle of the bright square."""
    rows, columns = np.nonzero(scene.labels[0] == 1)
    return float(columns.mean().round()), float(rows.mean().round())


def _scribble(at: tuple[float, float]) -> Scribble:
    x, y = at
    return Scribble(np.array([(x - 6, y - 2), (x, y + 2), (x + 6, y - 2)]).clip(0))


def _equal(a: Prediction, b: Prediction) -> bool:
    return bool(np.abs(a.probabilities - b.probabilities).max() <= AGREES)


@PROMISES.scene("without-prompts-nothing-new")
def _no_prompts(make: Make) -> None:
    scene, engine = Scene(1), make()
    if _predict(engine, _image(scene), Prompts()).mask.any():
        fail("without-prompts-nothing-new", "there is a mask.")
    previous = scene.labels[0] == 1
    for soft in (None, np.where(previous, 0.9, 0.2).astype(np.float32)):
        given = Prompts(previous_mask=previous, previous_probabilities=soft)
        if not np.array_equal(_predict(engine, _image(scene), given).mask, previous):
            fail("without-prompts-nothing-new", "the previous mask is another now.")


@PROMISES.scene("any-picture")
def _any_picture(make: Make) -> None:
    engine = make()
    for height, width in SIZES:
        scene = Scene(1, height, width)
        edges = [(0.0, 0.0), (width - 1.0, 0.0), (0.0, height - 1.0), (width - 0.6, height - 0.6)]
        whole = {
            "clicks": Prompts(tuple(Click(x, y, n % 2 == 0) for n, (x, y) in enumerate(edges))),
            "box": Prompts(box=Box(-3, -3, width + 3, height + 3)),
            "scribble": Prompts(scribbles=(Scribble(np.array(edges)), Scribble(edges[:1]))),  # type: ignore[arg-type]
        }
        for kind, prompts in whole.items():
            if kind in engine.accepts:
                _predict(engine, _image(scene), prompts)


@PROMISES.scene("no-memory")
def _no_memory(make: Make) -> None:
    scene, engine = Scene(4), make()
    asked = [(f, prompts) for prompts in _one_of_each(engine, scene) for f in (0, 3)]
    first, copies = [], []
    for frame, prompts in asked:
        first.append(_predict(engine, _image(scene, frame), prompts))
        copies.append((first[-1].mask.copy(), first[-1].probabilities.copy()))
    again = [_predict(engine, _image(scene, f), p) for f, p in reversed(asked)][::-1]
    for a, b, (mask, soft) in zip(first, again, copies, strict=True):
        if not np.array_equal(a.mask, mask) or not np.array_equal(a.probabilities, soft):
            fail("gives-for-keeps", "an array was changed by a later call.")
        if not _equal(a, b):
            fail("no-memory", "the same prompts give another mask after other ones.")


@PROMISES.scene("keys-name-images")
def _keys(make: Make) -> None:
    scene, plain, keyed, prepared = Scene(4), make(), make(), make()
    for frame in (0, 3):
        key = scene.video.token, frame
        if prepared.prepare(lambda frame=frame: _image(scene, frame), key) is not None:
            fail("preparing-changes-nothing", "prepare returned something.")
    for prompts in _one_of_each(plain, scene):
        for frame in (3, 0):
            image, key = _image(scene, frame), (scene.video.token, frame)
            expected = _predict(plain, image, prompts)
            for _ in range(2):  # the second time from what was kept
                if not _equal(_predict(keyed, image, prompts, key), expected):
                    fail("keys-name-images", f"frame {frame} has another mask with its key.")
            if not _equal(_predict(prepared, image, prompts, key), expected):
                fail("preparing-changes-nothing", f"frame {frame} has another mask.")


@PROMISES.scene("answers-together")
def _together(make: Make) -> None:
    scene, engine = Scene(1), make()
    image = _image(scene)
    if "clicks" not in engine.accepts:
        return
    where = {7: _middle(scene), 3: (3.0, scene.video.height / 2)}
    asked = {obj: Prompts((Click(x, y),)) for obj, (x, y) in where.items()}
    found = engine.predict_together(image, asked)
    again = engine.predict_together(image, {obj: asked[obj] for obj in sorted(asked)})
    kept = engine.predict_together(image, asked, key=(scene.video.token, 0))
    for answer in (found, again, kept):
        if set(answer) != set(asked):
            fail("answers-together", f"it answers for {sorted(answer)}, not {sorted(asked)}.")
        for obj in asked:
            _sound(answer[obj], image)
            if not _equal(answer[obj], found[obj]):
                fail("answers-together", "in another order, or with a key, it is another mask.")
    alone = {obj: _predict(engine, image, prompts) for obj, prompts in asked.items()}
    for obj, prompts in asked.items():
        if not _equal(engine.predict_together(image, {obj: prompts})[obj], alone[obj]):
            fail("answers-together", "for one object it is not what predict gives.")
    if engine.predict_together(image, {}):
        fail("answers-together", "for no object there is an answer.")
    if not engine.together:
        return
    if (found[7].mask & found[3].mask).any():
        fail("together-means-together", "a pixel is in both masks.")
    if all(np.array_equal(found[o].probabilities, alone[o].probabilities) for o in asked):
        fail("together-means-together", "each object is answered as if it were alone.")


@PROMISES.scene("uses-what-it-accepts")
def _uses_all(make: Make) -> None:
    scene, engine = Scene(1), make()
    variants = _variants(engine, scene)
    found = [(what, _predict(engine, _image(scene), prompts)) for what, prompts in variants]
    for (one, a), (other, b) in combinations(found, 2):
        if np.array_equal(a.probabilities, b.probabilities):
            fail("uses-what-it-accepts", f"{one} and {other} give the same.")
    if "mask" in engine.accepts:
        what, prompts = variants[0]
        masks = [scene.labels[0] == obj for obj in (1, 2)]
        a, b = (_predict(engine, _image(scene), _from_mask(prompts, mask)) for mask in masks)
        if np.array_equal(a.probabilities, b.probabilities):
            fail("uses-what-it-accepts", f"{what} gives the same from different previous masks.")
    if "clicks" in engine.accepts:
        x, y = _middle(scene)
        previous = scene.labels[0] == 1
        a, b = (
            _predict(engine, _image(scene), _from_mask(Prompts((Click(x, y, sign),)), previous))
            for sign in (True, False)
        )
        if np.array_equal(a.probabilities, b.probabilities):
            fail("uses-what-it-accepts", "a negative click gives the same as a positive one.")


def _from_mask(prompts: Prompts, mask: np.ndarray) -> Prompts:
    return Prompts(prompts.clicks, prompts.box, prompts.scribbles, mask.copy())


@PROMISES.scene("deterministic")
def _deterministic(make: Make) -> None:
    scene = Scene(1)
    found: list[list[Prediction]] = []
    for seed in (0, 1):
        with drawing_lots(seed):
            engine = make()
            found.append([_predict(engine, _image(scene), p) for p in _one_of_each(engine, scene)])
    for a, b in zip(*found, strict=True):
        if not np.array_equal(a.probabilities, b.probabilities) or a.score != b.score:
            fail("deterministic", "the second time it is another.")

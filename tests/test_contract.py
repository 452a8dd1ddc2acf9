"""What is not an engine is refused in one sentence, and what is one is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evavos_widget import annotation_selection, frame_selection
from evavos_widget.contract import BASES, EngineError, require
from evavos_widget.engines import create
from evavos_widget.loop import (
    AnnotationSelector,
    FrameSelector,
    MaskPredictor,
    PropagationStep,
    Propagator,
)
from evavos_widget.prompts import Prediction
from evavos_widget.session import Session
from evavos_widget.testing import Disks, NearestCopy


class TwoArguments(Propagator):
    name = "two"

    def propagate(self, video, masks):
        yield


class OnlyPropagates:
    name = "only"

    def propagate(self, video, annotations, objects, frames):
        yield


class WithoutKey(MaskPredictor):
    name = "without key"

    def predict(self, image, prompts):
        return None


class NoSelf(FrameSelector):
    name = "no self"

    def select(state):  # noqa: N805
        return None


class OneMore(AnnotationSelector):
    name = "one more"

    def select(self, state, choice, history):
        return None


class Values(NearestCopy):
    name = ""
    notice = 3
    learned = "yes"
    quality_weights = (1, 2)
    accepts = ("mask",)
    affected = None


class UnknownPrompt(Disks):
    accepts = frozenset({"clicks", "gaze"})


class Awaited(NearestCopy):
    async def propagate(self, video, annotations, objects, frames):
        yield


@pytest.mark.parametrize(
    ("stage", "engine", "said"),
    [
        (
            "propagator",
            TwoArguments(),
            [
                "TwoArguments is no propagator",
                "its propagate(video, masks) cannot be called as "
                "propagate(video, annotations, objects, frames)",
                "derive it from evavos_widget.loop.Propagator",
                "a default for everything but name and propagate",
            ],
        ),
        ("propagator", OnlyPropagates(), ["it lacks", "affected(before, after, n_frames)"]),
        ("propagator", object(), ["lacks name, propagate(video, annotations, objects, frames),"]),
        ("propagator", NearestCopy, ["NearestCopy is a class", "give NearestCopy(...)"]),
        ("propagator", Disks(), ["Disks is no propagator", "propagate(video"]),
        ("propagator", Awaited(), ["propagate is async"]),
        (
            "propagator",
            Values(),
            ["name is ''", "notice is 3", "learned is 'yes'", "(1, 2)", "('mask',)", "affected is"],
        ),
        ("predictor", WithoutKey(), ["called as predict(image, prompts, key=...)"]),
        ("predictor", UnknownPrompt(), ["'gaze'", "'scribble'"]),
        ("frame_selector", NoSelf(), ["its select() cannot be called as select(state)"]),
        ("annotation_selector", OneMore(), ["select(state, choice, history) cannot"]),
        (
            "annotation_selector",
            create("frame_selector", "uniform"),
            ["its select(state) cannot be called as select(state, choice)"],
        ),
        ("frame_selector", None, ["NoneType is no frame selector"]),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, (str, list)) else None,
)
def test_what_is_missing_is_told_in_one_sentence(stage, engine, said):
    with pytest.raises(TypeError) as caught:
        require(stage, engine)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    for words in said:
        assert words in sentence


class Duck:
    """Has all that a frame selector has, and derives from nothing."""

    name, notice, learned, device = "duck", None, False, "cpu"

    def select(self, *anything, **more):
        return None


@pytest.mark.parametrize(
    ("stage", "engine"),
    [
        ("propagator", NearestCopy()),
        ("predictor", Disks()),
        ("frame_selector", Duck()),
        ("annotation_selector", Duck()),
        *[("frame_selector", create("frame_selector", n)) for n in frame_selection.ENGINES],
        *[
            ("annotation_selector", create("annotation_selector", n))
            for n in annotation_selection.ENGINES
        ],
        ("propagator", create("propagator", "flow")),
        ("predictor", create("predictor", "classical")),
    ],
)
def test_whole_engines_are_taken(stage, engine):
    require(stage, engine)
    assert isinstance(engine, BASES[stage])


class Gives(Propagator):
    """What `make` makes of the shape of a video and the number of objects."""

    name = "gives"

    def __init__(self, make):
        self.make = make

    def propagate(self, video, annotations, objects, frames):
        made = self.make(len(objects), video.height, video.width)
        for done, frame in enumerate(frames, start=1):
            yield made if made is None else PropagationStep(done, len(frames), frame, made)


class GivesAll(Gives):
    def propagate(self, video, annotations, objects, frames):
        return [*super().propagate(video, annotations, objects, frames)]


class GivesFromZero(Gives):
    def propagate(self, *asked):
        for step in super().propagate(*asked):
            yield replace(step, done=step.done - 1)


class GivesLater(Gives):
    def propagate(self, video, annotations, objects, frames):
        later = [frame + video.n_frames for frame in frames]
        yield from super().propagate(video, annotations, objects, later)


def even(k, h, w):
    return np.full((k + 1, h, w), 1 / (k + 1), np.float32)


@pytest.mark.parametrize(
    ("propagator", "said"),
    [
        (Gives(lambda k, h, w: even(k, h, w)[1:]), r"of frame 1 are \(1, 40, 56\) of float32, and"),
        (Gives(lambda k, h, w: even(k, h // 2, w // 2)), r"\(2, 20, 28\) of float32, and \(2, 40"),
        (Gives(lambda k, h, w: even(k, w, h)), r"\(2, 56, 40\) of float32, and \(2, 40, 56\) of"),
        (Gives(lambda k, h, w: even(k, h, w) > 1), "of bool, and .* of float32 is needed"),
        (Gives(lambda k, h, w: even(k, h, w) * np.nan), "go from nan to nan, and not from 0 to 1"),
        (Gives(lambda k, h, w: even(k, h, w) * 9 - 5), "go from -0.5 to -0.5, and not from 0 to 1"),
        (Gives(lambda k, h, w: None), r"it yielded None \(NoneType\), which is no Propagation"),
        (GivesFromZero(even), "a step says 0 of 3, and they are counted from 1 of 1 on"),
        (GivesLater(even), "it gave frame 5, which nobody asked for"),
        (GivesAll(even), r"propagate returned .* \(list\), which is no generator"),
    ],
)
def test_what_a_propagator_gives_is_used_only_if_it_can_be(propagator, said):
    video = np.zeros((4, 40, 56, 3), np.uint8)
    with Session(video, path=None, propagator=propagator, predictor="classical") as session:
        obj = session.add_object()
        session.annotate(0, np.eye(40, 56, dtype=bool), objects=[obj])
        with pytest.raises(EngineError, match=rf"the propagator 'gives' cannot be used: .*{said}"):
            session.propagate(progress=False)
        assert not session.masks[1].any()
        assert session.stale == {1, 2, 3}


@pytest.mark.parametrize("engine", [Gives(even), Gives(lambda *s: even(*s).astype(np.float64))])
def test_probabilities_of_either_precision_are_used(engine):
    video = np.zeros((4, 40, 56, 3), np.uint8)
    with Session(video, path=None, propagator=engine, predictor="classical") as session:
        session.annotate(0, np.eye(40, 56, dtype=bool), objects=[session.add_object()])
        assert session.propagate(progress=False) == 3


class Answers(MaskPredictor):
    name = "answers"

    def __init__(self, make):
        self.make = make

    def predict(self, image, prompts, *, key=None):
        return self.make(np.ones(image.shape[:2], bool))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda m: m, "it returned a ndarray, which is no Prediction"),
        (lambda m: Prediction(m.T, m.astype(np.float32), 0.5), r"its mask is \(56, 40\) of bool"),
        (lambda m: Prediction(m * np.uint8(255), m.astype(float), 0.5), "its mask is .* of uint8"),
        (lambda m: Prediction(m, m * 7.0, 0.5), "its probabilities go from 7 to 7, and not"),
        (
            lambda m: Prediction(m, m.astype(np.float32)[:3], 0.5),
            r"its .* are \(3, 56\) of float32",
        ),
        (lambda m: Prediction(m, m.astype(np.float32), 87), "its score is 87, which is not from"),
        (lambda m: Prediction(m, m.astype(np.float32), np.nan), "its score is nan"),
    ],
)
def test_a_prediction_is_used_only_if_it_can_be(make, said):
    video = np.zeros((2, 40, 56, 3), np.uint8)
    with Session(video, path=None, propagator="flow", predictor=Answers(make)) as session:
        obj = session.add_object()
        with pytest.raises(EngineError, match=rf"the predictor 'answers' cannot be used: {said}"):
            session.predict(0, obj, clicks=[(20, 20, True)])

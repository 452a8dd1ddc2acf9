"""What is not an engine is refused in one sentence, and what is one is not."""

from __future__ import annotations

import pytest

from evavos_widget import annotation_selection, frame_selection
from evavos_widget.contract import BASES, require
from evavos_widget.engines import create
from evavos_widget.loop import (
    AnnotationSelector,
    FrameSelector,
    MaskPredictor,
    Propagator,
)
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

"""Annotation selectors that need no model."""

from __future__ import annotations

import math
from dataclasses import replace
from zlib import crc32

import numpy as np

from evavos_widget.explanation import TypeExplanation
from evavos_widget.loop import (
    AnnotationChoice,
    AnnotationSelector,
    FrameChoice,
    LoopState,
    possible,
    times_annotated,
    visits,
)
from evavos_widget.points import VERIFICATIONS

__all__ = ["Clicks", "Mask", "Points", "Random", "Rule"]

ERROR_REMOVED = {"mask": 1.0, "clicks": 0.22, "points": 0.09, "absent": 1.0}
"""Share of a frame's error that one annotation of a type removes. A drawn mask removes all of
it; three clicks on a propagated mask 0.22 (mean IoU 0.823 to 0.862 on 60 frames of 10 sequences
of DAVIS-2016 train, ``compact:free``, which has not seen them); ten verified points, of which those
that contradict the mask are given as clicks, 0.09 (0.758 to 0.779 on 59 frames of 10 sequences,
95 % interval -0.04 to 0.16; ``benchmarks.error_removed``, docs/point_vos.md). Where a frame was
annotated n times before and is still in doubt, clicks and points are expected to remove 1 / (1 + n)
of that; our choice, as of the other selectors (`loop.in_doubt`)."""

ABSENT_AROUND = 2
"""Frames on either side that are empty too where an object is likely to be out of the picture;
one that is lost in a single frame is to be found again."""


class Clicks(AnnotationSelector):
    """Three clicks on every frame."""

    name = "clicks"

    def select(self, state: LoopState, choice: FrameChoice) -> AnnotationChoice:
        """Clicks, with what they are expected to gain on the chosen frame."""
        return _choice("clicks", state, choice, "the type you chose")

    def explain(self, state: LoopState, choice: FrameChoice) -> TypeExplanation:
        """The one type, its expected gain and cost."""
        return _explained(state, choice, {"clicks": 1.0})


class Mask(AnnotationSelector):
    """A drawn mask on every frame."""

    name = "mask"

    def select(self, state: LoopState, choice: FrameChoice) -> AnnotationChoice:
        """A mask, with what it is expected to gain on the chosen frame."""
        return _choice("mask", state, choice, "the type you chose")

    def explain(self, state: LoopState, choice: FrameChoice) -> TypeExplanation:
        """The one type, its expected gain and cost."""
        return _explained(state, choice, {"mask": 1.0})


class Points(AnnotationSelector):
    """Ten proposed points to verify, on every frame."""

    name = "points"

    def select(self, state: LoopState, choice: FrameChoice) -> AnnotationChoice:
        """Points, with what they are expected to gain on the chosen frame."""
        return _choice("points", state, choice, "the type you chose")

    def explain(self, state: LoopState, choice: FrameChoice) -> TypeExplanation:
        """The one type, its expected gain and cost."""
        return _explained(state, choice, {"points": 1.0})


class Random(AnnotationSelector):
    """Clicks or a mask, either as likely.

    Parameters
    ----------
    seed : int or str
        The choice depends on it, the video, the object and how often that was annotated.
    """

    name = "random"

    def __init__(self, seed: int | str = 0) -> None:
        self.seed = int(seed)

    def select(self, state: LoopState, choice: FrameChoice) -> AnnotationChoice:
        """Clicks or mask, with what they are expected to gain on the chosen frame."""
        n = times_annotated(state, choice.object)
        # Another stream than that of the frames, which may have the same seed.
        rng = np.random.default_rng(
            [self.seed, crc32(state.video.name.encode(errors="replace")), choice.object, n, 1]
        )
        kinds = possible(["clicks", "mask"], state)
        return _choice(str(rng.choice(kinds)), state, choice, "drawn at random")

    def explain(self, state: LoopState, choice: FrameChoice) -> TypeExplanation:
        """Either type, as likely; their expected gains and costs."""
        kinds = possible(["clicks", "mask"], state)
        return _explained(state, choice, dict.fromkeys(kinds, 1 / len(kinds)))


class Rule(AnnotationSelector):
    """The type that is expected to remove most of a frame's error per second.

    At the paper's costs these are clicks, also where there is no mask yet, until they were tried
    three times on a frame that is still in doubt; then it is to be drawn. Where a pass found
    nothing on the frame nor around it, absence is asked about first. With a predictor that takes no
    clicks a mask is drawn in their place.
    """

    name = "rule"

    def select(self, state: LoopState, choice: FrameChoice) -> AnnotationChoice:
        """Clicks, a mask or absence, with the reason."""
        if choice.object not in state.masks.ids(choice.frame):
            if _likely_absent(state, choice):
                return _choice("absent", state, choice, "nothing was found around here")
            if _waits_for_a_pass(state, choice) and "clicks" in state.types:
                return _choice("clicks", state, choice, "a pass brings a mask to correct")
        if "clicks" not in state.types:
            return _choice("mask", state, choice, "the predictor takes no clicks")
        clicks = _choice("clicks", state, choice, "clicks gain most per second")
        mask = _choice("mask", state, choice, "drawing gains most per second")
        if _per_second(clicks) >= _per_second(mask):
            return clicks
        times = visits(state, choice.object)[choice.frame]
        return replace(mask, reason=f"annotated {times} times: draw it") if times > 1 else mask

    def explain(self, state: LoopState, choice: FrameChoice) -> TypeExplanation:
        """What the rule chooses, beside what each type is expected to gain and cost."""
        chosen = self.select(state, choice).kind
        kinds = {**dict.fromkeys(possible(["clicks", "mask"], state), 0.0), chosen: 1.0}
        return _explained(state, choice, kinds)


def _per_second(choice: AnnotationChoice) -> float:
    return choice.expected_gain / max(choice.seconds, 1e-3)


def _likely_absent(state: LoopState, choice: FrameChoice) -> bool:
    """Whether a pass found nothing of the object on the frame, nor on those around it.

    Who annotated the frame and left it in doubt was asked, and saw it there.
    """
    if _predicted(state, choice) is None or not _is_shown(state, choice.object):
        return False
    if visits(state, choice.object)[choice.frame]:
        return False
    first, last = choice.frame - ABSENT_AROUND, choice.frame + ABSENT_AROUND
    around = range(max(first, 0), min(last, state.n_frames - 1) + 1)
    return not any(choice.object in state.masks.ids(frame) for frame in around)


def _waits_for_a_pass(state: LoopState, choice: FrameChoice) -> bool:
    """Whether nothing is known of the frame yet, and a pass has something to bring to it."""
    return _predicted(state, choice) is None and _is_shown(state, choice.object)


def _is_shown(state: LoopState, obj: int) -> bool:
    return any(obj in annotation.present for annotation in state.annotations.values())


def _predicted(state: LoopState, choice: FrameChoice) -> float | None:
    value = float(state.quality[choice.frame, state.objects.index(choice.object)])
    return None if math.isnan(value) else value


def _choice(kind: str, state: LoopState, choice: FrameChoice, reason: str) -> AnnotationChoice:
    quality = _predicted(state, choice) or 0.0
    gain = (1.0 - quality) * ERROR_REMOVED[kind]
    if kind in ("clicks", "points"):
        gain /= 1 + visits(state, choice.object)[choice.frame]
    n = VERIFICATIONS if kind == "points" else None
    return AnnotationChoice(kind, state.costs.seconds(kind, n), gain, reason)


def _explained(
    state: LoopState, choice: FrameChoice, probabilities: dict[str, float]
) -> TypeExplanation:
    options = [_choice(kind, state, choice, "") for kind in probabilities]
    return TypeExplanation(
        probabilities,
        gains={option.kind: option.expected_gain for option in options},
        seconds={option.kind: option.seconds for option in options},
    )

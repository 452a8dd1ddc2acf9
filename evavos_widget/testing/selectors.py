"""The promises of a frame selector and of an annotation selector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from evavos_widget.contract import frame_fault, type_fault
from evavos_widget.explanation import ExplainsFrames, ExplainsTypes
from evavos_widget.loop import (
    Annotation,
    AnnotationChoice,
    FrameChoice,
    FrameSelector,
    LoopState,
    Round,
    Source,
    objects_annotated,
)
from evavos_widget.masks import LabelMaps
from evavos_widget.prompts import ANNOTATION_TYPES, Costs
from evavos_widget.testing.promises import Make, Promises, drawing_lots, fail
from evavos_widget.testing.scenes import Scene

__all__ = ["check_annotation_selector", "check_frame_selector"]

IDS = (3, 200)
"""Of the objects in the checks, which are neither 1 nor 2 nor one after the other."""

LOCKED = 9
"""Id of an object that is annotated and not among those to ask for, as a locked one is."""

SECONDS_A_ROUND = 80.0
"""What each annotation in a check has cost; it might be anything."""

FRAME_PROMISES = Promises(
    "frame_selector",
    {
        "gives-a-choice": "select returns a FrameChoice or None; its score is finite, its reason "
        "one line",
        "frame-of-the-video": "the frame is one of the video, from 0 to N - 1",
        "object-to-ask-for": "the object is one of `state.objects`",
        "not-annotated": "the frame is not annotated for that object yet, or with a trust below 1",
        "not-snoozed": "the annotator did not put that frame and object off",
        "knows-when-to-stop": "where every frame is annotated or put off, the choice is None",
        "any-state": "it chooses in any state: no object, no annotation, no quality, one frame",
        "deterministic": "the same state gives the same choice, whoever else draws lots",
        "explains-its-choice": "where explain says something, it has a score for every frame and "
        "object, and the choice is among the largest",
    },
)

ANNOTATION_PROMISES = Promises(
    "annotation_selector",
    {
        "gives-a-choice": "select returns an AnnotationChoice, its reason one line",
        "known-type": f"the kind is one of {', '.join(ANNOTATION_TYPES)}, or absent",
        "costs-time": "the seconds are finite and not negative",
        "follows-the-costs": "the seconds come from `state.costs`, which may be measured ones",
        "gain-is-a-difference": "the expected gain is a difference of J&F, from -1 to 1",
        "any-state": "it chooses in any state: no quality, no mask, one frame",
        "deterministic": "the same state and frame give the same choice, whoever else draws lots",
        "explains-its-choice": "where explain says something, the types' probabilities sum to 1, "
        "and the chosen type is among them",
    },
)


def check_frame_selector(engine: Any) -> None:
    """Whether a frame selector keeps its promises.

    Parameters
    ----------
    engine : FrameSelector, callable or str
        An engine; or better what makes one as new, such as its class, since then more can be
        checked; or a name that `evavos_widget.engines.create` knows.

    Raises
    ------
    BrokenPromiseError
        Names the promise and how it is broken.
    """
    FRAME_PROMISES.check(engine)


def check_annotation_selector(engine: Any) -> None:
    """Whether an annotation selector keeps its promises.

    Parameters
    ----------
    engine : AnnotationSelector, callable or str
        As for `check_frame_selector`.

    Raises
    ------
    BrokenPromiseError
        Names the promise and how it is broken.
    """
    ANNOTATION_PROMISES.check(engine)


def _state(
    annotated: Mapping[int, tuple[int, ...]],
    n_frames: int = 9,
    objects: tuple[int, ...] = IDS,
    quality: float | None = None,
) -> LoopState:
    """A state of a small video, in which some objects are annotated on some frames.

    Parameters
    ----------
    annotated : mapping of frame -> objects
    n_frames : int
    objects : tuple of int
    quality : float, optional
        Of every frame; by default it falls from frame to frame, and a few have none.
    """
    scene = Scene(n_frames, 24, 40, IDS)
    masks = LabelMaps.empty(n_frames, 24, 40).replace(dict(enumerate(scene.labels)))
    falls = np.linspace(0.95, 0.05, n_frames * len(objects), dtype=np.float32)
    values = falls.reshape(n_frames, len(objects))
    values[1::4] = np.nan
    if quality is not None:
        values[:] = quality
    rounds = tuple(Round((f,), o, "mask", SECONDS_A_ROUND) for f, o in annotated.items())
    return LoopState(
        video=scene.video,
        objects=objects,
        annotations={f: scene.annotation(f, *o) for f, o in annotated.items()},
        masks=masks,
        quality=values,
        costs=Costs(),
        rounds=rounds,
        seconds=SECONDS_A_ROUND * len(rounds),
        budget=3600.0,
    )


def _states() -> Iterator[tuple[str, LoopState]]:
    """States of all kinds, and what they are."""
    some = {0: IDS, 5: (IDS[0],), 7: (IDS[1], LOCKED)}
    yield "an annotated frame", _state({0: IDS})
    yield "several annotated frames", _state(some)
    yield (
        "a snoozed frame",
        replace(
            _state({0: IDS, 7: (IDS[1],)}),
            snoozed=frozenset({(4, IDS[0]), (8, IDS[0]), (8, IDS[1])}),
        ),
    )
    yield "no quality", _state({0: IDS}, quality=np.nan)
    yield "perfect quality", _state({0: IDS}, quality=1.0)
    yield "a locked object", _state({0: (LOCKED, *IDS), 4: (LOCKED,)}, objects=(IDS[1],))
    yield "an object that nobody annotated", _state({0: (IDS[0],)})
    yield "one frame left", _state({f: IDS if f != 3 else (IDS[1],) for f in range(9)})
    yield "annotations in doubt", _doubted(_state(some))
    yield "every frame in doubt", _doubted(_state(dict.fromkeys(range(9), IDS)))
    yield "no annotation", _state({})
    yield "no budget, no rounds", replace(_state({0: IDS}), budget=None, rounds=(), seconds=0.0)
    yield "two frames", _state({1: IDS}, n_frames=2)


def _doubted(state: LoopState) -> LoopState:
    """The same with annotations that came of clicks, each trusted less than the one before."""
    annotations = {
        frame: Annotation(
            a.labels, a.objects, {o: Source("clicked", 0.9 / (n + 1)) for o in a.objects}
        )
        for n, (frame, a) in enumerate(state.annotations.items())
    }
    return replace(state, annotations=annotations)


def _ends() -> Iterator[tuple[str, LoopState]]:
    """States in which nothing is left to ask, and why."""
    everything = dict.fromkeys(range(9), IDS)
    yield "every frame is annotated", _state(everything)
    put_off = _state({f: IDS for f in range(7)})
    left = frozenset((f, o) for f in (7, 8) for o in IDS)
    yield "what is not annotated is put off", replace(put_off, snoozed=left)
    yield "the only frame is annotated", _state({0: IDS}, n_frames=1)
    yield "there is no object", _state({}, objects=())


def _photograph(state: LoopState) -> list[Any]:
    """All of a state that could be changed in place, as bytes."""
    annotations = [(f, a.objects, a.labels.tobytes()) for f, a in state.annotations.items()]
    masks = [state.masks[f].tobytes() for f in range(state.n_frames)]
    rest = [getattr(state, f.name) for f in fields(state) if f.name not in _IN_PLACE]
    return [annotations, masks, state.quality.tobytes(), *rest]


_IN_PLACE = ("annotations", "masks", "quality")
"""Fields of a state whose contents, not identities, are compared."""


def _told(engine: Any, explains: type, *about: Any) -> Any:
    """What an engine says of itself, as it says it; None where it says nothing."""
    return engine.explain(*about) if isinstance(engine, explains) else None


def _select(engine: FrameSelector, state: LoopState, where: str) -> FrameChoice | None:
    """A choice, after what holds for every one was checked."""
    before = _photograph(state)
    choice = engine.select(state)
    if _photograph(state) != before:
        fail("leaves-input-alone", f"the state with {where} is another now.")
    if fault := frame_fault(choice, state):
        fail(fault[0], f"{fault[1]} ({where}).")
    if choice is None:
        return None
    if not np.isfinite(choice.score):
        fail("gives-a-choice", f"the score is {choice.score!r}.")
    frame = int(choice.frame)
    known = objects_annotated(state.annotations, choice.object)
    if frame in known and state.annotations[frame].trust(choice.object) == 1:
        fail(
            "not-annotated",
            f"it chose frame {frame}, which is annotated for object {choice.object} and not in "
            f"doubt ({where}).",
        )
    if (frame, choice.object) in state.snoozed:
        fail("not-snoozed", f"it chose frame {frame} and object {choice.object} ({where}).")
    return choice


@FRAME_PROMISES.scene("any-state")
def _any_state(make: Make) -> None:
    engine = make()
    for where, state in _states():
        _select(engine, state, where)


@FRAME_PROMISES.scene("knows-when-to-stop")
def _stops(make: Make) -> None:
    engine = make()
    for why, state in _ends():
        if _select(engine, state, why) is not None:
            fail("knows-when-to-stop", f"{why}, and it chose a frame.")


@FRAME_PROMISES.scene("any-state")
def _whole_loop(make: Make) -> None:
    """Annotate what it asks for until it has had enough; no frame comes twice."""
    engine, state = make(), _state({0: IDS})
    scene = Scene(state.n_frames, 24, 40, IDS)
    for n in range(state.n_frames * len(IDS)):
        choice = _select(engine, state, f"{n} frames annotated")
        if choice is None:
            return
        frame = int(choice.frame)
        old = state.annotations.get(frame)
        objects = (*(old.objects if old else ()), choice.object)
        done = Round((frame,), (choice.object,), "mask", SECONDS_A_ROUND)
        state = replace(
            state,
            annotations={**state.annotations, frame: scene.annotation(frame, *objects)},
            rounds=(*state.rounds, done),
            seconds=state.seconds + SECONDS_A_ROUND,
        )


@FRAME_PROMISES.scene("deterministic")
def _same_frame(make: Make) -> None:
    engine = make()
    for where, state in _states():
        chosen = []
        for seed in (0, 1):
            with drawing_lots(seed):
                chosen += [_select(engine, state, where), _select(make(), state, where)]
        if len({c and (c.frame, c.object) for c in chosen}) > 1:
            told = [c and (int(c.frame), c.object) for c in chosen]
            fail("deterministic", f"with {where} it chose {told}.")


@FRAME_PROMISES.scene("explains-its-choice")
def _explained_frame(make: Make) -> None:
    engine = make()
    for where, state in _states():
        before = _photograph(state)
        told = _told(engine, ExplainsFrames, state)
        if _photograph(state) != before:
            fail("leaves-input-alone", f"explaining made another state of {where}.")
        choice = engine.select(state)
        if told is None or choice is None:
            continue
        shape = state.n_frames, len(state.objects)
        for name, array in (("scores", told.scores), ("quality", told.quality)):
            if array is not None and np.shape(array) != shape:
                fail("explains-its-choice", f"{name} is {np.shape(array)}, not {shape} ({where}).")
        score = told.scores[choice.frame, state.objects.index(choice.object)]
        if not np.isclose(score, np.nanmax(told.scores)):
            fail(
                "explains-its-choice",
                f"it chose frame {choice.frame} with a score of {score}, and the largest is "
                f"{np.nanmax(told.scores)} ({where}).",
            )


def _choices() -> Iterator[tuple[str, LoopState, FrameChoice]]:
    """States and frames chosen in them, one of them without a mask."""
    for where, state in _states():
        frames = [f for f in range(state.n_frames) if f not in state.annotations]
        for obj in state.objects:
            for frame in frames[:3]:
                yield where, state, FrameChoice(frame, obj, "a check")
    state = _state({0: IDS}, quality=np.nan)
    empty = LabelMaps.empty(state.n_frames, state.video.height, state.video.width)
    yield "no mask", replace(state, masks=empty), FrameChoice(4, IDS[0], "a check")
    yield "one frame", _state({}, n_frames=1), FrameChoice(0, IDS[1], "a check")


def _ask(engine: Any, state: LoopState, choice: FrameChoice, where: str) -> AnnotationChoice:
    """A choice of a type, after what holds for every one was checked."""
    before = _photograph(state)
    how = engine.select(state, choice)
    if _photograph(state) != before:
        fail("leaves-input-alone", f"the state with {where} is another now.")
    if fault := type_fault(how):
        fail(fault[0], f"{fault[1]} ({where}).")
    return how


@ANNOTATION_PROMISES.scene("any-state")
def _any_frame(make: Make) -> None:
    engine = make()
    for where, state, choice in _choices():
        _ask(engine, state, choice, where)


@ANNOTATION_PROMISES.scene("follows-the-costs")
def _other_costs(make: Make) -> None:
    usual = Costs()
    dear = Costs(**{f.name: 10 * getattr(usual, f.name) for f in fields(Costs)})
    engine = make()
    for where, state, choice in _choices():
        cheap = _ask(engine, state, choice, where)
        costly = _ask(engine, replace(state, costs=dear), choice, where)
        if costly.kind == cheap.kind and costly.seconds == cheap.seconds > 0:
            fail(
                "follows-the-costs",
                f"{cheap.kind!r} takes {cheap.seconds} s too where all costs are tenfold.",
            )


@ANNOTATION_PROMISES.scene("deterministic")
def _same_type(make: Make) -> None:
    engine = make()
    for where, state, choice in _choices():
        chosen = []
        for seed in (0, 1):
            with drawing_lots(seed):
                chosen += [_ask(engine, state, choice, where), _ask(make(), state, choice, where)]
        if len({(c.kind, c.seconds, c.expected_gain) for c in chosen}) > 1:
            fail("deterministic", f"with {where} it chose {[c.kind for c in chosen]}.")


@ANNOTATION_PROMISES.scene("explains-its-choice")
def _explained_type(make: Make) -> None:
    engine = make()
    for where, state, choice in _choices():
        before = _photograph(state)
        told = _told(engine, ExplainsTypes, state, choice)
        if _photograph(state) != before:
            fail("leaves-input-alone", f"explaining made another state of {where}.")
        if told is None:
            continue
        chosen, total = engine.select(state, choice).kind, sum(told.probabilities.values())
        if not np.isclose(total, 1):
            fail("explains-its-choice", f"the probabilities sum to {total} ({where}).")
        if not told.probabilities.get(chosen, 0) > 0:
            fail("explains-its-choice", f"it chose {chosen!r}, which is not among them ({where}).")

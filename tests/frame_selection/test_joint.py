"""Frame and type together: what was clicked already is not asked for over and over."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from evavos_widget.frame_selection.joint import JointFrame
from evavos_widget.networks.joint import EMPTY, OF_A_FRAME, JointModel, known_of
from evavos_widget.networks.observation import MASK_NUMBERS
from evavos_widget.prompts import Click
from evavos_widget.session import Session
from evavos_widget.testing import Disks, NearestCopy

N = 12
FRAMES = np.random.default_rng(0).integers(0, 255, (N, 48, 64, 3), np.uint8)


def promises(model: JointModel, *gains: float) -> None:
    """The same of every frame, by type."""
    model.level = np.array([[gain, 0, 0] for gain in gains])
    model.slope = np.zeros((len(gains), 4))


def clicked(session: Session, obj: int, frame: int) -> None:
    clicks = [Click(20, 20)]
    mask = session.predict(frame, obj, clicks=clicks).mask
    session.annotate(frame, mask, objects=[obj], kind="clicks", clicks=clicks)
    session.propagate()


def begun(*columns: int) -> tuple[Session, list[int]]:
    """A session with an object at each of these columns."""
    session = Session(FRAMES, path=None, propagator=NearestCopy(), predictor=Disks())
    for column in columns:
        mask = np.zeros((48, 64), bool)
        mask[15:30, column : column + 15] = True
        session.annotate(0, mask, objects=[session.add_object()])
    session.propagate()
    return session, [o.id for o in session.objects]


def test_on_a_frame_that_was_tried_there_is_less_to_hope_for() -> None:
    session, (obj, other) = begun(15, 45)
    model = JointModel()
    assert model.types == ("clicks", "mask")
    promises(model, 0.1, -0.1)
    promised = model.gains(session.state, obj)[5]
    for times in (1, 2):
        clicked(session, obj, 5)
        gains = model.gains(session.state, obj)
        np.testing.assert_allclose(gains[5], promised / [1 + times, 1])
        np.testing.assert_allclose(gains[6], promised)
    # Nothing was said of the object beside it.
    np.testing.assert_allclose(model.gains(session.state, other)[5], promised)


def test_it_goes_on_to_other_frames() -> None:
    session, (obj,) = begun(15)
    selector = JointFrame()
    promises(selector._model, *[0.1] * len(selector._model.types))
    asked = Counter()
    for _ in range(N - 1):
        choice = selector.select(session.state)
        assert choice is not None
        asked[choice.frame] += 1
        clicked(session, obj, choice.frame)
    assert asked == {frame: 1 for frame in range(1, N)}


def test_only_types_that_can_be_asked_for_count() -> None:
    session, (obj,) = begun(15)
    selector = JointFrame()
    promises(selector._model, 0.1, 0.1)
    state = session.state
    drawn = selector._scores(replace(state, types=frozenset({"mask"})), obj)
    either = selector._scores(state, obj)
    costs = session.costs
    np.testing.assert_allclose(
        either[1:] / drawn[1:], costs.seconds("mask") / costs.seconds("clicks")
    )


def test_what_is_known_of_a_frame() -> None:
    masks = np.zeros((5, MASK_NUMBERS), np.float32)
    masks[:, 0] = [0, 1, 2, 3, 10]
    masks[4, EMPTY] = 1
    predicted, trust = np.array([1, 0.8, np.nan, 0.4, 0.2]), np.array([1.0, -1, -1, -1, 0.5])
    frames, video = known_of(masks, predicted, trust)
    known = dict(zip(OF_A_FRAME, frames.T, strict=True))
    # As each differs from the mean of the three that are open.
    quality = np.array([1, 0.8, 0.5, 0.4, 0.2])
    np.testing.assert_allclose(known["predicted"], quality - quality[1:4].mean())
    np.testing.assert_allclose(known["to the nearest"], np.array([0, 1, 2, 1, 0]) / 5 - 4 / 15)
    assert known["empty"].tolist() == [0, 0, 0, 0, 1]
    assert known["object unlike any"].argsort().tolist()[-1] == 3
    np.testing.assert_allclose(video, [quality.mean(), 2 / 5])
    # Where everything is annotated the mean is of all.
    assert np.abs(known_of(masks, predicted, np.ones(5))[0].mean(axis=0)).max() < 1e-9

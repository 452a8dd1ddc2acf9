"""Frame and type together: what was clicked already is not asked for over and over."""

from __future__ import annotations

from collections import Counter

import numpy as np

from evavos_widget.frame_selection.joint import JointFrame
from evavos_widget.loop import in_doubt
from evavos_widget.networks.joint import JointModel
from evavos_widget.prompts import Click
from evavos_widget.session import Session
from evavos_widget.testing import Disks, NearestCopy

N = 12
FRAMES = np.random.default_rng(0).integers(0, 255, (N, 48, 64, 3), np.uint8)


class Alike:
    """Trees that promise the same of every frame, and a little more of the fifth."""

    def __init__(self, gain: float) -> None:
        self.gain = gain

    def predict(self, known: np.ndarray) -> np.ndarray:
        return np.where(np.arange(len(known)) == 5, 1.1, 1.0) * self.gain


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


def test_on_a_frame_that_was_annotated_only_the_doubt_can_be_gained() -> None:
    session, (obj, other) = begun(15, 45)
    model = JointModel()
    model._trees = [Alike(0.1), Alike(-0.1)]  # what clicks and a mask promise
    model.types = ("clicks", "mask")
    promised = model.gains(session.state, obj)[5]
    clicked(session, obj, 5)
    doubt = in_doubt(session.state, obj)[5]
    assert 0 < doubt < 1
    np.testing.assert_allclose(model.gains(session.state, obj)[5], promised * [doubt, 1])
    clicked(session, obj, 5)
    assert in_doubt(session.state, obj)[5] < doubt
    assert model.gains(session.state, obj)[5][0] < promised[0] * doubt
    # Nothing was said of the object beside it.
    np.testing.assert_allclose(model.gains(session.state, other)[5], promised)


def test_it_goes_on_to_other_frames() -> None:
    session, (obj,) = begun(15)
    selector = JointFrame()
    selector._model._trees = [Alike(0.1) for _ in selector._model.types]
    asked = Counter()
    for _ in range(N - 1):
        choice = selector.select(session.state)
        assert choice is not None
        asked[choice.frame] += 1
        clicked(session, obj, choice.frame)
    assert asked == {frame: 1 for frame in range(1, N)}

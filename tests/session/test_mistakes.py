"""What somebody gives by mistake is named with what to give, and changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evavos_widget.prompts import Box, Click, Scribble
from evavos_widget.session import Session
from evavos_widget.testing import Disks, NearestCopy

FRAMES = np.random.default_rng(0).integers(0, 255, (4, 24, 32, 3), np.uint8)
MASK = np.zeros((24, 32), bool)
MASK[4:12, 4:12] = True
ENGINES: dict[str, Any] = {"propagator": NearestCopy(), "predictor": Disks()}


@pytest.fixture
def session():
    with Session(FRAMES, path=None, **ENGINES) as session:
        session.add_object("cup")
        session.annotate(0, MASK, objects=[1])
        yield session


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (lambda s: s.annotate("0", MASK, objects=[1]), "'0' is no frame; give a whole number, 0 t"),
        (lambda s: s.annotate(1.0, MASK, objects=[1]), "1.0 is no frame; give"),
        (lambda s: s.video["1"], "'1' is no frame; give"),
        (lambda s: s.annotate(0, "cup.png", objects=[1]), "a path, 'cup.png'; give what is in"),
        (lambda s: s.annotate(0, Path("cup.png"), objects=[1]), "a path, 'cup.png'; give"),
        (lambda s: s.annotate(0, MASK, objects=1), r"objects is 1; give a list of ids"),
        (lambda s: s.annotate(0, MASK, objects="cup"), r"objects is 'cup'; give a list of ids"),
        (lambda s: s.mark_absent(0, 1), "objects is 1; give a list"),
        (lambda s: s.annotate(0, MASK, objects=[1], seconds="5"), "seconds is '5'; give what it"),
        (lambda s: s.annotate(0, MASK, objects=[1], trust="1"), "trust is '1'; give 0"),
        (lambda s: s.predict(0, 1, clicks=(5, 5, True)), r"click 0 is 5; give \(x, y, positive\)"),
        (lambda s: s.predict(0, 1, clicks=[(5, 5)]), r"click 0 is \(5, 5\); give \(x, y, pos"),
        (lambda s: s.predict(0, 1, clicks=[(5, 5, True), {"x": 5}]), "click 1 is {'x': 5}; give"),
        (lambda s: s.predict(0, 1, clicks=[("5", "6", True)]), r"click 0 is at \('5', '6'\); give"),
        (lambda s: s.predict(0, 1, clicks=[Click("5", 6)]), r"click 0 is at \('5', 6\); give"),
        (lambda s: s.predict(0, 1, clicks=5), "clicks is 5; give a list"),
        (lambda s: s.predict(0, 1, box=(5, 5, 20)), r"the box is \(5, 5, 20\); give \(x0, y0"),
        (lambda s: s.predict(0, 1, box="5,5,20,20"), "the box is '5,5,20,20'; give"),
        (lambda s: s.predict(0, 1, box=Box(1, 2, "3", 4)), r"the box is \(1, 2, '3', 4\); give"),
        (lambda s: s.predict(0, 1, scribbles=[[(5, 5)]]), r"scribble 0 is \[\(5, 5\)\]; give"),
        (lambda s: s.predict(0, 1, scribbles=Scribble([(5, 5)])), "scribbles is .*; give a list"),
        (lambda s: s.propagate(frames=[4]), "there is no frame 4 in the video; give 0 to 3"),
        (lambda s: s.propagate(frames=[2, -1]), "there is no frame -1 in the video; give 0 to 3"),
        (lambda s: s.propagate(frames=[1.5]), "1.5 is no frame; give"),
        (lambda s: s.propagate(frames="23"), "'2' is no frame; give"),
        (lambda s: s.annotate(0, MASK, objects=[1], clicks=[(40, 5, 1)]), r"click 0 .*\(40, 5\)"),
        (lambda s: s.annotate(0, MASK, objects=[1], clicks=[(1, np.nan, 1)]), "click 0 .*nan"),
        (lambda s: s.annotate(0, MASK, objects=[1], clicks=[("a", 5, 1)]), "click 0 is at .'a', 5"),
        (lambda s: s.masks[1:3], r"slice\(1, 3, None\) is no frame of these masks; give one"),
        (lambda s: s.masks.ids(9), "there is no frame 9 in these masks; give 0 to 3"),
        (lambda s: s.snapshot(0, palette="davos"), "there is no palette 'davos'; choose from"),
        (lambda s: s.export("pointvos"), "there are no points to export; verify some"),
        (lambda s: s.propagate([2, 3]), r"on_step is \[2, 3\]; give a function, and frames as"),
    ],
)
def test_a_mistake_is_named_and_changes_nothing(session: Session, mistake: Any, said: str):
    before = session.revision, session.stale
    with pytest.raises((ValueError, TypeError, IndexError), match=said):
        mistake(session)
    assert (session.revision, session.stale) == before


def test_what_numpy_counts_is_as_good(session: Session):
    frame, place = np.int64(0), np.float32(6)
    assert session.predict(frame, np.uint8(1), clicks=np.array([[6, 6, 1]])).mask.any()
    assert session.predict(frame, 1, clicks=[(place, place, np.True_)]).mask.any()
    session.annotate(frame, MASK, objects=np.array([1]), seconds=np.float32(5))
    assert session.rounds[-1].seconds == 5.0


@pytest.mark.parametrize("truth", [[MASK] * 4, "masks/", np.stack([MASK] * 4)], ids=range(3))
def test_ground_truth_is_by_frame(truth: Any):
    with pytest.raises(TypeError, match=r"ground_truth is .*; give a mapping from frame to label"):
        Session(FRAMES, path=None, ground_truth=truth, **ENGINES)


def test_a_session_is_a_folder(tmp_path: Path):
    file = tmp_path / "clip.mp4"
    file.write_bytes(b"a video")
    for path in (file, file / "session"):
        with pytest.raises(NotADirectoryError, match="is a file, or lies in one, and a session"):
            Session(FRAMES, path=path, **ENGINES)
    assert file.read_bytes() == b"a video"
    with pytest.raises(TypeError, match="path is 3; give the folder"):
        Session(FRAMES, path=3, **ENGINES)  # type: ignore[arg-type]

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from clips import Clip
from hypothesis import assume, given
from hypothesis import strategies as st
from small_weights import write_small_weights

from evavos_widget import checkpoints, engines
from evavos_widget.checkpoints import Checkpoint, WeightsError
from evavos_widget.loop import Propagator
from evavos_widget.propagation import compact
from evavos_widget.session import Session

Make = Callable[[], Propagator]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    weights = write_small_weights(tmp_path_factory.mktemp("weights"))
    return lambda: engines.create("propagator", "compact", weights=weights, device="cpu")


@pytest.fixture
def clip() -> Clip:
    return Clip()


def run(
    engine: Propagator, clip: Clip, given: dict, objects: tuple = (1, 2), frames: object = None
) -> dict:
    wanted = range(clip.n_frames) if frames is None else frames
    steps = list(engine.propagate(clip, given, objects, wanted))
    assert [s.done for s in steps] == list(range(1, len(steps) + 1))
    assert {s.total for s in steps} == {len(steps)}
    return {s.frame: s.probabilities for s in steps if s.frame is not None}


def test_taking_up_a_pass_changes_nothing(make: Make, clip: Clip) -> None:
    given = {0: clip.annotation(0, 1, 2)}
    whole = run(make(), clip, given)
    engine = make()
    steps = engine.propagate(clip, given, (1, 2), range(9))
    for _ in range(11):
        next(steps)
    steps.close()
    for frame, probabilities in run(engine, clip, given).items():
        assert np.array_equal(probabilities, whole[frame])


def test_features_are_computed_once_per_frame(
    make: Make, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make()
    seen = []
    deepen = type(engine._network).deepen
    monkeypatch.setattr(type(engine._network), "deepen",
                        lambda *a: seen.append(1) or deepen(*a))  # fmt: skip
    run(engine, clip, {0: clip.annotation(0, 1, 2)})
    run(engine, clip, {0: clip.annotation(0, 1, 2), 8: clip.annotation(8, 1)})
    assert len(seen) == clip.n_frames


def test_features_let_go_come_back_the_same(
    make: Make, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {0: clip.annotation(0, 1, 2)}
    expected = run(make(), clip, given)
    monkeypatch.setattr(compact, "FEATURE_BYTES", 1)
    monkeypatch.setattr(compact, "RECENT_BYTES", 1)
    for frame, probabilities in run(make(), clip, given).items():
        assert np.array_equal(probabilities, expected[frame])


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({0: (1,)}, {0: (1,), 8: (1,)}, {5, 6, 7, 8}),
        ({0: (1,), 4: (1,)}, {0: (1,), 4: (1,), 8: (1,)}, {7, 8}),
        ({0: (1,), 8: (1,)}, {0: (1,), 8: (1, 2)}, set(range(9))),
        ({0: (1, 2)}, {0: (1, 2)}, set()),
    ],
)
def test_affected_are_the_frames_that_follow_another_annotation(
    make: Make, clip: Clip, before: dict, after: dict, expected: set
) -> None:
    old, new = ({f: clip.annotation(f, *o) for f, o in k.items()} for k in (before, after))
    engine = make()
    assert engine.affected(old, new, clip.n_frames) == expected
    first, second = run(make(), clip, old), run(make(), clip, new)
    again = run(engine, clip, new) if run(engine, clip, old) else {}
    for frame in set(range(clip.n_frames)):
        assert np.array_equal(again[frame], second[frame])
        if frame not in expected:
            assert np.array_equal(first[frame], second[frame])


def test_a_lost_object_is_looked_for_everywhere(
    make: Make, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact, "STEP", 2)  # the clip is small
    chain = compact._Chain(0, 1, clip.labels[0] == 1, (48, 64))
    small = chain._window(chain.mask(0))
    assert small.rows.stop - small.rows.start < 12 or small.columns.stop < 16
    chain._append(np.zeros((48, 64), np.float32))
    assert chain._window(chain.mask(1)) == (slice(0, 12), slice(0, 16))


def test_a_window_gives_what_the_whole_frame_gives(
    make: Make, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact, "MARGIN", 1000)
    given = {0: clip.annotation(0, 1)}
    whole = run(make(), clip, given, (1,), [1])[1][1]
    monkeypatch.setattr(compact, "MARGIN", 2)
    monkeypatch.setattr(compact, "GROWTH", 0)
    part = run(make(), clip, given, (1,), [1])[1][1]
    middle = (slice(28, 42), slice(18, 32))
    assert np.abs(part[middle] - whole[middle]).max() < 0.2
    assert not part[:, 80:].any()
    assert whole[:, 80:].any()


def test_without_a_gpu_or_weights_a_sentence_says_so(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="check the path"):
        engines.create("propagator", f"compact:{tmp_path / 'none.safetensors'}")
    if not torch.cuda.is_available():
        file = write_small_weights(tmp_path)
        with pytest.raises(ValueError, match="no device 'cuda'"):
            engines.create("propagator", "compact", weights=file, device="cuda")


def test_terms_of_weights_are_said_once_by_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_small_weights(tmp_path)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    entry = Checkpoint(file.name, digest, "CC BY-NC 4.0", "these weights are non-commercial.")
    monkeypatch.setattr(checkpoints, "FOLDER", tmp_path)
    monkeypatch.setattr(checkpoints, "CHECKPOINTS", {"mine": entry})
    frames = np.zeros((2, 32, 48, 3), np.uint8)
    with pytest.warns(UserWarning, match="non-commercial") as told:
        session = Session(frames, propagator="compact:mine", predictor="compact:mine", path=None)
    assert len(told) == 1
    assert session.warnings == ()
    assert session.notices == (entry.notice,)


@given(first=st.floats(-30, 90), extent=st.floats(0, 90), side=st.integers(1, 100))
def test_windows_hold_what_they_should_in_few_sizes(first: float, extent: float, side: int) -> None:
    last = first + extent
    assume(last >= 0 and first < side)
    window = compact._stretch(first, last, side)
    assert 0 <= window.start <= max(0, int(first))
    assert min(side, int(last) + 1) <= window.stop <= side
    length = window.stop - window.start
    assert length == side or length % compact.STEP == 0

from __future__ import annotations

import hashlib
import warnings
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
from evavos_widget.propagation import compact_chain
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
    monkeypatch.setattr(compact_chain, "LEVELS", (1.0,))
    monkeypatch.setattr(compact_chain, "WHOLE", 0)
    engine = make()
    seen = []
    deepen = type(engine._network.get()).deepen
    monkeypatch.setattr(type(engine._network.get()), "deepen",
                        lambda *a: seen.append(1) or deepen(*a))  # fmt: skip
    run(engine, clip, {0: clip.annotation(0, 1, 2)})
    run(engine, clip, {0: clip.annotation(0, 1, 2), 8: clip.annotation(8, 1)})
    assert len(seen) == clip.n_frames


def test_features_let_go_come_back_the_same(
    make: Make, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {0: clip.annotation(0, 1, 2)}
    expected = run(make(), clip, given)
    monkeypatch.setattr(compact_chain, "FEATURE_BYTES", 1)
    monkeypatch.setattr(compact_chain, "RECENT_BYTES", 1)
    for frame, probabilities in run(make(), clip, given).items():
        assert np.array_equal(probabilities, expected[frame])


@pytest.mark.parametrize(
    ("before", "after", "least", "most"),
    [
        ({0: (1,)}, {0: (1,), 8: (1,)}, range(5, 9), range(1, 9)),
        ({0: (1,), 4: (1,)}, {0: (1,), 4: (1,), 8: (1,)}, range(7, 9), range(5, 9)),
        ({0: (1,), 8: (1,)}, {0: (1,), 8: (1, 2)}, range(9), range(9)),
        ({0: (1, 2)}, {0: (1, 2)}, (), ()),
    ],
)
def test_affected_are_the_frames_that_follow_another_annotation(
    make: Make, clip: Clip, before: dict, after: dict, least: range, most: range
) -> None:
    old, new = ({f: clip.annotation(f, *o) for f, o in k.items()} for k in (before, after))
    engine = make()
    expected = engine.affected(old, new, clip.n_frames)
    assert set(least) <= expected <= set(most)
    first, second = run(make(), clip, old), run(make(), clip, new)
    again = run(engine, clip, new) if run(engine, clip, old) else {}
    for frame in set(range(clip.n_frames)):
        assert np.array_equal(again[frame], second[frame])
        if frame not in expected:
            assert np.array_equal(first[frame], second[frame])


def test_a_lost_object_is_looked_for_everywhere_at_the_coarsest_level() -> None:
    grids = compact_chain._grids(240, 432)
    mask = np.zeros((240, 432), bool)
    mask[100:130, 200:225] = True
    chain = compact_chain.CompactChain(0, 1, mask, grids)
    small = chain._next_grid(0)
    assert small.level > 0
    window = compact_chain._window(chain.mask(0), small, compact_chain.GROWTH)
    assert window.area < small.everywhere.area
    chain._append(np.zeros(small.mask_size, np.float32))
    assert chain._next_grid(1) == grids[0]
    assert compact_chain._window(chain.mask(1), grids[0], 0.3) == grids[0].everywhere


@pytest.mark.parametrize("shape", [(480, 854), (853, 480), (240, 432), (1080, 1920), (32, 40)])
def test_small_objects_are_worked_on_at_the_size_they_had_in_training(shape: tuple) -> None:
    grids = compact_chain._grids(*shape)
    assert [grid.level for grid in grids] == list(range(len(grids)))
    for grid in grids:
        assert not grid.size[0] % 16
        assert not grid.size[1] % 16
        assert grid.size[0] <= compact_chain.LARGEST_ZOOM * shape[0] + 16 or not grid.level
    zooms = [grid.zoom for grid in grids]
    for length in (400, 150, 110, 60, 20):
        grid = compact_chain._fitting(grids, length)
        within = max(
            length * grid.zoom / compact_chain.LENGTH, compact_chain.LENGTH / (length * grid.zoom)
        )
        assert within < 1.3 or grid.zoom in (min(zooms), max(zooms))


def test_small_objects_remember_the_whole_annotated_picture_beside_their_window(
    make: Make, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact_chain, "LENGTH", 60)  # the clip is small
    frames = compact_chain.CompactFrames(clip, make()._network.get())
    for length, levels in ((10, True), (70, False)):
        mask = np.zeros((clip.height, clip.width), bool)
        mask[2 : 2 + length, 2 : 2 + length] = True
        chain = compact_chain.CompactChain(0, 1, mask, frames.grids)
        grid = chain._next_grid(0)
        assert (grid.level > 0) is levels
        keys, values = chain._memory(frames, grid, 0)
        near = compact_chain._window(chain._mask_on(0, grid), grid, compact_chain.SURROUNDINGS)
        expected = frames.grids[0].everywhere.area + (near.area if levels else 0)
        assert keys.shape[1] == values.shape[1] == expected


def next_level(chain: compact_chain.CompactChain, lines: int) -> int:
    """That after a mask of so many of 480 lines, found where the chain looks for it."""
    grid = chain._next_grid(chain.length - 1)
    mask = np.zeros(grid.mask_size, np.float32)
    mask[: round(lines * grid.mask_size[0] / 480), :20] = 1
    chain._levels.append(grid.level)
    chain._append(mask)
    return chain._next_grid(chain.length - 1).level


def test_the_level_changes_with_the_object_and_not_with_every_breath() -> None:
    grids = compact_chain._grids(480, 854)
    mask = np.zeros((480, 854), bool)
    mask[100:200, 200:260] = True
    chain = compact_chain.CompactChain(0, 1, mask, grids)
    begun = chain._next_grid(0).level
    assert 0 < begun < len(grids) - 1
    for lines in (110, 85):
        assert next_level(chain, lines) == begun
    assert next_level(chain, 300) < begun
    # Small again it may be looked at as closely as it was annotated, and no closer: what looks
    # smaller is mostly a part of it.
    for lines in (100, 30, 3):
        assert next_level(chain, lines) == begun


def test_a_frame_searched_in_vain_is_looked_at_no_closer_when_the_object_comes_back(
    make: Make, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact_chain, "MEMORY_STRIDE", 2)
    frames = compact_chain.CompactFrames(clip, make()._network.get())
    mask = np.zeros((clip.height, clip.width), bool)
    mask[4:10, 4:12] = True
    chain = compact_chain.CompactChain(0, 1, mask, frames.grids)
    close, coarse = chain._next_grid(0), frames.grids[0]
    assert close.level > coarse.level
    for grid, shown in ((close, 1), (close, 0), (coarse, 0), (coarse, 0), (coarse, 1)):
        found = np.zeros(grid.mask_size, np.float32)
        found[2:4, 2:6] = shown
        chain._levels.append(grid.level)
        chain._append(found)
    assert chain._next_grid(5) == close
    looked_at = []
    monkeypatch.setattr(
        frames,
        "features",
        lambda f, *where, see=frames.features: looked_at.append((f, *where)) or see(f, *where),
    )
    chain._memory(frames, close, 5)
    assert (4, coarse, coarse.everywhere) in looked_at
    assert all(grid == coarse for frame, grid, _ in looked_at if frame == 4)
    # Where it was not found close up, that window is what is remembered.
    assert [grid for frame, grid, _ in looked_at if frame == 2] == [close]


def test_taking_up_a_chain_that_changed_its_level_changes_nothing(
    make: Make, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A random network's masks wander, and every one of them is another size.
    monkeypatch.setattr(compact_chain, "HYSTERESIS", 1.0)
    monkeypatch.setattr(compact_chain, "LENGTH", 40)
    given = {0: clip.annotation(0, 1, 2)}
    whole = run(make(), clip, given)
    for stop in (7, 13):
        engine = make()
        steps = engine.propagate(clip, given, (1, 2), range(9))
        for _ in range(stop):
            next(steps)
        steps.close()
        for frame, probabilities in run(engine, clip, given).items():
            assert np.array_equal(probabilities, whole[frame])


def test_a_window_gives_what_the_whole_frame_gives(
    make: Make, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact_chain, "LEVELS", (1.0,))
    monkeypatch.setattr(compact_chain, "STEP", 2)  # the clip is small
    monkeypatch.setattr(compact_chain, "WHOLE", 0)
    monkeypatch.setattr(compact_chain, "MARGIN", 1000)
    given = {0: clip.annotation(0, 1)}
    whole = run(make(), clip, given, (1,), [1])[1][1]
    monkeypatch.setattr(compact_chain, "MARGIN", 2)
    monkeypatch.setattr(compact_chain, "GROWTH", 0)
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
    assert [w.category for w in told].count(UserWarning) == 1
    assert session.warnings == ()
    assert session.notices == (entry.notice,)


def test_in_a_notebook_terms_of_weights_are_a_plain_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_small_weights(tmp_path)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    entry = Checkpoint(file.name, digest, "CC BY-NC 4.0", "these weights are non-commercial.")
    monkeypatch.setattr(checkpoints, "FOLDER", tmp_path)
    monkeypatch.setattr(checkpoints, "CHECKPOINTS", {"mine": entry})
    monkeypatch.setattr("evavos_widget.notebook.in_notebook", lambda: True)
    frames = np.zeros((2, 32, 48, 3), np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            Session(frames, propagator="compact:mine", predictor="compact:mine", path=None)
    assert capsys.readouterr().out == "Note: these weights are non-commercial.\n"


@given(first=st.floats(-30, 90), extent=st.floats(0, 90), side=st.integers(1, 100))
def test_windows_hold_what_they_should_at_few_places(
    first: float, extent: float, side: int
) -> None:
    last = first + extent
    assume(last >= 0 and first < side)
    window = compact_chain._stretch(first, last, side)
    assert 0 <= window.start <= max(0, int(first))
    assert min(side, int(last) + 1) <= window.stop <= side
    assert window.start % compact_chain.STEP == 0
    assert window.stop == side or window.stop % compact_chain.STEP == 0
    assert window.stop > window.start

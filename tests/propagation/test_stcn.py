from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.published_stcn import (
    published_network,
    published_pass,
    write_random_weights,
)
from evavos_widget import sources
from evavos_widget.loop import Annotation, PropagationStep, completed
from evavos_widget.networks.stcn import STCN, FrameFeatures
from evavos_widget.propagation import passes, stcn, stcn_frames
from evavos_widget.propagation.passes import Pass
from evavos_widget.propagation.stcn import StcnPropagator
from evavos_widget.propagation.stcn_frames import Frames
from evavos_widget.sources import Known, shares_of
from evavos_widget.video import Video

Make = Callable[[], StcnPropagator]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_weights(tmp_path_factory.mktemp("weights") / "stcn.pth")


def clip(n: int = 8, height: int = 88, width: int = 124) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    frames = random.integers(0, 90, (n, height, width, 3), dtype=np.uint8)
    labels = np.zeros((n, height, width), np.uint8)
    for i in range(n):
        labels[i, 20:50, 10 + 4 * i : 40 + 4 * i] = 1
        labels[i, 52:70, 60 - 4 * i : 90 - 4 * i] = 2
        frames[i][labels[i] == 1] += 150
    return frames, labels


@pytest.mark.parametrize("objects", [1, 2])
def test_same_probabilities_as_the_published_code(weights: Path, objects: int) -> None:
    frames, labels = clip()
    first = np.where(labels[0] <= objects, labels[0], 0).astype(np.uint8)
    masks = np.stack([first == o for o in range(1, objects + 1)])
    network = published_network(weights)
    theirs = list(published_pass(network, frames[0], masks, frames[1:], top_k=20))
    engine = StcnPropagator(weights, "cpu", precision="float32", top_k=20)
    ids = tuple(range(1, objects + 1))
    steps = engine.propagate(
        Video.open(frames), {0: Annotation(first, frozenset(ids))}, ids, range(1, len(frames))
    )
    ours = {s.frame: s.probabilities for s in steps if s.frame is not None}
    spread = 0.0
    for i, expected in enumerate(theirs, start=1):
        assert np.abs(ours[i] - expected).max() <= 1e-4
        spread = max(spread, np.ptp(expected[1]))
    assert spread > 0.1


@pytest.fixture(scope="module")
def make(weights: Path) -> Make:
    return lambda: StcnPropagator(weights, "cpu", precision="float32")


def annotation(labels: np.ndarray, *objects: int) -> Annotation:
    kept = np.where(np.isin(labels, objects), labels, 0)
    return Annotation(kept.astype(np.uint8), frozenset(objects))


def run(
    engine: StcnPropagator, video: Video, given: dict, objects: tuple, frames: Collection[int]
) -> dict[int, np.ndarray]:
    steps = list(engine.propagate(video, given, objects, frames))
    assert [s.done for s in steps] == list(range(1, len(steps) + 1))
    assert {s.total for s in steps} <= {len(steps)}
    return {s.frame: s.probabilities for s in steps if s.probabilities is not None}


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How often the network described a frame, and how many objects it decoded."""
    counts = {"describe": 0, "decode": 0}
    describe, decode = STCN.describe, STCN.decode

    def counting(self: STCN, image: torch.Tensor) -> FrameFeatures:
        counts["describe"] += 1
        return describe(self, image)

    def also(self: STCN, readout: torch.Tensor, features: FrameFeatures) -> torch.Tensor:
        counts["decode"] += len(readout)
        return decode(self, readout, features)

    monkeypatch.setattr(STCN, "describe", counting)
    monkeypatch.setattr(STCN, "decode", also)
    return counts


@pytest.mark.parametrize("wrong", [False, True])
def test_an_absence_counts_where_a_pass_was_wrong_there(
    make: Make, wrong: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also on the frames before it, for which passes go on until they come to it."""
    frames, labels = clip()
    video, drawn, n = Video.open(frames, name="clip"), annotation(labels[0], 1), len(frames)
    absent = Annotation(np.zeros_like(labels[0]), frozenset({1}))
    plain = run(make(), video, {0: drawn}, (1,), range(n))
    monkeypatch.setattr(passes, "is_wrong", lambda mask, there: wrong)
    found = run(make(), video, {0: drawn, 4: absent}, (1,), [3, 4, 5])
    assert found[4][1].max() == 0
    for frame in (3, 5):
        if wrong:
            assert (found[frame][1] < 0.5).all()
        else:
            np.testing.assert_allclose(found[frame], plain[frame], atol=1e-5)


def test_an_annotation_affects_the_frames_up_to_its_neighbours(make: Make) -> None:
    _, labels = clip(3)
    first, other = annotation(labels[0], 1), annotation(labels[2], 1)
    affected = make().affected
    assert affected({}, {4: first}, 10) == set(range(10))
    assert affected({4: first}, {4: first, 8: first}, 10) == {5, 6, 7, 8, 9}
    before = {0: first, 4: first, 8: first}
    assert affected(before, {**before, 6: first}, 10) == {5, 6, 7}
    assert affected(before, {**before, 4: other}, 10) == set(range(1, 8))
    assert affected(before, {0: first, 8: first}, 10) == set(range(1, 8))
    assert affected(before, {**before, 6: annotation(labels[0], 2)}, 10) == set(range(10))
    assert affected(before, before, 10) == set()


@pytest.fixture
def both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passes run all the way, also where what they find would hardly count."""
    monkeypatch.setattr(sources, "LEAST", 0.0)


def test_a_second_round_describes_no_frame_again_and_keeps_what_stands(
    make: Make, counted: dict[str, int], both_sides: None
) -> None:
    frames, labels = clip(9)
    video, engine = Video.open(frames), make()
    before = {0: annotation(labels[0], 1)}
    first = run(engine, video, before, (1,), range(9))
    assert counted == {"describe": 9, "decode": 8}
    after = {**before, 6: annotation(labels[6], 1)}
    changed = engine.affected(before, after, 9)
    assert changed == set(range(1, 9))
    second = run(engine, video, after, (1,), changed)
    # Backwards from 6 to 1, mixed with what the first pass found; forwards to 8.
    assert counted == {"describe": 9, "decode": 8 + 5 + 2}
    backwards = run(make(), video, {6: after[6]}, (1,), range(1, 6))
    for frame in range(1, 6):
        assert not np.array_equal(second[frame], first[frame])
        assert not np.array_equal(second[frame], backwards[frame])
    assert np.array_equal(second[6][1], labels[6] == 1)


def test_where_passes_meet_they_are_mixed_as_far_as_each_is_believed(
    make: Make, monkeypatch: pytest.MonkeyPatch, both_sides: None
) -> None:
    _, labels = clip(5)
    video = Video.open(clip(5)[0])
    # A pass finds the object nowhere where it runs forwards, and everywhere backwards.
    spread = Frames.spread
    monkeypatch.setattr(
        Frames, "spread", lambda self, x: torch.full_like(spread(self, x), float(x[0, 0, 0]))
    )
    monkeypatch.setattr(Pass, "log_odds", lambda self, obj, frame: np.full(
        (24, 32), 40 * float(self.direction < 0) - 20, np.float32))  # fmt: skip
    given = {0: annotation(labels[0], 1), 4: annotation(labels[4], 1)}
    found = run(make(), video, given, (1,), [1, 2, 3])
    nowhere, everywhere = np.zeros((24, 32)), np.ones((24, 32))
    for frame in (1, 2, 3):
        reached = Known(given, 1).reached(frame)
        assert [r.source for r in reached] == [0, 4]
        p = shares_of(frame, reached, {0: nowhere, 4: everywhere})[1]
        assert 0.5 < p < 1  # the pass that lost the object is believed less
        odds = np.array([1 - p, p]) / np.array([p, 1 - p])
        np.testing.assert_allclose(found[frame][:, 0, 0], odds / odds.sum(), atol=1e-5)


def test_annotating_again_replaces_what_was_remembered(make: Make) -> None:
    frames, labels = clip(6)
    video, engine = Video.open(frames), make()
    wrong, right = annotation(np.roll(labels[0], 30, 1), 1), annotation(labels[0], 1)
    last = annotation(labels[5], 1)
    run(engine, video, {0: wrong, 5: last}, (1,), range(6))
    again = run(engine, video, {0: right, 5: last}, (1,), range(6))
    fresh = run(make(), video, {0: right, 5: last}, (1,), range(6))
    for frame in range(6):
        np.testing.assert_allclose(again[frame], fresh[frame], atol=0.01)
    assert np.array_equal(again[0][1], labels[0] == 1)


def test_objects_annotated_apart_are_carried_apart_on_shared_keys(
    make: Make, counted: dict[str, int], both_sides: None
) -> None:
    frames, labels = clip(8)
    video, engine = Video.open(frames), make()
    before = {0: annotation(labels[0], 1, 2)}
    run(engine, video, before, (1, 2), range(8))
    after = {**before, 7: annotation(labels[7], 2)}
    found = run(engine, video, after, (1, 2), engine.affected(before, after, 8))
    # Only the second object is carried again, backwards from 7.
    assert counted == {"describe": 8, "decode": 2 * 7 + 6}
    assert not found[7][1].all()
    assert np.array_equal(found[7][2], labels[7] == 2)


def test_a_pass_goes_on_where_it_was_cancelled(make: Make, counted: dict[str, int]) -> None:
    frames, labels = clip(12)
    video, engine = Video.open(frames), make()
    given = {0: annotation(labels[0], 1, 2)}
    whole = run(make(), video, given, (1, 2), range(12))
    counted.update(describe=0, decode=0)
    steps = engine.propagate(video, given, (1, 2), range(12))
    done = 0
    while done < 8:
        done += next(steps).frame is not None
    steps.close()
    rest = run(engine, video, given, (1, 2), range(8, 12))
    assert counted == {"describe": 12, "decode": 22}
    for frame, probabilities in rest.items():
        np.testing.assert_allclose(probabilities, whole[frame], atol=0.01)


def test_one_object_of_a_cancelled_pass_can_go_on_alone(
    make: Make, counted: dict[str, int]
) -> None:
    frames, labels = clip(7)
    video, engine = Video.open(frames), make()
    given = {0: annotation(labels[0], 1, 2)}
    steps = engine.propagate(video, given, (1, 2), range(7))
    while next(steps).frame != 3:
        pass
    steps.close()
    counted.update(describe=0, decode=0)
    run(engine, video, {**given, 4: annotation(labels[4], 2)}, (1,), range(4, 7))
    assert counted["decode"] == 3


def test_an_annotation_that_a_pass_did_not_get_to_can_be_corrected(
    make: Make, counted: dict[str, int], both_sides: None
) -> None:
    frames, labels = clip(10)
    video, engine = Video.open(frames), make()
    last = {9: annotation(labels[9], 1)}
    steps = engine.propagate(video, last, (1,), range(10))
    while next(steps).frame != 6:
        pass
    steps.close()
    wrong = {0: annotation(np.roll(labels[0], 30, 1), 1), **last}
    steps = engine.propagate(video, wrong, (1,), range(10))
    while next(steps).done < 5:  # only the pass from frame 0 has begun
        pass
    steps.close()
    counted.update(decode=0)
    run(engine, video, {0: annotation(labels[0], 1), **last}, (1,), range(10))
    assert counted["decode"] == 8 + (8 - 3)  # the pass from frame 9 goes on from frame 6


@pytest.mark.parametrize(("memory", "disk"), [(0, 0), (0, 10**9), (10**9, 0), (400_000, 10**6)])
def test_features_are_kept_within_bounds_and_come_back(
    make: Make, counted: dict[str, int], monkeypatch: pytest.MonkeyPatch, memory: int, disk: int
) -> None:
    monkeypatch.setattr(stcn_frames, "MEMORY_BYTES", memory)
    monkeypatch.setattr(stcn_frames, "DISK_BYTES", disk)
    frames, labels = clip(4)
    video, engine = Video.open(frames), make()
    first = run(engine, video, {0: annotation(labels[0], 1)}, (1,), range(4))
    engine._passes.clear()
    second = run(engine, video, {0: annotation(labels[0], 1)}, (1,), range(4))
    for frame in range(4):
        np.testing.assert_allclose(second[frame], first[frame], atol=0.01)
    assert (counted["describe"] == 4) == (memory + disk >= 10**9)


def test_memory_of_a_long_pass_is_bounded(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stcn, "MEMORY_STRIDE", 1)
    monkeypatch.setattr(stcn, "MEMORY_FRAMES", 2)
    sizes = []
    monkeypatch.setattr(
        stcn, "readout", lambda k, q, v, **_: sizes.append(k.shape[1]) or v[:, : q.shape[1]]
    )
    frames, labels = clip(8)
    run(make(), Video.open(frames), {0: annotation(labels[0], 1)}, (1,), range(8))
    cells = 6 * 8
    assert sizes == [cells, 2 * cells, *[3 * cells] * 5]


def test_where_memory_is_short_chunks_get_smaller_and_then_a_sentence_says_so(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames, labels = clip(3)
    video, given = Video.open(frames), {0: annotation(labels[0], 1)}
    expected = run(make(), video, given, (1,), range(3))
    enough = 2**20
    readout = stcn.readout

    def short(*args: torch.Tensor, chunk: int, **options: int) -> torch.Tensor:
        if chunk > enough:
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate")
        return readout(*args, chunk=chunk, **options)

    monkeypatch.setattr(stcn, "readout", short)
    steps = list(make().propagate(video, given, (1,), range(3)))
    # Twice the annotated frame had to be remembered again.
    assert [(s.done, s.total) for s in steps[-2:]] == [(7, 8), (8, 8)]
    found = {s.frame: s.probabilities for s in steps if s.frame is not None}
    np.testing.assert_allclose(found[2], expected[2], atol=1e-5)
    enough = 0
    with pytest.raises(RuntimeError, match=r"not enough memory on cpu.*'compact'"):
        run(make(), video, given, (1,), range(3))


def test_bfloat16_is_close(weights: Path, make: Make) -> None:
    frames, labels = clip(3)
    video, given = Video.open(frames), {0: annotation(labels[0], 1)}
    exact = run(make(), video, given, (1,), range(3))
    fast = run(StcnPropagator(weights, "cpu", precision="bfloat16"), video, given, (1,), range(3))
    assert np.abs(exact[2] - fast[2]).mean() < 0.05


def test_long_pictures_are_worked_on_at_the_size_of_the_authors(make: Make) -> None:
    frames = Frames(Video.open(np.zeros((1, 720, 1300, 3), np.uint8)), make()._network)
    assert frames.size == (480, 867)
    assert frames.padded == (480, 880)


def test_two_requests_in_turns_find_what_one_finds(weights: Path) -> None:
    frames, labels = clip()
    video, given = Video.open(frames), {0: Annotation(labels[0], {1, 2})}

    def steps(engine: StcnPropagator) -> Iterator[PropagationStep]:
        return engine.propagate(video, given, (1, 2), range(1, len(frames)))

    def engine() -> StcnPropagator:
        return StcnPropagator(weights, "cpu", precision="float32", top_k=20)

    alone = dict(completed(steps(engine())))
    shared = engine()
    in_turns = zip(*zip_longest(steps(shared), steps(shared)), strict=True)
    shared = engine()
    first = steps(shared)
    begun = [next(first), next(first)]
    whole = list(steps(shared))  # one waits while the other goes all the way
    for found in (*in_turns, whole, [*begun, *first]):
        soft = dict(completed(filter(None, found)))
        assert soft.keys() == alone.keys()
        for frame, expected in alone.items():
            np.testing.assert_array_equal(soft[frame], expected)

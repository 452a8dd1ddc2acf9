"""What every propagator of the package does; a new one joins with a line in `ENGINES`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from clips import Clip
from small_cutie import write_small_cutie
from small_fusion import write_random_fusion
from small_weights import write_small_weights
from tiny_sam2 import write_tiny

from benchmarks.published_stcn import write_random_weights
from evavos_widget import propagation
from evavos_widget.loop import Annotation, Propagator
from evavos_widget.propagation.compact import CompactPropagator
from evavos_widget.propagation.cutie import CutiePropagator
from evavos_widget.propagation.flow import FlowPropagator
from evavos_widget.propagation.sam2 import Sam2Propagator
from evavos_widget.propagation.stcn import FusedStcnPropagator, StcnPropagator
from evavos_widget.testing import check_propagator

Make = Callable[[], Propagator]

ENGINES: dict[str, Callable[[Path], Make]] = {
    "flow": lambda folder: FlowPropagator,
    "compact": lambda folder: partial(CompactPropagator, write_small_weights(folder), "cpu"),
    "stcn": lambda folder: partial(
        StcnPropagator, write_random_weights(folder / "stcn.pth"), "cpu", precision="float32"
    ),
    "stcn-fusion": lambda folder: partial(
        FusedStcnPropagator,
        write_random_weights(folder / "stcn.pth"),
        "cpu",
        precision="float32",
        fusion=write_random_fusion(folder / "fusion.pth"),
    ),
    "cutie": lambda folder: partial(
        CutiePropagator, write_small_cutie(folder / "cutie.pth"), "cpu"
    ),
    "sam2": lambda folder: partial(Sam2Propagator, write_tiny(folder), "cpu"),
    "edgetam": lambda folder: partial(Sam2Propagator, write_tiny(folder, "edgetam"), "cpu"),
}


@pytest.fixture(scope="module", params=ENGINES)
def make(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Make:
    return ENGINES[request.param](tmp_path_factory.mktemp("weights"))


@pytest.fixture
def clip() -> Clip:
    return Clip(6, 61, 107)


def run(
    engine: Propagator,
    clip: Clip,
    given: Mapping[int, Annotation],
    objects: Sequence[int] = (1, 2),
    frames: Collection[int] | None = None,
) -> dict[int, np.ndarray]:
    """Probabilities by frame, after what holds for every pass was checked."""
    frames = range(clip.n_frames) if frames is None else frames
    steps = list(engine.propagate(clip, given, objects, frames))  # type: ignore[arg-type]
    assert [s.done for s in steps] == list(range(1, len(steps) + 1))
    assert {s.total for s in steps} <= {len(steps)}
    finished = [s.frame for s in steps if s.frame is not None]
    assert sorted(finished) == sorted(frames)
    found = {s.frame: s.probabilities for s in steps if s.frame is not None}
    for frame, probabilities in found.items():
        assert probabilities is not None
        assert probabilities.shape == (len(objects) + 1, clip.height, clip.width)
        assert probabilities.dtype == np.float32
        assert probabilities.min() >= 0
        np.testing.assert_allclose(probabilities.sum(0), 1, atol=1e-5)
        for k, obj in enumerate(objects, start=1):
            if frame in given and obj in given[frame].objects:
                assert np.array_equal(probabilities[k], given[frame].labels == obj)
    return found  # type: ignore[return-value]


def test_every_engine_is_here() -> None:
    assert set(ENGINES) >= set(propagation.ENGINES)


def test_keeps_its_promises(make: Make) -> None:
    check_propagator(make)


def test_several_objects_on_several_annotated_frames(make: Make, clip: Clip) -> None:
    given = {0: clip.annotation(0, 1, 2), 4: clip.annotation(4, 1)}
    found = run(make(), clip, given, (1, 2, 3))
    for probabilities in found.values():
        assert not probabilities[3].any()  # nobody said where the third one is
    for k in (1, 2):
        assert 0 < found[2][k].max() < 1


def test_what_an_annotation_can_change_is_between_its_neighbours(make: Make, clip: Clip) -> None:
    given = {f: clip.annotation(f, 1) for f in (0, 2, 5)}
    affected = make().affected
    assert affected(given, given, 6) == set()
    assert affected(given, {**given, 4: clip.annotation(4, 1)}, 6) <= {3, 4}
    assert affected(given, {**given, 4: clip.annotation(4, 1)}, 6) >= {4}
    assert affected({}, given, 6) == set(range(6))


def test_a_frame_or_a_size_that_is_not_there_is_named(make: Make, clip: Clip) -> None:
    given = {0: clip.annotation(0, 1)}
    with pytest.raises(IndexError, match="no frame 6 in the video; give 0 to 5"):
        run(make(), clip, given, (1,), [6])
    small = Annotation(given[0].labels[:5, :5], frozenset({1}))
    with pytest.raises(ValueError, match=r"frame 0 has shape \(5, 5\)"):
        run(make(), clip, {0: small}, (1,))

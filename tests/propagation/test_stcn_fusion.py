"""MiVOS's fusion network between two passes of STCN."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from clips import Clip
from small_fusion import random_state
from torch.nn import functional

from benchmarks.published_stcn import write_random_weights
from evavos_widget import engines
from evavos_widget.checkpoints import WeightsError, place
from evavos_widget.networks.fusion import Fusion, aligned_difference, ready_fusion
from evavos_widget.propagation.stcn import StcnPropagator


#: As they are called in the published file, with their shapes.
def write(path: Path, state: dict[str, torch.Tensor]) -> Path:
    torch.save(state, path)
    return path


def constant(logit: float) -> dict[str, torch.Tensor]:
    """Weights whose answer does not depend on anything."""
    state = {name: torch.zeros_like(value) for name, value in random_state().items()}
    state["final_conv.bias"] += logit
    return state


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_weights(tmp_path_factory.mktemp("weights") / "stcn.pth")


@pytest.fixture
def clip() -> Clip:
    return Clip(7, 61, 107)


def run(engine: StcnPropagator, clip: Clip, given: dict, objects: tuple = (1,)) -> dict:
    steps = engine.propagate(clip, given, objects, range(clip.n_frames))  # type: ignore[arg-type]
    return {s.frame: s.probabilities for s in steps if s.frame is not None}


def test_published_weights_give_what_the_published_network_gives(tmp_path):
    state = random_state()
    network = ready_fusion(write(tmp_path / "fusion.pth", state), "cpu")
    generator = torch.Generator().manual_seed(4)
    image = torch.randn(1, 3, 24, 40, generator=generator)
    older, newer, added, removed = torch.rand(4, 1, 1, 24, 40, generator=generator)

    def conv(name: str, x: torch.Tensor) -> torch.Tensor:
        return functional.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)

    far = [torch.full_like(older, share) for share in (0.75, 0.25)]
    x = conv("conv1.0", torch.cat([image, older, newer, added, removed, *far], 1)).relu()
    for block in ("conv2", "conv3"):
        x = (x + conv(f"{block}.2", conv(f"{block}.0", x).relu())).relu()
    expected = conv("final_conv", x).sigmoid()
    found = network(image, older, newer, torch.cat([added, removed], 1), (0.75, 0.25))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert np.ptp(found.numpy()) > 0.1


def test_what_was_changed_is_brought_to_where_it_looks_alike():
    cells = 4, 6
    key = torch.randn(1, 24, 64, generator=torch.Generator().manual_seed(0)) * 20
    moved = key.view(1, *cells, 64).roll(1, dims=2).reshape(1, 24, 64)  # one cell to the right
    drawn, found = torch.zeros(2, 1, 64, 96)
    drawn[0, 16:32, 32:48] = 1  # added: cell (1, 2)
    found[0, 48:64, 0:16] = 1  # taken away: cell (3, 0)
    there = aligned_difference(drawn, found, key, moved, cells)
    small = functional.interpolate(there, size=cells, mode="area")[0].numpy()
    assert there.shape == (1, 2, 64, 96)
    assert np.unravel_index(small[0].argmax(), cells) == (1, 3)
    assert np.unravel_index(small[1].argmax(), cells) == (3, 1)


@pytest.mark.parametrize("logit", [30.0, -30.0])
def test_it_fuses_where_one_pass_saw_the_other_frame_before(weights, clip, tmp_path, logit):
    fusion = write(tmp_path / "fusion.pth", constant(logit))
    engine = StcnPropagator(weights, "cpu", precision="float32", fusion=fusion)
    first = run(engine, clip, {0: clip.annotation(0, 1)})
    given = {0: clip.annotation(0, 1), 4: clip.annotation(4, 1)}
    found = run(engine, clip, given)
    # In the middle, where both sides count: what the network says.
    np.testing.assert_allclose(found[2][1], logit > 0, atol=1e-5)
    for frame in (5, 6):  # after them one pass alone
        assert np.ptp(found[frame][1]) > 0.01
    assert not np.array_equal(first[2][1], found[2][1])


def test_where_no_pass_did_it_is_mixed_by_distance(weights, clip, tmp_path):
    given = {0: clip.annotation(0, 1, 2), 4: clip.annotation(4, 1, 2)}
    options = {"precision": "float32", "fusion": write(tmp_path / "fusion.pth", constant(30))}
    linear = run(StcnPropagator(weights, "cpu", precision="float32"), clip, given, (1, 2))
    found = run(StcnPropagator(weights, "cpu", **options), clip, given, (1, 2))
    for frame in range(clip.n_frames):
        np.testing.assert_array_equal(found[frame], linear[frame])


def test_the_network_sees_older_and_newer_in_this_order(weights, clip, tmp_path, monkeypatch):
    seen = []
    answer = Fusion.forward

    def watch(self, image, older, newer, difference, distances):
        seen.append((older[0, 0], newer[0, 0], difference[0], distances))
        return answer(self, image, older, newer, difference, distances)

    monkeypatch.setattr(Fusion, "forward", watch)
    fusion = write(tmp_path / "fusion.pth", random_state())
    engine = StcnPropagator(weights, "cpu", precision="float32", fusion=fusion)
    alone = run(engine, clip, {4: clip.annotation(4, 1)})  # backwards over frame 0
    run(engine, clip, {0: clip.annotation(0, 1), 4: clip.annotation(4, 1)})
    frames = engine._frames
    assert len(seen) == 1
    for older, newer, difference, distances in seen:
        frame = round(4 * distances[1])  # from the newer annotation, that of frame 0
        assert distances == [(4 - frame) / 4, frame / 4]
        np.testing.assert_allclose(frames.cropped(older), alone[frame][1], atol=1e-5)
        assert not torch.equal(older, newer)
        assert difference.shape == (2, *frames.padded)
        assert 0 < difference.max() <= 1
    assert [round(4 * s[3][1]) for s in seen] == [2]


def test_it_has_a_name_of_its_own_and_finds_the_published_file(weights, tmp_path, monkeypatch):
    monkeypatch.setenv("EVAVOS_CACHE", str(tmp_path))
    place("stcn:fusion").parent.mkdir()
    write(place("stcn:fusion"), random_state())
    engine = engines.create("propagator", f"stcn-fusion:{weights}", device="cpu")
    assert engine.name == "stcn-fusion"
    assert engine._fusion is not None


def test_a_file_of_something_else_is_named(weights, tmp_path):
    with pytest.raises(WeightsError, match=r"stcn\.pth does not hold MiVOS's fusion weights"):
        engines.create("propagator", f"stcn:{weights}", device="cpu", fusion=weights)

from __future__ import annotations

import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from small_weights import TINY

from evavos_widget.checkpoints import WeightsError
from evavos_widget.networks import ready
from evavos_widget.networks.compact import CERTAIN, CompactNet, _drawn, _likeness
from evavos_widget.networks.memory import tokens
from evavos_widget.networks.ready import (
    compact_network,
    image_tensor,
    mask_tensor,
    work_size,
)
from evavos_widget.networks.weights import fold_normalisation, load_weights, save_weights
from evavos_widget.networks.winograd import WinogradConv


@pytest.fixture(scope="module")
def network() -> CompactNet:
    """Random, with statistics as after some training."""
    torch.manual_seed(0)
    network = CompactNet(TINY)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def image() -> torch.Tensor:
    return torch.rand(2, 3, 48, 80, generator=torch.Generator().manual_seed(1))


def propagated(network: CompactNet, image: torch.Tensor) -> torch.Tensor:
    features = network.encode(image)
    mask = torch.zeros(2, 1, 24, 40)
    mask[..., 4:16, 8:24] = 1
    value = network.remember(features, mask)
    read = network.read(tokens(features.key), tokens(value), features.key, value, features)
    return network.decode(features, *read, mask)


def test_shapes(network: CompactNet, image: torch.Tensor) -> None:
    features = network.encode(image)
    assert [tuple(level.shape[1:]) for level in features] == [
        (8, 24, 40), (8, 12, 20), (16, 6, 10), (8, 6, 10),
    ]  # fmt: skip
    assert propagated(network, image).shape == (2, 1, 24, 40)
    with pytest.raises(ValueError, match="multiples of 16"):
        network.encode(image[..., :40, :])


def test_default_size_fits_the_wheel() -> None:
    assert sum(p.numel() for p in CompactNet().parameters()) <= 7_000_000


def test_values_end_with_the_mask_itself(network: CompactNet, image: torch.Tensor) -> None:
    mask = torch.rand(2, 1, 24, 40)
    value = network.remember(network.encode(image), mask)
    assert value.shape == (2, 12, 6, 10)
    assert torch.allclose(
        value[:, -4:].mean(1), mask.unfold(2, 4, 4).unfold(3, 4, 4).mean((1, 4, 5)), atol=1e-6
    )


def test_previous_frame_is_read_near_by_even_where_all_looks_alike(network: CompactNet) -> None:
    # Keys are all equal: only the place can tell cells apart.
    features = network.encode(torch.zeros(1, 3, 128, 128))
    key = torch.zeros_like(features.key)
    value = torch.zeros(1, 12, 16, 16)
    value[:, -4:, 6:10, 6:10] = 1
    flat = features._replace(key=key)
    everywhere, near = network.read(tokens(key), tokens(value), key, value, flat)
    assert torch.allclose(everywhere[:, -1], torch.full((16, 16), 1 / 16), atol=1e-4)
    assert near[0, -1, 8, 8] > 3 * near[0, -1, 0, 0]
    # A window of the new frame is read at its own place.
    rows, columns = slice(5, 12), slice(7, 11)
    _, part = network.read(
        tokens(key), tokens(value), key, value, flat.crop(rows, columns), offset=(5, 7)
    )
    assert torch.allclose(part, near[..., rows, columns], atol=1e-5)


def test_folding_normalisation_changes_nothing(network: CompactNet, image: torch.Tensor) -> None:
    folded = CompactNet(TINY).eval()
    folded.load_state_dict(network.state_dict())
    fold_normalisation(folded)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    assert torch.allclose(propagated(folded, image), propagated(network, image), atol=1e-4)


def test_clicks_are_drawn_where_they_are_and_by_sign() -> None:
    clicks = torch.tensor([[[5.0, 8.0, 1.0], [20.0, 30.0, -1.0], [12.0, 12.0, 0.0]]])
    near, far, wrong_near, wrong_far = _drawn(clicks, (24, 40))[0]
    for maps, (row, column) in (((near, far), (5, 8)), ((wrong_near, wrong_far), (20, 30))):
        for drawn in maps:
            assert drawn[row, column] == drawn.max() == 1
            assert drawn[12, 12] < 1
    none = _drawn(torch.zeros(1, 1, 3), (24, 40))
    assert torch.equal(none, torch.zeros_like(none))


def test_likeness_is_highest_at_the_clicked_cell(network: CompactNet, image: torch.Tensor) -> None:
    key = network.encode(image)[3]
    clicks = torch.tensor([[[9.0, 17.0, 1.0], [0.0, 0.0, 0.0]]] * 2)
    alike = _likeness(key, clicks)
    assert torch.allclose(alike[:, 0, 2, 4], torch.ones(2))
    assert (alike[:, 0] <= 1).all()
    assert torch.equal(alike[:, 1], torch.zeros(2, 6, 10))


def test_corrections_add_to_the_mask_before(network: CompactNet, image: torch.Tensor) -> None:
    features = network.encode(image)
    clicks = torch.tensor([[[9.0, 17.0, 1.0]]] * 2)
    before = torch.rand(2, 1, 24, 40)
    started = torch.tensor([True, False])
    after = network.correct(features, clicks, before, started)
    change = network.change(
        network.look(features),
        clicks,
        torch.where(started[:, None, None, None], before, 0.5),
        started,
    )
    expected = before.logit(1e-6).clamp(-CERTAIN, CERTAIN)
    expected[1] = 0
    assert torch.allclose(after, expected + change, atol=1e-5)
    other = network.correct(features, clicks, torch.rand(2, 1, 24, 40), started)
    assert torch.equal(other[1], after[1])


def test_what_is_looked_at_once_is_a_part_of_the_convolutions_that_meet_it(
    network: CompactNet, image: torch.Tensor
) -> None:
    features, decoder = network.encode(image), network.clicks.decoder
    met: dict[str, torch.Tensor] = {}
    hooks = [
        module.register_forward_pre_hook(lambda _, given, name=name: met.setdefault(name, given[0]))
        for name, module in (("fine", network.clicks.fine), ("coarse", network.clicks.coarse))
    ]
    clicks, before = torch.tensor([[[9.0, 17.0, 1.0]]] * 2), torch.rand(2, 1, 24, 40)
    change = network.change(network.look(features), clicks, before, torch.tensor([True, False]))
    for hook in hooks:
        hook.remove()
    maps, fine = met["fine"], met["coarse"]
    told = network.clicks.coarse(fine), _likeness(features.key, clicks)
    whole = decoder(
        torch.cat([features.cells, *told], 1),
        [torch.cat([features.quarter, fine], 1), torch.cat([features.half, maps], 1)],
    )
    assert torch.allclose(change, whole, atol=1e-5)


def test_convolutions_are_winograds_where_they_are_quicker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ready, "fastest_type", lambda _: torch.float32)
    monkeypatch.setattr(ready, "_load", lru_cache(maxsize=2)(ready._load.__wrapped__))
    loaded = {}
    for threads in (2, 1, 2):  # whichever was asked for first
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        network = loaded[threads] = compact_network("free", "cpu")
        by_winograd = [m for m in network.modules() if isinstance(m, WinogradConv)]
        assert bool(by_winograd) == (threads == 1)
    network, plain = loaded[1], loaded[2]
    # Neither thin ones, nor those that skip pixels.
    left = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    assert {(m.in_channels, m.kernel_size[0]) for m in left} >= {(32, 3), (128, 1)}
    image = torch.rand(2, 3, 48, 80, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        masks = [propagated(n, image).sigmoid() for n in (network, plain)]
    assert torch.allclose(*masks, atol=1e-4)


def test_weights_survive_the_file(network: CompactNet, image: torch.Tensor, tmp_path: Path) -> None:
    save_weights(network, tmp_path / "w.safetensors")
    loaded = load_weights(tmp_path / "w.safetensors")
    assert loaded.config == TINY
    assert torch.allclose(propagated(loaded, image), propagated(network, image), atol=0.02)


def test_arrays_that_cannot_be_written_to_are_taken_in_silence() -> None:
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    mask = np.full((4, 6), 0.5, np.float32)
    image.setflags(write=False)
    mask.setflags(write=False)
    code = (
        "import numpy as np, torch\n"
        "from evavos_widget.networks.ready import image_tensor, mask_tensor\n"
        "for make, array in ((image_tensor, np.zeros((4, 6, 3), np.uint8)),"
        " (mask_tensor, np.zeros((4, 6), np.float32))):\n"
        "    array.setflags(write=False)\n"
        "    make(array, torch.zeros(1))\n"
    )  # PyTorch warns once in a process
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=300)
    pixels = image_tensor(image, torch.zeros(1))
    assert torch.equal(pixels[0, 2] * 255, torch.tensor(image[..., 2]).float())
    assert (mask_tensor(mask, torch.zeros(1)) == 0.5).all()
    assert not image.flags.writeable


def test_one_network_is_shared_in_a_process(network: CompactNet, tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    save_weights(network, file)
    assert compact_network(file, "cpu") is compact_network(str(file), "cpu")


def test_wrong_files_are_refused_in_a_sentence(network: CompactNet, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    file = tmp_path / "w.safetensors"
    with pytest.raises(WeightsError, match="check the path"):
        compact_network(file)
    save_weights(network, file)
    whole = file.read_bytes()
    for wrong in (whole[:-100], b"not weights at all"):
        file.write_bytes(wrong)
        with pytest.raises(WeightsError, match="train or download it again"):
            load_weights(file)
    save_file({"a": torch.zeros(2)}, file)
    with pytest.raises(WeightsError, match="format"):
        load_weights(file)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((480, 854), (320, 576)),
        ((853, 479), (576, 320)),
        ((240, 432), (240, 432)),
        ((9, 5), (32, 32)),
    ],
)
def test_work_size_keeps_pixels_and_shape(
    shape: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert work_size(*shape, 320 * 568) == expected


def test_nothing_is_known_of_others_unless_it_is_said(
    network: CompactNet, image: torch.Tensor
) -> None:
    features, mask = network.encode(image), torch.zeros(2, 1, 24, 40)
    mask[..., 4:16, 8:24] = 1
    alone = network.remember(features, mask)
    assert torch.equal(network.remember(features, mask, torch.zeros_like(mask)), alone)
    others = torch.zeros_like(mask)
    others[..., 26:] = 1
    assert not torch.allclose(network.remember(features, mask, others)[:, :-4], alone[:, :-4])

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.published_stcn import write_random_weights
from evavos_widget import checkpoints
from evavos_widget.checkpoints import Download, WeightsError
from evavos_widget.networks.stcn_weights import load_stcn
from evavos_widget.session import Session

State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> State:
    file = write_random_weights(tmp_path_factory.mktemp("weights") / "stcn.pth")
    return torch.load(file, weights_only=True)


def parts(network: torch.nn.Module) -> list[torch.Tensor]:
    """Three values that depend on the image, the mask and the others."""
    generator = torch.Generator().manual_seed(0)
    image, masks = (torch.randn(1, n, 32, 48, generator=generator) for n in (3, 2))
    with torch.inference_mode():
        features = network.describe(image)
        value = network.remember(image, features.deep, masks[:, :1], masks[:, 1:])
        return [features.key, value, network.decode(value, features)]


def test_what_training_wrote_is_the_same_network(published: State, tmp_path: Path) -> None:
    torch.save(published, tmp_path / "plain.pth")
    wrapped = {"it": 1, "network": {f"module.{n}": v for n, v in published.items()}}
    torch.save(wrapped, tmp_path / "wrapped.pth")
    plain, other = (parts(load_stcn(tmp_path / f"{n}.pth")) for n in ("plain", "wrapped"))
    for one, two in zip(plain, other, strict=True):
        assert torch.equal(one, two)


def test_weights_for_one_object_see_no_others(published: State, tmp_path: Path) -> None:
    name = "value_encoder.conv1.weight"
    torch.save({**published, name: published[name][:, :4]}, tmp_path / "first-stage.pth")
    network = load_stcn(tmp_path / "first-stage.pth")
    image, deep, mask = (
        torch.randn(1, 3, 32, 32),
        torch.randn(1, 1024, 2, 2),
        torch.ones(1, 1, 32, 32),
    )
    with torch.inference_mode():
        alone = network.remember(image, deep, mask, 0 * mask)
        assert torch.equal(network.remember(image, deep, mask, mask), alone)


def test_files_of_something_else_are_named(published: State, tmp_path: Path) -> None:
    file = tmp_path / "other.pth"
    few = dict(list(published.items())[:20])
    for content, why in (
        ({"kv_m_f16.Key.weight": torch.zeros(1)}, "STM"),
        ({"layer.weight": torch.zeros(1)}, "decoder.compress"),
        ({**few, "decoder.compress.conv1.weight": torch.zeros(2, 2)}, "decoder"),
        ([1, 2], "no table of tensors"),
        ({"a": "text"}, "no table of tensors"),
        ({0: torch.zeros(1)}, "no table of tensors"),
        ({**published, "decoder.compress.conv1.weight": torch.zeros(2)}, ""),
    ):
        torch.save(content, file)
        with pytest.raises(WeightsError, match=rf"other\.pth does not hold.*{why}"):
            load_stcn(file)
    for content in (file.read_bytes()[:50], b"", b"error code 404", b"https://moved.to/it\n"):
        file.write_bytes(content)
        with pytest.raises(WeightsError, match=r"other\.pth does not hold"):
            load_stcn(file)


def test_where_memory_is_short_that_is_said(
    published: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(*_: object, **__: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9")

    monkeypatch.setattr(torch, "load", short)
    with pytest.raises(WeightsError, match=r"not enough memory for .*other\.pth"):
        load_stcn(tmp_path / "other.pth")


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple:
            return Path.write_text, (tmp_path / "ran", "yes")

    torch.save({"a": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(WeightsError, match="does not hold"):
        load_stcn(tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()


def test_a_session_without_weights_goes_on_with_an_engine_that_needs_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVAVOS_CACHE", str(tmp_path))
    entry = Download("stcn.pth", "http://127.0.0.1:9/stcn.pth", 1, None, "MIT", "nothing")
    monkeypatch.setattr(checkpoints, "DOWNLOADS", {"stcn": entry})
    frames = np.zeros((2, 32, 48, 3), np.uint8)
    with pytest.warns(UserWarning, match=r"'flow', not 'stcn'.*put them at"):
        session = Session(frames, propagator="stcn", path=None)
    assert session.propagator.name == "flow"
    assert str(tmp_path / "weights" / "stcn.pth") in session.warnings[0]


def test_a_session_says_where_its_engines_run(published: State, tmp_path: Path) -> None:
    torch.save(published, tmp_path / "stcn.pth")
    frames, engine = np.zeros((2, 32, 48, 3), np.uint8), f"stcn:{tmp_path / 'stcn.pth'}"
    session = Session(frames, propagator=engine, predictor="classical", path=None, device="cpu")
    assert session.propagator.name == "stcn"
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="no device 'cuda'"):
            Session(frames, propagator=engine, predictor="classical", path=None, device="cuda")

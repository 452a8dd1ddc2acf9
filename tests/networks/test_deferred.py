"""PyTorch is imported when a network is needed, and not when an engine is made."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest
from small_weights import write_small_weights

from evavos_widget import checkpoints, engines
from evavos_widget.checkpoints import Checkpoint, WeightsError
from evavos_widget.networks import deferred, ready
from evavos_widget.networks.deferred import DeferredNetwork
from evavos_widget.prompts import Click, Prompts


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Small weights that come with the package as ``mine``, on a machine without a GPU."""
    file = write_small_weights(tmp_path)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setattr(checkpoints, "FOLDER", tmp_path)
    monkeypatch.setattr(checkpoints, "CHECKPOINTS", {"mine": Checkpoint(file.name, digest, "MIT")})
    monkeypatch.setattr(deferred, "GPU_DRIVERS", ())
    return file


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was loaded."""
    loaded, load = [], ready.compact_network

    def counted(weights: str, device: str) -> object:
        loaded.append(device)
        return load(weights, device)

    monkeypatch.setattr(ready, "compact_network", counted)
    return loaded


def test_a_session_opens_without_pytorch() -> None:
    code = """
        import sys, numpy
        from evavos_widget import Annotator, Session
        from evavos_widget.widgets import annotator_controller
        session = Session(numpy.zeros((3, 48, 64, 3), numpy.uint8), path=None)
        session.add_object("a")
        session.suggest()
        assert "torch" not in sys.modules, sorted(n for n in sys.modules if "evavos" in n)
        session.predict(0, 1, clicks=[(30, 20, True)])
        assert "torch" in sys.modules
    """
    environment = {"PATH": "", "ATEN_CPU_CAPABILITY": "avx2"}
    without = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)]
    done = subprocess.run(without, capture_output=True, text=True, env=environment, timeout=300)
    assert not done.returncode, done.stderr


def test_weights_of_the_package_wait_and_files_do_not(shipped: Path, loads: list[str]) -> None:
    waiting = [DeferredNetwork("mine"), DeferredNetwork("mine", "cpu")]
    assert loads == []
    assert [network.device for network in waiting] == ["cpu", "cpu"]
    DeferredNetwork(shipped)
    assert len(loads) == 1
    with pytest.raises(ValueError, match="'gpu' is no device"):
        DeferredNetwork("mine", "gpu")
    assert waiting[0].get() is waiting[1].get()


def test_where_there_may_be_a_gpu_nothing_waits(
    shipped: Path, loads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deferred, "GPU_DRIVERS", (str(shipped),))
    DeferredNetwork("mine")
    assert len(loads) == 1


def test_damaged_weights_of_the_package_are_found_at_once(shipped: Path) -> None:
    whole = bytearray(shipped.read_bytes())
    whole[-5] ^= 1
    shipped.write_bytes(whole)
    with pytest.raises(WeightsError, match="damaged"):
        DeferredNetwork("mine")
    with pytest.raises(WeightsError, match="check the path"):
        DeferredNetwork("others")


def test_threads_that_need_it_at_once_load_it_once(shipped: Path, loads: list[str]) -> None:
    network, found = DeferredNetwork("mine"), []
    threads = [threading.Thread(target=lambda: found.append(network.get())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1
    assert len({id(n) for n in found}) == 1


def test_a_prepared_predictor_has_the_network_and_the_first_image(
    shipped: Path, loads: list[str]
) -> None:
    image = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
    plain, prepared = (engines.create("predictor", "compact:mine") for _ in range(2))
    asked = threading.Event()

    def read() -> np.ndarray:
        asked.set()
        return image

    prepared.prepare(read, "a")
    assert asked.wait(60)
    for thread in threading.enumerate():
        if thread.name.startswith("compact-ahead"):
            thread.join(60)
    assert loads == ["cpu"]
    encoded = []
    encode = type(prepared._network.get()).encode
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            type(prepared._network.get()),
            "encode",
            lambda self, pixels: encoded.append(1) or encode(self, pixels),
        )
        prompts = Prompts(clicks=(Click(30, 20),))
        found = prepared.predict(image, prompts, key="a")
        assert not encoded
        expected = plain.predict(image, prompts)
    assert np.array_equal(found.probabilities, expected.probabilities)

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from clips import Clip
from cutie.inference.inference_core import InferenceCore
from small_cutie import write_small_cutie

from evavos_widget import engines, sources
from evavos_widget.checkpoints import WeightsError
from evavos_widget.engines import MissingExtraError
from evavos_widget.propagation.cutie import CutiePropagator, build_cutie, cutie_settings


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_cutie(tmp_path_factory.mktemp("weights") / "cutie.pth")


@pytest.fixture(scope="module")
def engine(weights: Path) -> CutiePropagator:
    return engines.create("propagator", f"cutie:{weights}", device="cpu")


def run(engine: CutiePropagator, clip: Clip, given: dict, objects: tuple = (1, 2)) -> dict:
    steps = engine.propagate(clip, given, objects, range(clip.n_frames))  # type: ignore[arg-type]
    return {s.frame: s.probabilities for s in steps if s.frame is not None}


@torch.inference_mode()
def test_from_one_annotated_frame_it_gives_what_the_package_gives(engine, weights):
    clip, source = Clip(9, 125, 200), 1  # long enough for frames that are remembered on the way
    settings = cutie_settings("small")
    network = build_cutie(settings)
    network.load_state_dict(torch.load(weights, weights_only=True))
    expected = {}
    for direction in (1, -1):
        core, frame = InferenceCore(network, settings), source
        masks = np.stack([clip.labels[source] == k for k in (1, 2)]).astype(np.float32)
        while 0 <= frame < clip.n_frames:
            image = torch.from_numpy(clip.frames[frame].astype(np.float32)).permute(2, 0, 1) / 255
            given = (torch.from_numpy(masks), [1, 2]) if frame == source else ()
            expected[frame] = core.step(image, *given, idx_mask=False).numpy()
            frame += direction
    found = run(engine, clip, {source: clip.annotation(source, 1, 2)})
    for frame in set(range(clip.n_frames)) - {source}:
        np.testing.assert_allclose(found[frame], expected[frame], atol=2e-3)
    assert max(np.ptp(found[f][1]) for f in found if f != source) > 0.1


def test_all_annotated_frames_are_remembered_for_good(engine, monkeypatch):
    # A pass runs all the way, also where what it finds would hardly count.
    monkeypatch.setattr(sources, "LEAST", 0.0)
    clip, cores = Clip(9, 61, 107), []
    begin = InferenceCore.__init__
    monkeypatch.setattr(
        InferenceCore, "__init__", lambda self, *a: cores.append(self) or begin(self, *a)
    )
    given = {f: clip.annotation(f, 1, 2) for f in (0, 6, 8)}
    run(engine, clip, given)
    forward = cores[0].memory.work_mem
    cells = (64 // 16) * (112 // 16)
    assert forward.perm_end_pt[0] == 3 * cells
    assert forward.size(0) == (3 + 1) * cells  # and the fifth frame of the pass


def test_long_frames_are_worked_on_smaller(engine, monkeypatch):
    monkeypatch.setattr("evavos_widget.propagation.cutie.SHORT_SIDE", 64)
    clip = Clip(2, 131, 211)
    found = run(engine, clip, {0: clip.annotation(0, 1, 2)})
    assert engine._size == (64, 103)
    assert found[1].shape == (3, 131, 211)


def test_where_memory_is_short_objects_are_carried_one_by_one(weights, monkeypatch):
    clip = Clip(7, 61, 107)
    given = {0: clip.annotation(0, 1, 2)}
    expected = run(CutiePropagator(weights, "cpu"), clip, given)
    engine, step, steps = CutiePropagator(weights, "cpu"), InferenceCore.step, []

    def short(self, *args, **options):
        steps.append(self.chunk_size)
        if len(steps) >= 4 and (self.chunk_size != 1 or short_of_all):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return step(self, *args, **options)

    monkeypatch.setattr(InferenceCore, "step", short)
    short_of_all = False
    progress = list(engine.propagate(clip, given, (1, 2), range(7)))
    assert steps[:4] == [-1] * 4
    assert steps[4:] == [1] * 7  # from the annotated frame on again
    assert [s.done for s in progress] == list(range(1, len(progress) + 1))
    assert progress[-1].total == len(progress)
    for s in progress:
        if s.frame is not None:
            # Not the same: in the package, objects in different chunks know less of each other.
            np.testing.assert_allclose(s.probabilities, expected[s.frame], atol=0.05)
    short_of_all = True
    with pytest.raises(RuntimeError, match=r"not enough memory on cpu for 'cutie'.*'compact'"):
        run(CutiePropagator(weights, "cpu"), clip, given)


def test_a_file_of_something_else_is_named_and_the_session_goes_on(weights, tmp_path):
    cut, other = tmp_path / "cut.pth", tmp_path / "other.pth"
    cut.write_bytes(weights.read_bytes()[:-5000])
    torch.save({"weight": torch.zeros(3)}, other)
    for path in (cut, other):
        with pytest.raises(WeightsError, match=rf"{path.name} does not hold Cutie"):
            CutiePropagator(path, "cpu")
    fallback, sentence = engines.create_or_fall_back("propagator", f"cutie:{cut}")
    assert fallback.name == "flow"
    assert "cut.pth" in str(sentence)


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.delitem(sys.modules, "evavos_widget.propagation.cutie")
    for name in [m for m in sys.modules if m.partition(".")[0] == "cutie"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cutie", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'evavos-widget\[cutie\]'"):
        engines.create("propagator", "cutie")

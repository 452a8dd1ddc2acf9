from __future__ import annotations

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from clips import Clip
from tiny_sam2 import SIDE, write_tiny
from torch.nn import functional
from transformers import (
    EdgeTamVideoModel,
    Sam2ImageProcessor,
    Sam2VideoModel,
    Sam2VideoProcessor,
    Sam2VideoVideoProcessor,
)

from evavos_widget import engines
from evavos_widget.propagation import passes, sam2
from evavos_widget.propagation.sam2 import Sam2Propagator


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("sam2"))


@pytest.fixture
def clip() -> Clip:
    return Clip(6, 61, 107)


def run(engine: Sam2Propagator, clip: Clip, given: dict, objects: tuple = (1, 2)) -> dict:
    steps = engine.propagate(clip, given, objects, range(clip.n_frames))  # type: ignore[arg-type]
    return {s.frame: s.probabilities for s in steps if s.frame is not None}


@pytest.mark.parametrize("family", ["sam2", "edgetam"])
def test_from_one_annotated_frame_it_gives_what_the_library_gives(family, folder, tmp_path, clip):
    if family == "edgetam":
        folder = write_tiny(tmp_path, family)
    model = {"sam2": Sam2VideoModel, "edgetam": EdgeTamVideoModel}[family]
    model = model.from_pretrained(folder).eval()
    image = Sam2ImageProcessor.from_pretrained(folder)
    processor = Sam2VideoProcessor(image, Sam2VideoVideoProcessor(size=image.size), SIDE)
    source = 3
    masks = [clip.labels[source] == k for k in (1, 2)]
    expected = {}
    for reverse in (False, True):
        memory = processor.init_video_session(
            video=list(clip.frames), video_storage_device="cpu", inference_device="cpu"
        )
        processor.add_inputs_to_inference_session(
            memory, frame_idx=source, obj_ids=[1, 2], input_masks=masks
        )
        model(memory, frame_idx=source)
        for out in model.propagate_in_video_iterator(
            memory, start_frame_idx=source, reverse=reverse
        ):
            logits = functional.interpolate(out.pred_masks, size=(clip.height, clip.width),
                                            mode="bilinear", align_corners=False)[:, 0]  # fmt: skip
            weights = torch.cat([torch.zeros_like(logits[:1]), logits])
            expected[out.frame_idx] = weights.softmax(0).numpy()
    engine = engines.create("propagator", f"sam2:{folder}", device="cpu")
    found = run(engine, clip, {source: clip.annotation(source, 1, 2)})
    for frame in set(range(clip.n_frames)) - {source}:
        np.testing.assert_allclose(found[frame], expected[frame], atol=2e-3)
    assert max(np.ptp(found[f][1]) for f in (0, 5)) > 0.02


def test_a_frame_is_encoded_once_for_all_objects_passes_and_rounds(folder, clip):
    engine = Sam2Propagator(folder, "cpu")
    calls = []
    engine._model.vision_encoder.register_forward_hook(lambda *_: calls.append(1))
    run(engine, clip, {0: clip.annotation(0, 1, 2)})
    run(engine, clip, {0: clip.annotation(0, 1, 2), 5: clip.annotation(5, 1)})
    assert len(calls) == clip.n_frames


def test_a_later_annotation_runs_only_the_passes_that_it_begins(folder, clip):
    engine = Sam2Propagator(folder, "cpu")
    first = {0: clip.annotation(0, 1), 3: clip.annotation(3, 1)}
    run(engine, clip, first, (1,))
    later = {**first, 5: clip.annotation(5, 1)}
    stale = engine.affected(first, later, clip.n_frames)
    assert stale == {4, 5}
    steps = list(engine.propagate(clip, later, (1,), stale))  # type: ignore[arg-type]
    # Two frames completed, three annotated ones remembered, one frame found on the way back.
    assert len(steps) == 2 + 3 + 1


def test_what_is_remembered_does_not_grow_with_the_video(folder, monkeypatch):
    clip = Clip(9, 61, 107)
    engine = Sam2Propagator(folder, "cpu")
    engine._model.config.num_maskmem = engine._model.config.max_object_pointers_in_encoder = 3
    memories = []
    monkeypatch.setattr(
        sam2, "memory_of", lambda m, make=sam2.memory_of: memories.append(make(m)) or memories[-1]
    )
    run(engine, clip, {0: clip.annotation(0, 1)}, (1,))
    outputs = memories[0].output_dict_per_obj[0]
    assert sorted(outputs["non_cond_frame_outputs"]) == [6, 7, 8]
    assert not any("high_res_masks" in o for kind in outputs.values() for o in kind.values())
    assert all(frame is None for frame in memories[0].processed_frames.values())


def test_features_and_passes_let_go_come_back_the_same(folder, clip, monkeypatch):
    given = {0: clip.annotation(0, 1, 2), 4: clip.annotation(4, 1)}
    expected = run(Sam2Propagator(folder, "cpu"), clip, given)
    monkeypatch.setattr(sam2, "FEATURE_BYTES", 1)
    monkeypatch.setattr(passes, "PASS_BYTES", 1)
    monkeypatch.setattr(Sam2Propagator, "live", 1)
    engine = Sam2Propagator(folder, "cpu")
    for _ in range(2):
        for frame, probabilities in run(engine, clip, given).items():
            np.testing.assert_array_equal(probabilities, expected[frame])


def test_what_passes_remembered_goes_with_them_at_once(folder, clip, monkeypatch):
    monkeypatch.setattr(passes, "PASS_BYTES", 1)
    memories = []
    make = sam2.memory_of

    def watched(model: object) -> object:
        memory = make(model)
        memories.append(weakref.ref(memory))
        return memory

    monkeypatch.setattr(sam2, "memory_of", watched)
    engine = Sam2Propagator(folder, "cpu")
    gc.disable()
    try:
        run(engine, clip, {0: clip.annotation(0, 1), 5: clip.annotation(5, 1)}, (1,))
        # Two passes have been walked, and one is kept.
        assert [memory() is None for memory in memories] == [True, False]
        run(engine, Clip(1, 61, 107), {0: clip.annotation(0, 1)}, (1,))
        assert [memory() is None for memory in memories] == [True, True]
    finally:
        gc.enable()


def test_a_pass_that_was_let_go_half_way_is_taken_up_where_it_was(folder, clip, monkeypatch):
    given = {0: clip.annotation(0, 1), 5: clip.annotation(5, 1)}
    found = []
    for live in (4, 1):
        monkeypatch.setattr(Sam2Propagator, "live", live)
        engine = Sam2Propagator(folder, "cpu")
        steps = engine.propagate(clip, {5: given[5]}, (1,), range(6))  # type: ignore[arg-type]
        while next(steps).frame != 3:
            pass
        steps.close()
        # The pass forwards from 0 comes first, and has the only place where there is one.
        rest = list(engine.propagate(clip, given, (1,), range(6)))  # type: ignore[arg-type]
        assert [s.done for s in rest] == list(range(1, len(rest) + 1))
        assert rest[-1].total == len(rest)
        found.append({s.frame: s.probabilities for s in rest if s.frame is not None})
    for frame in range(6):
        np.testing.assert_array_equal(found[1][frame], found[0][frame])


def test_where_memory_is_short_features_are_let_go_first(folder, clip, monkeypatch):
    given = {0: clip.annotation(0, 1, 2)}
    expected = run(Sam2Propagator(folder, "cpu"), clip, given)
    engine = Sam2Propagator(folder, "cpu")
    describe = engine._model.get_image_features

    def short(pictures: torch.Tensor) -> object:
        if len(engine._features._items) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return describe(pictures)

    monkeypatch.setattr(engine._model, "get_image_features", short)
    steps = [s for s in engine.propagate(clip, given, (1, 2), range(6)) if s.frame is not None]  # type: ignore[arg-type]
    for step in steps:
        np.testing.assert_array_equal(step.probabilities, expected[step.frame])


def test_a_thin_object_is_not_lost_where_the_picture_is_scaled_down(folder):
    engine = Sam2Propagator(folder, "cpu")
    thin = np.zeros((900, 900), bool)
    thin[:, 450] = True
    assert engine._mask(thin).any()
    assert not engine._mask(np.zeros((900, 900), bool)).any()


def test_where_memory_is_short_a_sentence_says_so(folder, clip, monkeypatch):
    engine = Sam2Propagator(folder, "cpu")
    given = {0: clip.annotation(0, 1)}

    def short(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(engine._model, "get_image_features", short)
        with pytest.raises(RuntimeError, match="not enough memory on cpu for 'sam2'"):
            run(engine, clip, given, (1,))
    assert len(run(engine, clip, given, (1,))) == clip.n_frames

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import segment_anything
import torch
from tiny_sam import WIDTH, tiny_sam, write_tiny

from evavos_widget import engines
from evavos_widget.checkpoints import WeightsError
from evavos_widget.mask_prediction import sam as module
from evavos_widget.mask_prediction.click_by_click import Answer
from evavos_widget.mask_prediction.embeddings import AHEAD
from evavos_widget.mask_prediction.sam import SamPredictor
from evavos_widget.prompts import Box, Click, Prompts, Scribble
from evavos_widget.testing import check_predictor


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("weights") / "sam_tiny.pth")


@pytest.fixture
def engine(weights: Path, monkeypatch: pytest.MonkeyPatch) -> SamPredictor:
    monkeypatch.setitem(segment_anything.sam_model_registry, "tiny", tiny_sam)
    monkeypatch.setitem(module.WIDTHS, WIDTH, "tiny")
    return SamPredictor(weights)


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8)


@pytest.fixture
def published(weights: Path, image: np.ndarray) -> segment_anything.SamPredictor:
    model = tiny_sam()
    model.load_state_dict(torch.load(weights, weights_only=True))
    predictor = segment_anything.SamPredictor(model.eval())
    predictor.set_image(image)
    return predictor


def best(
    published: segment_anything.SamPredictor, *given: Any
) -> tuple[np.ndarray, float, np.ndarray]:
    masks, scores, low = published.predict(*given)
    i = int(scores.argmax())
    return masks[i], float(scores[i]), low[i : i + 1]


def test_keeps_its_promises(engine, weights):
    check_predictor(lambda: SamPredictor(weights))


@pytest.mark.parametrize("key", [None, "frame"])
def test_clicks_and_box_give_what_the_published_predictor_gives(engine, published, image, key):
    clicks = (Click(20, 30), Click(70, 11, False), Click(44, 50))
    box = Box(10, 5, 80, 55)
    low = None
    for n in range(1, 4):
        prediction = engine.predict(image, Prompts(clicks=clicks[:n], box=box), key=key)
        mask, score, low = best(
            published,
            np.array([[c.x, c.y] for c in clicks[:n]]),
            np.array([c.positive for c in clicks[:n]]),
            np.array([10, 5, 80, 55]),
            low,
        )
        np.testing.assert_array_equal(prediction.mask, mask)
        assert prediction.score == pytest.approx(np.clip(score, 0, 1))
        np.testing.assert_array_equal(prediction.mask, prediction.probabilities > 0.5)


def test_a_box_alone_is_a_prompt(engine, published, image):
    prediction = engine.predict(image, Prompts(box=Box(10, 5, 80, 55)))
    mask, _, _ = best(published, None, None, np.array([10, 5, 80, 55]))
    np.testing.assert_array_equal(prediction.mask, mask)


def test_the_mask_before_is_a_prompt_as_the_model_takes_it(engine, published, image):
    previous = np.zeros((60, 90), bool)
    previous[20:40, 30:60] = True
    click = Prompts(clicks=(Click(40, 25),), previous_mask=previous)
    low = np.full((1, 32, 32), -module.CERTAIN, np.float32)
    # 90 x 60 is scaled to 128 x 85 in a square of 128, of which this is a quarter.
    height = round(32 / 128 * 85)
    rows, columns = (np.arange(n) for n in (height, 32))
    inside = np.ix_((rows * 60 // height >= 21) & (rows * 60 // height < 38),
                    (columns * 90 // 32 >= 31) & (columns * 90 // 32 < 56))  # fmt: skip
    given: list[np.ndarray] = []
    ask = segment_anything.SamPredictor.predict

    def listen(self, *arguments, **options):
        given.append(arguments[3])
        return ask(self, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segment_anything.SamPredictor, "predict", listen)
        engine.predict(image, click)
    assert given[0].shape == low.shape
    assert (given[0][0][inside] > 4).all()
    assert (given[0][0, height:] == -module.CERTAIN).all()
    assert np.mean(given[0] > 0) == pytest.approx(20 * 30 / (60 * 90) * height / 32, rel=0.15)


def test_nothing_asked_leaves_the_mask_as_it_was(engine, image):
    assert not engine.predict(image, Prompts()).mask.any()
    previous = np.zeros((60, 90), bool)
    previous[5:9] = True
    np.testing.assert_array_equal(
        engine.predict(image, Prompts(previous_mask=previous)).mask, previous
    )


def test_a_scribble_counts_as_clicks_along_it(engine, image):
    stroke = Scribble(np.array([(10, 30), (80, 30)]), positive=False)
    clicks = tuple(Click(x, 30, False) for x in np.interp([1, 3, 5], [0, 6], [10, 80]))
    drawn = engine.predict(image, Prompts(scribbles=(stroke,)))
    # All at once, unlike clicks that somebody makes one after the other.
    assert drawn.mask.shape == (60, 90)
    one_by_one = engine.predict(image, Prompts(clicks=clicks))
    assert not np.array_equal(drawn.probabilities, one_by_one.probabilities)


def test_an_image_is_embedded_once_and_ahead_of_the_click(engine, image, monkeypatch):
    embedded: list[str] = []
    go = threading.Event()
    embed = SamPredictor._embed

    def counted(self, image):
        embedded.append(threading.current_thread().name)
        assert go.wait(120)
        return embed(self, image)

    monkeypatch.setattr(SamPredictor, "_embed", counted)
    engine.prepare(lambda: image, "next")
    while not embedded:
        time.sleep(0.01)
    for key in ("dropped for those after it", *range(AHEAD - 1), "later"):
        engine.prepare(lambda: image, key)
    go.set()
    engine.predict(image, Prompts(clicks=(Click(3, 3),)), key="next")
    engine.predict(image, Prompts(clicks=(Click(3, 3), Click(9, 9))), key="next")
    while len(embedded) < 1 + AHEAD:  # a click on one that waits would embed it itself
        time.sleep(0.01)
    engine.predict(image, Prompts(clicks=(Click(3, 3),)), key="later")
    assert len(embedded) == 1 + AHEAD
    assert all(name.startswith("sam-ahead") for name in embedded)


def test_a_frame_that_cannot_be_read_ahead_can_be_asked_for_later(engine, image):
    def unreadable():
        raise OSError("gone")

    engine.prepare(unreadable, "frame")
    engine._embeddings._ahead.submit(int).result()
    assert engine.predict(image, Prompts(clicks=(Click(3, 3),)), key="frame").mask.any()


def test_what_is_kept_of_an_answer_is_what_is_counted(engine, image):
    engine.predict(image, Prompts(clicks=(Click(3, 3),)), key="frame")
    answers = [item for item in engine._cache._items.values() if isinstance(item, Answer)]
    assert answers
    assert all(a.logits.base is None and a.low.base is None for a in answers)


def test_where_memory_is_short_embeddings_are_let_go_first(engine, image, monkeypatch):
    embed, room = SamPredictor._embed, 1
    click = Prompts(clicks=(Click(3, 3),))
    expected = engine.predict(image, click)
    engine.predict(image, click, key="kept")

    def short(self, image):
        if sum(not isinstance(item, Answer) for item in self._cache._items.values()) >= room:
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate")
        return embed(self, image)

    monkeypatch.setattr(SamPredictor, "_embed", short)
    found = engine.predict(image, click, key="next")
    np.testing.assert_array_equal(found.probabilities, expected.probabilities)
    room = 0
    with pytest.raises(RuntimeError, match=r"not enough memory for 'sam'.*60 x 90.*'compact'"):
        engine.predict(image, click, key="last")


def test_a_file_of_something_else_is_named_and_the_session_goes_on(tmp_path, weights):
    damaged = tmp_path / "sam.pth"
    damaged.write_bytes(weights.read_bytes()[:-5000])
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    for path in (damaged, tmp_path / "other.pth", weights):  # the last is of no published size
        with pytest.raises(WeightsError, match=path.name):
            SamPredictor(path)
    fallback, sentence = engines.create_or_fall_back("predictor", f"sam:{damaged}")
    assert fallback.name == "classical"
    assert "sam.pth" in sentence


def test_a_device_that_is_not_there_is_named(weights):
    with pytest.raises(ValueError, match="cuda"):
        SamPredictor(weights, device="cuda:77")

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from small_weights import write_small_weights

from evavos_widget import engines
from evavos_widget.loop import MaskPredictor
from evavos_widget.mask_prediction import compact
from evavos_widget.mask_prediction import compact_clicks as applied
from evavos_widget.mask_prediction.compact import CompactPredictor
from evavos_widget.mask_prediction.pixels import clicks_along
from evavos_widget.networks.compact import CompactNet
from evavos_widget.prompts import Box, Click, Prompts, Scribble
from evavos_widget.testing import check_predictor


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def engine(weights: Path) -> CompactPredictor:
    return CompactPredictor(weights, "cpu")


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (123, 181, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def disc() -> np.ndarray:
    rows, columns = np.mgrid[:123, :181]
    return (rows - 60) ** 2 + (columns - 70) ** 2 < 20**2


@pytest.fixture
def stubborn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that changes nothing."""
    monkeypatch.setattr(
        CompactNet, "change", lambda self, features, clicks, before, *more: torch.zeros_like(before)
    )


THREE = (Click(70, 60), Click(20, 100, False), Click(75, 40))


def test_keeps_its_promises(weights: Path) -> None:
    check_predictor(partial(CompactPredictor, weights, "cpu"))


def test_follows_the_protocol(weights: Path, image: np.ndarray) -> None:
    engine = engines.create("predictor", f"compact:{weights}", device="cpu")
    assert isinstance(engine, MaskPredictor)
    out = engine.predict(image, Prompts(clicks=THREE))
    assert out.mask.shape == out.probabilities.shape == image.shape[:2]
    assert out.probabilities.dtype == np.float32
    assert np.array_equal(out.mask, out.probabilities > 0.5)
    assert 0 <= out.score <= 1


def test_without_prompts_the_mask_stays(
    engine: CompactPredictor, image: np.ndarray, disc: np.ndarray
) -> None:
    assert not engine.predict(image, Prompts()).mask.any()
    assert np.array_equal(engine.predict(image, Prompts(previous_mask=disc)).mask, disc)


@pytest.mark.usefixtures("stubborn")
def test_what_the_network_leaves_stays_to_the_pixel(
    engine: CompactPredictor, image: np.ndarray, disc: np.ndarray
) -> None:
    thin = disc.copy()
    thin[5, :] = True  # thinner than a pixel of the network's masks
    prompts = Prompts(clicks=(Click(70, 60), Click(150, 100, False)), previous_mask=thin)
    assert np.array_equal(engine.predict(image, prompts).mask, thin)


def test_clicked_pixels_have_the_label_that_was_said(
    engine: CompactPredictor, image: np.ndarray, disc: np.ndarray
) -> None:
    for previous in (None, disc, ~disc):
        out = engine.predict(image, Prompts(clicks=THREE, previous_mask=previous)).mask
        assert [bool(out[round(c.y), round(c.x)]) for c in THREE] == [c.positive for c in THREE]


def test_result_does_not_depend_on_what_was_kept(
    engine: CompactPredictor, weights: Path, image: np.ndarray, disc: np.ndarray
) -> None:
    for previous in (None, disc):
        for n in (3, 1, 2):
            prompts = Prompts(clicks=THREE[:n], previous_mask=previous)
            kept = engine.predict(image, prompts, key="a").probabilities
            alone = CompactPredictor(weights, "cpu", cache_bytes=1)
            for other in (alone.predict(image, prompts, key="b"), alone.predict(image, prompts)):
                assert np.array_equal(other.probabilities, kept)


def test_a_further_click_runs_the_network_once(
    engine: CompactPredictor, image: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    change = CompactNet.change
    monkeypatch.setattr(CompactNet, "change", lambda *a: runs.append(1) or change(*a))
    for n in (1, 2, 3):
        engine.predict(image, Prompts(clicks=THREE[:n]), key="a")
        assert len(runs) == n


def test_network_is_told_where_the_clicks_are(
    engine: CompactPredictor, image: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    change = CompactNet.change
    monkeypatch.setattr(CompactNet, "change", lambda *a: seen.append(a) or change(*a))
    engine.predict(image, Prompts(clicks=(Click(90, 61), Click(45, 30.5, False))))
    # 123 x 181 pixels are worked on as 192 x 288, masks are half of that.
    first, second = (a[2][0].numpy() for a in seen)
    scale = np.array([96 / 123, 144 / 181])
    np.testing.assert_allclose(first[0], [*((np.array([61, 90]) + 0.5) * scale - 0.5), 1], 1e-5)
    assert second[:, 2].tolist() == [1, -1]
    assert [a[4].item() for a in seen] == [False, True]


def test_a_box_keeps_the_mask_near_it(engine: CompactPredictor, image: np.ndarray) -> None:
    out = engine.predict(image, Prompts(box=Box(60, 40, 80, 60)))
    assert not out.mask[:10].any()
    assert not out.mask[:, 150:].any()


def test_box_is_drawn_in_the_window() -> None:
    drawn = applied._box_map(Box(20, 10, 39, 29), np.array([10, 0]), np.array([0.5, 0.5]), (30, 40))
    assert (drawn[:10, 10:20] == 1).all()
    assert (drawn == 1).sum() == 100
    assert (drawn == -1).sum() == 30 * 40 - 100


def test_window_is_around_object_and_clicks(disc: np.ndarray) -> None:
    belief = applied.Belief.of(disc.astype(np.float32))
    rows, columns = applied._window(belief, [(70.0, 60.0, 1)], None)
    assert rows.start <= 40 < 80 <= rows.stop < 123
    assert 0 < columns.start <= 50 < 90 <= columns.stop < 181
    everything = (slice(0, 123), slice(0, 181))
    assert applied._window(belief, [(2.0, 2.0, -1), (179.0, 121.0, -1)], None) == everything
    nothing = applied.Belief.of(np.zeros_like(belief.odds))
    assert applied._window(nothing, [(70.0, 60.0, 1)], None) == everything


def test_a_later_click_in_the_same_window_encodes_nothing(
    engine: CompactPredictor, image: np.ndarray, disc: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applied, "WORTH_ZOOMING", 0.9)
    runs = []
    encode = CompactNet.encode
    monkeypatch.setattr(CompactNet, "encode", lambda *a: runs.append(1) or encode(*a))
    monkeypatch.setattr(
        CompactNet, "change", lambda self, features, clicks, before, *more: 0.1 * (before - 0.5)
    )
    clicks = (Click(70, 60), Click(75, 50), Click(66, 66), Click(70, 71, False))
    for n in range(1, 5):
        engine.predict(image, Prompts(clicks=clicks[:n], previous_mask=disc), key="a")
        assert len(runs) == 1
    # Where a click is elsewhere, the window does not hold all that matters.
    far = (*clicks, Click(175, 5, False))
    engine.predict(image, Prompts(clicks=far, previous_mask=disc), key="a")
    assert len(runs) == 2


def test_small_windows_are_enlarged_and_large_ones_are_not() -> None:
    assert max(applied._size_of((60, 96))) == 288
    assert applied._size_of((20, 30)) == (64, 96)
    for shape in ((480, 854), (1080, 1920)):
        height, width = applied._size_of(shape)
        assert 0.9 * applied.PIXELS <= height * width <= 1.1 * applied.PIXELS


def test_quality_follows_what_is_expected_and_what_stands(
    engine: CompactPredictor, image: np.ndarray, disc: np.ndarray
) -> None:
    qualities = [compact._quality(e, 0.9, 3) for e in (0.3, 0.6, 0.9)]
    assert qualities == sorted(qualities)
    assert all(0 <= q < 1 for q in qualities)
    assert compact._quality(0.8, 0.2, 3) < compact._quality(0.8, 0.95, 3)
    assert compact._quality(0.0, 1.0, 1) == 0
    score = engine.predict(image, Prompts(clicks=THREE, previous_mask=disc)).score
    assert 0 <= score < 1


def test_scribbles_count_as_clicks_along_them(engine: CompactPredictor, image: np.ndarray) -> None:
    stroke = Scribble(np.array([[10.0, 20.0], [110.0, 20.0]]), positive=False)
    along = clicks_along(stroke, 32, 5)
    assert len(along) == 4
    assert all(10 < x < 110 and y == 20 and sign == -1 for x, y, sign in along)
    assert len(clicks_along(stroke, 2, 5)) == 5
    assert clicks_along(Scribble(np.array([[7.0, 8.0]])), 32, 5) == [(7.0, 8.0, 1)]
    out = engine.predict(image, Prompts(scribbles=(Scribble(np.array([[10.0, 20], [60, 90]])),)))
    assert out.mask[20, 10]


def test_wrong_input_is_named(engine: CompactPredictor, image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8 RGB"):
        engine.predict(image.astype(float), Prompts())
    with pytest.raises(ValueError, match="outside"):
        engine.predict(image, Prompts(clicks=(Click(500, 5),)))

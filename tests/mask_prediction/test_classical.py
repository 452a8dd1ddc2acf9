from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evavos_widget import engines
from evavos_widget.loop import MaskPredictor
from evavos_widget.mask_prediction.classical import ClassicalPredictor
from evavos_widget.prompts import Box, Click, Prediction, Prompts, Scribble
from evavos_widget.testing import check_predictor

HEIGHT, WIDTH = 240, 320


@pytest.fixture(scope="module")
def predictor() -> ClassicalPredictor:
    return ClassicalPredictor()


@pytest.fixture(scope="module")
def disc() -> np.ndarray:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return (rows - 120) ** 2 + (columns - 140) ** 2 < 60**2


@pytest.fixture(scope="module")
def image(disc: np.ndarray) -> np.ndarray:
    """A noisy orange disc on green."""
    noise = np.random.default_rng(0).normal(0, 8, (HEIGHT, WIDTH, 3))
    return (
        (np.where(disc[..., None], [220, 120, 40], [60, 140, 70]) + noise)
        .clip(0, 255)
        .astype(np.uint8)
    )


def jaccard(a: np.ndarray, b: np.ndarray) -> float:
    return (a & b).sum() / (a | b).sum()


def check(prediction: Prediction, shape: tuple[int, int]) -> None:
    assert prediction.mask.shape == prediction.probabilities.shape == shape
    assert prediction.mask.dtype == bool
    assert prediction.probabilities.dtype == np.float32
    assert 0 <= prediction.probabilities.min() <= prediction.probabilities.max() <= 1
    assert np.array_equal(prediction.mask, prediction.probabilities > 0.5)
    assert 0 <= prediction.score <= 1


def test_keeps_its_promises() -> None:
    check_predictor("classical")


def test_registry_makes_the_engine_and_names_it_when_asked_for_another() -> None:
    engine = engines.create("predictor", "classical")
    assert isinstance(engine, MaskPredictor)
    assert engine.name == "classical"
    with pytest.raises(ValueError, match=r"'magic'.*classical"):
        engines.create("predictor", "magic")


def test_one_click_finds_a_plain_object(predictor, image, disc) -> None:
    assert jaccard(predictor.predict(image, Prompts(clicks=(Click(140, 120),))).mask, disc) > 0.9


def test_a_box_finds_a_plain_object_and_nothing_outside(predictor, image, disc) -> None:
    mask = predictor.predict(image, Prompts(box=Box(76, 56, 204, 184))).mask
    assert jaccard(mask, disc) > 0.9
    mask[56:185, 76:205] = False
    assert not mask.any()


def test_a_scribble_finds_a_plain_object_and_another_takes_a_part_away(
    predictor, image, disc
) -> None:
    over = Scribble([[100, 120], [180, 120]], radius=3)
    mask = predictor.predict(image, Prompts(scribbles=(over,))).mask
    assert jaccard(mask, disc) > 0.9
    assert mask[120, 100:181].all()
    wrong = Scribble([[0, 5], [5, 5], [319, 5]], positive=False)
    both = predictor.predict(image, Prompts(scribbles=(over, wrong))).mask
    assert jaccard(both, disc) > 0.9
    assert not both[5].any()


def test_positive_click_brings_back_a_missing_part_and_leaves_the_rest(
    predictor, image, disc
) -> None:
    half = disc & (np.arange(WIDTH) < 140)
    mask = predictor.predict(image, Prompts((Click(168, 120),), previous_mask=half)).mask
    assert (mask & disc & ~half).sum() > 0.3 * (disc & ~half).sum()
    assert (mask & ~disc).sum() < 0.02 * disc.sum()
    assert mask[half].mean() > 0.99


def test_clicks_in_the_middle_of_the_largest_error_converge(predictor, image, disc) -> None:
    start = np.roll(disc, 45, axis=1)
    mask, clicks = start, ()
    for _ in range(8):
        errors = [(disc & ~mask, True), (mask & ~disc, False)]
        depths = [cv2.distanceTransform(np.pad(e, 1).astype(np.uint8), 2, 5) for e, _ in errors]
        worst = int(depths[1].max() > depths[0].max())
        row, column = np.unravel_index(depths[worst].argmax(), depths[worst].shape)
        clicks += (Click(column - 1, row - 1, errors[worst][1]),)
        mask = predictor.predict(image, Prompts(clicks, previous_mask=start), key="disc").mask
    assert jaccard(mask, disc) > 0.9


def test_negative_click_takes_a_wrong_part_away_and_leaves_the_rest(predictor, image, disc) -> None:
    too_much = disc.copy()
    too_much[90:150, 190:300] = True
    mask = predictor.predict(image, Prompts((Click(248, 120, False),), previous_mask=too_much)).mask
    assert jaccard(mask, disc) > 0.9


def test_a_look_alike_far_away_is_left_alone(predictor, image, disc) -> None:
    twins = np.concatenate([image, image], axis=1)
    nothing = np.zeros_like(disc)
    first = np.concatenate([disc & (np.arange(WIDTH) < 120), nothing], axis=1)
    mask = predictor.predict(twins, Prompts((Click(156, 120),), previous_mask=first)).mask
    assert mask.sum() > first.sum() + 100
    assert not mask[:, WIDTH:].any()


def test_a_negative_click_on_empty_background_changes_little(predictor, image, disc) -> None:
    corner = (Click(300, 20, False),)
    from_mask = predictor.predict(image, Prompts(corner, previous_mask=disc)).mask
    assert (from_mask != disc).mean() < 0.005
    assert predictor.predict(image, Prompts(corner)).mask.sum() == 0


def test_a_negative_click_before_the_first_positive_one_does_not_hinder_it(
    predictor, image, disc
) -> None:
    clicks = (Click(300, 20, False), Click(140, 120))
    assert jaccard(predictor.predict(image, Prompts(clicks)).mask, disc) > 0.9


def test_probabilities_stay_exactly_where_no_click_is_near(predictor, image, disc) -> None:
    half = np.where(disc, 0.83, 0.07).astype(np.float32)
    half[110:130, 130:150] = 0.2
    result = predictor.predict(
        image, Prompts((Click(140, 120),), previous_mask=half > 0.5, previous_probabilities=half)
    )
    assert np.array_equal(result.probabilities[:, 260:], half[:, 260:])
    assert result.mask[120, 140]


def test_without_prompts_the_previous_mask_returns(predictor, image, disc) -> None:
    assert predictor.predict(image, Prompts()).mask.sum() == 0
    assert np.array_equal(predictor.predict(image, Prompts(previous_mask=disc)).mask, disc)
    soft = np.where(disc, 0.7, 0.1).astype(np.float32)
    kept = predictor.predict(image, Prompts(previous_probabilities=soft))
    assert np.array_equal(kept.probabilities, soft)


def test_the_mask_has_the_last_word_over_its_probabilities(predictor, image, disc) -> None:
    result = predictor.predict(
        image,
        Prompts(previous_mask=disc, previous_probabilities=np.full(disc.shape, 0.9, np.float32)),
    )
    assert np.array_equal(result.mask, disc)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_size_and_any_clicks_give_a_sound_mask_with_the_clicked_labels(
    data: st.DataObject,
) -> None:
    height, width = data.draw(st.integers(1, 70)), data.draw(st.integers(1, 70))
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    image = random.integers(0, 256, (height, width, 3), np.uint8)
    labels = data.draw(
        st.dictionaries(
            st.tuples(st.integers(0, width - 1), st.integers(0, height - 1)),
            st.booleans(),
            max_size=5,
        )
    )
    previous = data.draw(st.sampled_from([None, random.random((height, width)) > 0.5]))
    clicks = tuple(Click(x, y, positive) for (x, y), positive in labels.items())
    prediction = ClassicalPredictor().predict(image, Prompts(clicks, previous_mask=previous))
    check(prediction, (height, width))
    for click in clicks:
        assert prediction.mask[int(click.y), int(click.x)] == click.positive


def test_a_later_click_on_the_same_pixel_wins(predictor, image) -> None:
    clicks = (Click(140, 120, False), Click(140, 120, True))
    assert predictor.predict(image, Prompts(clicks)).mask[120, 140]
    assert not predictor.predict(image, Prompts(clicks[::-1])).mask[120, 140]


def test_clicks_at_the_outermost_edge_of_the_picture_count(predictor, image) -> None:
    clicks = (Click(-0.5, -0.5), Click(WIDTH - 0.51, HEIGHT - 0.51))
    mask = predictor.predict(image, Prompts(clicks)).mask
    assert mask[0, 0]
    assert mask[-1, -1]


@pytest.mark.parametrize(
    ("prompts", "named"),
    [
        (Prompts((Click(np.nan, 3),)), "click 0"),
        (Prompts((Click(3, 3), Click(WIDTH, 3))), "click 1"),
        (Prompts(box=Box(400, 0, 500, 50)), "box"),
        (Prompts(scribbles=(Scribble([[np.inf, 3]]),)), "scribble 0"),
        (Prompts(previous_mask=np.zeros((3, 3), bool)), "previous_mask"),
    ],
)
def test_prompts_that_do_not_fit_are_named(predictor, image, prompts, named) -> None:
    with pytest.raises(ValueError, match=named):
        predictor.predict(image, prompts)


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 4), (0, 8, 3)])
def test_an_image_that_is_not_rgb_is_named(predictor, shape) -> None:
    with pytest.raises(ValueError, match="image"):
        predictor.predict(np.zeros(shape, np.uint8), Prompts())


def test_the_result_depends_on_image_and_prompts_alone(image, disc) -> None:
    clicks = (Click(168, 120), Click(40, 40, False), Click(120, 160))
    start = disc & (np.arange(WIDTH) < 140)
    alone = ClassicalPredictor().predict(image, Prompts(clicks, previous_mask=start))
    shared = ClassicalPredictor()
    shared.predict(image, Prompts(previous_mask=disc), key="a")
    shared.predict(image[::-1].copy(), Prompts(clicks), key="b")
    for n in (1, 3, 2, 3):
        again = shared.predict(image, Prompts(clicks[:n], previous_mask=start), key="a")
    assert np.array_equal(again.probabilities, alone.probabilities)


def test_nothing_given_is_changed(predictor, image, disc) -> None:
    soft = np.where(disc, 0.8, 0.1).astype(np.float32)
    before = image.copy(), disc.copy(), soft.copy()
    for array in (image, disc, soft):
        array.flags.writeable = False
    predictor.predict(
        image,
        Prompts((Click(140, 120, False),), previous_mask=disc, previous_probabilities=soft),
        key="still",
    )
    for given_, kept in zip((image, disc, soft), before, strict=True):
        assert np.array_equal(given_, kept)


def test_threads_share_one_predictor(image, disc) -> None:
    shared = ClassicalPredictor(cache_bytes=2**20)
    pictures = [np.roll(image, 13 * n, axis=1) for n in range(3)]
    expected = [ClassicalPredictor().predict(p, Prompts((Click(140, 120),))).mask for p in pictures]

    def work(n: int) -> bool:
        mask = shared.predict(pictures[n % 3], Prompts((Click(140, 120),)), key=n % 3).mask
        return np.array_equal(mask, expected[n % 3])

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(12)))


def test_the_score_tells_a_clear_object_from_noise(predictor, image) -> None:
    noise = np.random.default_rng(1).integers(0, 256, image.shape, np.uint8)
    clear = predictor.predict(image, Prompts((Click(140, 120),))).score
    assert clear > 0.7
    assert clear > predictor.predict(noise, Prompts((Click(140, 120),))).score + 0.1

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from evavos_widget.training.clips import (
    LARGEST_ZOOM,
    LENGTHS,
    _zoom,
    composite_clip,
    recoloured,
    video_clip,
    warped_clip,
)
from evavos_widget.training.samples import FREE_SHARES, SHARES, Positions, Samples, worsened
from evavos_widget.training.sources import davis_shots, free_stills


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return (np.minimum(a, b).sum() + 1) / (np.maximum(a, b).sum() + 1)


@pytest.mark.parametrize("shares", [SHARES, FREE_SHARES], ids=["all data", "free data"])
def test_shares_add_up_to_one_all_the_way(shares: dict) -> None:
    for progress in (0, 0.3, 1):
        assert sum(s.at(progress) for s in shares.values()) == pytest.approx(1)


def test_positions_go_on_where_they_are_told() -> None:
    whole = islice(Positions(0, 1, lambda n: n / 10), 6)
    later = islice(Positions(4, 1, lambda n: n / 10), 2)
    assert list(whole)[4:] == list(later) == [(4, 0.4), (5, 0.5)]
    assert [n for n, _ in islice(Positions(1, 3, lambda n: 0.0), 3)] == [1, 4, 7]


def test_worsened_masks_are_wrong_but_not_lost() -> None:
    mask = np.zeros((96, 96), np.float32)
    mask[30:66, 20:60] = 1
    scores = [overlap(worsened(mask, np.random.default_rng(i)), mask) for i in range(40)]
    assert 0.4 < np.mean(scores) < 0.9
    assert worsened(np.zeros_like(mask), np.random.default_rng(0)).shape == mask.shape


def test_recolouring_keeps_shape_and_changes_colours() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    out = recoloured(frames, np.random.default_rng(1))
    assert out.shape == frames.shape
    assert out.dtype == np.uint8
    assert not np.array_equal(out, frames)


def test_samples_depend_on_seed_and_number_alone(data_root: Path) -> None:
    samples = Samples(data_root, 3, 64, seed=1, free_only=True)
    first = samples[7, 0.5]
    again = Samples(data_root, 3, 64, seed=1, free_only=True)[7, 0.5]
    for value, other in zip(first.values(), again.values(), strict=True):
        assert np.array_equal(value, other)
    assert not np.array_equal(first["frames"], samples[8, 0.5]["frames"])
    assert first["frames"].shape == (3, 64, 64, 3)
    assert first["masks"].shape == (3, 32, 32)
    assert first["others"].shape == (3, 32, 32)
    assert first["worsened"].shape == (32, 32)


def test_others_are_beside_the_object_and_may_be_in_what_is_corrected(data_root: Path) -> None:
    free = Samples(data_root, 3, 64, free_only=True)
    samples = [free[n, 1.0] for n in range(40)]
    for sample in samples:
        both = np.minimum(sample["masks"], sample["others"])
        assert (both > 250).mean() < 0.1  # others are given with errors too
    with_others = [s for s in samples if s["others"].any()]
    assert 5 < len(with_others) < 35
    held = [
        s["worsened"][(s["others"][-1] > 200) & (s["masks"][-1] < 50)].mean() > 127
        for s in with_others
        if ((s["others"][-1] > 200) & (s["masks"][-1] < 50)).sum() > 30
    ]
    assert 0.1 < np.mean(held) < 0.9


def test_free_samples_hold_no_video_and_nothing_for_research_only(data_root: Path) -> None:
    samples = Samples(data_root, 3, 64, free_only=True)
    assert samples.shots == []
    folders = {s.image.parent.parent.name for pool in samples.pools for s in pool.stills}
    assert folders == {"ccp", "coco128seg", "pets"}


def test_clips_show_their_object(data_root: Path) -> None:
    people, things = (pool.stills[:9] for pool in free_stills(data_root)[:2])
    shot = davis_shots(data_root)[0]
    random = np.random.default_rng(0)
    for clip in (
        lambda: video_clip(shot, random, 3, 96, 3),
        lambda: warped_clip(people[0], random, 3, 96, 3),
        lambda: warped_clip(things[0], random, 3, 96, 3),
        lambda: composite_clip([*people, *things], random, 3, 96, 3),
    ):
        made = [clip() for _ in range(6)]
        assert all(frames.shape == (3, 96, 96, 3) for frames, _ in made)
        assert all(set(np.unique(labels)) <= {0, 1, 2} for _, labels in made)
        assert np.mean([(labels[0] == 1).any() for _, labels in made]) > 0.6


@pytest.mark.parametrize("length", [4, 30, 300])
def test_objects_have_the_size_at_which_they_are_looked_at(length: int) -> None:
    labels = np.zeros((320, 568), np.uint8)
    labels[5 : 5 + length, 100:102] = 1
    zooms = [_zoom(labels, np.random.default_rng(i), 256) for i in range(50)]
    assert max(zooms) <= LARGEST_ZOOM
    assert min(zooms) >= 256 / 320  # the picture fills the clip
    if length == 30:
        assert min(LENGTHS) <= 30 * np.mean(zooms) / 256 <= max(LENGTHS)

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from evavos_widget.training.clips import composite_clip, recoloured, video_clip, warped_clip
from evavos_widget.training.samples import FREE_SHARES, SHARES, Positions, Samples, worsened
from evavos_widget.training.sources import coco_stills, davis_shots, people_stills


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
    samples = Samples(data_root, 3, 64, seed=1)
    first = samples[7, 0.5]
    for value, again in zip(first.values(), Samples(data_root, 3, 64, seed=1)[7, 0.5].values(),
                            strict=True):  # fmt: skip
        assert np.array_equal(value, again)
    assert not np.array_equal(first["frames"], samples[8, 0.5]["frames"])
    assert first["frames"].shape == (3, 64, 64, 3)
    assert first["masks"].shape == (3, 32, 32)
    assert first["worsened"].shape == (32, 32)


def test_free_samples_hold_no_video(data_root: Path) -> None:
    assert Samples(data_root, 3, 64, free_only=True).shots == []


def test_clips_show_their_object(data_root: Path) -> None:
    people, things = people_stills(data_root), coco_stills(data_root)
    shot = davis_shots(data_root)[0]
    random = np.random.default_rng(0)
    for clip in (
        lambda: video_clip(shot, random, 3, 96, 10),
        lambda: warped_clip(people[0], random, 3, 96, 10),
        lambda: warped_clip(things[0], random, 3, 96, 10),
        lambda: composite_clip(people + things, random, 3, 96, 10),
    ):
        made = [clip() for _ in range(6)]
        assert all(frames.shape == (3, 96, 96, 3) for frames, _ in made)
        assert all(masks.min() >= 0 and masks.max() <= 1 for _, masks in made)
        assert np.mean([(masks[0] > 0.5).any() for _, masks in made]) > 0.6

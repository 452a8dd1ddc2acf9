from __future__ import annotations

import numpy as np
import pytest

from evavos_widget.probabilities import ProbabilityCache, expected_iou, predicted_quality


class TestExpectedIou:
    def test_is_the_iou_where_probabilities_are_certain(self):
        assert expected_iou((np.arange(60).reshape(6, 10) < 30).astype(np.float32)) == 1.0
        assert expected_iou(np.zeros((6, 10), np.float32)) == 1.0

    def test_equals_the_mean_iou_of_sampled_masks(self):
        rng = np.random.default_rng(0)
        p = rng.random((60, 80))
        chosen = p > 0.5
        samples = [(chosen & m).sum() / (chosen | m).sum() for m in (rng.random((200, 60, 80)) < p)]
        assert expected_iou(p) == pytest.approx(np.mean(samples), abs=2e-3)


class TestCache:
    def test_gives_back_what_was_kept_to_a_step_of_255(self):
        soft = np.random.default_rng(0).dirichlet(np.ones(3), (8, 9)).transpose(2, 0, 1)
        cache = ProbabilityCache(10**6)
        cache.put(4, 7, [2, 5], soft)
        assert np.abs(cache.get(4, 7, 5) - soft[2]).max() <= 0.5 / 255 + 1e-6
        assert cache.get(4, 7, 1) is None
        assert cache.get(4, 6, 2) is None

    def test_lets_the_oldest_go_beyond_the_bound(self):
        noise = np.random.default_rng(0).random((2, 50, 60))
        cache = ProbabilityCache(10_000)  # a frame of noise is about 3,000 bytes
        for frame in range(10):
            cache.put(frame, 1, [1], noise)
        kept = [f for f in range(10) if cache.get(f, 1, 1) is not None]
        assert kept == [7, 8, 9]


class TestPredictedQuality:
    def test_falls_with_distance_and_with_doubt(self):
        sure = (np.arange(600).reshape(20, 30) < 300).astype(np.float32)
        doubtful = 0.5 + 0.4 * (sure - 0.5)
        near, far = predicted_quality(sure, 1), predicted_quality(sure, 40)
        assert 0 < far < near < 1
        assert predicted_quality(doubtful, 1) < near

    def test_nothing_expected_nothing_there_is_finite(self):
        assert 0 < predicted_quality(np.zeros((4, 4), np.float32), 3) < 1

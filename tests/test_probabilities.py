from __future__ import annotations

import numpy as np
import pytest

from evavos_widget.probabilities import ProbabilityCache, expected_iou


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

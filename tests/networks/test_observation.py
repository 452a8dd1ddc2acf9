"""What an agent sees of a mask: its shape, wherever in the picture it lies."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from evavos_widget.networks.observation import SHAPE, KeyEncoder, mask_vector

H, W = 60, 80
KEYS = np.random.default_rng(0).normal(size=(64, 14, 24)).astype(np.float32)
AREA, THIN, PIECES, LARGEST, EDGE, EMPTY = 0, 5, 6, 7, 8, 9


def blobs(seed: int) -> np.ndarray:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(H, W)), 3)
    return noise > np.quantile(noise, 0.7)


def inside() -> np.ndarray:
    mask = np.zeros((H, W), bool)
    mask[20:30, 40:43] = True
    mask[31, 43] = mask[50:52, 10:12] = True
    return mask


def at_the_edge() -> np.ndarray:
    mask = np.zeros((H, W), bool)
    mask[:10, :10] = mask[-4:, -20:] = mask[30, 0] = True
    return mask


@pytest.mark.parametrize(
    "mask", [inside(), at_the_edge(), blobs(1), blobs(2), np.ones((H, W), bool)]
)
def test_the_shape_is_that_of_the_mask_in_the_whole_picture(mask: np.ndarray) -> None:
    shape = mask_vector(KEYS, mask, 0.8)[-SHAPE:]
    square = np.ones((3, 3))
    labels, n = ndimage.label(mask, square)
    area = mask.sum()
    outline = area - ndimage.binary_erosion(mask, square, border_value=1).sum()
    assert shape[AREA] == pytest.approx(np.sqrt(area / mask.size))
    assert shape[PIECES] == pytest.approx(np.log(n))
    assert shape[LARGEST] == pytest.approx(np.bincount(labels.ravel())[1:].max() / area)
    assert shape[THIN] == pytest.approx(np.log(max(outline, 1) ** 2 / area))
    edge = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    assert shape[EDGE] == pytest.approx(edge.mean())
    assert shape[EMPTY] == 0
    assert np.isfinite(shape).all()


def test_of_an_empty_mask_it_is_said_that_it_is() -> None:
    shape = mask_vector(KEYS, np.zeros((H, W), bool), np.nan)[-SHAPE:]
    assert shape[EMPTY] == 1
    assert not shape[:EMPTY].any()


def test_pictures_have_the_same_keys_alone_and_together() -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (3, H, W, 3), dtype=np.uint8)
    together = KeyEncoder()(pictures)
    assert together.shape == (3, *KEYS.shape)
    alone = np.concatenate([KeyEncoder()(picture[None]) for picture in pictures])
    np.testing.assert_allclose(together, alone, atol=1e-4)

"""What every predictor does with images, prompts and probabilities, pixel by pixel."""

from __future__ import annotations

import cv2
import numpy as np

from evavos_widget.prompts import Prediction, Prompts, Scribble

__all__ = ["checked", "clicks_along", "pin", "prediction_of", "scribbled", "start_of"]


def checked(image: np.ndarray) -> np.ndarray:
    """The image, or a `ValueError` when it is not (H, W, 3) uint8."""
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(
            f"the image has shape {image.shape} and type {image.dtype}; give (H, W, 3) uint8 RGB."
        )
    return image


def start_of(prompts: Prompts, height: int, width: int) -> np.ndarray:
    """Foreground probability before the first prompt; it agrees with the previous mask."""
    mask, soft = prompts.previous_mask, prompts.previous_probabilities
    if soft is None:
        return np.zeros((height, width), np.float32) if mask is None else mask.astype(np.float32)
    soft = np.clip(np.nan_to_num(np.asarray(soft, np.float32)), 0, 1)
    if mask is None:
        return soft
    mask = np.asarray(mask, bool)
    return np.where(mask == (soft > 0.5), soft, mask).astype(np.float32)


def scribbled(scribble: Scribble, size: tuple[int, int]) -> np.ndarray:
    """Pixels under a scribble, (H, W) bool."""
    canvas = np.zeros(size, np.uint8)
    # Vertices far outside the picture would overflow OpenCV's coordinates.
    points = np.clip(scribble.points, -1e4, 3e4).round().astype(np.int32)
    thickness = max(1, round(2 * scribble.radius))
    cv2.polylines(canvas, [points.reshape(-1, 1, 2)], False, 1, thickness)
    return canvas.astype(bool)


def clicks_along(scribble: Scribble, spacing: float, most: int) -> list[tuple[float, float, int]]:
    """Column, row and sign (1 or -1) of points evenly along a scribble.

    One for every `spacing` pixels of its length and one more, but no more than `most`.
    """
    points = scribble.points
    reach = np.concatenate([[0], np.hypot(*np.diff(points, axis=0).T).cumsum()])
    count = int(np.clip(reach[-1] / spacing + 1, 1, most))
    at = reach[-1] * (np.arange(count) + 0.5) / count
    x, y = (np.interp(at, reach, points[:, i]) for i in (0, 1))
    sign = 1 if scribble.positive else -1
    return [(float(a), float(b), sign) for a, b in zip(x, y, strict=True)]


def pin(probability: np.ndarray, prompts: Prompts) -> None:
    """Pixels that were pointed at have the label that was said; the last word counts."""
    for scribble in prompts.scribbles:
        probability[scribbled(scribble, probability.shape)] = float(scribble.positive)
    for click in prompts.clicks:
        probability[round(click.y), round(click.x)] = float(click.positive)


def prediction_of(probability: np.ndarray) -> Prediction:
    """Expected overlap with the truth, if each probability is what it says, as the score."""
    mask = probability > 0.5
    union = float(np.where(mask, 1, probability).sum())
    score = float(probability[mask].sum()) / union if union > 0 else 0.0
    return Prediction(mask=mask, probabilities=probability.astype(np.float32), score=score)

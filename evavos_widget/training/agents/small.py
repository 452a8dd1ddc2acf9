"""Videos made small, so that many loops can be simulated on a processor."""

from __future__ import annotations

import cv2
import numpy as np

from evavos_widget.datasets.annotated_video import AnnotatedVideo
from evavos_widget.networks.encoders_of_pairs import SIDE
from evavos_widget.video import Video

__all__ = ["mask_bits", "reduced", "small_jpeg"]


def reduced(
    sequence: AnnotatedVideo, height: int, longest: int, every: int, rng: np.random.Generator
) -> AnnotatedVideo:
    """A video at a smaller size, and of a long one a stretch.

    Parameters
    ----------
    sequence : AnnotatedVideo
        With the truth on every frame that is taken.
    height : int
        In pixels; a video that is no larger stays as it is.
    longest : int
        Frames at most.
    every : int
        Of these many frames one is taken.
    rng : Generator
        Where the stretch begins.
    """
    video = sequence.video
    frames = np.arange(0, video.n_frames, every)
    begin = int(rng.integers(max(len(frames) - longest, 0) + 1))
    taken = frames[begin : begin + longest].tolist()
    if lacking := [f for f in taken if f not in sequence.ground_truth]:
        raise ValueError(
            f"sequence {sequence.name!r} has no mask on frame {lacking[0]}; leave it out, or give "
            "one whose every frame has a mask."
        )
    scale = min(1.0, height / video.height)
    size = round(video.width * scale), round(video.height * scale)
    pictures = np.stack(
        [cv2.resize(video.frame(f), size, interpolation=cv2.INTER_AREA) for f in taken]
    )
    truth = {
        i: cv2.resize(sequence.ground_truth[f], size, interpolation=cv2.INTER_NEAREST)
        for i, f in enumerate(taken)
    }
    return AnnotatedVideo(sequence.name, Video.open(pictures, name=sequence.name), truth)


def small_jpeg(image: np.ndarray) -> np.ndarray:
    """A frame, (H, W, 3) uint8 RGB, as the bytes of a JPEG that `paper` networks see."""
    small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    _, coded = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
    return np.asarray(coded, np.uint8).ravel()


def mask_bits(mask: np.ndarray) -> np.ndarray:
    """A mask, (H, W) bool, at that size, eight pixels in a byte."""
    small = cv2.resize(mask.astype(np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    return np.packbits(small.astype(bool))

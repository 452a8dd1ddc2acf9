"""Flat layers with soft edges, moved, bent and stacked into labelled frames.

A `Layer` is a picture with a matte; an `Actor` is a layer and the `Pose` it takes at any
time. `expose` stacks actors over a `Backdrop` as a camera would: colours are averaged over
the time the shutter is open, labels are those of the middle of that time.

Time is counted in frames and places in pixels, x to the right and y down; the centre of the
top-left pixel is (0, 0).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np

__all__ = ["Actor", "Backdrop", "Exposure", "Layer", "Pose", "Wave", "expose"]

Coordinates = tuple[np.ndarray, np.ndarray]
Region = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class Layer:
    """Something flat that can be put into a picture.

    Attributes
    ----------
    picture : (h, w, 3) uint8 array, RGB
    matte : (h, w) float array in [0, 1]
        How much of each pixel the thing covers; half and more is labelled.
    label : int
        The object's id in the label map, 0 for what is not an object: an occluder or a
        distractor.
    """

    picture: np.ndarray
    matte: np.ndarray
    label: int = 0

    @cached_property
    def premultiplied(self) -> np.ndarray:
        """(h, w, 4) float32: RGB in [0, 255] times the matte, and the matte.

        Interpolation between such pixels never lets the colour of an uncovered pixel in.
        """
        matte = self.matte[..., None].astype(np.float32)
        return np.concatenate([self.picture * matte, matte], axis=2)

    def mirrored(self) -> Layer:
        """Swap left and right."""
        picture, matte = self.picture[:, ::-1], self.matte[:, ::-1]
        return Layer(np.ascontiguousarray(picture), np.ascontiguousarray(matte), self.label)


class Wave(NamedTuple):
    """One travelling ripple that bends a layer.

    Attributes
    ----------
    shift : (float, float)
        The greatest displacement along x and y, in pixels of the layer.
    cycles : (float, float)
        Cycles per pixel of the layer along x and y.
    phase : float
        In radians; changing it with time makes the ripple travel.
    """

    shift: tuple[float, float]
    cycles: tuple[float, float]
    phase: float


@dataclass(frozen=True)
class Pose:
    """Where a layer is at one moment: a similarity, and ripples.

    Attributes
    ----------
    position : (float, float)
        The pixel of the frame the pivot falls on.
    pivot : (float, float)
        The point of the layer that it turns and grows about.
    scale : float
        Pixels of the frame per pixel of the layer.
    angle : float
        In radians, clockwise.
    waves : tuple of Wave
        Added to each other.
    """

    position: tuple[float, float]
    pivot: tuple[float, float]
    scale: float = 1.0
    angle: float = 0.0
    waves: tuple[Wave, ...] = ()

    def region(self, layer: Layer, shape: tuple[int, int]) -> Region:
        """Rows and columns of a frame of `shape` outside of which the layer cannot be seen."""
        height, width = shape
        reach_x = 1 + sum(abs(wave.shift[0]) for wave in self.waves)
        reach_y = 1 + sum(abs(wave.shift[1]) for wave in self.waves)
        x = np.array([-reach_x, layer.matte.shape[1] - 1 + reach_x]) - self.pivot[0]
        y = np.array([-reach_y, layer.matte.shape[0] - 1 + reach_y]) - self.pivot[1]
        cos, sin = self.scale * np.cos(self.angle), self.scale * np.sin(self.angle)
        columns = self.position[0] + np.add.outer(cos * x, -sin * y)
        rows = self.position[1] + np.add.outer(sin * x, cos * y)

        def between(values: np.ndarray, end: int) -> slice:
            first, last = np.floor(values.min()), np.ceil(values.max()) + 1
            return slice(int(np.clip(first, 0, end)), int(np.clip(last, 0, end)))

        return between(rows, height), between(columns, width)

    def layer_coordinates(self, region: Region, dtype: type[np.floating]) -> Coordinates:
        """The point of the layer that each pixel of `region` shows, as maps of x and of y."""
        cos, sin = np.cos(self.angle) / self.scale, np.sin(self.angle) / self.scale
        rows = np.arange(region[0].start, region[0].stop)[:, None] - self.position[1]
        columns = np.arange(region[1].start, region[1].stop)[None, :] - self.position[0]
        # Each map is the sum of a column and a row, which spares most of the work on pixels.
        x_parts = (self.pivot[0] + sin * rows, cos * columns)
        y_parts = (self.pivot[1] + cos * rows, -sin * columns)

        def whole(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
            return rows.astype(dtype) + columns.astype(dtype)

        x, y = whole(*x_parts), whole(*y_parts)
        for wave in self.waves:
            across, down = 2 * np.pi * wave.cycles[0], 2 * np.pi * wave.cycles[1]
            turns = [across * x + down * y for x, y in zip(x_parts, y_parts, strict=True)]
            ripple = np.sin(whole(turns[0] + wave.phase, turns[1]))
            x += dtype(wave.shift[0]) * ripple
            y += dtype(wave.shift[1]) * ripple
        return x, y


@dataclass(frozen=True)
class Actor:
    """A layer and the pose it takes at each time, which is counted in frames."""

    layer: Layer
    pose: Callable[[float], Pose]


@dataclass(frozen=True, eq=False)
class Backdrop:
    """The picture behind everything, continued by mirroring it, and its pose at each time.

    Attributes
    ----------
    picture : (h, w, 3) uint8 array, RGB
    pose : callable of a time in frames
    """

    picture: np.ndarray
    pose: Callable[[float], Pose]


class Exposure(NamedTuple):
    """One frame.

    Attributes
    ----------
    picture : (H, W, 3) float32 array in [0, 255], RGB
    labels : (H, W) uint8 array
    hidden : (K,) float array in [0, 1]
        For each actor that has a label, in their order: the fraction of what the frame could
        show of it that lies behind other actors; 1 where the frame shows none of it.
    """

    picture: np.ndarray
    labels: np.ndarray
    hidden: np.ndarray


def expose(
    backdrop: Backdrop,
    actors: Sequence[Actor],
    shape: tuple[int, int],
    time: float,
    exposure: float = 0.5,
    samples: int = 7,
) -> Exposure:
    """Take one frame.

    Parameters
    ----------
    backdrop : Backdrop
    actors : sequence of Actor
        From the farthest to the nearest.
    shape : (int, int)
        Height and width of the frame in pixels.
    time : float
        The middle of the exposure, in frames.
    exposure : float
        How long the shutter is open, in frames; 0 gives a frame without motion blur.
    samples : int
        How many moments the colours are averaged over where the shutter stays open.

    Returns
    -------
    Exposure
    """
    samples = samples if exposure > 0 else 1
    offsets = (np.arange(samples) + 0.5) / samples - 0.5
    planes = np.zeros((3, *shape), np.float32)
    for moment in time + exposure * offsets:
        canvas = _backdrop_planes(backdrop, moment, shape)
        for actor in actors:
            _paint(canvas, actor.layer, actor.pose(moment))
        planes += canvas
    picture = np.ascontiguousarray(np.moveaxis(planes / samples, 0, 2))
    return Exposure(picture, *_label(actors, shape, time))


def _backdrop_planes(backdrop: Backdrop, time: float, shape: tuple[int, int]) -> np.ndarray:
    everywhere = slice(0, shape[0]), slice(0, shape[1])
    x, y = backdrop.pose(time).layer_coordinates(everywhere, np.float32)
    mirror = cv2.BORDER_REFLECT_101
    shown = cv2.remap(backdrop.picture, x, y, cv2.INTER_LINEAR, borderMode=mirror)
    return np.stack(cv2.split(shown)).astype(np.float32)


def _paint(canvas: np.ndarray, layer: Layer, pose: Pose) -> None:
    """Put the layer over `canvas`: (3, H, W) float32, since whole planes blend fastest."""
    region = pose.region(layer, canvas.shape[1:])
    x, y = pose.layer_coordinates(region, np.float32)
    if x.size == 0:
        return
    over = cv2.remap(layer.premultiplied, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    *colors, matte = cv2.split(over)
    clear = 1 - matte
    for plane, color in zip(canvas, colors, strict=True):
        under = plane[region]
        under *= clear
        under += color


def _label(
    actors: Sequence[Actor], shape: tuple[int, int], time: float
) -> tuple[np.ndarray, np.ndarray]:
    owner = np.full(shape, -1)
    areas = np.zeros(len(actors))
    for index, actor in enumerate(actors):
        pose = actor.pose(time)
        region = pose.region(actor.layer, shape)
        covered = _sample(actor.layer.matte, *pose.layer_coordinates(region, np.float64)) >= 0.5
        owner[region][covered] = index
        areas[index] = covered.sum()
    seen = np.bincount(owner[owner >= 0], minlength=len(actors))
    hidden = 1 - seen / np.maximum(areas, 1)
    objects = [index for index, actor in enumerate(actors) if actor.layer.label]
    label_of = np.array([actor.layer.label for actor in actors] + [0], np.uint8)  # -1 is the last
    return label_of[owner], hidden[objects]


def _sample(matte: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    # Bilinear, 0 outside. In float64 and NumPy rather than OpenCV, whose rounding differs
    # between releases and processors, so that a seed gives the same labels everywhere.
    height, width = matte.shape
    padded = np.zeros((height + 2, width + 2))
    padded[1:-1, 1:-1] = matte
    x = np.clip(x + 1, 0, width + 1)
    y = np.clip(y + 1, 0, height + 1)
    column = np.minimum(x.astype(int), width)
    row = np.minimum(y.astype(int), height)
    x -= column
    y -= row
    corner = row * (width + 2) + column
    flat = padded.ravel()
    top = flat[corner] * (1 - x) + flat[corner + 1] * x
    corner += width + 2
    bottom = flat[corner] * (1 - x) + flat[corner + 1] * x
    return top * (1 - y) + bottom * y

"""Short videos with exact ground truth, made of photographs: two objects on the move.

The scene is always the same short play, cast, mirrored and varied by the seed. Two objects
stand apart in the first frame. They trade places, one passing behind the other; the second
leaves the picture, for some seeds entirely, and comes back; a look-alike drifts behind both;
and towards the end a horse walks past in front of everything. The camera pans, zooms and
shakes, the light changes, and the sensor is noisy. `Difficulty` sets how much of each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np

from evavos_widget.datasets import cutouts
from evavos_widget.datasets.compositing import Actor, Backdrop, Layer, Pose, expose
from evavos_widget.datasets.movement import Camera, Light, ripples, swing
from evavos_widget.quantities import as_quantity

__all__ = ["Clip", "Difficulty", "render_clip"]

CAST = ("astronaut", "cup", "shuttle", "cat")
"""Who may play the two objects."""

GROUNDED = "astronaut"
"""Cut off by the lower edge of its photograph, so it stays at the lower edge of the frame."""

KNOTS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Moments of the clip, as fractions of its length, between which paths are smooth."""

TRADE_PLACES = {1: (0.0, 0.07, 0.22, 0.34, 0.38), 2: (0.0, -0.2, -0.5, -0.74, -0.52)}
"""How far each object moves to the right at `KNOTS`, in frame widths."""

DIP = {1: (0.0, 0.0, 0.0, 0.0, 0.0), 2: (0.0, 0.08, 0.14, 0.06, 0.0)}
"""How far each object moves down at `KNOTS`, in frame heights."""

HOMES = {1: 0.3, 2: 0.76}
"""Where each object stands in the first frame, in frame widths from the left."""


@dataclass(frozen=True)
class Difficulty:
    """How hard a clip is; 0 turns a setting off, 1 is the embedded clip, more is harder.

    Attributes
    ----------
    motion : float
        How far the objects travel and turn.
    deformation : float
        How far they bend, without which they are rigid.
    occlusion : float
        Whether the objects cross each other's way and how far (up to 1), and how large the
        foreground occluder is.
    camera : float
        Pan, zoom, roll and shake.
    scale : float
        By how much the objects come nearer and go away.
    blur : float
        How long the shutter is open; 1 is half of the time between frames, 2 and more all.
    distractors : float
        How many look-alikes of the second object, rounded up.
    noise : float
        Standard deviation of the sensor noise; 1 is 2.2 of 255 levels.
    illumination : float
        By how much the light changes in brightness and warmth.
    """

    motion: float = 1.0
    deformation: float = 1.0
    occlusion: float = 1.0
    camera: float = 1.0
    scale: float = 1.0
    blur: float = 1.0
    distractors: float = 1.0
    noise: float = 1.0
    illumination: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            as_quantity(
                f"difficulty {field.name}",
                getattr(self, field.name),
                "a number from 0 (off) upwards, 1 being the usual",
            )

    @classmethod
    def uniform(cls, value: float) -> Difficulty:
        """Set everything to the same value."""
        return cls(**{field.name: float(value) for field in fields(cls)})


@dataclass(frozen=True, eq=False)
class Clip:
    """A rendered video with its ground truth.

    Attributes
    ----------
    frames : (N, H, W, 3) uint8 array, RGB
    labels : (N, H, W) uint8 array
        0 is background, 1 to K are the objects.
    hidden : (N, K) float array in [0, 1]
        The fraction of what the frame could show of each object that lies behind something.
    names : K strings
        What the objects are.
    photographs : tuple of str
        Names of those that it is made of, where they are not the package's own.
    """

    frames: np.ndarray
    labels: np.ndarray
    hidden: np.ndarray
    names: tuple[str, ...]
    photographs: tuple[str, ...] = ()


def render_clip(
    seed: int = 0,
    n_frames: int = 60,
    height: int = 480,
    width: int = 854,
    difficulty: float | Difficulty = 1.0,
) -> Clip:
    """Render a clip of two objects moving over a photographic background.

    Equal arguments give equal labels on every machine, and frames that are equal up to the
    rounding of OpenCV. The seed alone decides about the cast, the background and the paths;
    the difficulty only how much becomes of them.

    Parameters
    ----------
    seed : int
        From 0 upwards.
    n_frames : int
        The whole play in so many frames; fewer frames make everything faster.
    height, width : int
        Size of the frames in pixels, at least 16 each.
    difficulty : float or Difficulty
        A number sets all of `Difficulty` to it.

    Returns
    -------
    Clip

    Raises
    ------
    ImportError
        If scikit-image, from whose photographs the clip is made, is not installed.
    ValueError
        If an argument is out of its range.
    """
    for name, value, least in (
        ("seed", seed, 0),
        ("n_frames", n_frames, 1),
        ("height", height, 16),
        ("width", width, 16),
    ):
        if value < least:
            raise ValueError(f"{name} is {value}; give at least {least}.")
    if not isinstance(difficulty, Difficulty):
        difficulty = Difficulty.uniform(difficulty)

    scene = _Scene(seed, n_frames, height, width, difficulty)
    frames = np.empty((n_frames, height, width, 3), np.uint8)
    labels = np.empty((n_frames, height, width), np.uint8)
    hidden = np.empty((n_frames, 2))
    for index in range(n_frames):
        exposure = expose(
            scene.backdrop, scene.actors, (height, width), index, min(1, 0.5 * difficulty.blur)
        )
        noise = np.random.default_rng([seed, 1, index])
        picture = exposure.picture * scene.light.at(scene.camera.moment(index))
        picture += 2.2 * difficulty.noise * noise.standard_normal(picture.shape, np.float32)
        frames[index] = np.rint(np.clip(picture, 0, 255))
        labels[index] = exposure.labels
        hidden[index, scene.order] = exposure.hidden
    return Clip(frames, labels, hidden, scene.names)


class _Scene:
    """The play: who is where at any time.

    Lengths are in frame heights.
    """

    def __init__(
        self, seed: int, n_frames: int, height: int, width: int, difficulty: Difficulty
    ) -> None:
        self.random = np.random.default_rng([seed, 0])
        self.height, self.width = height, width
        self.aspect = width / height
        self.difficulty = difficulty
        self.mirrored = bool(self.random.integers(2))

        cast = list(self.random.permutation(CAST)[:2])
        cast.sort(key=lambda name: name != GROUNDED)
        self.names = (str(cast[0]), str(cast[1]))
        backdrop = str(self.random.choice(list(cutouts.BACKGROUNDS)))

        self.camera = Camera(self.random, height, width, n_frames, difficulty.camera)
        self.light = Light(self.random, difficulty.illumination)

        self.backdrop = self._backdrop(backdrop)
        first, second = self._object(1), self._object(2)
        look_alikes = [self._look_alike() for _ in range(int(np.ceil(difficulty.distractors)))]
        self.order = [0, 1] if self.random.random() < 0.3 else [1, 0]
        objects = [(first, second)[index] for index in self.order]
        occluder = [self._horse()] if difficulty.occlusion else []
        self.actors = [*look_alikes, *objects, *occluder]

    # The cast ---------------------------------------------------------------------------

    def _backdrop(self, name: str) -> Backdrop:
        picture = cutouts.background(name, round(1.3 * self.height), round(1.2 * self.width))
        rows, columns = picture.shape[:2]
        pivot = ((columns - 1) / 2, (rows - 1) / 2)
        centre = (self.aspect / 2, 0.5)
        return Backdrop(picture, lambda time: self.camera.seen(time, centre, pivot, parallax=0.5))

    def _object(self, label: int) -> Actor:
        random, difficulty = self.random, self.difficulty
        name = self.names[label - 1]
        grounded = name == GROUNDED
        rows = {1: 0.95 if grounded else 0.52, 2: 0.36}[label] * random.uniform(0.92, 1.08)
        layer = self._layer(name, rows, label)
        far = min(1.0, difficulty.occlusion) * np.array(TRADE_PLACES[label])
        x = self.aspect * (far + random.uniform(-0.03, 0.03, len(KNOTS)))
        y = np.array(DIP[label]) + random.uniform(-0.07, 0.07, len(KNOTS))
        home = (self.aspect * HOMES[label], {1: 1.12 if grounded else 0.58, 2: 0.38}[label])
        path = self._path(home, x, 0 * y if grounded else y)
        turn = swing(self.random, (0.06 if grounded else 0.35) * difficulty.motion, 1.2)
        growth = swing(self.random, (0.08 if grounded else 0.2) * difficulty.scale, 0.9)
        return self._actor(layer, path, turn, growth, grounded=grounded)

    def _look_alike(self) -> Actor:
        random = self.random
        layer = self._layer(self.names[1], 0.3 * random.uniform(0.9, 1.1))
        tint = np.array([0.9, 0.95, 1.05])
        tinted = np.rint(np.clip(layer.picture * tint, 0, 255)).astype(np.uint8)
        home = (self.aspect * random.uniform(0.46, 0.56), random.uniform(0.16, 0.24))
        x = self.aspect * np.array([0, 0.07, 0.0, -0.12, -0.2])
        path = self._path(home, x, random.uniform(-0.06, 0.1, len(KNOTS)))
        turn = swing(self.random, 0.3 * self.difficulty.motion, 1.0)
        growth = swing(self.random, 0.1 * self.difficulty.scale, 0.8)
        return self._actor(replace(layer, picture=tinted).mirrored(), path, turn, growth)

    def _horse(self) -> Actor:
        layer = self._layer("horse", 0.5 + 0.36 * min(1.4, self.difficulty.occlusion))
        if self.mirrored:  # it looks to the right in its picture, and walks to the right
            layer = layer.mirrored()
        reach = 0.6 * layer.matte.shape[1] / self.height
        start, end = -reach, self.aspect + reach
        period = self.random.uniform(11, 13)

        def path(time: float) -> tuple[float, float]:
            x = start + (end - start) * (self.camera.moment(time) - 0.4) / 0.68
            return x, 1.06 + 0.012 * np.sin(2 * np.pi * time / period)

        turn = swing(self.random, 0.03, 3.0)
        return self._actor(
            layer, path, turn, swing(self.random, 0.0, 1.0), grounded=True, parallax=1.4
        )

    def _layer(self, name: str, rows: float, label: int = 0) -> Layer:
        return cutouts.cutout(name, max(4, round(rows * self.height)), label)

    def _actor(
        self,
        layer: Layer,
        path: Callable[[float], tuple[float, float]],
        turn: Callable[[float], float],
        growth: Callable[[float], float],
        *,
        grounded: bool = False,
        parallax: float = 1.0,
    ) -> Actor:
        rows, columns = layer.matte.shape
        pivot = ((columns - 1) / 2, rows - 1 if grounded else (rows - 1) / 2)
        waves = ripples(self.random, rows, self.difficulty.deformation)

        def pose(time: float) -> Pose:
            moment = self.camera.moment(time)
            x, y = path(time)
            place = (self.aspect - x if self.mirrored else x, y)
            seen = self.camera.seen(time, place, pivot, parallax)
            return replace(
                seen,
                scale=seen.scale * np.exp(growth(moment)),
                angle=seen.angle + turn(moment),
                waves=waves(time),
            )

        return Actor(layer, pose)

    def _path(
        self, home: tuple[float, float], x: np.ndarray, y: np.ndarray
    ) -> Callable[[float], tuple[float, float]]:
        """From `home` along offsets at `KNOTS`, the first of which does not count."""
        from scipy.interpolate import CubicSpline

        offsets = self.difficulty.motion * np.stack([x, y], axis=1)
        spline = CubicSpline(KNOTS, home + offsets - offsets[0])

        def path(time: float) -> tuple[float, float]:
            x, y = spline(self.camera.moment(time))
            return float(x), float(y)

        return path

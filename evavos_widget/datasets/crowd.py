"""`crowd`: synthetic videos that are hard to follow, with exact ground truth.

Things cut out of photographs move over another photograph: several objects, some of which look
alike; bystanders that look like them and are none; passers-by in front; objects that leave the
picture and come back, perhaps on the other side; a camera that pans, zooms and shakes; scale, blur,
noise and changing light. `LEVELS` sets how much of it. Any folders of photographs with masks will
do, see `photographs.read_photographs`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from evavos_widget.datasets.compositing import Actor, Backdrop, Layer, Pose, expose
from evavos_widget.datasets.movement import Camera, Light, Swing, ripples, swing
from evavos_widget.datasets.photographs import Photograph, cut_out
from evavos_widget.datasets.synthetic import Clip

__all__ = ["LEVELS", "Level", "render_crowd"]

FRAMES = (60, 100)
"""A video has so many frames, from and to."""

KNOTS = 5
"""Places that an object's path goes through."""

EXPOSURE = 0.5
"""Of the time between two frames that the shutter is open, at strength 1."""

SAMPLES = 5
"""Moments that a frame's colours are averaged over."""

NOISE = 2.2
"""Standard deviation of the sensor noise at strength 1, of 255 levels."""

FIRST_HIDDEN = 0.25
"""On the first frame no more than this of any object is behind others."""

FIRST_AREA = 0.004
"""And it covers at least this part of the picture."""

TRIES = 100
"""So many scenes are drawn for a seed until the first frame shows all objects."""


@dataclass(frozen=True)
class Level:
    """How difficult a video is.

    Parameters
    ----------
    objects : int
        With ground truth.
    twins : int
        Of the objects, copies of others.
    bystanders : int
        Copies of objects that are none.
    passers : int
        Other things that pass in front of all.
    leaving : float
        The share of objects that leave the picture and come back, 0 to 1.
    strength : float
        Of motion, deformation, camera, scale, blur, noise and light; 1 is as in the embedded
        clip, see `synthetic.Difficulty`.
    """

    objects: int
    twins: int
    bystanders: int
    passers: int
    leaving: float
    strength: float


LEVELS = {
    "easy": Level(2, 0, 1, 1, 0.5, 0.5),
    "middle": Level(3, 1, 1, 1, 0.34, 0.8),
    "hard": Level(5, 2, 4, 3, 0.8, 1.5),
}
"""By name, each more difficult than the one before."""


def render_crowd(
    photographs: Sequence[Photograph],
    seed: int,
    level: str | Level = "middle",
    *,
    n_frames: int | None = None,
    height: int = 480,
    width: int = 854,
) -> Clip:
    """Render one video.

    Equal arguments give equal labels on every machine where the photographs are read alike.

    Parameters
    ----------
    photographs : sequence of Photograph
        Of one side.
    seed : int
        From 0 upwards. It decides about the photographs and the paths.
    level : str or Level
        A key of `LEVELS`, or one of your own.
    n_frames : int, optional
        By default 60 to 100, as the seed has it.
    height, width : int
        Of the frames in pixels, at least 64 each.

    Returns
    -------
    Clip
        Its objects are numbered from 1; ``names`` are those of their photographs, and
        ``photographs`` those of all that were used, the background first.

    Raises
    ------
    ValueError
        An argument is out of its range, there is no such level, or the photographs have too few
        objects that can be cut out.
    """
    if isinstance(level, str):
        if level not in LEVELS:
            raise ValueError(f"there is no level {level!r}; choose from {sorted(LEVELS)}.")
        level = LEVELS[level]
    for name, value, least in (("seed", seed, 0), ("height", height, 64), ("width", width, 64)):
        if value < least:
            raise ValueError(f"{name} is {value}; give at least {least}.")
    scene = _visible_scene(photographs, seed, level, n_frames, (height, width))
    n = scene.n_frames
    frames = np.empty((n, height, width, 3), np.uint8)
    labels = np.empty((n, height, width), np.uint8)
    hidden = np.empty((n, level.objects))
    order = [actor.layer.label - 1 for actor in scene.actors if actor.layer.label]
    for time in range(n):
        shot = expose(
            scene.backdrop,
            scene.actors,
            (height, width),
            time,
            min(1, EXPOSURE * level.strength),
            samples=SAMPLES,
        )
        noise = np.random.default_rng([seed, 1, time])
        picture = shot.picture * scene.light.at(scene.camera.moment(time))
        picture += NOISE * level.strength * noise.standard_normal(picture.shape, np.float32)
        frames[time] = np.rint(np.clip(picture, 0, 255))
        labels[time] = shot.labels
        hidden[time, order] = shot.hidden
    return Clip(frames, labels, hidden, scene.names, scene.photographs)


def _visible_scene(
    photographs: Sequence[Photograph],
    seed: int,
    level: Level,
    n_frames: int | None,
    shape: tuple[int, int],
) -> _Scene:
    """The first scene of a seed whose first frame shows all objects."""
    for attempt in range(TRIES):
        random = np.random.default_rng([seed, 0, attempt])
        scene = _Scene(random, photographs, level, n_frames, shape)
        first = expose(scene.backdrop, scene.actors, shape, 0, 0)
        areas = [(first.labels == obj).mean() for obj in range(1, level.objects + 1)]
        if first.hidden.max() <= FIRST_HIDDEN and min(areas) >= FIRST_AREA:
            return scene
    raise ValueError(
        f"no scene of seed {seed} shows all {level.objects} objects on its first frame; give a "
        "level with fewer objects."
    )


class _Scene:
    """Who is where at any time; lengths are in frame heights."""

    def __init__(
        self,
        random: np.random.Generator,
        photographs: Sequence[Photograph],
        level: Level,
        n_frames: int | None,
        shape: tuple[int, int],
    ) -> None:
        self.random, self.level = random, level
        drawn_frames = int(random.integers(FRAMES[0], FRAMES[1] + 1))
        self.n_frames = drawn_frames if n_frames is None else n_frames
        self.height, self.width = shape
        self.aspect = self.width / self.height
        self.camera = Camera(random, *shape, self.n_frames, level.strength)
        self.light = Light(random, level.strength)

        used: list[str] = []
        drawn = _cut_outs(photographs, random, used)
        self.backdrop = self._backdrop(photographs, used)
        own = [next(drawn) for _ in range(level.objects - level.twins)]
        cast = own + [own[i % len(own)] for i in range(level.twins)]
        self.names = tuple(name for name, _, _ in cast)
        homes = (random.permutation(level.objects) + 0.5) / level.objects
        leavers = set(random.permutation(level.objects)[: round(level.leaving * level.objects)])
        wandering = [
            self._wanderer(
                self._layer(cast[i], i + 1, twin=i >= len(own)), homes[i], leaves=i in leavers
            )
            for i in range(level.objects)
        ]
        for i in range(level.bystanders):
            copied = self._layer(cast[i % len(cast)], 0, twin=True)
            wandering.append(self._wanderer(copied, random.uniform(), leaves=False))
        depths = random.permutation(len(wandering))
        self.actors = [wandering[i] for i in depths] + [
            self._passer(self._layer(next(drawn), 0, tall=True)) for _ in range(level.passers)
        ]
        self.photographs = tuple(dict.fromkeys(used))

    def _backdrop(self, photographs: Sequence[Photograph], used: list[str]) -> Backdrop:
        rows, columns = round(1.3 * self.height), round(1.3 * self.width)
        for index in self.random.permutation(len(photographs)):
            chosen = photographs[index]
            picture = chosen.picture()
            if picture.shape[1] >= picture.shape[0]:  # one that is upright would be blurred
                break
        else:
            raise ValueError("no photograph is as wide as high, for a background; give one.")
        used.append(chosen.name)
        scale = max(rows / picture.shape[0], columns / picture.shape[1])
        size = round(scale * picture.shape[1]), round(scale * picture.shape[0])
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
        pivot = (size[0] - 1) / 2, (size[1] - 1) / 2
        centre = self.aspect / 2, 0.5
        return Backdrop(picture, lambda time: self.camera.seen(time, centre, pivot, parallax=0.5))

    def _layer(self, of: _CutOut, label: int, *, twin: bool = False, tall: bool = False) -> Layer:
        """A thing of the cast; a twin is a little other in colour and size, or mirrored."""
        random = self.random
        crowded = min(1.0, (3 / self.level.objects) ** 0.5)
        rows = random.uniform(0.55, 0.85) if tall else crowded * random.uniform(0.34, 0.55)
        _, picture, mask = of
        wide = mask.any(axis=0).sum() / mask.any(axis=1).sum()
        rows /= max(1.0, wide)  # what lies is as long as what stands is high
        gain = np.exp(random.normal(0, 0.04, 3))
        if twin:
            picture = np.rint(np.clip(picture * gain, 0, 255)).astype(np.uint8)
        layer = cut_out(picture, mask, max(8, round(rows * self.height)), label)
        mirrored = random.random() < 0.5
        return layer.mirrored() if twin and mirrored else layer

    def _wanderer(self, layer: Layer, home: float, *, leaves: bool) -> Actor:
        random, strength = self.random, self.level.strength
        start = self.aspect * (home + random.uniform(-0.03, 0.03)), random.uniform(0.4, 0.7)
        x = random.uniform(0.12, 0.88, KNOTS) * self.aspect
        y = random.uniform(0.3, 0.8, KNOTS)
        reach = min(1.0, 0.6 * strength)
        path = _path(np.array(start), reach * (np.stack([x, y], axis=1) - start))
        away = self._absence(leaves)
        return self._actor(layer, path, away, random.uniform(0.8, 1.2))

    def _passer(self, layer: Layer) -> Actor:
        random = self.random
        reach = layer.matte.shape[1] / self.height
        ends = np.array([-reach, self.aspect + reach])[:: 1 if random.random() < 0.5 else -1]
        begins, lasts = random.uniform(0.12, 0.6), random.uniform(0.25, 0.4)
        y = random.uniform(0.55, 0.75)

        def path(moment: float) -> np.ndarray:
            part = np.clip((moment - begins) / lasts, 0, 1)
            return np.array([ends[0] + (ends[1] - ends[0]) * part, y])

        def gone(moment: float) -> float:
            return float(not begins < moment < begins + lasts)

        return self._actor(layer, path, gone, 1.4)

    def _absence(self, leaves: bool) -> Swing:
        """How far an object is out of the picture at a moment: 0 in its place, 1 gone."""
        random = self.random
        begins, lasts = random.uniform(0.15, 0.45), random.uniform(0.12, 0.25)
        ramp = random.uniform(0.1, 0.15)
        if not leaves:
            return lambda moment: 0.0

        def away(moment: float) -> float:
            out = np.clip((moment - begins) / ramp, 0, 1)
            back = np.clip((moment - begins - ramp - lasts) / ramp, 0, 1)
            part = out - back
            return float(part * part * (3 - 2 * part))

        return away

    def _actor(
        self,
        layer: Layer,
        path: Callable[[float], np.ndarray],
        away: Swing,
        parallax: float,
    ) -> Actor:
        """An actor on a path, which is not to be seen while `away` is 1."""
        random, strength, camera = self.random, self.level.strength, self.camera
        rows, columns = layer.matte.shape
        pivot = (columns - 1) / 2, (rows - 1) / 2
        turn = swing(random, 0.3 * strength, 1.2)
        growth = swing(random, 0.18 * strength, 0.9)
        waves = ripples(random, rows, strength)
        leaves_left, comes_left = random.random(2) < 0.5
        middle = random.uniform(0.35, 0.75) * self.height

        def pose(time: float) -> Pose:
            moment = camera.moment(time)
            place = path(moment)
            seen = camera.seen(time, (float(place[0]), float(place[1])), pivot, parallax)
            scale = seen.scale * np.exp(growth(moment))
            bent = waves(time)
            part = away(moment)
            position = np.array(seen.position)
            if part > 0:
                left = leaves_left if away(moment - 0.01) <= part < 1 else comes_left
                margin = 2 + sum(abs(wave.shift[0]) + abs(wave.shift[1]) for wave in bent)
                far = scale * (np.hypot(rows, columns) / 2 + margin)
                outside = np.array([-far if left else self.width + far, middle])
                position = (1 - part) * position + part * outside
            return replace(
                seen,
                position=(float(position[0]), float(position[1])),
                scale=scale,
                angle=seen.angle + turn(moment),
                waves=bent,
            )

        return Actor(layer, pose)


_CutOut = tuple[str, np.ndarray, np.ndarray]
"""The name of a photograph, the photograph, and the mask of one object on it."""


def _cut_outs(
    photographs: Sequence[Photograph], random: np.random.Generator, used: list[str]
) -> Iterator[_CutOut]:
    """Objects of different photographs, in random order, none of those `used` before."""
    for index in random.permutation(len(photographs)):
        photograph = photographs[index]
        if photograph.name in used:
            continue
        objects = photograph.objects()
        if objects:
            used.append(photograph.name)
            yield photograph.name, photograph.picture(), objects[random.integers(len(objects))]
    raise ValueError(
        f"the {len(photographs)} photographs have too few objects that can be cut out; give more."
    )


def _path(start: np.ndarray, offsets: np.ndarray) -> Callable[[float], np.ndarray]:
    """A smooth path from `start` through places around it, (KNOTS, 2), of a moment."""
    from scipy.interpolate import CubicSpline

    places = start + np.concatenate([np.zeros((1, 2)), offsets])
    return CubicSpline(np.linspace(0, 1, len(places)), places)

"""`narrated`: made videos of objects that look alike, and narratives that tell them apart.

In every video are three or four things of one kind, or two of each of two kinds, all from one
photograph of the kind or each from its own. One property sets them apart: colour, place, motion or
size; nothing else about them tells which one a narrator means. `captions` has the words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from evavos_widget.datasets import cutouts
from evavos_widget.datasets.captions import COLOURS, Said, Subject, narrate
from evavos_widget.datasets.compositing import Actor, Backdrop, Layer, Pose, expose
from evavos_widget.datasets.movement import Camera, swing
from evavos_widget.datasets.photographs import Photograph, cut_out, read_photographs

__all__ = [
    "NARRATORS",
    "SHARES",
    "Cast",
    "NarratedClip",
    "embedded_cast",
    "photographed_cast",
    "render_narrated",
]

SHARES = {"colour": 0.35, "place": 0.25, "motion": 0.25, "size": 0.15}
"""How often each property is the one that sets the objects apart."""

NARRATORS = 4
"""So many narratives a video has, each in its own words."""

N_FRAMES = 12

MIXED = 0.3
"""How often there are two kinds of things, where colours set them apart."""

ONE_PHOTOGRAPH = 0.6
"""How often all things of a kind are cut out of the same photograph."""

TINT = 0.75
"""How much of a named colour goes into a thing, 1 being all."""

LEVELS = {
    "red": (225, 35, 30),
    "green": (40, 190, 50),
    "blue": (40, 80, 230),
    "yellow": (240, 220, 40),
    "purple": (165, 50, 190),
    "white": (255, 255, 255),
    "black": (38, 38, 40),
}
"""What the lightest parts of a thing become under the name of a colour, RGB."""

TRAVEL = 0.42
"""A thing that moves goes so far in the video, in frame heights."""

HIDDEN = 0.5
"""On no frame is more than this of any object behind others."""

TRIES = 50
"""So many scenes are drawn for a seed until one shows all objects."""

HEIGHTS = {"small": (0.19, 0.23), "middle-sized": (0.33, 0.37), "large": (0.53, 0.6)}
"""Of things that their size sets apart, in frame heights."""

HOMES = {
    "left": (0.17, 0.55),
    "right": (0.83, 0.55),
    "middle": (0.5, 0.52),
    "top": (0.5, 0.24),
    "bottom": (0.5, 0.78),
}
"""Where things are that their place sets apart: part of the width and of the height."""

WAYS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1), "still": (0, 0)}
"""Where things go that their motion sets apart."""

Thing = Callable[[int, int], Layer]
"""Makes a layer of a height in pixels and a label."""


@dataclass(frozen=True)
class Cast:
    """What videos are made of.

    Parameters
    ----------
    things : mapping of str to sequence of Thing
        By the noun that they are called.
    backdrops : sequence of callable
        Each gives an (h, w, 3) uint8 RGB picture at least as large as the height and width that
        it is called with.
    """

    things: Mapping[str, Sequence[Thing]]
    backdrops: Sequence[Callable[[int, int], np.ndarray]]

    def __post_init__(self) -> None:
        if not self.backdrops or not any(self.things.values()):
            raise ValueError("a cast needs things and backdrops; give at least one of each.")


@dataclass(frozen=True, eq=False)
class NarratedClip:
    """A rendered video and what is said of it.

    Parameters
    ----------
    frames : (N, H, W, 3) uint8 array, RGB
    labels : (N, H, W) uint8 array
        0 is background, 1 to K are the objects.
    subjects : tuple of Subject
        Of the objects, in order.
    narratives : tuple of Said
        Their spans are in the order of the objects.
    """

    frames: np.ndarray
    labels: np.ndarray
    subjects: tuple[Subject, ...]
    narratives: tuple[Said, ...]


def embedded_cast() -> Cast:
    """Things and backdrops from the photographs of scikit-image; see `cutouts` for their terms."""

    def thing(name: str) -> Thing:
        return lambda height, label: cutouts.cutout(name, height, label)

    def backdrop(name: str) -> Callable[[int, int], np.ndarray]:
        return lambda height, width: _covering(
            cutouts.background(name, height, width), (height, width)
        )

    return Cast(
        {name: [thing(name)] for name in ("cat", "cup", "shuttle")},
        [backdrop(name) for name in cutouts.BACKGROUNDS],
    )


def photographed_cast(things: Sequence[str], backdrops: Sequence[str], side: str) -> Cast:
    """Things and backdrops from folders of photographs with masks.

    Parameters
    ----------
    things : sequence of str
        ``NOUN=FOLDER`` or ``NOUN=FOLDER:FIRST-LAST``, the stems of the first and last file.
    backdrops : sequence of str
        Folders; what their masks say is not used.
    side : {'train', 'test'}
        Only photographs of this side are used.

    Raises
    ------
    ValueError
        What is given does not name a noun and a folder, or a noun has no photograph.
    """
    found: dict[str, list[Thing]] = {}
    for given in things:
        matched = re.fullmatch(r"(\w+)=(.+?)(?::(\w+)-(\w+))?", given)
        if matched is None:
            raise ValueError(f"{given!r} names no things; give NOUN=FOLDER or NOUN=FOLDER:A-B.")
        noun, folder, first, last = matched.groups()
        for p in read_photographs([f"{folder}:whole"]):
            stem = Path(p.image).stem
            if p.side == side and (first is None or first <= stem <= last) and p.objects():
                found.setdefault(noun, []).append(_photographed(p))
        if noun not in found:
            raise ValueError(f"{given!r} has no photograph of the side {side!r}; give others.")
    behind = [p for p in read_photographs(backdrops) if p.side == side]
    return Cast(found, [lambda h, w, p=p: _covering(p.picture(), (h, w)) for p in behind])


def _photographed(photograph: Photograph) -> Thing:
    def thing(height: int, label: int) -> Layer:
        return cut_out(photograph.picture(), photograph.objects()[0], height, label)

    return thing


def _covering(picture: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A picture at the smallest size that covers a shape."""
    scale = max(shape[0] / picture.shape[0], shape[1] / picture.shape[1])
    size = round(scale * picture.shape[1]), round(scale * picture.shape[0])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(picture, size, interpolation=how)


def render_narrated(
    cast: Cast,
    seed: int,
    *,
    n_frames: int = N_FRAMES,
    height: int = 240,
    width: int = 432,
    by: str | None = None,
) -> NarratedClip:
    """Render one video with its narratives.

    Equal arguments give equal videos where the photographs are read alike.

    Parameters
    ----------
    cast : Cast
    seed : int
        From 0 upwards.
    n_frames : int
        At least 1; one frame is a still picture, of which no motion is told.
    height, width : int
        Of the frames in pixels, at least 64 each.
    by : str, optional
        What sets the objects apart; a key of `SHARES`, by default as the seed has it.

    Raises
    ------
    ValueError
        An argument is out of its range.
    """
    for name, value, least in (
        ("seed", seed, 0), ("n_frames", n_frames, 1), ("height", height, 64), ("width", width, 64)
    ):  # fmt: skip
        if value < least:
            raise ValueError(f"{name} is {value}; give at least {least}.")
    if by is not None and by not in SHARES:
        raise ValueError(f"{by!r} sets nothing apart; choose from {sorted(SHARES)}.")
    if by == "motion" and n_frames == 1:
        raise ValueError("one frame shows no motion; give more frames, or another property.")
    for attempt in range(TRIES):
        random = np.random.default_rng([seed, 0, attempt])
        scene = _Scene(random, cast, n_frames, (height, width), by)
        shots = [
            expose(scene.backdrop, scene.actors, (height, width), time, 0.3, samples=2)
            for time in range(n_frames)
        ]
        if max(shot.hidden.max() for shot in shots) <= HIDDEN:
            break
    else:
        raise ValueError(f"no scene of seed {seed} shows all objects; give another seed.")
    noise = np.random.default_rng([seed, 1])
    frames = np.stack([s.picture for s in shots])
    frames += noise.normal(0, 1.5, frames.shape).astype(np.float32)
    words = np.random.default_rng([seed, 2])
    return NarratedClip(
        np.rint(np.clip(frames, 0, 255)).astype(np.uint8),
        np.stack([shot.labels for shot in shots]),
        scene.subjects,
        tuple(narrate(words, scene.subjects) for _ in range(NARRATORS)),
    )


class _Scene:
    """Who is where at any time; lengths are in frame heights."""

    def __init__(
        self,
        random: np.random.Generator,
        cast: Cast,
        n_frames: int,
        shape: tuple[int, int],
        by: str | None,
    ) -> None:
        self.random, self.n_frames = random, n_frames
        self.height, self.aspect = shape[0], shape[1] / shape[0]
        self.camera = Camera(random, *shape, n_frames, 0.15)
        shares = {k: v for k, v in SHARES.items() if n_frames > 1 or k != "motion"}
        drawn = random.choice(
            list(shares), p=np.array(list(shares.values())) / sum(shares.values())
        )
        self.by = str(drawn) if by is None else by
        self.subjects = self._subjects(list(cast.things))
        chosen = cast.backdrops[int(random.integers(len(cast.backdrops)))]
        picture = chosen(round(1.15 * shape[0]), round(1.15 * shape[1]))
        pivot = (picture.shape[1] - 1) / 2, (picture.shape[0] - 1) / 2
        centre = self.aspect / 2, 0.5
        self.backdrop = Backdrop(
            picture, lambda time: self.camera.seen(time, centre, pivot, parallax=0.5)
        )
        actors = self._actors(cast)
        self.actors = [actors[i] for i in random.permutation(len(actors))]

    def _subjects(self, nouns: list[str]) -> tuple[Subject, ...]:
        """The objects' nouns, and the values that set them apart."""
        random, by = self.random, self.by
        if by == "colour" and len(nouns) > 1 and random.random() < MIXED:
            kinds = random.choice(nouns, 2, replace=False)
            colours = random.choice(COLOURS, 2, replace=False)
            return tuple(Subject(str(k), by, str(c)) for k in kinds for c in colours)
        if by == "colour":
            values = random.choice(COLOURS, random.integers(3, 5), replace=False)
        elif by == "motion":
            values = random.choice(list(WAYS), random.integers(3, 5), replace=False)
        elif by == "size":
            values = random.permutation(list(HEIGHTS))
        else:
            sets = (("left", "middle", "right"), ("left", "right", "top", "bottom"))
            values = random.permutation(sets[random.integers(2)])
        noun = str(random.choice(nouns))
        return tuple(Subject(noun, by, str(value)) for value in values)

    def _actors(self, cast: Cast) -> list[Actor]:
        random = self.random
        one = random.random() < ONE_PHOTOGRAPH
        picked: dict[str, Thing] = {}
        tints = dict.fromkeys((s.noun for s in self.subjects), "")
        if (
            self.by != "colour" and random.random() < 0.4
        ):  # all alike, in a colour that tells nothing
            tints = {noun: str(random.choice(COLOURS)) for noun in tints}
        slots = random.permutation(len(self.subjects))
        actors = []
        for i, subject in enumerate(self.subjects):
            pool = cast.things[subject.noun]
            drawn = pool[int(random.integers(len(pool)))]
            thing = picked.setdefault(subject.noun, drawn) if one else drawn
            size = HEIGHTS[subject.value] if self.by == "size" else (0.34, 0.44)
            rows = random.uniform(*size)
            if self.by == "place" and len(self.subjects) == 4:
                rows *= 0.85
            layer = thing(64, i + 1)
            wide = layer.matte.shape[1] / layer.matte.shape[0]
            # What lies is about as long as what stands is high, and what is thin is higher.
            fair = rows * (1.2 / wide if wide > 1.2 else 1.25 if wide < 0.5 else 1.0)
            layer = thing(max(12, round(fair * self.height)), i + 1)
            if random.random() < 0.5:
                layer = layer.mirrored()
            tint = subject.value if self.by == "colour" else tints[subject.noun]
            layer = replace(layer, picture=_tinted(layer.picture, tint))
            actors.append(self._actor(layer, self._path(subject, int(slots[i]))))
        return actors

    def _path(self, subject: Subject, slot: int) -> Callable[[float], np.ndarray]:
        """Where a thing's centre is at a moment."""
        random, n = self.random, len(self.subjects)
        size = np.array([self.aspect, 1.0])
        if self.by == "place":
            home = HOMES[subject.value] * size + random.uniform(-0.05, 0.05, 2)
            way = random.uniform(-0.06, 0.06, 2)
        else:
            home = np.array([(slot + 0.5) / n, random.uniform(0.38, 0.62)]) * size
            home[0] += random.uniform(-0.04, 0.04)
            way = random.uniform(-0.25, 0.25, 2)
        if self.by == "motion":
            way = np.array(WAYS[subject.value]) * TRAVEL * random.uniform(0.8, 1.2)
            drift = random.uniform(-0.03, 0.03, 2)
            way = way + (drift if way.any() else 0.2 * drift)
        return lambda moment: home + (moment - 0.5) * way

    def _actor(self, layer: Layer, path: Callable[[float], np.ndarray]) -> Actor:
        rows, columns = layer.matte.shape
        pivot = (columns - 1) / 2, (rows - 1) / 2
        turn = swing(self.random, 0.08, 0.8)
        angle = self.random.uniform(-0.1, 0.1)

        def pose(time: float) -> Pose:
            moment = self.camera.moment(time)
            x, y = path(moment)
            seen = self.camera.seen(time, (float(x), float(y)), pivot)
            return replace(seen, angle=seen.angle + angle + turn(moment))

        return Actor(layer, pose)


def _tinted(picture: np.ndarray, colour: str) -> np.ndarray:
    """A picture in a named colour; as it is where no colour is named."""
    if not colour:
        return picture
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)[..., None]
    low, high = np.percentile(grey, [2, 98])
    light = np.clip((grey - low) / max(high - low, 1), 0, 1)
    tinted = (0.35 + 0.65 * light) * np.array(LEVELS[colour], np.float32)
    if colour == "white":
        tinted = (0.7 + 0.3 * light) * np.array(LEVELS[colour], np.float32)
    return np.rint((1 - TINT) * picture + TINT * tinted).astype(np.uint8)

"""Training clips: from videos, from warped photographs, and from cut-out objects.

Every clip is a few frames of one object, and perhaps of others beside it, in a window in which the
object has about the size at which it will be looked at. Motion grows with `reach`, the number of
video frames that may lie between two frames of a clip, so that a curriculum can start with little.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from evavos_widget.datasets.compositing import Actor, Backdrop, Layer, Pose, Wave, expose
from evavos_widget.training.sources import PointShot, Shot, Still

__all__ = ["composite_clip", "points_clip", "recoloured", "video_clip", "warped_clip"]

Clip = tuple[np.ndarray, np.ndarray]

FARTHEST = 25
"""The `reach` at which synthetic motion is full; of DAVIS at 24 frames a second, one second."""

LENGTHS = (0.3, 0.85)
"""Longer side of the object's box relative to the clip's side."""

LARGEST_ZOOM = 3.0
"""Pixels of a clip per pixel of its picture, at most."""

COVERED = 1.0
"""Shorter side of the picture relative to the clip's side, at least; beyond it, it is mirrored."""

DOUBLES = 0.4
"""How often something that looks like the object moves beside it."""


def video_clip(
    shot: Shot, random: np.random.Generator, n_frames: int, side: int, reach: int
) -> Clip:
    """Frames of a video, some apart, forwards or backwards, in one random window.

    Parameters
    ----------
    shot : Shot
    random : Generator
    n_frames : int
    side : int
        Of the frames, in pixels.
    reach : int
        Frames apart that two neighbours may be, at most.

    Returns
    -------
    frames : (n_frames, side, side, 3) uint8 array, RGB
    labels : (n_frames, side, side) uint8 array
        1 the object, 2 others.
    """
    indices = _indices(len(shot.frames), random, n_frames, reach)
    read = [shot.read(int(i)) for i in indices]
    pose = _window(read[0][1], random, side)
    mirrored = random.random() < 0.5
    frames, labels = zip(*(_view(*pair, pose, side, mirrored) for pair in read), strict=True)
    return np.stack(frames), np.stack(labels)


def points_clip(
    shot: PointShot, random: np.random.Generator, n_frames: int, side: int, reach: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """As `video_clip` of a video of which only points are known.

    Returns
    -------
    frames : (n_frames, side, side, 3) uint8 array, RGB
    points : list of (P, 3) float64 array
        For each frame those in sight: row and column in its pixels, 1 (object) or -1 (not).
    """
    indices = _indices(len(shot.frames), random, n_frames, reach)
    pictures, points = zip(*(shot.read(int(i)) for i in indices), strict=True)
    whole = pictures[0].shape[:2]
    # What the object fills is not known; how far its points are apart says about how long it is.
    on_object = points[0][points[0][:, 2] > 0, :2].astype(int)
    known = np.zeros(whole, np.uint8)
    known[tuple(on_object.T)] = 1
    pose = _window(known, random, side)
    mirrored = random.random() < 0.5
    nothing = np.zeros(whole, np.uint8)
    frames = [_view(p, nothing, pose, side, mirrored)[0] for p in pictures]
    return np.stack(frames), [_moved(p, pose, side, mirrored) for p in points]


def warped_clip(
    still: Still, random: np.random.Generator, n_frames: int, side: int, reach: int
) -> Clip:
    """A photograph that moves and bends as a whole; parameters as for `video_clip`."""
    picture, labels = still.read(random)
    motion = min(1.0, reach / FARTHEST)
    scale = _zoom(labels, random, side)
    centre = _some_pixel(labels, random)
    path = _path(random, side * random.uniform(0.35, 0.65, 2), centre, scale, motion, side)
    mirrored = random.random() < 0.5
    views = [_view(picture, labels, path(t), side, mirrored) for t in range(n_frames)]
    frames, shown = zip(*views, strict=True)
    return np.stack(frames), np.stack(shown)


def composite_clip(
    stills: Sequence[Still], random: np.random.Generator, n_frames: int, side: int, reach: int
) -> Clip:
    """An object cut out of a photograph moves over another one.

    Look-alikes may move with it, other objects may pass behind and in front of it, the shutter may
    stay open. Parameters as for `video_clip`; the photographs are drawn from `stills`.
    """
    motion = min(1.0, reach / FARTHEST)

    def some() -> tuple[np.ndarray, np.ndarray]:
        return stills[int(random.integers(len(stills)))].read(random)

    def actor(cut: Layer, size: float) -> Actor:
        height, width = cut.matte.shape
        scale = size * side / max(height, width)
        position = side * random.uniform(0.2, 0.8, 2)
        path = _path(random, position, (width / 2, height / 2), scale, motion, side)
        return Actor(cut, path)

    picture = recoloured(some()[0][None], random)[0]
    height, width = picture.shape[:2]
    scale = side / min(height, width) * random.uniform(1.0, 1.6)
    still_path = _path(
        random, (side / 2, side / 2), (width / 2, height / 2), scale, motion / 3, side
    )
    picture_of, labels = some()
    cut = _cut_out(picture_of, labels, 1, random)
    size = random.uniform(*LENGTHS)
    actors = [actor(cut, size)]
    if random.random() < DOUBLES:
        double = Layer(cut.picture, cut.matte, 2)
        if random.random() < 0.5:
            double = double.mirrored()
        else:
            double = Layer(recoloured(cut.picture[None], random)[0], cut.matte, 2)
        actors.insert(int(random.integers(2)), actor(double, size * random.uniform(0.7, 1.2)))
    if random.random() < 0.3:
        actors.insert(0, actor(_cut_out(*some(), 2, random), random.uniform(0.2, 0.7)))
    if random.random() < 0.5:
        actors.append(actor(_cut_out(*some(), 2, random), random.uniform(0.15, 0.5)))
    exposure = random.uniform(0.3, 0.9) if random.random() < 0.3 else 0.0
    shots = [
        expose(Backdrop(picture, still_path), actors, (side, side), t, exposure, samples=3)
        for t in range(n_frames)
    ]
    frames = np.stack([np.rint(s.picture.clip(0, 255)).astype(np.uint8) for s in shots])
    return frames, np.stack([s.labels for s in shots])


def recoloured(frames: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Another exposure, contrast, gamma, warmth and saturation, that drift a little with time.

    Parameters
    ----------
    frames : (T, H, W, 3) uint8 array
    random : Generator
    """
    gamma = np.exp(random.normal(0, 0.2))
    gain = np.exp(random.normal(0, 0.15) + random.normal(0, 0.08, 3))
    offset = random.normal(0, 10)
    saturation = 0.0 if random.random() < 0.05 else np.exp(random.normal(0, 0.25))
    drift = random.normal(0, 0.04)
    levels = np.arange(256)
    out = np.empty_like(frames)
    for t, frame in enumerate(frames):
        table = 255 * (levels[:, None] / 255) ** gamma * gain * (1 + drift * t) + offset
        curve = np.rint(table.clip(0, 255)).astype(np.uint8)
        toned = cv2.LUT(frame, np.ascontiguousarray(curve[:, None]))
        grey = cv2.cvtColor(cv2.cvtColor(toned, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        out[t] = cv2.addWeighted(toned, saturation, grey, 1 - saturation, 0)
    if random.random() < 0.1:
        out = np.stack([cv2.GaussianBlur(frame, (0, 0), random.uniform(0.5, 1.5)) for frame in out])
    if random.random() < 0.15:
        noise = random.normal(0, random.uniform(2, 8), out.shape).astype(np.float32)
        out = np.rint((out + noise).clip(0, 255)).astype(np.uint8)
    return out


def _indices(available: int, random: np.random.Generator, n_frames: int, reach: int) -> np.ndarray:
    """Which frames of a video a clip has."""
    if available < n_frames:
        raise ValueError(
            f"a clip has {n_frames} frames and a video only {available} with labels; give fewer "
            "frames per clip, or label more."
        )
    farthest = min(reach, (available - 1) // (n_frames - 1))
    # Short steps are what a propagation takes; long ones what its memory has to bridge.
    steps = np.exp(random.uniform(0, np.log(farthest + 0.99), n_frames - 1)).astype(int)
    first = random.integers(available - steps.sum())
    indices = first + np.concatenate([[0], np.cumsum(steps)])
    return indices[::-1] if random.random() < 0.5 else indices


def _window(labels: np.ndarray, random: np.random.Generator, side: int) -> Pose:
    """A random window of a video around the object, as it is on the first frame."""
    centre = _some_pixel(labels, random)
    scale = _zoom(labels, random, side)
    return Pose(
        position=tuple(side * random.uniform(0.25, 0.75, 2)),
        pivot=_kept_inside(centre, labels.shape, side / scale),
        scale=scale,
        angle=random.normal(0, 0.08),
    )


def _moved(points: np.ndarray, pose: Pose, side: int, mirrored: bool) -> np.ndarray:
    """Where `_view` shows points of a picture; those that are out of sight are left out."""
    cos, sin = np.cos(pose.angle) * pose.scale, np.sin(pose.angle) * pose.scale
    x, y = points[:, 1] - pose.pivot[0], points[:, 0] - pose.pivot[1]
    columns = pose.position[0] + cos * x - sin * y
    rows = pose.position[1] + sin * x + cos * y
    if mirrored:
        columns = side - 1 - columns
    moved = np.stack([rows + 0.5, columns + 0.5, points[:, 2]], 1)
    return moved[((moved[:, :2] >= 0) & (moved[:, :2] < side)).all(1)]


def _path(
    random: np.random.Generator,
    position: Sequence[float] | np.ndarray,
    pivot: Sequence[float],
    scale: float,
    motion: float,
    side: int,
) -> Callable[[float], Pose]:
    """A smooth path; `motion` of 1 moves by a quarter of the frame in one step."""
    velocity = random.normal(0, 0.13, 2) * side * motion
    spin, growth = random.normal(0, 0.18) * motion, random.normal(0, 0.12) * motion
    angle = random.normal(0, 0.15)
    waves = []
    if random.random() < 0.6:
        for _ in range(2):
            reach = random.normal(0, 0.02, 2) * side / scale * min(1.0, 0.3 + motion)
            cycles = random.normal(0, 1.2, 2) * scale / side
            waves.append(
                (
                    tuple(reach),
                    tuple(cycles),
                    *random.uniform(0, 6.28, 1),
                    random.normal(0, 1.5) * motion,
                )
            )

    def pose(time: float) -> Pose:
        return Pose(
            position=tuple(np.asarray(position) + velocity * time),
            pivot=(pivot[0], pivot[1]),
            scale=float(scale * np.exp(growth * time)),
            angle=float(angle + spin * time),
            waves=tuple(Wave(r, c, phase + speed * time) for r, c, phase, speed in waves),
        )

    return pose


def _view(
    picture: np.ndarray, labels: np.ndarray, pose: Pose, side: int, mirrored: bool
) -> tuple[np.ndarray, np.ndarray]:
    whole = slice(0, side), slice(0, side)
    x, y = pose.layer_coordinates(whole, np.float32)
    if mirrored:
        x, y = np.ascontiguousarray(x[:, ::-1]), np.ascontiguousarray(y[:, ::-1])
    edge = cv2.BORDER_REFLECT_101
    shown = np.zeros((side, side), np.uint8)
    for label in (2, 1):
        if (labels == label).any():
            level = np.where(labels == label, np.uint8(255), np.uint8(0))
            shown[cv2.remap(level, x, y, cv2.INTER_LINEAR, borderMode=edge) > 127] = label
    return cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=edge), shown


def _zoom(labels: np.ndarray, random: np.random.Generator, side: int) -> float:
    """Pixels of a clip per pixel of the picture at which the object has one of `LENGTHS`."""
    _, _, width, height = cv2.boundingRect((labels == 1).astype(np.uint8))
    smallest = COVERED * side / min(labels.shape)
    if not width:
        return smallest
    length = np.exp(random.uniform(*np.log(LENGTHS))) * side
    return float(np.clip(length / max(width, height), smallest, max(smallest, LARGEST_ZOOM)))


def _some_pixel(labels: np.ndarray, random: np.random.Generator) -> tuple[float, float]:
    """Column and row of a pixel of the object; of the middle where there is none."""
    rows, columns = np.nonzero(labels == 1)
    if not len(rows):
        return labels.shape[1] / 2, labels.shape[0] / 2
    chosen = random.integers(len(rows))
    return float(columns[chosen]), float(rows[chosen])


def _kept_inside(
    point: tuple[float, float], shape: tuple[int, int], window: float
) -> tuple[float, float]:
    """`point` moved so that a window around it shows the picture where that is possible."""
    moved = []
    for value, extent in zip(point, shape[::-1], strict=True):
        margin = min(window, extent) * 0.4
        moved.append(float(np.clip(value, margin, extent - margin)))
    return moved[0], moved[1]


def _cut_out(
    picture: np.ndarray, labels: np.ndarray, label: int, random: np.random.Generator
) -> Layer:
    """The object alone, with a soft edge, possibly in other colours."""
    mask = labels == 1
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    rows, columns = slice(y, y + height), slice(x, x + width)
    matte = np.pad(mask[rows, columns].astype(np.float32), 2)
    matte = cv2.GaussianBlur(matte, (0, 0), random.uniform(0.4, 1.0))
    colours = np.pad(picture[rows, columns], ((2, 2), (2, 2), (0, 0)), mode="edge")
    return Layer(recoloured(colours[None], random)[0], matte, label)

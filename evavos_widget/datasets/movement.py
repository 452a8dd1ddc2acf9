"""How things, a camera and the light move in a synthetic video: smooth, by chance, repeatable.

Times are in frames, moments are fractions of the video, lengths are in frame heights until
`Camera.seen` turns them into pixels. All random numbers are drawn whatever the amplitudes, so that
one setting does not change what another does.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from evavos_widget.datasets.compositing import Pose, Wave

__all__ = ["Camera", "Light", "Swing", "ripples", "shake", "swing"]

Swing = Callable[[float], float]
"""From a moment or a time to an amount."""


def swing(random: np.random.Generator, amplitude: float, cycles: float) -> Swing:
    """To and fro, about `cycles` times in the video, 0 at its beginning; of a moment."""
    phase = random.uniform(0, 2 * np.pi)
    rate = 2 * np.pi * cycles * random.uniform(0.8, 1.2)
    return lambda moment: amplitude * (np.sin(phase + rate * moment) - np.sin(phase))


def shake(random: np.random.Generator, amplitude: float) -> Swing:
    """Trembling of a hand, 0 in the first frame; of a time."""
    phases = random.uniform(0, 2 * np.pi, 3)
    rates = 2 * np.pi / random.uniform(5, 16, 3)
    return lambda time: amplitude * np.sum(np.sin(phases + rates * time) - np.sin(phases))


def ripples(
    random: np.random.Generator, rows: int, strength: float
) -> Callable[[float], tuple[Wave, ...]]:
    """Two travelling waves that push across the way they run, as bending does; of a time.

    Parameters
    ----------
    random : Generator
    rows : int
        Of the layer that bends.
    strength : float
        1 pushes by 1.6 % of its height.
    """
    amplitude = 0.016 * rows * strength
    directions = random.uniform(0, 2 * np.pi, 2)
    cycles = random.uniform(0.5, 1.1, 2) / rows
    phases = random.uniform(0, 2 * np.pi, 2)
    rates = 2 * np.pi / random.uniform(16, 30, 2)

    def waves(time: float) -> tuple[Wave, ...]:
        return tuple(
            Wave(
                (-amplitude * np.sin(direction), amplitude * np.cos(direction)),
                (cycle * np.cos(direction), cycle * np.sin(direction)),
                phase + rate * time,
            )
            for direction, cycle, phase, rate in zip(directions, cycles, phases, rates, strict=True)
        )

    return waves


class Camera:
    """A camera that pans, zooms, rolls and shakes.

    Parameters
    ----------
    random : Generator
    height, width : int
        Of its frames, in pixels.
    n_frames : int
    strength : float
        0 holds it still; 1 pans by about a tenth of the frame's height to either side.
    """

    def __init__(
        self, random: np.random.Generator, height: int, width: int, n_frames: int, strength: float
    ) -> None:
        self.height, self.aspect, self.n_frames = height, width / height, n_frames
        self._pan = swing(random, 0.11 * strength, 0.7)
        self._tilt = swing(random, 0.04 * strength, 0.9)
        self._zoom = swing(random, 0.09 * strength, 0.6)
        self._roll = swing(random, 0.025 * strength, 0.8)
        self._shake_x, self._shake_y = (shake(random, 0.004 * strength) for _ in range(2))

    def moment(self, time: float) -> float:
        """Which fraction of the video is over."""
        return time / max(1, self.n_frames - 1)

    def seen(
        self,
        time: float,
        place: tuple[float, float],
        pivot: tuple[float, float],
        parallax: float = 1.0,
    ) -> Pose:
        """Where the camera sees a place of the scene, of which it moves the near parts most."""
        moment = self.moment(time)
        zoom, roll = np.exp(self._zoom(moment)), self._roll(moment)
        x = place[0] - self.aspect / 2 - parallax * self._pan(moment)
        y = place[1] - 0.5 - parallax * self._tilt(moment)
        cos, sin = zoom * np.cos(roll), zoom * np.sin(roll)
        seen_x = self.aspect / 2 + cos * x - sin * y + self._shake_x(time)
        seen_y = 0.5 + sin * x + cos * y + self._shake_y(time)
        position = (seen_x * self.height - 0.5, seen_y * self.height - 0.5)
        return Pose(position, pivot, zoom, roll)


class Light:
    """Light that changes in brightness and warmth.

    Parameters
    ----------
    random : Generator
    strength : float
        1 changes it by about a seventh.
    """

    def __init__(self, random: np.random.Generator, strength: float) -> None:
        self._brightness = swing(random, 0.13 * strength, 1.3)
        self._warmth = swing(random, 0.07 * strength, 0.8)

    def at(self, moment: float) -> np.ndarray:
        """By what it multiplies red, green and blue, (3,) float32."""
        warmth = self._warmth(moment)
        gain = np.exp(self._brightness(moment) + np.array([warmth, 0, -warmth]))
        return gain.astype(np.float32)

"""How fast agents look and learn: ``python -m benchmarks.agents``.

Steps of `evavos_widget/Annotation-v0` on recorded outcomes, against a design that predicts and
encodes at every step; and QNet on 100 frames of 854 x 480.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace

import numpy as np

from evavos_widget.datasets.embedded import embedded_clip
from evavos_widget.environments.annotation import AnnotationEnv, embedded_outcomes
from evavos_widget.environments.outcomes import Recorded, Tried
from evavos_widget.frame_selection.qnet import QNetSelector
from evavos_widget.networks.observation import KeyEncoder, frame_vector, mask_vector
from evavos_widget.session import Session
from evavos_widget.video import Video

FRAMES = 100


class EncodingAtEveryStep(Tried):
    """Nothing is kept: the robot's annotation is predicted and the frame encoded at each step."""

    def observation(self, node: int) -> np.ndarray:
        frame, _ = self.case(node)
        here = self._nodes[node]
        keys = KeyEncoder()(self.session.video.frame(frame)[None])[0]
        return np.concatenate([frame_vector(keys), mask_vector(keys, here.mask, here.predicted)])

    def step(self, node: int, kind: int) -> tuple[int, float]:
        return self._tried(node, self.types[kind])


class Watch:
    """Seconds of the processor and of the clock since it was made."""

    def __init__(self) -> None:
        self._begun = time.process_time(), time.perf_counter()

    def seconds(self) -> tuple[float, float]:
        return time.process_time() - self._begun[0], time.perf_counter() - self._begun[1]


def seconds_per_step(env: AnnotationEnv, steps: int) -> tuple[float, ...]:
    """Random actions, a new episode whenever one is over."""
    rng = np.random.default_rng(0)
    env.reset(seed=0)
    watch = Watch()
    for _ in range(steps):
        *_, drawn, ended, _ = env.step(int(rng.integers(2)))
        if drawn or ended:
            env.reset()
    return tuple(s / steps for s in watch.seconds())


def scoring_seconds() -> tuple[tuple[float, float], tuple[float, float]]:
    """QNet on a video that it has not seen, and again after five masks changed."""
    clip = embedded_clip()
    pictures = np.stack([clip.video.frame(f % clip.video.n_frames) for f in range(FRAMES)])
    session = Session(Video.open(pictures, name="long"), propagator="flow", path=None)
    obj = session.add_object()
    session.annotate(0, clip.ground_truth[0] == 1, objects=[obj])
    shown = {f: np.where(clip.ground_truth[f % 60] == 1, obj, 0) for f in range(FRAMES)}
    state = replace(session.state, masks=session.masks.replace(shown))
    selector = QNetSelector()
    KeyEncoder()(pictures[:8])  # the weights are loaded once per process
    watch = Watch()
    selector.select(state)
    first = watch.seconds()
    moved = {f: np.roll(shown[f], 3, axis=1) for f in range(10, 15)}
    state = replace(state, masks=state.masks.replace(moved))
    watch = Watch()
    selector.select(state)
    return first, watch.seconds()


def main() -> None:
    """Measure, in seconds of the processor and of the clock, and print."""
    tried = embedded_outcomes()
    table = Recorded.of(tried)
    slow = EncodingAtEveryStep(tried.session, tried.truth, [tried.case(r) for r in table.roots])
    recorded = seconds_per_step(AnnotationEnv(table), 20_000)
    encoding = seconds_per_step(AnnotationEnv(slow), 20)
    scored, again = scoring_seconds()
    for number, clock in enumerate(("processor", "clock")):
        result = {
            "recorded_steps_per_second": round(1 / recorded[number]),
            "encoding_steps_per_second": round(1 / encoding[number], 1),
            "ratio": round(encoding[number] / recorded[number]),
            "qnet_100_frames_seconds": round(scored[number], 2),
            "qnet_again_after_5_seconds": round(again[number], 3),
        }
        print(clock, json.dumps(result, indent=2))


if __name__ == "__main__":
    main()

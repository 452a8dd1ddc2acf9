"""How fast agents look and learn: ``python -m benchmarks.agents``.

Steps of `evavos_widget/Annotation-v0` on recorded outcomes, against a design that predicts and
encodes at every step; and QNet on 100 frames of 854 x 480.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

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
        here = self._nodes[node][1]
        keys = KeyEncoder()(self.session.video.frame(frame))
        return np.concatenate([frame_vector(keys), mask_vector(keys, here.mask, here.score)])

    def step(self, node: int, kind: int) -> tuple[int, float]:
        return self._tried(node, self.types[kind])


def steps_per_second(env: AnnotationEnv, steps: int, clock: Callable[[], float]) -> float:
    """Random valid actions, a new episode whenever one is over."""
    rng = np.random.default_rng(0)
    env.reset(seed=0)
    begun = clock()
    for _ in range(steps):
        *_, drawn, ended, _ = env.step(int(rng.integers(2)))
        if drawn or ended:
            env.reset()
    return steps / (clock() - begun)


def scoring_seconds(clock: Callable[[], float]) -> tuple[float, float]:
    """QNet on a video that it has not seen, and again after five masks changed."""
    clip = embedded_clip()
    pictures = np.stack([clip.video.frame(f % clip.video.n_frames) for f in range(FRAMES)])
    session = Session(Video.open(pictures, name="long"), propagator="flow", path=None)
    obj = session.add_object()
    session.annotate(0, clip.ground_truth[0] == 1, objects=[obj])
    state = session.state
    shown = {f: np.where(clip.ground_truth[f % 60] == 1, obj, 0) for f in range(FRAMES)}
    from dataclasses import replace

    state = replace(state, masks=state.masks.replace(shown))
    selector = QNetSelector()
    KeyEncoder()(pictures[0])  # the weights are loaded once per process
    begun = clock()
    selector.select(state)
    first = clock() - begun
    moved = {f: np.roll(shown[f], 3, axis=1) for f in range(10, 15)}
    state = replace(state, masks=state.masks.replace(moved))
    begun = clock()
    selector.select(state)
    return first, clock() - begun


def main() -> None:
    """Measure, in seconds of the processor and of the clock, and print."""
    tried = embedded_outcomes()
    table = Recorded.of(tried)
    slow = EncodingAtEveryStep(tried.session, tried.truth, [tried.case(r) for r in table.roots])
    result = {}
    for name, clock in (("processor", time.process_time), ("clock", time.perf_counter)):
        recorded = steps_per_second(AnnotationEnv(table), 20_000, clock)
        encoding = steps_per_second(AnnotationEnv(slow), 20, clock)
        first, again = scoring_seconds(clock)
        result[name] = {
            "recorded_steps_per_second": round(recorded),
            "encoding_steps_per_second": round(encoding, 1),
            "ratio": round(recorded / encoding),
            "qnet_100_frames_seconds": round(first, 2),
            "qnet_again_after_5_seconds": round(again, 3),
        }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()

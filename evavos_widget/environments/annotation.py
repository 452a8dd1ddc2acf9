"""``evavos_widget/Annotation-v0``: annotating one frame as a Markov decision process (Sec. 2.3)."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from evavos_widget.environments.outcomes import STEPS, Outcomes, Tried
from evavos_widget.networks.observation import FRAME_NUMBERS, MASK_NUMBERS

__all__ = ["LARGEST", "AnnotationEnv", "embedded_outcomes"]

LARGEST = 50.0
"""Bound on the numbers of an observation, well beyond what the encoder gives."""


class AnnotationEnv(gymnasium.Env):
    """Annotate a frame until it is drawn, or for so many steps.

    An episode begins with a frame and the mask that was propagated to it. An action is a type of
    annotation, which the robot answers. The reward is the gain of quality divided by the total
    cost so far (EVA-VOS Sec. 2.3)::

        r_g = (SQ_{g+1} - SQ_g) / tc_g

    with SQ the J&F of the frame. The episode terminates when a mask is drawn, or after `steps`
    annotations: that nothing follows then belongs to the task. An action that is not valid
    (`action_masks`) gains nothing and costs its time.

    Parameters
    ----------
    outcomes : Outcomes, optional
        Frames to annotate and where that leads: a recorded table, or frames of a session that the
        robot tries. By default some of the embedded clip, tried when they are first met.
    steps : int
        Annotations of a frame at most.
    scale : float
        By which rewards are multiplied, since J&F per second are small numbers.
    released : bool
        Rewards as the authors' released code has them: IoU in place of J&F; the gain of clicks over
        the cost of that step alone, and at the end the gain of the whole episode over its cost.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - as Gymnasium declares it

    def __init__(
        self,
        outcomes: Outcomes | None = None,
        *,
        steps: int = STEPS,
        scale: float = 1.0,
        released: bool = False,
    ) -> None:
        self.outcomes = embedded_outcomes() if outcomes is None else outcomes
        if not len(self.outcomes):
            raise ValueError("there is no frame to annotate; give outcomes of one or more.")
        self.steps, self.scale, self.released = steps, scale, released
        size = (FRAME_NUMBERS + MASK_NUMBERS,)
        self.observation_space = gymnasium.spaces.Box(-LARGEST, LARGEST, size, np.float32)
        self.action_space = gymnasium.spaces.Discrete(len(self.outcomes.types))
        self._node = self._begun = -1
        self._seconds, self._taken, self._over = 0.0, 0, True

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin with a frame drawn at random, or with ``options={"case": number}``."""
        super().reset(seed=seed)
        case = (options or {}).get("case")
        if case is None:
            case = int(self.np_random.integers(len(self.outcomes)))
        self._node = self._begun = self.outcomes.root(case)
        self._seconds, self._taken, self._over = 0.0, 0, False
        return self._observation(), self._info()

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Let the robot give an annotation of a type."""
        if self._over:
            raise RuntimeError("the episode is over, or none has begun; call reset first.")
        kind = int(action)
        after, seconds = self.outcomes.step(self._node, kind)
        before = self._node
        self._seconds += seconds
        self._taken += 1
        if after >= 0:
            self._node = after
        drawn = after >= 0 and self.outcomes.types[kind] == "mask"
        self._over = drawn or self._taken >= self.steps
        reward = self._reward(before, seconds)
        return self._observation(), reward, self._over, False, self._info()

    def action_masks(self) -> np.ndarray:
        """Which types are valid now: (L,) bool, as MaskablePPO of sb3-contrib asks for them."""
        kinds = range(len(self.outcomes.types))
        return np.array([self.outcomes.step(self._node, kind)[0] >= 0 for kind in kinds])

    def _reward(self, before: int, seconds: float) -> float:
        quality = self.outcomes.quality
        if not self.released:
            gain = quality(self._node)[0] - quality(before)[0]
            return self.scale * gain / max(self._seconds, 1e-3)
        if self._over:
            gain, cost = quality(self._node)[1] - quality(self._begun)[1], self._seconds
        else:
            gain, cost = quality(self._node)[1] - quality(before)[1], seconds
        return self.scale * gain / max(cost, 1e-3)

    def _observation(self) -> np.ndarray:
        return np.clip(self.outcomes.observation(self._node), -LARGEST, LARGEST)

    def _info(self) -> dict[str, Any]:
        jf, j = self.outcomes.quality(self._node)
        return {"quality": jf, "iou": j, "seconds": self._seconds}


def embedded_outcomes() -> Tried:
    """Six frames of the embedded clip, its first mask propagated, which the robot will try."""
    from evavos_widget.datasets.embedded import embedded_clip
    from evavos_widget.session import Session

    clip = embedded_clip()
    session = Session(clip.video, propagator="flow", predictor="classical", path=None)
    obj = session.add_object()
    truth = {f: np.where(m == 1, obj, 0).astype(np.uint8) for f, m in clip.ground_truth.items()}
    session.annotate(0, truth[0], objects=[obj])
    last = max(f for f, m in truth.items() if m.any())
    frames = [int(f) for f in np.linspace(1, last, 6)]
    session.propagate(frames=frames)
    cases = [(f, obj) for f in frames if truth[f].any()]
    return Tried(session, truth, cases)

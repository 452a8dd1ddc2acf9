"""Records of loops of which everything is known, as the agents learn from them."""

from __future__ import annotations

import numpy as np

from evavos_widget.environments.outcomes import Recorded
from evavos_widget.networks.observation import APPEARANCE, ENCODER, FRAME_NUMBERS, MASK_NUMBERS
from evavos_widget.training.agents.records import LoopRecord

TYPES = ("clicks", "mask")
USUAL = (5.5, 80.0)


def record(video: str, seed: int = 0, n_frames: int = 8, states: int = 3) -> LoopRecord:
    """A loop in which the first number of a mask says how good it is, and nothing else does.

    A drawn mask brings what lacks, clicks a third of it where the mask is good and harm elsewhere.
    """
    rng = np.random.default_rng([seed, *video.encode()])
    true = rng.uniform(0, 1, (states, n_frames, 2)).astype(np.float32)
    trust = np.full((states, n_frames), -1, np.float32)
    for t in range(states):
        trust[t, :: n_frames // (t + 1)] = 1
        true[t, trust[t] >= 0] = 1
    frames = rng.normal(size=(n_frames, FRAME_NUMBERS))
    masks = rng.normal(size=(states, n_frames, MASK_NUMBERS))
    masks[..., APPEARANCE:] = np.abs(masks[..., APPEARANCE:])  # shares of pixels, and sizes
    masks[..., 0] = 4 * true[..., 0] - 2
    predicted = np.clip(true[..., 0] + rng.normal(0, 0.1, true.shape[:2]), 0, 1)
    branches = [
        (t, f, k) for t in range(states) for f in (2, 5) if trust[t, f] < 0 for k in range(2)
    ]
    state, frame, kind = np.array(branches, np.int32).T
    lacks = 1 - true[state, frame, 0]
    here = np.where(kind == 1, lacks, np.where(lacks < 0.5, lacks / 3, -lacks / 3))
    after = predicted[state].copy()
    after[np.arange(len(state)), frame] = 1
    return LoopRecord(
        about={
            "video": video,
            "object": 1,
            "seed": seed,
            "propagator": "p",
            "predictor": "q",
            "encoder": ENCODER,
            "types": TYPES,
        },
        frames=frames.astype(np.float16),
        masks=masks.astype(np.float16),
        predicted=predicted.astype(np.float32),
        true=true,
        trust=trust,
        drawn=trust >= 0,
        branch_state=state,
        branch_frame=frame,
        branch_kind=kind,
        branch_seconds=np.array(USUAL, np.float32)[kind],
        branch_gain=np.stack([here / n_frames, here], 1).astype(np.float32),
        branch_after=after.astype(np.float32),
        outcomes=outcomes(rng),
    )


def outcomes(rng: np.random.Generator, cases: int = 4) -> Recorded:
    """Clicks help where the first numbers of the mask are above 0, and harm elsewhere."""
    frames, masks, qualities, nexts, roots = [], [], [], [], []
    for _ in range(cases):
        start, helps = float(rng.uniform(0.3, 0.6)), bool(rng.integers(2))
        clicked = start + (0.3 if helps else -0.1)
        seen = rng.normal(size=MASK_NUMBERS)
        seen[:64] += 2.0 if helps else -2.0
        first = len(qualities)
        roots.append(first)
        qualities += [start, clicked, 1.0]
        nexts += [(first + 1, first + 2), (-1, first + 2), (-1, -1)]
        masks += [seen, seen, seen]
        frames += [rng.normal(size=FRAME_NUMBERS)] * 3
    return Recorded(
        TYPES,
        np.array(roots, np.int32),
        np.array(frames, np.float16),
        np.array(masks, np.float16),
        np.repeat(np.array(qualities, np.float32)[:, None], 2, axis=1),
        np.array(nexts, np.int32),
        np.tile(np.array(USUAL, np.float32), (len(qualities), 1)),
    )


def records(n: int = 12) -> list[LoopRecord]:
    """Loops on so many videos, some of which are held out."""
    return [record(f"video-{i}") for i in range(n)]

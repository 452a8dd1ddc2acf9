"""What comes of annotating a frame, step by step: tried by the robot, or recorded in a table.

A *node* is a frame with its mask. Each annotation type leads to another node; a drawn mask to one
where nothing is left to do. Trying takes a robot, a predictor and an encoder; a table of what was
tried is looked up, which is what makes learning fast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from evavos_widget.environments.whatif import tried
from evavos_widget.metrics import score_frame
from evavos_widget.networks.observation import (
    FRAME_NUMBERS,
    MASK_NUMBERS,
    KeyEncoder,
    frame_vector,
    mask_vector,
)
from evavos_widget.robot.annotator import RobotAnnotator

if TYPE_CHECKING:
    from evavos_widget.session import Session

__all__ = ["STEPS", "TYPES", "Node", "Outcomes", "Recorded", "Tried", "joined"]

TYPES = ("clicks", "mask")
"""The types that EVA-VOS chooses from (Sec. 3)."""

STEPS = 3
"""Annotations of one frame at most. The paper has a limit and does not name it; the released code
has 5 single clicks, about as many as two blocks of three."""


class Outcomes(Protocol):
    """Where annotations lead to; nodes are numbers."""

    @property
    def types(self) -> tuple[str, ...]:
        """A, the annotation types."""
        ...

    def __len__(self) -> int:
        """How many frames there are to begin with."""
        ...

    def root(self, case: int) -> int:
        """The node of a frame before it is annotated."""
        ...

    def observation(self, node: int) -> np.ndarray:
        """What an agent sees there, see `networks.observation.observation`."""
        ...

    def quality(self, node: int) -> tuple[float, float]:
        """J&F and J of the mask."""
        ...

    def step(self, node: int, kind: int) -> tuple[int, float]:
        """The node after an annotation and its seconds; (-1, seconds) where it is invalid."""
        ...


@dataclass(frozen=True, eq=False)
class Node:
    """A frame and its mask on the way of being annotated.

    Parameters
    ----------
    case : int
        Which frame.
    mask : (H, W) bool array
    predicted : float
        Predicted J&F of it, 0 to 1.
    kinds : tuple of str
        How it was annotated up to here.
    """

    case: int
    mask: np.ndarray
    predicted: float
    kinds: tuple[str, ...] = ()


class Tried:
    """Outcomes that the robot tries when they are asked for, on frames of one session.

    Each is tried by the door that every annotation takes, on top of those that lead to it, so
    that its mask and its predicted quality are what a loop would meet.

    Parameters
    ----------
    session : Session
        Propagated. It is annotated while something is tried, and afterwards as it was.
    truth : mapping of frame -> (H, W) label map
    cases : sequence of (frame, object)
        Where the object is in the picture.
    types : sequence of str
        Of 'clicks', 'mask' and 'box'.
    robot : RobotAnnotator, optional
        By default one with an exact hand, and three clicks in an annotation (EVA-VOS Sec. 3). The
        released code learns on one.
    """

    def __init__(
        self,
        session: Session,
        truth: Mapping[int, np.ndarray],
        cases: Sequence[tuple[int, int]],
        types: Sequence[str] = TYPES,
        robot: RobotAnnotator | None = None,
    ) -> None:
        unknown = sorted(set(types) - {"clicks", "mask", "box"})
        if unknown or not types:
            raise ValueError(f"types are {tuple(types)}; choose from clicks, mask and box.")
        for frame, obj in cases:
            if frame not in truth or not (truth[frame] == obj).any():
                raise ValueError(
                    f"the truth does not show object {obj} on frame {frame}; "
                    "give frames on which it is in the picture."
                )
        self.session, self.truth, self.types = session, truth, tuple(types)
        self.robot = robot or RobotAnnotator(truth)
        self._cases = tuple(cases)
        self._nodes: list[Node] = []
        self._roots: dict[int, int] = {}
        self._steps: dict[tuple[int, int], tuple[int, float]] = {}

    def __len__(self) -> int:
        return len(self._cases)

    def case(self, node: int) -> tuple[int, int]:
        """The frame and the object of a node."""
        return self._cases[self._nodes[node].case]

    def root(self, case: int) -> int:
        """The node of a frame as it was propagated."""
        if case not in self._roots:
            self._roots[case] = self._add(case, ())
        return self._roots[case]

    def _add(self, case: int, kinds: tuple[str, ...]) -> int:
        """The node that the session is at."""
        frame, obj = self._cases[case]
        state = self.session.state
        predicted = float(state.quality[frame, state.objects.index(obj)])
        self._nodes.append(Node(case, self.session.masks[frame] == obj, predicted, kinds))
        return len(self._nodes) - 1

    def observation(self, node: int) -> np.ndarray:
        """Encoder and mask; the keys of the frame are kept by the session."""
        frame, _ = self.case(node)
        state, here = self.session.state, self._nodes[node]
        keys = state.features.frame(state.video, frame, KeyEncoder())
        return np.concatenate([frame_vector(keys), mask_vector(keys, here.mask, here.predicted)])

    def quality(self, node: int) -> tuple[float, float]:
        """J&F and J."""
        frame, obj = self.case(node)
        truth = (self.truth[frame] == obj).astype(np.uint8)
        j, f = score_frame(self._nodes[node].mask.astype(np.uint8), truth, [1])[0]
        return float(j + f) / 2, float(j)

    def step(self, node: int, kind: int) -> tuple[int, float]:
        """Annotate; invalid are types that the predictor does not take, and clicks on no error."""
        if (node, kind) not in self._steps:
            self._steps[node, kind] = self._tried(node, self.types[kind])
        return self._steps[node, kind]

    def _tried(self, node: int, kind: str) -> tuple[int, float]:
        here, session = self._nodes[node], self.session
        if kind != "mask" and kind not in session.predictor.accepts:
            return -1, session.costs.seconds(kind)
        kinds = (*here.kinds, kind)
        with tried(session, self.robot, *self.case(node), *kinds, frames=self.case(node)[:1]):
            made = session.rounds[-1]
            if made.kind != kind:  # nothing was left to correct
                return -1, session.costs.seconds(kind)
            return self._add(here.case, kinds), made.seconds


@dataclass(frozen=True, eq=False)
class Recorded:
    """A table of outcomes.

    Parameters
    ----------
    types : tuple of str
    roots : (C,) int32 array
        The node of each frame before it is annotated.
    frames, masks : (n, FRAME_NUMBERS) and (n, MASK_NUMBERS) float16 arrays
        What is seen at each node.
    qualities : (n, 2) float32 array
        J&F and J.
    nexts : (n, L) int32 array
        The node after each type; -1 where it is invalid, or lies beyond what was tried.
    seconds : (n, L) float32 array
    """

    types: tuple[str, ...]
    roots: np.ndarray
    frames: np.ndarray
    masks: np.ndarray
    qualities: np.ndarray
    nexts: np.ndarray
    seconds: np.ndarray

    @classmethod
    def of(cls, tried: Tried, steps: int = STEPS) -> Recorded:
        """Try everything that can be done in so many steps."""
        roots = [tried.root(case) for case in range(len(tried))]
        level, nexts, seconds = list(roots), {}, {}
        for _ in range(steps):
            following = []
            for node in level:
                made = [tried.step(node, kind) for kind in range(len(tried.types))]
                nexts[node], seconds[node] = zip(*made, strict=True)
                following += [
                    after
                    for after, kind in zip(nexts[node], tried.types, strict=True)
                    if after >= 0 and kind != "mask"
                ]
            level = following
        n, nothing = len(tried._nodes), [-1] * len(tried.types)
        seen = np.zeros((n, FRAME_NUMBERS + MASK_NUMBERS), np.float16)
        for node in range(n):
            seen[node] = tried.observation(node)
        usual = [tried.session.costs.seconds(kind) for kind in tried.types]
        return cls(
            tried.types,
            np.array(roots, np.int32),
            seen[:, :FRAME_NUMBERS],
            seen[:, FRAME_NUMBERS:],
            np.array([tried.quality(node) for node in range(n)], np.float32).reshape(n, 2),
            np.array([nexts.get(i, nothing) for i in range(n)], np.int32).reshape(n, -1),
            np.array([seconds.get(i, usual) for i in range(n)], np.float32).reshape(n, -1),
        )

    @classmethod
    def empty(cls, types: Sequence[str]) -> Recorded:
        """A table of no frames, where none shows the object."""
        wide = [FRAME_NUMBERS, MASK_NUMBERS, 2, len(types), len(types)]
        kinds = [np.float16, np.float16, np.float32, np.int32, np.float32]
        arrays = [np.zeros((0, n), kind) for n, kind in zip(wide, kinds, strict=True)]
        return cls(tuple(types), np.zeros(0, np.int32), *arrays)

    def __len__(self) -> int:
        return len(self.roots)

    def root(self, case: int) -> int:
        """The node of a frame before it is annotated."""
        return int(self.roots[case])

    def observation(self, node: int) -> np.ndarray:
        """What is seen there."""
        return np.concatenate([self.frames[node], self.masks[node]]).astype(np.float32)

    def quality(self, node: int) -> tuple[float, float]:
        """J&F and J."""
        jf, j = self.qualities[node]
        return float(jf), float(j)

    def step(self, node: int, kind: int) -> tuple[int, float]:
        """The node after a type, and its seconds."""
        return int(self.nexts[node, kind]), float(self.seconds[node, kind])

    def chosen(self, cases: Sequence[int] | np.ndarray) -> Recorded:
        """The same table with only some of the frames to begin with."""
        return replace(self, roots=self.roots[cases])


def joined(tables: Sequence[Recorded]) -> Recorded:
    """Several tables as one.

    Raises
    ------
    ValueError
        There is none, or they are of other types.
    """
    kinds = {table.types for table in tables}
    if len(kinds) != 1:
        raise ValueError(f"tables of outcomes are of types {sorted(kinds)}; give one kind or more.")
    starts = np.cumsum([0, *(len(table.qualities) for table in tables)])[:-1]
    shifted = [
        (table.roots + start, np.where(table.nexts < 0, -1, table.nexts + start))
        for table, start in zip(tables, starts, strict=True)
    ]
    return Recorded(
        types=next(iter(kinds)),
        roots=np.concatenate([roots for roots, _ in shifted]).astype(np.int32),
        frames=np.concatenate([table.frames for table in tables]),
        masks=np.concatenate([table.masks for table in tables]),
        qualities=np.concatenate([table.qualities for table in tables]),
        nexts=np.concatenate([nexts for _, nexts in shifted]).astype(np.int32),
        seconds=np.concatenate([table.seconds for table in tables]),
    )

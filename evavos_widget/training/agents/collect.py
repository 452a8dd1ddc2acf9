"""Simulated loops to learn from: what was seen in them, and what each thing to do would bring.

The released code of EVA-VOS learns quality from the worst frames alone, and its policy from masks
*after* they were annotated. Here every state is one that a selector meets: after a pass, before
the annotation. From it a few frames are tried with every type (`environments.whatif`), one of them
is annotated, and so on; which one is drawn at random, so that good and bad states are met.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from tqdm.auto import tqdm

from evavos_widget.datasets.annotated_video import AnnotatedVideo
from evavos_widget.datasets.davis import open_sequence
from evavos_widget.environments.outcomes import STEPS, TYPES, Recorded, Tried, joined
from evavos_widget.environments.whatif import asked, tried
from evavos_widget.loop import FrameChoice, LoopState, in_doubt, objects_annotated
from evavos_widget.masks import ids_of_maps
from evavos_widget.metrics import VOID, SequenceScorer
from evavos_widget.networks.observation import ENCODER, KeyEncoder, frame_vector, mask_vector
from evavos_widget.quantities import as_count
from evavos_widget.robot.annotator import RobotAnnotator
from evavos_widget.session import Session
from evavos_widget.suggestion import FIRST_TYPES
from evavos_widget.training.agents.records import (
    LoopRecord,
    read_about,
    record_file,
    record_files,
    write_record,
)
from evavos_widget.training.agents.small import mask_bits, reduced, small_jpeg
from evavos_widget.training.kept_options import difference

__all__ = ["Simulation", "collect", "simulate"]

FIRSTS = (0.6, 0.4)
"""How often an object begins with a drawn mask, and with clicks; our choice."""


@dataclass(frozen=True)
class Simulation:
    """What loops are simulated.

    Parameters
    ----------
    data : Path
        In the layout of DAVIS, as MOSE and YouTube-VOS have it too.
    sequences : tuple of str
    propagator, predictor : str
    rounds : int
        Annotations after the first.
    candidates : int
        Frames that are tried in each state.
    types : tuple of str
    steps : int
        Annotations of one frame that are tried one after the other.
    height : int
        Of the frames in pixels; larger ones are made smaller, since time goes with their area.
    longest : int
        Frames of a video at most; of a longer one a stretch is taken, as chance has it.
    every : int
        Of so many frames one is taken, so that more happens in few.
    seeds : int
        Loops of each object.
    seed : int
        Of the first of them; the others have those that follow.
    pictures : bool
        Keep frames and masks at 224 x 224 as well, which the presets `paper` see.
    """

    data: Path
    sequences: tuple[str, ...]
    propagator: str = "compact:free"
    predictor: str = "compact:free"
    rounds: int = 5
    candidates: int = 3
    types: tuple[str, ...] = TYPES
    steps: int = STEPS
    height: int = 240
    longest: int = 40
    every: int = 1
    seeds: int = 1
    seed: int = 0
    pictures: bool = False

    def __post_init__(self) -> None:
        for name, least in (
            ("rounds", 1), ("candidates", 1), ("steps", 1), ("height", 32), ("longest", 2),
            ("every", 1), ("seeds", 1), ("seed", 0),
        ):  # fmt: skip
            as_count(name, getattr(self, name), least)

    def options(self) -> dict[str, Any]:
        """What a record depends on beside its video, object and seed, as JSON has it."""
        given = {part.name: getattr(self, part.name) for part in fields(self)}
        for which_loops in ("data", "sequences", "seeds", "seed"):
            del given[which_loops]
        return {**given, "types": list(self.types)}


def collect(simulation: Simulation, out: Path, workers: int = 1) -> int:
    """Simulate what `out` still lacks; how many loops that were.

    Each loop is a file that is there when the loop is done, so that a run that was stopped goes
    on with those that lack. A loop depends on its video, its object and its seed alone.

    Raises
    ------
    ValueError
        `out` holds loops that were simulated with other engines or options.
    """
    out.mkdir(parents=True, exist_ok=True)
    _check_options(simulation.options(), out)
    todo = [
        (name, obj, seed)
        for name in simulation.sequences
        for obj in _objects(simulation, name)
        for seed in range(simulation.seed, simulation.seed + simulation.seeds)
        if not record_file(out, name, obj, seed).exists()
    ]
    one = partial(_one, simulation, out)
    if workers == 1:
        return sum(one(loop) for loop in tqdm(todo, unit="loop"))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        return sum(tqdm(executor.map(one, todo), total=len(todo), unit="loop"))


def _check_options(options: Mapping[str, Any], out: Path) -> None:
    """Refuse a folder of other loops; what older records do not know is not compared."""
    for path in record_files(out):
        if differs := difference(read_about(path), options):
            raise ValueError(f"{path} was collected with {differs}; give that, or another --out.")


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread for what is computed meanwhile, and as many as before after it."""
    import cv2
    import torch

    before = torch.get_num_threads(), cv2.getNumThreads()
    try:
        torch.set_num_threads(1)
        cv2.setNumThreads(1)
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


def _objects(simulation: Simulation, name: str) -> list[int]:
    truth = open_sequence(simulation.data, name).ground_truth
    return sorted(ids_of_maps(truth) - {VOID})


def _one(simulation: Simulation, out: Path, loop: tuple[str, int, int]) -> bool:
    """Simulate a loop; whether there is a record of it now that there was not."""
    name, obj, seed = loop
    if record_file(out, name, obj, seed).exists():  # of another run beside this one
        return False
    rng = np.random.default_rng([seed, crc32(name.encode())])
    with _one_thread():
        whole = open_sequence(simulation.data, name)
        sequence = reduced(whole, simulation.height, simulation.longest, simulation.every, rng)
        record = simulate(sequence, obj, seed, simulation)
    if record is None:
        return False
    write_record(record, record_file(out, name, obj, seed))
    return True


def simulate(
    sequence: AnnotatedVideo, obj: int, seed: int, simulation: Simulation
) -> LoopRecord | None:
    """One loop; None where the object is on less than two frames.

    Parameters
    ----------
    sequence : AnnotatedVideo
        With the truth on every frame.
    obj : int
    seed : int
    simulation : Simulation
    """
    truth = {f: (m == obj).astype(np.uint8) for f, m in sequence.ground_truth.items()}
    shown = [f for f, m in sorted(truth.items()) if m.any()]
    if len(shown) < 2:
        return None
    rng = np.random.default_rng([seed, crc32(sequence.name.encode()), obj])
    robot = RobotAnnotator(truth, first=str(rng.choice(FIRST_TYPES, p=FIRSTS)))
    scorer = SequenceScorer(truth, frames="all", objects=[1])
    log = _Log(simulation.types, simulation.pictures)
    with Session(
        sequence.video, propagator=simulation.propagator, predictor=simulation.predictor, path=None
    ) as session:
        robot.begin(session, shown[0], session.add_object())
        session.propagate()
        for n in range(simulation.rounds + 1):
            true = _quality(scorer, session)
            log.state(session.state, true)
            if n == simulation.rounds:
                break
            frames = _candidates(session.state, simulation.candidates, rng)
            if not frames:
                break
            for frame in frames:
                for kind in range(len(simulation.types)):
                    log.branch(session, robot, scorer, true, frame, kind)
            cases = [(f, 1) for f in frames if truth[f].any()]
            if cases:
                table = Tried(session, truth, cases, simulation.types, robot)
                log.outcomes.append(Recorded.of(table, simulation.steps))
            frame, kind = int(rng.choice(frames)), str(rng.choice(simulation.types))
            robot.answer(session, asked(session, frame, 1, kind))
            session.propagate()
        about = {
            "video": sequence.name,
            "object": obj,
            "seed": seed,
            "encoder": ENCODER,
            **simulation.options(),
        }
        return log.record(about, session.state)


def _quality(scorer: SequenceScorer, session: Session) -> np.ndarray:
    """J&F and J of every frame, (N, 2)."""
    score = scorer.score(session.masks)
    j, f = score.j_per_frame[:, 0], score.f_per_frame[:, 0]
    both = np.stack([(j + f) / 2, j], axis=1)
    return np.nan_to_num(both, nan=1.0)  # where it does not count, nothing is wrong


def _candidates(state: LoopState, n: int, rng: np.random.Generator) -> list[int]:
    """Frames to try: the worst as predicted, the farthest in time, and others at random."""
    from evavos_widget.frame_selection.baselines import FarthestInTime

    known = set(objects_annotated(state.annotations, 1)) - set(in_doubt(state, 1))
    left = [f for f in range(state.n_frames) if f not in known]
    if not left:
        return []
    farthest: FrameChoice | None = FarthestInTime().select(state)
    quality = np.nan_to_num(state.quality[:, 0], nan=0.5)
    first = [] if farthest is None else [farthest.frame]
    worst = [f for f in sorted(left, key=lambda f: quality[f]) if f not in first][:1]
    others = [f for f in rng.permutation(left).tolist() if f not in (*first, *worst)]
    return [*first, *worst, *others][:n]


class _Log:
    """What becomes a `LoopRecord`."""

    def __init__(self, types: Sequence[str], pictures: bool) -> None:
        self.types, self.pictures = tuple(types), pictures
        self.bits: list[np.ndarray] = []
        self.states: list[tuple[np.ndarray, ...]] = []
        self.branches: list[tuple[int, int, int, float, float, float, np.ndarray]] = []
        self.outcomes: list[Recorded] = []
        self._vectors: dict[tuple[int, int, float], np.ndarray] = {}

    def state(self, state: LoopState, true: np.ndarray) -> None:
        predicted = state.quality[:, 0].astype(np.float32)
        masks = [self._vector(state, f, float(predicted[f])) for f in range(state.n_frames)]
        trust = np.full(state.n_frames, -1, np.float32)
        drawn = np.zeros(state.n_frames, bool)
        for frame, annotation in state.annotations.items():
            trust[frame] = annotation.trust(1)
            drawn[frame] = annotation.sources[1].kind in ("drawn", "absent")
        self.states.append((np.stack(masks), predicted, true, trust, drawn))
        if self.pictures:
            self.bits.append(np.stack([mask_bits(mask == 1) for mask in state.masks]))

    def _vector(self, state: LoopState, frame: int, quality: float) -> np.ndarray:
        runs = state.masks.runs(frame)
        key = frame, crc32(runs.tobytes()), quality
        if key not in self._vectors:
            keys = state.features.frame(state.video, frame, KeyEncoder())
            self._vectors[key] = mask_vector(keys, state.masks[frame] == 1, quality)
        return self._vectors[key]

    def branch(
        self,
        session: Session,
        robot: RobotAnnotator,
        scorer: SequenceScorer,
        true: np.ndarray,
        frame: int,
        kind: int,
    ) -> None:
        with tried(session, robot, frame, 1, self.types[kind]) as after:
            gain = _quality(scorer, after)[:, 0] - true[:, 0]
            seconds = after.rounds[-1].seconds
            predicted = after.state.quality[:, 0].astype(np.float32)
        where = len(self.states) - 1, frame, kind
        self.branches.append((*where, seconds, float(gain.mean()), float(gain[frame]), predicted))

    def record(self, about: Mapping[str, object], state: LoopState) -> LoopRecord:
        frames = state.features.frames(state.video, KeyEncoder())
        masks, predicted, true, trust, drawn = (
            np.stack(part) for part in zip(*self.states, strict=True)
        )
        at, frame, kind, seconds, video, here, after = zip(*self.branches, strict=True)
        return LoopRecord(
            about=dict(about),
            frames=np.stack([frame_vector(keys) for keys in frames]).astype(np.float16),
            masks=masks.astype(np.float16),
            predicted=predicted,
            true=true.astype(np.float32),
            trust=trust,
            drawn=drawn,
            branch_state=np.array(at, np.int32),
            branch_frame=np.array(frame, np.int32),
            branch_kind=np.array(kind, np.int32),
            branch_seconds=np.array(seconds, np.float32),
            branch_gain=np.array([video, here], np.float32).T,
            branch_after=np.stack(after),
            outcomes=joined(self.outcomes) if self.outcomes else Recorded.empty(self.types),
            **(self._pictures(state) if self.pictures else {}),
        )

    def _pictures(self, state: LoopState) -> dict[str, np.ndarray]:
        coded = [small_jpeg(state.video.frame(f)) for f in range(state.n_frames)]
        ends = np.cumsum([len(c) for c in coded])
        return {
            "picture_bytes": np.concatenate(coded),
            "picture_ends": ends,
            "mask_bits": np.stack(self.bits),
        }

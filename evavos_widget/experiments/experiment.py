"""What an experiment is: methods to compare on videos, and one loop of it.

A loop is one object of one video under one method with one seed, in a session with the robot
annotator.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from evavos_widget.datasets.annotated_video import AnnotatedVideo
from evavos_widget.datasets.davis import read_sequence_names
from evavos_widget.engines import Oracle
from evavos_widget.experiments.methods import PRESETS, Method, selectors
from evavos_widget.experiments.table import Row
from evavos_widget.loop import MaskPredictor, Propagator
from evavos_widget.metrics import CONVENTIONS, SequenceScorer
from evavos_widget.prompts import Costs
from evavos_widget.robot.annotator import RobotAnnotator
from evavos_widget.robot.clicks import PLACEMENTS, Placement
from evavos_widget.robot.costs import costs_from, per_second, read_costs
from evavos_widget.robot.hand import Hand
from evavos_widget.session import Session
from evavos_widget.session.turn import turn

__all__ = ["Experiment", "run_loop"]


@dataclass(frozen=True)
class Experiment:
    """What is compared, on what, and how.

    Parameters
    ----------
    name : str
    methods : sequence of Method
    data : str
        Folder with ``JPEGImages`` and ``Annotations``.
    sequences : sequence of str
    propagator, predictor : str
        Engines by name, see `evavos_widget.engines`.
    rounds : int
        Annotations after the first mask.
    seeds : int
        Runs of each method that has chance in it; 15 (EVA-VOS Sec. 4). Every method has
        where the robot's hand is not exact.
    clicks : int
        Per interaction; 3 (EVA-VOS Sec. 3).
    frames : str
        Which frames count, see `evavos_widget.metrics.CONVENTIONS`.
    placement : {'distance', 'centroid'}
        Where in a region the robot clicks, see `evavos_widget.robot.clicks.corrective_click`.
    agreement, jitter : float
        How exact it draws and clicks, see `evavos_widget.robot.hand.Hand`.
    costs : Costs
        What its annotations cost.
    """

    name: str
    methods: Sequence[Method]
    data: str
    sequences: Sequence[str]
    propagator: str = "compact"
    predictor: str = "compact"
    rounds: int = 8
    seeds: int = 15
    clicks: int = 3
    frames: str = "davis"
    placement: Placement = "distance"
    agreement: float = 1.0
    jitter: float = 0.0
    costs: Costs = field(default_factory=Costs)

    def __post_init__(self) -> None:
        if not self.methods or not self.sequences:
            raise ValueError("an experiment needs a method and a sequence; give at least one.")
        for what, least in (("rounds", 0), ("seeds", 1), ("clicks", 1)):
            value = getattr(self, what)
            if not isinstance(value, int) or value < least:
                raise ValueError(f"{what} is {value!r}; give a whole number, {least} or more.")
        twice = [name for name, n in Counter(self.sequences).items() if n > 1]
        if twice:
            raise ValueError(f"the sequence {twice[0]!r} is given twice; give it once.")
        if self.frames not in CONVENTIONS:
            raise ValueError(
                f"unknown convention frames={self.frames!r}; choose from {list(CONVENTIONS)}."
            )
        if self.placement not in PLACEMENTS:
            raise ValueError(
                f"unknown placement {self.placement!r}; choose from {list(PLACEMENTS)}."
            )
        Hand(self.agreement, self.jitter)  # tells what is wrong with them
        names = [method.name for method in self.methods]
        if len(set(names)) < len(names):
            raise ValueError(f"two methods are called alike in {names}; rename one.")

    @property
    def engines(self) -> tuple[tuple[str, str], ...]:
        """All that it names, as stage and name."""
        selectors = dict.fromkeys(pair for method in self.methods for pair in method.engines)
        return ("propagator", self.propagator), ("predictor", self.predictor), *selectors

    @property
    def unsteady(self) -> bool:
        """Whether the robot's hand has chance in it."""
        return self.agreement < 1 or self.jitter > 0

    @classmethod
    def preset(cls, name: str, **options: Any) -> Experiment:
        """One of `PRESETS`, with the options of the class."""
        if name not in PRESETS:
            raise ValueError(f"there is no preset {name!r}; choose from {sorted(PRESETS)}.")
        return cls(name, PRESETS[name], **options)

    @classmethod
    def from_toml(cls, path: Path, **options: Any) -> Experiment:
        """Read from a file with the options of the class and a list of ``[[methods]]``.

        Options that are given here go before those of the file. Its ``costs`` are a table
        of seconds, or the name of a file beside it that has them. ``sequences`` are a list, or
        what `evavos_widget.datasets.davis.read_sequence_names` takes.
        """
        try:
            told = tomllib.loads(path.read_text())
            if not told.get("methods"):
                raise ValueError(f"{path} has no methods; add a [[methods]] for each.")
            known = {field.name for field in fields(cls)}
            if unknown := sorted(told.keys() - known):
                raise ValueError(
                    f"{path} has an option {unknown[0]!r}, which there is not; choose from "
                    f"{sorted(known)}."
                )
            methods = tuple(Method(**method) for method in told.pop("methods"))
            costs = told.get("costs")
            if isinstance(costs, str):
                told["costs"] = read_costs(path.parent / costs)
            elif costs is not None:
                told["costs"] = costs_from(costs, str(path))
            about = {"name": path.stem, "methods": methods, **told, **options}
            if isinstance(about.get("sequences"), str):
                about["sequences"] = read_sequence_names(about["sequences"], about["data"])
            return cls(**about)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
            raise ValueError(f"{path} does not describe an experiment: {error}.") from error


def run_loop(
    experiment: Experiment,
    method: Method,
    sequence: AnnotatedVideo,
    obj: int,
    seed: int,
    propagator: str | Propagator,
    predictor: str | MaskPredictor,
) -> Iterator[Row]:
    """One loop, a row for each round.

    Parameters
    ----------
    experiment : Experiment
    method : Method
    sequence : AnnotatedVideo
        Video and ground truth.
    obj : int
        Id of the object in the ground truth; the session knows only this one, as its first.
    seed : int
    propagator, predictor : str or object
        Engines that may be used again for the same video.
    """
    truth = {f: (m == obj).astype(np.uint8) for f, m in sequence.ground_truth.items()}
    scorer = SequenceScorer(truth, frames=experiment.frames, objects=[1])
    robot = RobotAnnotator(
        truth,
        clicks=experiment.clicks,
        placement=experiment.placement,
        hand=Hand(experiment.agreement, experiment.jitter, seed),
    )
    frame_selector, annotation_selector = selectors(method, robot, seed)
    with Session(
        sequence.video,
        propagator=propagator,
        predictor=predictor,
        frame_selector=frame_selector,
        annotation_selector=annotation_selector,
        costs=experiment.costs,
        path=None,
    ) as session:
        for selector in (frame_selector, annotation_selector):
            if isinstance(selector, Oracle):
                selector.session = session
        frame = min(f for f, m in truth.items() if m.any())
        first = robot.hand.draw(truth[frame] == 1, frame, 1)
        session.annotate(frame, first, objects=[session.add_object()])
        session.propagate(progress=False)
        before: Row | None = None
        for n in range(experiment.rounds + 1):
            if n:
                asked = turn(session, robot)
                if asked is None:
                    break
                frame = asked.frame
                if before is not None:
                    promised = per_second(asked.expected_gain, asked.seconds)
                    yield replace(before, expected_gain=float(promised))
            score, done = scorer.score(session.masks), session.rounds[-1]
            before = Row(
                method=method.name,
                video=sequence.name,
                object=obj,
                seed=seed,
                round=n,
                frame=frame,
                type=done.kind,
                seconds=done.seconds,
                hours=session.seconds / 3600,
                j=score.j,
                f=score.f,
                jf=score.jf,
                expected_gain=0.0,
                frames=experiment.frames,
            )
        if before is not None:
            yield before

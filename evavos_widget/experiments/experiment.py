"""What an experiment is: methods to compare on videos, and one loop of it.

A loop is one object of one video under one method with one seed, in a session with the robot
annotator.
"""

from __future__ import annotations

import os
import tomllib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from evavos_widget.datasets.annotated_video import AnnotatedVideo
from evavos_widget.datasets.davis import read_sequence_names
from evavos_widget.engines import Oracle
from evavos_widget.experiments.methods import PRESETS, Method, selectors
from evavos_widget.experiments.table import Row
from evavos_widget.loop import MaskPredictor, PropagationStep, Propagator
from evavos_widget.metrics import CONVENTIONS, SequenceScorer, scored_frames
from evavos_widget.prompts import Costs, as_costs
from evavos_widget.quantities import as_count, as_quantity
from evavos_widget.robot.annotator import MANNERS, Manner, RobotAnnotator
from evavos_widget.robot.clicks import PLACEMENTS, Placement
from evavos_widget.robot.costs import costs_from, per_second, read_costs
from evavos_widget.robot.hand import Hand
from evavos_widget.robot.verifier import Verifier
from evavos_widget.session import Session
from evavos_widget.session.turn import turn
from evavos_widget.suggestion import FIRST_TYPES, first_seconds

__all__ = ["Experiment", "run_loop"]

ROUNDS = 8
"""Annotations after the first, where nothing else is said; our choice."""

MOST_ROUNDS = 59
"""And where there is a budget: 60 with the first (EVA-VOS's released code)."""

ROUNDING = 1e-6
"""Seconds by which a sum of costs may miss a budget that it was meant to be."""


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
    rounds : int, optional
        Annotations after the first, at most: by default `ROUNDS`, or `MOST_ROUNDS` where there
        is a budget.
    budget : float, optional
        Seconds of the annotator for each object, the first annotation included. The loop ends
        with the last annotation that is finished within them.
    seeds : int
        Runs of each method that has chance in it; 15 (EVA-VOS Sec. 4). Every method has
        where the robot's hand is not exact.
    clicks : int
        Per interaction; 3 (EVA-VOS Sec. 3).
    every : int
        Only every so many frames of each video: loops are so many times as quick, and masks have
        farther to go.
    frames : str
        Which frames count, see `evavos_widget.metrics.CONVENTIONS`.
    manner : {'paper', 'person'}
        How the robot clicks, see `evavos_widget.robot.annotator.RobotAnnotator`.
    placement : {'distance', 'centroid'}
        Where in a region the robot clicks, see `evavos_widget.robot.clicks.corrective_click`.
    agreement, jitter : float
        How exact it draws and clicks, see `evavos_widget.robot.hand.Hand`.
    error_rate : float
        Of its answers to proposed points, see `evavos_widget.robot.verifier.Verifier`.
    costs : Costs
        What its annotations cost.

    Examples
    --------
    >>> from evavos_widget import embedded_clip, write_sequence
    >>> write_sequence("data", embedded_clip())
    >>> experiment = Experiment.preset(
    ...     "fig3c", data="data", sequences=["coffee-break"], rounds=2, seeds=1
    ... )
    >>> experiment.methods[0].name, len(experiment.methods)
    ('mask-only', 8)

    `evavos_widget.experiments.run.run_experiment` runs it, `evavos_widget.Curves.run` shows it
    meanwhile.
    """

    name: str
    methods: Sequence[Method]
    data: str
    sequences: Sequence[str]
    propagator: str = "compact"
    predictor: str = "compact"
    rounds: int | None = None
    budget: float | None = None
    seeds: int = 15
    clicks: int = 3
    every: int = 1
    frames: str = "evavos"
    manner: Manner = "paper"
    placement: Placement = "distance"
    agreement: float = 1.0
    jitter: float = 0.0
    error_rate: float = 0.0
    costs: Costs = field(default_factory=Costs)

    def __post_init__(self) -> None:
        if not self.methods or not self.sequences:
            raise ValueError("an experiment needs a method and a sequence; give at least one.")
        if not isinstance(self.data, str | os.PathLike):
            raise ValueError(f"data is {self.data!r}; give the path of a folder.")
        if isinstance(self.sequences, str) or not isinstance(self.sequences, Iterable):
            raise ValueError(
                f"sequences is {self.sequences!r}; give a list of names, as in "
                f"[{str(self.sequences)!r}]."
            )
        for sequence in self.sequences:
            if not isinstance(sequence, str):
                raise ValueError(f"the sequences have {sequence!r}; give names.")
        for what in ("propagator", "predictor"):
            if not isinstance(getattr(self, what), str):
                raise ValueError(
                    f"{what} is {getattr(self, what)!r}; give a name, or 'package.module:Class', "
                    "by which other processes find it too."
                )
        for method in self.methods:
            if not isinstance(method, Method):
                raise ValueError(
                    f"the methods have {method!r}; give Method(name, frame, annotation), or a "
                    "preset: Experiment.preset(name)."
                )
        for what, least in (("rounds", 0), ("seeds", 1), ("clicks", 1), ("every", 1)):
            value = getattr(self, what)
            if value is None and what == "rounds":
                continue
            object.__setattr__(self, what, as_count(what, value, least))
        if self.budget is not None:
            budget = as_quantity("budget", self.budget, "seconds, more than 0", above=True)
            object.__setattr__(self, "budget", budget)
        as_costs(self.costs)
        twice = [name for name, n in Counter(self.sequences).items() if n > 1]
        if twice:
            raise ValueError(f"the sequence {twice[0]!r} is given twice; give it once.")
        if self.frames not in list(CONVENTIONS):
            raise ValueError(
                f"unknown convention frames={self.frames!r}; choose from {list(CONVENTIONS)}."
            )
        if self.manner not in MANNERS:
            raise ValueError(f"unknown manner {self.manner!r}; choose from {list(MANNERS)}.")
        if self.placement not in PLACEMENTS:
            raise ValueError(
                f"unknown placement {self.placement!r}; choose from {list(PLACEMENTS)}."
            )
        for method in self.methods:
            kinds = FIRST_TYPES if method.first == "agent" else (method.first,)
            least = max(first_seconds(self.costs, kind, self.clicks) for kind in kinds)
            if self.budget is not None and self.budget < least:
                raise ValueError(
                    f"budget is {self.budget:g}, and the first annotation of {method.name!r} may "
                    f"cost {least:g} s; give more."
                )
        Hand(self.agreement, self.jitter)  # tells what is wrong with them
        Verifier({}, error_rate=self.error_rate)
        names = [method.name for method in self.methods]
        if len(set(names)) < len(names):
            raise ValueError(f"two methods are called alike in {names}; rename one.")

    @property
    def engines(self) -> tuple[tuple[str, str], ...]:
        """All that it names, as stage and name."""
        selectors = dict.fromkeys(pair for method in self.methods for pair in method.engines)
        return ("propagator", self.propagator), ("predictor", self.predictor), *selectors

    @property
    def most_rounds(self) -> int:
        """Annotations of an object after the first, at most."""
        if self.rounds is not None:
            return self.rounds
        return ROUNDS if self.budget is None else MOST_ROUNDS

    @property
    def unsteady(self) -> bool:
        """Whether the robot's hand has chance in it."""
        return self.agreement < 1 or self.jitter > 0 or self.error_rate > 0

    @classmethod
    def preset(cls, name: str, **options: Any) -> Experiment:
        """One of `PRESETS`, with the options of the class."""
        if name not in PRESETS:
            raise ValueError(f"there is no preset {name!r}; choose from {sorted(PRESETS)}.")
        return cls(name, PRESETS[name], **options)

    @classmethod
    def from_toml(cls, path: Path, **options: Any) -> Experiment:
        """Read from a file with the options of the class and a list of ``[[methods]]``.

        Options that are given here go before those of the file. Its ``first`` and ``merge`` are
        those of the methods that do not name their own. Its ``costs`` are a table
        of seconds, or the name of a file beside it that has them. ``sequences`` are a list, or
        what `evavos_widget.datasets.davis.read_sequence_names` takes.
        """
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}; give a TOML file with [[methods]].")
        try:
            told = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} does not describe an experiment: {error}.") from error
        tables = told.get("methods")
        if not tables:
            raise ValueError(f"{path} has no methods; add a [[methods]] for each.")
        if not (isinstance(tables, list) and all(isinstance(each, dict) for each in tables)):
            raise ValueError(f"the methods of {path} are {tables!r}; add a [[methods]] for each.")
        known = {field.name for field in fields(cls)} | {"first", "merge"}
        if unknown := sorted(told.keys() - known):
            raise ValueError(
                f"{path} has an option {unknown[0]!r}, which there is not; choose from "
                f"{sorted(known)}."
            )
        shared = {what: told.pop(what) for what in ("first", "merge") if what in told}
        methods = tuple(_method(shared | each, path, known) for each in told.pop("methods"))
        costs = told.get("costs")
        if isinstance(costs, str):
            told["costs"] = read_costs(path.parent / costs)
        elif isinstance(costs, dict):
            told["costs"] = costs_from(costs, str(path))
        about = {"name": path.stem, "methods": methods, **told, **options}
        for needed in ("data", "sequences"):
            if needed not in about:
                raise ValueError(f"{path} has no {needed}; add it above the first [[methods]].")
        if isinstance(about["sequences"], str) and isinstance(about["data"], str | os.PathLike):
            about["sequences"] = read_sequence_names(about["sequences"], about["data"])
        return cls(**about)


def _method(told: Mapping[str, Any], path: Path, options: Collection[str]) -> Method:
    """What a ``[[methods]]`` of a file says; `options` are those of the file itself."""
    which = f"the method {told.get('name', '')!r} of {path}"
    known = [field.name for field in fields(Method)]
    for name in sorted(told.keys() - known):
        elsewhere = (
            "put it above the first [[methods]]" if name in options else f"choose from {known}"
        )
        raise ValueError(f"{which} has {name!r}, which is nothing of a method; {elsewhere}.")
    for needed in ("name", "frame", "annotation"):
        if needed not in told:
            raise ValueError(f"{which} has no {needed!r}; add it.")
    return Method(**told)


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
        Chance is another one for each object, also of the same video.
    propagator, predictor : str or object
        Engines that may be used again for the same video.
    """
    truth = {f: (m == obj).astype(np.uint8) for f, m in sequence.ground_truth.items()}
    scorer = SequenceScorer(truth, frames=experiment.frames, objects=[1])
    chance = int(np.random.SeedSequence([seed, obj]).generate_state(1)[0])
    # Selectors know the video that they are asked about; a hand does not.
    own = chance ^ crc32(sequence.name.encode(errors="replace"))
    robot = RobotAnnotator(
        truth,
        clicks=experiment.clicks,
        placement=experiment.placement,
        hand=Hand(experiment.agreement, experiment.jitter, own),
        manner=experiment.manner,
        first=method.first,
        verifier=Verifier(truth, error_rate=experiment.error_rate, seed=own),
    )
    frame_selector, annotation_selector = selectors(method, robot, chance)
    budget = float("inf") if experiment.budget is None else experiment.budget
    counting = scored_frames(sorted(truth), experiment.frames)
    if experiment.frames == "evavos":
        counting = [f for f in counting if truth[f].any()]
    with Session(
        sequence.video,
        propagator=propagator,
        predictor=predictor,
        frame_selector=frame_selector,
        annotation_selector=annotation_selector,
        costs=experiment.costs,
        budget=experiment.budget,
        first=method.first,
        path=None,
    ) as session:
        for selector in (frame_selector, annotation_selector):
            if isinstance(selector, Oracle):
                selector.session = session
                selector.scored = frozenset(counting)
        frame = min(f for f, m in truth.items() if m.any())
        robot.begin(session, frame, session.add_object())
        session.propagate(progress=False)
        before: Row | None = None
        paid = 0
        for n in range(experiment.most_rounds + 1):
            if n:
                passed: list[PropagationStep] = []
                asked = turn(session, robot, passed.append)
                if asked is None or session.seconds > budget + ROUNDING:
                    break
                frame = asked.frame
                if before is not None:
                    followers = {step.frame for step in passed} - {None}
                    share = len({frame} | followers) / session.video.n_frames
                    gain = asked.expected_gain * (1 if asked.gain_of == "video" else share)
                    promised = per_second(gain, asked.seconds)
                    yield replace(before, expected_gain=float(promised))
            score, done = scorer.score(session.masks), session.rounds[paid:]
            paid += len(done)
            before = Row(
                method=method.name,
                video=sequence.name,
                object=obj,
                seed=seed,
                round=n,
                frame=frame,
                type=done[0].kind,
                seconds=sum(each.seconds for each in done),
                hours=session.seconds / 3600,
                j=score.j,
                f=score.f,
                jf=score.jf,
                expected_gain=0.0,
                frames=experiment.frames,
                budget=budget,
            )
        if before is not None:
            yield before

"""One video being annotated: what a person or a robot does, and what is there. No widgets.

Everything a person does in the notebook and everything the robot does in an experiment
goes through a `Session`, from any thread. It checks what it is asked, writes it down as an
event, and lets it be seen. The class is in four parts that stand on each other: `core` (a
change, undo, disk), `view` (looking, exporting), `annotating` (what is said), and here what is
done about it: propagating and suggesting. How an event changes the state is in `state`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from evavos_widget import engines
from evavos_widget.contract import steps_of
from evavos_widget.features import FeatureStore
from evavos_widget.loop import (
    Annotation,
    AnnotationSelector,
    FrameSelector,
    LoopState,
    MaskPredictor,
    PropagationStep,
    Propagator,
    Steps,
    types_taken,
)
from evavos_widget.notebook import in_notebook
from evavos_widget.prompts import Costs, as_costs
from evavos_widget.quantities import as_quantity
from evavos_widget.session import checks
from evavos_widget.session.annotating import AnnotatedSession
from evavos_widget.session.quality import TrueQuality, curve_point, quality_of_frame
from evavos_widget.session.state import State
from evavos_widget.session.storage import folder_of, read_header
from evavos_widget.sources import check_merge
from evavos_widget.suggestion import Suggestion, check_first, first_type, suggest
from evavos_widget.video import Video

__all__ = ["Session"]


class Session(AnnotatedSession):
    """Annotate one video: objects, annotations K, masks M^t, and what to do next.

    A locked object is safe from the hand: nothing is committed, accepted, imported, taken
    back, merged or removed in its name, no suggestion asks for it, and where it is shown
    another object's annotation gives way. A pass still brings its mask up to date on the
    frames between its annotations, which are what was locked; on those it changes no pixel.

    Parameters
    ----------
    video : Video or anything `Video.open` takes
    propagator, predictor, frame_selector, annotation_selector : str or object
        The four stages, by name or as objects that follow the protocols in
        `evavos_widget.loop`. Where the weights of a named propagator or predictor cannot
        be used, one that needs none takes its place, and `warnings` says so; `notices` has the
        terms of weights that not everybody may use for everything.
    merge : {'trust', 'nearest'}
        How a propagator that is given by name makes one mask of those that arrive from several
        annotations, see `evavos_widget.sources`.
    first : {'mask', 'clicks', 'agent'}
        What is suggested for an object of which there is nothing yet: a drawn mask, as in the
        paper, or clicks; or the annotation selector decides, where it can
        (`suggestion.DecidesFirst`).
    path : path, 'auto' or None
        Folder of the journal. ``'auto'``: ``<video name>.evavos`` in the working
        directory. A folder that already holds a session of the same video is
        continued; it stays where it is, wherever the process goes. Arrays, which have no
        name, each get a folder of their own. None: nothing on disk, for experiments.
    ground_truth : mapping of frame -> (H, W) uint8 label map, optional
        Only for the curve's true J&F; no stage ever sees it.
    costs : Costs, optional
        Seconds charged when an annotation comes without measured ones.
    budget : float, optional
        Seconds that the annotator has in all, spent ones included; for selectors that plan.
    device : str, optional
        Where named propagators and predictors run, such as ``'cpu'``; by default a GPU where
        there is one.
    read_only : bool
        Look at the session at `path` and export from it, and change nothing. So it is too,
        with a warning, where the place may only be read.

    Raises
    ------
    ValueError
        `path` holds the session of another video, a stage's name is unknown, or the device is
        not there.
    RuntimeError
        `path` is open in another process.

    Examples
    --------
    The embedded clip, made small so that a pass takes no time:

    >>> from evavos_widget import embedded_clip
    >>> clip = embedded_clip()
    >>> frames = np.stack([clip.video[i][::4, ::4] for i in range(8)])
    >>> session = Session(frames, propagator="flow", predictor="classical", path=None)
    >>> astronaut = session.add_object("astronaut")
    >>> mask = clip.ground_truth[0][::4, ::4] == 1
    >>> _ = session.annotate(0, mask, objects=[astronaut])
    >>> session.propagate()
    7
    >>> session.masks[7].shape
    (120, 214)
    >>> asked = session.suggest()
    >>> asked.frame, asked.kind
    (7, 'clicks')
    >>> session.close()
    """

    def __init__(
        self,
        video: Any,
        *,
        propagator: str | Propagator = "compact",
        predictor: str | MaskPredictor = "compact",
        frame_selector: str | FrameSelector = "farthest-in-time",
        annotation_selector: str | AnnotationSelector = "rule",
        merge: str = "trust",
        first: str = "mask",
        path: str | os.PathLike[str] | None = "auto",
        ground_truth: Mapping[int, np.ndarray] | None = None,
        costs: Costs | None = None,
        budget: float | None = None,
        device: str | None = None,
        read_only: bool = False,
    ) -> None:
        check_merge(merge)
        check_first(first)
        if budget is not None:
            budget = as_quantity("budget", budget, "seconds, 0 or more, or None")
        if not isinstance(ground_truth, Mapping | None):
            raise TypeError(
                f"ground_truth is {type(ground_truth).__name__}; give a mapping from frame to "
                "label map, as formats.import_masks(source, video) reads."
            )
        opened = video if isinstance(video, Video) else Video.open(video)
        self.costs = as_costs(costs)
        self.ground_truth = ground_truth
        given = {
            "propagator": propagator,
            "predictor": predictor,
            "frame_selector": frame_selector,
            "annotation_selector": annotation_selector,
        }
        # What masks and suggestions depend on is kept with the session, for opening it again.
        made_with = {
            "engines": {
                **{stage: e if isinstance(e, str) else None for stage, e in given.items()},
                "merge": merge,
                "first": first,
            },
            "costs": asdict(self.costs),
            "budget": budget,
        }
        self.propagator: Propagator
        self.predictor: MaskPredictor
        self.propagator, no_weights = engines.create_or_fall_back(
            "propagator", propagator, device, merge=merge
        )
        self.predictor, none_either = engines.create_or_fall_back("predictor", predictor, device)
        replaced = [sentence for sentence in (no_weights, none_either) if sentence]
        for sentence in replaced:
            warnings.warn(sentence, stacklevel=2)
        self.warnings: tuple[str, ...] = (*opened.warnings, *replaced)
        self.frame_selector: FrameSelector = engines.create("frame_selector", frame_selector)
        self.annotation_selector: AnnotationSelector = engines.create(
            "annotation_selector", annotation_selector
        )
        stages = (
            self.propagator,
            self.predictor,
            self.frame_selector,
            self.annotation_selector,
        )
        self.notices: tuple[str, ...] = tuple(dict.fromkeys(s.notice for s in stages if s.notice))
        self.budget, self.first, self._device = budget, first, device
        if first == "clicks":
            checks.check_prompted(self.predictor, frozenset({"clicks"}))
        self._features = FeatureStore()
        self._scores, self._drafts = {}, {}
        self._true_quality: TrueQuality | None = None
        super().__init__(opened, self.propagator.affected, made_with, path, read_only)
        for sentence in self._storage.warnings:
            warnings.warn(sentence, stacklevel=2)
        self.warnings += tuple(self._storage.warnings)

    @classmethod
    def open(cls, path: str | os.PathLike[str], video: Any = None, **options: Any) -> Session:
        """Open a session again, after closing it, a crash or a kernel restart.

        Parameters
        ----------
        path : path
            The session's folder.
        video : Video or anything `Video.open` takes, optional
            Needed when the video was given as an array or has moved.
        **options
            As for `Session`; engines that the session was given by name are the default, and so
            are its ``merge``, ``first``, ``costs`` and ``budget``.
            ``read_only=True`` leaves it as it is, and works while another process has it.

        Raises
        ------
        FileNotFoundError
            There is no session at `path`.
        """
        folder = folder_of(path)
        header = read_header(folder)
        if video is None:
            video = _video_of(header, folder)
        return cls(video, path=folder, **{**_made_with(header or {}), **options})

    # -- the loop -------------------------------------------------------------

    @property
    def state(self) -> LoopState:
        """What the selectors see; a consistent picture of one moment."""
        return self._seen(self._state)

    def _seen(self, s: State) -> LoopState:
        """What the selectors see of a state."""
        columns = [s.quality[o] for o in s.ids]
        quality = np.stack(columns, axis=1) if columns else np.zeros((self.video.n_frames, 0))
        return LoopState(
            video=self.video,
            objects=s.ids,
            annotations=s.annotations,
            masks=s.masks,
            quality=quality.astype(np.float32),
            costs=self.costs,
            snoozed=s.snoozed,
            rounds=s.rounds,
            seconds=s.seconds,
            budget=self.budget,
            features=self._features,
            first=self.first,
            types=types_taken(self.predictor),
        )

    @property
    def first_type(self) -> str:
        """What an object begins with, ``'mask'`` or ``'clicks'``."""
        return first_type(self.state, self.annotation_selector)

    @property
    def quality(self) -> np.ndarray:
        """Predicted J&F, ``(N, K)`` float32, 0 to 1; NaN where nothing was propagated."""
        return self.state.quality

    def propagation(self, frames: Collection[int] | None = None) -> Iterator[PropagationStep]:
        """Propagate to the frames that wait for it, storing each as it comes.

        Close the iterator to cancel: what was stored stays, the rest stays stale. The
        pass also ends when an annotation is committed meanwhile; start it again for
        what is stale then. Where the session is closed meanwhile, it ends too.

        Parameters
        ----------
        frames : collection of int, optional
            Only to those of the waiting frames that are in it, as ``range(40, 96)`` for
            the stretch from frame 40 on. Default: all.

        Yields
        ------
        PropagationStep

        Raises
        ------
        IndexError, TypeError
            One of `frames` is none of the video.
        ValueError
            Masks are to begin from points, which the session's propagator does not take.
        RuntimeError
            The session was closed before.
        """
        with self._lock:
            self.check_open()
            checks.check_accepted(self._state, self.propagator)
            state, generation = self._state, self._timeline.generation
            asked = state.stale if frames is None else self._as_frames(frames)
            waiting = sorted(state.stale & asked)
            if not waiting and state.rounds and not state.stale:
                self._end_pass()  # where every frame is annotated, that is a finished pass too
            news = self._state.curve != state.curve
            if news:
                self._save_masks()
        if news:
            self._emit("propagated", {"finished": True})
        if not waiting:
            return
        steps = self.carry(state.annotations, state.ids, waiting)
        finished = False
        try:
            for step in steps:
                with self._lock:
                    if self._closed or self._timeline.generation != generation:
                        return
                    if step.frame is not None and step.probabilities is not None:
                        self._store(step.frame, step.probabilities, state.ids)
                yield step
            finished = True
        finally:
            steps.close()
            with self._lock:
                whole = finished and not self._state.stale
                if whole and not self._closed and self._timeline.generation == generation:
                    self._end_pass()
                self._save_masks()
            self._emit("propagated", {"finished": finished})

    def carry(
        self,
        annotations: Mapping[int, Annotation],
        objects: Sequence[int],
        frames: Collection[int],
    ) -> Steps:
        """Ask the propagator for masks, as `Propagator.propagate`, and store nothing.

        Several passes may be under way, on several threads: a propagator takes one step at a
        time, and each pass waits for the step of another.

        Raises
        ------
        EngineError
            A step cannot be used.
        """
        steps = steps_of(self.propagator, self.video, annotations, objects, frames)
        try:
            while True:
                with self._turn:
                    step = next(steps, None)
                if step is None:
                    return
                yield step
        finally:
            with self._turn:
                steps.close()

    def propagate(
        self,
        on_step: Callable[[PropagationStep], None] | None = None,
        *,
        frames: Collection[int] | None = None,
        progress: bool | None = None,
    ) -> int:
        """Run a whole pass.

        Parameters
        ----------
        on_step : callable, optional
            Told of every step.
        frames : collection of int, optional
            As for `propagation`.
        progress : bool, optional
            Show a bar. By default in a notebook, where there is no `on_step` to show something.

        Returns
        -------
        int
            How many frames were propagated.
        """
        if on_step is not None and not callable(on_step):
            raise TypeError(f"on_step is {on_step!r}; give a function, and frames as frames=[...].")
        n = 0
        shown = on_step is None and in_notebook() if progress is None else progress
        steps = self.propagation(frames)
        for step in _with_bar(steps) if shown else steps:
            n += step.frame is not None
            if on_step is not None:
                on_step(step)
        return n

    def _store(self, frame: int, probabilities: np.ndarray, ids: Sequence[int]) -> None:
        """Take one propagated frame into M^t."""
        labels = np.array([0, *ids], dtype=np.uint8)[probabilities.argmax(axis=0)]
        revision = self.revision + 1
        self._probabilities.put(frame, revision, ids, probabilities)
        weights, merge = self.propagator.quality_weights, self.propagator.merge
        quality = quality_of_frame(self._state, frame, ids, probabilities, weights, merge)
        changed = replace(self._state, quality=quality, stale=self._state.stale - {frame})
        self._timeline.show(changed.with_masks({frame: labels}, revision))
        self._emit("frame", {"frame": frame})

    def _end_pass(self) -> None:
        """What a finished pass brings: a point of the curve, and the end of what was put off."""
        state = self._state
        point = curve_point(state, self._true_quality_of(state))
        kept = tuple(p for p in state.curve if p.seconds < point.seconds)
        self._timeline.state = replace(state, curve=(*kept, point))
        if state.snoozed and not self.read_only:
            self._do({"kind": "snooze.end"}, undoable=False)

    def _true_quality_of(self, state: State) -> float | None:
        if not self.ground_truth:
            return None
        if self._true_quality is None or self._true_quality.ground_truth is not self.ground_truth:
            self._true_quality = TrueQuality(self.ground_truth)
        return self._true_quality.of(state)

    def suggest(self) -> Suggestion | None:
        """What to annotate next, or None when nothing is left to ask."""
        return next(iter(self.suggestions(1)), None)

    def suggestions(self, n: int = 3) -> list[Suggestion]:
        """What to annotate next, and what instead: up to `n` proposals, the best first.

        Each is what would be asked if those before it had been accepted as they are, so
        that they lie apart. Locked objects are not asked for.
        """
        state = self._to_ask_about(self._state)
        proposals: list[Suggestion] = []
        for _ in range(n):
            if proposals:
                if not state.annotations:  # the first mask: nothing else can be asked yet
                    break
                state = _as_if_accepted(state, proposals[-1].frame, proposals[-1].object)
            proposal = suggest(state, self.frame_selector, self.annotation_selector)
            if proposal is None or (proposal.frame, proposal.object) in state.snoozed:
                break
            proposals.append(proposal)
        return proposals

    def _to_ask_about(self, of: State) -> LoopState:
        """What the selectors see of the objects that are not locked."""
        state, locked = self._seen(of), checks.locked(of)
        if not locked:
            return state
        kept = [k for k, o in enumerate(state.objects) if o not in locked]
        return replace(
            state,
            objects=tuple(state.objects[k] for k in kept),
            quality=state.quality[:, kept],
        )

    def prepare(self, frame: int) -> None:
        """Let the predictor begin with a frame on which prompts are to be expected.

        Returns at once. A predictor that takes long over an image embeds it meanwhile.
        """
        frame = self._as_frame(frame)
        self.predictor.prepare(lambda: self.video.frame(frame), (self.video.token, frame))

    def snooze(self, frame: int, obj: int) -> None:
        """Suggest another frame for this object until the next finished pass.

        The pass changes what is known of the frame, so that it may be asked for again then.
        Undo takes it back at once.
        """
        frame, obj = self._as_frame(frame), self._as_object(obj)
        with self._lock:
            self._do({"kind": "snooze", "frame": frame, "object": obj})


def _made_with(header: Mapping[str, Any]) -> dict[str, Any]:
    """The options that a session was made with; older journals tell of the engines alone."""
    made = {**header.get("engines", {}), "budget": header.get("budget")}
    if "costs" in header:
        made["costs"] = Costs(**header["costs"])
    return {option: given for option, given in made.items() if given is not None}


def _video_of(header: Mapping[str, Any] | None, folder: Path) -> Video:
    """The video that a session's journal names, with the frames that it had."""
    if header is None:
        raise ValueError(
            f"the journal in {str(folder)!r} lost its first line, which named the video; "
            "pass it: Session.open(path, video=...)."
        )
    made = header["video"]
    if made["source"] is None:
        raise ValueError(
            f"the video of {str(folder)!r} was given as an array; "
            "pass it again: Session.open(path, video=frames)."
        )
    try:
        return Video.open(made["source"], name=made["name"], frame_names=made.get("frame_names"))
    except FileNotFoundError as error:
        told = str(error).rstrip(".")
        raise FileNotFoundError(
            f"the video of {str(folder)!r} cannot be opened again ({told}); "
            "pass where it is now: Session.open(path, video=...)."
        ) from error


def _as_if_accepted(state: LoopState, frame: int, obj: int) -> LoopState:
    """The state in which the mask of one object on a frame had been accepted."""
    old = state.annotations.get(frame)
    spoken = (old.objects if old else frozenset()) | {obj}
    shown = state.masks[frame]
    labels = np.where(shown == obj, shown, old.labels if old else 0).astype(np.uint8)
    points = {o: p for o, p in old.points.items() if o != obj} if old else {}
    sources = {o: s for o, s in old.sources.items() if o != obj} if old else {}
    annotations = {**state.annotations, frame: Annotation(labels, spoken, sources, points)}
    return replace(state, annotations=annotations, snoozed=state.snoozed | {(frame, obj)})


def _with_bar(steps: Iterator[PropagationStep]) -> Iterator[PropagationStep]:
    from tqdm.auto import tqdm

    with tqdm(desc="propagating", unit="step") as bar:
        for step in steps:
            bar.total = step.total
            bar.update(step.done - bar.n)
            yield step

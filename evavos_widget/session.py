"""One video being annotated: state, undo and redo, journal, engines. No widgets.

Everything a person does in the notebook and everything the robot does in an experiment
goes through a `Session`, from any thread.
"""

from __future__ import annotations

import os
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evavos_widget import engines, formats
from evavos_widget.journal import Journal
from evavos_widget.loop import (
    Annotation,
    AnnotationSelector,
    FrameSelector,
    LoopState,
    MaskPredictor,
    PropagationStep,
    Propagator,
    Suggestion,
    objects_annotated,
    suggest,
)
from evavos_widget.masks import LabelMaps, as_label_map, davis_palette
from evavos_widget.metrics import SequenceScorer
from evavos_widget.probabilities import QUALITY_WEIGHTS, ProbabilityCache, predicted_quality
from evavos_widget.prompts import (
    ANNOTATION_TYPES,
    STATEMENTS,
    Box,
    Click,
    Costs,
    Prediction,
    Prompts,
    Scribble,
)
from evavos_widget.saved_masks import SavedMasks, save_masks
from evavos_widget.state import (
    CurvePoint,
    ObjectInfo,
    Round,
    State,
    apply,
    describe,
    pack_label_map,
)
from evavos_widget.video import Video

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Session"]

#: How many changes undo can take back; each keeps the masks it replaced, as runs.
HISTORY_LIMIT = 100

#: Bytes of propagated probabilities kept for predictors, compressed.
PROBABILITY_BYTES = 128 * 2**20

#: Open sessions of this process by folder: opening one again takes it over.
_open_sessions: weakref.WeakValueDictionary[Path, Session] = weakref.WeakValueDictionary()


class Session:
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
    path : path, 'auto' or None
        Folder of the journal. ``'auto'``: ``<video name>.evavos`` in the working
        directory. A folder that already holds a session of the same video is
        continued. None: nothing on disk, for experiments.
    ground_truth : mapping of frame -> (H, W) uint8 label map, optional
        Only for the curve's true J&F; no stage ever sees it.
    costs : Costs, optional
        Seconds charged when an annotation comes without measured ones.
    device : str, optional
        Where named propagators and predictors run, such as ``'cpu'``; by default a GPU where
        there is one.

    Raises
    ------
    ValueError
        `path` holds the session of another video, a stage's name is unknown, or the device is
        not there.
    RuntimeError
        `path` is open in another process.

    Examples
    --------
    >>> session = Session(frames, path=None)                       # doctest: +SKIP
    >>> horse = session.add_object("horse")                        # doctest: +SKIP
    >>> session.annotate(0, mask, objects=[horse])                 # doctest: +SKIP
    >>> session.propagate()                                        # doctest: +SKIP
    >>> session.suggest()                                          # doctest: +SKIP
    """

    def __init__(
        self,
        video: Any,
        *,
        propagator: str | Propagator = "compact",
        predictor: str | MaskPredictor = "compact",
        frame_selector: str | FrameSelector = "farthest-in-time",
        annotation_selector: str | AnnotationSelector = "rule",
        path: str | os.PathLike[str] | None = "auto",
        ground_truth: Mapping[int, np.ndarray] | None = None,
        costs: Costs | None = None,
        device: str | None = None,
    ) -> None:
        self.video = video if isinstance(video, Video) else Video.open(video)
        self.costs = costs or Costs()
        self.ground_truth = ground_truth
        given = (propagator, predictor, frame_selector, annotation_selector)
        self._engine_names = {
            stage: engine if isinstance(engine, str) else None
            for stage, engine in zip(engines.STAGES, given, strict=True)
        }
        self.propagator: Propagator
        self.predictor: MaskPredictor
        self.propagator, no_weights = engines.create_or_fall_back("propagator", propagator, device)
        self.predictor, none_either = engines.create_or_fall_back("predictor", predictor, device)
        notices = [getattr(e, "notice", None) for e in (self.propagator, self.predictor)]
        replaced = [sentence for sentence in (no_weights, none_either) if sentence]
        for sentence in replaced:
            warnings.warn(sentence, stacklevel=2)
        self.warnings: tuple[str, ...] = (*self.video.warnings, *replaced)
        self.notices: tuple[str, ...] = tuple(dict.fromkeys(n for n in notices if n))
        self.frame_selector: FrameSelector = engines.create("frame_selector", frame_selector)
        self.annotation_selector: AnnotationSelector = engines.create(
            "annotation_selector", annotation_selector
        )
        self.path: Path | None = None
        self.saved_at: float | None = None
        self._lock = threading.RLock()
        self._listeners: list[Callable[[str, dict[str, Any]], None]] = []
        self._state = State.empty(self.video.n_frames, self.video.height, self.video.width)
        self._undo: list[tuple[str, State]] = []
        self._redo: list[tuple[str, State]] = []
        self._revision = 0
        self._generation = 0  # grows when K changes: a running pass then works on old news
        self._events = 0
        self._probabilities = ProbabilityCache(PROBABILITY_BYTES)
        self._scorer: SequenceScorer | None = None
        self._true_ids: set[int] | None = None
        self._journal: Journal | None = None
        if path is not None:
            self._open_journal(Path(f"{self.video.name}.evavos" if path == "auto" else path))

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
            As for `Session`; engines that the session was given by name are the default.

        Raises
        ------
        FileNotFoundError
            There is no session at `path`.
        """
        folder = Path(path)
        if not (folder / "journal.jsonl").is_file():
            raise FileNotFoundError(
                f"there is no session at {str(folder)!r}; "
                "give the folder that holds its journal.jsonl."
            )
        _take_over(folder)
        journal = Journal(folder)
        try:
            header = journal.events[0] if journal.events else {}
        finally:
            journal.close()
        if header.get("kind") != "session":
            raise ValueError(
                f"the journal in {str(folder)!r} lost its first line; "
                "open the video with Session(video, path=...) in a new folder."
            )
        if video is None:
            video = header["video"]["source"]
            if video is None:
                raise ValueError(
                    f"the video of {str(folder)!r} was given as an array; "
                    "pass it again: Session.open(path, video=frames)."
                )
            if isinstance(video, str) and not Path(video).exists() and "://" not in video:
                raise FileNotFoundError(
                    f"the video of {str(folder)!r} is no longer at {video!r}; "
                    "pass where it is now: Session.open(path, video=...)."
                )
        chosen = {k: v for k, v in header["engines"].items() if v is not None}
        return cls(video, path=folder, **{**chosen, **options})

    # -- what is there --------------------------------------------------------

    @property
    def state(self) -> LoopState:
        """What the selectors see; a consistent picture of one moment."""
        s = self._state
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
        )

    @property
    def objects(self) -> tuple[ObjectInfo, ...]:
        """The objects, by ascending id."""
        return self._state.objects

    @property
    def annotations(self) -> Mapping[int, Annotation]:
        """K: frame -> what the annotator stands behind there."""
        return self._state.annotations

    @property
    def masks(self) -> LabelMaps:
        """M^t: one label map per frame."""
        return self._state.masks

    @property
    def revisions(self) -> tuple[int, ...]:
        """Per frame, the revision at which its mask last changed."""
        return self._state.revisions

    @property
    def revision(self) -> int:
        """Grows with every change."""
        return self._revision

    @property
    def quality(self) -> np.ndarray:
        """Predicted J&F, ``(N, K)`` float32, 0 to 1; NaN where nothing was propagated."""
        return self.state.quality

    @property
    def stale(self) -> frozenset[int]:
        """Frames that wait for a propagation pass."""
        return self._state.stale

    @property
    def marks(self) -> Mapping[tuple[int, int], str]:
        """How each annotation came about, by frame and object: see `State.marks`."""
        return self._state.marks

    @property
    def rounds(self) -> tuple[Round, ...]:
        """Every annotation and what it cost."""
        return self._state.rounds

    @property
    def seconds(self) -> float:
        """What the annotator has spent, in seconds."""
        return self._state.seconds

    @property
    def curve(self) -> tuple[CurvePoint, ...]:
        """Quality against the annotator's seconds, one point per finished pass."""
        return self._state.curve

    @property
    def can_undo(self) -> str | None:
        """What `undo` would take back, or None."""
        return self._undo[-1][0] if self._undo else None

    @property
    def can_redo(self) -> str | None:
        """What `redo` would bring back, or None."""
        return self._redo[-1][0] if self._redo else None

    def probabilities(self, frame: int, obj: int) -> np.ndarray | None:
        """Foreground probability of an object behind the current mask of a frame.

        Returns
        -------
        (H, W) float32 array in [0, 1] or None
            None where the mask was not propagated, or so long ago that it was let go.
        """
        self._check_frame(frame)
        return self._probabilities.get(frame, self._state.revisions[frame], obj)

    # -- objects --------------------------------------------------------------

    def add_object(self, name: str | None = None) -> int:
        """Add an object at any time; the masks of the others stay.

        Returns
        -------
        int
            The new object's id, 1 to 255.
        """
        with self._lock:
            free = sorted(set(range(1, 256)) - set(self._state.ids))
            if not free:
                raise ValueError(
                    "there are 255 objects, all that a label map can hold; "
                    "remove one, or annotate the rest in a second session."
                )
            above = [i for i in free if i > max(self._state.ids, default=0)]
            new = above[0] if above else free[0]
            self._do({"kind": "object.add", "object": new, "name": name or f"object {new}"})
            return new

    def update_object(self, obj: int, **changes: Any) -> None:
        """Change an object's ``name``, ``color`` ('#rrggbb'), ``visible`` or ``locked``."""
        with self._lock:
            self._check_object(obj)
            unknown = set(changes) - {"name", "color", "visible", "locked"}
            if unknown:
                raise ValueError(
                    f"an object has no {sorted(unknown)[0]!r}; "
                    "change its name, color, visible or locked."
                )
            self._do({"kind": "object.update", "object": obj, "changes": changes})

    def remove_object(self, obj: int) -> None:
        """Remove an object with its masks and annotations; undo brings it back."""
        with self._lock:
            self._check_object(obj)
            self._check_unlocked({obj})
            self._do({"kind": "object.remove", "object": obj})

    def merge_objects(self, obj: int, into: int) -> None:
        """Make two objects one, which was outlined as two by mistake; undo parts them again.

        Parameters
        ----------
        obj : int
            Ends here; its masks and annotations go over.
        into : int
            Stays, with its name and colour. A frame where only one of the two was
            annotated stays annotated and takes in the other's current mask there.
        """
        with self._lock:
            self._check_object(obj)
            self._check_object(into)
            if obj == into:
                raise ValueError(f"object {obj} cannot be merged into itself; name another one.")
            self._check_unlocked({obj, into})
            self._do({"kind": "object.merge", "object": obj, "into": into})

    # -- annotating -----------------------------------------------------------

    def predict(
        self,
        frame: int,
        obj: int,
        *,
        clicks: Sequence[Click | tuple[float, float, Any]] = (),
        box: Box | Sequence[float] | None = None,
        scribbles: Sequence[Scribble] = (),
    ) -> Prediction:
        """A preview of one object's mask from prompts; nothing is stored.

        Parameters
        ----------
        frame, obj : int
        clicks : sequence of Click or (x, y, positive)
            All clicks since the frame's current mask, in order.
        box : Box or (x0, y0, x1, y1), optional
        scribbles : sequence of Scribble

        Returns
        -------
        Prediction
        """
        self._check_frame(frame)
        self._check_object(obj)
        with self._lock:
            state = self._state
            soft = self._probabilities.get(frame, state.revisions[frame], obj)
        current = state.masks[frame] == obj
        prompts = Prompts(
            clicks=tuple(
                c if isinstance(c, Click) else Click(c[0], c[1], bool(c[2])) for c in clicks
            ),
            box=box if box is None or isinstance(box, Box) else Box(*box),
            scribbles=tuple(scribbles),
            previous_mask=current if current.any() else None,
            previous_probabilities=soft if current.any() else None,
        )
        prompts.validate(self.video.height, self.video.width)
        return self.predictor.predict(
            self.video.frame(frame), prompts, key=(self.video.token, frame)
        )

    def annotate(
        self,
        frame: int,
        mask: np.ndarray,
        *,
        objects: Collection[int] | None = None,
        kind: str = "mask",
        seconds: float | None = None,
        clicks: Sequence[tuple[float, float, Any]] = (),
    ) -> int:
        """Commit an annotation; on disk when this returns.

        Parameters
        ----------
        frame : int
        mask : (H, W) array
            The mask of one object (bool, with one id in `objects`) or a label map.
        objects : collection of int, optional
            Whom the annotation speaks for. One without a pixel is absent from the
            frame. Default: the ids present in the label map.
        kind : str
            Annotation type.
        seconds : float, optional
            What it cost; default from `costs`, for each object it speaks for.
        clicks : sequence of (x, y, positive)
            The clicks that led to it, for the record.

        Returns
        -------
        int
            The new revision.

        Raises
        ------
        ValueError
            The mask has another size than the video, names unknown or locked objects, or
            lies wholly on locked ones.
        """
        self._check_frame(frame)
        with self._lock:
            labels, spoken = self._labels(mask, objects, f"the mask for frame {frame}")
            self._check_unlocked(spoken)
            if kind not in ANNOTATION_TYPES and kind not in STATEMENTS:
                raise ValueError(
                    f"unknown annotation type {kind!r}; "
                    f"choose from {[*ANNOTATION_TYPES, *STATEMENTS]}."
                )
            labels = self._beside_locked(frame, labels)
            self._check_statement(kind, labels, spoken, frame)
            there = self._state.masks.ids(frame)
            if seconds is None:
                seconds = self.costs.seconds(kind, len(clicks) or None) * len(spoken)
            if not (np.isfinite(seconds) and seconds >= 0):
                raise ValueError(f"seconds is {seconds}; give what it took, 0 or more.")
            self._do(
                {
                    "kind": "annotate",
                    "frames": {str(frame): pack_label_map(labels)},
                    "objects": sorted(spoken),
                    "type": kind,
                    "seconds": float(seconds),
                    "clicks": [[float(x), float(y), int(bool(p))] for x, y, p in clicks],
                    "corrects": sorted(spoken & there),
                }
            )
            return self._revision

    def accept(
        self, frame: int, objects: Collection[int] | None = None, *, seconds: float | None = None
    ) -> int:
        """Stand behind the masks of a frame as they are: annotation type ``'verified'``.

        Parameters
        ----------
        frame : int
        objects : collection of int, optional
            Default: every object with a pixel there that is not locked.
        seconds : float, optional
            As for `annotate`.

        Returns
        -------
        int
            The new revision.

        Raises
        ------
        ValueError
            An object has no mask there: say that it is absent, or draw it.
        """
        self._check_frame(frame)
        with self._lock:
            labels = self._state.masks[frame]
            shown_ids = self._state.masks.ids(frame)
            chosen = shown_ids - self._locked() if objects is None else set(objects)
            if not chosen:
                why = "only locked masks" if shown_ids else "no mask to accept"
                raise ValueError(f"frame {frame} shows {why}; draw one first.")
            shown = np.where(np.isin(labels, list(chosen)), labels, 0)
            return self.annotate(frame, shown, objects=chosen, kind="verified", seconds=seconds)

    def mark_absent(
        self, frame: int, objects: Collection[int], *, seconds: float | None = None
    ) -> int:
        """Say that objects are not in a frame; their masks there go. Returns the revision."""
        nothing = np.zeros((self.video.height, self.video.width), dtype=np.uint8)
        return self.annotate(frame, nothing, objects=objects, kind="absent", seconds=seconds)

    def import_masks(
        self, source: Any, *, objects: Collection[int] | None = None, seconds: float = 0.0
    ) -> list[int]:
        """Take existing masks as annotations, in one step that undo takes back.

        Parameters
        ----------
        source : folder of PNG files, .npz file, (N, H, W) array, or mapping
            A mapping goes from frame to label map.
        objects : collection of int, optional
            Whom the masks speak for; default all ids that occur in any of them.
            Ids without an object get one. Pixels of locked objects stay as they are.
        seconds : float
            What they cost the annotator.

        Returns
        -------
        list of int
            The frames annotated.
        """
        maps = {
            int(f): as_label_map(m, self.video.height, self.video.width, f"the mask for frame {f}")
            for f, m in formats.import_masks(source, self.video).items()
        }
        if not maps:
            raise ValueError(f"no mask found in {source!r}; give one label map or more.")
        for frame in maps:
            self._check_frame(frame)
        present = set(np.unique(np.concatenate([np.unique(m) for m in maps.values()])).tolist()) - {
            0
        }
        spoken = set(objects) if objects is not None else present
        with self._lock:
            self._check_unlocked(spoken)
            maps = {f: self._free_of_locked(f, labels) for f, labels in maps.items()}
            events = [
                {"kind": "object.add", "object": o, "name": f"object {o}"}
                for o in sorted(spoken - set(self._state.ids))
            ]
            events.append(
                {
                    "kind": "annotate",
                    "frames": {str(f): pack_label_map(m) for f, m in sorted(maps.items())},
                    "objects": sorted(spoken),
                    "type": "import",
                    "seconds": float(seconds),
                    "clicks": [],
                }
            )
            self._do(*events)
        return sorted(maps)

    def remove_annotation(self, frame: int, obj: int) -> None:
        """Take an object's annotation on a frame back into question."""
        with self._lock:
            annotation = self._state.annotations.get(frame)
            if annotation is None or obj not in annotation.objects:
                raise ValueError(
                    f"frame {frame} is not annotated for object {obj}; "
                    f"annotated frames: {sorted(self._state.annotations)}."
                )
            self._check_unlocked({obj})
            self._do({"kind": "annotation.remove", "frame": frame, "object": obj})

    def undo(self) -> str | None:
        """Take the last change back; returns what it was, or None."""
        return self._step_history("undo")

    def redo(self) -> str | None:
        """Bring back what `undo` took; returns what it was, or None."""
        return self._step_history("redo")

    # -- the loop -------------------------------------------------------------

    def propagation(self, frames: Collection[int] | None = None) -> Iterator[PropagationStep]:
        """Propagate to the frames that wait for it, storing each as it comes.

        Close the iterator to cancel: what was stored stays, the rest stays stale. The
        pass also ends when an annotation is committed meanwhile; start it again for
        what is stale then.

        Parameters
        ----------
        frames : collection of int, optional
            Only to those of the waiting frames that are in it, as ``range(40, 96)`` for
            the stretch from frame 40 on. Default: all.

        Yields
        ------
        PropagationStep
        """
        with self._lock:
            state, generation = self._state, self._generation
            waiting = sorted(state.stale if frames is None else state.stale.intersection(frames))
            if not waiting:
                # Where every frame is annotated, that is a finished pass too.
                if state.rounds and not state.stale:
                    self._end_pass()
                return
        steps = self.propagator.propagate(self.video, state.annotations, state.ids, waiting)
        finished = False
        try:
            for step in steps:
                with self._lock:
                    if self._generation != generation:
                        return
                    if step.frame is not None and step.probabilities is not None:
                        self._store(step.frame, step.probabilities, state.ids)
                yield step
            finished = True
        finally:
            close = getattr(steps, "close", None)
            if close is not None:
                close()
            with self._lock:
                if finished and self._generation == generation:
                    self._end_pass()
                self._save_masks()
            self._emit("propagated", {"finished": finished})

    def propagate(
        self,
        on_step: Callable[[PropagationStep], None] | None = None,
        *,
        frames: Collection[int] | None = None,
    ) -> int:
        """Run a whole pass, or one over `frames`; returns how many were propagated."""
        n = 0
        for step in self.propagation(frames):
            n += step.frame is not None
            if on_step is not None:
                on_step(step)
        return n

    def suggest(self) -> Suggestion | None:
        """What to annotate next, or None when nothing is left to ask."""
        return next(iter(self.suggestions(1)), None)

    def suggestions(self, n: int = 3) -> list[Suggestion]:
        """What to annotate next, and what instead: up to `n` proposals, the best first.

        Each is what would be asked if those before it had been accepted as they are, so
        that they lie apart. Locked objects are not asked for.
        """
        state = self._state_to_ask_about()
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

    def prepare(self, frame: int) -> None:
        """Let the predictor begin with a frame on which prompts are to be expected.

        Returns at once. A predictor that takes long over an image embeds it meanwhile.
        """
        self._check_frame(frame)
        prepare = getattr(self.predictor, "prepare", None)
        if prepare is not None:
            prepare(lambda: self.video.frame(frame), (self.video.token, frame))

    def snooze(self, frame: int, obj: int) -> None:
        """Suggest another frame for this object until the next finished pass.

        The pass changes what is known of the frame, so that it may be asked for again then.
        Undo takes it back at once.
        """
        self._check_frame(frame)
        self._check_object(obj)
        with self._lock:
            self._do({"kind": "snooze", "frame": frame, "object": obj})

    # -- taking the masks away ------------------------------------------------

    def snapshot(
        self,
        frame: int,
        *,
        opacity: float = 0.5,
        contour: bool = True,
        palette: str = "safe",
        legend: bool = True,
    ) -> Image:
        """A picture of a frame with its masks, for a report.

        Parameters
        ----------
        frame : int
        opacity : float in [0, 1]
            Weight of the objects' colours against the frame.
        contour, legend : bool
            Outline the masks; number and name of the visible objects under the frame.
        palette : {'safe', 'davis'}
            The objects' own colours, or those of DAVIS's label files.

        Returns
        -------
        PIL.Image.Image
            RGB, as wide as the video.
        """
        from evavos_widget.picture import annotated_picture

        self._check_frame(frame)
        state = self._state
        objects = state.objects
        if palette == "davis":
            table = davis_palette()
            objects = tuple(replace(o, color=f"#{table[o.id].tobytes().hex()}") for o in objects)
        return annotated_picture(
            self.video.frame(frame),
            state.masks[frame],
            objects,
            opacity=opacity,
            contour=contour,
            legend=legend,
        )

    def export(
        self, format: str, path: str | os.PathLike[str] | None = None, **options: Any
    ) -> Path:
        """Write the masks in a format people train with.

        Parameters
        ----------
        format : str
            A key of `evavos_widget.formats.FORMATS`.
        path : path, optional
            Default: ``<video name>-<format>`` in the session's folder.

        Returns
        -------
        Path
            What was written.
        """
        state = self._state
        if path is None:
            path = (self.path or Path()) / f"{self.video.name}-{format}"
            options.setdefault("overwrite", True)
        return formats.export(
            self.video,
            state.masks,
            [asdict(o) for o in state.objects],
            sorted(state.annotations),
            format,
            path,
            **options,
        )

    # -- listeners and the end ------------------------------------------------

    def subscribe(self, callback: Callable[[str, dict[str, Any]], None]) -> Callable[[], None]:
        """Call ``callback(event, payload)`` after changes; returns how to stop that.

        Events: ``'changed'`` (payload ``kind``, an event's kind or ``'undo'``, ``'redo'``;
        for ``'annotate'`` also ``round``, the `Round` that was committed),
        ``'frame'`` (payload ``frame``: its mask was propagated), ``'propagated'``
        (payload ``finished``), ``'closed'``. Called on the thread that made the change.
        """
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    @property
    def closed(self) -> bool:
        """Whether the session takes no more changes."""
        return self._generation < 0

    def close(self) -> None:
        """Write the masks, and close the journal.

        What engines keep goes with them, since other sessions may use the same ones.
        """
        with self._lock:
            if self.closed:
                return
            self._save_masks()
            self._generation = -1
            if self._journal is not None:
                self._journal.close()
                self._journal = None
        self._emit("closed", {})

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return (
            f"<Session of {self.video.name!r}: {self.video.n_frames} frames, "
            f"{len(self.objects)} objects, {len(self.annotations)} annotated frames, "
            f"{self.seconds:.0f} s>"
        )

    # -- how a change happens -------------------------------------------------

    def _do(self, *events: dict[str, Any], undoable: bool = True) -> None:
        """Make one change: compute it, write it to disk, then let it be seen."""
        with self._lock:
            if self.closed:
                raise RuntimeError("this session is closed; open it again with Session.open(path).")
            group = {"kind": "group", "events": list(events), "undoable": undoable}
            state = self._applied(self._state, group)
            self._write(group)
            self._accept(group, state)
            payload: dict[str, Any] = {"kind": events[-1]["kind"]}
            if payload["kind"] == "annotate":
                payload["round"] = state.rounds[-1]
        self._emit("changed", payload)

    def _applied(self, state: State, group: Mapping[str, Any]) -> State:
        for event in group["events"]:
            state = apply(state, event, self.propagator.affected, self._revision + 1)
        return state

    def _accept(self, group: Mapping[str, Any], state: State) -> None:
        if group["undoable"]:
            self._undo.append((describe(group["events"][-1]), self._state))
            del self._undo[:-HISTORY_LIMIT]
            self._redo.clear()
        else:
            # What no undo takes back holds in the states that it goes back to as well.
            for history in (self._undo, self._redo):
                history[:] = [(label, self._applied(old, group)) for label, old in history]
        self._set_state(state)

    def _set_state(self, state: State) -> None:
        if state.annotations is not self._state.annotations or state.ids != self._state.ids:
            self._generation += 1
        self._revision += 1
        self._state = state

    def _step_history(self, direction: str) -> str | None:
        with self._lock:
            if not (self._undo if direction == "undo" else self._redo):
                return None
            event = {"kind": direction}
            self._write(event)
            label = self._restore(direction)
        self._emit("changed", event)
        return label

    def _restore(self, direction: str) -> str:
        source, target = (
            (self._undo, self._redo) if direction == "undo" else (self._redo, self._undo)
        )
        label, state = source.pop()
        target.append((label, self._state))
        if state.annotations is self._state.annotations:
            # K is the same: what was propagated in between still holds.
            quality = {o: self._state.quality.get(o, q) for o, q in state.quality.items()}
            state = replace(
                self._state, objects=state.objects, quality=quality, snoozed=state.snoozed
            )
        self._set_state(state)
        return label

    def _write(self, event: dict[str, Any]) -> None:
        if self._journal is not None:
            now = time.time()
            self._journal.append({**event, "time": now})
            self.saved_at = now
        self._events += 1

    def _store(self, frame: int, probabilities: np.ndarray, ids: Sequence[int]) -> None:
        """Take one propagated frame into M^t."""
        labels = np.array([0, *ids], dtype=np.uint8)[probabilities.argmax(axis=0)]
        self._revision += 1
        self._probabilities.put(frame, self._revision, ids, probabilities)
        annotation = self._state.annotations.get(frame)
        spoken = annotation.objects if annotation else frozenset()
        quality = dict(self._state.quality)
        weights = getattr(self.propagator, "quality_weights", QUALITY_WEIGHTS)
        for k, obj in enumerate(ids, start=1):
            quality[obj] = quality[obj].copy()
            annotated = objects_annotated(self._state.annotations, obj)
            if obj in spoken:
                quality[obj][frame] = 1.0
            elif annotated:
                distance = min(abs(frame - f) for f in annotated)
                quality[obj][frame] = predicted_quality(probabilities[k], distance, weights)
            else:
                quality[obj][frame] = np.nan
        changed = replace(self._state, quality=quality, stale=self._state.stale - {frame})
        self._state = changed.with_masks({frame: labels}, self._revision)
        self._emit("frame", {"frame": frame})

    def _end_pass(self) -> None:
        """What a finished pass brings: a point of the curve, and the end of what was put off."""
        self._add_curve_point()
        if self._state.snoozed and not self.closed:
            self._do({"kind": "snooze.end"}, undoable=False)

    def _add_curve_point(self) -> None:
        state = self._state
        predicted = None
        if state.objects:
            values = np.stack([state.quality[o] for o in state.ids])
            if np.isfinite(values).any():
                predicted = float(np.nanmean(values))
        point = CurvePoint(state.seconds, predicted, self._true_quality())
        kept = tuple(p for p in state.curve if p.seconds < point.seconds)
        self._state = replace(state, curve=(*kept, point))

    def _true_quality(self) -> float | None:
        """Mean J&F of the objects that ground truth knows, for the curve only."""
        if not self.ground_truth:
            return None
        if self._true_ids is None:
            self._true_ids = {
                int(i) for truth in self.ground_truth.values() for i in np.unique(truth)
            }
        known = tuple(i for i in self._state.ids if i in self._true_ids)
        if not known:
            return None
        if self._scorer is None or self._scorer.objects != known:
            self._scorer = SequenceScorer(self.ground_truth, frames="all", objects=known)
        return self._scorer.score(self._state.masks).jf

    # -- disk -----------------------------------------------------------------

    def _open_journal(self, folder: Path) -> None:
        _take_over(folder)
        journal = Journal(folder)
        try:
            if journal.events:
                self._check_same_video(folder, journal.events[0])
                self._replay(journal)
            else:
                journal.append(self._header())
        except BaseException:
            journal.close()
            raise
        self._journal, self.path = journal, folder
        self.saved_at = journal.path.stat().st_mtime
        _open_sessions[folder.resolve()] = self

    def _header(self) -> dict[str, Any]:
        v = self.video
        return {
            "kind": "session",
            "version": 1,
            "video": {
                "source": v.source,
                "name": v.name,
                "n_frames": v.n_frames,
                "height": v.height,
                "width": v.width,
                "fingerprint": v.fingerprint(),
            },
            "engines": self._engine_names,
            "time": time.time(),
        }

    def _check_same_video(self, folder: Path, header: Mapping[str, Any]) -> None:
        made = header.get("video", {})
        if made.get("fingerprint") != self.video.fingerprint():
            raise ValueError(
                f"{str(folder)!r} holds the session of another video "
                f"({made.get('name')!r}, {made.get('n_frames')} frames of "
                f"{made.get('width')} x {made.get('height')}); give another path."
            )

    def _replay(self, journal: Journal) -> None:
        """Do again what the journal says; masks come from the last saved pass."""
        saved = SavedMasks(journal.folder)
        self._adopt(saved, journal)
        for event in journal.events[1:]:
            if event["kind"] == "group":
                self._accept(event, self._applied(self._state, event))
            elif self._undo if event["kind"] == "undo" else self._redo:
                self._restore(event["kind"])
            self._events += 1
            self._adopt(saved, journal)

    def _adopt(self, saved: SavedMasks, journal: Journal) -> None:
        """Take the saved masks where the replay is when they were saved."""
        if saved.events == self._events and not journal.damaged:
            self._revision += 1
            self._state = saved.adopt(self._state, self._revision)

    def _save_masks(self) -> None:
        if self._journal is not None:
            save_masks(self._journal.folder, self._state, self._events)

    # -- checks ---------------------------------------------------------------

    def _check_frame(self, frame: int) -> None:
        if not 0 <= frame < self.video.n_frames:
            raise IndexError(
                f"frame {frame} is not in the video; give 0 to {self.video.n_frames - 1}."
            )

    def _check_unlocked(self, objects: Collection[int]) -> None:
        for o in self.objects:
            if o.id in objects and o.locked:
                raise ValueError(f"object {o.id} ({o.name}) is locked; unlock it first.")

    def _locked(self) -> set[int]:
        return {o.id for o in self.objects if o.locked}

    def _free_of_locked(self, frame: int, labels: np.ndarray) -> np.ndarray:
        """`labels` without the pixels that locked objects hold on a frame."""
        if not (locked := self._locked()):
            return labels
        held = np.isin(self._state.masks[frame], list(locked))
        return np.where(held, 0, labels).astype(np.uint8)

    def _beside_locked(self, frame: int, labels: np.ndarray) -> np.ndarray:
        """As `_free_of_locked`; refuses where nothing is left of an object that was drawn."""
        kept = self._free_of_locked(frame, labels)
        if gone := set(np.unique(labels).tolist()) - set(np.unique(kept).tolist()) - {0}:
            raise ValueError(
                f"the mask of object {min(gone)} on frame {frame} lies wholly on locked objects; "
                "unlock them first."
            )
        return kept

    def _state_to_ask_about(self) -> LoopState:
        """What the selectors see of the objects that are not locked."""
        state, locked = self.state, self._locked()
        if not locked:
            return state
        kept = [k for k, o in enumerate(state.objects) if o not in locked]
        return replace(
            state,
            objects=tuple(state.objects[k] for k in kept),
            quality=state.quality[:, kept],
        )

    def _check_statement(
        self, kind: str, labels: np.ndarray, objects: Collection[int], frame: int
    ) -> None:
        """What is said in words must fit the mask that comes with it."""
        if kind in STATEMENTS:
            present = set(np.unique(labels).tolist()) - {0}
            if kind == "absent" and present:
                raise ValueError(
                    f"object {min(present)} is said to be absent from frame {frame} "
                    "but its mask has pixels; give an empty mask."
                )
            if kind == "verified" and (missing := set(objects) - present):
                raise ValueError(
                    f"object {min(missing)} has no mask on frame {frame} to accept; "
                    "mark it absent, or draw it."
                )

    def _check_object(self, obj: int) -> None:
        if obj not in self._state.ids:
            known = [f"{o.id} ({o.name})" for o in self.objects]
            raise ValueError(
                f"there is no object {obj}; objects: {known or 'none yet, add one first'}."
            )

    def _labels(
        self, mask: np.ndarray, objects: Collection[int] | None, what: str
    ) -> tuple[np.ndarray, set[int]]:
        labels = as_label_map(mask, self.video.height, self.video.width, what)
        if np.asarray(mask).dtype == bool and objects is not None and len(objects) == 1:
            labels = labels * np.uint8(next(iter(objects)))
        present = set(np.unique(labels).tolist()) - {0}
        spoken = present if objects is None else set(objects)
        for obj in sorted(spoken | present):
            self._check_object(obj)
        if stray := present - spoken:
            raise ValueError(
                f"{what} holds object {min(stray)}, which is not among objects={sorted(spoken)}; "
                "list it there or leave it out of the mask."
            )
        if not spoken:
            raise ValueError(f"{what} is empty; say whom it speaks for: objects=[...].")
        return labels, spoken

    def _emit(self, event: str, payload: dict[str, Any]) -> None:
        for callback in list(self._listeners):
            callback(event, payload)


def _as_if_accepted(state: LoopState, frame: int, obj: int) -> LoopState:
    """The state in which the mask of one object on a frame had been accepted."""
    old = state.annotations.get(frame)
    spoken = (old.objects if old else frozenset()) | {obj}
    shown = state.masks[frame]
    labels = np.where(shown == obj, shown, old.labels if old else 0).astype(np.uint8)
    annotations = {**state.annotations, frame: Annotation(labels, spoken)}
    return replace(state, annotations=annotations, snoozed=state.snoozed | {(frame, obj)})


def _take_over(folder: Path) -> None:
    """Close a session of this process on the same folder: the later one has it."""
    earlier = _open_sessions.pop(folder.resolve(), None)
    if earlier is not None:
        earlier.close()

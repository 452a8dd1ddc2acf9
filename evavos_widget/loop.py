"""The loop of EVA-VOS (Fig. 2): four stages as protocols, the state, and one turn.

Propagate masks (Sec. 2.1) -> choose the frame (2.2) -> choose the annotation type (2.3)
-> annotate and predict the mask (2.4) -> again.

Each protocol is also the base to derive an engine from: what is abstract has to be written,
everything else has a default. `evavos_widget.contract` checks an engine when it is handed in,
`evavos_widget.testing` what it does.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import numpy as np

from evavos_widget.features import FeatureStore
from evavos_widget.masks import decode_runs, encode_runs, ids_of_runs
from evavos_widget.probabilities import QUALITY_WEIGHTS, TRUST_WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Hashable

    from evavos_widget.masks import LabelMaps
    from evavos_widget.points import Candidate, Point
    from evavos_widget.prompts import Click, Costs, Prediction, Prompts
    from evavos_widget.video import Video

__all__ = [
    "SOURCES",
    "Annotation",
    "AnnotationChoice",
    "AnnotationSelector",
    "FrameChoice",
    "FrameSelector",
    "GainOf",
    "LoopState",
    "MaskPredictor",
    "PointSelector",
    "PropagationStep",
    "Propagator",
    "Round",
    "Source",
    "Stage",
    "Steps",
    "affected_frames",
    "completed",
    "in_doubt",
    "nearest_annotated",
    "objects_annotated",
    "possible",
    "times_annotated",
    "types_taken",
    "visits",
]


SOURCES = ("drawn", "clicked", "boxed", "scribbled", "pointed", "accepted", "absent", "imported")
"""Where an annotation can come from: the hand, a predictor that was given prompts, a propagator
that was given points, a look at the mask that was there, or elsewhere."""

GainOf = Literal["frame", "video"]
"""What an expected gain is of: J&F of the annotated frame, or the mean over the video's frames."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where an object's annotation on a frame came from, and what it is worth.

    Parameters
    ----------
    kind : str
        One of `SOURCES`.
    trust : float in [0, 1]
        Expected IoU of the annotation with the truth: 1 for what a person drew or looked at,
        `probabilities.predicted_trust` for what came of prompts, `probabilities.TRUST_OF_POINTS`
        for what comes of points.
    corrects : bool
        Whether it began from a mask that was there.
    """

    kind: str = "drawn"
    trust: float = 1.0
    corrects: bool = False


class Annotation:
    """One frame of K: what the annotator stands behind there. Immutable.

    Kept as runs, since a video may have a thousand of them.

    Parameters
    ----------
    labels : (H, W) uint8 array
        Label map that holds only the ids in `objects`; 0 elsewhere.
    objects : collection of int
        The objects this annotation speaks for. One that is listed and has no
        pixel is *absent* from the frame.
    sources : mapping of object -> Source, optional
        By default every object is drawn.
    points : mapping of object -> sequence of Point, optional
        In the place of a mask: of these objects, which have no pixel in `labels`, only single
        pixels are known. For engines that accept ``'points'``.
    """

    __slots__ = ("objects", "points", "present", "runs", "shape", "sources")

    present: frozenset[int]
    """The objects that have a pixel or points; the rest of `objects` is absent."""

    def __init__(
        self,
        labels: np.ndarray,
        objects: Collection[int],
        sources: Mapping[int, Source] | None = None,
        points: Mapping[int, Sequence[Point]] | None = None,
    ) -> None:
        height, width = labels.shape
        self._set(encode_runs(labels), (height, width), objects, sources, points)

    @classmethod
    def of_runs(
        cls,
        runs: np.ndarray,
        shape: tuple[int, int],
        objects: Collection[int],
        sources: Mapping[int, Source] | None = None,
    ) -> Annotation:
        """An annotation whose label map is already coded, see `masks.encode_runs`."""
        annotation = cls.__new__(cls)
        annotation._set(runs, shape, objects, sources)
        return annotation

    def _set(
        self,
        runs: np.ndarray,
        shape: tuple[int, int],
        objects: Collection[int],
        sources: Mapping[int, Source] | None,
        points: Mapping[int, Sequence[Point]] | None = None,
    ) -> None:
        self.runs = runs
        self.shape = shape
        self.objects = frozenset(objects)
        given = sources or {}
        self.sources: Mapping[int, Source] = {o: given.get(o, Source()) for o in self.objects}
        told = points or {}
        if not self.objects >= told.keys():
            raise ValueError(
                f"points are of object {min(told.keys() - self.objects)}, which is not among the "
                f"objects {sorted(self.objects)} of the annotation; list it there."
            )
        self.points: Mapping[int, tuple[Point, ...]] = {o: tuple(p) for o, p in told.items() if p}
        self.present = frozenset(ids_of_runs(runs) | self.points.keys())

    @property
    def labels(self) -> np.ndarray:
        """The label map, decoded: a fresh, read-only ``(H, W)`` uint8 array."""
        labels = decode_runs(self.runs, self.shape)
        labels.flags.writeable = False
        return labels

    def says_alike(self, other: Annotation, obj: int) -> bool:
        """Whether both say the same of an object: the same mask, or the same points."""
        return self.points.get(obj) == other.points.get(obj) and np.array_equal(
            self.labels == obj, other.labels == obj
        )

    def trust(self, obj: int) -> float:
        """How much of what is said of an object is to be believed, 0 to 1."""
        return self.sources[obj].trust

    def __repr__(self) -> str:
        return f"<Annotation of objects {sorted(self.objects)}>"


@dataclass(frozen=True, eq=False)
class PropagationStep:
    """One unit of work of a propagator; a consumer may stop after any of them.

    Parameters
    ----------
    done, total : int
        Progress in the propagator's own units, 1 <= done <= total.
    frame : int or None
        The frame that this step completed for all objects, if any.
    probabilities : (K + 1, H, W) float32 array or None
        Background first, then the objects in the order asked for; sums to 1.
    """

    done: int
    total: int
    frame: int | None = None
    probabilities: np.ndarray | None = None


Steps = Generator[PropagationStep, None, None]
"""What `Propagator.propagate` returns; closing it cancels the pass."""


def completed(steps: Iterable[PropagationStep]) -> Iterator[tuple[int, np.ndarray]]:
    """The frames that steps complete, each with its probabilities."""
    for step in steps:
        if step.frame is not None and step.probabilities is not None:
            yield step.frame, step.probabilities


@runtime_checkable
class Stage(Protocol):
    """What an engine of any stage says of itself."""

    name: str
    """What reports, manifests and people call it, such as ``'flow'``."""

    notice: str | None = None
    """What a person who uses it has to be told, such as the terms of its weights."""

    learned: bool = False
    """Whether it was trained on data."""

    device: str = "cpu"
    """Where it computes. A class that can choose takes it as ``device``."""


@runtime_checkable
class Propagator(Stage, Protocol):
    """Sec. 2.1: V, K -> M^t.

    An instance belongs to one session and may cache what it computed for its video.
    """

    repeatable: bool = False
    """Whether its masks depend on the request alone, not on what was asked before; the loops
    of an experiment then share what it cached."""

    quality_weights: tuple[float, float, float] = QUALITY_WEIGHTS
    """What its probabilities say about quality, see `probabilities.QUALITY_WEIGHTS`; fitted by
    ``evavos evaluate quality``."""

    merge: str = "nearest"
    """How it makes one mask of what arrives from several annotations, see `sources.MERGES`."""

    accepts: frozenset[str] = frozenset({"mask"})
    """What annotations may consist of: ``'mask'``, ``'points'`` (`ANNOTATION_TYPES`)."""

    def affected(
        self,
        before: Mapping[int, Annotation],
        after: Mapping[int, Annotation],
        n_frames: int,
    ) -> set[int]:
        """Frames whose masks differ between annotations `before` and `after`.

        By default those that follow another annotated frame than before, or the same one with
        another content: see `affected_frames`. An engine that looks further has to say so.
        """
        return affected_frames(before, after, n_frames)

    @abstractmethod
    def propagate(
        self,
        video: Video,
        annotations: Mapping[int, Annotation],
        objects: Sequence[int],
        frames: Collection[int],
    ) -> Steps:
        """Masks of `objects` on `frames`, each frame once, in any order; a generator.

        An object without any annotation has probability 0 everywhere. On a frame that
        is annotated for an object, that object's probabilities are its annotation.
        Closing the generator cancels; the work between two steps stays below about the
        time of one frame.
        """
        ...


@runtime_checkable
class MaskPredictor(Stage, Protocol):
    """Sec. 2.4: image, prompts -> M_f* for one object."""

    accepts: frozenset[str] = frozenset({"mask", "clicks", "box", "scribble"})
    """What it makes use of: ``'clicks'``, ``'box'``, ``'scribble'``, and ``'mask'`` where it
    starts from the previous mask (`ANNOTATION_TYPES`)."""

    trust_weights: tuple[float, float, float, float] = TRUST_WEIGHTS
    """What its score says of the IoU with the truth, see `probabilities.TRUST_WEIGHTS`."""

    together: bool = False
    """Whether `predict_together` answers several objects at once, so that what is said of one
    matters to the masks of the others."""

    @abstractmethod
    def predict(
        self, image: np.ndarray, prompts: Prompts, *, key: Hashable | None = None
    ) -> Prediction:
        """The mask of one object.

        Parameters
        ----------
        image : (H, W, 3) uint8 array, RGB, read-only
        prompts : Prompts
            All prompts so far; the result depends on nothing else.
        key : hashable, optional
            Names the image, so that what depends on it alone can be cached.
        """
        ...

    def predict_together(
        self, image: np.ndarray, prompts: Mapping[int, Prompts], *, key: Hashable | None = None
    ) -> Mapping[int, Prediction]:
        """The masks of several objects of one image; by default one by one, with `predict`.

        Parameters
        ----------
        image : (H, W, 3) uint8 array, RGB, read-only
        prompts : mapping of object -> Prompts
            All prompts so far of each; the result depends on nothing else, nor on their order.
        key : hashable, optional
            As for `predict`.

        Returns
        -------
        mapping of object -> Prediction
            Of the same objects. One object alone has the mask that `predict` gives it.
        """
        return {obj: self.predict(image, given, key=key) for obj, given in prompts.items()}

    def prepare(self, image: Callable[[], np.ndarray], key: Hashable) -> None:
        """Begin with an image on which prompts are to be expected; returns at once.

        By default nothing is done. For engines that take long over an image, which can work
        in the background meanwhile.

        Parameters
        ----------
        image : callable
            Returns the (H, W, 3) uint8 RGB image; may be called on another thread.
        key : hashable
            What `predict` will be given with it.
        """


@dataclass(frozen=True)
class Round:
    """One annotation as it was paid for.

    Parameters
    ----------
    frames : tuple of int
    objects : tuple of int
    kind : str
        Annotation type: ``'mask'``, ``'clicks'``, ``'box'``, ``'scribble'``,
        ``'absent'``, ``'verified'``, ``'import'`` or ``'points'``.
    seconds : float
        What it cost the annotator.
    clicks : tuple of Click
    """

    frames: tuple[int, ...]
    objects: tuple[int, ...]
    kind: str
    seconds: float
    clicks: tuple[Click, ...] = ()


@dataclass(frozen=True, eq=False)
class LoopState:
    """What the selectors may look at: V, K, M^t, and what they cost. Never ground truth.

    Parameters
    ----------
    video : Video
    objects : tuple of int
        Ids of the objects, ascending.
    annotations : mapping of frame -> Annotation
        K.
    masks : LabelMaps
        M^t, N label maps.
    quality : (N, K) float32 array
        Predicted quality (J&F, 0 to 1) per frame and object, in the order of `objects`;
        NaN where nothing was propagated yet.
    costs : Costs
    snoozed : frozenset of (frame, object)
        What the annotator does not want to be asked now.
    rounds : tuple of Round
        The annotations so far, in the order in which they were made.
    seconds : float
        What the annotator has spent.
    budget : float or None
        Seconds that the annotator has in all, spent ones included; None where nobody said.
    features : FeatureStore
        What image encoders say of the frames, computed when first asked for and kept for the
        next turn and the other stages.
    first : str
        What an object begins with, one of `suggestion.FIRSTS`.
    types : frozenset of str
        The types of annotation that can be asked for, see `types_taken`.
    """

    video: Video
    objects: tuple[int, ...]
    annotations: Mapping[int, Annotation]
    masks: LabelMaps
    quality: np.ndarray
    costs: Costs
    snoozed: frozenset[tuple[int, int]] = frozenset()
    rounds: tuple[Round, ...] = ()
    seconds: float = 0.0
    budget: float | None = None
    features: FeatureStore = field(default_factory=FeatureStore)
    first: str = "mask"
    types: frozenset[str] = frozenset({"mask", "clicks", "box", "scribble", "points"})

    @property
    def n_frames(self) -> int:
        """N."""
        return self.video.n_frames


@dataclass(frozen=True)
class FrameChoice:
    """f*, for one object, and why in a few words."""

    frame: int
    object: int
    reason: str
    score: float = 0.0


@dataclass(frozen=True)
class AnnotationChoice:
    """a, what it is expected to gain (J&F, 0 to 1), its cost, why, and of what that gain is."""

    kind: str
    seconds: float
    expected_gain: float
    reason: str
    gain_of: GainOf = "frame"


@runtime_checkable
class FrameSelector(Stage, Protocol):
    """Sec. 2.2: V, M^t, K -> f*."""

    @abstractmethod
    def select(self, state: LoopState) -> FrameChoice | None:
        """The next frame to annotate, or None when nothing is left to ask.

        A frame of the video and one of `state.objects` that is not annotated there, or with
        a trust below 1, and not snoozed. The same state always gives the same choice; chance
        comes from a seed.
        """
        ...


@runtime_checkable
class AnnotationSelector(Stage, Protocol):
    """Sec. 2.3: f*, M_f* -> a."""

    @abstractmethod
    def select(self, state: LoopState, choice: FrameChoice) -> AnnotationChoice:
        """The type of annotation to ask for on the chosen frame.

        Its seconds come from `state.costs`. The same state and choice always give the same
        answer; chance comes from a seed.
        """
        ...


@runtime_checkable
class PointSelector(Stage, Protocol):
    """Point-VOS Sec. 3.2: the probabilities of an object -> points to verify."""

    @abstractmethod
    def select(self, video: Video, probabilities: Mapping[int, np.ndarray]) -> list[Candidate]:
        """The points to ask about, in the order in which to ask.

        Parameters
        ----------
        video : Video
        probabilities : mapping of frame -> (H, W) float32 array in [0, 1]
            Of one object, on the frames that points may be on; not to be changed.

        Returns
        -------
        list of Candidate
            On each frame no pixel twice. The same input always gives the same points; chance
            comes from a seed.
        """
        ...


def types_taken(predictor: MaskPredictor) -> frozenset[str]:
    """The types of annotation that can be asked for where a predictor makes the masks.

    A mask is drawn by hand, whatever the predictor takes; verified points become clicks.
    """
    prompts = predictor.accepts & {"clicks", "box", "scribble"}
    return prompts | {"mask"} | ({"points"} if "clicks" in prompts else set())


def possible(kinds: Iterable[str], state: LoopState) -> list[str]:
    """Those of some types of annotation that can be asked for, in their order.

    Raises
    ------
    ValueError
        None of them can.
    """
    known = list(kinds)
    left = [kind for kind in known if kind in state.types]
    if not left:
        raise ValueError(
            f"nothing is left to ask for: the annotation selector chooses among {known}, and the "
            f"predictor leaves {sorted(state.types)}; give another of the two."
        )
    return left


def in_doubt(state: LoopState, obj: int) -> dict[int, float]:
    """The frames that are annotated for an object and not to be trusted fully.

    Returns
    -------
    dict of frame -> float in (0, 1]
        1 less the trust, divided by how often the object was annotated there: what was tried
        more often is less worth another try.
    """
    times = visits(state, obj)
    return {
        frame: (1 - annotation.trust(obj)) / max(times[frame], 1)
        for frame, annotation in state.annotations.items()
        if obj in annotation.objects and annotation.trust(obj) < 1
    }


def visits(state: LoopState, obj: int) -> Counter[int]:
    """How often somebody annotated an object on each frame.

    What is said of single pixels is no annotation, and what was imported nobody made here.
    """
    made = (r for r in state.rounds if obj in r.objects and r.kind not in ("points", "import"))
    return Counter(f for r in made for f in r.frames)


def times_annotated(state: LoopState, obj: int) -> int:
    """How often an object was annotated, a frame that was visited again each time."""
    times = visits(state, obj)
    return len(objects_annotated(state.annotations, obj)) + times.total() - len(times)


def objects_annotated(annotations: Mapping[int, Annotation], obj: int) -> list[int]:
    """Frames whose annotation speaks for `obj`, ascending."""
    return sorted(f for f, a in annotations.items() if obj in a.objects)


def nearest_annotated(annotated: Sequence[int], n_frames: int) -> np.ndarray:
    """For every frame the nearest of `annotated` (ascending); ties go to the earlier one.

    Returns
    -------
    (n_frames,) int64 array
        -1 everywhere when `annotated` is empty.
    """
    if not len(annotated):
        return np.full(n_frames, -1, dtype=np.int64)
    sources = np.asarray(annotated, dtype=np.int64)
    # From the frame after the middle between two of them on, the later one is nearer.
    ends = (sources[:-1] + sources[1:]) // 2 + 1
    return sources[np.searchsorted(ends, np.arange(n_frames), side="right")]


def affected_frames(
    before: Mapping[int, Annotation], after: Mapping[int, Annotation], n_frames: int
) -> set[int]:
    """Frames that change where each frame follows its nearest annotated frame.

    Per object, a frame is affected when its nearest annotation is another one than
    before, or the same frame with another content.
    """
    affected: set[int] = set()
    other = {f for f in {*before, *after} if before.get(f) is not after.get(f)}
    ids = {o for k in (before, after) for f in other if f in k for o in k[f].objects}
    for obj in ids:
        source_before = nearest_annotated(objects_annotated(before, obj), n_frames)
        source_after = nearest_annotated(objects_annotated(after, obj), n_frames)
        changed = source_before != source_after
        for f in other & set(source_after[~changed].tolist()):
            if not before[f].says_alike(after[f], obj):
                changed |= source_after == f
        affected.update(np.flatnonzero(changed).tolist())
    return affected

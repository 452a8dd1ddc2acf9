"""What a person or a robot says in a session: objects, annotations, points."""

from __future__ import annotations

import operator
import os
import warnings
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from evavos_widget import formats
from evavos_widget.contract import prediction_fault, refuse
from evavos_widget.corrections import as_told
from evavos_widget.loop import MaskPredictor, Propagator
from evavos_widget.masks import as_label_map, decode_runs, encode_runs, ids_of_runs
from evavos_widget.metrics import jaccard
from evavos_widget.points import Point, as_points
from evavos_widget.probabilities import TRUST_OF_POINTS, predicted_trust
from evavos_widget.prompts import (
    Box,
    Click,
    Costs,
    Prediction,
    Prompts,
    Scribble,
    as_box,
    as_clicks,
    as_scribbles,
)
from evavos_widget.quantities import as_share
from evavos_widget.session import checks
from evavos_widget.session.events import Annotate, Event, pack_label_map
from evavos_widget.session.state import State, merged_frames
from evavos_widget.session.view import SessionView

__all__ = ["AnnotatedSession"]

PROMPTED = ("clicks", "box", "scribble")
"""Annotation types whose masks a predictor made."""


class AnnotatedSession(SessionView):
    """Everything that becomes an event; each is on disk when its call returns."""

    predictor: MaskPredictor
    propagator: Propagator
    costs: Costs
    _scores: dict[tuple[int, int], tuple[Any, dict[int, float]]]
    _drafts: dict[tuple[Any, ...], np.ndarray]

    # -- objects --------------------------------------------------------------

    def add_object(self, name: str | None = None) -> int:
        """Add an object at any time; the masks of the others stay.

        Returns
        -------
        int
            The new object's id, 1 to 255.
        """
        with self._lock:
            free = set(range(1, 256)) - set(self._state.ids)
            if not free:
                raise ValueError(
                    "there are 255 objects, all that a label map can hold; "
                    "remove one, or annotate the rest in a second session."
                )
            # Rounds, points asked and probabilities of one that is gone are not the new one's.
            used = {*self._state.ids, *self._timeline.told_of}
            last = max(used, default=0)
            new = min(free, key=lambda i: (i in used, i < last, i))
            name = checks.as_name(f"object {new}" if name is None else name)
            self._do({"kind": "object.add", "object": new, "name": name})
            return new

    def update_object(self, obj: int, **changes: Any) -> None:
        """Change an object's ``name``, ``color`` ('#rrggbb'), ``visible`` or ``locked``."""
        with self._lock:
            obj = self._as_object(obj)
            changes = checks.as_changes(changes)
            self._do({"kind": "object.update", "object": obj, "changes": changes})

    def remove_object(self, obj: int) -> None:
        """Remove an object with its masks and annotations; undo brings it back."""
        with self._lock:
            obj = self._as_object(obj)
            checks.check_unlocked(self._state, {obj})
            self._do({"kind": "object.remove", "object": obj})

    def merge_objects(self, obj: int, into: int) -> None:
        """Make two objects one, which was outlined as two by mistake; undo parts them again.

        Parameters
        ----------
        obj : int
            Ends here; its masks, annotations and points go over.
        into : int
            Stays, with its name and colour. A frame where only one of the two was
            annotated stays annotated and takes in the other's current mask there.
        """
        with self._lock:
            obj, into = self._as_object(obj), self._as_object(into)
            if obj == into:
                raise ValueError(f"object {obj} cannot be merged into itself; name another one.")
            checks.check_unlocked(self._state, {obj, into})
            frames = merged_frames(self._state, obj, into)
            self._do({"kind": "object.merge", "object": obj, "into": into, "frames": frames})

    # -- annotating -----------------------------------------------------------

    def predict(
        self,
        frame: int,
        obj: int,
        *,
        clicks: Sequence[Click | tuple[float, float, Any]] = (),
        box: Box | Sequence[float] | None = None,
        scribbles: Sequence[Scribble] = (),
        alone: bool = False,
    ) -> Prediction:
        """A preview of one object's mask from prompts; nothing is stored.

        A predictor that answers several objects together is told of those that are annotated on
        this frame as well, each with its mask and its clicks there, unless it is to see this one
        alone.

        Parameters
        ----------
        frame, obj : int
        clicks : sequence of Click or (x, y, positive)
            All clicks since the frame's current mask, in order.
        box : Box or (x0, y0, x1, y1), optional
        scribbles : sequence of Scribble
        alone : bool
            Leave the others out.

        Returns
        -------
        Prediction
            What the predictor made of them, and `corrections.as_told`: it sees what other
            objects hold by hand on this frame as not this object.

        Raises
        ------
        ValueError
            A prompt does not fit the picture, or is of a kind that the predictor does not take.
        """
        frame, obj = self._as_frame(frame), self._as_object(obj)
        with self._lock:
            self.check_open()
            state = self._state
            soft = self._probabilities.get(frame, state.revisions[frame], obj)
        current = state.masks[frame] == obj
        prompts = Prompts(
            clicks=as_clicks(clicks),
            box=as_box(box),
            scribbles=as_scribbles(scribbles),
            previous_mask=current if current.any() else None,
            previous_probabilities=soft if current.any() else None,
            held=self._held_by_others(frame, obj),
        )
        prompts.validate(self.video.height, self.video.width)
        checks.check_prompted(self.predictor, prompts.kinds)
        image, key = self.video.frame(frame), (self.video.token, frame)
        others = self._others(state, frame, obj) if self.predictor.together and not alone else {}
        if others:
            together = self.predictor.predict_together(image, {**others, obj: prompts}, key=key)
            prediction = together[obj]
        else:
            prediction = self.predictor.predict(image, prompts, key=key)
        refuse(self.predictor, "predictor", prediction_fault(prediction, current.shape))
        prediction = as_told(prediction, prompts)
        before = self._before_the_last(frame, obj, prompts)
        quality = float(state.quality[obj][frame])
        trust = predicted_trust(
            float(prediction.score),
            float(jaccard(before, prediction.mask)),
            None if np.isnan(quality) else quality,
            self.predictor.trust_weights,
        )
        self._keep_draft(frame, obj, prompts, prediction.mask, trust)
        return prediction

    def _others(self, state: State, frame: int, obj: int) -> dict[int, Prompts]:
        """What is known of the other objects that are annotated on a frame."""
        annotation = state.annotations.get(frame)
        if annotation is None:
            return {}
        labels, others = annotation.labels, {}
        for other in sorted(annotation.present - {obj}):
            mask = labels == other
            rounds = [r for r in state.rounds if frame in r.frames and other in r.objects]
            clicks = tuple(click for r in rounds for click in r.clicks)
            if mask.any():
                others[other] = Prompts(clicks=clicks, previous_mask=mask)
        return others

    def _before_the_last(self, frame: int, obj: int, prompts: Prompts) -> np.ndarray:
        """The mask that the last click was an answer to: of the clicks before, or on the frame."""
        if prompts.clicks:
            fewer = replace(prompts, clicks=prompts.clicks[:-1])
            known = self._drafts.get(_prompted(frame, obj, fewer))
            if known is not None:
                return decode_runs(known, (self.video.height, self.video.width)) > 0
        previous = prompts.previous_mask
        shape = self.video.height, self.video.width
        return np.zeros(shape, bool) if previous is None else previous

    def _keep_draft(
        self, frame: int, obj: int, prompts: Prompts, mask: np.ndarray, trust: float
    ) -> None:
        """Remember what the clicks of this draft led to, since clicks may be taken back."""
        prompted = _prompted(frame, obj, prompts)
        if any(draft != prompted[0] for draft, _ in list(self._drafts)):
            self._drafts.clear()
        self._drafts[prompted] = encode_runs(mask)
        draft, scores = self._scores.get((frame, obj), (None, {}))
        if draft != prompted[0]:
            scores = {}
        self._scores[frame, obj] = prompted[0], {**scores, _digest(mask): trust}

    def _held_by_others(self, frame: int, obj: int) -> np.ndarray | None:
        """Where other objects were annotated on a frame, ``(H, W)`` bool."""
        annotation = self._state.annotations.get(frame)
        if annotation is None or not annotation.present - {obj}:
            return None
        labels = annotation.labels
        return (labels > 0) & (labels != obj)

    def annotate(
        self,
        frame: int,
        mask: np.ndarray,
        *,
        objects: Collection[int] | None = None,
        kind: str = "mask",
        seconds: float | None = None,
        clicks: Sequence[Click | tuple[float, float, Any]] = (),
        trust: float | None = None,
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
        clicks : sequence of Click or (x, y, positive)
            The clicks that led to it, for the record.
        trust : float in [0, 1], optional
            Expected IoU with the truth. By default 1; of a mask that `predict` made from
            prompts `probabilities.predicted_trust`, and where prompts left the frame's mask as
            it was its predicted quality.

        Returns
        -------
        int
            The new revision.

        Raises
        ------
        ValueError
            The mask has another size than the video, names unknown or locked objects, or
            lies wholly on locked ones; or the annotation type makes no masks.
        """
        frame = self._as_frame(frame)
        made = as_clicks(clicks)
        Prompts(clicks=made).validate(self.video.height, self.video.width)
        with self._lock:
            objects = None if objects is None else checks.as_ids(objects)
            what = f"the mask for frame {frame}"
            labels, spoken = checks.as_labels(self._state, mask, objects, what)
            checks.check_unlocked(self._state, spoken)
            checks.check_type(kind)
            believed = {o: self._trust(frame, o, labels, kind, trust) for o in spoken}
            labels = checks.beside_locked(self._state, frame, labels)
            checks.check_statement(kind, labels, spoken, frame)
            if seconds is None:
                seconds = self.costs.seconds(kind, len(made) or None) * len(spoken)
            event: Annotate = {
                "kind": "annotate",
                "frames": {str(frame): pack_label_map(labels)},
                "objects": sorted(spoken),
                "type": kind,
                "seconds": checks.as_seconds(seconds),
                "clicks": [[float(c.x), float(c.y), int(c.positive)] for c in made],
                "corrects": sorted(spoken & self._state.masks.ids(frame)),
            }
            if doubted := {str(o): t for o, t in sorted(believed.items()) if t < 1}:
                event["trust"] = doubted
            self._do(event)
            return self.revision

    def _trust(
        self, frame: int, obj: int, labels: np.ndarray, kind: str, given: float | None
    ) -> float:
        """What an object's mask is worth: as given, or as is predicted of what prompts made."""
        if given is not None:
            return _as_trust(given)
        if kind not in PROMPTED:
            return 1.0
        mask = labels == obj
        quality = float(self._state.quality[obj][frame])
        if quality == quality and np.array_equal(self._state.masks[frame] == obj, mask):
            return min(max(quality, 0.0), 1.0)  # nothing was changed
        draft, scores = self._scores.get((frame, obj), (None, {}))
        if _digest(mask) in scores:
            return scores[_digest(mask)]
        now = self._state.masks[frame]
        others = (now > 0) & (now != obj)
        for (of, _), runs in reversed(list(self._drafts.items())):
            found = decode_runs(runs, mask.shape) > 0
            # What prompts made, without what was left to other objects.
            if of == draft and np.array_equal(mask, found & ~(others & ~mask)):
                return scores.get(_digest(found), 1.0)
        return 1.0

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
        frame = self._as_frame(frame)
        with self._lock:
            labels = self._state.masks[frame]
            shown_ids = self._state.masks.ids(frame)
            free = shown_ids - checks.locked(self._state)
            chosen = free if objects is None else checks.as_ids(objects)
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
        self,
        source: Any,
        *,
        objects: Collection[int] | None = None,
        seconds: float = 0.0,
        ids: str = "auto",
        trust: float = 1.0,
    ) -> list[int]:
        """Take existing masks as annotations, in one step that undo takes back.

        Parameters
        ----------
        source : folder of pictures, file, (N, H, W) array, or mapping
            What `evavos_widget.formats.import_masks` takes; a mapping goes from frame to label
            map.
        objects : collection of int, optional
            Whom the masks speak for, whatever else they hold; default all ids that occur in
            any of them, so that one which has no pixel in some of them is absent there, which a
            warning says. Ids without an object get one. Pixels of locked objects stay as they are.
        seconds : float
            What they cost the annotator.
        ids : {'auto', 'values', 'binary'}
            How the values in them become ids, see `evavos_widget.label_ids.IDS`.
        trust : float in [0, 1]
            Expected IoU with the truth.

        Returns
        -------
        list of int
            The frames annotated.

        Raises
        ------
        ValueError
            There is no mask in `source`, or none that speaks for an object.
        """
        height, width = self.video.height, self.video.width
        trust = _as_trust(trust)
        maps: dict[int, np.ndarray] = {}  # as runs: of a long video there may be thousands
        for frame, found in formats.import_masks(source, self.video, ids=ids).items():
            labels = as_label_map(found, height, width, f"the mask for frame {frame}")
            maps[self._as_frame(frame)] = encode_runs(labels)
        if not maps:
            raise ValueError(f"no mask found in {_named(source)}; give one label map or more.")
        present = {i for runs in maps.values() for i in ids_of_runs(runs)}
        spoken = present if objects is None else checks.as_ids(objects)
        if not spoken:
            raise ValueError(
                f"the masks in {_named(source)} hold no object; where one is meant to be "
                "absent, say so: objects=[...]."
            )
        if objects is None:
            _warn_of_absent(maps, present)
        with self._lock:
            checks.check_unlocked(self._state, spoken)
            frames: dict[str, str] = {}
            for frame, runs in sorted(maps.items()):
                labels = decode_runs(runs, (height, width))
                meant = np.where(np.isin(labels, list(spoken)), labels, 0).astype(np.uint8)
                free = checks.beside_locked(self._state, frame, meant)
                frames[str(frame)] = pack_label_map(free)
            events: list[Event] = [
                {"kind": "object.add", "object": o, "name": f"object {o}"}
                for o in sorted(spoken - set(self._state.ids))
            ]
            event: Annotate = {
                "kind": "annotate",
                "frames": frames,
                "objects": sorted(spoken),
                "type": "import",
                "seconds": checks.as_seconds(seconds),
                "clicks": [],
            }
            if trust < 1:
                event["trust"] = {str(o): trust for o in sorted(spoken)}
            self._do(*events, event)
        return sorted(maps)

    def remove_annotation(self, frame: int, obj: int) -> None:
        """Take an object's annotation on a frame back into question."""
        with self._lock:
            frame, obj = self._as_frame(frame), checks.as_id(obj)
            annotation = self._state.annotations.get(frame)
            if annotation is None or obj not in annotation.objects:
                raise ValueError(
                    f"frame {frame} is not annotated for object {obj}; "
                    f"annotated frames: {sorted(self._state.annotations)}."
                )
            checks.check_unlocked(self._state, {obj})
            self._do({"kind": "annotation.remove", "frame": frame, "object": obj})

    # -- points ---------------------------------------------------------------

    def label_points(
        self,
        frame: int,
        obj: int,
        points: Iterable[Point | tuple[int, int, str]],
        *,
        seconds: float | None = None,
    ) -> int:
        """Say of pixels whether they are of an object; no mask follows from it by itself.

        Parameters
        ----------
        frame, obj : int
        points : iterable of Point or (x, y, label)
            Label ``'positive'``, ``'negative'`` or ``'unknown'``; of a pixel that was
            labelled before, the new label holds.
        seconds : float, optional
            What it cost; by default `Costs.point` for each.

        Returns
        -------
        int
            The new revision.

        Raises
        ------
        ValueError
            A point is outside the picture or not labelled, or the object is locked.
        """
        frame, obj = self._as_frame(frame), self._as_object(obj)
        labelled = as_points(points, self.video.height, self.video.width)
        if not labelled:
            raise ValueError("there is no point to label; give one (x, y, label) or more.")
        with self._lock:
            checks.check_unlocked(self._state, {obj})
            if seconds is None:
                seconds = self.costs.seconds("points", len(labelled))
            self._do(
                {
                    "kind": "points.label",
                    "frame": frame,
                    "object": obj,
                    "points": [
                        [p.x, p.y, p.label, *([p.region] if p.region else [])] for p in labelled
                    ],
                    "seconds": checks.as_seconds(seconds),
                }
            )
            return self.revision

    def remove_points(
        self, frame: int, obj: int, pixels: Iterable[tuple[int, int]] | None = None
    ) -> None:
        """Forget what was said of pixels, each (x, y); by default of all on the frame."""
        frame, obj = self._as_frame(frame), self._as_object(obj)
        with self._lock:
            there = {(p.x, p.y) for p in self._state.points.get((frame, obj), ())}
            given = there if pixels is None else pixels
            meant = {(operator.index(x), operator.index(y)) for x, y in given}
            if not meant or not meant <= there:
                which = f"no point at {min(meant - there)}" if meant else "no point"
                raise ValueError(
                    f"object {obj} has {which} on frame {frame}; it has {sorted(there)}."
                )
            checks.check_unlocked(self._state, {obj})
            places = [list(pixel) for pixel in sorted(meant)]
            self._do({"kind": "points.remove", "frame": frame, "object": obj, "pixels": places})

    def begin_from_points(self, frame: int, obj: int, *, trust: float = TRUST_OF_POINTS) -> int:
        """Let masks be carried on from the points of an object on a frame; undo takes it back.

        The next pass gives the propagator these points in the place of a mask, and the object
        gets a mask on this frame too. What is said of more pixels of the frame, or of one anew,
        holds from then on as well; a mask that is annotated there takes their place. Weights that
        never saw points make little of them.

        Parameters
        ----------
        frame, obj : int
        trust : float in [0, 1]
            Expected IoU with the truth of what the propagator makes of the points.

        Returns
        -------
        int
            The new revision.

        Raises
        ------
        ValueError
            No point there is on the object, it is annotated there otherwise or locked, or the
            propagator does not take points.
        """
        frame, obj = self._as_frame(frame), self._as_object(obj)
        with self._lock:
            checks.check_unlocked(self._state, {obj})
            checks.check_takes_points(self.propagator)
            checks.check_can_begin(self._state, frame, obj)
            self._do(
                {
                    "kind": "points.begin",
                    "frame": frame,
                    "object": obj,
                    "trust": _as_trust(trust),
                    "corrects": obj in self._state.masks.ids(frame),
                }
            )
            return self.revision


def _as_trust(given: float) -> float:
    return as_share("trust", given, "0 (none) to 1 (the truth)")


def _named(source: Any) -> str:
    """Masks in words: where they are, or what holds them."""
    if isinstance(source, str | os.PathLike):
        return repr(os.fspath(source))[:200]
    return f"what was given ({type(source).__name__})"


def _warn_of_absent(maps: Mapping[int, np.ndarray], objects: Collection[int]) -> None:
    """Say of whom masks that speak for all objects say that they are not there."""
    seen = [ids_of_runs(runs) for runs in maps.values()]
    absent = {o: sum(o not in ids for ids in seen) for o in sorted(objects)}
    told = [f"object {o} from {n}" for o, n in absent.items() if n]
    if told:
        more = f" and {len(told) - 3} more" if len(told) > 3 else ""
        warnings.warn(
            f"of {len(maps)} frames with masks, {', '.join(told[:3])}{more} count as absent, where "
            "they have no pixel; where nothing is known of some, import those frames by themselves "
            "with objects=[...].",
            stacklevel=3,
        )


def _prompted(frame: int, obj: int, prompts: Prompts) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """What tells one draft from another, and one series of its prompts from another."""
    before = prompts.previous_mask
    start = None if before is None else _digest(before)
    return (frame, obj, start), (prompts.clicks, repr(prompts.box), repr(prompts.scribbles))


def _digest(mask: np.ndarray) -> int:
    """A number that tells one mask from another."""
    return zlib.crc32(np.packbits(mask).tobytes())

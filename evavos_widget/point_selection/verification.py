"""Proposed points in the order in which somebody is asked, and what was answered; on disk.

The answers are the session's own point labels. What is asked is kept beside them, so that a
session that is opened again goes on with the same points, whatever was annotated meanwhile.
"""

from __future__ import annotations

import json
import statistics
import threading
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from evavos_widget import engines
from evavos_widget.files import replacing
from evavos_widget.loop import PointSelector
from evavos_widget.point_selection.sampling import FRAMES, spaced_frames
from evavos_widget.points import LABELS, REGIONS, Candidate, Point, as_points
from evavos_widget.quantities import as_count
from evavos_widget.session import Session
from evavos_widget.session_files import QUESTIONS_FILE

__all__ = ["Agreement", "Questions", "Verification"]

_WRITING = threading.Lock()
"""Verifications of one session share a file, and each writes what is asked about its objects."""

LATEST = 100
"""So many answers say how long one takes; our choice."""

Controls = Mapping[tuple[int, int], Iterable[Any]]
"""Points with a known answer, by frame and object, as `simulated_points` gives them."""


@dataclass(frozen=True)
class Agreement:
    """How an annotator answered control points.

    Parameters
    ----------
    answered : int
        So many were answered.
    agreed : int
        So many with the known answer.
    unknown : int
        Of so many the annotator could not tell.
    """

    answered: int
    agreed: int
    unknown: int

    @property
    def share(self) -> float | None:
        """Of those that the annotator could tell, how many agree, 0 to 1; None without any."""
        told = self.answered - self.unknown
        return self.agreed / told if told else None


@dataclass(frozen=True)
class Questions:
    """What is asked about one object.

    Parameters
    ----------
    asked : tuple of Candidate
        In this order. A control point is proposed as what those around it are.
    known : mapping of int -> str
        The answers of the control points, by their place in `asked`.
    skipped : bool
        The annotator does not want to be asked about this object.
    """

    asked: tuple[Candidate, ...]
    known: Mapping[int, str] = field(default_factory=dict)
    skipped: bool = False


class Verification:
    """Points to verify of some objects of a session.

    Parameters
    ----------
    session : Session
        Each of the objects is annotated on some frame.
    objects : sequence of int
        In the order in which they come, each once.
    selector : str or PointSelector
    frames : int
        Points are on so many evenly spaced frames.
    controls : mapping of (frame, object) -> points, optional
        Points with a known answer, positive or negative, which are mixed in; nobody who answers
        can tell them. A warning names frames on which nothing else is asked, since they stand out.
    seed : int
        Of the places of the control points.

    Raises
    ------
    ValueError
        An object is on no frame yet, a control point is not in the video or has no answer, or
        `frames` or `seed` is no whole number.

    Notes
    -----
    What is asked about an object is kept with the session, and holds where it is asked for with
    the same options again, by this verification or another. A session that is closed takes no
    proposals and no answers: a RuntimeError says how to open it again.
    """

    def __init__(
        self,
        session: Session,
        objects: Sequence[int],
        *,
        selector: str | PointSelector = "random",
        frames: int = FRAMES,
        controls: Controls | None = None,
        seed: int = 0,
    ) -> None:
        for obj in objects:
            if not any(obj in a.present for a in session.annotations.values()):
                raise ValueError(
                    f"object {obj} is on no frame yet; say where it is with localise(...)."
                )
        self.session = session
        self.objects = tuple(dict.fromkeys(objects))
        self._selector: PointSelector = engines.create("point_selector", selector)
        self._frames = spaced_frames(session.video.n_frames, frames)
        height, width = session.video.height, session.video.width
        self._controls = {
            (int(frame), int(obj)): as_points(points, height, width)
            for (frame, obj), points in (controls or {}).items()
        }
        for (frame, obj), points in self._controls.items():
            if not 0 <= frame < session.video.n_frames:
                raise ValueError(
                    f"control points of object {obj} are on frame {frame}; give 0 to "
                    f"{session.video.n_frames - 1}."
                )
            for p in points:
                if p.label == "unknown":
                    raise ValueError(
                        f"the control point ({p.x}, {p.y}) of object {obj} on frame {frame} is "
                        "unknown; give positive or negative."
                    )
        self._seed = as_count("seed", seed, 0)
        self._seconds: deque[float] = deque(maxlen=LATEST)
        self._identity = engines.identity(selector)
        self.questions: Mapping[int, Questions] = self._read()

    @property
    def ready(self) -> bool:
        """Whether it is known of every object what is asked."""
        return all(obj in self.questions for obj in self._left)

    @property
    def _left(self) -> list[int]:
        """The objects that the session still has."""
        there = {o.id for o in self.session.objects}
        return [obj for obj in self.objects if obj in there]

    def propose(self) -> None:
        """Propose the points of the objects that have none yet."""
        for _ in self.proposing():
            pass

    def proposing(self) -> Iterator[tuple[int, int]]:
        """As `propose`, a frame at a time.

        Yields
        ------
        (int, int)
            Frames that the propagator has been through, and of how many.
        """
        self.questions = {**self._read(), **self.questions}  # another one may have proposed
        new = [obj for obj in self._left if obj not in self.questions]
        if not new:
            return
        session = self.session
        session.check_open()
        ids = [o.id for o in session.objects]
        soft: dict[int, dict[int, np.ndarray]] = {obj: {} for obj in new}
        steps = session.carry(session.annotations, ids, self._frames)
        with closing(steps):
            for step in steps:
                if step.frame is not None and step.probabilities is not None:
                    for obj in new:
                        plane = step.probabilities[1 + ids.index(obj)]
                        soft[obj][step.frame] = plane.astype(np.float32)
                yield step.done, step.total
                session.check_open()
        made = {
            obj: self._mixed(obj, self._selector.select(session.video, soft[obj])) for obj in new
        }
        self._keep(made)

    def localisation(self, obj: int) -> tuple[int, np.ndarray]:
        """The frame on which most of an object is annotated, and its mask there, (H, W) bool."""
        masks = {
            # Of one that begins from points, what a pass made of them.
            f: (self.session.masks[f] if obj in a.points else a.labels) == obj
            for f, a in self.session.annotations.items()
            if obj in a.present
        }
        if not masks:
            raise ValueError(f"object {obj} is annotated on no frame any more; draw it again.")
        frame = max(masks, key=lambda f: int(masks[f].sum()))
        return frame, masks[frame]

    def answers(self, obj: int) -> list[str | None]:
        """What was said of the points of an object, in the order in which they are asked."""
        said = {
            (frame, p.x, p.y): p.label
            for (frame, whose), points in self.session.points.items()
            if whose == obj
            for p in points
        }
        return [said.get((c.frame, c.x, c.y)) for c in self.questions[obj].asked]

    def answer(self, obj: int, place: int, label: str, seconds: float | None = None) -> int:
        """Label a point; on disk when this returns.

        Parameters
        ----------
        obj, place : int
            The point's place among those of the object, from 0.
        label : str
            One of `points.LABELS`; what was said before no longer holds.
        seconds : float, optional
            What it took; by default `Costs.point`.

        Returns
        -------
        int
            The session's new revision.

        Raises
        ------
        ValueError
            There is no such point, or the object is locked.
        """
        asked = self._of(obj).asked
        if not 0 <= place < len(asked):
            raise ValueError(f"object {obj} has no point {place}; give 0 to {len(asked) - 1}.")
        c = asked[place]
        revision = self.session.label_points(
            c.frame, obj, [Point(c.x, c.y, label, c.region)], seconds=seconds
        )
        if seconds is not None:
            self._seconds.append(seconds)
        return revision

    def skip(self, obj: int, skipped: bool = True) -> None:
        """Put an object off, or take it up again; what was answered stays."""
        self._keep({obj: replace(self._of(obj), skipped=skipped)})

    @property
    def seconds_per_point(self) -> float | None:
        """The median of the latest measured answers, so that a pause does not count; or None."""
        return statistics.median(self._seconds) if self._seconds else None

    @property
    def finished(self) -> bool:
        """Whether every point of the objects that are not skipped is answered."""
        return self.ready and all(
            self.questions[obj].skipped or None not in self.answers(obj) for obj in self._left
        )

    @property
    def agreement(self) -> Agreement:
        """How the control points were answered so far."""
        pairs = [
            (said, known)
            for obj in self.objects
            if obj in self.questions
            for said, known in self._control_answers(obj, self.questions[obj].known)
        ]
        return Agreement(
            answered=len(pairs),
            agreed=sum(said == known for said, known in pairs),
            unknown=sum(said == "unknown" for said, _ in pairs),
        )

    def _control_answers(self, obj: int, known: Mapping[int, str]) -> Iterator[tuple[str, str]]:
        answers = self.answers(obj)
        for place, label in known.items():
            if (said := answers[place]) is not None:
                yield said, label

    def _of(self, obj: int) -> Questions:
        if obj not in self.questions:
            raise ValueError(
                f"nothing is asked about object {obj}; choose from {sorted(self.questions)}."
            )
        return self.questions[obj]

    def _mixed(self, obj: int, proposed: Sequence[Candidate]) -> Questions:
        """The proposed points with the control points among them.

        A control point comes after a proposed one, on the same frame where there is one, and
        is said to be proposed as the same: what it is proposed as must not give it away.
        """
        rng = np.random.default_rng([self._seed, obj])
        alone = {f for f, whose in self._controls if whose == obj} - {c.frame for c in proposed}
        if alone:
            warnings.warn(
                f"control points of object {obj} are on frames {sorted(alone)}, on which nothing "
                "else is asked, so that they stand out; leave those frames out, or give as many "
                "`frames` as the control points have.",
                stacklevel=2,
            )
        asked: list[tuple[Candidate, str | None]] = [(c, None) for c in proposed]
        for (frame, whose), points in sorted(self._controls.items()):
            for p in points if whose == obj else ():
                at = [
                    i for i, (c, _) in enumerate(asked) if (c.frame, c.x, c.y) == (frame, p.x, p.y)
                ]
                if at:
                    asked[at[0]] = (asked[at[0]][0], p.label)
                    continue
                near = [i for i, (c, _) in enumerate(asked) if c.frame == frame]
                after = int(rng.choice(near or np.arange(len(asked)))) if asked else -1
                region = asked[after][0].region if asked else REGIONS[-1]
                asked.insert(after + 1, (Candidate(frame, p.x, p.y, region), p.label))
        known = {i: label for i, (_, label) in enumerate(asked) if label is not None}
        return Questions(tuple(c for c, _ in asked), known)

    # What is asked, on disk -------------------------------------------------------------

    @property
    def _file(self) -> Path | None:
        folder = self.session.path
        return None if folder is None else folder / QUESTIONS_FILE

    def _options(self, obj: int) -> dict[str, Any]:
        """What the points of an object depend on, beside what is annotated."""
        options: dict[str, Any] = {"selector": self._identity, "frames": self._frames}
        controls = {f: told for (f, whose), told in self._controls.items() if whose == obj}
        if controls:  # nothing else is drawn with the seed
            options["controls"] = [
                [f, [[p.x, p.y, p.label] for p in told]] for f, told in sorted(controls.items())
            ]
            options["seed"] = self._seed
        return options

    def _on_disk(self) -> dict[str, Any]:
        """What is kept of every object that any verification of the session asks about."""
        file = self._file
        if file is None or not file.is_file():
            return {}
        return dict(json.loads(file.read_text(encoding="utf-8"))["objects"])

    def _read(self) -> dict[int, Questions]:
        """What was asked before with the same options; a file that is damaged counts as none."""
        try:
            on_disk = self._on_disk()
            kept = {obj: on_disk.get(str(obj), {}) for obj in self.objects}
            return {
                obj: self._as_questions(q)
                for obj, q in kept.items()
                if q.get("options") == self._options(obj)
            }
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            warnings.warn(
                f"{self._file} cannot be read ({error}); points are proposed anew.", stacklevel=3
            )
            return {}

    def _keep(self, changed: Mapping[int, Questions]) -> None:
        """From now on this is asked about some objects; on disk before it holds."""
        self.session.check_open()
        self.session.check_kept()
        file = self._file
        if file is not None and not self.session.read_only:
            with _WRITING:
                try:
                    objects = self._on_disk()
                except (OSError, ValueError, LookupError, TypeError, AttributeError):
                    objects = {}  # damaged, as was said when it was read
                objects |= {str(obj): self._as_kept(obj, q) for obj, q in changed.items()}
                with replacing(file) as new:
                    new.write_text(json.dumps({"objects": objects}), encoding="utf-8")
        self.questions = {**self.questions, **changed}

    def _as_kept(self, obj: int, questions: Questions) -> dict[str, Any]:
        return {
            "options": self._options(obj),
            "asked": [[c.frame, c.x, c.y, c.region, c.effect] for c in questions.asked],
            "known": {str(place): label for place, label in questions.known.items()},
            "skipped": questions.skipped,
        }

    def _as_questions(self, kept: Mapping[str, Any]) -> Questions:
        asked = tuple(Candidate(*one) for one in kept["asked"])
        known = {int(place): label for place, label in kept["known"].items()}
        video = self.session.video
        for c in asked:
            if not (
                0 <= c.frame < video.n_frames and 0 <= c.x < video.width and 0 <= c.y < video.height
            ):
                raise ValueError(f"({c.x}, {c.y}) on frame {c.frame} is not in the video")
        if not set(known.values()) <= set(LABELS) or not set(known) <= set(range(len(asked))):
            raise ValueError("its control points do not fit")
        return Questions(asked, known, bool(kept["skipped"]))

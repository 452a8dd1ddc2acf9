"""What is known of each round of a session: what was looked at, what was chosen, what followed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from evavos_widget import engines
from evavos_widget.explanation import explained_frames, explained_types
from evavos_widget.inspection.truth import TrueFrames
from evavos_widget.loop import FrameChoice, LoopState, Round, completed, objects_annotated
from evavos_widget.metrics import jaccard
from evavos_widget.networks.encoders import create_encoder
from evavos_widget.session.recording import Recording, branched
from evavos_widget.suggestion import Suggestion, suggest

if TYPE_CHECKING:
    from evavos_widget.session import Session

__all__ = ["Inspection"]


class _Past(NamedTuple):
    """What has to be the same for a round to be as it was.

    Parameters
    ----------
    rounds : tuple of Round
        Up to it. An equal round may be of another mask, so that it has to be the very same one.
    revision : int or None
        Of the session, where the round is the last or still to come.
    """

    rounds: tuple[Round, ...]
    revision: int | None

    def is_still(self, other: _Past) -> bool:
        return (
            self.revision == other.revision
            and len(self.rounds) == len(other.rounds)
            and all(a is b for a, b in zip(self.rounds, other.rounds, strict=True))
        )


class Inspection:
    """Looks into the rounds of a session, live or recorded.

    Parameters
    ----------
    session : Session
        Stays as it is.
    frame_selector, annotation_selector : str or object, optional
        The policy that is asked in each state; by default the session's own.
    ground_truth : mapping of frame -> (H, W) uint8 label map, optional
        Only where the caller gives it is anything said of the truth, whatever the session has.
    encoder : str
        Of the map of frames, where the policy has no embeddings of its own.

    Notes
    -----
    What is found out once is kept. All methods may be called from any thread.
    """

    def __init__(
        self,
        session: Session,
        *,
        frame_selector: Any = None,
        annotation_selector: Any = None,
        ground_truth: Mapping[int, np.ndarray] | None = None,
        encoder: str = "colour",
    ) -> None:
        self.session = session
        self.recording = Recording(session)
        self.frame_selector = (
            session.frame_selector
            if frame_selector is None
            else engines.create("frame_selector", frame_selector)
        )
        self.annotation_selector = (
            session.annotation_selector
            if annotation_selector is None
            else engines.create("annotation_selector", annotation_selector)
        )
        self.truth = TrueFrames(ground_truth) if ground_truth else None
        self._encoder = create_encoder(encoder)
        self._rounds: dict[int, tuple[_Past, dict[str, Any]]] = {}
        self._choices: dict[int, tuple[_Past, Suggestion | None]] = {}
        self._apart: dict[tuple[Any, ...], np.ndarray] = {}

    def __len__(self) -> int:
        """Rounds that were made; one more can be looked at, the one that is to come."""
        return len(self.recording)

    def choice(self, n: int) -> Suggestion | None:
        """What the policy asks for in the state before round `n`; None for nothing."""
        past, known = self._past(n), self._choices.get(n)
        if known is None or not known[0].is_still(past):
            state = self.recording.asked_about(n)
            known = past, suggest(state, self.frame_selector, self.annotation_selector)
            self._choices[n] = known
        return known[1]

    def _past(self, n: int) -> _Past:
        rounds = self.session.rounds
        return _Past(rounds[: n + 1], self.session.revision if n >= len(rounds) - 1 else None)

    def round(self, n: int) -> dict[str, Any]:
        """All that is known of a round without a pass.

        Returns
        -------
        dict
            ``round``; ``spent`` seconds before it; ``made``, what was annotated in it (``frame``,
            ``object``, ``kind``, ``seconds``; of several frames or objects those that were asked
            for, else the first; None for the one to come); ``asked``, what the policy
            asks for in that state (``frame``, ``object``, ``kind``, ``reason``, ``predicted``,
            ``expected_gain``, ``seconds``; or None); ``followed``, whether that was made;
            ``objects``, for each its ``predicted`` quality, ``true`` quality (None without truth),
            ``scores`` and ``trust``, lists over frames with None where there is nothing, as no
            scores of a locked object, which is not asked for;
            ``meaning`` of the scores; ``types``, for each its ``kind``, ``probability``, ``gain``,
            ``seconds`` and ``per_second``; ``value`` and ``gain_of``; ``reward``, see `reward`.
        """
        past, known = self._past(n), self._rounds.get(n)
        if known is None or not known[0].is_still(past):
            known = self._rounds[n] = past, self._looked_at(n)
        return known[1]

    def _looked_at(self, n: int) -> dict[str, Any]:
        state, asked_about = self.recording.state(n), self.recording.asked_about(n)
        asked = self.choice(n)
        frames = explained_frames(self.frame_selector, asked_about)
        made = self._made(n)
        where = made or (None if asked is None else {"frame": asked.frame, "object": asked.object})
        types = None
        if where is not None and where["object"] in asked_about.objects:
            choice = FrameChoice(where["frame"], where["object"], "")
            types = explained_types(self.annotation_selector, asked_about, choice)
        return {
            "round": n,
            "spent": state.seconds,
            "made": made,
            "asked": None if asked is None else _told(asked),
            "followed": asked is not None
            and made is not None
            and (asked.frame, asked.object, asked.kind)
            == (made["frame"], made["object"], made["kind"]),
            "objects": [
                {
                    "object": obj,
                    "predicted": _listed(state.quality[:, k]),
                    "true": None
                    if self.truth is None
                    else _listed(self.truth.of(state.masks, obj)),
                    "scores": None
                    if frames is None
                    else _listed(_column(frames.scores, asked_about, obj)),
                    "trust": _trust(state, obj),
                }
                for k, obj in enumerate(state.objects)
            ],
            "meaning": None if frames is None else frames.meaning,
            "types": [
                {
                    "kind": kind,
                    "probability": probability,
                    "gain": types.gains.get(kind),
                    "seconds": types.seconds.get(kind),
                    "per_second": _per_second(types.gains.get(kind), types.seconds.get(kind)),
                }
                for kind, probability in types.probabilities.items()
            ]
            if types
            else [],
            "value": types.value if types else None,
            "gain_of": types.gain_of if types else "frame",
            "reward": self.reward(n),
        }

    def reward(self, n: int) -> dict[str, Any] | None:
        """What followed a round, in its parts; None for the one to come.

        Returns
        -------
        dict
            ``seconds`` of the round, ``spent`` with it; ``frame_gain``, the rise of the true J&F
            of the frame and ``reward``, that over ``spent`` (EVA-VOS Sec. 2.3; both None without
            truth); ``predicted_before``, ``predicted_after``, ``predicted_gain``: mean predicted
            J&F of the object over the video, and ``true_...``, the true one. What is of an object
            that is not there before the round, or was removed before the next, is None.
        """
        made = self._made(n)
        if made is None:
            return None
        before, after = self.recording.state(n), self.recording.state(n + 1)
        obj, frame = made["object"], made["frame"]
        parts: dict[str, Any] = {"seconds": made["seconds"], "spent": after.seconds}
        parts |= _rise("predicted", _predicted(before, obj), _predicted(after, obj))
        true = [
            self.truth.of(state.masks, obj) if self.truth and obj in state.objects else None
            for state in (before, after)
        ]
        parts |= _rise("true", *(None if t is None else _mean(t) for t in true))
        gain = None
        if true[0] is not None and true[1] is not None and np.isfinite(true[0][frame]):
            gain = float(true[1][frame] - true[0][frame])
        return {**parts, "frame_gain": gain, "reward": _per_second(gain, after.seconds)}

    def map(self, n: int, obj: int) -> np.ndarray:
        """Where frames lie: the first two principal components of their embeddings.

        The policy's own embeddings (EVA-VOS Eq. 1) where it has some, else those of the encoder.

        Returns
        -------
        (N, 2) float32 array
        """
        state = self.recording.asked_about(n)
        told = explained_frames(self.frame_selector, state)
        embeddings = told.embeddings.get(obj) if told is not None else None
        if embeddings is None:
            embeddings = state.features.frames(state.video, self._encoder)
        return principal_components(np.asarray(embeddings).reshape(len(embeddings), -1))

    def mask(self, n: int, frame: int, obj: int) -> np.ndarray:
        """The mask of an object that the policy saw on a frame, in the state before round `n`.

        Parameters
        ----------
        n, frame, obj : int

        Returns
        -------
        (H, W) bool array
            False everywhere where the object had no mask there yet.

        Raises
        ------
        IndexError
            There is no such round or frame.
        """
        return self.recording.state(n).masks[frame] == obj

    def disagreement(self, n: int, obj: int, **engines: Any) -> np.ndarray | None:
        """How much the masks that reach a frame from its two sides differ; takes two passes.

        One pass starts from every other annotated frame of the object, one from the rest, so that
        each frame between two of them is reached from either side.

        Parameters
        ----------
        n, obj : int
        **engines
            As for `evavos_widget.session.recording.branched`.

        Returns
        -------
        (N,) float32 array or None
            1 - IoU, 0 to 1; NaN before the first and after the last annotated frame and on them.
            None where fewer than two frames are annotated.
        """
        state = self.recording.state(n)
        annotated = objects_annotated(state.annotations, obj)
        if len(annotated) < 2:
            return None
        known = ((f, state.annotations[f]) for f in annotated)
        key = (obj, frozenset(engines.items()), *known)
        if key not in self._apart:
            self._apart[key] = self._two_sides(n, obj, annotated, engines)
        return self._apart[key]

    def _two_sides(
        self, n: int, obj: int, annotated: Sequence[int], engines: dict[str, Any]
    ) -> np.ndarray:
        state = self.recording.state_of_session(n)
        between = [f for f in range(annotated[0], annotated[-1]) if f not in annotated]
        sides: list[dict[int, np.ndarray]] = []
        for every in (annotated[::2], annotated[1::2]):
            given = {f: state.annotations[f] for f in every}
            with branched(self.session, replace(state, annotations=given), **engines) as branch:
                steps = branch.propagator.propagate(branch.video, given, [obj], between)
                sides.append({f: soft.argmax(axis=0) == 1 for f, soft in completed(steps)})
        apart = np.full(len(state.masks), np.nan, np.float32)
        for frame in between:
            apart[frame] = 1 - jaccard(sides[0][frame], sides[1][frame])
        return apart

    def table(self) -> list[dict[str, Any]]:
        """Every round in one flat row, ready for a data frame."""
        rows = []
        for n in range(len(self) + 1):
            told = self.round(n)
            row: dict[str, Any] = {"round": n, "spent": told["spent"]}
            row |= {f"made_{k}": v for k, v in (told["made"] or _NOTHING_MADE).items()}
            row |= {f"asked_{k}": v for k, v in (told["asked"] or _NOTHING_ASKED).items()}
            row |= {"followed": told["followed"], "value": told["value"]}
            for each in told["types"]:
                row |= {f"{each['kind']}_{k}": v for k, v in each.items() if k != "kind"}
            reward = told["reward"] or {}
            row |= {name: reward.get(name) for name in _REWARD}
            rows.append(row)
        return rows

    def _made(self, n: int) -> dict[str, Any] | None:
        if n >= len(self):
            return None
        made = self.session.rounds[n]
        several = len(made.frames) > 1 or len(made.objects) > 1
        asked = self.choice(n) if several else None  # which may take a pass
        return {
            "frame": _asked_of(made.frames, asked and asked.frame),
            "object": _asked_of(made.objects, asked and asked.object),
            "kind": made.kind,
            "seconds": made.seconds,
        }


_NOTHING_MADE = dict.fromkeys(("frame", "object", "kind", "seconds"))

_NOTHING_ASKED = dict.fromkeys(
    ("frame", "object", "kind", "reason", "predicted", "expected_gain", "seconds")
)

_REWARD = (
    "frame_gain",
    "reward",
    "predicted_before",
    "predicted_after",
    "predicted_gain",
    "true_before",
    "true_after",
    "true_gain",
)


def principal_components(embeddings: np.ndarray) -> np.ndarray:
    """The first two principal components of ``(N, D)`` rows, as ``(N, 2)`` float32.

    The sign of each is that of its largest coordinate, so that the same rows give the same map.
    """
    centred = embeddings - embeddings.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    places = np.zeros((len(embeddings), 2), np.float32)
    for k in range(min(2, len(s))):
        column = u[:, k] * s[k]
        sign = np.sign(column[np.abs(column).argmax()]) or 1.0
        places[:, k] = column * sign
    return places


def _told(asked: Suggestion) -> dict[str, Any]:
    return {name: getattr(asked, name) for name in _NOTHING_ASKED}


def _asked_of(made: Sequence[int], asked: int | None) -> int:
    """Of the frames or objects of a round the one that was asked for, else the first."""
    return made[0] if asked is None or asked not in made else asked


def _column(scores: np.ndarray, state: LoopState, obj: int) -> np.ndarray:
    """The scores of an object that were given for those of a state; NaN where it is not there."""
    if obj not in state.objects:
        return np.full(state.n_frames, np.nan)
    return scores[:, state.objects.index(obj)]


def _trust(state: LoopState, obj: int) -> list[float | None]:
    """Of the annotated frames; None on the others."""
    trust: list[float | None] = [None] * state.n_frames
    for frame in objects_annotated(state.annotations, obj):
        trust[frame] = state.annotations[frame].trust(obj)
    return trust


def _predicted(state: LoopState, obj: int) -> float | None:
    if obj not in state.objects:
        return None
    return _mean(state.quality[:, state.objects.index(obj)])


def _mean(values: np.ndarray) -> float | None:
    return float(np.nanmean(values)) if np.isfinite(values).any() else None


def _rise(what: str, before: float | None, after: float | None) -> dict[str, float | None]:
    gain = None if before is None or after is None else after - before
    return {f"{what}_before": before, f"{what}_after": after, f"{what}_gain": gain}


def _per_second(gain: float | None, seconds: float | None) -> float | None:
    return None if gain is None or seconds is None else gain / max(seconds, 1e-3)


def _listed(values: np.ndarray) -> list[float | None]:
    """For JSON, four digits; None for NaN."""
    return [None if math.isnan(v) else round(v, 4) for v in np.asarray(values, float).tolist()]

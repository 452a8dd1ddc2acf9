"""The rounds of a session and the state in which each was chosen, live or from the journal.

What undo could go back to is there with its masks. Before that, or where those were not saved,
a replay of the journal gives K and the rest, and a pass gives the masks.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from evavos_widget.loop import LoopState, PropagationStep, Round
from evavos_widget.session.history import History
from evavos_widget.session.journal import read_journal
from evavos_widget.session.session import Session
from evavos_widget.session.state import State
from evavos_widget.session.timeline import Timeline, replay
from evavos_widget.session_files import JOURNAL_FILE

__all__ = ["Moment", "Recording", "branched", "probabilities_again"]


@dataclass(frozen=True, eq=False)
class Moment:
    """What has to be the same for the state before a round to be as it was.

    Parameters
    ----------
    rounds : tuple of Round
        Before it. An equal round may be of another mask, so that it has to be the very same one.
    state : State or None
        The one that undo leads to; None where that is longer ago, and changes no more.
    """

    rounds: tuple[Round, ...]
    state: State | None

    def is_still(self, now: Moment) -> bool:
        """Whether it is the same as one of now, of a round of the same number."""
        if len(self.rounds) != len(now.rounds):
            return False
        if any(a is not b for a, b in zip(self.rounds, now.rounds, strict=True)):
            return False
        then, state = self.state, now.state
        return then is None or state is None or _same_masks(then, state)


class Recording:
    """Looks at a session as it was before each of the rounds that hold now.

    All methods may be called from any thread, and leave the session as it is.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._lock = threading.Lock()
        self._computed: dict[tuple[int, int], State] = {}
        self._replay: tuple[int, dict[int, State]] | None = None

    def __len__(self) -> int:
        """How many rounds there are; the state before one more is the present one."""
        return len(self.session.rounds)

    def state(self, n: int) -> LoopState:
        """What the selectors saw before round `n`, counted from 0; of ``len(self)``, see now.

        Raises
        ------
        IndexError
            There is no such round.
        """
        return self.session._seen(self.state_of_session(n))

    def asked_about(self, n: int) -> LoopState:
        """As `state`, of the objects that were not locked: what a suggestion was made of."""
        return self.session._to_ask_about(self.state_of_session(n))

    def state_of_session(self, n: int) -> State:
        """As `state`, with all that the session knows."""
        present, kept = self._kept()
        if not 0 <= n <= len(present.rounds):
            raise IndexError(f"there is no round {n}; give 0 to {len(present.rounds)}.")
        state = kept.get(n)
        if state is present:
            return present
        # A pass leaves a point on the curve, which is kept with the masks. Where none had ended and
        # no masks were lost, there were none.
        if state is not None and (state.curve or n >= self.session._timeline.bare):
            return state
        return self._with_masks(n, state or self._replayed(n))

    def moment(self, n: int) -> Moment:
        """By which to know later whether the state before round `n` is still the same."""
        present, kept = self._kept()
        return Moment(present.rounds[:n], kept.get(n))

    def _kept(self) -> tuple[State, dict[int, State]]:
        """The present state, and by rounds those that undo leads to.

        The last state with so many rounds is the one in which the next was chosen.
        """
        with self.session._lock:
            present, past = self.session._state, list(self.session._timeline.history.past())
        return present, {len(state.rounds): state for state in (*past, present)}

    def _replayed(self, n: int) -> State:
        """From the journal, without masks but the annotated ones; read once after each change."""
        session = self.session
        revision = session.revision  # before the journal, which may be newer but never older
        with self._lock:
            if self._replay is not None and self._replay[0] == revision:
                return self._replay[1][n]
        folder, video = session.path, session.video
        if folder is None:
            raise IndexError(
                f"round {n} is longer ago than undo goes back, and this session keeps no journal; "
                "give sessions a path to look at them later."
            )
        empty = State.empty(video.n_frames, video.height, video.width)
        timeline = Timeline(empty, session.propagator.affected, History(limit=10**9))
        replay(timeline, read_journal(folder / JOURNAL_FILE), None, str(folder / JOURNAL_FILE))
        past = [*timeline.history.past(), timeline.state]
        states = {len(state.rounds): state for state in past}
        with self._lock:
            self._replay = revision, states
        return states[n]

    def _with_masks(self, n: int, state: State) -> State:
        """As it would be after a pass; computed once."""
        with self._lock:
            key = n, _content(state)
            if key not in self._computed:
                with branched(self.session, state) as branch:
                    for _ in branch.propagation():
                        pass
                    self._computed[key] = branch._state
            # That pass ended what was put off, and here it still is.
            return replace(self._computed[key], snoozed=state.snoozed)


def _same_masks(a: State, b: State) -> bool:
    """Whether two states have the same objects, annotations and masks."""
    return a.ids == b.ids and a.annotations is b.annotations and a.revisions == b.revisions


def _content(state: State) -> int:
    """What the masks of a state follow from: a replay makes its annotations anew."""
    said = (
        (f, a.runs.tobytes(), frozenset(a.sources.items()), frozenset(a.points.items()))
        for f, a in sorted(state.annotations.items())
    )
    return hash((state.ids, *said))


def branched(session: Session, state: State, **engines: Any) -> Session:
    """A session of the same video in memory, which goes on from a state of another.

    Parameters
    ----------
    session : Session
        Stays as it is.
    state : State
    **engines
        ``propagator`` and ``predictor``, by default new ones of the same names.

    Raises
    ------
    ValueError
        One of the two was given as an object, which belongs to its session.
    """
    for stage in ("propagator", "predictor"):
        name = session._made_with["engines"][stage]
        if stage not in engines and name is None:
            raise ValueError(
                f"the {stage} of this session was given as an object, which belongs to it; a "
                f"branch needs one of its own: give {stage}='name'."
            )
        engines.setdefault(stage, name)
    branch = Session(
        session.video,
        frame_selector=session.frame_selector,
        annotation_selector=session.annotation_selector,
        merge=session.propagator.merge,
        first=session.first,
        costs=session.costs,
        budget=session.budget,
        device=session._device,
        path=None,
        **engines,
    )
    branch._timeline.state = state
    branch._timeline.revision = max(session.revision, *state.revisions)
    branch._features = session._features
    for frame, revision in enumerate(state.revisions):
        branch._probabilities.take(session._probabilities, frame, revision)
    return branch


def probabilities_again(branch: Session, frame: int) -> Iterator[PropagationStep]:
    """Find again what the last pass said of a frame, pixel by pixel; a pass to that frame alone.

    Predictors begin from it, and only masks are on disk: without it, what is made in a session that
    was opened again would differ from what was made in it then.

    Parameters
    ----------
    branch : Session
        Of `branched`.
    frame : int

    Yields
    ------
    PropagationStep
        Nothing where it is known, or no pass came to the frame.
    """
    state = branch._state
    revision = state.revisions[frame]
    known = [branch._probabilities.get(frame, revision, obj) is not None for obj in state.ids]
    if frame in state.stale or all(known):
        return
    steps = branch.propagator.propagate(branch.video, state.annotations, state.ids, [frame])
    for step in steps:
        if step.frame == frame and step.probabilities is not None:
            labels = np.array([0, *state.ids], np.uint8)[step.probabilities.argmax(axis=0)]
            if np.array_equal(labels, state.masks[frame]):  # else the mask was made otherwise
                branch._probabilities.put(frame, revision, state.ids, step.probabilities)
        yield step

"""The states of a session one after the other, and doing again what a journal says.

A replay is a function of the journal's lines alone. Saved masks only spare a pass: they are
taken over where the journal is the one that they were saved with.
"""

from __future__ import annotations

from collections.abc import Sequence

from evavos_widget.session.events import Event, Group, Step, as_change, describe, objects_of
from evavos_widget.session.history import History
from evavos_widget.session.journal import Lines
from evavos_widget.session.saved_masks import SavedMasks
from evavos_widget.session.state import Affected, State, apply

__all__ = ["Timeline", "replay"]

TELLING = ("annotate", "points.label", "points.begin")
"""Events that say something of objects, beside what they are called and how they are shown."""


class Timeline:
    """The present state, and the history around it.

    Parameters
    ----------
    state : State
    affected : callable
        `Propagator.affected`.
    history : History, optional

    Attributes
    ----------
    revision : int
        Grows with every change of the state.
    generation : int
        Grows when K or the objects change: a running pass then works on old news.
    told_of : set of int
        Ids of objects that were ever annotated, or of which points were labelled; also of those
        that were removed, or undone.
    bare : int
        Rounds that were done again without saved masks: before each there may have been some.
    """

    def __init__(self, state: State, affected: Affected, history: History | None = None) -> None:
        self.state = state
        self.history = history or History()
        self.revision = 0
        self.generation = 0
        self.told_of: set[int] = set()
        self.bare = 0
        self._affected = affected

    def after(self, events: Sequence[Event], state: State | None = None) -> State:
        """The state that events lead to, from the present one or another."""
        state = self.state if state is None else state
        for event in events:
            state = apply(state, event, self._affected, self.revision + 1)
        return state

    def add(self, line: int, group: Group, state: State) -> None:
        """A change that was written as line `line` of the journal led to `state`."""
        for event in group["events"]:
            if event["kind"] in TELLING:
                self.told_of |= objects_of(event)
        if group["undoable"]:
            self.history.add(line, describe(group["events"][-1]), self.state)
        else:
            # What no undo takes back holds in the states that it goes back to as well.
            self.history.always(lambda old: self.after(group["events"], old))
        self._go_to(state)

    def step(self, direction: str) -> None:
        """Go one change back (``'undo'``) or forth (``'redo'``)."""
        self._go_to(self.history.step(direction, self.state))

    def show(self, state: State) -> None:
        """Take over what a pass computed, stamped with the next revision."""
        self.revision += 1
        self.state = state

    def adopt(self, saved: SavedMasks) -> None:
        """Take over saved masks, of the present state and of the history."""
        first = self.revision + 1
        state = saved.adopt(0, self.state, first)
        if saved.n_states > 1:
            numbers = iter(range(1, saved.n_states))
            self.history.map(lambda old: saved.adopt(next(numbers), old, first))
        self.revision = saved.last_revision(first)
        self.show(state)

    def states(self) -> list[State]:
        """The present state, then those of the history."""
        return [self.state, *self.history.states()]

    def _go_to(self, state: State) -> None:
        if state.annotations is not self.state.annotations or state.ids != self.state.ids:
            self.generation += 1
        self.show(state)


def replay(timeline: Timeline, lines: Lines, saved: SavedMasks | None, where: str) -> list[str]:
    """Do again what a journal says.

    Parameters
    ----------
    timeline : Timeline
        Of the video, nothing done yet.
    lines : Lines
    saved : SavedMasks or None
    where : str
        How sentences call the journal.

    Returns
    -------
    list of str
        A sentence for everything that was lost with damaged or missing lines.

    Raises
    ------
    LaterVersionError
        The journal has events that this version does not know.
    """
    lost: list[str] = []
    left_out: list[int] = []
    # Of lines that go on from what is not there; the first one of all says what they are of.
    gaps = [] if lines.header or not lines.read else [lines.read[0].number]
    adopt_at, adopted = _place_of(saved, lines), False
    for line in lines.changes:
        if saved is not None and adopt_at is not None and line.number > adopt_at:
            adopted = _adopt(timeline, saved)
            adopt_at = None
        what = f"line {line.number} of {where}"
        change = as_change(line.content, what)
        if change is None:
            continue
        try:
            told = _again(timeline, line.number, change, lines, what)
        except (LookupError, ValueError):
            told = []
            left_out.append(line.number)
            gaps.append(line.number)
        if told:
            lost += told
            gaps.append(line.number)
    if saved is not None and adopt_at is not None:
        adopted = _adopt(timeline, saved)
    if not adopted:
        timeline.bare = len(timeline.state.rounds)
    if left_out:
        lost.append(
            f"{_named(left_out, where)} changed or took back something that is lost and "
            f"{'was' if len(left_out) == 1 else 'were'} left out."
        )
    if lines.damaged:
        lost.insert(0, _about_damage(lines.damaged, where))
    elif gaps:
        lost.insert(
            0,
            f"lines are missing before line {gaps[0]} of {where}; look over the annotations made "
            "around it.",
        )
    return lost


def _adopt(timeline: Timeline, saved: SavedMasks) -> bool:
    """Take over masks where they fit; whether they did."""
    known = saved.digest is None or saved.n_states == len(timeline.states())
    fits = known and saved.fits(timeline.state)
    if fits:
        timeline.adopt(saved)
    return fits


def _place_of(saved: SavedMasks | None, lines: Lines) -> int | None:
    """The line after which masks were saved; None where they are of another history."""
    if saved is None:
        return None
    n = len(lines.digests)
    if saved.digest is None:
        # Version 0.1 counted changes, which does not tell one history from another: its masks
        # hold where they were the last thing written.
        return n if not lines.damaged and saved.lines == len(lines.changes) else None
    known = 0 < saved.lines <= n and lines.digests[saved.lines - 1] == saved.digest
    return saved.lines if known else None


def _again(
    timeline: Timeline, number: int, change: Group | Step, lines: Lines, what: str
) -> list[str]:
    """Do a change again; a sentence for everything that it needed and that is lost.

    Raises
    ------
    LookupError, ValueError
        It cannot be done without what is lost.
    """
    if change["kind"] != "group":
        _step_again(timeline, change, lines)
        return []
    events, told = _with_what_is_lost(change["events"], timeline.state, what)
    timeline.add(number, {**change, "events": events}, timeline.after(events))
    return told


def _step_again(timeline: Timeline, step: Step, lines: Lines) -> None:
    """Undo or redo what was meant, also where a step before it is lost."""
    history, direction = timeline.history, step["kind"]
    undoing = direction == "undo"
    following = history.can_undo if undoing else history.can_redo
    meant = step.get("of")
    if meant is None and following is None:
        return
    if meant is not None and not history.holds(direction, meant):
        if meant in lines.damaged:  # which was left out, so that there is nothing to step over
            return
        raise LookupError(meant)
    while following is not None:
        timeline.step(direction)
        if meant is None or following.line == meant:
            return
        following = history.can_undo if undoing else history.can_redo


def _with_what_is_lost(
    events: Sequence[Event], state: State, what: str
) -> tuple[list[Event], list[str]]:
    """The events of a change, and before each what lost lines must have said of its objects."""
    whole: list[Event] = []
    told: list[str] = []
    there = set(state.ids)
    for event in events:
        for obj in sorted(objects_of(event) - there):
            if event["kind"] not in ("annotate", "points.label", "object.merge"):
                raise LookupError(obj)
            whole.append({"kind": "object.add", "object": obj, "name": f"object {obj}"})
            told.append(f"the name of object {obj} is lost; it was given a new one.")
            there.add(obj)
        if event["kind"] == "object.add":
            if event["object"] in there:
                whole.append({"kind": "object.remove", "object": event["object"]})
                told.append(
                    f"object {event['object']} was taken away by a line that is lost, since "
                    f"another has its number from {what} on; it was removed there."
                )
            there.add(event["object"])
        elif event["kind"] == "object.remove" or event["kind"] == "object.merge":
            there.remove(event["object"])
        whole.append(event)
    return whole, told


def _about_damage(damaged: Sequence[int], where: str) -> str:
    one = len(damaged) == 1
    return (
        f"{_named(damaged, where)} {'is' if one else 'are'} damaged and {'was' if one else 'were'} "
        f"left out; look over the annotations made around {'it' if one else 'them'}."
    )


def _named(numbers: Sequence[int], where: str) -> str:
    """Lines of a journal, the first of them by their numbers."""
    which = ", ".join(map(str, numbers[:5])) + (" ..." if len(numbers) > 5 else "")
    return f"{'line' if len(numbers) == 1 else 'lines'} {which} of {where}"

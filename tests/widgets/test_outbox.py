"""Pushes within a window: coalesced, numbered, never more than a page can take."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evavos_widget.widgets.outbox import (
    ITEMS_PER_PUSH,
    MAX_LOG,
    PUSH_INTERVAL,
    SILENCE,
    Outbox,
)

KINDS = ("job", "mask.update", "state", "log")


def test_the_newest_of_a_state_is_sent_once():
    outbox = Outbox(8, KINDS)
    for _ in range(50):
        outbox.note("state")
    assert [p.kind for p in outbox.take(0.0)] == ["state"]
    assert outbox.take(10.0) == []


def test_one_kind_goes_out_at_most_every_interval():
    outbox = Outbox(8, KINDS)
    outbox.note("job")
    outbox.take(0.0)
    outbox.note("job")
    assert outbox.take(PUSH_INTERVAL / 2) == []
    assert outbox.due_in(PUSH_INTERVAL / 2) == PUSH_INTERVAL / 2
    assert [p.kind for p in outbox.take(PUSH_INTERVAL)] == ["job"]


def test_masks_of_many_frames_travel_in_batches():
    outbox = Outbox(8, KINDS)
    outbox.note("mask.update", range(ITEMS_PER_PUSH + 10))
    outbox.note("mask.update", [0, 1])
    assert outbox.take(0.0)[0].subject == list(range(ITEMS_PER_PUSH))
    assert outbox.take(1.0)[0].subject == list(range(ITEMS_PER_PUSH, ITEMS_PER_PUSH + 10))


def test_old_log_lines_give_way_to_new_ones():
    outbox = Outbox(MAX_LOG * 3, KINDS)
    for i in range(MAX_LOG + 5):
        outbox.note_log({"message": str(i)})
    assert outbox.take(0.0)[0].subject == {"message": "5"}


def test_a_full_window_that_nobody_empties_is_silence():
    outbox = Outbox(1, KINDS)
    outbox.note("state")
    outbox.take(5.0)
    assert not outbox.silent(5.0 + SILENCE / 2)
    assert outbox.silent(5.0 + SILENCE)
    outbox.acknowledge(1)
    assert not outbox.silent(5.0 + 2 * SILENCE)


def test_an_acknowledgement_of_what_was_not_sent_gives_no_credit():
    outbox = Outbox(2, KINDS)
    outbox.note("state")
    outbox.take(0.0)
    outbox.acknowledge(99)
    assert outbox.credit == 1
    outbox.acknowledge(-5)
    assert outbox.credit == 1


notes = st.one_of(
    st.tuples(st.just("state"), st.none()),
    st.tuples(st.just("job"), st.none()),
    st.tuples(st.just("masks"), st.sets(st.integers(0, 200), min_size=1)),
    st.tuples(st.just("log"), st.integers()),
    st.tuples(st.just("ack"), st.integers(0, 60)),
    st.tuples(st.just("wait"), st.floats(0.0, 0.2)),
)


@given(steps=st.lists(notes, max_size=60), window=st.integers(1, 8))
def test_whatever_happens_the_window_holds_and_nothing_is_lost(steps, window):
    outbox, now, numbers = Outbox(window, KINDS), 0.0, []
    noted: set[int] = set()
    sent: set[int] = set()

    def take() -> None:
        for push in outbox.take(now):
            numbers.append(push.number)
            if push.kind == "mask.update":
                sent.update(push.subject)

    for what, value in steps:
        match what:
            case "state":
                outbox.note("state")
            case "job":
                outbox.note("job")
            case "masks":
                noted |= value
                outbox.note("mask.update", value)
            case "log":
                outbox.note_log({"message": str(value)})
            case "ack":
                outbox.acknowledge(value)
            case "wait":
                now += value
        take()
        assert 0 <= outbox.credit <= window
    while outbox.acknowledged < outbox.sent or outbox.due_in(now) is not None:
        outbox.acknowledge(outbox.sent)
        now += 1.0
        take()
    assert numbers == list(range(1, len(numbers) + 1))
    assert sent == noted

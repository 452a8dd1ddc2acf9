"""A pass as a page drives it: beside the person's work, paused, given up, begun again."""

from __future__ import annotations

import numpy as np
import pytest
from fake_page import N_FRAMES, square
from small_engines import PATIENCE, gate

# Propagation ----------------------------------------------------------------------------


def test_a_pass_yields_to_the_person_between_two_frames(outlined, propagator):
    propagator.gate = gate()
    outlined.ask("job.start", job="propagate")
    propagator.let_pass(1)
    preview = outlined.post("prompt.preview", frame=0, object=1, clicks=[[9, 9, 1]])
    propagator.gate.release()
    assert outlined.reply(preview)[0]["ok"]
    propagator.gate.release(N_FRAMES)
    outlined.wait_for_job("idle")


def test_cancel_stops_within_one_frame_and_the_rest_can_be_resumed(outlined, propagator, session):
    propagator.gate = gate()
    assert outlined.ask("job.start", job="propagate")["started"] is True
    propagator.let_pass(4)
    assert outlined.ask("job.cancel")["cancelled"] is True
    again = outlined.post("job.cancel")
    propagator.gate.release()
    job = outlined.wait_for_job("idle")
    assert outlined.reply(again)[0]["cancelled"] is False
    assert job["message"] == "stopped; 6 frames wait for a pass"
    assert session.stale == set(range(6, N_FRAMES))
    assert outlined.ask("job.cancel")["cancelled"] is False
    propagator.gate.release(N_FRAMES)
    assert outlined.ask("job.start", job="propagate")["started"] is True
    outlined.wait_for_job("idle", message="every mask is up to date")
    assert outlined.ask("job.start", job="propagate")["started"] is False


def test_a_commit_during_a_pass_is_kept_and_the_pass_begins_again(outlined, propagator, session):
    propagator.gate = gate()
    outlined.ask("job.start", job="propagate")
    propagator.let_pass(3)
    moved = square(30, 20)
    commit = outlined.commit(11, moved)
    propagator.gate.release()
    assert outlined.reply(commit)[0]["saved"] is True
    propagator.gate.release(2 * N_FRAMES)
    outlined.wait_for_job("idle", message="every mask is up to date")
    assert not session.stale
    np.testing.assert_array_equal(session.masks[9], moved)
    np.testing.assert_array_equal(session.masks[2], square())
    assert len(propagator.started) == 2


def test_undo_during_a_pass_leaves_no_mask_of_what_was_undone(outlined, propagator, session):
    propagator.gate = gate()
    outlined.ask("job.start", job="propagate")
    propagator.let_pass(3)
    undo = outlined.post("history.undo")
    propagator.gate.release(N_FRAMES)
    assert outlined.reply(undo)[0]["label"] == "mask on frame 0"
    outlined.wait_for_job("idle")
    assert not session.masks.array().any()


def test_corrections_during_a_pass_all_arrive_in_their_order(outlined, propagator, session):
    propagator.gate = gate()
    outlined.ask("job.start", job="propagate")
    propagator.let_pass(2)
    commits = [outlined.commit(frame, square(3 * frame, 4)) for frame in (11, 5, 8, 5)]
    propagator.gate.release(10 * N_FRAMES)
    assert all(outlined.reply(commit)[0]["saved"] for commit in commits)
    outlined.wait_for_job("idle", message="every mask is up to date")
    assert [r.frames[0] for r in session.rounds] == [0, 11, 5, 8, 5]
    for frame, source in ((5, 5), (6, 5), (8, 8), (10, 11), (11, 11)):
        np.testing.assert_array_equal(session.masks[frame], square(3 * source, 4))


def test_a_pass_over_a_range_leaves_the_rest_waiting(outlined, propagator, session):
    assert outlined.ask("job.start", job="propagate", frames=[4, 7])["started"] is True
    job = outlined.wait_for_job("idle", message="done; 7 frames wait for a pass")
    assert job["phase"] == "idle"
    assert propagator.started == [[4, 5, 6, 7]]
    assert session.stale == {1, 2, 3, 8, 9, 10, 11}
    assert outlined.ask("job.start", job="propagate", frames=[4, 7])["started"] is False
    assert outlined.error("job.start", job="propagate", frames=[7, 4])["code"] == "invalid"
    assert outlined.error("job.start", job="propagate", frames=[0, 99])["code"] == "invalid"


def test_a_wider_pass_takes_the_running_one_in(outlined, propagator, session):
    propagator.gate = gate()
    outlined.ask("job.start", job="propagate", frames=[4, 7])
    propagator.let_pass(1)
    wider = outlined.post("job.start", job="propagate", frames=None)
    propagator.gate.release(2 * N_FRAMES)
    assert outlined.reply(wider)[0]["started"] is True
    outlined.wait_for_job("idle", message="every mask is up to date")
    assert not session.stale


def test_a_paused_pass_waits_and_goes_on_where_it_was(outlined, propagator, session):
    propagator.gate = gate()
    outlined.ask("job.start", job="propagate")
    propagator.let_pass(3)
    assert outlined.ask("job.pause")["paused"] is True
    propagator.gate.release(N_FRAMES)
    assert outlined.wait_for_job("paused", done=4)["remaining_seconds"] is not None
    outlined.ask("prompt.preview", frame=0, object=1, clicks=[[9, 9, 1]])
    assert session.stale == set(range(5, N_FRAMES))
    assert outlined.ask("job.pause")["paused"] is False
    assert outlined.ask("job.resume")["resumed"] is True
    outlined.wait_for_job("idle", message="every mask is up to date")
    assert len(propagator.started) == 1, "nothing was done twice"
    assert outlined.ask("job.resume")["resumed"] is False


def test_a_correction_while_paused_is_in_the_pass_that_goes_on(outlined, propagator, session):
    propagator.gate = gate()
    outlined.ask("job.start", job="propagate")
    propagator.let_pass(3)
    outlined.ask("job.pause")
    propagator.gate.release(10 * N_FRAMES)
    moved = square(30, 20)
    outlined.reply(outlined.commit(11, moved))
    outlined.ask("job.resume")
    outlined.wait_for_job("idle", message="every mask is up to date")
    np.testing.assert_array_equal(session.masks[9], moved)


def test_a_paused_pass_can_be_stopped(outlined, propagator, session):
    propagator.gate = gate()
    outlined.ask("job.start", job="propagate")
    propagator.let_pass(3)
    outlined.ask("job.pause")
    propagator.gate.release(N_FRAMES)
    assert outlined.ask("job.cancel")["cancelled"] is True
    outlined.wait_for_job("idle", message="stopped; 7 frames wait for a pass")
    outlined.ask("job.start", job="propagate")
    outlined.wait_for_job("idle", message="every mask is up to date")


@pytest.mark.parametrize("paused", [False, True])
def test_a_pass_that_is_stopped_before_its_first_step_ends(outlined, predictor, propagator, paused):
    predictor.gate = gate()
    clicked = {"frame": 0, "object": 1, "clicks": [[9, 9, 1]]}
    before = outlined.post("prompt.preview", **clicked)
    assert predictor.entered.wait(PATIENCE)
    started = outlined.post("job.start", job="propagate")
    after = outlined.post("prompt.preview", **clicked)
    predictor.gate.release()
    outlined.reply(before)
    outlined.reply(started)
    if paused:
        assert outlined.ask("job.pause")["paused"] is True
    assert outlined.ask("job.cancel")["cancelled"] is True
    predictor.gate.release()
    outlined.reply(after)
    outlined.wait_for_job("idle", message="stopped; 11 frames wait for a pass")
    assert propagator.started == []


def test_renaming_an_object_does_not_disturb_a_pass(outlined, propagator, session):
    propagator.gate = gate()
    outlined.ask("job.start", job="propagate")
    propagator.let_pass(3)
    rename = outlined.post("object.update", object=1, name="swan")
    propagator.gate.release(N_FRAMES)
    outlined.reply(rename)
    outlined.wait_for_job("idle", message="every mask is up to date")
    assert len(propagator.started) == 1


def test_a_pass_that_finds_its_session_closed_ends_without_an_error(outlined, controller, session):
    # As where another thread closes it, and the worker has not heard of it yet.
    controller._let_go()
    session.close()
    assert outlined.ask("job.start", job="propagate")["started"] is True
    outlined.wait_for_job("idle", message="stopped; run the cell again to go on")
    assert not [line for line in outlined.of_kind("log") if line["level"] == "error"]

"""Annotating a frame as a Markov decision process: the paper's reward, and tables that are true."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from evavos_widget.environments import ANNOTATION
from evavos_widget.environments.annotation import AnnotationEnv
from evavos_widget.environments.outcomes import Recorded, Tried, joined
from evavos_widget.environments.whatif import asked, tried
from evavos_widget.metrics import j_and_f
from evavos_widget.networks.observation import observation
from evavos_widget.robot.annotator import RobotAnnotator
from evavos_widget.session import Session
from evavos_widget.testing.scenes import Scene
from evavos_widget.testing.stand_ins import Disks, NearestCopy
from tests.small_records import outcomes


@pytest.fixture
def scene():
    """A session with two objects, one small, both propagated from the first frame."""
    scene = Scene()
    session = Session(scene.video, propagator=NearestCopy(), predictor=Disks(), path=None)
    for obj in (1, 2):
        assert session.add_object() == obj
    session.annotate(0, scene.labels[0], objects=[1, 2])
    session.propagate()
    return session, dict(enumerate(scene.labels))


@pytest.fixture
def frames(scene):
    session, truth = scene
    return Tried(session, truth, [(3, 1), (5, 2)], ("clicks", "mask", "box"))


def test_it_is_an_environment(frames):
    check_env(AnnotationEnv(frames), skip_render_check=True)
    check_env(AnnotationEnv(Recorded.of(frames)), skip_render_check=True)


def test_it_is_made_by_its_name(frames):
    env = gymnasium.make(ANNOTATION, outcomes=frames, steps=2)
    seen, _ = env.reset(seed=3)
    again, _ = env.reset(seed=3)
    np.testing.assert_array_equal(seen, again)


def test_the_reward_is_the_gain_over_the_cost_so_far():
    table = outcomes(np.random.default_rng(1))
    env = AnnotationEnv(table)
    env.reset(options={"case": 0})
    start, clicked, drawn = (table.qualities[i, 0] for i in range(3))
    _, first, over, _, _ = env.step(0)
    assert not over
    assert first == pytest.approx((clicked - start) / 5.5, rel=1e-5)
    _, second, over, _, info = env.step(1)
    assert over
    assert second == pytest.approx((drawn - clicked) / 85.5, rel=1e-5)
    assert info["seconds"] == 85.5
    with pytest.raises(RuntimeError, match="call reset"):
        env.step(0)


def test_released_rewards_are_those_of_the_authors_code():
    table = outcomes(np.random.default_rng(1))
    env = AnnotationEnv(table, released=True)
    env.reset(options={"case": 0})
    start, clicked, drawn = (table.qualities[i, 1] for i in range(3))
    assert env.step(0)[1] == pytest.approx((clicked - start) / 5.5, rel=1e-5)
    assert env.step(1)[1] == pytest.approx((drawn - start) / 85.5, rel=1e-5)


def test_an_invalid_action_gains_nothing_and_costs_its_time(frames):
    env = AnnotationEnv(frames, steps=2)
    env.reset(options={"case": 0})
    assert env.action_masks().tolist() == [True, True, False]  # disks take no box
    _, reward, over, cut_short, info = env.step(2)
    assert (reward, over, cut_short, info["seconds"]) == (0, False, False, 7)
    assert env.step(2)[2:4] == (True, False)  # the limit belongs to the task


def test_a_table_says_what_the_robot_would_do(frames):
    table = Recorded.of(frames)
    rng = np.random.default_rng(0)
    for case in range(2):
        for _ in range(5):
            envs = [AnnotationEnv(frames), AnnotationEnv(table)]
            for env in envs:
                env.reset(options={"case": case})
            over = False
            while not over:
                action = int(rng.integers(3))
                told = [env.step(action) for env in envs]
                (seen, reward, *ends, info), (other, again, *same, info_too) = told
                assert ends == same
                assert info == pytest.approx(info_too)
                assert reward == pytest.approx(again, rel=1e-5)
                np.testing.assert_allclose(seen, other, atol=0.05, rtol=2e-3)
                over = any(ends)


@pytest.mark.parametrize("kinds", [("clicks", "clicks"), ("clicks", "mask"), ("clicks",) * 3])
def test_a_table_has_what_a_loop_would_meet(kinds, scene):
    """The mask and its predicted quality, also where clicks follow clicks."""
    session, truth = scene
    outcomes, robot = Tried(session, truth, [(5, 1)]), RobotAnnotator(truth)
    node, seconds = outcomes.root(0), []
    for kind in kinds:
        node, cost = outcomes.step(node, outcomes.types.index(kind))
        seconds.append(cost)
    told, quality = outcomes.observation(node), outcomes.quality(node)
    frame, obj = outcomes.case(node)
    spent = session.seconds
    for kind in kinds:
        robot.answer(session, asked(session, frame, obj, kind))
        session.propagate()
    assert session.seconds - spent == pytest.approx(sum(seconds))
    np.testing.assert_array_equal(told, observation(session.state, frame, obj))
    mask, truth = session.masks[frame] == obj, outcomes.truth[frame] == obj
    assert quality[0] == pytest.approx(np.mean(j_and_f(mask, truth)))


def test_tables_are_joined(frames):
    small = Recorded.of(frames, steps=1)
    both = joined([small, small])
    assert len(both) == 4
    for case in range(2):
        node, again = both.root(case), both.root(case + 2)
        assert again == node + len(small.qualities)
        assert both.quality(both.step(again, 1)[0]) == both.quality(both.step(node, 1)[0])
    other = Recorded.of(Tried(frames.session, frames.truth, [(3, 1)], ("clicks",)))
    with pytest.raises(ValueError, match="types"):
        joined([small, other])


def test_trying_does_not_change_the_session(scene):
    session, truth = scene
    before = session.masks
    cases = Tried(session, truth, [(3, 1), (5, 2)])
    Recorded.of(cases)
    assert session.masks is before
    with tried(session, RobotAnnotator(truth), 5, 2, "mask") as after:
        np.testing.assert_array_equal(after.masks[5] == 2, truth[5] == 2)
        assert after.seconds == 80 + 80 + 80
    assert session.masks == before
    assert session.seconds == 160
    assert not session.stale


def test_frames_without_the_object_are_refused(scene):
    session, truth = scene
    with pytest.raises(ValueError, match="object 9 on frame 3"):
        Tried(session, truth, [(3, 9)])

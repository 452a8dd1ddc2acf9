"""The agents learn what there is to learn, go on after a kill, and refuse what is not theirs."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.error import URLError

import numpy as np
import pytest
import torch

from evavos_widget import Session, embedded_clip, engines
from evavos_widget.checkpoints import WeightsError
from evavos_widget.cli import main
from evavos_widget.environments.outcomes import Recorded, joined
from evavos_widget.networks.agent_weights import read_agent
from evavos_widget.networks.joint import JointModel
from evavos_widget.networks.policy import load_policy
from evavos_widget.networks.qnet import QNet, load_qnet, quality_bin
from evavos_widget.testing import check_annotation_selector, check_frame_selector
from evavos_widget.training.agents import fit as fitting
from evavos_widget.training.agents import policy as learning
from evavos_widget.training.agents.evaluate import evaluate_agent
from evavos_widget.training.agents.ivosw import Steps, train_ivosw
from evavos_widget.training.agents.joint import Branches, train_joint
from evavos_widget.training.agents.policy import train_policy
from evavos_widget.training.agents.qnet import train_qnet
from evavos_widget.training.agents.records import held_out, read_records, record_file, write_record
from tests.small_records import record, records

LEARN = {
    "qnet": lambda out, **more: train_qnet(records(), out, **{"epochs": 4, **more}),
    "ivosw": lambda out, **more: train_ivosw(records(), out, **{"epochs": 3, **more}),
    "joint": lambda out, **more: train_joint(records(), out, **more),
    "policy": lambda out, **more: train_policy(records(), out, **{"steps": 2048, **more}),
}
FRAMES, TYPES = ("qnet", "ivosw", "joint"), ("policy", "joint")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A file of each agent."""
    folder = tmp_path_factory.mktemp("agents")
    return {
        agent: (learn(folder / agent), folder / agent / f"{agent}.safetensors")[1]
        for agent, learn in LEARN.items()
    }


@pytest.mark.parametrize("agent", FRAMES)
def test_frame_selectors_keep_their_promises(trained, agent):
    check_frame_selector(f"{agent}:{trained[agent]}")


@pytest.mark.parametrize("agent", TYPES)
def test_annotation_selectors_keep_their_promises(trained, agent):
    check_annotation_selector(f"{agent}:{trained[agent]}")


@pytest.mark.parametrize("agent", ["qnet", "ivosw", "policy"])
def test_what_training_measures_is_what_evaluation_measures(trained, agent):
    other = held_out(records())[1]
    told = evaluate_agent(agent, other, str(trained[agent]))
    noted = read_agent(agent, str(trained[agent])).about["held_out"]
    assert told == pytest.approx(noted, abs=0.02)  # weights are kept in half precision


@pytest.mark.parametrize("agent", LEARN)
def test_the_same_seed_gives_the_same_weights(trained, agent, tmp_path):
    LEARN[agent](tmp_path)
    _same(trained[agent], tmp_path / f"{agent}.safetensors")


def _same(one, other):
    a, b = (read_agent(p.stem, str(p)).arrays for p in (one, other))
    assert a.keys() == b.keys()
    for name, array in a.items():
        np.testing.assert_array_equal(array, b[name], err_msg=name)


@pytest.mark.parametrize("agent", ["qnet", "ivosw", "policy"])
def test_a_killed_run_goes_on_to_the_same_weights(trained, agent, tmp_path, monkeypatch):
    module = learning if agent == "policy" else fitting
    written = module.save_state

    def killed(*args, **state):
        written(*args, **state)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "save_state", killed)
    with pytest.raises(KeyboardInterrupt):
        LEARN[agent](tmp_path)
    monkeypatch.setattr(module, "save_state", written)
    LEARN[agent](tmp_path)
    _same(trained[agent], tmp_path / f"{agent}.safetensors")
    with pytest.raises(ValueError, match="seed 0, not 7"):
        LEARN[agent](tmp_path, seed=7)
    monkeypatch.setattr(f"{__name__}.records", lambda: [record(f"video-{i}", 1) for i in range(12)])
    with pytest.raises(ValueError, match="on other loops than these; give another --out"):
        LEARN[agent](tmp_path)


def test_qnet_stops_at_the_last_good_weights(tmp_path, monkeypatch):
    every, calls = len(held_out(records())[0]) * 24 // 64 + 1, []
    real = QNet.forward

    def fails_later(self, *seen):
        calls.append(self.training)
        broken = sum(calls) > every + 1
        return real(self, *seen) * (float("nan") if self.training and broken else 1)

    monkeypatch.setattr(QNet, "forward", fails_later)
    with pytest.warns(fitting.Stopped, match="epoch 2; training ended with the weights of epoch 1"):
        about = LEARN["qnet"](tmp_path)
    assert about["epoch"] == 1
    kept = read_agent("qnet", str(tmp_path / "qnet.safetensors")).arrays
    assert all(np.isfinite(array).all() for array in kept.values())


def test_the_policy_stops_at_the_last_good_weights(tmp_path, monkeypatch):
    real = learning.MaskablePPO.train

    def fails_later(self):
        real(self)
        if self.num_timesteps > learning.ROUND:
            with torch.no_grad():
                self.policy.action_net.weight.fill_(float("nan"))

    monkeypatch.setattr(learning.MaskablePPO, "train", fails_later)
    with pytest.warns(fitting.Stopped, match="that of round 1"):
        about = LEARN["policy"](tmp_path)
    assert about["round"] == 1
    load_policy(str(tmp_path / "policy.safetensors"))


def test_the_policy_learns_where_clicks_help(trained, tmp_path):
    about = train_policy(records(), tmp_path, steps=6144, qnet=str(trained["qnet"]))
    told = about["held_out"]
    assert told["return"] > max(told["return_clicks_only"], told["return_mask_only"])


def test_the_policy_has_the_encoders_of_the_qnet_that_it_is_given(trained, tmp_path):
    for name, weights in (("shipped", ""), ("given", str(trained["qnet"]))):
        LEARN["policy"](tmp_path / name, qnet=weights)
        policy = load_policy(str(tmp_path / name / "policy.safetensors"))
        expected = load_qnet(weights).encoders.state_dict()
        for key, value in policy.encoders.state_dict().items():
            torch.testing.assert_close(value, expected[key], atol=2e-3, rtol=2e-3)
    with pytest.raises(ValueError, match="on other loops than these; give another --out"):
        LEARN["policy"](tmp_path / "given")  # which went on from other encoders
    LEARN["policy"](tmp_path / "paper", preset="paper")
    free = load_policy(str(tmp_path / "paper" / "policy.safetensors")).encoders.state_dict()
    assert any(not torch.allclose(free[k].float(), expected[k].float(), atol=0.1) for k in free)


def test_a_qnet_of_another_preset_has_no_encoders_for_the_policy(tmp_path):
    from evavos_widget.networks.agent_weights import write_agent
    from evavos_widget.networks.encoders_of_pairs import as_arrays

    about = {"agent": "qnet", "preset": "paper", "bins": 20}
    write_agent(tmp_path / "qnet.safetensors", about, as_arrays(QNet("paper")))
    with pytest.raises(WeightsError, match="preset 'paper'"):
        LEARN["policy"](tmp_path / "policy", qnet=str(tmp_path / "qnet.safetensors"))


def test_joint_begins_with_what_brought_most_per_second(tmp_path):
    def records_with(after_clicks: float):
        for n, each in enumerate(records()):
            clicked = n % 2 == 1
            true = each.true.copy()
            true[0] = after_clicks if clicked else 0.8
            drawn = each.drawn.copy()
            drawn[0] = (each.trust[0] >= 0) & (not clicked)
            yield replace(each, true=true, drawn=drawn)

    for after_clicks, kind in ((0.6, "clicks"), (0.01, "mask")):
        train_joint(list(records_with(after_clicks)), tmp_path)
        selector = engines.create("annotation_selector", f"joint:{tmp_path}/joint.safetensors")
        assert selector._model.first == pytest.approx({"mask": 0.8, "clicks": after_clicks})
        clip = embedded_clip()
        with Session(clip.video, annotation_selector=selector, first="agent", path=None) as session:
            session.add_object()
            assert session.suggest().kind == kind


def test_joint_orders_frames_and_compares_types(tmp_path):
    """Where clicks repair bad masks and drawing repairs more, both are found out."""

    def record_of(n):
        each, rng = record(f"video-{n}", states=3), np.random.default_rng(n)
        t, f, k = each.branch_state, each.branch_frame, each.branch_kind
        lacks = 1 - each.predicted[t, f]
        gain = np.where(k == 1, 0.5, 0.2) * lacks + rng.normal(0, 0.01, len(t))
        return replace(each, branch_gain=np.stack([gain, gain], 1).astype(np.float32))

    every = [record_of(n) for n in range(12)]
    told = train_joint(every, tmp_path)["held_out"]
    model = JointModel(str(tmp_path / "joint.safetensors"))
    state = np.array([[0.4, 0.1, 0.5, 0.0], [-0.4, 0.1, 0.5, 0.0]])  # above and below the mean
    (good, bad), both = model.of(state, np.array([0.5, 0.2])), ("clicks", "mask")
    assert model.types == both
    assert (bad > good + 0.02).all()
    assert bad[1] > 1.5 * bad[0] > 0
    assert told["gain_per_minute_random"] < told["gain_per_minute"] <= told["gain_per_minute_best"]
    with pytest.raises(ValueError, match="branches of 1 videos; collect loops of two or more"):
        train_joint(every[:1], tmp_path)


def test_joint_is_measured_on_videos_that_it_did_not_learn_from(tmp_path):
    """What one video gained says nothing of how well it is told there."""
    branches = Branches(records())
    some = branches.video != "video-3"
    lines = branches.fitted(some)
    other = Branches([replace(r, branch_gain=r.branch_gain * 1) for r in records()])
    other.gain[~some] += 100
    for one, same in zip(lines, other.fitted(some), strict=True):
        np.testing.assert_array_equal(one, same)


def test_correlations_of_nothing_are_null_in_what_is_written(tmp_path, capsys):
    """Two branches of a type in a state have no order; JSON has no NaN."""
    loops, out = tmp_path / "loops", tmp_path / "out"
    loops.mkdir()
    for one in records():
        write_record(one, record_file(loops, one.about["video"], 1, 0))

    def strictly(text):
        return json.loads(text, parse_constant=pytest.fail)

    assert main(["train", "joint", "--data", str(loops), "--out", str(out)]) == 0
    told = strictly(capsys.readouterr().out)
    assert strictly((out / "joint.json").read_text())["held_out"] == told
    assert told["spearman_mask"] is None
    assert told["gain_per_minute"] > 0
    weights = str(out / "joint.safetensors")
    assert main(["train", "evaluate", "joint", "--data", str(loops), "--weights", weights]) == 0
    assert strictly(capsys.readouterr().out)["spearman_clicks"] is None


def test_bins_that_are_none_are_told(tmp_path):
    with pytest.raises(ValueError, match="bins is -1; give a whole number, 2 or more"):
        train_qnet([], tmp_path, bins=-1)


def test_weights_of_others_that_cannot_be_had_are_told_with_a_way_out(monkeypatch):
    def unreachable(**_):
        raise URLError("Name or service not known")

    monkeypatch.setattr("torchvision.models.resnet18", unreachable)
    with pytest.raises(OSError, match=r"ResNet-18 cannot be had \(.*not known.*; load them where"):
        QNet("paper", pretrained=True)


def test_bins_are_those_of_the_paper_and_of_the_code():
    quality = np.array([0.0, 0.049, 0.05, 0.051, 0.999, 1.0])
    assert quality_bin(quality).tolist() == [0, 0, 1, 1, 19, 19]
    assert quality_bin(quality, released=True).tolist() == [0, 0, 0, 1, 19, 19]


def test_other_weights_are_refused_in_a_sentence(trained, tmp_path):
    with pytest.raises(WeightsError, match=r"types \['clicks', 'mask'\], and here it is \['box'\]"):
        load_policy(str(trained["policy"]), ("box",))
    with pytest.raises(WeightsError, match="bins 20, and here it is 10"):
        load_qnet(str(trained["qnet"]), bins=10)
    with pytest.raises(WeightsError, match="are of 'joint', not of 'qnet'"):
        load_qnet(str(trained["joint"]))
    with pytest.raises(WeightsError, match="no weights at"):
        engines.create("frame_selector", f"qnet:{tmp_path / 'gone'}")
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(trained["ivosw"].read_bytes()[:1000])
    with pytest.raises(WeightsError, match="holds no agent"):
        engines.create("frame_selector", f"ivosw:{damaged}")


def test_another_encoder_is_refused_in_a_sentence(trained, monkeypatch):
    monkeypatch.setattr("evavos_widget.networks.policy.ENCODER", "another")
    with pytest.raises(
        WeightsError, match="encoder 'compact-free-keys-1', and here it is 'another'"
    ):
        load_policy(str(trained["policy"]))


def test_records_are_read_as_they_were_written(tmp_path):
    one = record("bear")
    write_record(one, record_file(tmp_path, "bear", 1, 0))
    (read,) = read_records(tmp_path)
    assert read.about["video"] == "bear"
    np.testing.assert_array_equal(read.masks, one.masks)
    np.testing.assert_array_equal(read.outcomes.nexts, one.outcomes.nexts)
    other = replace(one, about={**one.about, "propagator": "other"})
    write_record(other, record_file(tmp_path, "boat", 1, 0))
    with pytest.raises(ValueError, match="differ in propagator, other and p"):
        read_records(tmp_path)


def test_joint_leaves_out_a_scene_with_all_its_levels():
    levels = [record(f"train-{level}-0001", n) for n, level in enumerate(("easy", "hard"), 1)]
    assert set(Branches([*levels, record("bear", 3)]).video) == {"train-0001", "bear"}


def test_all_loops_of_a_video_are_on_one_side():
    sides = held_out([record(f"v{i}", seed) for i in range(20) for seed in range(2)])
    names = [{r.about["video"] for r in side} for side in sides]
    assert not names[0] & names[1]
    assert len(names[0]) + len(names[1]) == 20
    assert names[1]


def test_a_session_tells_under_which_terms_its_selectors_learned(trained):
    clip = embedded_clip()
    plain = {"propagator": "flow", "predictor": "classical", "path": None}
    with Session(clip.video, frame_selector="qnet", annotation_selector="policy", **plain) as ours:
        (notice,) = ours.notices
        assert "non-commercial" in notice
        assert "'farthest-in-time' and 'rule' were not trained" in notice
    with Session(clip.video, frame_selector=f"qnet:{trained['qnet']}", **plain) as own:
        assert own.notices == ()


def test_levels_of_one_crowd_scene_stay_on_one_side():
    for seed in range(40):
        names = [f"train-{level}-{seed:04d}" for level in ("easy", "middle", "hard")]
        sides = held_out([record(name) for name in names])
        assert sorted(map(len, sides)) == [0, 3]


def test_a_loop_in_which_no_frame_that_was_tried_shows_the_object(tmp_path):
    nothing = replace(record("gone"), outcomes=Recorded.empty(("clicks", "mask")))
    write_record(nothing, record_file(tmp_path, "gone", 1, 0))
    write_record(record("seen"), record_file(tmp_path, "seen", 1, 0))
    read = read_records(tmp_path)
    table = joined([each.outcomes for each in read])
    assert len(table) == len(record("seen").outcomes)
    assert table.qualities.tolist() == record("seen").outcomes.qualities.tolist()


def test_ivosw_hopes_for_nothing_that_nobody_tried():
    """What follows a drawn mask is looked for among the frames tried from the same state."""
    steps = Steps([record("one", states=1)])
    tried = set(steps.frame)
    assert [set(others) for others in steps.others] == [tried - {f} for f in steps.frame]
    assert sum(steps.reward) == pytest.approx(0, abs=1e-5)
    assert np.argmax(steps.reward) == np.argmax(steps.gain)

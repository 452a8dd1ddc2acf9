"""Simulated loops: what is written down is true, and depends on video, object and seed alone."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from evavos_widget.cli import main
from evavos_widget.datasets.annotated_video import AnnotatedVideo
from evavos_widget.datasets.davis import write_sequence
from evavos_widget.environments.outcomes import Recorded
from evavos_widget.testing.scenes import Scene
from evavos_widget.training.agents import collect as collecting
from evavos_widget.training.agents.collect import Simulation, collect
from evavos_widget.training.agents.records import read_records, write_record
from evavos_widget.training.agents.samples import FramesAndMasks

STAND_INS = "evavos_widget.testing.stand_ins"


@pytest.fixture
def simulation(tmp_path):
    scene = Scene(n_frames=8)
    video = AnnotatedVideo("scene", scene.video, dict(enumerate(scene.labels)))
    write_sequence(tmp_path / "data", video)
    return Simulation(
        tmp_path / "data",
        ("scene",),
        f"{STAND_INS}:NearestCopy",
        f"{STAND_INS}:Disks",
        rounds=2,
        candidates=2,
        longest=6,
        pictures=True,
    )


def test_a_run_that_was_killed_goes_on(simulation, tmp_path, monkeypatch):
    assert collect(simulation, tmp_path / "whole") == 2  # a loop for each object
    written = collecting.write_record

    def killed(record, path):
        written(record, path)
        raise KeyboardInterrupt

    monkeypatch.setattr(collecting, "write_record", killed)
    with pytest.raises(KeyboardInterrupt):
        collect(simulation, tmp_path / "parts")
    monkeypatch.setattr(collecting, "write_record", written)
    assert collect(simulation, tmp_path / "parts") == 1
    for one, other in zip(
        read_records(tmp_path / "whole"), read_records(tmp_path / "parts"), strict=True
    ):
        for name in ("masks", "predicted", "true", "branch_gain", "branch_after"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_a_folder_takes_loops_of_one_kind(simulation, tmp_path):
    simulation, out = replace(simulation, pictures=False), tmp_path / "out"
    collect(simulation, out)
    other = replace(simulation, predictor=f"{STAND_INS}:Rings", rounds=3, height=48)
    with pytest.raises(ValueError, match=r"with predictor \S+:Disks, rounds 2, height 240, not "):
        collect(other, out)
    assert len(read_records(out)) == 2
    for what, value in [("every", 2), ("candidates", 3), ("longest", 5), ("pictures", True)]:
        with pytest.raises(ValueError, match=f"not {what} {value}; give that, or another --out"):
            collect(replace(simulation, **{what: value}), out)
    # Of what a record of before does not know nothing is said.
    first = sorted(out.glob("*.npz"))[0]
    for path, record in zip(sorted(out.glob("*.npz")), read_records(out), strict=True):
        known = {k: v for k, v in record.about.items() if k not in simulation.options()}
        engines = {k: record.about[k] for k in ("types", "propagator", "predictor")}
        write_record(replace(record, about=known | engines), path)
    first.unlink()
    assert collect(replace(simulation, rounds=1), out) == 1
    assert {r.about.get("rounds") for r in read_records(out)} == {None, 1}


def test_a_file_that_another_run_is_writing_is_no_record(simulation, tmp_path):
    collect(simulation, tmp_path / "out")
    (tmp_path / "out" / ".scene-1-5.0123456789ab.new.npz").touch()
    assert collect(simulation, tmp_path / "out") == 0
    assert len(read_records(tmp_path / "out")) == 2


def test_another_seed_is_another_loop_beside_the_first(simulation, tmp_path):
    collect(replace(simulation, seeds=2), tmp_path / "both")
    for seed in (0, 1):
        collect(replace(simulation, seed=seed), tmp_path / "each")
    both, each = read_records(tmp_path / "both"), read_records(tmp_path / "each")
    assert [r.about["seed"] for r in both] == [0, 1, 0, 1]
    for one, other in zip(both, each, strict=True):
        assert one.about == other.about
        np.testing.assert_array_equal(one.branch_gain, other.branch_gain)
    assert len({r.branch_frame.tobytes() + r.masks.tobytes() for r in both}) == 4
    assert [r.about["seed"] for r in _collected(simulation, tmp_path / "seven", "7")] == [7, 7]


def _collected(simulation, out, seed):
    """By the command."""
    options = ["--data", str(simulation.data), "--out", str(out), "--seed", seed]
    engines = ["--propagator", simulation.propagator, "--predictor", simulation.predictor]
    small = ["--rounds", "1", "--candidates", "1", "--longest", "4"]
    assert main(["train", "collect", *options, *engines, *small]) == 0
    return read_records(out)


def test_loops_of_several_heights_are_not_learned_from_together(simulation, tmp_path):
    for height in (48, 64):
        collect(replace(simulation, rounds=1, height=height), tmp_path / str(height))
    with pytest.raises(ValueError, match="differ in height, 48 and 64; keep each in a folder"):
        read_records(tmp_path / "48", tmp_path / "64")


def test_whoever_collects_keeps_the_threads(simulation, tmp_path, monkeypatch):
    at_work = []
    simulate = collecting.simulate

    def seen(*args):
        at_work.append((torch.get_num_threads(), cv2.getNumThreads()))
        return simulate(*args)

    monkeypatch.setattr(collecting, "simulate", seen)
    before = torch.get_num_threads(), cv2.getNumThreads()
    try:
        torch.set_num_threads(3)
        cv2.setNumThreads(2)
        collect(simulation, tmp_path / "out")
        assert set(at_work) == {(1, 1)}
        assert (torch.get_num_threads(), cv2.getNumThreads()) == (3, 2)
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


@pytest.mark.parametrize("workers", [1, 2])
def test_only_loops_that_left_a_record_are_counted(simulation, tmp_path, workers):
    scene = Scene(n_frames=8)
    labels = [np.where(labels == 2, (f == 0) * 2, labels) for f, labels in enumerate(scene.labels)]
    video = AnnotatedVideo("scene", scene.video, dict(enumerate(labels)))
    write_sequence(tmp_path / "data", video)  # its second object is on a single frame
    assert collect(simulation, tmp_path / "out", workers) == 1
    assert len(read_records(tmp_path / "out")) == 1


def test_a_damaged_record_is_named(simulation, tmp_path):
    collect(simulation, tmp_path / "out")
    path = sorted((tmp_path / "out").glob("*.npz"))[-1]
    whole = path.read_bytes()
    for damage in (b"", b"garbage", whole[:3000], whole[:2000] + bytes(500) + whole[2500:]):
        path.write_bytes(damage)
        with pytest.raises(ValueError, match=f"{path.name} is no record of a loop, or is damaged"):
            read_records(tmp_path / "out")
    np.savez(path, masks=np.zeros(3))  # an export of masks
    with pytest.raises(ValueError, match=f"{path.name} is no record of a loop, or is damaged"):
        read_records(tmp_path / "out")


def test_what_is_written_is_true(simulation, tmp_path):
    collect(simulation, tmp_path / "out")
    for record in read_records(tmp_path / "out"):
        t, n = record.predicted.shape
        assert (t, n) == (3, 6)
        # A drawn mask leaves nothing to gain on its frame, and never lowers a copied video's sum.
        drawn = record.branch_kind == 1
        state, frame = record.branch_state[drawn], record.branch_frame[drawn]
        lacks = 1 - record.true[state, frame, 0]
        np.testing.assert_allclose(record.branch_gain[drawn, 1], lacks, atol=1e-5)
        assert set(record.branch_seconds[drawn]) == {80.0}
        # What is tried first is what the pass left.
        table: Recorded = record.outcomes
        before = {(round(float(q), 4)) for q in record.true[..., 0].ravel()}
        assert {round(float(q), 4) for q in table.qualities[table.roots, 0]} <= before
        assert (record.trust[0] >= 0).sum() == 1


def test_pictures_are_kept_for_paper_networks(simulation, tmp_path):
    collect(simulation, tmp_path / "out")
    records = read_records(tmp_path / "out")
    frames, masks = FramesAndMasks(records, "paper").arrays(np.array([0, 7]))
    assert frames.shape == masks.shape == (2, 3, 224, 224)
    assert set(np.unique(masks)) == {0.0, 1.0}
    vectors, _ = FramesAndMasks(records).arrays(np.array([0, 7]))
    np.testing.assert_allclose(vectors[1], records[0].frames[7 % 6].astype(np.float32))


def test_the_command_says_what_is_wrong(tmp_path, capsys):
    assert main(["train", "qnet", "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert "there is no record of a loop" in capsys.readouterr().err
    empty = ["train", "collect", "--data", str(tmp_path), "--sequences", "bear", "--out", "x"]
    assert main(empty) == 1
    assert "there is no folder" in capsys.readouterr().err
    for option, told in (("--seed", "0 or more"), ("--workers", "1 or more")):
        assert main([*empty, option, "-1"]) == 1
        assert f"{option} is -1; give a whole number, {told}" in capsys.readouterr().err

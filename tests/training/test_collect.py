"""Simulated loops: what is written down is true, and depends on video, object and seed alone."""

from __future__ import annotations

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
from evavos_widget.training.agents.records import read_records
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

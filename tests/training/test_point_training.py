"""Training on points: what has a gradient, what the losses are, what a killed run leaves."""

from __future__ import annotations

import csv
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image
from small_weights import write_small_weights

from evavos_widget import cli
from evavos_widget.checkpoints import WeightsError
from evavos_widget.datasets.annotated_video import AnnotatedVideo
from evavos_widget.datasets.davis import write_sequence
from evavos_widget.datasets.point_sets import (
    frame_files,
    points_told,
    simulated_set,
    write_pseudo_masks,
)
from evavos_widget.formats import pointvos
from evavos_widget.networks.discs import point_discs
from evavos_widget.networks.stcn import STCN
from evavos_widget.networks.stcn_weights import load_stcn
from evavos_widget.testing import Disks
from evavos_widget.testing.scenes import Scene
from evavos_widget.training import compact, stcn
from evavos_widget.training.clips import _moved, _view, _window, points_clip
from evavos_widget.training.losses import (
    huberised_cross_entropy,
    point_loss,
    pseudo_mask_loss,
)
from evavos_widget.training.point_objective import _right
from evavos_widget.training.point_samples import PointLabelledSamples
from evavos_widget.training.sources import point_shots, pseudo_mask_shots


def test_an_unlabelled_pixel_has_no_gradient() -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, 1, 6, 8, requires_grad=True)
    points = torch.tensor([[[1, 2, 1], [5, 7, -1], [0, 0, 0]], [[3, 3, -1], [0, 0, 0], [0, 0, 0]]])
    loss = point_loss(logits, points)
    x = logits.detach()
    expected = [
        (math.log1p(math.exp(-x[0, 0, 1, 2])) + math.log1p(math.exp(x[0, 0, 5, 7]))) / 2,
        math.log1p(math.exp(x[1, 0, 3, 3])),
    ]
    assert loss.tolist() == pytest.approx(expected, rel=1e-5)
    loss.sum().backward()
    assert logits.grad is not None
    touched = {tuple(i) for i in logits.grad.nonzero().tolist()}
    assert touched == {(0, 0, 1, 2), (0, 0, 5, 7), (1, 0, 3, 3)}


def test_a_sample_without_points_costs_nothing() -> None:
    logits = torch.randn(1, 1, 4, 4, requires_grad=True)
    loss = point_loss(logits, torch.zeros(1, 3, 3, dtype=torch.int64))
    loss.sum().backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize("tau", [1.5, 2.0, 10.0])
def test_the_huberised_loss_is_its_closed_form_and_smooth_at_tau(tau: float) -> None:
    p = torch.linspace(1e-4, 1 - 1e-4, 2001, dtype=torch.float64)
    ours = huberised_cross_entropy(p.logit(), torch.ones_like(p), tau).double()
    closed = torch.where(p <= 1 / tau, -tau * p + math.log(tau) + 1, -p.log())
    assert torch.allclose(ours, closed, atol=1e-5)
    # The other label is the mirror image.
    other = huberised_cross_entropy(-p.logit(), torch.zeros_like(p), tau).double()
    assert torch.allclose(other, closed, atol=1e-5)
    # Value and slope are the same on both sides of 1 / tau.
    border = math.log((1 / tau) / (1 - 1 / tau))
    sides = []
    for x in (border - 1e-3, border + 1e-3):
        logit = torch.tensor([x], requires_grad=True)
        loss = huberised_cross_entropy(logit, torch.ones(1), tau)
        loss.backward()
        assert logit.grad is not None
        sides.append((loss.item(), logit.grad.item()))
    assert sides[0] == pytest.approx(sides[1], abs=2e-3)
    assert sides[0][0] == pytest.approx(math.log(tau), abs=2e-3)


def test_with_tau_infinite_it_is_the_cross_entropy_and_below_it_a_wrong_label_pulls_less() -> None:
    x, y = torch.randn(50), torch.rand(50)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(x, y, reduction="none")
    assert torch.allclose(huberised_cross_entropy(x, y, math.inf), expected, atol=1e-6)
    pulls = []
    for tau in (2.0, math.inf):
        logit = torch.tensor([-8.0], requires_grad=True)
        huberised_cross_entropy(logit, torch.ones(1), tau).backward()
        assert logit.grad is not None
        pulls.append(abs(logit.grad.item()))
    assert pulls[0] < 0.01 < 0.9 < pulls[1]
    with pytest.raises(ValueError, match="more than 1"):
        huberised_cross_entropy(x, y, 1.0)


def test_the_loss_of_pseudo_masks_is_lowest_at_them() -> None:
    truth = torch.zeros(1, 1, 8, 8)
    truth[..., 2:5, 2:5] = 1
    right = (truth * 2 - 1) * 9
    assert pseudo_mask_loss(right, truth).item() < 0.05 < pseudo_mask_loss(-right, truth).item()


def test_points_on_every_pixel_are_the_mask_and_a_few_are_discs() -> None:
    random = np.random.default_rng(0)
    mask = random.random((20, 30)) < 0.4
    rows, columns = np.indices(mask.shape).reshape(2, -1)
    points = np.stack([rows, columns, np.where(mask, 1, -1).ravel()], 1)
    assert np.array_equal(point_discs(points, mask.shape, 5.0), mask)
    one = point_discs(np.array([[10, 10, 1]]), (20, 30), 3.0)
    away = (np.arange(20)[:, None] - 10) ** 2 + (np.arange(30) - 10) ** 2
    assert np.array_equal(one, away <= 9)
    # A point beside it takes its half.
    both = point_discs(np.array([[10, 10, 1], [10, 12, -1]]), (20, 30), 3.0)
    assert both[10, 10] == 1
    assert not both[:, 12:].any()
    assert not point_discs(np.zeros((0, 3)), (4, 4), 3.0).any()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DAVIS's layout with two objects that look alike in parts, and points on them."""
    root = tmp_path_factory.mktemp("data")
    scene = Scene(8, 96, 128, (1, 2))
    truth = dict(enumerate(scene.labels))
    write_sequence(root / "davis16", AnnotatedVideo("two", scene.video, truth))
    for kind in ("JPEGImages", "Annotations"):
        (root / "davis16" / kind / "480p").mkdir()
        (root / "davis16" / kind / "two").rename(root / "davis16" / kind / "480p" / "two")
    (root / "davis16" / "ImageSets").mkdir()
    (root / "davis16" / "ImageSets" / "train.txt").write_text("two\n")
    found = list(simulated_set(root / "davis16", ["two"], n=6, background=6, frames=4))
    pointvos.write(found, root / "points.jsonl")
    write_pseudo_masks(root / "davis16", found, Disks(), root / "pseudo", lambda line: None)
    return root


def test_simulated_points_are_right_and_are_all_that_training_sees(data: Path) -> None:
    scene = Scene(8, 96, 128, (1, 2))
    shots = point_shots(data / "davis16", data / "points.jsonl")
    assert len(shots) == 2
    for obj, shot in enumerate(shots, 1):
        assert len(shot.frames) == 4
        for file, points in zip(shot.frames, shot.points, strict=True):
            labels = scene.labels[int(file.stem)]
            for row, column, sign in points.astype(int):
                assert (labels[row, column] == obj) == (sign > 0)
    # Nothing reads a mask: they may as well be gone.
    masks = data / "davis16" / "Annotations"
    masks.rename(data / "gone")
    try:
        sample = PointLabelledSamples(shots, 3, 64, 3.0)[0, 1.0]
    finally:
        (data / "gone").rename(masks)
    assert set(sample) == {"frames", "labelled", "given", "pointed"}
    assert (sample["labelled"][..., 2] != 0).any()


def test_points_move_with_their_picture(data: Path) -> None:
    shots = point_shots(data / "davis16", data / "points.jsonl")
    seen = 0
    for seed in range(12):
        random = np.random.default_rng(seed)
        picture, points = shots[0].read(0)
        labels = np.zeros(picture.shape[:2], np.uint8)
        on_object = points[points[:, 2] > 0].astype(int)
        labels[tuple(on_object[:, :2].T)] = 1
        pose = _window(labels, random, 96)
        # A patch around a point is where the point is said to be.
        for point in on_object:
            patch = np.zeros_like(labels)
            patch[max(point[0] - 2, 0) : point[0] + 3, max(point[1] - 2, 0) : point[1] + 3] = 1
            for mirrored in (False, True):
                shown = _view(picture, patch, pose, 96, mirrored)[1]
                for row, column, _ in _moved(point[None].astype(float), pose, 96, mirrored):
                    assert shown[int(row), int(column)] == 1
                    seen += 1
    assert seen > 50
    frames, told = points_clip(shots[0], np.random.default_rng(0), 3, 96, 25)
    assert frames.shape == (3, 96, 96, 3)
    assert len(told) == 3


def test_pseudo_masks_belong_to_their_object_and_frame(data: Path) -> None:
    shots = pseudo_mask_shots(data / "davis16", data / "points.jsonl", data / "pseudo")
    assert len(shots) == 2
    for shot in shots:
        assert [p.stem for p in shot.frames] == [p.stem for p in shot.masks]
        assert shot.read(0)[1].any()
    with pytest.raises(ValueError, match="pseudo-masks"):
        pseudo_mask_shots(data / "davis16", data / "points.jsonl", data / "nothing")


def test_frames_come_in_their_order_however_they_are_numbered(tmp_path: Path) -> None:
    """Neighbours in the list are neighbours in time, from which clips are taken."""
    root, names = tmp_path / "davis", [str(i) for i in range(1, 13)]  # 10 would sort before 2
    picture, mask = np.full((40, 60, 3), 90, np.uint8), np.zeros((40, 60), np.uint8)
    mask[10:30, 10:40] = 1
    for folder, what in (("JPEGImages", picture), ("Annotations", mask)):
        (root / folder / "v").mkdir(parents=True)
        for name in names:
            Image.fromarray(what).save(root / folder / "v" / f"{name}.png")
    points = root / "points.jsonl"
    pointvos.write(simulated_set(root, ["v"], n=2, background=2, frames=None), points)
    (shot,) = point_shots(root, points)
    assert [p.stem for p in shot.frames] == names
    objects = pointvos.read(points)
    write_pseudo_masks(root, objects, Disks(), root / "pseudo", lambda line: None)
    (masks,) = pseudo_mask_shots(root, points, root / "pseudo")
    assert [p.stem for p in masks.frames] == [p.stem for p in masks.masks] == names


def test_the_command_line_makes_points_and_pseudo_masks(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    davis, points = str(data / "davis16"), tmp_path / "sets" / "points.jsonl"
    command = ["pointvos", "simulate", "--data", davis, "--sequences", "two", "--n", "3"]
    assert cli.main([*command, "--label-frames", "0", "--out", str(points)]) == 0
    for option in ("--label-frames", "--seed"):
        assert cli.main([*command, option, "-1", "--out", str(tmp_path / "none")]) == 1
        told = capsys.readouterr().err
        assert told == f"evavos: {option} is -1; give a whole number, 0 or more.\n"
    found = list(pointvos.read(points))
    assert [len({p.frame_id for p in of.points}) for of in found] == [8, 8]
    for of in found:
        for name in {p.frame_id for p in of.points}:
            labels = [p.status for p in of.points if p.frame_id == name]
            assert 1 <= labels.count("ACCEPTED") <= 3
            assert labels.count("REJECTED") >= 3
    command = ["pointvos", "pseudo-masks", "--data", davis, "--points", str(points)]
    predictor = ["--predictor", "evavos_widget.testing:Disks"]
    assert cli.main([*command, *predictor, "--out", str(tmp_path / "masks")]) == 0
    assert len(list((tmp_path / "masks").glob("*/*.png"))) == 16
    assert cli.main([*command, *predictor, "--out", str(tmp_path / "masks")]) == 1


def test_a_video_may_be_called_with_its_split_and_no_key_leads_elsewhere(
    data: Path, tmp_path: Path
) -> None:
    root = data / "davis16"
    first, second = pointvos.read(data / "points.jsonl")
    named = replace(first, video_name="train/two")
    assert write_pseudo_masks(root, [named], Disks(), tmp_path / "a", lambda line: None) == 4
    assert frame_files(root, "train/two") == frame_files(root, "two")
    strange = replace(second, question_hash="../outside")
    with pytest.raises(ValueError, match=r"'\.\./outside' cannot be the name"):
        write_pseudo_masks(root, [strange], Disks(), tmp_path / "b" / "c", lambda line: None)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(("x", "y"), [(128, 5), (5, 96)])
def test_a_point_outside_its_picture_is_named(data: Path, tmp_path: Path, x: int, y: int) -> None:
    root = data / "davis16"
    first, _ = pointvos.read(data / "points.jsonl")
    wrong = replace(first, points=(*first.points, replace(first.points[0], x=x, y=y)))
    said = rf"\({x}, {y}\).*outside the 128 x 96 picture .*00000\.jpg; give the frames"
    with pytest.raises(ValueError, match=said):
        write_pseudo_masks(root, [wrong], Disks(), tmp_path / "masks", lambda line: None)
    assert not (tmp_path / "masks").exists()
    pointvos.write([wrong], tmp_path / "wrong.jsonl")
    with pytest.raises(ValueError, match=said):
        point_shots(root, tmp_path / "wrong.jsonl")


def test_of_a_picture_that_is_turned_the_points_are_upright(tmp_path: Path) -> None:
    (tmp_path / "JPEGImages" / "a").mkdir(parents=True)
    turned = Image.Exif()
    turned[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (40, 20)).save(tmp_path / "JPEGImages" / "a" / "0.jpg", exif=turned)
    point = pointvos.PointRecord(10, 39, "0", "ACCEPTED", True)
    of = pointvos.PointObject("0" * 32, "", "dog", "a", (point,))
    assert [*points_told(tmp_path, of).values()] == [[point]]
    with pytest.raises(ValueError, match="outside the 20 x 40 picture"):
        points_told(tmp_path, replace(of, points=(replace(point, x=39, y=10),)))


def test_objects_without_a_video_or_without_its_frames_are_passed_over(
    data: Path, tmp_path: Path
) -> None:
    root = data / "davis16"
    first, second = pointvos.read(data / "points.jsonl")
    nowhere = replace(first, video_name=None)
    strange = replace(
        first,
        question_hash="1" * 32,
        points=tuple(replace(p, frame_id=f"{p.frame_id}.jpg") for p in first.points),
    )
    told: list[str] = []
    objects = [nowhere, strange, second]
    assert write_pseudo_masks(root, objects, Disks(), tmp_path / "masks", told.append) == 4
    assert [path.name for path in (tmp_path / "masks").iterdir()] == [second.question_hash]
    assert f"{first.question_hash} of None: no point on a frame" in told[0]
    assert f"{'1' * 32} of two: no point on a frame" in told[1]
    pointvos.write(objects, tmp_path / "p.jsonl")
    assert len(point_shots(root, tmp_path / "p.jsonl")) == 1
    with pytest.raises(ValueError, match="none of the points is on an object"):
        write_pseudo_masks(root, [nowhere, strange], Disks(), tmp_path / "none", told.append)
    assert len(pseudo_mask_shots(root, tmp_path / "p.jsonl", tmp_path / "masks")) == 1


@pytest.mark.parametrize(
    ("labels", "share"), [([1, 0, 0], 0.0), ([-1, 0, 0], 1.0), ([1, 1, -1], 1 / 3), ([0, 0, 0], 1)]
)
def test_the_logged_share_of_points_is_what_it_says(labels: list[int], share: float) -> None:
    points = torch.tensor([[[0, 0, label] for label in labels]])
    assert float(_right(-torch.ones(1, 1, 4, 4), points)) == pytest.approx(share)


OPTIONS = ["--side", "64", "--batch", "2", "--frames", "3", "--precision", "32-true"]


def given(data: Path, supervision: str) -> list[str]:
    options = ["--data", str(data), "--supervision", supervision, *OPTIONS]
    if supervision == "masks":
        return [*options, "--clips", "video"]
    options += ["--points", str(data / "points.jsonl")]
    return options + (["--pseudo-masks", str(data / "pseudo")] if supervision == "pseudo" else [])


@pytest.mark.parametrize("supervision", ["masks", "points", "pseudo"])
def test_every_supervision_trains_and_leaves_weights(
    data: Path, supervision: str, tmp_path: Path
) -> None:
    weights = write_small_weights(tmp_path)
    command = [*given(data, supervision), "--out", str(tmp_path / "out"), "--init", str(weights)]
    assert compact.main([*command, "--steps", "2"]) == 0
    assert list((tmp_path / "out").glob("compact-*.safetensors"))
    with (tmp_path / "out" / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["1", "2"]
    assert all(np.isfinite(float(row["loss"])) for row in rows)


def test_a_run_that_is_killed_goes_on_to_the_same_weights(data: Path, tmp_path: Path) -> None:
    weights = write_small_weights(tmp_path)
    common = [*given(data, "points"), "--init", str(weights), "--steps", "6"]
    assert compact.main([*common, "--out", str(tmp_path / "whole")]) == 0
    command = [*common, "--out", str(tmp_path / "killed"), "--checkpoint-minutes", "0"]
    running = subprocess.Popen(
        [sys.executable, "-m", "evavos_widget", "train", "compact", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            # Sums are added up in another order on another number of threads.
            "OMP_NUM_THREADS": str(torch.get_num_threads()),
        },
    )
    state = tmp_path / "killed" / "state.pt"
    try:
        until = time.monotonic() + 300
        while not state.exists() and running.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert torch.load(state, weights_only=True)["step"] < 6
    assert compact.main([*command, "--resume"]) == 0
    whole, resumed = (
        torch.load(tmp_path / name / "state.pt", weights_only=True) for name in ("whole", "killed")
    )
    assert whole["step"] == resumed["step"] == 6
    for name in ("network", "average"):
        for key, value in whole[name].items():
            assert torch.equal(value, resumed[name][key]), key


def test_a_run_goes_on_with_the_options_it_began_with(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights, out = write_small_weights(tmp_path), tmp_path / "out"
    command = [*given(data, "points"), "--init", str(weights), "--out", str(out), "--resume"]
    assert compact.main([*command, "--steps", "1"]) == 0
    told = capsys.readouterr()
    assert told.out == f"the weights are in {out}/compact-0000.safetensors\n"
    assert f"{out} holds no state.pt to go on from" in told.err
    assert compact.main([*command, "--steps", "2", "--seed", "5", "--tau", "3"]) == 1
    assert "a run with --seed 0, --tau 10.0, not --seed 5, --tau 3.0" in capsys.readouterr().err
    state = torch.load(out / "state.pt", weights_only=True)
    assert state["step"] == 1
    more = ["--steps", "2", "--workers", "1", "--checkpoint-minutes", "3"]
    assert compact.main([*command, *more]) == 0
    # A file of before tells nothing of its options.
    del state["options"]
    torch.save(state, out / "state.pt")
    assert compact.main([*command, "--steps", "2", "--seed", "5"]) == 0
    assert torch.load(out / "state.pt", weights_only=True)["options"]["seed"] == 5


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--supervision points", "--points"),
        ("--supervision pseudo --points {data}/points.jsonl", "--pseudo-masks"),
        ("--supervision points --points {data}/points.jsonl --frames 9", "fewer frames per clip"),
    ],
)
def test_a_command_says_what_it_lacks(
    options: str, told: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--data", str(data), "--init", str(write_small_weights(tmp_path)), "--steps", "1"]
    more = [part.format(data=data) for part in options.split()]
    assert compact.main([*command, *more, "--out", str(tmp_path / "out")]) == 1
    assert told in capsys.readouterr().err


def test_point_stcn_trains_and_its_weights_are_stcn_weights(data: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    run = stcn.stcn_run(STCN(), 1e-4)
    before = {k: v.clone() for k, v in run.network.state_dict().items()}
    shots = point_shots(data / "davis16", data / "points.jsonl")
    sample = PointLabelledSamples(shots, 3, 64, 2.5)[1, 1.0]
    batch = {k: torch.from_numpy(np.asarray(v))[None] for k, v in sample.items()}
    run.train()
    result = run.objective(batch, 1.0, np.random.default_rng(0))
    result["loss"].backward()
    run.optimizer.step()
    for name, parameter in run.network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
    for name, value in run.network.state_dict().items():
        if "running" in name:  # statistics stay
            assert torch.equal(value, before[name]), name
    run.write(run.network, tmp_path / "stcn-points.pth", {})
    for name, value in load_stcn(tmp_path / "stcn-points.pth").state_dict().items():
        assert torch.equal(value, run.network.state_dict()[name]), name
    (tmp_path / "bad.pth").write_bytes(b"no")
    with pytest.raises(WeightsError):
        load_stcn(tmp_path / "bad.pth")

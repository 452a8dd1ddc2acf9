from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from evavos_widget.networks.compact import CompactNet
from evavos_widget.networks.dynamite import BACKGROUND, NOBODY, Clicks, of_owners
from evavos_widget.networks.dynamite_compact import (
    SIZES,
    CompactDynamite,
    load_compact,
    save_compact,
)
from evavos_widget.training.dynamite import (
    DynamiteObjective,
    _first_clicks,
    _next_click,
    dynamite_run,
    several_loss,
)
from evavos_widget.training.run import Run, train
from evavos_widget.training.schedule import Budget
from evavos_widget.training.several import MOST, SeveralSamples, free_photographs

SMALL = replace(SIZES, width=32, layers=3, hidden=48, backgrounds=2)


@pytest.fixture(scope="module")
def stills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs of noise: some with two things on them, others with one in several parts."""
    root = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    for folder, n in (("coco128seg", 12), ("ccp", 8)):
        for kind in ("images", "masks"):
            (root / "stills" / folder / kind).mkdir(parents=True)
        for i in range(n):
            picture = random.integers(0, 90, (260, 330, 3), dtype=np.uint8)
            labels = np.zeros((260, 330), np.uint8)
            for label, (y, x) in enumerate(((20, 20), (130, 190)), start=3):
                labels[y : y + 110, x : x + 110] = label
                picture[y : y + 110, x : x + 110] += random.integers(60, 160, 3, dtype=np.uint8)
            if folder == "ccp":
                labels[:, 140:] = 0
                labels[60:80, 30:50] *= 2
            cv2.imwrite(str(root / f"stills/{folder}/images/{i:03d}.png"), picture)
            cv2.imwrite(str(root / f"stills/{folder}/masks/{i:03d}.png"), labels)
    return root


def test_both_sides_together_are_all_photographs(stills):
    sides = [{p.digest for p in free_photographs(stills, side)} for side in ("train", "test")]
    assert len(sides[0]) > len(sides[1]) > 0
    assert not sides[0] & sides[1]
    assert len(sides[0] | sides[1]) == 20


def test_samples_follow_from_their_number_and_have_objects_without_gaps(stills):
    photographs = free_photographs(stills, "train")
    samples, again = (SeveralSamples(photographs, 64, seed=5) for _ in range(2))
    several = 0
    for number in range(40):
        sample = samples[number, 0.0]
        assert sample["frames"].shape == (64, 64, 3)
        assert sample["frames"].dtype == np.uint8
        labels = sample["labels"]
        assert labels.shape == (32, 32)
        n = int(labels.max())
        assert 1 <= n <= MOST
        assert set(np.unique(labels)) | {0} == set(range(n + 1))
        several += n > 1
    assert several > 10
    for number in (17, 3):
        for name, value in again[number, 0.7].items():
            np.testing.assert_array_equal(value, samples[number, 0.0][name])


def test_clicks_are_given_to_whoever_is_there():
    right = np.zeros((32, 32), np.uint8)
    right[4:14, 4:14], right[18:28, 18:28] = 1, 2
    random = np.random.default_rng(0)
    for row, column, label in _first_clicks(right, random):
        assert right[row, column] == label > 0
    # Object 1 has spread over object 2: that is object 2's to say.
    shown = np.where(right == 2, 1, right)
    ((row, column, label),) = _next_click(shown, right, random)
    assert (label, right[row, column]) == (2, 2)
    # It has spread over nothing: that is the background's.
    shown = right.copy()
    shown[15:31, 0:12] = 1
    ((row, column, label),) = _next_click(shown, right, random)
    assert label == 0
    assert shown[row, column] == 1
    assert _next_click(right, right, random) == []


def test_the_loss_is_lowest_at_the_truth_and_asks_nothing_of_who_is_not_there():
    labels = torch.zeros(1, 8, 8, dtype=torch.int64)
    labels[:, :4] = 1
    sure = torch.zeros(1, 1 + MOST, 8, 8)
    sure[:, 0, 4:], sure[:, 1, :4] = 9.0, 9.0
    sure[:, 2:] = -torch.inf
    swapped = sure.clone()
    swapped[:, [0, 1]] = sure[:, [1, 0]]
    unsure = torch.where(torch.isinf(sure), sure, 0.0).requires_grad_()
    losses = [several_loss(x, labels, 0.2).item() for x in (sure, unsure, swapped)]
    assert losses == sorted(losses)
    assert losses[0] < 0.1 < losses[1]
    several_loss(unsure, labels, 0.2).backward()
    assert torch.isfinite(unsure.grad).all()


def small_run(rate: float = 2e-3) -> Run:
    torch.manual_seed(0)
    return dynamite_run(CompactDynamite(SMALL), CompactNet().eval(), rate)


def run_for(run: Run, stills: Path, out: Path, until: int, total: int) -> Run:
    class Stop(Budget):
        def progress(self, minutes: float, done: int) -> float:
            return 1.0 if done >= until else done / total

    out.mkdir(exist_ok=True)
    samples = SeveralSamples(free_photographs(stills, "train"), 64)
    budget = Stop(steps=total)
    train(run, samples, budget, out, batch=2, accelerator="cpu", devices=1, precision="32-true")
    return run


def test_a_resumed_run_is_the_run_that_was_not_stopped(stills, tmp_path):
    whole = run_for(small_run(), stills, tmp_path / "whole", 4, 4)
    part = run_for(small_run(), stills, tmp_path / "part", 2, 4)
    resumed = small_run()
    resumed.restore(part.state())
    run_for(resumed, stills, tmp_path / "part", 4, 4)
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[name]), name


def test_it_learns_and_leaves_the_encoder_as_it_is(stills, tmp_path):
    run = small_run()
    encoder = {n: v.clone() for n, v in run.objective.encoder.named_parameters()}
    batch = [SeveralSamples(free_photographs(stills, "train"), 64)[i, 0.0] for i in range(2)]
    ready = {name: torch.from_numpy(np.stack([b[name] for b in batch])) for name in batch[0]}
    losses = []
    for _ in range(25):
        result = run.objective(ready, 0.0, np.random.default_rng(1))
        result["loss"].backward()
        run.optimizer.step()
        run.optimizer.zero_grad()
        losses.append(float(result["mask_loss"]))
    assert losses[-1] < 0.7 * losses[0]
    for name, value in run.objective.encoder.named_parameters():
        assert torch.equal(value, encoder[name])
    assert not any(name.startswith("encoder") for name in run.network.state_dict())


def test_weights_are_read_as_they_were_written(tmp_path):
    torch.manual_seed(0)
    network = CompactDynamite(SMALL).eval()
    save_compact(network, tmp_path / "small.safetensors", {"step": "3"})
    again = load_compact(tmp_path / "small.safetensors")
    assert again.config == SMALL
    for name, value in network.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, atol=1e-3, rtol=1e-3)


def test_a_batch_takes_pictures_with_more_and_fewer_clicks(stills):
    objective = DynamiteObjective(CompactDynamite(SMALL), CompactNet().eval())
    labels = torch.zeros(2, 32, 32)
    told = [[(4, 8, 1)], [(0, 0, 2), (31, 31, 0), (3, 3, 1)]]
    clicks: Clicks = objective._clicks(told, labels)
    assert clicks.owners.tolist() == [[0, NOBODY, NOBODY], [1, BACKGROUND, 0]]
    np.testing.assert_allclose(clicks.places[0, 0], [4.5 / 32, 8.5 / 32, 0])
    np.testing.assert_allclose(clicks.places[1, :, 2], np.arange(3) / SMALL.times, rtol=1e-6)
    odds = of_owners(torch.zeros(2, 3, 4, 4), clicks.owners, 3)
    assert torch.isinf(odds[0, 2:]).all()

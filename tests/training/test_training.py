from __future__ import annotations

import csv
import signal
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from small_weights import TINY

from evavos_widget.networks.compact import CompactNet
from evavos_widget.networks.weights import load_weights, save_weights
from evavos_widget.training import objective
from evavos_widget.training.compact import _initial, _parser, compact_run, main
from evavos_widget.training.objective import HAND, Objective, mask_loss, next_clicks
from evavos_widget.training.options import check_numbers
from evavos_widget.training.run import Run, train
from evavos_widget.training.samples import Start
from evavos_widget.training.schedule import Budget, Clock, rate_at


class Discs:
    """Samples by number, as `Samples` makes them: a disc that moves over noise."""

    seed = 0

    def __getitem__(self, key: tuple[int, float]) -> dict[str, np.ndarray]:
        number, _ = key
        random = np.random.default_rng(number)
        rows, columns = np.mgrid[:64, :64]
        frames = random.integers(0, 80, (3, 64, 64, 3), dtype=np.uint8)
        masks = np.empty((3, 32, 32), np.uint8)
        centre = random.uniform(20, 44, 2)
        for t in range(3):
            y, x = centre + 3 * t
            disc = (rows - y) ** 2 + (columns - x) ** 2 < 12**2
            frames[t][disc] += 150
            masks[t] = 255 * disc[::2, ::2]
        return {
            "frames": frames,
            "masks": masks,
            "others": np.roll(masks, 16, 2),
            "worsened": np.roll(masks[-1], 5, 0),
            "start": np.array(number % 3),
        }


def run_for(steps: int, out: Path, run: Run | None = None, total: int | None = None) -> Run:
    """`steps` steps of a training that lasts `total`."""
    if run is None:
        torch.manual_seed(0)
        run = compact_run(CompactNet(TINY), 1e-3)
    out.mkdir(exist_ok=True)
    stop = run.step + steps

    class Stop(Budget):
        def progress(self, minutes: float, done: int) -> float:
            return 1.0 if done >= stop else done / (total or steps)

    train(
        run, Discs(), Stop(steps=stop), out, batch=2, accelerator="cpu", devices=1,
        precision="32-true",
    )  # fmt: skip
    return run


def test_a_resumed_run_is_the_run_that_was_not_stopped(tmp_path: Path) -> None:
    whole = run_for(4, tmp_path / "whole")
    run_for(2, tmp_path / "halves", total=4)
    torch.manual_seed(99)
    resumed = compact_run(CompactNet(TINY), 1e-3)
    resumed.restore(torch.load(tmp_path / "halves" / "state.pt", weights_only=True))
    run_for(2, tmp_path / "halves", resumed, total=4)
    for name in ("network", "average"):
        theirs = whole.state()[name]
        for key, value in resumed.state()[name].items():
            assert torch.equal(value, theirs[key]), key
    logs = []
    for folder in ("whole", "halves"):
        with (tmp_path / folder / "log.csv").open() as file:
            logs.append([(row["step"], row["loss"]) for row in csv.DictReader(file)])
    assert logs[0] == logs[1]
    assert [step for step, _ in logs[0]] == ["1", "2", "3", "4"]


def test_ctrl_c_ends_the_step_and_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run_for(4, tmp_path / "whole")
    sample = Discs.__getitem__

    def stopped(self: Discs, key: tuple[int, float]) -> dict[str, np.ndarray]:
        if key[0] == 3:  # of two to a step, the last one of the second
            signal.raise_signal(signal.SIGINT)
        return sample(self, key)

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(Discs, "__getitem__", stopped)
    with pytest.raises(KeyboardInterrupt):
        run_for(4, tmp_path / "halves")
    monkeypatch.undo()
    assert signal.getsignal(signal.SIGINT) is before
    assert list((tmp_path / "halves").glob("compact-*.safetensors"))
    state = torch.load(tmp_path / "halves" / "state.pt", weights_only=True)
    assert state["step"] == 2
    resumed = compact_run(CompactNet(TINY), 1e-3)
    resumed.restore(state)
    run_for(2, tmp_path / "halves", resumed, total=4)
    for key, value in resumed.state()["average"].items():
        assert torch.equal(value, whole.state()["average"][key]), key
    with (tmp_path / "halves" / "log.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1", "2", "3", "4"]


def test_ctrl_c_twice_stops_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(self: Discs, key: tuple[int, float]) -> dict[str, np.ndarray]:
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)
        raise AssertionError

    monkeypatch.setattr(Discs, "__getitem__", stopped)
    with pytest.raises(KeyboardInterrupt):
        run_for(4, tmp_path)
    assert not (tmp_path / "state.pt").exists()


def test_checkpoints_hold_the_averaged_weights(tmp_path: Path) -> None:
    run = run_for(2, tmp_path)
    assert (tmp_path / "curve.png").stat().st_size > 1000
    (file,) = tmp_path.glob("compact-*.safetensors")
    loaded = load_weights(file).state_dict()
    for name, value in run.average.state_dict().items():
        if value.is_floating_point():
            assert torch.allclose(loaded[name], value, rtol=1e-3, atol=1e-6), name


def test_training_learns(tmp_path: Path) -> None:
    run_for(30, tmp_path)
    with (tmp_path / "log.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert np.mean(losses[-5:]) < 0.75 * np.mean(losses[:5])


@pytest.mark.parametrize(("capability", "mixed"), [("AVX2", False), ("AVX512", True)])
def test_precision_is_mixed_only_where_the_processor_multiplies_bfloat16(
    capability: str, mixed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    told = []

    class Watched(Objective):
        def forward(self, *args: object) -> dict[str, torch.Tensor]:
            told.append(torch.is_autocast_enabled("cpu"))
            raise InterruptedError  # imitated bfloat16 would take minutes

    run = compact_run(CompactNet(TINY), 1e-3)
    run.objective.__class__ = Watched
    with pytest.raises(InterruptedError):
        train(run, Discs(), Budget(steps=1), tmp_path, batch=2, accelerator="cpu", devices=1)
    assert told == [mixed]


def batch_of(start: Start) -> dict[str, torch.Tensor]:
    samples = [Discs()[i, 0.0] for i in range(2)]
    batch = {k: torch.from_numpy(np.stack([s[k] for s in samples])) for k in samples[0]}
    batch["start"][:] = int(start)
    return batch


@pytest.mark.parametrize("start", Start)
def test_every_part_of_the_network_gets_gradients(start: Start) -> None:
    torch.manual_seed(0)
    whole = Objective(CompactNet(TINY))
    whole(batch_of(start), 0.5, np.random.default_rng(0))["loss"].backward()
    for name, parameter in whole.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_mask_loss_is_lowest_at_the_truth_and_ends_with_the_hardest_pixels() -> None:
    truth = torch.zeros(1, 1, 16, 16)
    truth[..., 4:9, 4:9] = 1
    right, wrong = (truth * 2 - 1) * 8, (1 - truth * 2) * 8
    assert mask_loss(right, truth, 1.0) < 0.01 < mask_loss(wrong, truth, 1.0)
    nearly = right.clone()
    nearly[..., 4, 4] = -8
    assert mask_loss(nearly, truth, 1.0) > mask_loss(nearly, truth, 0.0)


def test_rate_rises_stays_and_falls() -> None:
    rates = [rate_at(p, 1000) for p in np.linspace(0, 1, 101)]
    assert rates[100] <= 0.011
    assert max(rates) == pytest.approx(1)
    assert all(b <= a + 1e-12 for a, b in pairwise(rates))
    assert rate_at(0.5, 1000) == pytest.approx(1)
    # Wherever a run begins, its first steps are small.
    for begin in (0.0, 0.6):
        rising = [rate_at(begin, step) for step in range(50)]
        assert rising[0] < 0.1
        assert all(b >= a for a, b in pairwise(rising))


def test_clicks_fall_into_the_middle_of_the_largest_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objective, "HAND", 0)
    truth, mask = torch.zeros(3, 1, 48, 64), torch.zeros(3, 1, 48, 64)
    truth[0, :, 10:31, 10:31] = 1  # missing
    truth[0, :, 40:44, 40:60] = 1
    truth[1, :, 10:21, 10:21] = mask[1, :, 10:21, 10:21] = 1
    mask[1, :, 24:45, 30:51] = 1  # a second object
    clicks = next_clicks(mask, truth, np.random.default_rng(0))
    assert clicks[:, 2].tolist() == [1, -1, 0]
    assert (clicks[0, :2] - torch.tensor([20.0, 20])).abs().max() <= 1
    assert (clicks[1, :2] - torch.tensor([34.0, 40])).abs().max() <= 1


def test_an_unsteady_hand_still_hits_what_is_wrong() -> None:
    assert HAND > 0
    random = np.random.default_rng(0)
    truth = (torch.rand(8, 1, 32, 32, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    mask = torch.zeros_like(truth)
    for n, (row, column, sign) in enumerate(next_clicks(mask, truth, random).tolist()):
        assert sign == 1
        assert truth[n, 0, int(row), int(column)] == 1


def test_a_backbone_that_is_kept_stays_to_the_bit(tmp_path: Path) -> None:
    torch.manual_seed(0)
    run = compact_run(CompactNet(TINY), 1e-3, backbone_rate=0)
    before = {k: v.clone() for k, v in run.network.backbone.state_dict().items()}
    run_for(2, tmp_path, run)
    for name, value in run.network.backbone.state_dict().items():
        assert torch.equal(value, before[name]), name
    loaded = compact_run(CompactNet(TINY), 1e-3, backbone_rate=0)
    loaded.restore(torch.load(tmp_path / "state.pt", weights_only=True))


def test_a_run_may_begin_with_the_backbone_of_imagenet() -> None:
    network, begin = _initial("imagenet")
    assert begin == 0
    assert not torch.equal(
        network.backbone.blocks[3].depth[0].weight, CompactNet().backbone.blocks[3].depth[0].weight
    )
    again, _ = _initial("imagenet")
    for name, value in again.backbone.state_dict().items():
        assert torch.equal(value, network.backbone.state_dict()[name]), name


def test_going_on_from_trained_weights_begins_where_the_curriculum_ends(tmp_path: Path) -> None:
    save_weights(CompactNet(TINY), tmp_path / "trained.safetensors")
    network, begin = _initial(str(tmp_path / "trained.safetensors"))
    assert network.config == TINY
    budget = Budget(steps=10, begin=begin)
    assert budget.progress(0, 0) == begin > 0.5
    assert budget.progress(0, 10) == 1


def test_budget_counts_minutes_or_steps() -> None:
    assert Budget(minutes=10).progress(5, 1000) == 0.5
    assert Budget(steps=10).progress(1000, 5) == 0.5
    assert Budget(steps=10).progress(0, 20) == 1
    with pytest.raises(ValueError, match="one of them"):
        Budget()
    with pytest.raises(ValueError, match="steps is 0; give a whole number, 1 or more"):
        Budget(steps=0)
    with pytest.raises(ValueError, match="minutes is nan; give a number above 0"):
        Budget(minutes=float("nan"))
    assert Clock(12.0).minutes == pytest.approx(12, abs=0.1)


def test_command_refuses_to_overwrite_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state.pt").touch()
    assert main(["--data", "x", "--out", str(tmp_path)]) == 1
    assert "--resume" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--side 0", "--side is 0; give a multiple of 16"),
        ("--side 70", "--side is 70; give a multiple of 16"),
        ("--devices 0", "--devices is 0; give a whole number, 1 or more"),
        ("--steps -4", "--steps is -4; give a whole number, 1 or more"),
        ("--batch 0", "--batch is 0; give a whole number, 1 or more"),
        ("--workers -1", "--workers is -1; give a whole number, 0 or more"),
        ("--seed -1", "--seed is -1; give a whole number, 0 or more"),
        ("--frames 1", "--frames is 1; give a whole number, 2 or more"),
        ("--states 0", "--states is 0; give a whole number, 1 or more"),
        ("--minutes nan", "--minutes is nan; give a number above 0"),
        ("--rate -1", "--rate is -1.0; give a number above 0"),
        ("--checkpoint-minutes -1", "--checkpoint-minutes is -1.0; give a number, 0 or more"),
        ("--backbone-rate -1", "--backbone-rate is -1.0; give a number, 0 or more"),
        ("--tau 1", "--tau is 1.0; give more than 1"),
        ("--point-starts 3", "--point-starts is 3.0; give 0 to 1"),
    ],
)
def test_numbers_out_of_range_are_refused_before_anything_is_written(
    option: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--data", str(tmp_path), "--out", str(tmp_path / "out"), *option.split()]
    assert main(given) == 1
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--side 48", "--tau inf", "--checkpoint-minutes 0", "--seed 0"])
def test_numbers_at_the_edge_are_good(option: str) -> None:
    check_numbers(_parser().parse_args(["--data", "x", "--out", "y", *option.split()]))

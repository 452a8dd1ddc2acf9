from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from small_weights import SMALL_DECODER, TINY, write_small_weights
from test_training import Discs

from evavos_widget.networks.compact import LEAN, CompactNet, DecoderSizes
from evavos_widget.networks.weights import load_weights, save_weights
from evavos_widget.training.compact import _parser, _states_folder, compact_run, main
from evavos_widget.training.imitation import LEAN_VALUES, Imitation, TeacherStates, lean_copy
from evavos_widget.training.run import train
from evavos_widget.training.schedule import Budget

SIZES: dict[str, Any] = {"value_width": 8, "decoder": DecoderSizes(8, 12, (16, 8))}
SMALLER = replace(TINY, **SIZES)
KEPT = ("backbone.", "pyramid.", "to_key.", "clicks.")


@pytest.fixture
def teacher() -> CompactNet:
    torch.manual_seed(1)
    return CompactNet(TINY).eval()


def states(teacher: CompactNet, folder: Path, count: int = 6) -> TeacherStates:
    return TeacherStates(Discs(), teacher, folder, count)  # type: ignore[arg-type]


def batch_of(kept: TeacherStates, numbers: range) -> dict[str, torch.Tensor]:
    each = [kept[number, 0.0] for number in numbers]
    return {name: torch.from_numpy(np.stack([one[name] for one in each])) for name in each[0]}


def test_a_lean_copy_sees_as_its_teacher_does(teacher: CompactNet) -> None:
    lean = lean_copy(teacher, **SIZES).eval()
    image = torch.rand(1, 3, 64, 64)
    for mine, theirs in zip(lean.encode(image), teacher.encode(image), strict=True):
        assert torch.equal(mine, theirs)
    assert lean.config == SMALLER
    assert sum(p.numel() for p in lean.decoder.parameters()) < 0.6 * sum(
        p.numel() for p in teacher.decoder.parameters()
    )


def test_a_copy_of_the_same_sizes_has_nothing_to_learn_from_its_teacher(
    teacher: CompactNet, tmp_path: Path
) -> None:
    # What was kept is what the network is asked for: the same network answers the same.
    same = lean_copy(teacher, TINY.value_width, TINY.decoder).eval()
    batch = batch_of(states(teacher, tmp_path), range(4))
    own = Imitation(same)
    result = own(batch, 0.0, np.random.default_rng(0))
    assert float(result["value_loss"]) < 1e-4
    with torch.no_grad():
        for x in same.parameters():
            x.add_(0.05 * torch.randn_like(x))
    worse = own(batch, 0.0, np.random.default_rng(0))
    assert float(worse["value_loss"]) > 100 * float(result["value_loss"])


def test_a_clip_is_worked_out_once_and_counted_round(teacher: CompactNet, tmp_path: Path) -> None:
    kept = states(teacher, tmp_path, count=3)
    first = kept[1, 0.0]
    files = list(tmp_path.iterdir())
    # Another network would say other things.
    changed = states(CompactNet(SMALLER).eval(), tmp_path, count=3)
    for again in (kept[4, 0.9], changed[1, 0.0]):
        assert again.keys() == first.keys()
        for name, value in first.items():
            assert np.array_equal(value, again[name]), name
    assert list(tmp_path.iterdir()) == files
    other = states(teacher, tmp_path / "other", count=3)[1, 0.5]
    assert all(np.array_equal(value, other[name]) for name, value in first.items())


def test_what_is_kept_is_what_the_teacher_said(teacher: CompactNet, tmp_path: Path) -> None:
    kept = states(teacher, tmp_path)[2, 0.0]
    sample = Discs()[2, 0.0]
    frames = torch.from_numpy(sample["frames"]).permute(0, 3, 1, 2).float() / 255
    mask = torch.from_numpy(sample["masks"][:1])[None].float() / 255
    with torch.inference_mode():
        features = teacher.encode(frames[:1])
        others = torch.from_numpy(sample["others"][:1])[None].float() / 255
        value = teacher.remember(features, mask, others)
    assert np.allclose(kept["value"][0], value[0].numpy(), atol=2e-3, rtol=2e-3)
    assert np.allclose(kept["cells"][0], features.cells[0].numpy(), atol=2e-3, rtol=2e-3)
    assert np.array_equal(kept["before"][0, 0], sample["masks"][0])
    # The last frame was found from the mask that was found in the one before it.
    told = {name: torch.from_numpy(kept[name][1:]).float() for name in ("everywhere", "near")}
    carried = torch.from_numpy(kept["before"][1:]).float() / 255
    with torch.inference_mode():
        again = teacher.decode(teacher.encode(frames[2:]), **told, previous=carried)
    assert np.allclose(kept["found"][1], again[0].numpy(), atol=2e-2, rtol=2e-2)
    assert np.allclose(carried[0, 0], 1 / (1 + np.exp(-kept["found"][0, 0])), atol=5e-3)


def test_only_the_lean_parts_learn_and_do_so(teacher: CompactNet, tmp_path: Path) -> None:
    torch.manual_seed(2)
    lean = lean_copy(teacher, **SIZES)
    before = {name: value.clone() for name, value in lean.state_dict().items()}
    run = compact_run(lean, 3e-3, objective=Imitation(lean), keep_encoder=True)
    train(
        run, states(teacher, tmp_path / "states"), Budget(steps=30), tmp_path, batch=3,
        accelerator="cpu", devices=1, precision="32-true",
    )  # fmt: skip
    for name, value in run.network.state_dict().items():
        if name.startswith(KEPT):
            assert torch.equal(value, before[name]), name
    moved = {
        name.split(".")[0]
        for name, value in run.network.named_parameters()
        if not torch.equal(value, before[name])
    }
    assert moved == {"value", "decoder"}
    rows = np.genfromtxt(tmp_path / "log.csv", delimiter=",", names=True)
    assert rows["loss"][-5:].mean() < 0.8 * rows["loss"][:5].mean()


def test_files_from_before_parts_could_be_lean_are_as_wide_as_their_map(tmp_path: Path) -> None:
    decoder = replace(SMALL_DECODER, width=TINY.width)
    wide = CompactNet(replace(TINY, decoder=decoder, click_decoder=decoder))
    save_weights(wide, tmp_path / "new.safetensors")
    with safe_open(tmp_path / "new.safetensors", framework="pt") as file:
        about = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    config = json.loads(about["config"])
    config["deep"] = config.pop("decoder")["deep"]
    for name in ("value_width", "click_decoder"):
        del config[name]
    save_file(tensors, tmp_path / "old.safetensors", {**about, "config": json.dumps(config)})
    assert load_weights(tmp_path / "old.safetensors").config == wide.config
    assert load_weights(tmp_path / "new.safetensors").config == wide.config


@pytest.mark.parametrize(
    ("more", "what"),
    [
        (["--init", "davis"], "leave --init and --supervision out"),
        (["--supervision", "masks"], "leave --init and --supervision out"),
        (["--teacher", "nothing.safetensors"], "nothing.safetensors"),
    ],
)
def test_the_command_says_what_does_not_go_together(
    more: list[str], what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--data", str(tmp_path), "--out", str(tmp_path / "run"), "--teacher", "free", *more]
    assert main(given) == 1
    assert what in capsys.readouterr().err


def test_the_command_writes_lean_weights_that_see_as_the_teacher_does(tmp_path: Path) -> None:
    from PIL import Image

    random = np.random.default_rng(0)
    for kind in ("ccp", "coco128seg", "pets"):
        for folder in ("images", "masks"):
            (tmp_path / "stills" / kind / folder).mkdir(parents=True)
        for number in range(2):
            picture = random.integers(0, 255, (96, 96, 3), dtype=np.uint8)
            mask = np.zeros((96, 96), np.uint8)
            mask[20:70, 25:75] = 1
            Image.fromarray(picture).save(tmp_path / f"stills/{kind}/images/{number}.png")
            Image.fromarray(mask).save(tmp_path / f"stills/{kind}/masks/{number}.png")
    teacher = write_small_weights(tmp_path)
    run = tmp_path / "run"
    given = ["--data", str(tmp_path), "--out", str(run), "--teacher", str(teacher)]
    given += ["--free-data-only", "--frames", "2", "--side", "64", "--batch", "2"]
    given += ["--states", "3", "--workers", "0", "--precision", "32-true"]
    assert main([*given, "--steps", "2"]) == 0
    (states_of_this,) = run.glob("states-*")
    assert len(list(states_of_this.iterdir())) == 3
    assert main([*given, "--steps", "3", "--resume"]) == 0
    assert list(run.glob("states-*")) == [states_of_this]
    lean, wide = load_weights(next(run.glob("compact-*.safetensors"))), load_weights(teacher)
    assert lean.config == replace(wide.config, value_width=LEAN_VALUES, decoder=LEAN)
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        for mine, theirs in zip(lean.encode(image), wide.encode(image), strict=True):
            assert torch.equal(mine, theirs)


def test_answers_about_other_clips_are_kept_apart(tmp_path: Path) -> None:
    teacher, other = write_small_weights(tmp_path), tmp_path / "other.safetensors"
    save_weights(CompactNet(TINY), other)
    base = ["--data", str(tmp_path), "--out", str(tmp_path), "--teacher"]
    folders = [
        _states_folder(_parser().parse_args([*base, *more]))
        for more in ([str(teacher)], [str(other)], [str(teacher), "--seed", "1"])
    ]
    assert len(set(folders)) == 3
    assert _states_folder(_parser().parse_args([*base, str(teacher)])) == folders[0]

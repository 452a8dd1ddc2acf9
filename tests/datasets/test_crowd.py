from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from evavos_widget.cli import main
from evavos_widget.datasets.crowd import LEVELS, render_crowd
from evavos_widget.datasets.crowd_set import synthetic_videos, write_crowd
from evavos_widget.datasets.davis import open_sequence, read_sequence_names
from evavos_widget.datasets.photographs import Photograph, read_photographs
from evavos_widget.datasets.synthetic import Clip
from evavos_widget.masks import davis_palette

SIZE = {"height": 96, "width": 170}
SEEDS = range(3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty photographs of an ellipse each, textured and in a colour of its own."""
    root = tmp_path_factory.mktemp("photographs") / "ellipses"
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    for number in range(40):
        random = np.random.default_rng(number)
        picture = random.integers(0, 120, (190, 240, 3), dtype=np.uint8)
        mask = np.zeros((190, 240), np.uint8)
        axes = int(random.integers(48, 90)), int(random.integers(48, 80))
        cv2.ellipse(mask, (120, 95), axes, 0, 0, 360, 7, -1)
        colour = random.integers(100, 250, 3)
        picture[mask > 0] = colour + random.integers(-20, 6, (int((mask > 0).sum()), 3))
        cv2.imwrite(str(root / f"images/{number:03d}.jpg"), picture)
        cv2.imwrite(str(root / f"masks/{number:03d}.png"), mask)
    return root


@pytest.fixture(scope="module")
def photographs(folder: Path) -> list[Photograph]:
    return read_photographs([folder])


@pytest.fixture(scope="module")
def clips(photographs: list[Photograph]) -> dict[str, list[Clip]]:
    return {
        level: [render_crowd(photographs, seed, level, **SIZE) for seed in SEEDS]
        for level in LEVELS
    }


def seen(clip: Clip, obj: int) -> np.ndarray:
    return (clip.labels == obj).any(axis=(1, 2))


def test_a_seed_gives_one_video_and_another_seed_another(
    photographs: list[Photograph], clips: dict[str, list[Clip]]
) -> None:
    again = render_crowd(photographs, 2, "middle", **SIZE)
    assert np.array_equal(again.frames, clips["middle"][2].frames)
    assert np.array_equal(again.labels, clips["middle"][2].labels)
    assert again.photographs == clips["middle"][2].photographs
    for one, other in pairwise(clips["middle"]):
        assert one.photographs != other.photographs


def test_no_photograph_is_on_both_sides(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "again")
    for file in (*(tmp_path / "again/images").iterdir(), *(tmp_path / "again/masks").iterdir()):
        file.rename(file.with_name(f"renamed-{file.name}"))
    photographs = read_photographs([folder, tmp_path / "again"])
    sides = {
        side: {p.image.read_bytes() for p in photographs if p.side == side}
        for side in ("train", "test")
    }
    assert not sides["train"] & sides["test"]
    assert sum(map(len, sides.values())) == 40  # the copies are where the originals are
    assert 4 <= len(sides["test"]) <= 20
    names = {p.name: p.side for p in photographs}
    own = [p for p in photographs if p.side == "train" and p.name.startswith("ellipses")]
    clip = render_crowd(own, 0, "easy", n_frames=2, **SIZE)
    assert {names[name] for name in clip.photographs} == {"train"}


@pytest.mark.parametrize("level", LEVELS)
def test_every_object_is_shown_first_and_keeps_its_id(
    level: str, clips: dict[str, list[Clip]]
) -> None:
    for clip in clips[level]:
        n = LEVELS[level].objects
        assert 60 <= len(clip.frames) <= 100
        assert set(np.unique(clip.labels)) == set(range(n + 1))
        assert len(clip.names) == n
        assert len(set(clip.names)) == n - LEVELS[level].twins
        assert clip.hidden[0].max() <= 0.25
        for obj in range(1, n + 1):
            assert (clip.labels[0] == obj).mean() >= 0.004


def test_an_id_stays_with_its_thing(photographs: list[Photograph]) -> None:
    # Each ellipse has one colour, which light and noise change little.
    clip = render_crowd(photographs, 1, "easy", **SIZE)
    for obj in (1, 2):
        colours = [
            np.median(frame[labels == obj], axis=0)
            for frame, labels in zip(clip.frames, clip.labels, strict=True)
            if (labels == obj).sum() > 150
        ]
        shares = np.array([c / c.sum() for c in colours])
        assert np.abs(shares - shares[0]).max() < 0.06


@pytest.mark.parametrize("level", LEVELS)
def test_objects_leave_the_picture_and_come_back(level: str, clips: dict[str, list[Clip]]) -> None:
    told = LEVELS[level]
    for clip in clips[level]:
        back = 0
        for obj in range(1, told.objects + 1):
            shown = seen(clip, obj)
            gone = np.flatnonzero(~shown)
            back += len(gone) >= 3 and shown[gone[0] :].any()
        assert back >= round(told.leaving * told.objects)


def test_each_level_is_more_difficult_than_the_one_before(clips: dict[str, list[Clip]]) -> None:
    def hidden(clip: Clip) -> float:
        return float(clip.hidden.mean())

    def overlap(clip: Clip) -> float:
        """How well the mask before fits: less where things move, bend and turn more."""
        scores = []
        for before, after in pairwise(clip.labels):
            for obj in range(1, clip.hidden.shape[1] + 1):
                union = ((before == obj) | (after == obj)).sum()
                if union:
                    scores.append(((before == obj) & (after == obj)).sum() / union)
        return float(np.mean(scores))

    for measure, sign in ((hidden, 1), (overlap, -1)):
        values = [sign * np.mean([measure(clip) for clip in clips[level]]) for level in LEVELS]
        assert values == sorted(values), measure.__name__


def test_a_set_is_written_where_experiments_find_it(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    root = tmp_path / "set"
    command = ["crowd", "--photographs", str(folder), "--out", str(root), "--level", "easy"]
    command += ["--side", "train", "--height", "96", "--width", "170"]
    assert main([*command, "--seeds", "3-4"]) == 0
    told = f"2 videos; all 2 of their kind: --data {root} --sequences @ImageSets/train-easy.txt"
    assert told in capsys.readouterr().out
    names = read_sequence_names("@ImageSets/train-easy.txt", root)
    assert names == ["train-easy-0003", "train-easy-0004"]
    sequence = open_sequence(root, names[0])
    train = [p for p in read_photographs([folder]) if p.side == "train"]
    clip = render_crowd(train, 3, "easy", **SIZE)
    for frame, labels in enumerate(clip.labels):
        assert np.array_equal(sequence.ground_truth[frame], labels)
    assert np.abs(sequence.video.frame(0).astype(int) - clip.frames[0]).mean() < 8
    about = json.loads((root / "dataset.json").read_text())
    assert not set(about["photographs"]["train"]) & set(about["photographs"]["test"])
    assert set(about["videos"][names[0]]["photographs"]) <= set(about["photographs"]["train"])
    assert "crowd, easy (train side)" in str(synthetic_videos(root, names))
    assert synthetic_videos(folder, names) is None
    # What is there is kept; what does not go with it is refused.
    written = (root / "JPEGImages" / names[0] / "00000.jpg").stat().st_mtime_ns
    capsys.readouterr()
    assert main([*command, "--seeds", "3"]) == 0
    assert "1 videos; all 2 of their kind" in capsys.readouterr().out
    assert main([*command, "--seeds", "5", "--height", "0"]) == 1
    assert "height is 0; give at least 64" in capsys.readouterr().err
    assert (root / "JPEGImages" / names[0] / "00000.jpg").stat().st_mtime_ns == written
    assert read_sequence_names("@ImageSets/train-easy.txt", root) == names
    with pytest.raises(ValueError, match="with 96 x 170 pixels"):
        write_crowd(root, read_photographs([folder]), [3], side="train", level="easy", height=100)
    with pytest.raises(ValueError, match="of other photographs"):
        write_crowd(root, train, [3], side="train", level="easy")


def test_a_label_is_the_same_object_however_it_is_saved(tmp_path: Path) -> None:
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / ".DS_Store").write_bytes(b"of a file manager")
    cv2.imwrite(str(tmp_path / "images/1.jpg"), np.full((300, 400, 3), 90, np.uint8))
    labels = np.zeros((300, 400), np.uint16)
    labels[50:150, 50:150], labels[160:270, 200:330], labels[:9, :] = 1, 2, 255
    grey = labels.astype(np.uint8)
    deep = np.where(labels == 2, 256 + 1, labels)  # which is 1 in 8 bits
    palette = Image.fromarray(grey)
    palette.putpalette(davis_palette().tobytes())
    found = []
    for mask in (Image.fromarray(grey), Image.fromarray(deep), palette):
        mask.save(tmp_path / "masks/1.png")
        (photograph,) = read_photographs([tmp_path])
        found.append(np.array(photograph.objects()))
    assert [len(objects) for objects in found] == [2] * 3
    assert all(np.array_equal(objects, found[0]) for objects in found)
    Image.fromarray(davis_palette()[grey]).save(tmp_path / "masks/1.png")
    with pytest.raises(ValueError, match=r"1\.png is in colour"):
        photograph.label_map()


def test_what_cannot_be_is_named(folder: Path, photographs: list[Photograph]) -> None:
    with pytest.raises(ValueError, match="no level 'harder'"):
        render_crowd(photographs, 0, "harder")
    with pytest.raises(ValueError, match="seed is -1"):
        render_crowd(photographs, -1)
    with pytest.raises(ValueError, match="too few objects that can be cut out"):
        render_crowd(photographs[:2], 0, "hard", **SIZE)
    with pytest.raises(FileNotFoundError, match="has no images and masks"):
        read_photographs([folder / "images"])
    with pytest.raises(ValueError, match="no side 'val'"):
        write_crowd(folder, photographs, [0], side="val")
